package postgres_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// Each row is one transaction over a table of numbers that holds 1; what it
// should hold after is the sum.
func TestInPipeline(t *testing.T) {
	refusal := errors.New("refused")
	insert := func(sql string) func(*pgx.Batch) error {
		return func(b *pgx.Batch) error { b.Queue(sql); return nil }
	}
	refuse := func(b *pgx.Batch) error { b.Queue(`INSERT INTO n VALUES (5)`); return refusal }
	tests := []struct {
		name        string
		read, write func(*pgx.Batch) error
		sum         int
		failed      func(error) bool
	}{
		{"both", insert(`INSERT INTO n VALUES (2)`), insert(`INSERT INTO n VALUES (4)`), 7, func(err error) bool { return err == nil }},
		{"read refuses", refuse, insert(`INSERT INTO n VALUES (4)`), 1, func(err error) bool { return errors.Is(err, refusal) }},
		{"write refuses", insert(`INSERT INTO n VALUES (2)`), refuse, 1, func(err error) bool { return errors.Is(err, refusal) }},
		{"reading statement fails", insert(`INSERT INTO n VALUES (1)`), insert(`INSERT INTO n VALUES (4)`), 1,
			func(err error) bool { return postgres.UniqueViolation(err, "n_pkey") }},
		{"writing statement fails", insert(`INSERT INTO n VALUES (2)`), insert(`INSERT INTO n VALUES (2)`), 1,
			func(err error) bool { return postgres.UniqueViolation(err, "n_pkey") }},
		{"refused at commit", insert(`INSERT INTO late VALUES (1)`), insert(`INSERT INTO late VALUES (1)`), 1,
			func(err error) bool { return postgres.UniqueViolation(err, "late_pkey") }},
		{"function of a reading statement", func(b *pgx.Batch) error {
			b.Queue(`INSERT INTO n VALUES (2)`)
			b.Queue(`SELECT 1`).QueryRow(func(pgx.Row) error { return refusal })
			return nil
		}, insert(`INSERT INTO n VALUES (4)`), 1, func(err error) bool { return errors.Is(err, refusal) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := postgrestest.Pool(t)
			if _, err := pool.Exec(t.Context(), `CREATE TABLE n (n int PRIMARY KEY); INSERT INTO n VALUES (1);
				CREATE TABLE late (n int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)`); err != nil {
				t.Fatal(err)
			}
			if err := postgres.InPipeline(t.Context(), pool, tt.read, tt.write); !tt.failed(err) {
				t.Errorf("error %v", err)
			}
			var sum int
			if err := pool.QueryRow(t.Context(), `SELECT sum(n) FROM n`).Scan(&sum); err != nil || sum != tt.sum {
				t.Errorf("the numbers add up to %d, want %d; %v", sum, tt.sum, err)
			}
			if n := pool.Stat().AcquiredConns(); n != 0 {
				t.Errorf("%d connections are not given back", n)
			}
		})
	}
}

// What the reading statements found is there when write is called.
func TestInPipelineReadsBeforeItWrites(t *testing.T) {
	pool := postgrestest.Pool(t)
	var found int
	err := postgres.InPipeline(t.Context(), pool,
		func(b *pgx.Batch) error {
			b.Queue(`SELECT 42`).QueryRow(func(row pgx.Row) error { return row.Scan(&found) })
			return nil
		},
		func(*pgx.Batch) error {
			if found != 42 {
				t.Errorf("found %d", found)
			}
			return nil
		})
	if err != nil {
		t.Error(err)
	}
}

// The server's end in the middle undoes the transaction, and the pool opens
// another connection.
func TestInPipelineLosesItsConnection(t *testing.T) {
	pool := postgrestest.Pool(t)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE n (n int)`); err != nil {
		t.Fatal(err)
	}
	var pid int
	err := postgres.InPipeline(t.Context(), pool,
		func(b *pgx.Batch) error {
			b.Queue(`INSERT INTO n SELECT 1 RETURNING pg_backend_pid()`).QueryRow(func(row pgx.Row) error { return row.Scan(&pid) })
			return nil
		},
		func(b *pgx.Batch) error {
			_, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend($1, 10000)`, pid)
			b.Queue(`INSERT INTO n VALUES (2)`)
			return err
		})
	if !fault.Is(err, fault.DatabaseDown) {
		t.Errorf("error %v", err)
	}
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM n`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
}
