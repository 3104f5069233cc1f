package postgrestest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// CutOff begins work, which stops where it would write a table that is locked,
// and ends it there: its connection, or its caller. What an earlier work has left
// with the server may wait at the table too, and is ended with it.
func CutOff(t testing.TB, pool *pgxpool.Pool, table string, connection bool, work func(context.Context) error) {
	t.Helper()
	lock, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }() // the pool's end waits for it
	// However long the work takes, the server must not end the lock.
	if _, err := lock.Exec(t.Context(), "SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE "+table+" IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- work(ctx)
	}()
	const waiting = ` FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND relation = $1::regclass`
	met := false
	for {
		select {
		case err := <-done:
			if !met {
				t.Fatalf("the work did not wait for %s: %v", table, err)
			}
			if err == nil {
				t.Error("the work does not say that it was cut off")
			}
			if err := lock.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(time.Millisecond):
		}
		ask := `SELECT count(*)` + waiting
		if connection {
			ask = `SELECT count(pg_terminate_backend(pid))` + waiting
		}
		var n int
		if err := pool.QueryRow(t.Context(), ask, table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if met = met || n > 0; met && !connection {
			cancel()
		}
	}
}
