package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Attempts of one transaction that others keep undoing, and the pause before
// the second one; it doubles from there.
const (
	txAttemptsMax = 5
	txPause       = 5 * time.Millisecond
)

// InTx runs fn in one transaction and commits if fn returns nil. When the
// database undoes the transaction because of another one (serialisation
// failure, deadlock), fn runs again from the start, up to five times: so fn
// must keep no state outside the transaction that a second run would spoil.
//
// A commit whose answer is lost is not retried: nobody knows whether it took
// place, and the caller's idempotency key or natural key decides.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	pause := txPause
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, pool, fn)
		if err == nil {
			return nil
		}
		if attempt == txAttemptsMax || !retryable(err) {
			return Classify(err)
		}
		// The jitter parts two transactions that met once.
		timer := time.NewTimer(pause + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return Classify(fmt.Errorf("retry the transaction: %w", ctx.Err()))
		case <-timer.C:
		}
		pause *= 2
	}
}
