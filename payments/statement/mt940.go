package statement

import (
	"regexp"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// accountMessages reads MT940, MT942 and MT950 (SWIFT Standards, category 9).
// Messages without blocks follow one another with nothing between them: a new
// :20: begins the next, and so does what may stand only once.
type accountMessages struct {
	*reader
	fields *fields

	current *Statement
	seen    map[string]bool // fields of the current statement
	pending *Entry          // an entry whose :86: may still come
	wrong   error           // what spoils it
}

// once lists the fields that a statement has one of; the second begins the next.
var once = map[string]bool{"20": true, "25": true, "28C": true, "28": true, "60F": true, "60M": true}

func (a *accountMessages) field(v field) error {
	if v.tag == "-" {
		return a.finish()
	}
	if a.current != nil && once[v.tag] && (v.tag == "20" || a.seen[v.tag]) {
		if err := a.finish(); err != nil {
			return err
		}
	}
	if a.current == nil {
		a.current = &Statement{Format: a.format(), LastPage: true}
		a.seen = make(map[string]bool)
	}
	a.seen[v.tag] = true
	s := a.current
	switch v.tag {
	case "20":
		s.ID = strings.TrimSpace(v.text)
		s.MessageID = s.ID
	case "25", "25P":
		account, _, _ := strings.Cut(v.text, "\n")
		s.Account = strings.TrimSpace(account)
	case "28", "28C":
		number, page, _ := strings.Cut(strings.TrimSpace(v.text), "/")
		s.Number, s.Page = number, page
	case "60F", "60M", "62F", "62M", "64", "65":
		return a.balance(v)
	case "34F": // the floor limit names the currency: EURD0,00
		s.Format = MT942
		if s.Currency == "" && len(v.text) > 3 {
			s.Currency = v.text[:3]
		}
	case "90C", "90D":
		return a.totals(v)
	case "61":
		return a.entry(v)
	case "86":
		a.details(v)
	case "NS":
		if a.pending != nil && a.pending.Info == "" {
			a.pending.Info = v.text
		}
	}
	return nil
}

func (a *accountMessages) format() Format {
	switch a.fields.kind {
	case "942":
		return MT942
	case "950":
		return MT950
	}
	return MT940
}

// balanceKinds by tag.
var balanceKinds = map[string]BalanceKind{
	"60F": OpeningBooked, "60M": OpeningOfThisPage, "62F": ClosingBooked, "62M": ClosingOfThisPage,
	"64": ClosingAvailable, "65": ForwardAvailable,
}

// balance reads C171011KZT627311,30.
func (a *accountMessages) balance(v field) error {
	if err := a.flush(); err != nil {
		return err
	}
	s := a.current
	b, err := parseBalance(strings.TrimSpace(v.text))
	kind := balanceKinds[v.tag]
	if err != nil {
		if v.tag == "64" || v.tag == "65" {
			return nil // nothing depends on it
		}
		return fault.Wrap(err, fault.StatementMalformed, ":"+v.tag+":", "read the balance at byte %d", v.offset)
	}
	b.Kind = kind
	if s.Currency == "" {
		s.Currency = b.Amount.Currency
	}
	s.LastPage = s.LastPage && v.tag != "62M"
	if len(s.Balances) == balancesMax {
		return fault.New(fault.StatementMalformed, ":"+v.tag+":", "more than %d balances", balancesMax)
	}
	s.Balances = append(s.Balances, b)
	return nil
}

func parseBalance(text string) (b Balance, err error) {
	const head = len("C171011KZT")
	if len(text) < head+1 || text[0] != 'C' && text[0] != 'D' {
		return b, errNoAmount
	}
	if b.Day, err = shortDay(text[1:7]); err != nil {
		return b, err
	}
	amount, _, _ := strings.Cut(text[head:], "\n")
	if b.Amount.Value, err = parseAmount([]byte(strings.TrimSpace(amount)), ','); err != nil {
		return b, err
	}
	b.Amount.Currency = text[7:head]
	if text[0] == 'D' {
		b.Amount.Value = b.Amount.Value.Neg()
	}
	return b, nil
}

// shortDay reads YYMMDD. The century is this one.
func shortDay(text string) (kz.Day, error) {
	t, err := time.Parse("060102", text)
	if err != nil {
		return kz.Day{}, errNoDate
	}
	return isoDay(t.Format("2006") + t.Format("-01-02"))
}

// valueDay reads YYMMDD. German banks reckon interest by months of thirty days
// and write a 30th of February; it is the month's last day.
func valueDay(text string) (kz.Day, error) {
	if text[2:] == "0230" || text[2:] == "0229" {
		if day, err := shortDay(text[:2] + "0229"); err == nil {
			return day, nil
		}
		text = text[:2] + "0228"
	}
	return shortDay(text)
}

// totals reads :90C:/:90D: of an MT942, 2KZT100,00.
func (a *accountMessages) totals(v field) error {
	a.current.Format = MT942
	text := strings.TrimSpace(v.text)
	digits := 0
	for digits < len(text) && digits < 5 && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	if digits == 0 || len(text) < digits+4 {
		return fault.New(fault.StatementMalformed, ":"+v.tag+":", "no totals at byte %d", v.offset)
	}
	amount, _, _ := strings.Cut(text[digits+3:], "\n")
	sum, err := parseAmount([]byte(strings.TrimSpace(amount)), ',')
	if err != nil {
		return fault.Wrap(err, fault.StatementMalformed, ":"+v.tag+":", "read the sum at byte %d", v.offset)
	}
	t := &Totals{Sum: sum}
	for _, d := range text[:digits] {
		t.Count = t.Count*10 + int(d-'0')
	}
	if v.tag == "90C" {
		a.current.Credits = t
	} else {
		a.current.Debits = t
	}
	return nil
}

// entry reads a :61:. Its :86: may follow.
func (a *accountMessages) entry(v field) error {
	if err := a.flush(); err != nil {
		return err
	}
	if !a.seen["begun"] {
		a.seen["begun"] = true
		if err := a.begin(a.current); err != nil {
			return err
		}
	}
	a.pending, a.wrong = parseEntry(v.text)
	a.pending.Index, a.pending.Offset = a.current.Entries, v.offset
	a.pending.Amount.Currency = a.current.Currency
	return nil
}

// parseEntry reads
//
//	6!n[4!n]2a[1!a]15d1!a3!c16x[//16x][34x]
//
// which is the value date, the entry's month and day, debit or credit, the third
// letter of the currency, the amount, the kind of transaction, our reference,
// the bank's, and on the next line further information.
func parseEntry(text string) (*Entry, error) {
	e := &Entry{Status: "BOOK"}
	text, e.Info, _ = strings.Cut(text, "\n")
	if n := len(text); n > 0 && (text[n-1] == 'C' || text[n-1] == 'D' || text[n-1] == 'R') {
		// German savings banks break the line behind the mark.
		rest, info, _ := strings.Cut(e.Info, "\n")
		text, e.Info = text+rest, info
	}
	if len(text) < 6 {
		return e, fault.New(fault.StatementLineBad, ":61:", "too short")
	}
	var err error
	if e.ValueDay, err = valueDay(text[:6]); err != nil {
		return e, fault.New(fault.StatementLineBad, ":61:", "the value date is no date")
	}
	e.BookingDay = e.ValueDay
	rest := text[6:]
	if len(rest) >= 4 && isDigits(rest[:4]) {
		if e.BookingDay, err = entryDay(e.ValueDay, rest[:4]); err != nil {
			return e, fault.New(fault.StatementLineBad, ":61:", "the entry date is no date")
		}
		rest = rest[4:]
	}
	rest = strings.TrimLeft(rest, " ")
	if strings.HasPrefix(rest, "R") { // reversal of a credit or of a debit
		e.Reversal = true
		rest = rest[1:]
	} else if strings.HasPrefix(rest, "E") { // expected
		e.Status = "PDNG"
		rest = rest[1:]
	}
	if rest == "" || rest[0] != 'C' && rest[0] != 'D' {
		return e, fault.New(fault.StatementLineBad, ":61:", "neither debit nor credit")
	}
	credit := (rest[0] == 'C') != e.Reversal
	rest = rest[1:]
	if rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
		rest = rest[1:]
	}
	rest = strings.TrimLeft(rest, " ")
	length := 0
	for length < len(rest) && (rest[length] >= '0' && rest[length] <= '9' || rest[length] == ',') {
		length++
	}
	if length == 0 {
		return e, fault.New(fault.StatementLineBad, ":61:", "no amount")
	}
	if e.Amount.Value, err = parseAmount([]byte(rest[:length]), ','); err != nil {
		return e, fault.New(fault.StatementLineBad, ":61:", "not an amount like 1234,50")
	}
	if !credit {
		e.Amount.Value = e.Amount.Value.Neg()
	}
	rest = rest[length:]
	if len(rest) >= 4 && rest[0] >= 'A' && rest[0] <= 'Z' {
		e.Code, rest = rest[:4], rest[4:]
	}
	own, bank, _ := strings.Cut(rest, "//")
	if len(own) > referenceMax { // some banks put further information in the same line
		own, e.Info = own[:referenceMax], strings.TrimSpace(own[referenceMax:]+"\n"+e.Info)
	}
	e.Reference, e.Servicer = strings.TrimSpace(own), strings.TrimSpace(bank)
	return e, nil
}

// referenceMax is the length of our reference in a :61:.
const referenceMax = 16

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// entryDay gives the entry's month and day the year that brings it nearest to
// the value date: around New Year the two may differ.
func entryDay(value kz.Day, monthDay string) (kz.Day, error) {
	best, err := kz.Day{}, error(errNoDate)
	for _, year := range []int{0, -1, 1} {
		y := value.AddDays(year * 365).String()[:4]
		day, dayErr := kz.ParseDay(y + "-" + monthDay[:2] + "-" + monthDay[2:])
		if dayErr != nil {
			continue
		}
		if best.IsZero() || distance(day, value) < distance(best, value) {
			best, err = day, nil
		}
	}
	return best, err
}

// distance of two days, in days.
func distance(a, b kz.Day) int {
	d := int(a.Start().Sub(b.Start()).Hours() / 24)
	return max(d, -d)
}

// details takes the :86: behind an entry. One behind the closing balance is
// about the statement and is passed over.
func (a *accountMessages) details(v field) {
	if a.pending == nil {
		return
	}
	d := Detail{Text: strings.Split(v.text, "\n")}
	keywords(v.text).fill(&d, &d.Debtor)
	d.EndToEnd, d.plain = subfields(v.text)
	a.pending.Details = append(a.pending.Details, d)
}

var (
	// subfieldCode stands before each subfield of a :86: that is structured as
	// German banks do it: 166?00CREDIT?20EREF+…
	subfieldCode = regexp.MustCompile(`\?[0-9]{2}`)
	// endToEndPart is the end-to-end reference, within such subfields or between
	// strokes.
	endToEndPart = regexp.MustCompile(`(?:EREF\+|/EREF/)(.+?)(?:[A-Z]{4}\+|/|$)`)
)

// subfields finds the end-to-end reference in a :86:, and its text without the
// codes of subfields, which may stand in the middle of a number.
func subfields(text string) (endToEnd, plain string) {
	joined := strings.ReplaceAll(text, "\n", "")
	if len(joined) > 4 && isDigits(joined[:3]) && joined[3] == '?' {
		joined = subfieldCode.ReplaceAllString(joined[3:], "")
		plain = joined
	}
	if found := endToEndPart.FindStringSubmatch(joined); found != nil {
		endToEnd = strings.TrimSpace(found[1])
	}
	return endToEnd, plain
}

// flush hands the pending entry on.
func (a *accountMessages) flush() error {
	e, wrong := a.pending, a.wrong
	a.pending, a.wrong = nil, nil
	if e == nil {
		return nil
	}
	return a.emit(a.current, e, wrong)
}

// finish ends the current statement, if there is one.
func (a *accountMessages) finish() error {
	if a.current == nil {
		return nil
	}
	if err := a.flush(); err != nil {
		return err
	}
	s, begun := a.current, a.seen["begun"]
	a.current, a.seen = nil, nil
	if !begun {
		if err := a.begin(s); err != nil {
			return err
		}
	}
	return a.end(s)
}
