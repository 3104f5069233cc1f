package sample

import (
	"fmt"
	"io"
	"strconv"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// TreasuryDay is a statement of the treasury's account, camt.053.001.08, with any
// number of entries. It is written while it is read, so that it may be longer
// than memory and disk.
type TreasuryDay struct {
	Account string
	Day     kz.Day
	ID      string // of the statement
	Opening money.Tiyn
	Entries int
	// First is the number of the first entry: days with other numbers have other
	// entries.
	First int
	// Line says what entry number i is of; nil makes something up. It gives the
	// same for the same number, and texts that need no escaping.
	Line func(i int) TreasuryLine
}

// TreasuryLine is what differs between entries.
type TreasuryLine struct {
	Amount                                     money.Tiyn
	Identifier, BudgetCode, PurposeCode, Payer string
	EndToEnd                                   string // empty is one of the entry's own
}

// lineOf makes up an entry of a broker's client.
func lineOf(i int) TreasuryLine {
	codes := [...]string{"106104", "106201", "105102"}
	return TreasuryLine{
		Amount:     money.Tiyn(100_000_000 + i*7919%899_999_999),
		Identifier: fmt.Sprintf("SW%015d", i), BudgetCode: codes[i%len(codes)], PurposeCode: "911", Payer: string(DeclarantBIN),
	}
}

// Reader gives the whole statement. It adds the entries up before the first
// byte.
func (d TreasuryDay) Reader() (io.Reader, error) {
	if d.Line == nil {
		d.Line = lineOf
	}
	var total money.Tiyn
	var err error
	for i := range d.Entries {
		if total, err = total.Add(d.Line(d.First + i).Amount); err != nil {
			return nil, fmt.Errorf("add the entries up: %w", err)
		}
	}
	closing, err := d.Opening.Add(total)
	if err != nil {
		return nil, fmt.Errorf("add the entries up: %w", err)
	}
	balance := func(kind string, amount money.Tiyn) string {
		return `<Bal><Tp><CdOrPrtry><Cd>` + kind + `</Cd></CdOrPrtry></Tp><Amt Ccy="KZT">` + amount.String() +
			`</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>` + d.Day.String() + `</Dt></Dt></Bal>` + "\n"
	}
	head := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>` +
		`<GrpHdr><MsgId>` + d.ID + `</MsgId><CreDtTm>` + d.Day.String() + `T20:00:00+05:00</CreDtTm></GrpHdr><Stmt><Id>` + d.ID + `</Id>` +
		`<Acct><Id><IBAN>` + d.Account + `</IBAN></Id><Ccy>KZT</Ccy></Acct>` + "\n" + balance("OPBD", d.Opening) + balance("CLBD", closing) +
		`<TxsSummry><TtlCdtNtries><NbOfNtries>` + strconv.Itoa(d.Entries) + `</NbOfNtries><Sum>` + total.String() + `</Sum></TtlCdtNtries></TxsSummry>` + "\n"
	return &treasuryReader{day: d, date: d.Day.String(), buffer: []byte(head)}, nil
}

// treasuryReader writes entries as they are asked for.
type treasuryReader struct {
	day    TreasuryDay
	date   string
	next   int // entry, from 0
	buffer []byte
	read   int // of the buffer
}

func (r *treasuryReader) Read(p []byte) (int, error) {
	if r.read == len(r.buffer) {
		if r.next > r.day.Entries {
			return 0, io.EOF
		}
		r.buffer, r.read = r.buffer[:0], 0
		for len(r.buffer) < len(p) && r.next <= r.day.Entries {
			if r.next == r.day.Entries {
				r.buffer = append(r.buffer, "</Stmt></BkToCstmrStmt></Document>\n"...)
			} else {
				r.entry(r.day.First + r.next)
			}
			r.next++
		}
	}
	n := copy(p, r.buffer[r.read:])
	r.read += n
	return n, nil
}

// entry writes one: 1 139 bytes if its texts are as long as those made up here.
func (r *treasuryReader) entry(i int) {
	l := r.day.Line(i)
	reference := fmt.Sprintf("BNK%09d", i)
	if l.EndToEnd == "" {
		l.EndToEnd = "E2E-" + reference
	}
	b := r.buffer
	for _, text := range [...]string{
		`<Ntry><NtryRef>`, reference, `</NtryRef><Amt Ccy="KZT">`, l.Amount.String(),
		`</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>`, r.date, `</Dt></BookgDt><ValDt><Dt>`, r.date,
		`</Dt></ValDt><AcctSvcrRef>`, reference, `</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd>`,
		`<NtryDtls><TxDtls><Refs><EndToEndId>`, l.EndToEnd, `</EndToEndId></Refs><Amt Ccy="KZT">`, l.Amount.String(), `</Amt><CdtDbtInd>CRDT</CdtDbtInd>`,
		`<RltdPties><Dbtr><Pty><Nm>ТОО Пример 001</Nm><Id><OrgId><Othr><Id>`, l.Payer, `</Id><SchmeNm><Prtry>BIN</Prtry></SchmeNm></Othr></OrgId></Id></Pty></Dbtr>`,
		`<DbtrAcct><Id><IBAN>KZ24601A871000000001</IBAN></Id></DbtrAcct></RltdPties><RltdAgts><DbtrAgt><FinInstnId><BICFI>HSBKKZKX</BICFI></FinInstnId></DbtrAgt></RltdAgts><Purp><Prtry>`, l.PurposeCode,
		`</Prtry></Purp><RmtInf><Ustrd>таможенная пошлина по декларации</Ustrd><Strd><RfrdDocInf><Tp><CdOrPrtry><Prtry>KBK</Prtry></CdOrPrtry></Tp><Nb>`, l.BudgetCode,
		`</Nb></RfrdDocInf><CdtrRefInf><Tp><CdOrPrtry><Prtry>UIN</Prtry></CdOrPrtry></Tp><Ref>`, l.Identifier,
		`</Ref></CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls></Ntry>` + "\n",
	} {
		b = append(b, text...)
	}
	r.buffer = b
}
