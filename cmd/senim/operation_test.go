package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/ledger"
)

// noon is the clock of the operator's commands under test.
var noon = time.Date(2026, time.November, 21, 7, 0, 0, 0, time.UTC)

// operator runs one command at a time as main would.
type operator struct {
	*program
	out, errs bytes.Buffer
}

func newOperator() *operator {
	o := &operator{}
	o.program = &program{stdout: &o.out, stderr: &o.errs, language: fault.English, now: func() time.Time { return noon }}
	return o
}

// run runs a command and gives its error; what it printed is in out.
func (o *operator) run(t *testing.T, command *cobra.Command, args ...string) error {
	t.Helper()
	o.out.Reset()
	o.errs.Reset()
	root := &cobra.Command{Use: "senim", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(command)
	root.SetArgs(append([]string{command.Name()}, args...))
	return root.ExecuteContext(t.Context())
}

// printed decodes what a --json command printed.
func printed[T any](t *testing.T, o *operator) (v T) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(o.out.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, o.out.String())
	}
	if d.More() {
		t.Errorf("more than one object: %s", o.out.String())
	}
	return v
}

// running makes a folder look like that of a running senim with a database.
func running(t *testing.T, dsn string) string {
	t.Helper()
	dir := t.TempDir()
	holdLock(t, dir)
	writeURLs(t, dir, urls{Database: dsn})
	return dir
}

func holdLock(t *testing.T, dir string) *os.File {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	check(t, err)
	check(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	t.Cleanup(func() { lock.Close() })
	return lock
}

func writeURLs(t *testing.T, dir string, u urls) {
	t.Helper()
	raw, err := json.Marshal(u)
	check(t, err)
	check(t, writeFileAtomically(filepath.Join(dir, urlsName), raw))
}

func openPool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), dsn)
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// ensurePartitions makes those of the operator's clock and of the database's.
func ensurePartitions(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	check(t, postgres.EnsurePartitions(t.Context(), pool, noon))
	check(t, postgres.EnsurePartitions(t.Context(), pool, time.Now()))
}

// fillDatabase leaves an audit record, an event and a ledger entry.
func fillDatabase(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	transaction := postgres.NewID(noon)
	check(t, postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		err := outbox.Audit(t.Context(), tx, outbox.AuditRecord{Actor: "оператор", Action: "test", Outcome: "done", At: noon})
		if err != nil {
			return err
		}
		err = outbox.Publish(t.Context(), tx, outbox.Event{Transaction: transaction, Type: "test.done", At: noon, Data: map[string]string{"ә": "і"}})
		if err != nil {
			return err
		}
		return postEntry(t.Context(), tx, transaction)
	}))
}

func postEntry(ctx context.Context, tx pgx.Tx, transaction uuid.UUID) error {
	_, err := ledger.Post(ctx, tx, ledger.Entry{
		Key: "fee:test:" + transaction.String(), Kind: ledger.Fee, Day: kz.DayOf(noon), Transaction: transaction, At: noon,
		Postings: []ledger.Posting{{Account: ledger.Fees("test"), Amount: 150}, {Account: ledger.Clearing("test"), Amount: -150}},
	})
	return err
}

// damageLedger changes a posting behind the back of the database's guards.
func damageLedger(t *testing.T, adminDSN string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), adminDSN)
	check(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "GRANT UPDATE ON ledger_posting TO CURRENT_USER; SET session_replication_role = replica; UPDATE ledger_posting SET amount = amount - 1 WHERE amount > 0")
	check(t, err)
}

// exitOf is the code that main would end with.
func exitOf(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	}
	return exitFailed
}
