package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/text/encoding/charmap"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/order"
)

// treasuryDayText is a statement of a day with as many entries.
func treasuryDayText(t *testing.T, d sample.TreasuryDay) string {
	t.Helper()
	d.Account = order.TreasuryIIK
	if d.Day.IsZero() {
		d.Day = kz.DayOf(noon)
	}
	r, err := d.Reader()
	check(t, err)
	all, err := io.ReadAll(r)
	check(t, err)
	return string(all)
}

func writeTemp(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "statement")
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func in1251(t *testing.T, text string) string {
	t.Helper()
	out, err := charmap.Windows1251.NewEncoder().String(text)
	check(t, err)
	return out
}

// countLines counts what statements left in the database.
func countLines(t *testing.T, pool *pgxpool.Pool) (files, lines, bad int) {
	t.Helper()
	check(t, pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM statement_file),
		(SELECT count(*) FROM statement_line l JOIN statement_line_once o ON o.line_id = l.id), (SELECT count(*) FROM statement_bad_line)`).Scan(&files, &lines, &bad))
	return files, lines, bad
}

// Files that must be refused leave nothing, whatever they have in their first
// half.
func TestHostileStatements(t *testing.T) {
	dsn := postgrestest.DSN(t)
	data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
	good := treasuryDayText(t, sample.TreasuryDay{ID: "DAY", Opening: 100, Entries: 2500})
	middle := strings.Index(good[len(good)/2:], "<Ntry>") + len(good)/2
	with := func(inserted string) string { return good[:middle] + inserted + good[middle:] }
	for _, test := range []struct {
		name, text string
		want       fault.Code
	}{
		{"empty", "", fault.StatementMalformed},
		{"another kind of file", "%PDF-1.7\n", fault.StatementMalformed},
		{"compressed", "\x1f\x8b\x08\x00" + good, fault.StatementMalformed},
		{"truncated in an entry", good[:middle+300], fault.StatementMalformed},
		{"truncated between entries", good[:middle], fault.StatementMalformed},
		{"two files in one", good + good, fault.StatementMalformed},
		{"NUL in a text", with("<AddtlStmtInf>\x00</AddtlStmtInf>"), fault.StatementMalformed},
		{"NULs behind", good + strings.Repeat("\x00", 4096), fault.StatementMalformed},
		{"windows-1251 that says UTF-8", in1251(t, good), fault.StatementMalformed},
		{"UTF-16", "\xff\xfe<\x00?\x00", fault.StatementMalformed},
		{"a bomb of entities", strings.Replace(good, "<Document", `<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Document`, 1), fault.StatementMalformed},
		{"an entity of nobody", with("<AddtlStmtInf>&b;</AddtlStmtInf>"), fault.StatementMalformed},
		{"deep", with(strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000)), fault.StatementMalformed},
		{"a text without end", with("<AddtlStmtInf>" + strings.Repeat("x", 100_000) + "</AddtlStmtInf>"), fault.StatementMalformed},
		{"a tag that does not match", with("<a></b>"), fault.StatementMalformed},
		{"another version", strings.Replace(good, "053.001.08", "053.001.99", 1), fault.StatementVersion},
		{"another account's", strings.Replace(good, order.TreasuryIIK, "KZ32722S000000000042", 1), fault.StatementAccount},
		{"balances", strings.Replace(good, `<Amt Ccy="KZT">1.00</Amt>`, `<Amt Ccy="KZT">1.01</Amt>`, 1), fault.StatementBalance},
		{"totals", strings.Replace(good, "<NbOfNtries>2500<", "<NbOfNtries>2501<", 1), fault.StatementTotals},
		{"an entry is missing", good[:middle] + good[strings.Index(good[middle:], "</Ntry>")+middle+len("</Ntry>"):], fault.StatementBalance},
		{"the statement twice", strings.Replace(good, "</Stmt>", "</Stmt>"+good[strings.Index(good, "<Stmt>"):strings.Index(good, "</BkToCstmrStmt>")], 1), fault.StatementPaged},
	} {
		err := o.run(t, o.statementCommand(), "import", "--data", data, writeTemp(t, test.text))
		if !fault.Is(err, test.want) || exitOf(err) != exitBadInput {
			t.Errorf("%s: %v, exit %d", test.name, err, exitOf(err))
		}
		if files, lines, bad := countLines(t, pool); files+lines+bad != 0 {
			t.Fatalf("%s left %d files, %d lines, %d bad ones", test.name, files, lines, bad)
		}
	}
	check(t, o.run(t, o.statementCommand(), "import", "--data", data, writeTemp(t, good)))
	if files, lines, bad := countLines(t, pool); files != 1 || lines != 2500 || bad != 0 {
		t.Errorf("%d files, %d lines, %d bad ones", files, lines, bad)
	}
}

// Files that are strange are read, and what of them cannot be is told.
func TestStrangeStatements(t *testing.T) {
	dsn := postgrestest.DSN(t)
	data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
	number := 0
	day := func() string { // each opens with what the one before closes with
		number++
		return treasuryDayText(t, sample.TreasuryDay{
			ID: fmt.Sprintf("DAY-%d", number), Day: kz.DayOf(noon).AddDays(number), Entries: 3, First: number * 10, Opening: 0,
			Line: func(i int) sample.TreasuryLine { return sample.TreasuryLine{Amount: 100, PurposeCode: "911"} },
		})
	}
	entry := func(text string, n int) (from, to int) {
		for range n {
			from = to + strings.Index(text[to:], "<Ntry>")
			to = from + strings.Index(text[from:], "</Ntry>") + len("</Ntry>")
		}
		return from, to
	}
	bad := day()
	from, to := entry(bad, 2)
	bad = bad[:from] + strings.Replace(bad[from:to], "CRDT", "BOTH", 1) + bad[to:]
	twins := strings.NewReplacer("<NbOfNtries>3<", "<NbOfNtries>4<", "<Sum>3.00<", "<Sum>4.00<", `<Amt Ccy="KZT">3.00</Amt>`, `<Amt Ccy="KZT">4.00</Amt>`).Replace(day())
	from, to = entry(twins, 1)
	twins = twins[:to] + twins[from:to] + twins[to:]
	foreign := day()
	other := strings.NewReplacer(order.TreasuryIIK, "KZ32722S000000000042", "DAY-", "OTHER-").Replace(foreign)
	foreign = strings.Replace(foreign, "</Stmt>", "</Stmt>"+other[strings.Index(other, "<Stmt>"):strings.Index(other, "</BkToCstmrStmt>")], 1)
	mt := in1251(t, "{1:F01K}{2:O950S}\r\n{4:\r\n:20:ST1\r\n:25:"+order.TreasuryIIK+"\r\n:28C:7/1\r\n:60F:C261104KZT0,\r\n"+
		":61:2611051105C100,50NTRFR1//BNK1\r\n:86:/NAME/ТОО Импортёр\r\n/ASSIGN/пошлина\r\n:62F:C261105KZT100,50\r\n-}\r\n")
	mapping := writeTemp(t, "columns: {booking_day: Дата, reference: Номер, amount: Сумма, purpose: Назначение}")
	table := in1251(t, "Дата;Номер;Сумма;Назначение\n05.11.2026;1;1,00;пошлина\n05.11.2026;2;много;пошлина\nИтого;1\n05.11.2026;3;1,00;сбор\n")
	for _, test := range []struct {
		name, text           string
		lines, duplicates, b int
		prints               string
	}{
		{"windows-1251", in1251(t, strings.Replace(day(), "UTF-8", "windows-1251", 1)), 3, 0, 0, ""},
		{"a byte order mark", "\xEF\xBB\xBF" + day(), 3, 0, 0, ""},
		{"a bad line in the middle", bad, 2, 0, 1, "/Stmt/0/Ntry/1"},
		{"twins", twins, 4, 0, 0, ""},
		{"the twins in another file", twins + "\n", 0, 4, 0, ""},
		{"beside another account's", foreign, 3, 0, 3, string(fault.StatementAccount)},
		{"MT950 in windows-1251", mt, 1, 0, 0, ""},
		{"a table in windows-1251", table, 2, 0, 2, "byte"},
	} {
		_, before, badBefore := countLines(t, pool)
		path := writeTemp(t, test.text)
		check(t, o.run(t, o.statementCommand(), "import", "--data", data, "--mapping", mapping, path))
		_, lines, badLines := countLines(t, pool)
		said := fmt.Sprintf(": %d new lines, %d that came before, %d that cannot be read", test.lines, test.duplicates, test.b)
		if lines-before != test.lines || badLines-badBefore != test.b || !strings.Contains(o.out.String(), said) || !strings.Contains(o.out.String(), test.prints) {
			t.Errorf("%s: %d lines, %d bad: %s", test.name, lines-before, badLines-badBefore, o.out.String())
		}
		check(t, o.run(t, o.statementCommand(), "import", "--data", data, "--mapping", mapping, path))
		if !strings.Contains(o.out.String(), "nothing changed") {
			t.Errorf("%s, again: %s", test.name, o.out.String())
		}
	}
	rows, err := pool.Query(t.Context(), "SELECT DISTINCT purpose FROM statement_line ORDER BY 1")
	check(t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	if want := []string{"пошлина", "сбор", "таможенная пошлина по декларации"}; !slices.Equal(want, texts) {
		t.Errorf("texts %q", texts)
	}
}

// A statement that is missing is told when the next one is imported, and told
// no more when it has come.
func TestStatementGap(t *testing.T) {
	data, o := running(t, postgrestest.DSN(t)), newOperator()
	file := func(number int) string {
		line := func(int) sample.TreasuryLine { return sample.TreasuryLine{Amount: 100} }
		text := treasuryDayText(t, sample.TreasuryDay{
			ID: fmt.Sprintf("DAY-%d", number), Day: kz.DayOf(noon).AddDays(number), Entries: 1, First: number, Line: line, Opening: 100 * 100,
		})
		// The day before closes with what this one opens with.
		return writeTemp(t, strings.NewReplacer(`>100.00<`, fmt.Sprintf(">%d.00<", 100+number), `>101.00<`, fmt.Sprintf(">%d.00<", 101+number)).Replace(text))
	}
	for _, step := range []struct {
		number int
		gap    bool
	}{{1, false}, {2, false}, {4, true}, {4, true}, {5, false}, {3, false}, {4, false}} {
		check(t, o.run(t, o.statementCommand(), "import", "--data", data, file(step.number)))
		if got := strings.Contains(o.out.String(), string(fault.StatementGap)); got != step.gap {
			t.Errorf("%d: %s", step.number, o.out.String())
		}
	}
}

// An import that is killed or stopped in the middle leaves nothing, and the
// same file is then imported whole.
func TestInterruptedImport(t *testing.T) {
	for name, end := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			dsn := postgrestest.DSN(t)
			data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
			text := treasuryDayText(t, sample.TreasuryDay{ID: "DAY", Entries: 6000})
			pipe := filepath.Join(t.TempDir(), "pipe")
			check(t, syscall.Mkfifo(pipe, 0o600))
			p := launch(t, t, nil, "statement", "import", "--data", data, pipe)
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			check(t, err)
			defer w.Close()
			// What does not fit into the pipe has been read when this returns.
			_, err = io.Copy(w, bytes.NewReader([]byte(text[:len(text)*2/3])))
			check(t, err)
			for begun := false; !begun; { // the transaction, which takes the lock of imports first
				check(t, pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
					WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted)`).Scan(&begun))
			}
			check(t, p.cmd.Process.Signal(end))
			<-p.ended
			if code := p.cmd.ProcessState.ExitCode(); code == 0 {
				t.Errorf("exit 0: %s", p.out.String())
			}
			if files, lines, bad := countLines(t, pool); files+lines+bad != 0 {
				t.Errorf("it left %d files, %d lines, %d bad ones", files, lines, bad)
			}
			check(t, o.run(t, o.statementCommand(), "import", "--data", data, writeTemp(t, text)))
			if files, lines, bad := countLines(t, pool); files != 1 || lines != 6000 || bad != 0 {
				t.Errorf("%d files, %d lines, %d bad ones", files, lines, bad)
			}
		})
	}
}
