package statement_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

var now = time.Date(2026, time.November, 20, 15, 0, 0, 0, time.UTC)

func read(t *testing.T, pool *pgxpool.Pool, name, text string) (*statement.Import, error) {
	t.Helper()
	return statement.Read(t.Context(), pool, statement.Source{Name: name, Reader: strings.NewReader(text), Account: order.TreasuryIIK, At: now})
}

func count(t *testing.T, pool *pgxpool.Pool, table string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestImport(t *testing.T) {
	pool := postgrestest.Pool(t)
	first := head("1006.00") + entry("R1", "1.00", "CRDT", "") + entry("R2", "2.00", "CRDT", "") +
		entry("", "3.00", "CRDT", "") + foot
	got, err := read(t, pool, "day.xml", first)
	if err != nil {
		t.Fatal(err)
	}
	if got.Lines != 3 || got.Duplicates != 0 || got.Bad != 0 || got.Known || got.Closing.String() != "1006.00" ||
		len(got.Days) != 1 || got.Days[0].String() != "2026-11-20" {
		t.Errorf("%+v", got)
	}

	again, err := read(t, pool, "the same under another name.xml", first)
	if err != nil || !again.Known {
		t.Fatalf("%+v, %v", again, err)
	}
	if diff := cmp.Diff(got, again, cmpopts.IgnoreFields(statement.Import{}, "Known"), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b kz.Day) bool { return a == b })); diff != "" {
		t.Errorf("the second answer is not the first: %s", diff)
	}

	// A longer file of the same day: what was known is not doubled, a repeated
	// reference with another amount is a line of its own, and a bad line stands.
	second := head("0") + entry("R1", "1.00", "CRDT", "") + entry("R2", "2.00", "CRDT", "") + entry("R2", "2.01", "CRDT", "") +
		strings.Replace(entry("R9", "9.00", "CRDT", ""), "2026-11-20", "2026-11-32", 1) + entry("R4", "4.00", "DBIT", "") + foot
	got, err = read(t, pool, "later.xml", second)
	if err != nil || got.Lines != 2 || got.Duplicates != 2 || got.Bad != 1 || len(got.BadLines) != 1 || got.BadLines[0].Position != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if again, err := statement.Get(t.Context(), pool, got.SHA256); err != nil ||
		!cmp.Equal(again.BadLines, got.BadLines, cmp.Comparer(func(a, b kz.Day) bool { return a == b })) {
		t.Errorf("%+v, %v", again, err)
	}
	if lines, bad := count(t, pool, "statement_line"), count(t, pool, "statement_bad_line"); lines != 5 || bad != 1 {
		t.Errorf("%d lines, %d bad", lines, bad)
	}
}

func TestImportIsAllOrNothing(t *testing.T) {
	pool := postgrestest.Pool(t)
	many := strings.Repeat(entry("R", "1.00", "CRDT", ""), 1500) // beyond one batch
	for name, text := range map[string]string{
		"truncated": head("2500.00") + many,
		"balances":  head("9.00") + many + foot,
		"account":   strings.Replace(head("2500.00"), order.TreasuryIIK, "KZ32722S000000000042", 1) + many + foot,
	} {
		if _, err := read(t, pool, name, text); fault.Of(err) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, table := range []string{"statement_line", "statement_line_once", "statement_file"} {
		if n := count(t, pool, table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if got, err := read(t, pool, "whole", head("2500.00")+many+foot); err != nil || got.Lines != 1500 || got.Duplicates != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// An import whose connection ends, or whose caller gives up, at any of its steps
// leaves nothing, and the file is then imported whole.
func TestImportCutOff(t *testing.T) {
	pool := postgrestest.Pool(t)
	file := head("9.00") + entry("R", "1.00", "CRDT", "") + entry("R2", "x", "CRDT", "") + foot
	tables := []string{"statement_line_once", "statement_line", "statement_file", "statement_part", "statement_bad_line"}
	for _, table := range tables {
		for _, connection := range []bool{true, false} {
			postgrestest.CutOff(t, pool, table, connection, func(ctx context.Context) error {
				_, err := statement.Read(ctx, pool, statement.Source{Name: "day", Reader: strings.NewReader(file), Account: order.TreasuryIIK, At: now})
				return err
			})
			for _, table := range tables {
				if n := count(t, pool, table); n != 0 {
					t.Errorf("%d rows in %s", n, table)
				}
			}
		}
	}
	if got, err := read(t, pool, "day", file); err != nil || got.Known || got.Lines != 1 || got.Bad != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Lines that are the same within a file are as many as they stand there; of
// several files, the one that has most counts.
func TestTwins(t *testing.T) {
	one := entry("R1", "1.00", "CRDT", "")
	bare := entry("", "1.00", "CRDT", details(`<RmtInf><Ustrd>fee</Ustrd></RmtInf>`))
	file := func(id, closing string, entries ...string) string {
		return strings.Replace(head(closing), "<Id>S1</Id>", "<Id>"+id+"</Id>", 1) + strings.Join(entries, "") + foot
	}
	pool := postgrestest.Pool(t)
	for _, step := range []struct {
		name, text        string
		lines, duplicates int
	}{
		{"two", file("S1", "1002.00", one, one), 2, 0},
		{"the two again, and another", file("S1", "1003.00", one, one, entry("R2", "1.00", "CRDT", "")), 1, 2},
		{"one of them", file("S1", "1001.00", one), 0, 1},
		{"three of them", file("S2", "1003.00", one, one, one), 1, 2},
		{"two without a reference", file("S1", "1002.00", bare, bare), 2, 0},
		{"the two behind another", file("S1", "1003.00", entry("R3", "1.00", "CRDT", ""), bare, bare), 1, 2},
		{"another text", file("S1", "1001.00", strings.Replace(bare, "fee", "duty", 1)), 1, 0},
		{"of another statement", file("S2", "1001.00", bare), 1, 0},
	} {
		got, err := read(t, pool, step.name, step.text)
		if err != nil || got.Lines != step.lines || got.Duplicates != step.duplicates {
			t.Errorf("%s: %+v, %v", step.name, got, err)
		}
	}
}

// day is a statement of one entry that moves the balance.
func day(id, number, date, opening, amount, closing string) string {
	text := head(closing) + entry(id, amount, "CRDT", "") + foot
	return strings.NewReplacer("<Id>S1</Id>", "<Id>"+id+"</Id><ElctrncSeqNb>"+number+"</ElctrncSeqNb>", "2026-11-20", date, "1000.00", opening).Replace(text)
}

// What is missing between statements is told, and goes when it comes.
func TestGaps(t *testing.T) {
	pool := postgrestest.Pool(t)
	var last *statement.Import
	for _, step := range []struct {
		name, text string
		want       []string
	}{
		{"first", day("D1", "1", "2026-11-02", "0.00", "1.00", "1.00"), nil},
		{"next", day("D2", "2", "2026-11-03", "1.00", "1.00", "2.00"), nil},
		{"one is missing", day("D4", "4", "2026-11-05", "3.00", "1.00", "4.00"), []string{
			"D4 it opens with 3.00, the statement before closes with 2.00", "D4 its number is 4, the number before is 2"}},
		{"after it", day("D5", "5", "2026-11-06", "4.00", "1.00", "5.00"), nil},
		{"the missing one", day("D3", "3", "2026-11-04", "2.00", "1.00", "3.00"), nil},
		{"on the same day", day("D5b", "6", "2026-11-06", "5.00", "1.00", "6.00"), nil},
		{"wrong balances", day("D6", "7", "2026-11-07", "9.00", "1.00", "10.00"), []string{"D6 it opens with 9.00, the statement before closes with 6.00"}},
		{"a new year begins its numbers", day("D7", "1", "2027-01-04", "10.00", "1.00", "11.00"), nil},
	} {
		got, err := read(t, pool, step.name, step.text)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		var gaps []string
		for _, g := range got.Gaps {
			gaps = append(gaps, g.Statement+" "+g.Detail)
		}
		if diff := cmp.Diff(step.want, gaps); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
		last = got
	}
	all, err := statement.Gaps(t.Context(), pool, last.Account)
	if err != nil || len(all) != 1 || all[0].Code != fault.StatementGap || all[0].Day.String() != "2026-11-07" {
		t.Errorf("%+v, %v", all, err)
	}
}

// pages of one statement, as MT950 has them.
func page(number, mark, opening, amount, closingMark, closing string) string {
	return "{1:F01K}{2:O950S}\n{4:\n:20:ST\n:25:" + order.TreasuryIIK + "\n:28C:7/" + number + "\n:60" + mark + ":C261119KZT" + opening +
		"\n:61:2611201120C" + amount + "NTRFX" + number + "\n:62" + closingMark + ":C261120KZT" + closing + "\n-}\n"
}

func TestPagesInAFile(t *testing.T) {
	pool := postgrestest.Pool(t)
	one, two, three := page("1", "F", "0,", "1,", "M", "1,"), page("2", "M", "1,", "1,", "M", "2,"), page("3", "M", "2,", "1,", "F", "3,")
	for _, test := range []struct {
		name, text string
		want       fault.Code
	}{
		{"a page is missing", one + three, fault.StatementPaged},
		{"out of order", two + one, fault.StatementPaged},
		{"a page twice", one + one + two, fault.StatementPaged},
		{"all of it twice", one + two + three + one + two + three, fault.StatementPaged},
		{"does not continue", one + page("2", "M", "2,", "1,", "F", "3,"), fault.StatementBalance},
		{"whole", one + two + three, ""},
	} {
		if got, err := read(t, pool, test.name, test.text); fault.CodeOf(err) != test.want || err == nil && (got.Lines != 3 || len(got.Gaps) != 0) {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
}

// What the database could not keep is a bad line or a refusal, and not a
// failure of the database.
func TestImportOfStrangeTexts(t *testing.T) {
	pool := postgrestest.Pool(t)
	long := strings.Repeat("9", 5000)
	for name, text := range map[string]string{
		"NUL in a text":   `[{"paymentDocumentNumber":"1","dateOfBudgetEnrollment":"05.11.2026","paymentAmount":"1","paymentPurpose":"a\u0000b"},` + "\n",
		"NUL in a number": `[{"paymentDocumentNumber":"1\u0000","dateOfBudgetEnrollment":"05.11.2026","paymentAmount":"2"},` + "\n",
		"long number":     `[{"paymentDocumentNumber":"` + long + `","dateOfBudgetEnrollment":"05.11.2026","paymentAmount":"3"},` + "\n",
		"long payer":      `[{"bin":"` + long + `","dateOfBudgetEnrollment":"05.11.2026","paymentAmount":"4"},` + "\n",
	} {
		good := `{"paymentDocumentNumber":"` + name + `","dateOfBudgetEnrollment":"05.11.2026","paymentAmount":"5","paymentPurpose":"` + long + `"}]`
		if got, err := read(t, pool, name, text+good); err != nil || got.Lines != 1 || got.Bad != 1 || got.BadLines[0].Code != fault.StatementLineBad {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	in := strings.Replace(page("1", "F", "0,", "1,", "F", "1,"), ":20:ST", ":20:S\x00T", 1)
	if _, err := read(t, pool, "NUL in the head", in); !fault.Is(err, fault.StatementMalformed) {
		t.Errorf("NUL in the head: %v", err)
	}
}

// A payment that comes back is marked, with its reason and its references.
func TestReturns(t *testing.T) {
	pool := postgrestest.Pool(t)
	back := `<Refs><EndToEndId>E1</EndToEndId></Refs><Amt Ccy="KZT">1.00</Amt>` + remittance(uin("26112000000000118")) +
		`<RtrInf><OrgnlBkTxCd><Prtry><Cd>X</Cd></Prtry></OrgnlBkTxCd><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>closed</AddtlInf></RtrInf>`
	domain := `<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>RRTN</SubFmlyCd></Fmly></Domn></BkTxCd>`
	text := head("997.00") +
		entry("R1", "2.00", "DBIT", details(back, `<Amt Ccy="KZT">1.00</Amt>`)) +
		entry("R2", "1.00", "DBIT", domain) +
		entry("R3", "1.00", "DBIT", details(domain)) +
		entry("R4", "1.00", "CRDT", "<RvslInd>true</RvslInd>") + foot
	if _, err := read(t, pool, "returns", text); err != nil {
		t.Fatal(err)
	}
	receipt := `[{"paymentDocumentNumber":"K1","dateOfBudgetEnrollment":"06.11.2026","paymentAmount":"-500","transactionType":"Возврат"}]`
	messages := strings.NewReplacer("NTRFX1", "NRTIX1", "120C", "120D", "KZT0,", "KZT2,").Replace(page("1", "F", "0,", "1,", "F", "1,"))
	for name, text := range map[string]string{"receipt": receipt, "messages": messages} {
		got, err := read(t, pool, name, text)
		if err != nil || got.Lines != 1 || count(t, pool, "statement_line WHERE returned AND file_id = '"+got.ID.String()+"'") != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	rows, err := pool.Query(t.Context(), `SELECT concat_ws(' ', reference, amount, returned, return_reason, reversal, end_to_end, identifier)
		FROM statement_line l JOIN statement_file f ON f.id = l.file_id WHERE f.name = 'returns' ORDER BY position`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	want := []string{" -100 t AC04 f E1 26112000000000118", " -100 f  f  ", "R2 -100 t  f  ", "R3 -100 t  f  ", "R4 100 f  t  "}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestImportRefusesName(t *testing.T) {
	pool := postgrestest.Pool(t)
	for _, name := range []string{"", "\xff", strings.Repeat("x", 256)} {
		if _, err := read(t, pool, name, ""); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%.10q: %v", name, err)
		}
	}
	if _, err := statement.Get(t.Context(), pool, [32]byte{}); !fault.Is(err, fault.StatementUnknown) {
		t.Errorf("unknown: %v", err)
	}
}
