package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

func TestOpenRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		dsn  string
		want fault.Code
	}{
		"no address":        {" ", fault.DatabaseAddress},
		"a wrong address":   {"postgres://u:hunter2@host:port/db", fault.DatabaseAddress},
		"nobody listens":    {"postgres://u:hunter2@127.0.0.1:1/db", fault.DatabaseDown},
		"no socket":         {"postgres:///db?host=/nonexistent&user=u&password=hunter2", fault.DatabaseDown},
		"no such database":  {strings.Replace(postgrestest.DSN(t), "@/test", "@/none", 1), fault.DatabaseDenied},
		"no such user":      {strings.Replace(postgrestest.DSN(t), "senim@", "stranger@", 1), fault.DatabaseDenied},
		"an unknown option": {postgrestest.DSN(t) + "&no_such_option=1", fault.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := postgres.Open(t.Context(), row.dsn)
			if err == nil {
				pool.Close()
			}
			if fault.CodeOf(err) != row.want {
				t.Errorf("Open = %v, want %s", err, row.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestSessionsAreBounded(t *testing.T) {
	pool := postgrestest.Pool(t)
	for name, want := range map[string]string{
		"application_name": "senim", "TimeZone": "UTC", "statement_timeout": "30s", "lock_timeout": "10s",
	} {
		var got string
		if err := pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	said, err := postgres.Open(t.Context(), postgrestest.DSN(t)+"&statement_timeout=7s&pool_max_conns=2")
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	var got string
	if err := said.QueryRow(t.Context(), "SHOW statement_timeout").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != "7s" || said.Config().MaxConns != 2 {
		t.Errorf("statement_timeout %s and %d connections; the address said 7s and 2", got, said.Config().MaxConns)
	}
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	pool := postgrestest.Pool(t)
	at := time.Date(2026, time.November, 21, 23, 59, 59, 123456000, time.UTC)
	id := postgres.NewID(at)
	var gotAt time.Time
	var gotID uuid.UUID
	err := pool.QueryRow(t.Context(), "SELECT $1::timestamptz, $2::uuid", at.In(time.FixedZone("x", 5*3600)), id).Scan(&gotAt, &gotID)
	if err != nil {
		t.Fatal(err)
	}
	if gotAt != at || gotID != id { // ==, so the zone counts
		t.Errorf("%v %s came back as %v %s", at, id, gotAt, gotID)
	}
}

// Two transactions lock two rows in opposite orders: the database undoes one,
// InTx runs it again, and both take place.
func TestInTxRunsADeadlockAgain(t *testing.T) {
	pool := postgrestest.Pool(t)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE counters (id int PRIMARY KEY, n int); INSERT INTO counters VALUES (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	holding := make(chan struct{}, 2)
	both := make(chan struct{})
	for _, order := range [][]int{{1, 2}, {2, 1}} {
		group.Go(func() error {
			met := false
			return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				for i, id := range order {
					if _, err := tx.Exec(t.Context(), "UPDATE counters SET n = n + 1 WHERE id = $1", id); err != nil {
						return fmt.Errorf("count: %w", err)
					}
					if i == 0 && !met {
						met = true
						holding <- struct{}{}
						<-both
					}
				}
				return nil
			})
		})
	}
	<-holding
	<-holding
	close(both)
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	var sum int
	if err := pool.QueryRow(t.Context(), "SELECT sum(n) FROM counters").Scan(&sum); err != nil {
		t.Fatal(err)
	}
	if sum != 4 {
		t.Errorf("the counters add up to %d, want 4", sum)
	}
}

func TestInTxGivesUp(t *testing.T) {
	pool := postgrestest.Pool(t)
	raise := func(state string, calls *int) error {
		return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			*calls++
			_, err := tx.Exec(t.Context(), "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '"+state+"'; END $$")
			return err
		})
	}
	var calls int
	if err := raise("40001", &calls); !fault.Is(err, fault.DatabaseBusy) || calls != 5 {
		t.Errorf("InTx = %v after %d calls, want %s after 5", err, calls, fault.DatabaseBusy)
	}
	calls = 0
	if err := raise("23505", &calls); !postgres.UniqueViolation(err, "") || calls != 1 {
		t.Errorf("InTx = %v after %d calls, want the violation after 1", err, calls)
	}
}

func TestInTxKeepsTheCallersRefusal(t *testing.T) {
	pool := postgrestest.Pool(t)
	refusal := fault.New(fault.BINInvalid, "", "no")
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "CREATE TABLE trace ()"); err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("InTx = %v", err)
	}
	var there bool
	if err := pool.QueryRow(t.Context(), "SELECT to_regclass('trace') IS NOT NULL").Scan(&there); err != nil {
		t.Fatal(err)
	}
	if there {
		t.Error("a refused transaction left a trace")
	}
}

func TestInTxWithAnEndedContext(t *testing.T) {
	pool := postgrestest.Pool(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := postgres.InTx(ctx, pool, func(pgx.Tx) error { return nil })
	if !fault.Is(err, fault.Cancelled) {
		t.Errorf("InTx = %v, want %s", err, fault.Cancelled)
	}
}

func TestOpenUnhurried(t *testing.T) {
	pool, err := postgres.OpenUnhurried(t.Context(), postgrestest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		var limit string
		if err := pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&limit); err != nil {
			t.Fatal(err)
		}
		if limit != "0" {
			t.Errorf("%s is %s, want none", name, limit)
		}
	}
	if _, err := postgres.OpenUnhurried(t.Context(), ""); !fault.Is(err, fault.DatabaseAddress) {
		t.Errorf("OpenUnhurried without an address = %v, want %s", err, fault.DatabaseAddress)
	}
}
