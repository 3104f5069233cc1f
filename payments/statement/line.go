package statement

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// Types of references: our own mapping, as no Kazakh profile of camt.053 is
// public.
const (
	identifierType = "UIN"
	budgetCodeType = "KBK"
	officeType     = "UGD"
)

// Line is one movement on the treasury's account as reconciliation needs it: an
// entry of a statement, or one of the transactions that an entry sums up.
type Line struct {
	Statement   string // ID of the statement
	Position    int    // within the file, from 0; bad lines count
	Place       string // /Stmt/0/Ntry/2/TxDtls/0, byte 4711
	Reference   string // the account servicer's, "" if it gave none
	Booked      bool   // false for pending and informational entries
	Reversal    bool   // the entry takes back an earlier one
	BookingDay  kz.Day
	ValueDay    kz.Day     // may be the zero day
	Amount      money.Tiyn // a credit to the account is positive
	Identifier  string     // as the bank gives it, or found in the free text; "" if there is none
	BudgetCode  string     // КБК
	PurposeCode string     // КНП
	Office      string     // УГД, the code of the revenue office that is credited; "" if the line says none
	OfficeBIN   string     // BIN of the body that is credited; "" if the line says none
	Payer       string     // BIN or IIN of the debtor, as the bank gives it
	EndToEnd    string
	Declaration string // number of a goods declaration in the free text, post/day/number
	Purpose     string // the free text
	Returned    bool   // the payment comes back: it was made before, under the same references
	// ReturnReason is the code of ISO 20022 (ExternalReturnReason1Code) or the
	// bank's own; "" if the line says none.
	ReturnReason string

	number string // of the statement
}

// textRunesMax bounds each text of a line but its purpose. Longer ones are none
// of the standards', whose references have 35 characters, and do not fit into an
// index.
const textRunesMax = 255

// checkTexts refuses what the database cannot keep.
func (l *Line) checkTexts() error {
	for _, text := range []struct{ at, value string }{
		{"AcctSvcrRef", l.Reference}, {"UIN", l.Identifier}, {"KBK", l.BudgetCode}, {"Purp", l.PurposeCode}, {"UGD", l.Office},
		{"Dbtr", l.Payer}, {"EndToEndId", l.EndToEnd}, {"RtrInf", l.ReturnReason}, {"RmtInf", l.Purpose},
	} {
		if strings.IndexByte(text.value, 0) >= 0 {
			return fault.New(fault.StatementLineBad, text.at, "a NUL character")
		}
		if len(text.value) > textRunesMax && text.at != "RmtInf" && utf8.RuneCountInString(text.value) > textRunesMax {
			return fault.New(fault.StatementLineBad, text.at, "more than %d characters", textRunesMax)
		}
	}
	return nil
}

// key is what makes a line of one file that of another. The amount and the
// codes belong to it: a line that repeats a reference with another amount is
// another line, and reconciliation must see it.
//
// Of two lines of one file that are the same in all of this, each is a line of
// its own, and the importer counts them: as many as the file that has most.
func (l *Line) key(account string) [sha256.Size]byte {
	// What has no reference is known by its text, within its own statement.
	statement, number, text := "", "", ""
	if l.Reference == "" {
		statement, number, text = l.Statement, l.number, l.Purpose
	}
	var space [768]byte
	b := space[:0]
	for _, s := range [...]string{
		account, l.BookingDay.String(), l.Reference, l.Identifier, l.BudgetCode, l.PurposeCode, l.Payer, l.EndToEnd,
		statement, number, text,
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s))) // so that no two texts run together
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(l.Amount))
	if l.Booked {
		b = append(b, 1)
	}
	return sha256.Sum256(b)
}

// BadLine is a line that could not be read.
type BadLine struct {
	Position int
	Place    string
	Day      kz.Day // its booking day or, if that cannot be read, the closing balance's
	Code     fault.Code
	Detail   string
}

// Lines turns an entry into its lines, in tenge. An entry whose parts disagree
// is not half true: it is refused as a whole, statement_line_invalid. Position
// and Place are the importer's to fill.
func Lines(s *Statement, e *Entry) ([]Line, error) { return appendLines(nil, s, e) }

func appendLines(lines []Line, s *Statement, e *Entry) ([]Line, error) {
	total, err := e.Amount.Tiyn()
	if err != nil {
		return lines, err
	}
	day := e.BookingDay
	if day.IsZero() {
		day = e.ValueDay // what is pending has no booking date yet, and some banks give none
	}
	if day.IsZero() {
		return lines, fault.New(fault.StatementLineBad, "BookgDt", "no date")
	}
	from := len(lines)
	var sum money.Tiyn
	for i := range max(len(e.Details), 1) {
		l := Line{
			Statement: s.ID, number: s.Number, Booked: e.Booked(), Reversal: e.Reversal, Returned: e.returned(),
			BookingDay: day, ValueDay: e.ValueDay, Amount: total,
		}
		if len(e.Details) <= 1 { // an entry's reference names it as a whole
			l.Reference = firstOf(e.Servicer, e.Reference)
		}
		if len(e.Details) > 0 {
			if err := e.Details[i].fill(&l, len(e.Details), s.Owner); err != nil {
				return lines[:from], err
			}
		}
		if err := l.checkTexts(); err != nil {
			return lines[:from], err
		}
		if sum, err = sum.Add(l.Amount); err != nil {
			return lines[:from], err
		}
		lines = append(lines, l)
	}
	if sum != total {
		return lines[:from], fault.New(fault.StatementLineBad, "TxDtls", "the transactions make %s, the entry %s", sum, total)
	}
	return lines, nil
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" && s != "NONREF" {
			return s
		}
	}
	return ""
}

// fill takes from a transaction what its line needs. of is how many the entry
// sums up, owner the BIN of the account's owner, if the file gives it.
func (d *Detail) fill(l *Line, of int, owner string) (err error) {
	l.Reference = firstOf(d.Servicer, l.Reference)
	switch {
	case d.Amount != nil && (of > 1 || d.Amount.Currency == money.Currency):
		if l.Amount, err = d.Amount.Tiyn(); err != nil {
			return err
		}
	case of > 1:
		return fault.New(fault.StatementLineBad, "TxDtls", "one of several transactions has no amount")
	}
	if l.Identifier, err = onlyOne(d.References, identifierType); err != nil {
		return err
	}
	if l.BudgetCode, err = onlyOne(d.References, budgetCodeType); err != nil {
		return err
	}
	if l.Office, err = onlyOne(d.References, officeType); err != nil {
		return err
	}
	l.PurposeCode, l.EndToEnd = d.PurposeCode, d.EndToEnd
	if l.EndToEnd == "NOTPROVIDED" {
		l.EndToEnd = ""
	}
	l.Returned = l.Returned || d.Returned || isReturn(d.Code)
	l.ReturnReason = d.ReturnReason
	l.Payer = d.Debtor.number()
	if l.Amount > 0 {
		l.OfficeBIN = d.Creditor.office(owner)
	} else if paid := d.Creditor.number(); paid != "" && !l.Reversal {
		l.Payer = paid // of a debit, who is paid; a reversal keeps the parties of what it takes back
	}
	l.Purpose = strings.TrimSpace(strings.Join(d.Text, " "))
	found := search(l.Purpose)
	if len(d.Text) > 1 {
		// Banks break a long text wherever the line is full, in a number too.
		found.complete(search(strings.Join(d.Text, "")))
	}
	if d.plain != "" {
		found.complete(search(d.plain))
	}
	l.Declaration = found.declaration.value
	if l.Identifier == "" {
		l.Identifier = found.identifier.value
	}
	return nil
}

// number is the BIN or IIN of a party.
func (p *Party) number() string { return firstOf(p.ID(idScheme), p.ID("IIN")) }

// office is the BIN of a party that is credited. The account's owner, the
// treasury itself, stands for every body that it keeps money of, and so names
// none.
func (p *Party) office(owner string) string {
	id := p.ID(idScheme)
	if _, err := kz.ParseBIN(id, kz.FormatOnly); err != nil || id == owner {
		return ""
	}
	return id
}

// returned reports whether the bank's code of the entry says that a payment
// comes back.
func (e *Entry) returned() bool { return isReturn(e.Code) }

// isReturn knows the subfamily of a reversal due to a return of the payment (ISO
// 20022, external code set of bank transaction codes), SWIFT's returned item and
// the revenue service's word.
func isReturn(code string) bool {
	switch code {
	case "NRTI", "SRTI", "FRTI", "Возврат":
		return true
	}
	return strings.HasSuffix(code, "/RRTN")
}

// onlyOne returns the value of the references of one kind; two that differ say
// nothing.
func onlyOne(all []Reference, kind string) (string, error) {
	value := ""
	for _, r := range all {
		if r.Kind != kind {
			continue
		}
		if value != "" && r.Value != value {
			return "", fault.New(fault.StatementLineBad, "RmtInf", "two different references of type %s", kind)
		}
		value = r.Value
	}
	return value, nil
}

// identifierDigits is the length of an order.Identifier: of other numbers in a
// text it need not be asked.
const identifierDigits = 17

// searched is what a free text gives away.
type searched struct{ identifier, declaration finding }

// finding is the one value of a kind. Two different ones are none: a guess would
// be worse.
type finding struct {
	value string
	clash bool
}

func (f *finding) note(value string) {
	switch {
	case f.clash:
	case f.value == "":
		f.value = value
	case f.value != value:
		*f = finding{clash: true}
	}
}

// complete takes what was not found from another search.
func (s *searched) complete(other searched) {
	if s.identifier == (finding{}) {
		s.identifier = other.identifier
	}
	if s.declaration == (finding{}) {
		s.declaration = other.declaration
	}
}

// search looks for a payment identifier, which its check digits prove, and for
// the number of a goods declaration, 55302/051126/0000123.
func search(text string) (s searched) {
	for i := 0; i < len(text); {
		if text[i] < '0' || text[i] > '9' {
			i++
			continue
		}
		end := i
		for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '/') {
			end++
		}
		word := strings.TrimRight(text[i:end], "/")
		if isDeclaration(word) {
			s.declaration.note(word)
		} else if len(word) == identifierDigits {
			if id, err := order.ParseIdentifier(word); err == nil {
				s.identifier.note(string(id))
			}
		}
		i = end
	}
	return s
}

// DeclarationNumber is the number of a goods declaration in a text, as it is
// looked for in a payer's; empty if there is none or there are several.
func DeclarationNumber(text string) string { return search(text).declaration.value }

// isDeclaration tells a declaration's number by its shape: the customs post, the
// day and the number of the day (EAEU decision 257).
func isDeclaration(word string) bool {
	const behindPost = len("/051126/0000123")
	post := len(word) - behindPost
	return (post == 5 || post == 8) && word[post] == '/' && word[post+7] == '/' && strings.Count(word, "/") == 2
}
