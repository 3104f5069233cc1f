package statement

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// Line is one movement on the account: an entry of the statement, or one of
// the transactions that an entry sums up.
type Line struct {
	Statement   string // Id of the statement
	Position    int    // within the file, from 0; bad lines count
	Place       string // /Stmt/Ntry/2/TxDtls/0, byte 4711
	Reference   string // the account servicer's, "" if it gave none
	Booked      bool   // false for pending and informational entries
	BookingDay  kz.Day
	ValueDay    kz.Day     // may be the zero day
	Amount      money.Tiyn // a credit to the account is positive
	Identifier  string     // as the bank gives it; "" if it gave none
	BudgetCode  string     // КБК
	PurposeCode string     // КНП
	Payer       string     // BIN of the debtor, as the bank gives it
	EndToEnd    string
	Purpose     string // the free text
}

// key is what makes two lines the same, in whatever files they come. The
// amount and the codes belong to it: a line that repeats a reference with
// another amount is another line, and reconciliation must see it.
func (l Line) key(account string) [sha256.Size]byte {
	reference := l.Reference
	if reference == "" {
		// With no reference, a line is known only within its own statement.
		reference = l.Statement + "#" + strconv.Itoa(l.Position)
	}
	h := sha256.New()
	for _, s := range []string{
		account, l.BookingDay.String(), reference, strconv.FormatBool(l.Booked), l.Amount.String(),
		l.Identifier, l.BudgetCode, l.PurposeCode, l.Payer, l.EndToEnd,
	} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s)))) // so that no two texts run together
		h.Write([]byte(s))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// BadLine is a line that could not be read.
type BadLine struct {
	Position int
	Place    string
	Day      kz.Day // its booking day or, if that cannot be read, the closing balance's
	Code     fault.Code
	Detail   string
}

// Balance of the account at the end or the beginning of a day.
type Balance struct {
	Amount money.Tiyn // negative if the account is in debit
	Day    kz.Day
}

// Totals of one direction as the statement's own summary gives them.
type Totals struct {
	Count int
	Sum   money.Tiyn
}

// Summary is what a statement says of itself, and what its lines add up to.
type Summary struct {
	MessageID   string
	StatementID string
	Account     string
	Opening     Balance
	Closing     Balance
	Credits     *Totals // as stated; nil if it does not say
	Debits      *Totals

	Lines       int    // read, booked or not
	Bad         int    // not read
	ReadCredits Totals // entries booked, as read
	ReadDebits  Totals // their sum is positive
}

// Checked reports whether the balances and totals could be checked: a line
// that was not read has an amount that nobody knows.
func (s *Summary) Checked() bool { return s.Bad == 0 }

// Check compares the statement with the account it must be of, and its
// balances and totals with its lines.
func (s *Summary) Check(account string) error {
	if s.Account != account {
		return fault.New(fault.StatementAccount, "/Stmt/Acct/Id", "not the account %s", account)
	}
	if !s.Checked() {
		return nil
	}
	moved, err := s.ReadCredits.Sum.Sub(s.ReadDebits.Sum)
	if err != nil {
		return fault.Wrap(err, fault.AmountOverflow, "/Stmt", "add up the lines")
	}
	closing, err := s.Opening.Amount.Add(moved)
	if err != nil {
		return fault.Wrap(err, fault.AmountOverflow, "/Stmt", "add up the lines")
	}
	if closing != s.Closing.Amount {
		return fault.New(fault.StatementBalance, "/Stmt/Bal", "opening and lines make %s, the closing balance is %s", closing, s.Closing.Amount)
	}
	for _, t := range []struct {
		name         string
		stated, read *Totals
	}{
		{"TtlCdtNtries", s.Credits, &s.ReadCredits},
		{"TtlDbtNtries", s.Debits, &s.ReadDebits},
	} {
		if t.stated != nil && *t.stated != *t.read {
			return fault.New(fault.StatementTotals, "/Stmt/TxsSummry/"+t.name, "stated %d of %s, read %d of %s",
				t.stated.Count, t.stated.Sum, t.read.Count, t.read.Sum)
		}
	}
	return nil
}
