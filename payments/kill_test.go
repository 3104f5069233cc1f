package payments_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
)

// What tells the test binary to be the process that is killed.
const (
	childDatabase = "SENIM_TEST_DATABASE"
	childFact     = "SENIM_TEST_FACT"
	childNow      = "SENIM_TEST_NOW"
)

// TestTakeInAnotherProcess takes one fact and waits to be killed. By itself it
// is no test.
func TestTakeInAnotherProcess(t *testing.T) {
	dsn := os.Getenv(childDatabase)
	if dsn == "" {
		t.Skip("run by TestKilledAtEveryStep")
	}
	pool, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	now, err := time.Parse(time.RFC3339Nano, os.Getenv(childNow))
	if err != nil {
		t.Fatal(err)
	}
	var f gateway.Fact
	if err := json.Unmarshal([]byte(os.Getenv(childFact)), &f); err != nil {
		t.Fatal(err)
	}
	book, err := order.NewBook(kz.FormatOnly, order.Treasury(sample.RevenueOffice, officeBIN, "УГД"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := payments.New(payments.Config{Pool: pool, Jobs: &jobs{}, Gateway: plain{}, Book: book, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(t.Context(), keyed(f)); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the kill: nobody is answered
}

func keyed(f gateway.Fact) payments.Told {
	told := toldOf(f)
	told.Key, told.Caller = &idempotency.Key{Value: f.Reference, BodySHA256: payments.DigestOf(&f)}, "bank"
	return told
}

// A process is killed at every step of taking a payment: while it waits for a
// table that the test holds, in the order in which it comes to them, and after
// the commit, before anybody is answered. Then the gateway tells again. Nothing
// is lost and nothing doubled.
//
// The process sends its writes with COMMIT in one go, so without more the
// server may finish what a dead client asked for; cut says that the server's
// side dies too.
func TestKilledAtEveryStep(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process for each step")
	}
	const reading, writing = "ACCESS EXCLUSIVE", "SHARE"
	steps := []struct {
		table, mode string
	}{
		{"payment_order_once", reading}, {"payment_order", reading}, {"payment_line", reading},
		{"gateway_reference", reading}, {"gateway_original", reading}, {"idempotency", reading}, {"ledger_period", reading},
		{"gateway_reference", writing}, {"gateway_fact", writing}, {"payment_order", writing},
		{"ledger_key", writing}, {"ledger_entry", writing}, {"ledger_posting", writing},
		{"evidence_digests", writing}, {"evidence_objects", writing}, {"evidence_entries", writing},
		{"event_heads", writing}, {"events", writing}, {"river_job", writing}, {"audit_records", writing}, {"idempotency", writing},
		{"", ""}, // committed, and not answered
	}
	w := newWorld(t)
	dsn := w.pool.Config().ConnString()
	for i, step := range steps {
		for _, cut := range []bool{false, true} {
			name := fmt.Sprintf("%d %s %s cut %v", i, step.table, step.mode, cut)
			f := captured(w, w.presented(), fmt.Sprintf("KILL-%d-%v", i, cut))
			w.killAt(dsn, step.table, step.mode, cut, f)
			if n := w.count("gateway_fact WHERE reference = $1", f.Reference); n != 0 && (step.mode == reading || cut && step.table != "") {
				t.Errorf("%s: %d facts of a process that was killed before its commit", name, n)
			}
			w.verified()
			for range 2 {
				if outcome, err := w.service.Take(t.Context(), keyed(f)); err != nil || outcome.State != payments.FactPosted || outcome.OrderState != order.Paid {
					t.Errorf("%s: told again: %+v, %v", name, outcome, err)
				}
			}
			for _, rows := range []string{
				"gateway_reference WHERE reference = $1", "gateway_fact WHERE reference = $1", "idempotency WHERE key = $1 AND answer IS NOT NULL",
				"ledger_key WHERE natural_key = 'payment:plain:' || $1", "events WHERE type = 'payment.posted' AND data->>'reference' = $1",
			} {
				if n := w.count(rows, f.Reference); n != 1 {
					t.Errorf("%s: %d rows in %s", name, n, rows)
				}
			}
		}
	}
	w.verified()
}

// killAt starts a process that takes a fact, and kills it when it waits for the
// table; without a table, when the fact is there.
func (w *world) killAt(dsn, table, mode string, cut bool, f gateway.Fact) {
	w.t.Helper()
	holder, err := pgx.Connect(w.ctx(), dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	defer holder.Close(w.ctx())
	run := func(sql string, args ...any) {
		w.t.Helper()
		if _, err := holder.Exec(w.ctx(), sql, args...); err != nil {
			w.t.Fatal(err)
		}
	}
	run("BEGIN")
	until := `SELECT count(*) FROM gateway_fact WHERE reference = $1`
	if table != "" {
		// To lock the book one must be able to change it; the rollback takes that back.
		run("GRANT UPDATE ON ledger_key, ledger_entry, ledger_posting TO CURRENT_USER")
		run("LOCK TABLE " + table + " IN " + mode + " MODE")
		until = `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database() AND $1 <> ''`
	}
	raw, err := json.Marshal(f)
	if err != nil {
		w.t.Fatal(err)
	}
	child := exec.CommandContext(w.ctx(), os.Args[0], "-test.run=^TestTakeInAnotherProcess$")
	child.Env = append(os.Environ(), childDatabase+"="+dsn, childFact+"="+string(raw), childNow+"="+w.clock.Now().Format(time.RFC3339Nano))
	if _, err := child.StdinPipe(); err != nil {
		w.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.await(until, f.Reference)
	if err := child.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	if cut {
		run(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()`)
	}
	run("ROLLBACK")
	// The dead process's connections end by themselves.
	w.await(`SELECT (count(*) = 0)::int FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid() AND $1 <> ''`, f.Reference)
}

// await asks until the answer is not 0; the database sets the pace.
func (w *world) await(sql string, args ...any) {
	w.t.Helper()
	for {
		var n int
		if err := w.pool.QueryRow(w.ctx(), sql, args...).Scan(&n); err != nil {
			w.t.Fatal(err)
		}
		if n > 0 {
			return
		}
		if _, err := w.pool.Exec(w.ctx(), `SELECT pg_sleep(0.01)`); err != nil {
			w.t.Fatal(err)
		}
	}
}
