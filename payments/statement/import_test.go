package statement_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
	// The same reference and content 1 500 times in a file is one line.
	if got, err := read(t, pool, "whole", head("2500.00")+many+foot); err != nil || got.Lines != 1 || got.Duplicates != 1499 {
		t.Errorf("%+v, %v", got, err)
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
