package ledger_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
)

var advance = ledger.Advance("190640017419")

// withAdvance makes a book in which the payer has an advance.
func withAdvance(t *testing.T, amount money.Tiyn) *pgxpool.Pool {
	t.Helper()
	pool := postgrestest.Pool(t)
	e := entry("over", amount)
	e.Postings = []ledger.Posting{{Account: clearing, Amount: amount}, {Account: advance, Amount: -amount}}
	if _, err := post(t, pool, e); err != nil {
		t.Fatal(err)
	}
	return pool
}

func place(t *testing.T, pool *pgxpool.Pool, h ledger.Hold) (placed bool, err error) {
	t.Helper()
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		placed, err = ledger.PlaceHold(t.Context(), tx, h)
		return err
	})
	return placed, err
}

func end(t *testing.T, pool *pgxpool.Pool, key string, outcome ledger.Outcome) error {
	t.Helper()
	return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return ledger.EndHold(t.Context(), tx, key, outcome, at) })
}

func available(t *testing.T, pool *pgxpool.Pool, at time.Time, want money.Tiyn) {
	t.Helper()
	got, err := ledger.Available(t.Context(), pool, advance, at)
	if err != nil || got != want {
		t.Errorf("%s available, want %s: %v", got, want, err)
	}
}

func TestHold(t *testing.T) {
	pool := withAdvance(t, 1000)
	h := ledger.Hold{Key: "refund:1", Account: advance, Amount: 600, At: at, Until: at.Add(time.Hour)}
	for i, want := range []bool{true, false} {
		if placed, err := place(t, pool, h); err != nil || placed != want {
			t.Fatalf("time %d: %v, %v", i+1, placed, err)
		}
	}
	available(t, pool, at, 400)
	other := h
	other.Amount = 601
	if _, err := place(t, pool, other); !fault.Is(err, fault.LedgerConflict) {
		t.Errorf("another hold under the key: %v", err)
	}
	more := h
	more.Key, more.Amount = "refund:2", 401
	if _, err := place(t, pool, more); !fault.Is(err, fault.LedgerFundsShort) {
		t.Errorf("more than there is: %v", err)
	}
	available(t, pool, at, 400)
	available(t, pool, h.Until, 1000) // its time is over

	if err := end(t, pool, "refund:9", ledger.Released); !fault.Is(err, fault.LedgerHoldUnknown) {
		t.Errorf("an unknown hold: %v", err)
	}
	for range 2 {
		if err := end(t, pool, h.Key, ledger.Released); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(t, pool, h.Key, ledger.Used); !fault.Is(err, fault.LedgerConflict) {
		t.Errorf("used after it was released: %v", err)
	}
	available(t, pool, at, 1000)
	for _, bad := range []ledger.Hold{
		{Key: "", Account: advance, Amount: 1, At: at, Until: at.Add(1)}, {Key: "k", Amount: 1, At: at, Until: at.Add(1)},
		{Key: "k", Account: advance, At: at, Until: at.Add(1)}, {Key: "k", Account: advance, Amount: 1, At: at, Until: at},
	} {
		if _, err := place(t, pool, bad); !fault.Is(err, fault.LedgerEntryBad) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// However many spend at once, no more is spent than there is.
func TestHoldsAtOnce(t *testing.T) {
	pool := withAdvance(t, 1000)
	var spent atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			key := fmt.Sprint("use:", i)
			err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				if _, err := ledger.PlaceHold(t.Context(), tx, ledger.Hold{Key: key, Account: advance, Amount: 300, At: at, Until: at.Add(time.Hour)}); err != nil {
					return err
				}
				e := entry(key, 300)
				e.Kind, e.Postings = ledger.AdvanceUse, []ledger.Posting{{Account: advance, Amount: 300}, {Account: duty, Amount: -300}}
				if _, err := ledger.Post(t.Context(), tx, e); err != nil {
					return err
				}
				return ledger.EndHold(t.Context(), tx, key, ledger.Used, at)
			})
			switch {
			case err == nil:
				spent.Add(300)
			case !fault.Is(err, fault.LedgerFundsShort):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if spent.Load() != 900 {
		t.Errorf("spent %d", spent.Load())
	}
	available(t, pool, at, 100)
}
