package report_test

import (
	"bytes"
	_ "embed"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/report"
)

// now is a Saturday.
var now = time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)

//go:embed testdata/fixture.sql
var fixture string

const (
	importer = kz.BIN("040240001234")
	other    = kz.BIN("151140005678")
	iik      = "KZ24070105KSN0000000"
)

func day(t testing.TB, s string) kz.Day {
	t.Helper()
	d, err := kz.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// opened is a database with the fixture's orders, statements and cases, and the
// ledger that belongs to them.
func opened(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := postgrestest.Pool(t)
	if err := postgres.EnsurePartitions(t.Context(), pool, time.Date(2026, time.October, 1, 0, 0, 0, 0, time.UTC)); err != nil { // September to January
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), fixture, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	clearing, epay, budget := ledger.Clearing("pshep"), ledger.Clearing("epay"), ledger.Budget
	post(t, pool, "payment:pshep:P1", ledger.Payment, "2026-10-05", pair{clearing, 300000}, pair{budget("3909", "206113"), -100000},
		pair{budget("3909", "106110"), -150000}, pair{budget("5201", "105105"), -50000})
	post(t, pool, "payment:pshep:P5", ledger.Payment, "2026-10-31", pair{clearing, 1500}, pair{budget("3909", "206113"), -1000}, pair{ledger.Advance(other), -500})
	post(t, pool, "payment:pshep:P6", ledger.Payment, "2026-11-01", pair{clearing, 9990}, pair{budget("3909", "206113"), -10000}, pair{ledger.Tolerance("206113"), 10})
	post(t, pool, "payment:epay:P3", ledger.Payment, "2026-11-18", pair{epay, 70000}, pair{budget("3909", "106110"), -50000}, pair{budget("3909", "105105"), -20000})
	post(t, pool, "payment:pshep:P9", ledger.Payment, "2026-11-18", pair{clearing, 400}, pair{budget("3909", "206113"), -400})
	post(t, pool, "reversal:pshep:P9", ledger.Reversal, "2026-11-19", pair{clearing, -400}, pair{budget("3909", "206113"), 400})
	post(t, pool, "refund:1", ledger.Refund, "2026-11-04", pair{budget("3909", "106110"), 40000}, pair{ledger.Refunds("pshep"), -40000})
	post(t, pool, "refund_paid:pshep:R1", ledger.RefundPaid, "2026-11-05", pair{ledger.Refunds("pshep"), 40000}, pair{clearing, -40000})
	post(t, pool, "settlement:1", ledger.Settlement, "2026-10-06", pair{ledger.Treasury(iik), 250000}, pair{clearing, -250000})
	post(t, pool, "settlement:2", ledger.Settlement, "2026-11-20", pair{ledger.Treasury(iik), 50000}, pair{epay, -50000})
	post(t, pool, "fee:epay:1", ledger.Fee, "2026-11-19", pair{ledger.Fees("epay"), 1050}, pair{epay, -1050})
	post(t, pool, "fee:epay:2", ledger.Fee, "2026-11-19", pair{ledger.Fees("epay"), -50}, pair{epay, 50})
	return pool
}

type pair struct {
	account ledger.Account
	amount  money.Tiyn
}

func post(t testing.TB, pool *pgxpool.Pool, key string, kind ledger.Kind, on string, pairs ...pair) {
	t.Helper()
	e := ledger.Entry{Key: key, Kind: kind, Day: day(t, on), Transaction: uuid.MustParse("00000000-0000-7000-9000-000000000001"), At: now}
	for _, p := range pairs {
		e.Postings = append(e.Postings, ledger.Posting{Account: p.account, Amount: p.amount})
	}
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := ledger.Post(t.Context(), tx, e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// request is a report of the whole time of the fixture.
func request(t testing.TB, name string, format report.Format) report.Request {
	t.Helper()
	r, err := report.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return report.Request{
		Report: r, Period: report.Period{From: day(t, "2026-09-01"), To: day(t, "2026-11-21")},
		Format: format, Language: fault.English, At: now,
	}
}

func write(t testing.TB, pool *pgxpool.Pool, r report.Request) ([]byte, *report.Totals) {
	t.Helper()
	var b bytes.Buffer
	totals, err := report.Write(t.Context(), pool, &b, r)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), totals
}

// total is one column's total.
func total(t testing.TB, pool *pgxpool.Pool, r report.Request, column string) money.Tiyn {
	t.Helper()
	_, totals := write(t, pool, r)
	for i, c := range r.Report.Columns {
		if c.Name == column && c.Summed {
			return money.Tiyn(totals.Cells[i].Number)
		}
	}
	t.Fatalf("%s has no total of %s", r.Report.Name, column)
	return 0
}

// balance adds up the accounts of a sort, or one account.
func balance(t testing.TB, pool *pgxpool.Pool, prefix string) (sum money.Tiyn) {
	t.Helper()
	all, err := ledger.BalancesAt(t.Context(), pool, ledger.Moment{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if strings.HasPrefix(string(b.Account), prefix) {
			sum += b.Balance
		}
	}
	return sum
}
