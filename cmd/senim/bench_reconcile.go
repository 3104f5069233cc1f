package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
)

// Statement lines, and as many orders, that are reconciled; linesVariable says
// another number.
const (
	reconciledLines = 1_000_000
	smallLines      = 2_000
	linesVariable   = "SENIM_BENCH_LINES"
	reconcileRounds = 3
)

// The data of the rows, made inside the database, and the bare SQL that is the
// measure of them. {lines} is how many there are, {day} the day they are booked.
var (
	//go:embed bench_reconcile_orders.sql
	reconcileOrders string
	//go:embed bench_reconcile_lines.sql
	reconcileLines string
	//go:embed bench_reconcile_bare.sql
	reconcileBare string
)

// lines is how many statement lines a row reconciles, if nothing else is said.
func (b *bench) lines(usual int) (int, error) {
	text, said := os.LookupEnv(linesVariable)
	switch {
	case said:
		n, err := strconv.Atoi(text)
		if err != nil || n < 100 || n > 50_000_000 {
			return 0, fault.New(fault.BadArgument, linesVariable, "not a number from 100 to 50000000")
		}
		return n, nil
	case b.config.Small:
		return smallLines, nil
	}
	return usual, nil
}

// reconcileBench is a database of orders that were paid and lines of one day.
type reconcileBench struct {
	b     *bench
	pool  *pgxpool.Pool
	jobs  payments.Inserter
	lines int
	day   kz.Day
}

// reconcileAgainstBare reconciles one day, and has bare SQL make the same
// matches, exceptions and control totals. What one round made is taken away
// before the next.
func reconcileAgainstBare(ctx context.Context, b *bench, row benchRow) (result benchResult, err error) {
	r, end, err := b.newReconcileBench(ctx, row, reconciledLines)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := r.run(ctx, reconcileLines); err != nil {
		return result, err
	}
	before := residentMiB()
	result, err = b.reconcileRounds(ctx, row, r.side(reconcileReset, r.ours), r.side(reconcileReset, r.bare))
	if err == nil {
		b.tell("%s: resident memory of the service %d MiB before, %d MiB after", row.name, before, residentMiB())
	}
	return result, err
}

// newReconcileBench starts the database and makes the orders. Who has it ends
// it.
func (b *bench) newReconcileBench(ctx context.Context, row benchRow, usual int) (r *reconcileBench, end func() error, err error) {
	r = &reconcileBench{b: b, day: kz.DayOf(b.now()).AddDays(-1)}
	if r.lines, err = b.lines(usual); err != nil {
		return nil, nil, err
	}
	cluster, err := postgres.StartCluster(ctx, postgres.ClusterConfig{Dir: filepath.Join(b.dir, row.name), Unsafe: b.config.Small})
	if err != nil {
		return nil, nil, err
	}
	stop := func() error { return cluster.Stop(context.WithoutCancel(ctx)) }
	if r.pool, err = postgres.OpenUnhurried(ctx, cluster.DSN()); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	end = func() error { r.pool.Close(); return stop() }
	b.tell("%s: making %d orders and as many statement lines", row.name, r.lines)
	if err := r.prepare(ctx); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return r, end, nil
}

// reconcileRounds alternates both sides in few rounds, each over all lines.
func (b *bench) reconcileRounds(ctx context.Context, row benchRow, ours, reference benchSide) (benchResult, error) {
	rounds := b.config
	b.config.Rounds, b.config.Warmup, b.config.PerRound = min(rounds.Rounds, reconcileRounds), 0, 1
	defer func() { b.config = rounds }()
	return b.alternate(ctx, row, ours, reference)
}

func (r *reconcileBench) prepare(ctx context.Context) (err error) {
	if err := postgres.Migrate(ctx, r.pool); err != nil {
		return err
	}
	if err := postgres.EnsurePartitions(ctx, r.pool, r.b.now()); err != nil {
		return err
	}
	if r.jobs, err = insertOnly(r.pool, r.b.now); err != nil {
		return err
	}
	if err := r.run(ctx, truncatable); err != nil {
		return err
	}
	return r.run(ctx, reconcileOrders)
}

// run executes the statements of a script, one by one.
func (r *reconcileBench) run(ctx context.Context, script string) error {
	script = strings.NewReplacer("{lines}", strconv.Itoa(r.lines), "{day}", "'"+r.day.String()+"'::date").Replace(script)
	for statement := range strings.SplitSeq(script, ";\n") {
		if _, err := r.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%.60q: %w", strings.TrimSpace(statement), postgres.Classify(err))
		}
	}
	return nil
}

// side times one reconciliation a round, after what the former made is taken
// away; its rate is of lines.
func (r *reconcileBench) side(reset string, reconcile func(context.Context) error) benchSide {
	return func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
		if n == 0 { // no warm-up: each round starts from the same state
			return nil, 0, nil
		}
		if err := r.run(ctx, reset); err != nil {
			return nil, 0, err
		}
		start := r.b.now()
		if err := reconcile(ctx); err != nil {
			return nil, 0, err
		}
		took := r.b.now().Sub(start)
		each := make([]time.Duration, r.lines)
		for i := range each {
			each[i] = took
		}
		return each, took, r.check(ctx)
	}
}

// truncatable lets the tables be emptied between rounds, which they refuse.
const truncatable = `
	DO $$ DECLARE statement text; BEGIN FOR statement IN
	SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE tgtype & 32 <> 0 AND NOT tgisinternal
	LOOP EXECUTE statement; END LOOP; END $$`

// reconcileReset takes away what a round has made, but for its entry in the
// ledger.
const reconcileReset = `
	TRUNCATE payment_match, payment_match_withdrawn, payment_refund_match, payment_refund_match_withdrawn, reconcile_run, reconcile_case, reconcile_note, reconcile_total, reconcile_told;
	DROP TABLE IF EXISTS bare_match, bare_case, bare_total, bare_line`

func (r *reconcileBench) ours(ctx context.Context) error {
	treasury := payments.Treasury{Pool: r.pool, Jobs: r.jobs, Now: r.b.now}
	_, err := treasury.Reconcile(ctx, r.day)
	return err
}

// bare is one transaction, as ours is.
func (r *reconcileBench) bare(ctx context.Context) error {
	return pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error { return r.bareFrom(ctx, tx, "statement_line") })
}

// bareFrom reconciles the lines of a table.
func (r *reconcileBench) bareFrom(ctx context.Context, tx pgx.Tx, table string) error {
	script := strings.NewReplacer("{day}", "'"+r.day.String()+"'::date", "{statement_line}", table).Replace(reconcileBare)
	for statement := range strings.SplitSeq(script, ";\n") {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%.60q: %w", strings.TrimSpace(statement), postgres.Classify(err))
		}
	}
	return nil
}

// check counts what a side has made: both must make the same.
func (r *reconcileBench) check(ctx context.Context) error {
	matches, cases, totals := "payment_match", "reconcile_case", "reconcile_total"
	var bare bool
	err := r.pool.QueryRow(ctx, `SELECT to_regclass('bare_match') IS NOT NULL`).Scan(&bare)
	if err == nil && bare {
		matches, cases, totals = "bare_match", "bare_case", "bare_total"
	}
	var got, want [4]int64
	if err == nil {
		err = r.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM `+matches+`), (SELECT count(*) FROM `+cases+`), (SELECT sum(amount) FROM `+matches+`)::bigint,
			(SELECT sum(amount) FROM `+totals+`)::bigint`).Scan(&got[0], &got[1], &got[2], &got[3])
	}
	if err == nil {
		err = r.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE i % 100 < 98), count(*) FILTER (WHERE i % 100 >= 98) + count(*) FILTER (WHERE i % 100 = 99),
			sum(1000 + i * 7 % 999983) FILTER (WHERE i % 100 < 98)::bigint, sum(1000 + i * 7 % 999983 + (i % 100 = 98)::int)::bigint
			FROM generate_series(1, $1::bigint) i`, r.lines).
			Scan(&want[0], &want[1], &want[2], &want[3])
	}
	if err != nil {
		return fmt.Errorf("count what was reconciled: %w", postgres.Classify(err))
	}
	if got != want {
		return fault.New(fault.Internal, matches, "matches, exceptions, matched and total are %d, not %d", got, want)
	}
	return nil
}

// residentMiB is the memory of this process, without the files mapped into it, its
// own program above all; 0 where the system does not tell.
func residentMiB() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return 0
	}
	resident, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	mapped, err := strconv.Atoi(fields[2])
	if err != nil {
		return 0
	}
	return (resident - mapped) * os.Getpagesize() >> 20
}
