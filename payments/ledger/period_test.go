package ledger_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
)

var today = kz.DayOf(at)

func onDay(key string, day kz.Day, amount money.Tiyn) ledger.Entry {
	e := entry(key, amount)
	e.Day = day
	return e
}

func closeTo(t testing.TB, pool *pgxpool.Pool, c ledger.Closing) error {
	t.Helper()
	return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return ledger.Close(t.Context(), tx, c) })
}

func closing(day kz.Day) ledger.Closing {
	return ledger.Closing{LastDay: day, ProposedBy: "operator", ClosedBy: "controller", At: at}
}

func TestClose(t *testing.T) {
	pool := postgrestest.Pool(t)
	yesterday := today.AddDays(-1)
	for i, day := range []kz.Day{yesterday.AddDays(-1), yesterday, today} {
		if _, err := post(t, pool, onDay(fmt.Sprint("k", i), day, 100)); err != nil {
			t.Fatal(err)
		}
	}
	alone := closing(yesterday)
	alone.ClosedBy = alone.ProposedBy
	for _, tt := range []struct {
		name string
		c    ledger.Closing
		code fault.Code
	}{
		{"one person", alone, fault.TwoPersons},
		{"a day that has not ended", closing(today), fault.LedgerPeriodOpen},
		{"no day", closing(kz.Day{}), fault.BadArgument},
	} {
		if err := closeTo(t, pool, tt.c); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := closeTo(t, pool, closing(yesterday)); err != nil {
		t.Fatal(err)
	}
	if closed, err := ledger.ClosedTo(t.Context(), pool); err != nil || closed != yesterday {
		t.Errorf("closed to %s, %v", closed, err)
	}
	for _, day := range []kz.Day{yesterday, yesterday.AddDays(-1)} {
		if err := closeTo(t, pool, closing(day)); !fault.Is(err, fault.LedgerPeriodClosed) {
			t.Errorf("closed again to %s: %v", day, err)
		}
		if _, err := post(t, pool, onDay("late", day, 100)); !fault.Is(err, fault.LedgerPeriodClosed) {
			t.Errorf("an entry of %s: %v", day, err)
		}
		if got := ledger.EntryDay(&kz.Calendar{}, day, yesterday); got != today {
			t.Errorf("%s is entered under %s", day, got)
		}
	}
	// A replay of what was posted before is no new entry.
	if posted, err := post(t, pool, onDay("k1", yesterday, 100)); err != nil || posted {
		t.Errorf("a replay: %v, %v", posted, err)
	}
	if _, err := post(t, pool, onDay("k3", today, 100)); err != nil {
		t.Error(err)
	}
	if _, err := verify(t, pool); err != nil {
		t.Error(err)
	}
}

// Whoever posts while the book is being closed is either in the balances of
// the period or refused.
func TestCloseWhileOthersPost(t *testing.T) {
	pool := postgrestest.Pool(t)
	yesterday := today.AddDays(-1)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if i == 20 {
				if err := closeTo(t, pool, closing(yesterday)); err != nil {
					t.Error(err)
				}
				return
			}
			if _, err := post(t, pool, onDay(fmt.Sprint("k", i), yesterday, 100)); err != nil && !fault.Is(err, fault.LedgerPeriodClosed) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if v, err := verify(t, pool); err != nil { // period_differs if one slipped in
		t.Errorf("%+v, %v", v, err)
	}
}

func TestVerifyFindsChangedPeriod(t *testing.T) {
	pool := postgrestest.Pool(t)
	if _, err := post(t, pool, onDay("k", today.AddDays(-1), 100)); err != nil {
		t.Fatal(err)
	}
	if err := closeTo(t, pool, closing(today.AddDays(-1))); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Exec(t.Context(), grant+`SET session_replication_role = replica;
		UPDATE ledger_period_balance SET debits = debits + 1 WHERE account = 'clearing:pshep'; SET session_replication_role = origin`)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify(t, pool)
	if !fault.Is(err, fault.LedgerInconsistent) || v.Findings[0].Reason != ledger.PeriodDiffers {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestVerifyFindsUnknownAccount(t *testing.T) {
	pool := postgrestest.Pool(t)
	e := entry("k", 100)
	e.Postings[0].Account = "pocket:mine"
	if _, err := post(t, pool, e); err != nil {
		t.Fatal(err)
	}
	v, err := verify(t, pool)
	if !fault.Is(err, fault.LedgerInconsistent) || v.Findings[0] != (ledger.Finding{Key: "pocket:mine", Reason: ledger.AccountUnknown}) {
		t.Errorf("%+v, %v", v, err)
	}
}

// A balance as of any day or instant is the sum of what belongs to it,
// however the book is cut into periods.
func TestBalancesAsOf(t *testing.T) {
	pool := postgrestest.Pool(t)
	rapid.Check(t, func(rt *rapid.T) {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		defer tx.Rollback(t.Context())
		first := today.AddDays(-6)
		type posted struct {
			day    kz.Day
			at     time.Time
			amount money.Tiyn
		}
		var all []posted
		closed := kz.Day{}
		for i := range rapid.IntRange(1, 12).Draw(rt, "acts") {
			if rapid.IntRange(0, 3).Draw(rt, "act") == 0 {
				day := first.AddDays(rapid.IntRange(0, 5).Draw(rt, "closed to"))
				if err := ledger.Close(t.Context(), tx, closing(day)); err == nil {
					closed = day
				} else if !fault.Is(err, fault.LedgerPeriodClosed) {
					rt.Fatal(err)
				}
				continue
			}
			p := posted{ledger.EntryDay(&kz.Calendar{}, first.AddDays(rapid.IntRange(0, 6).Draw(rt, "day")), closed), at.Add(time.Duration(i) * time.Second),
				money.Tiyn(rapid.Int64Range(2, 1000).Draw(rt, "amount"))}
			e := onDay(fmt.Sprint("k", i), p.day, p.amount)
			e.At = p.at
			if _, err := ledger.Post(t.Context(), tx, e); err != nil {
				rt.Fatal(err)
			}
			all = append(all, p)
		}
		m := ledger.Moment{Day: first.AddDays(rapid.IntRange(-1, 7).Draw(rt, "as of day"))}
		if rapid.Bool().Draw(rt, "as recorded") {
			m.Recorded = at.Add(time.Duration(rapid.IntRange(0, 13).Draw(rt, "second")) * time.Second)
		}
		var want money.Tiyn
		for _, p := range all {
			if !p.day.After(m.Day) && (m.Recorded.IsZero() || p.at.Before(m.Recorded)) {
				want += p.amount
			}
		}
		got, err := ledger.BalanceOf(t.Context(), tx, clearing, m)
		if err != nil || got.Balance != want {
			rt.Fatalf("%+v: %s, want %s: %v", m, got.Balance, want, err)
		}
		balances, err := ledger.BalancesAt(t.Context(), tx, m)
		if err != nil {
			rt.Fatal(err)
		}
		var total money.Tiyn
		for _, b := range balances {
			total += b.Balance
		}
		if total != 0 {
			rt.Fatalf("the trial balance is %s", total)
		}
		if _, err := ledger.Verify(t.Context(), tx); err != nil {
			rt.Fatal(err)
		}
	})
}
