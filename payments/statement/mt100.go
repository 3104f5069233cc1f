package statement

import (
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// paymentsMax bounds the payments of one MT102: its date and its total stand
// behind them, so they are kept till then.
const paymentsMax = 50_000

// payment is one message of Kazakhstan's interbank system, MT100 or MT102, as
// it is read. KISC's own description is not public; the fields are those that
// banks are known to write.
type payment struct {
	*reader
	s       *Statement
	common  Detail // of a batch: what holds for all of it
	entries []*Entry
	current *Entry // of a batch, the one being read
	day     kz.Day
	total   *Amount
	undated error // why the message has no day and amount
	wrong   map[*Entry]error
}

// readPayment reads a message from its first field to its end.
func readPayment(f *fields, first field, to *reader) error {
	p := &payment{reader: to, s: &Statement{Format: MT100, LastPage: true}, wrong: make(map[*Entry]error), undated: fault.New(fault.StatementLineBad, ":32A:", "no date and amount")}
	if f.kind == "102" {
		p.s.Format = MT102
	}
	for v := first; v.tag != "-"; {
		if err := p.field(v); err != nil {
			return err
		}
		var err error
		if v, err = f.read(); err != nil {
			return fault.Wrap(err, fault.StatementMalformed, "", "the message has no end")
		}
	}
	return p.finish(first.offset)
}

func (p *payment) field(v field) error {
	d := &p.common
	if p.current != nil {
		d = &p.current.Details[0]
	}
	switch v.tag {
	case "20":
		p.s.ID = strings.TrimSpace(v.text)
		p.s.MessageID = p.s.ID
	case "21":
		if len(p.entries) == paymentsMax {
			return fault.New(fault.StatementMalformed, ":21:", "more than %d payments in a message", paymentsMax)
		}
		p.current = &Entry{
			Index: len(p.entries), Offset: v.offset, Status: "BOOK",
			Reference: p.s.ID + "-" + strings.TrimSpace(v.text), Details: []Detail{p.common.clone()},
		}
		p.entries = append(p.entries, p.current)
	case "32A": // the day and the amount; of a batch, its total
		p.undated = p.dated(strings.TrimSpace(v.text))
	case "32B":
		if p.current == nil {
			return fault.New(fault.StatementMalformed, ":32B:", "an amount before its payment at byte %d", v.offset)
		}
		a, err := currencyAmount(strings.TrimSpace(v.text))
		if err != nil {
			p.wrong[p.current] = lineBad(err, ":32B:")
			return nil
		}
		p.current.Amount = *a
	case "50":
		party(v.text, "/D/", &d.Debtor)
	case "59":
		party(v.text, "", &d.Creditor)
	case "52B":
		d.Debtor.Agent = strings.TrimSpace(v.text)
	case "57B":
		d.Creditor.Agent = strings.TrimSpace(v.text)
	case "70":
		keywords(v.text).fill(d, nil)
	}
	return nil
}

// dated reads 261105KZT40000,00.
func (p *payment) dated(text string) (err error) {
	p.total = nil
	if len(text) < len("261105KZT1") {
		return fault.New(fault.StatementLineBad, ":32A:", "no date and amount")
	}
	if p.day, err = shortDay(text[:6]); err != nil {
		return lineBad(err, ":32A:")
	}
	if p.total, err = currencyAmount(text[6:]); err != nil {
		return lineBad(err, ":32A:")
	}
	return nil
}

func (d Detail) clone() Detail {
	d.References = append([]Reference(nil), d.References...)
	d.Text = append([]string(nil), d.Text...)
	d.Debtor.IDs = append([]Reference(nil), d.Debtor.IDs...)
	d.Creditor.IDs = append([]Reference(nil), d.Creditor.IDs...)
	return d
}

// currencyAmount reads KZT40000,00.
func currencyAmount(text string) (*Amount, error) {
	if len(text) < 4 {
		return nil, errNoAmount
	}
	value, err := parseAmount([]byte(text[3:]), ',')
	return &Amount{value, text[:3]}, err
}

// party reads an account with /NAME/ and /IDN/ below it.
func party(text, prefix string, p *Party) {
	account, rest, _ := strings.Cut(text, "\n")
	p.Account = strings.TrimSpace(strings.TrimPrefix(account, prefix))
	words := keywords(rest)
	p.Name = words.line("NAME")
	if id := words.line("IDN"); id != "" {
		p.IDs = append(p.IDs[:0], Reference{idScheme, id})
	}
}

// finish hands the payments on. A message without its day and amount spoils all
// of them, and no others.
func (p *payment) finish(offset int64) error {
	if p.undated != nil {
		p.total = &Amount{}
	}
	if p.s.Format == MT100 {
		p.entries = []*Entry{{Offset: offset, Status: "BOOK", Reference: p.s.ID, Amount: *p.total, Details: []Detail{p.common}}}
	}
	p.s.Account, p.s.Currency = p.common.Creditor.Account, p.total.Currency
	if err := p.begin(p.s); err != nil {
		return err
	}
	for _, e := range p.entries {
		e.BookingDay, e.ValueDay = p.day, p.day
		e.Servicer = e.Reference
		wrong := p.wrong[e]
		switch {
		case p.undated != nil:
			wrong = p.undated
		case wrong != nil:
		case e.Amount.Currency == "":
			wrong = fault.New(fault.StatementLineBad, ":32B:", "no amount")
		case e.Details[0].Creditor.Account != p.s.Account:
			wrong = fault.New(fault.StatementLineBad, ":59:", "a payment to another account")
		}
		if err := p.emit(p.s, e, wrong); err != nil {
			return err
		}
	}
	if p.s.Format == MT102 {
		p.s.Credits = &Totals{len(p.entries), p.total.Value}
	}
	return p.end(p.s)
}

// idScheme is the kind of an IIN or BIN among a party's identifications.
const idScheme = "BIN"

// words are the /KEY/ values of a text, their lines joined by "\n".
type words map[string]string

// line is the value of a key in one line.
func (w words) line(key string) string { return strings.ReplaceAll(w[key], "\n", " ") }

// keywords reads lines of "/KEY/value". A key has two to eight capital letters
// and stands at the beginning of a line; a line without one continues the value
// before it. The first of two equal keys is kept.
func keywords(text string) words {
	w := make(words)
	key := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if k, value, ok := cutKeyword(line); ok {
			if _, twice := w[k]; twice {
				key = ""
				continue
			}
			key = k
			w[key] = value
			continue
		}
		if key != "" {
			w[key] += "\n" + line
		}
	}
	for k, v := range w {
		w[k] = strings.TrimSpace(v)
	}
	return w
}

func cutKeyword(line string) (key, value string, ok bool) {
	if !strings.HasPrefix(line, "/") {
		return "", "", false
	}
	key, value, ok = strings.Cut(line[1:], "/")
	if !ok || len(key) < 2 || len(key) > 8 {
		return "", "", false
	}
	for i := range len(key) {
		if key[i] < 'A' || key[i] > 'Z' {
			return "", "", false
		}
	}
	return key, value, true
}

// fill takes what a line of reconciliation needs. payer gets /NAME/ and /IDN/
// where no party of its own carries them.
func (w words) fill(d *Detail, payer *Party) {
	if v := w.line("KNP"); v != "" {
		d.PurposeCode = v
	}
	d.refer(budgetCodeType, w.line("BCLASS"))
	d.refer(identifierType, w.line("UIN"))
	d.refer(officeType, w.line("UGD"))
	if v := w.line("NUM"); v != "" {
		d.Instruction = v
	}
	if v := w["ASSIGN"]; v != "" {
		d.Text = strings.Split(v, "\n")
	}
	if payer == nil {
		return
	}
	payer.Name = w.line("NAME")
	if v := w.line("IDN"); v != "" {
		payer.IDs = append(payer.IDs, Reference{idScheme, v})
	}
}

// refer sets the reference of a kind: what a payment says of itself stands
// before what holds for its whole batch.
func (d *Detail) refer(kind, value string) {
	if value == "" {
		return
	}
	for i := range d.References {
		if d.References[i].Kind == kind {
			d.References[i].Value = value
			return
		}
	}
	d.References = append(d.References, Reference{kind, value})
}
