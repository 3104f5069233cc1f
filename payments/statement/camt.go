package statement

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// Namespace of the one version that is read.
const Namespace = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"

// Sink takes the lines of a statement as they are read. An error of its own
// ends the reading and is returned as it is.
type Sink struct {
	Line func(Line) error
	Bad  func(BadLine) error
}

// Parse reads a statement and hands its lines to the sink in their order. The
// caller calls Check on what it returns; before that, no line may be trusted.
func Parse(r io.Reader, sink Sink) (*Summary, error) {
	p := &parser{puller: newPuller(r), sink: sink, summary: &Summary{}, balances: make(map[string]bool)}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.summary, nil
}

type parser struct {
	*puller
	sink    Sink
	summary *Summary

	statements int
	entries    int
	balances   map[string]bool // types seen
}

func (p *parser) document() error {
	for {
		token, err := p.next()
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue // white space
		}
		if start.Name.Local != "Document" || start.Name.Space != Namespace {
			return fault.New(fault.StatementVersion, "", "not a Document of %s", Namespace)
		}
		if err := p.body(); err != nil {
			return err
		}
		return p.end()
	}
}

// end reads the file to its last byte: its digest is its name.
func (p *parser) end() error {
	for {
		token, err := p.tokens.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return p.malformed(err)
		}
		p.guard.tokenEnd = p.tokens.InputOffset()
		switch t := token.(type) {
		case xml.Comment, xml.ProcInst:
			continue
		case xml.CharData:
			if len(bytes.TrimSpace(t)) == 0 {
				continue
			}
		}
		return fault.New(fault.StatementMalformed, "", "something stands after the document at byte %d", p.tokens.InputOffset())
	}
}

func (p *parser) body() error {
	err := p.fields(map[string]func(xml.StartElement) error{
		"BkToCstmrStmt": func(xml.StartElement) error {
			return p.fields(map[string]func(xml.StartElement) error{
				"GrpHdr": func(xml.StartElement) error {
					return p.fields(map[string]func(xml.StartElement) error{
						"MsgId":    p.into(&p.summary.MessageID),
						"MsgPgntn": p.pagination,
					})
				},
				"Stmt": p.statement,
			})
		},
	})
	if err != nil {
		return err
	}
	if p.statements == 0 {
		return fault.New(fault.StatementMalformed, "/Stmt", "no statement")
	}
	return p.headComplete()
}

// headComplete refuses a statement that does not say which it is, of which
// account, or between which balances.
func (p *parser) headComplete() error {
	switch s := p.summary; {
	case s.StatementID == "" || s.Account == "":
		return fault.New(fault.StatementMalformed, "/Stmt", "the statement has no Id or no account")
	case !p.balances["CLBD"] || !p.balances["OPBD"] && !p.balances["PRCD"]:
		return fault.New(fault.StatementMalformed, "/Stmt/Bal", "no opening or no closing balance")
	}
	return nil
}

// pagination refuses all but the whole on one page: of a page alone neither
// balances nor duplicates can be judged.
func (p *parser) pagination(xml.StartElement) error {
	var number, last string
	err := p.fields(map[string]func(xml.StartElement) error{
		"PgNb": p.into(&number), "LastPgInd": p.into(&last),
	})
	if err != nil {
		return err
	}
	if number != "1" || last != "true" && last != "1" {
		return fault.New(fault.StatementPaged, "", "page %.5q, last %.5q", number, last)
	}
	return nil
}

func (p *parser) statement(xml.StartElement) error {
	if p.statements++; p.statements > 1 {
		return fault.New(fault.StatementPaged, "/Stmt", "more than one statement in a file")
	}
	s := p.summary
	return p.fields(map[string]func(xml.StartElement) error{
		"Id":        p.into(&s.StatementID),
		"StmtPgntn": p.pagination,
		"Acct": p.within(func(xml.StartElement) error {
			return p.fields(map[string]func(xml.StartElement) error{
				"IBAN": p.into(&s.Account),
				"Othr": p.within(p.into(&s.Account), "Id"),
			})
		}, "Id"),
		"Bal": p.balance,
		"TxsSummry": func(xml.StartElement) error {
			return p.fields(map[string]func(xml.StartElement) error{
				"TtlCdtNtries": p.totals(&s.Credits),
				"TtlDbtNtries": p.totals(&s.Debits),
			})
		},
		"Ntry": p.entry,
	})
}

// amount is an ActiveOrHistoricCurrencyAndAmount, not yet read.
type amount struct{ text, currency string }

func (p *parser) amount(target *amount) func(xml.StartElement) error {
	return func(start xml.StartElement) error {
		for _, a := range start.Attr {
			if a.Name.Space == "" && a.Name.Local == "Ccy" {
				target.currency = a.Value
			}
		}
		var err error
		target.text, err = p.text()
		return err
	}
}

// signed reads the amount with the sign of its CdtDbtInd.
func (a amount) signed(indicator string) (money.Tiyn, error) {
	if a.currency != money.Currency {
		return 0, fault.New(fault.StatementLineBad, "Amt", "the currency is not %s", money.Currency)
	}
	t, err := money.ParseISO20022(a.text)
	if err != nil {
		return 0, err
	}
	switch indicator {
	case "CRDT":
		return t, nil
	case "DBIT":
		return -t, nil // t is not negative, so -t fits
	}
	return 0, fault.New(fault.StatementLineBad, "CdtDbtInd", "neither CRDT nor DBIT")
}

// moment is a DateAndDateTime2Choice.
type moment struct{ date, dateTime string }

func (p *parser) moment(target *moment) func(xml.StartElement) error {
	return func(xml.StartElement) error {
		return p.fields(map[string]func(xml.StartElement) error{
			"Dt": p.into(&target.date), "DtTm": p.into(&target.dateTime),
		})
	}
}

// day is the business day of the moment. An ISO date may carry a time zone;
// no bank here writes one and it is refused.
func (m moment) day() (kz.Day, error) {
	if m.date != "" {
		return kz.ParseDay(m.date)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, m.dateTime); err == nil {
			if layout != time.RFC3339 { // local time: the date as it stands
				return kz.ParseDay(t.Format(time.DateOnly))
			}
			return kz.DayOf(t), nil
		}
	}
	return kz.Day{}, fault.New(fault.StatementLineBad, "", "no date")
}

// balanceTypes that are of interest; available and interim balances are not.
var balanceTypes = map[string]bool{"OPBD": true, "PRCD": true, "CLBD": true}

func (p *parser) balance(xml.StartElement) error {
	var kind, indicator string
	var a amount
	var m moment
	err := p.fields(map[string]func(xml.StartElement) error{
		"Tp":        p.within(p.into(&kind), "CdOrPrtry", "Cd"),
		"Amt":       p.amount(&a),
		"CdtDbtInd": p.into(&indicator),
		"Dt":        p.moment(&m),
	})
	if err != nil || !balanceTypes[kind] {
		return err
	}
	if p.balances[kind] {
		return fault.New(fault.StatementMalformed, "/Stmt/Bal", "the balance %s stands twice", kind)
	}
	p.balances[kind] = true
	b := &p.summary.Opening
	switch {
	case kind == "CLBD":
		b = &p.summary.Closing
	case kind == "PRCD" && p.balances["OPBD"]: // yesterday's closing serves only where today's opening is not stated
		return nil
	}
	if b.Amount, err = a.signed(indicator); err != nil {
		return fault.Wrap(err, fault.StatementMalformed, "/Stmt/Bal", "read the balance %s", kind)
	}
	if b.Day, err = m.day(); err != nil {
		return fault.Wrap(err, fault.StatementMalformed, "/Stmt/Bal", "read the day of the balance %s", kind)
	}
	return nil
}

func (p *parser) totals(target **Totals) func(xml.StartElement) error {
	return func(xml.StartElement) error {
		var count, sum string
		err := p.fields(map[string]func(xml.StartElement) error{
			"NbOfNtries": p.into(&count), "Sum": p.into(&sum),
		})
		if err != nil || count == "" || sum == "" { // both are optional
			return err
		}
		t := new(Totals)
		if t.Count, err = strconv.Atoi(count); err != nil {
			return fault.New(fault.StatementMalformed, "/Stmt/TxsSummry", "NbOfNtries is no number")
		}
		if t.Sum, err = money.ParseISO20022(sum); err != nil {
			return fault.Wrap(err, fault.StatementMalformed, "/Stmt/TxsSummry", "read Sum")
		}
		*target = t
		return nil
	}
}

// place of the current entry, or of one of its details.
func (p *parser) place(entry, detail int, offset int64) string {
	if detail < 0 {
		return fmt.Sprintf("/Stmt/Ntry/%d, byte %d", entry, offset)
	}
	return fmt.Sprintf("/Stmt/Ntry/%d/TxDtls/%d, byte %d", entry, detail, offset)
}
