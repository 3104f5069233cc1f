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
<TxsSummry><TtlCdtNtries><NbOfNtries>{{len .Entries}}</NbOfNtries><Sum>{{.Credits}}</Sum></TtlCdtNtries></TxsSummry>
{{range .Entries}}<Ntry><NtryRef>{{esc .Reference}}</NtryRef><Amt Ccy="KZT">{{.Amount}}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{{$.Day}}</Dt></BookgDt><ValDt><Dt>{{$.Day}}</Dt></ValDt><AcctSvcrRef>{{esc .Reference}}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>{{esc .EndToEnd}}</EndToEndId></Refs><Amt Ccy="KZT">{{.Amount}}</Amt><CdtDbtInd>CRDT</CdtDbtInd><RltdPties><Dbtr><Pty><Id><OrgId><Othr><Id>{{esc .Payer}}</Id><SchmeNm><Prtry>BIN</Prtry></SchmeNm></Othr></OrgId></Id></Pty></Dbtr></RltdPties><RltdAgts><DbtrAgt><FinInstnId><BICFI>{{esc .Bank}}</BICFI></FinInstnId></DbtrAgt></RltdAgts><Purp><Prtry>{{esc .PurposeCode}}</Prtry></Purp><RmtInf><Ustrd>{{esc .Text}}</Ustrd><Strd><RfrdDocInf><Tp><CdOrPrtry><Prtry>KBK</Prtry></CdOrPrtry></Tp><Nb>{{esc .BudgetCode}}</Nb></RfrdDocInf><CdtrRefInf><Tp><CdOrPrtry><Prtry>UIN</Prtry></CdOrPrtry></Tp><Ref>{{esc .Identifier}}</Ref></CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls></Ntry>
{{end}}</Stmt></BkToCstmrStmt></Document>
`))

// daySheet is what the treasury's statement of a day says.
type daySheet struct {
	Day                       kz.Day
	Account, BIC              string
	Opening, Closing, Credits money.Tiyn
	Entries                   []sheetEntry
}

// sheetEntry is one line of a bill, which the bank sends on its own.
type sheetEntry struct {
	Reference, EndToEnd, Payer, Bank, PurposeCode, BudgetCode, Identifier, Text string
	Amount                                                                      money.Tiyn
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
	for _, p := range g.register.Payments {
		paid := kz.DayOf(p.Fact.PaidAt)
		switch {
		case paid.Before(day):
			if s.Opening, err = s.Opening.Add(p.Fact.Amount); err != nil {
				return s, err
			}
		case paid == day:
			if s.Credits, err = s.Credits.Add(p.Fact.Amount); err != nil {
				return s, err
			}
			s.Entries = append(s.Entries, g.entries(p)...)
		}
	}
	s.Closing, err = s.Opening.Add(s.Credits)
	return s, err
}

func (g *Gateway) entries(p *payment) []sheetEntry {
	var all []sheetEntry
	for i, l := range g.register.Bills[p.Fact.Order.String()].Bill.Lines {
		reference := fmt.Sprintf("%s-%d", p.Fact.Reference, i+1)
		all = append(all, sheetEntry{
			Reference: reference, EndToEnd: reference, Payer: string(p.Fact.Payer), Bank: p.Fact.BankBIC,
			PurposeCode: string(l.PurposeCode), BudgetCode: string(l.BudgetCode), Identifier: string(l.Identifier),
			Text: l.Kind.Name(), Amount: l.Amount,
		})
	}
	return all
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
