package statement

import (
	"encoding/xml"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// detailsMax bounds the transactions that one entry sums up; they are kept
// until its end.
const detailsMax = 10_000

// Types of references in structured remittance information: our own mapping.
const (
	identifierType = "UIN"
	budgetCodeType = "KBK"
	payerScheme    = "BIN"
)

// entry is one Ntry as it stands, nothing judged.
type entry struct {
	offset            int64
	reference         string // NtryRef
	servicerReference string // AcctSvcrRef
	amount            amount
	indicator         string
	status            string
	booking, value    moment
	details           []detail
}

// detail is one TxDtls.
type detail struct {
	reference  string // Refs/AcctSvcrRef
	endToEnd   string
	amount     amount
	indicator  string
	purpose    string
	payer      string
	text       []string
	references []reference
}

// reference is one typed number of structured remittance information.
type reference struct{ kind, value string }

func (p *parser) entry(xml.StartElement) error {
	// The schema puts all of these first, and the lines need them.
	if err := p.headComplete(); err != nil {
		return err
	}
	e := entry{offset: p.tokens.InputOffset()}
	p.until = e.offset + entryBytesMax
	defer func() { p.until = 0 }()
	err := p.fields(map[string]func(xml.StartElement) error{
		"NtryRef":     p.into(&e.reference),
		"AcctSvcrRef": p.into(&e.servicerReference),
		"Amt":         p.amount(&e.amount),
		"CdtDbtInd":   p.into(&e.indicator),
		"Sts":         p.within(p.into(&e.status), "Cd"),
		"BookgDt":     p.moment(&e.booking),
		"ValDt":       p.moment(&e.value),
		"NtryDtls": func(xml.StartElement) error {
			return p.fields(map[string]func(xml.StartElement) error{
				"TxDtls": func(xml.StartElement) error {
					if len(e.details) == detailsMax {
						return fault.New(fault.StatementMalformed, p.place(p.entries, detailsMax, e.offset), "more than %d transactions in an entry", detailsMax)
					}
					d, err := p.detail()
					e.details = append(e.details, d)
					return err
				},
			})
		},
	})
	if err != nil {
		return err
	}
	err = p.emit(e)
	p.entries++
	return err
}

func (p *parser) detail() (d detail, err error) {
	err = p.fields(map[string]func(xml.StartElement) error{
		"Refs": func(xml.StartElement) error {
			return p.fields(map[string]func(xml.StartElement) error{
				"AcctSvcrRef": p.into(&d.reference),
				"EndToEndId":  p.into(&d.endToEnd),
			})
		},
		"Amt":       p.amount(&d.amount),
		"CdtDbtInd": p.into(&d.indicator),
		"RltdPties": p.within(p.payer(&d.payer), "Dbtr", "Pty", "Id", "OrgId", "Othr"),
		"Purp":      p.within(p.into(&d.purpose), "Prtry"),
		"RmtInf": func(xml.StartElement) error {
			return p.fields(map[string]func(xml.StartElement) error{
				"Ustrd": func(xml.StartElement) error {
					s, err := p.text()
					d.text = append(d.text, s)
					return err
				},
				"Strd": func(xml.StartElement) error { return p.structured(&d.references) },
			})
		},
	})
	return d, err
}

// payer reads an identification of the debtor and keeps it if its scheme says
// that it is a BIN.
func (p *parser) payer(target *string) func(xml.StartElement) error {
	return func(xml.StartElement) error {
		var id, scheme string
		err := p.fields(map[string]func(xml.StartElement) error{
			"Id":      p.into(&id),
			"SchmeNm": p.within(p.into(&scheme), "Prtry"),
		})
		if scheme == payerScheme && *target == "" {
			*target = id
		}
		return err
	}
}

// structured reads the typed numbers of one Strd: the creditor's reference and
// the document referred to.
func (p *parser) structured(all *[]reference) error {
	typed := func(number string) func(xml.StartElement) error {
		return func(xml.StartElement) error {
			var r reference
			err := p.fields(map[string]func(xml.StartElement) error{
				"Tp":   p.within(p.into(&r.kind), "CdOrPrtry", "Prtry"),
				number: p.into(&r.value),
			})
			*all = append(*all, r)
			return err
		}
	}
	return p.fields(map[string]func(xml.StartElement) error{
		"CdtrRefInf": typed("Ref"),
		"RfrdDocInf": typed("Nb"),
	})
}

// emit turns an entry into its lines, or into one bad line: an entry whose
// parts disagree is not half true.
func (p *parser) emit(e entry) error {
	lines, err := p.lines(e)
	if err != nil {
		bad := BadLine{Position: p.position(), Place: p.place(p.entries, -1, e.offset), Code: fault.StatementLineBad}
		if f := fault.Of(err); f != nil {
			bad.Detail = strings.TrimSpace(f.At + " " + f.Detail)
		}
		if bad.Day, err = e.booking.day(); err != nil {
			bad.Day = p.summary.Closing.Day
		}
		p.summary.Bad++
		return p.sink.Bad(bad)
	}
	for _, l := range lines {
		l.Position = p.position()
		p.summary.Lines++
		if err := p.sink.Line(l); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) position() int { return p.summary.Lines + p.summary.Bad }

func (p *parser) lines(e entry) ([]Line, error) {
	total, err := e.amount.signed(e.indicator)
	if err != nil {
		return nil, err
	}
	day, err := e.booking.day()
	if err != nil {
		return nil, fault.Wrap(err, fault.StatementLineBad, "BookgDt", "the booking date is missing or no date")
	}
	var valueDay kz.Day
	if e.value != (moment{}) {
		if valueDay, err = e.value.day(); err != nil {
			return nil, fault.Wrap(err, fault.StatementLineBad, "ValDt", "the value date is no date")
		}
	}
	common := Line{Statement: p.summary.StatementID, Booked: e.status == "BOOK", BookingDay: day, ValueDay: valueDay}
	details := e.details
	if len(details) == 0 {
		details = make([]detail, 1)
	}
	lines := make([]Line, len(details))
	for i, d := range details {
		lines[i] = common
		lines[i].Place = p.place(p.entries, -1, e.offset)
		if len(e.details) > 0 {
			lines[i].Place = p.place(p.entries, i, e.offset)
		}
		if err := d.fill(&lines[i], e, total, len(details)); err != nil {
			return nil, err
		}
	}
	return lines, p.count(lines, total, common.Booked)
}

// fill takes from a detail what a line needs. total is the entry's amount, of
// which this detail is one of the given number.
func (d detail) fill(l *Line, e entry, total money.Tiyn, of int) (err error) {
	l.Reference = d.reference
	if l.Reference == "" && of == 1 { // an entry's reference names it as a whole
		l.Reference = e.servicerReference
		if l.Reference == "" {
			l.Reference = e.reference
		}
	}
	l.Amount = total
	if d.amount != (amount{}) {
		indicator := d.indicator
		if indicator == "" {
			indicator = e.indicator
		}
		if l.Amount, err = d.amount.signed(indicator); err != nil {
			return err
		}
	} else if of > 1 {
		return fault.New(fault.StatementLineBad, "TxDtls", "one of several transactions has no amount")
	}
	if l.Identifier, err = only(d.references, identifierType); err != nil {
		return err
	}
	if l.BudgetCode, err = only(d.references, budgetCodeType); err != nil {
		return err
	}
	l.PurposeCode, l.Payer, l.EndToEnd = d.purpose, d.payer, d.endToEnd
	l.Purpose = strings.Join(d.text, " ")
	return nil
}

// only returns the value of the references of one kind; two that differ say
// nothing.
func only(all []reference, kind string) (string, error) {
	value := ""
	for _, r := range all {
		if r.kind != kind {
			continue
		}
		if value != "" && r.value != value {
			return "", fault.New(fault.StatementLineBad, "RmtInf", "two different references of type %s", kind)
		}
		value = r.value
	}
	return value, nil
}

// count checks that the details make up the entry, and adds a booked entry to
// what was read.
func (p *parser) count(lines []Line, total money.Tiyn, booked bool) error {
	var sum money.Tiyn
	var err error
	for _, l := range lines {
		if sum, err = sum.Add(l.Amount); err != nil {
			return err
		}
	}
	if sum != total {
		return fault.New(fault.StatementLineBad, "TxDtls", "the transactions make %s, the entry %s", sum, total)
	}
	if !booked {
		return nil
	}
	side, magnitude := &p.summary.ReadCredits, total
	if total < 0 {
		side, magnitude = &p.summary.ReadDebits, -total
	}
	next, err := side.Sum.Add(magnitude)
	if err != nil {
		return err
	}
	side.Sum = next
	side.Count++
	return nil
}
