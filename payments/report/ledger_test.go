package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/report"
)

// Whatever is posted, and whatever the period: what a report says of it is what
// the ledger's balances moved by from before the period to its end.
func TestReportsFollowTheLedger(t *testing.T) {
	pool := opened(t)
	first, posted := day(t, "2026-10-01"), 0
	kinds := []ledger.Kind{ledger.Payment, ledger.AdvanceUse, ledger.Reversal, ledger.Refund, ledger.RefundFailed, ledger.Correction}
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(0, 3).Draw(r, "entries") {
			posted++
			amount := money.Tiyn(rapid.Int64Range(1, 1e15).Draw(r, "amount") * rapid.SampledFrom([]int64{1, -1}).Draw(r, "sign"))
			account := ledger.Budget(charge.RevenueOffice(rapid.SampledFrom([]string{"3909", "5201"}).Draw(r, "office")),
				charge.BudgetCode(rapid.SampledFrom([]string{"106110", "206113"}).Draw(r, "code")))
			switch rapid.IntRange(0, 3).Draw(r, "sort") {
			case 0:
				account = ledger.Tolerance("106110")
			case 1:
				account = ledger.Fees("epay")
			}
			on := first.AddDays(rapid.IntRange(0, 30).Draw(r, "day"))
			post(t, pool, fmt.Sprintf("correction:%d", posted), rapid.SampledFrom(kinds).Draw(r, "kind"), on.String(), pair{account, amount}, pair{ledger.Clearing("epay"), -amount})
		}
		from := first.AddDays(rapid.IntRange(0, 30).Draw(r, "from"))
		period := report.Period{From: from, To: from.AddDays(rapid.IntRange(0, 30).Draw(r, "days"))}
		of := func(name string) report.Request {
			q := request(t, name, report.JSON)
			q.Period = period
			return q
		}
		for _, row := range []struct {
			name, column string
			sort         ledger.Sort
			sign         money.Tiyn
		}{
			{"received", "credited", ledger.SortBudget, -1}, {"received", "let_go", ledger.SortTolerance, 1},
			{"half-year", "let_go", ledger.SortTolerance, 1}, {"fees", "fee", ledger.SortFees, 1},
		} {
			moved := balanceAt(t, pool, row.sort, period.To) - balanceAt(t, pool, row.sort, period.From.AddDays(-1))
			if got := total(t, pool, of(row.name), row.column); got != row.sign*moved {
				r.Fatalf("%s from %s to %s: %s is %s, the ledger moved by %s", row.name, period.From, period.To, row.column, got, moved)
			}
		}
		if a, b := total(t, pool, of("half-year"), "paid")-total(t, pool, of("half-year"), "refunded"), total(t, pool, of("received"), "credited"); a != b {
			r.Fatalf("the half-year has %s, received %s", a, b)
		}
	})
}

// balanceAt adds up the accounts of a sort at the end of a day.
func balanceAt(t *testing.T, pool *pgxpool.Pool, sort ledger.Sort, at kz.Day) (sum money.Tiyn) {
	t.Helper()
	all, err := ledger.BalancesAt(t.Context(), pool, ledger.Moment{Day: at})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if strings.HasPrefix(string(b.Account), string(sort)+":") {
			sum += b.Balance
		}
	}
	return sum
}
