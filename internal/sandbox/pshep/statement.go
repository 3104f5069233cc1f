package pshep

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"text/template"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// statementTemplate is camt.053.001.08 in the order of its schema. Everything
// is put in through esc.
var statementTemplate = template.Must(template.New("camt.053").Funcs(template.FuncMap{"esc": escape}).Parse(
	`<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>SANDBOX-{{.Day}}</MsgId><CreDtTm>{{.Day}}T20:00:00+05:00</CreDtTm></GrpHdr>
<Stmt><Id>ST-{{.Day}}</Id><CreDtTm>{{.Day}}T20:00:00+05:00</CreDtTm>
<Acct><Id><IBAN>{{esc .Account}}</IBAN></Id><Ccy>KZT</Ccy><Svcr><FinInstnId><BICFI>{{esc .BIC}}</BICFI></FinInstnId></Svcr></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="KZT">{{.Opening}}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{{.Day}}</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="KZT">{{.Closing}}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{{.Day}}</Dt></Dt></Bal>
<TxsSummry><TtlCdtNtries><NbOfNtries>{{.CreditCount}}</NbOfNtries><Sum>{{.Credits}}</Sum></TtlCdtNtries>{{if .DebitCount}}<TtlDbtNtries><NbOfNtries>{{.DebitCount}}</NbOfNtries><Sum>{{.Debits}}</Sum></TtlDbtNtries>{{end}}</TxsSummry>
{{range .Entries}}<Ntry><NtryRef>{{esc .Reference}}</NtryRef><Amt Ccy="KZT">{{.Amount}}</Amt><CdtDbtInd>{{.Direction}}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{{$.Day}}</Dt></BookgDt><ValDt><Dt>{{$.Day}}</Dt></ValDt><AcctSvcrRef>{{esc .Reference}}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{{.Family}}</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>{{esc .EndToEnd}}</EndToEndId></Refs><Amt Ccy="KZT">{{.Amount}}</Amt><CdtDbtInd>{{.Direction}}</CdtDbtInd><RltdPties><Dbtr><Pty><Id><OrgId><Othr><Id>{{esc .Payer}}</Id><SchmeNm><Prtry>BIN</Prtry></SchmeNm></Othr></OrgId></Id></Pty></Dbtr></RltdPties><RltdAgts><DbtrAgt><FinInstnId><BICFI>{{esc .Bank}}</BICFI></FinInstnId></DbtrAgt></RltdAgts><Purp><Prtry>{{esc .PurposeCode}}</Prtry></Purp><RmtInf><Ustrd>{{esc .Text}}</Ustrd><Strd><RfrdDocInf><Tp><CdOrPrtry><Prtry>KBK</Prtry></CdOrPrtry></Tp><Nb>{{esc .BudgetCode}}</Nb></RfrdDocInf>{{if .Identifier}}<CdtrRefInf><Tp><CdOrPrtry><Prtry>UIN</Prtry></CdOrPrtry></Tp><Ref>{{esc .Identifier}}</Ref></CdtrRefInf>{{end}}</Strd></RmtInf></TxDtls></NtryDtls></Ntry>
{{end}}</Stmt></BkToCstmrStmt></Document>
`))

// daySheet is what the treasury's statement of a day says.
type daySheet struct {
	Day                               kz.Day
	Account, BIC                      string
	Opening, Closing, Credits, Debits money.Tiyn
	CreditCount, DebitCount           int
	Entries                           []sheetEntry
}

// sheetEntry is one line of a bill, which the bank sends on its own.
type sheetEntry struct {
	Reference, EndToEnd, Payer, Bank, PurposeCode, BudgetCode, Identifier, Text string
	Amount                                                                      money.Tiyn
	Debit                                                                       bool
}

// Direction is the entry's CdtDbtInd.
func (e sheetEntry) Direction() string {
	if e.Debit {
		return "DBIT"
	}
	return "CRDT"
}

// Family is the entry's family of the bank transaction code: received or
// issued credit transfers.
func (e sheetEntry) Family() string {
	if e.Debit {
		return "ICDT"
	}
	return "RCDT"
}

// Statement writes the treasury's statement of a day. It says nothing of the
// hour it was written at, so that the same payments make the same file.
func (g *Gateway) Statement(day kz.Day) ([]byte, error) {
	g.mu.Lock()
	sheet, err := g.sheet(day)
	g.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := statementTemplate.Execute(&b, sheet); err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	return b.Bytes(), nil
}

// sheet gathers the day; the caller holds the lock.
func (g *Gateway) sheet(day kz.Day) (s daySheet, err error) {
	s = daySheet{Day: day, Account: g.config.Account, BIC: order.TreasuryBIC}
	filled := map[string][]money.Tiyn{} // what the payments so far have put on the lines of each bill
	for _, p := range g.register.Payments {
		paid := kz.DayOf(p.Fact.PaidAt)
		entries := g.entries(p, filled)
		if day.Before(paid) {
			continue
		}
		for _, e := range entries {
			if err := s.take(e, paid == day); err != nil {
				return s, err
			}
		}
	}
	total, err := s.Opening.Add(s.Credits)
	if err != nil {
		return s, err
	}
	s.Closing, err = total.Add(-s.Debits)
	return s, err
}

// take puts an entry into the day, or into what stood there before it.
func (s *daySheet) take(e sheetEntry, today bool) (err error) {
	switch {
	case !today && e.Debit:
		s.Opening, err = s.Opening.Add(-e.Amount)
	case !today:
		s.Opening, err = s.Opening.Add(e.Amount)
	case e.Debit:
		s.DebitCount++
		s.Debits, err = s.Debits.Add(e.Amount)
	default:
		s.CreditCount++
		s.Credits, err = s.Credits.Add(e.Amount)
	}
	if today {
		s.Entries = append(s.Entries, e)
	}
	return err
}

// entries are the transfers that a fact means: money in for each line that it
// fills, in their order, and what is too much on its own, without an
// identifier; money out as it was ordered. Other facts move nothing.
func (g *Gateway) entries(p *payment, filled map[string][]money.Tiyn) []sheetEntry {
	f, id := p.Fact, p.Fact.Order.String()
	b := g.register.Bills[id]
	e := sheetEntry{Payer: string(f.Payer), Bank: f.BankBIC, PurposeCode: "911", Amount: f.Amount}
	switch {
	case b == nil:
		return nil
	case f.Kind == gateway.Reversed || f.Kind == gateway.Refunded:
		if f.Kind == gateway.Reversed {
			drain(filled[id], f.Amount)
		}
		e.Reference, e.EndToEnd, e.Debit = f.Reference, f.Original, true
		e.PurposeCode, e.BudgetCode = string(b.Bill.Lines[0].PurposeCode), string(b.Bill.Lines[0].BudgetCode)
		e.Text = "Возврат " + f.Original
		return []sheetEntry{e}
	case f.Kind != gateway.Captured:
		return nil
	}
	if filled[id] == nil {
		filled[id] = make([]money.Tiyn, len(b.Bill.Lines))
		fill(filled[id], b.Bill.Lines, b.Elsewhere)
	}
	var all []sheetEntry
	left := f.Amount
	parts := fill(filled[id], b.Bill.Lines, left)
	for i, l := range b.Bill.Lines {
		part := parts[i]
		if part == 0 {
			continue
		}
		left -= part
		e.Reference = fmt.Sprintf("%s-%d", f.Reference, i+1)
		e.EndToEnd, e.Amount, e.PurposeCode, e.BudgetCode = e.Reference, part, string(l.PurposeCode), string(l.BudgetCode)
		e.Identifier, e.Text = string(l.Identifier), l.Kind.Name()
		all = append(all, e)
	}
	if left > 0 {
		e.Reference = f.Reference + "-0"
		e.EndToEnd, e.Amount, e.Identifier, e.Text = e.Reference, left, "", "Аванс (9070) по счёту "+b.Reference
		all = append(all, e)
	}
	return all
}

// fill puts an amount on the lines of a bill, in their order, and returns what
// each got.
func fill(filled []money.Tiyn, lines []order.Line, amount money.Tiyn) []money.Tiyn {
	parts := make([]money.Tiyn, len(lines))
	for i, l := range lines {
		parts[i] = max(0, min(amount, l.Amount-filled[i]))
		filled[i] += parts[i]
		amount -= parts[i]
	}
	return parts
}

// drain takes a reversed payment off the lines, the last first, so that the
// next payment fills them again.
func drain(filled []money.Tiyn, amount money.Tiyn) {
	for i := len(filled) - 1; i >= 0; i-- {
		part := min(amount, filled[i])
		filled[i] -= part
		amount -= part
	}
}

func escape(s string) (string, error) {
	var b bytes.Buffer
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

func (g *Gateway) serveStatement(w http.ResponseWriter, r *http.Request) {
	name, isXML := strings.CutSuffix(r.PathValue("file"), ".xml")
	day, err := kz.ParseDay(name)
	if err != nil || !isXML {
		http.Error(w, string(fault.BadArgument)+": want YYYY-MM-DD.xml", http.StatusNotFound)
		return
	}
	file, err := g.Statement(day)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(file) // whoever left gets no answer
}
