package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// wholeLines is how many entries the statement has that is taken from the file
// to the last match; a million of them is a file of 1.1 GB.
const wholeLines = 100_000

// wholeBench is a day of the treasury in a file, and its lines as COPY takes
// them, without a parser.
type wholeBench struct {
	*reconcileBench
	file, copied string // paths
}

// wholeAgainstBare takes a camt.053 from the file to reconciled. The reference
// has the same lines read already: it copies them into a table without an index
// and reconciles them by the bare SQL, in one transaction.
func wholeAgainstBare(ctx context.Context, b *bench, row benchRow) (result benchResult, err error) {
	r, end, err := b.newReconcileBench(ctx, row, wholeLines)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, end()) }()
	w := &wholeBench{reconcileBench: r, file: filepath.Join(b.dir, "day.xml"), copied: filepath.Join(b.dir, "day.copy")}
	if err := w.prepare(ctx); err != nil {
		return result, err
	}
	if err := w.parse(row.name); err != nil {
		return result, err
	}
	before := residentMiB()
	result, err = b.reconcileRounds(ctx, row, w.side(wholeReset, w.ours), w.side(wholeReset, w.bare))
	if err == nil {
		b.tell("%s: resident memory of the service %d MiB before, %d MiB after", row.name, before, residentMiB())
	}
	return result, err
}

// wholeReset takes away the statement as well.
const wholeReset = reconcileReset + `;
	TRUNCATE statement_file, statement_part, statement_line, statement_line_once, statement_bad_line`

// line is entry number n of the statement: what bench_reconcile_lines.sql has,
// but that no end-to-end reference stands for an identifier.
func (w *wholeBench) line(n int) sample.TreasuryLine {
	codes := [...]string{"106104", "106201", "105102"}
	i := n*7919%w.lines + 1
	l := sample.TreasuryLine{
		Amount: money.Tiyn(1000 + i*7%999983), BudgetCode: codes[i%3], PurposeCode: "911", Payer: fmt.Sprint(100000000000 + i%50000), EndToEnd: "NOTPROVIDED",
	}
	switch kind := i % 100; {
	case kind < 93 || kind == 98:
		body := 261110000000000 + i
		l.Identifier = fmt.Sprintf("%017d", body*100+98-body*100%97)
		l.Amount += money.Tiyn(kind / 98)
	case kind == 99:
		l.BudgetCode, l.Payer = "101111", "900000000000"
	}
	return l
}

// prepare writes the file, and imports it once to write the lines down.
func (w *wholeBench) prepare(ctx context.Context) (err error) {
	day := sample.TreasuryDay{Account: order.TreasuryIIK, Day: w.day, ID: "BENCH", Entries: w.lines, First: 1, Line: w.line}
	reader, err := day.Reader()
	if err != nil {
		return err
	}
	file, err := os.Create(w.file)
	if err != nil {
		return fmt.Errorf("write the statement: %w", err)
	}
	size, err := file.ReadFrom(reader)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the statement: %w", err)
	}
	w.b.tell("the statement has %d entries, %.2f GB", day.Entries, float64(size)/1e9)
	if err := w.take(ctx); err != nil {
		return err
	}
	if file, err = os.Create(w.copied); err != nil {
		return fmt.Errorf("write the lines down: %w", err)
	}
	err = w.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		_, err := c.Conn().PgConn().CopyTo(ctx, file, "COPY (SELECT * FROM statement_line) TO STDOUT")
		return err
	})
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the lines down: %w", postgres.Classify(err))
	}
	return nil
}

// parse tells how fast the file is read when nothing is stored.
func (w *wholeBench) parse(row string) error {
	file, err := os.Open(w.file)
	if err != nil {
		return fmt.Errorf("open the statement: %w", err)
	}
	defer file.Close()
	entries, start := 0, w.b.now()
	err = statement.Parse(file, statement.Options{}, statement.Sink{
		Entry: func(*statement.Statement, *statement.Entry) error { entries++; return nil },
	})
	if err != nil {
		return err
	}
	w.b.tell("%s: parsing alone %.0f entries/s", row, float64(entries)/w.b.now().Sub(start).Seconds())
	return nil
}

func (w *wholeBench) treasury() payments.Treasury {
	return payments.Treasury{Pool: w.pool, Jobs: w.jobs, Now: w.b.now}
}

// take imports the file.
func (w *wholeBench) take(ctx context.Context) error {
	file, err := os.Open(w.file)
	if err != nil {
		return fmt.Errorf("open the statement: %w", err)
	}
	defer file.Close()
	done, err := w.treasury().ImportStatement(ctx, "day.xml", file, statement.Options{})
	if err == nil && done.Lines != w.lines {
		err = fault.New(fault.Internal, "", "%d lines were imported, %d known, %d bad", done.Lines, done.Duplicates, done.Bad)
	}
	return err
}

func (w *wholeBench) ours(ctx context.Context) error {
	start := w.b.now()
	if err := w.take(ctx); err != nil {
		return err
	}
	imported := w.b.now()
	_, err := w.treasury().Reconcile(ctx, w.day)
	w.b.tell("imported in %s, reconciled in %s", imported.Sub(start).Round(1e6), w.b.now().Sub(imported).Round(1e6))
	return err
}

func (w *wholeBench) bare(ctx context.Context) error {
	file, err := os.Open(w.copied)
	if err != nil {
		return fmt.Errorf("open the lines: %w", err)
	}
	defer file.Close()
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE TABLE bare_line (LIKE statement_line)"); err != nil {
			return fmt.Errorf("make the table of the bare COPY: %w", postgres.Classify(err))
		}
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, file, "COPY bare_line FROM STDIN"); err != nil {
			return fmt.Errorf("copy: %w", postgres.Classify(err))
		}
		if _, err := tx.Exec(ctx, "ANALYZE bare_line"); err != nil {
			return fmt.Errorf("look at the lines: %w", postgres.Classify(err))
		}
		return w.bareFrom(ctx, tx, "bare_line")
	})
}
