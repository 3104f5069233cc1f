package statement

import (
	"github.com/govalues/decimal"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// Format of a file.
type Format string

// The formats that are read. Versions 01 to 13 of the ISO 20022 ones differ in
// little, and what they write differently is read alike.
const (
	CAMT052 Format = "camt.052" // ISO 20022, report within the day
	CAMT053 Format = "camt.053" // ISO 20022, statement
	CAMT054 Format = "camt.054" // ISO 20022, notification of debits and credits
	MT940   Format = "MT940"    // SWIFT customer statement
	MT942   Format = "MT942"    // SWIFT interim report
	MT950   Format = "MT950"    // SWIFT statement, entries without details
	MT100   Format = "MT100"    // one payment, as KISC's interbank system carries it
	MT102   Format = "MT102"    // several payments of one batch
	KGD     Format = "kgd-json" // the revenue service's receipts of a personal account
	CSV     Format = "csv"      // by a Mapping
)

// HasBalances reports whether files of the format say what the account holds
// before and after, so that lines that are missing are seen.
func (f Format) HasBalances() bool {
	return f == CAMT053 || f == MT940 || f == MT950
}

// Statement is the head of a statement, and what its entries add up to. A
// file may hold several.
type Statement struct {
	Format    Format
	Version   string // "001.08" of ISO 20022, "" where there is none
	MessageID string
	ID        string
	Number    string // of the statement within its account's year
	Page      string // of the statement
	LastPage  bool   // true unless the file says that more pages follow
	Account   string // IBAN, or the bank's own number
	Owner     string // BIN of the account's owner, "" if the file gives none
	Currency  string // of the account, as the file gives it
	Created   string // as the file gives it
	Balances  []Balance
	Credits   *Totals // as stated; nil if it does not say
	Debits    *Totals

	Entries     int    // entries, bad ones included
	Bad         int    // entries that could not be read
	ReadCredits Totals // booked entries, as read
	ReadDebits  Totals // their sum is positive
}

// BalanceKind says what a balance is of.
type BalanceKind string

// The kinds, by the codes of ISO 20022 with those of SWIFT that mean the same.
const (
	OpeningBooked      BalanceKind = "OPBD" // :60F:, :60M:
	PreviousClosing    BalanceKind = "PRCD"
	ClosingBooked      BalanceKind = "CLBD" // :62F:, :62M:
	OpeningAvailable   BalanceKind = "OPAV"
	ClosingAvailable   BalanceKind = "CLAV" // :64:
	ForwardAvailable   BalanceKind = "FWAV" // :65:
	InterimBooked      BalanceKind = "ITBD"
	InterimAvailable   BalanceKind = "ITAV"
	Expected           BalanceKind = "XPCD"
	OpeningOfThisPage  BalanceKind = "OPBD/ITBD" // :60M:, OPBD of subtype INTM
	ClosingOfThisPage  BalanceKind = "CLBD/ITBD" // :62M:
	InformationBalance BalanceKind = "INFO"
)

// Balance of the account on a day.
type Balance struct {
	Kind   BalanceKind
	Amount Amount // negative if the account is in debit
	Day    kz.Day
}

// Amount in any currency, exact. A credit to the account is positive.
type Amount struct {
	Value    decimal.Decimal
	Currency string
}

// Tiyn is the amount in tiyn. Another currency, or anything finer, is
// refused: statement_line_invalid.
func (a Amount) Tiyn() (money.Tiyn, error) {
	if a.Currency != money.Currency {
		return 0, fault.New(fault.StatementLineBad, "Amt", "the currency is not %s", money.Currency)
	}
	trimmed := a.Value.Trim(2)
	if trimmed.Scale() > 2 {
		return 0, fault.New(fault.StatementLineBad, "Amt", "finer than a tiyn")
	}
	whole, fraction, ok := trimmed.Int64(2)
	if !ok || whole > maxTenge || whole < -maxTenge {
		return 0, fault.New(fault.AmountOverflow, "Amt", "the amount does not fit")
	}
	return money.Tiyn(whole)*money.Tenge + money.Tiyn(fraction), nil
}

// maxTenge keeps every amount far from the end of an int64 of tiyn.
const maxTenge = 1e16

// Totals of one direction.
type Totals struct {
	Count int
	Sum   decimal.Decimal
}

// Entry is one movement on the account.
type Entry struct {
	Index      int   // within the statement, from 0; bad ones count
	Offset     int64 // in the file, bytes of UTF-8
	Reference  string
	Servicer   string // the account servicer's reference
	Amount     Amount
	Reversal   bool
	Status     string // BOOK, PDNG, INFO; BOOK where the format knows no other
	BookingDay kz.Day // may be the zero day
	ValueDay   kz.Day // may be the zero day
	Code       string // the bank's transaction code, its parts joined by "/"
	Info       string // further information for the account's owner
	Details    []Detail
}

// Booked reports whether the movement has taken place.
func (e *Entry) Booked() bool { return e.Status == "BOOK" }

// Detail is one of the transactions that an entry sums up.
type Detail struct {
	Servicer    string // the account servicer's reference
	EndToEnd    string
	Instruction string
	Transaction string
	Mandate     string
	Amount      *Amount // nil if the detail has none of its own
	Debtor      Party
	Creditor    Party
	PurposeCode string
	References  []Reference // typed numbers of structured remittance information
	Text        []string    // unstructured remittance information, block by block
	Info        string
	Code        string // the bank's transaction code of its own, its parts joined by "/"
	Returned    bool   // it says what an earlier payment came back for
	// ReturnReason is why; "" if the file gives no code.
	ReturnReason string

	amount    Amount // what Amount points to
	indicator string // CRDT or DBIT, if the file gives the detail its own
	plain     string // the text without codes of subfields that break it
}

// Party to a transaction.
type Party struct {
	Name    string
	Account string
	Agent   string // BIC
	IDs     []Reference
}

// ID returns the number of one scheme, "" if the party has none.
func (p *Party) ID(scheme string) string {
	for _, id := range p.IDs {
		if id.Kind == scheme {
			return id.Value
		}
	}
	return ""
}

// Reference is a number with its type: of a document, a creditor's reference,
// an identification by its scheme. Kind is "" where the file gives none.
type Reference struct{ Kind, Value string }

// BadEntry is an entry that could not be read. The rest goes on.
type BadEntry struct {
	Index  int
	Offset int64
	Day    kz.Day // its booking day or, if that cannot be read, the zero day
	Code   fault.Code
	Detail string
}

// lineBad says where in an entry the problem is.
func lineBad(problem error, at string) error {
	detail := ""
	if f := fault.Of(problem); f != nil {
		detail = f.Detail
	}
	return fault.New(fault.StatementLineBad, at, "%s", detail)
}

// Sink takes what a file holds, in its order. What it is given is valid for
// the time of the call. An error of its own ends the reading and is returned as
// it is.
type Sink struct {
	Begin func(*Statement) error // the head is known as far as the format puts it first
	Entry func(*Statement, *Entry) error
	Bad   func(*Statement, BadEntry) error
	End   func(*Statement) error // all of it is known; see Statement.Check
}

// count adds an entry to what was read.
func (s *Statement) count(e *Entry) error {
	if !e.Booked() {
		return nil
	}
	side, magnitude := &s.ReadCredits, e.Amount.Value
	if magnitude.IsNeg() {
		side, magnitude = &s.ReadDebits, magnitude.Neg()
	}
	sum, err := side.Sum.AddExact(magnitude, magnitude.Scale())
	if err != nil {
		return fault.Wrap(err, fault.AmountOverflow, "", "add up the entries")
	}
	side.Sum = sum
	side.Count++
	return nil
}

// Balance returns the balance of a kind.
func (s *Statement) Balance(kind BalanceKind) (Balance, bool) {
	for _, b := range s.Balances {
		if b.Kind == kind {
			return b, true
		}
	}
	return Balance{}, false
}

// Opening is the balance before the first entry, Closing that after the last.
func (s *Statement) Opening() (Balance, bool) {
	for _, kind := range []BalanceKind{OpeningBooked, OpeningOfThisPage, PreviousClosing} {
		if b, ok := s.Balance(kind); ok {
			return b, true
		}
	}
	return Balance{}, false
}

// Closing is the balance after the last entry.
func (s *Statement) Closing() (Balance, bool) {
	for _, kind := range []BalanceKind{ClosingBooked, ClosingOfThisPage} {
		if b, ok := s.Balance(kind); ok {
			return b, true
		}
	}
	return Balance{}, false
}
