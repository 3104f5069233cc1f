package statement_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

const namespace = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"

const corpus = "../../../shared/data/payments"

// head and foot of a statement over 1000.00 opening; the caller says the
// closing balance.
func head(closing string) string {
	balance := func(kind, amount string) string {
		return `<Bal><Tp><CdOrPrtry><Cd>` + kind + `</Cd></CdOrPrtry></Tp><Amt Ccy="KZT">` + amount +
			`</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>`
	}
	return `<?xml version="1.0" encoding="UTF-8"?><Document xmlns="` + namespace + `"><BkToCstmrStmt>` +
		`<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-20T20:00:00+05:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id>` +
		`<Acct><Id><IBAN>` + order.TreasuryIIK + `</IBAN></Id></Acct>` + balance("OPBD", "1000.00") + balance("CLBD", closing)
}

const foot = `</Stmt></BkToCstmrStmt></Document>`

func entry(reference, amount, indicator, rest string) string {
	return `<Ntry><Amt Ccy="KZT">` + amount + `</Amt><CdtDbtInd>` + indicator + `</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>` +
		`<BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>` + reference + `</AcctSvcrRef>` + rest + `</Ntry>`
}

func details(all ...string) string {
	return `<NtryDtls><TxDtls>` + strings.Join(all, `</TxDtls><TxDtls>`) + `</TxDtls></NtryDtls>`
}

func typed(element, kind, number, value string) string {
	return `<` + element + `><Tp><CdOrPrtry><Prtry>` + kind + `</Prtry></CdOrPrtry></Tp><` + number + `>` + value + `</` + number + `></` + element + `>`
}

func uin(v string) string { return typed("CdtrRefInf", "UIN", "Ref", v) }
func kbk(v string) string { return typed("RfrdDocInf", "KBK", "Nb", v) }

func remittance(inner string) string { return `<RmtInf><Strd>` + inner + `</Strd></RmtInf>` }

// parse collects what a file holds: the lines of its entries, what was bad, and
// the last statement.
func parse(r io.Reader) (lines []statement.Line, bad []statement.BadEntry, last statement.Statement, err error) {
	return parseWith(r, statement.Options{})
}

func parseWith(r io.Reader, o statement.Options) (lines []statement.Line, bad []statement.BadEntry, last statement.Statement, err error) {
	err = statement.Parse(r, o, statement.Sink{
		Entry: func(s *statement.Statement, e *statement.Entry) error {
			some, err := statement.Lines(s, e)
			if err != nil {
				bad = append(bad, statement.BadEntry{Index: e.Index, Day: e.BookingDay, Code: fault.CodeOf(err), Detail: err.Error()})
				s.Bad++
			}
			lines = append(lines, some...)
			return nil
		},
		Bad: func(_ *statement.Statement, b statement.BadEntry) error { bad = append(bad, b); return nil },
		End: func(s *statement.Statement) error { last = *s; return nil },
	})
	return lines, bad, last, err
}

func TestParse(t *testing.T) {
	text := head("1115.50") +
		entry("R1", "100.50", "CRDT", details(`<Refs><EndToEndId>E1</EndToEndId></Refs><Amt Ccy="KZT">100.50</Amt>`+
			`<RltdPties><Dbtr><Pty><Id><OrgId><Othr><Id>77</Id><SchmeNm><Prtry>TAX</Prtry></SchmeNm></Othr>`+
			`<Othr><Id>190640017419</Id><SchmeNm><Prtry>BIN</Prtry></SchmeNm></Othr></OrgId></Id></Pty></Dbtr></RltdPties>`+
			`<Purp><Prtry>911</Prtry></Purp><RmtInf><Ustrd>ДТ 1</Ustrd><Ustrd>сбор</Ustrd><Strd>`+kbk("106201")+uin("26112000000000186")+`</Strd></RmtInf>`)) +
		entry("R2", "20", "CRDT", details(`<Amt Ccy="KZT">15.00</Amt>`+remittance(uin("A")), `<Refs><AcctSvcrRef>R2-B</AcctSvcrRef></Refs><Amt Ccy="KZT">5.00</Amt>`+remittance(uin("B")))) +
		entry("R3", "5", "DBIT", "") +
		strings.Replace(entry("R4", "9", "CRDT", ""), "BOOK", "PDNG", 1) +
		foot
	lines, bad, s, err := parse(strings.NewReader(text))
	if err != nil || len(bad) != 0 {
		t.Fatal(err, bad)
	}
	type short struct {
		Reference, Amount, Identifier, Budget, Purpose, Payer, EndToEnd, Text string
		Booked                                                                bool
	}
	var got []short
	for i, l := range lines {
		got = append(got, short{l.Reference, l.Amount.String(), l.Identifier, l.BudgetCode, l.PurposeCode, l.Payer, l.EndToEnd, l.Purpose, l.Booked})
		if l.BookingDay.String() != "2026-11-20" || l.Statement != "S1" {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	want := []short{
		{"R1", "100.50", "26112000000000186", "106201", "911", "190640017419", "E1", "ДТ 1 сбор", true},
		{"", "15.00", "A", "", "", "", "", "", true},
		{"R2-B", "5.00", "B", "", "", "", "", "", true},
		{"R3", "-5.00", "", "", "", "", "", "", true},
		{"R4", "9.00", "", "", "", "", "", "", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := s.Check(order.TreasuryIIK); err != nil {
		t.Error(err)
	}
	if err := s.Check("KZ32722S000000000042"); !fault.Is(err, fault.StatementAccount) {
		t.Errorf("another account: %v", err)
	}
	if s.MessageID != "M1" || s.ReadCredits.Count != 2 || s.ReadCredits.Sum.String() != "120.50" || s.ReadDebits.Count != 1 || s.ReadDebits.Sum.String() != "5" {
		t.Errorf("%+v", s)
	}
}

// A bad line is reported with its place and reason; its neighbours are read.
func TestBadLines(t *testing.T) {
	good := entry("R", "1.00", "CRDT", "")
	tests := map[string]string{
		"currency":                strings.Replace(good, "KZT", "USD", 1),
		"amount":                  strings.Replace(good, "1.00", "1,00", 1),
		"finer than a tiyn":       strings.Replace(good, "1.00", "1.001", 1),
		"negative":                strings.Replace(good, "1.00", "-1.00", 1),
		"no indicator":            strings.Replace(good, "<CdtDbtInd>CRDT</CdtDbtInd>", "", 1),
		"indicator":               strings.Replace(good, "CRDT", "BOTH", 1),
		"no date":                 strings.Replace(good, "<BookgDt><Dt>2026-11-20</Dt></BookgDt>", "", 1),
		"date":                    strings.Replace(good, "2026-11-20", "2026-11-31", 1),
		"value date":              entry("R", "1.00", "CRDT", "<ValDt><Dt>soon</Dt></ValDt>"),
		"details make another":    entry("R", "1.00", "CRDT", details(`<Amt Ccy="KZT">0.50</Amt>`, `<Amt Ccy="KZT">0.51</Amt>`)),
		"a detail with no amount": entry("R", "1.00", "CRDT", details(`<Amt Ccy="KZT">1.00</Amt>`, ``)),
		"two identifiers":         entry("R", "1.00", "CRDT", details(remittance(uin("A"))+remittance(uin("B")))),
		"two budget codes":        entry("R", "1.00", "CRDT", details(remittance(kbk("106201")+kbk("106104")))),
		"details' currency":       entry("R", "1.00", "CRDT", details(`<Amt Ccy="EUR">0.50</Amt>`, `<Amt Ccy="KZT">0.50</Amt>`)),
	}
	for name, broken := range tests {
		lines, bad, s, err := parse(strings.NewReader(head("1002.00") + good + broken + good + foot))
		if err != nil || len(lines) != 2 || len(bad) != 1 {
			t.Errorf("%s: %d lines, %v, %v", name, len(lines), bad, err)
			continue
		}
		if b := bad[0]; b.Index != 1 || b.Code != fault.StatementLineBad || b.Detail == "" {
			t.Errorf("%s: %+v", name, b)
		}
		if s.Bad != 1 || s.Check(order.TreasuryIIK) != nil {
			t.Errorf("%s: the balances cannot be checked, and that is no refusal", name)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	good := head("1001.00") + entry("R", "1.00", "CRDT", "") + foot
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	summary := func(credits string) string {
		return replace("<Ntry>", "<TxsSummry><TtlCdtNtries>"+credits+"</TtlCdtNtries></TxsSummry><Ntry>")
	}
	tests := []struct {
		name, text string
		code       fault.Code
	}{
		{"whole", good, ""},
		{"stated totals", summary("<NbOfNtries>1</NbOfNtries><Sum>1.00</Sum>"), ""},
		{"previous closing for opening", replace("OPBD", "PRCD"), ""},
		{"empty", "", fault.StatementMalformed},
		{"white space", " \n ", fault.StatementMalformed},
		{"no statement of any kind", "%PDF-1.7", fault.StatementMalformed},
		{"truncated", good[:len(good)-40], fault.StatementMalformed},
		{"an older version", replace("053.001.08", "053.001.02"), ""},
		{"another version", replace("053.001.08", "053.001.99"), fault.StatementVersion},
		{"another message", replace("053.001.08", "054.001.08"), fault.StatementMalformed},
		{"no statement at all", replace("053.001.08", "029.001.08"), fault.StatementVersion},
		{"another root", `<Documents xmlns="` + namespace + `"/>`, fault.StatementVersion},
		{"windows-1251", replace("UTF-8", "windows-1251"), ""},
		{"encoding", replace("UTF-8", "x-unknown"), fault.StatementMalformed},
		{"DTD", replace("<Document ", `<!DOCTYPE Document [<!ENTITY a "b">]><Document `), fault.StatementMalformed},
		{"entity", replace("<Id>S1</Id>", "<Id>&a;</Id>"), fault.StatementMalformed},
		{"no statement", `<Document xmlns="` + namespace + `"><BkToCstmrStmt/></Document>`, fault.StatementMalformed},
		{"no Id", replace("<Id>S1</Id>", ""), fault.StatementMalformed},
		{"no account", replace(order.TreasuryIIK, ""), fault.StatementAccount},
		{"no opening balance", replace("OPBD", "OPAV"), fault.StatementMalformed},
		{"closing balance twice", replace("OPBD", "CLBD"), fault.StatementMalformed},
		{"balances in two currencies", replace("KZT", "USD"), fault.StatementBalance},
		{"page 2", replace("<Acct>", "<StmtPgntn><PgNb>2</PgNb><LastPgInd>true</LastPgInd></StmtPgntn><Acct>"), ""},
		{"not the last page", replace("<CreDtTm>", "<MsgPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></MsgPgntn><CreDtTm>"), ""},
		{"one page", replace("<Acct>", "<StmtPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></StmtPgntn><Acct>"), ""},
		{"a second document", good + "<x/>", fault.StatementMalformed},
		{"text after the document", good + "x", fault.StatementMalformed},
		{"element in a text", replace("<Id>S1</Id>", "<Id><a/></Id>"), fault.StatementMalformed},
		{"deep", replace("<Ntry>", strings.Repeat("<a>", 80)), fault.StatementMalformed},
		{"long text", replace("<Id>S1</Id>", "<Id>"+strings.Repeat("x", 3000)+"</Id>"), fault.StatementMalformed},
		{"balances do not add up", replace("1001.00", "1001.01"), fault.StatementBalance},
		{"totals: count", summary("<NbOfNtries>2</NbOfNtries><Sum>1.00</Sum>"), fault.StatementTotals},
		{"totals: sum", summary("<NbOfNtries>1</NbOfNtries><Sum>1.01</Sum>"), fault.StatementTotals},
		{"totals: no number", summary("<NbOfNtries>one</NbOfNtries><Sum>1.01</Sum>"), fault.StatementMalformed},
	}
	for _, tt := range tests {
		_, _, s, err := parse(strings.NewReader(tt.text))
		if err == nil {
			err = s.Check(order.TreasuryIIK)
		}
		if fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
	}
}

// endless is a text or a tag that never ends.
type endless struct {
	head string
	fill byte
	read int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read < int64(len(e.head)) {
		n := copy(p, e.head[e.read:])
		e.read += int64(n)
		return n, nil
	}
	for i := range p {
		p[i] = e.fill
	}
	e.read += int64(len(p))
	return len(p), nil
}

// One token must not fill the memory, whatever its kind.
func TestEndlessTokens(t *testing.T) {
	for name, h := range map[string]string{
		"text": head("1") + "<Ntry>", "tag": head("1") + "<", "attribute": head("1") + `<a b="`, "comment": head("1") + "<!--",
		"CDATA": head("1") + "<Ntry><![CDATA[", "instruction": "<?xml ", "directive": "<!DOCTYPE a [", "blank": " ",
	} {
		fill := byte('x')
		if name == "blank" {
			fill = ' '
		}
		e := &endless{head: h, fill: fill}
		_, _, _, err := parse(e)
		if !fault.Is(err, fault.StatementMalformed) || e.read > 1<<20 {
			t.Errorf("%s: %v after %d bytes", name, err, e.read)
		}
	}
}

// Nor must one entry, whose parts are kept until its end.
func TestEndlessEntry(t *testing.T) {
	r := io.MultiReader(strings.NewReader(head("1")+"<Ntry><NtryDtls><TxDtls><RmtInf>"), &repeated{text: "<Ustrd>x</Ustrd>"})
	if _, _, _, err := parse(r); !fault.Is(err, fault.StatementMalformed) {
		t.Error(err)
	}
}

// repeated is a text over and over.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func TestReaderAndSinkErrorsPass(t *testing.T) {
	broken := errors.New("disk gone")
	_, _, _, err := parse(io.MultiReader(strings.NewReader(head("1")), &failing{broken}))
	if fault.CodeOf(err) != fault.Unreadable || !errors.Is(err, broken) {
		t.Errorf("reader: %v", err)
	}
	err = statement.Parse(strings.NewReader(head("1001.00")+entry("R", "1.00", "CRDT", "")+foot), statement.Options{}, statement.Sink{
		Entry: func(*statement.Statement, *statement.Entry) error { return broken },
	})
	if !errors.Is(err, broken) {
		t.Errorf("sink: %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// The treasury day of the shared samples parses to its four entries.
func TestTreasurySample(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(corpus, "kz", "camt053_treasury_day.xml"))
	if err != nil {
		t.Skipf("the shared samples are absent: %v", err)
	}
	lines, bad, s, err := parse(bytes.NewReader(raw))
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprint(l.Reference, " ", l.Amount, " ", l.Identifier, " ", l.BudgetCode, " ", l.PurposeCode, " ", l.Payer, " ", l.ValueDay))
	}
	want := []string{
		"BNK00001 1245600.37 SW00000000000017 106104 911 990140001233 2026-11-05",
		"BNK00002 20000.00 SW00000000000025 106201 911 990140001233 2026-11-05",
		"BNK00003 19999.99 SW00000000000033 106201 911 050540007777 2026-11-05",
		"BNK00004 150000.00 NOREF 105102 911 990140001233 2026-11-05",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := s.Check(order.TreasuryIIK); err != nil {
		t.Error(err)
	}
	opening, _ := s.Opening()
	closing, _ := s.Closing()
	if opening.Amount.Value.String() != "100000000.00" || closing.Amount.Value.String() != "101435600.36" {
		t.Errorf("%+v", s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head("1001.00") + entry("R", "1.00", "CRDT", details(remittance(uin("A")+kbk("1")))) + foot))
	f.Add([]byte(head("1000.00") + foot))
	f.Add([]byte("<!DOCTYPE a>"))
	f.Add([]byte(":20:A\n:25:KZ\n:28C:1/1\n:60F:C261104KZT1,00\n:61:2611051105C1,00NTRFX//Y\n:86:/KNP/911\n:62F:C261105KZT2,00\n-"))
	f.Add([]byte("{1:F01K}{2:I100S}\n{4:\n:20:A\n:32A:261105KZT1,00\n:50:/D/KZ\n/NAME/x\n:59:KZ\n:70:/KNP/911\n-}"))
	f.Add([]byte(`[{"dateOfBudgetEnrollment":"05.11.2026","paymentAmount":"-1.00"}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, bad := 0, 0
		err := statement.Parse(bytes.NewReader(raw), statement.Options{}, statement.Sink{
			Entry: func(_ *statement.Statement, e *statement.Entry) error { entries++; return nil },
			Bad:   func(*statement.Statement, statement.BadEntry) error { bad++; return nil },
			End: func(s *statement.Statement) error {
				if s.Entries != entries+bad || s.Bad != bad {
					t.Errorf("%d and %d entries, the statement says %d and %d", entries, bad, s.Entries, s.Bad)
				}
				entries, bad = 0, 0
				return nil
			},
		})
		if err != nil && fault.Of(err) == nil {
			t.Errorf("an error without a code: %v", err)
		}
	})
}
