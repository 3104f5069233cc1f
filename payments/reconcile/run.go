package reconcile

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
)

// runLock is the key of the advisory lock that lets one run, closing or
// decision work at a time.
const runLock = 0x73656e696d5f7263

const (
	// horizonDays is how long before the first open day an order may have been
	// made for a run to look for its money. An older one is still found by its
	// identifier, and what was missing of it has its case.
	horizonDays = 45

	// missingAfter is how many business days the treasury's statement may take
	// to show a payment; order 540 of 04.12.2014 gives banks and the treasury
	// one day each, and a day is left over.
	missingAfter = 3

	// windowDays is how long after an order's time to pay is over its money may
	// still be booked, for the levels that do not name the order.
	windowDays = 5

	// groupMax bounds the pairs that are tried within what shares a payer and
	// an amount; beyond it they are as good as ambiguous.
	groupMax = 10_000
)

// settings of a run's transaction. It may take minutes where a request takes a
// second; the hash tables of a million lines want their memory at once; and the
// compilation of a plan costs more than it saves.
const settings = `
	SET LOCAL statement_timeout = 0;
	SET LOCAL lock_timeout = 0;
	SET LOCAL work_mem = '192MB';
	SET LOCAL jit = off`

// Config says what a run works on.
type Config struct {
	Treasury ledger.Account // debited with what was settled
	Gateway  string         // of orders that name none
	Calendar *kz.Calendar   // business days; required
}

// Outcome of a run.
type Outcome struct {
	Run       uuid.UUID
	FirstDay  kz.Day     // the first open day
	Made      int        // new matches
	Withdrawn int        // matches taken back
	Settled   money.Tiyn // net, from clearing to the treasury
	Changed   bool       // orders have new matches or lost some: events are to be told (Announce)
	PaidBack  []PaidBack // refunds under way that the statements show: they are executed
}

// run is one run under way.
type run struct {
	Config
	tx      pgx.Tx
	id      uuid.UUID
	at      time.Time
	closed  kz.Day // the last closed day, or one before all days
	overdue kz.Day // the last day of which a statement should show every payment
	horizon time.Time
	outcome Outcome
}

// dayZero is before every day of a statement.
var dayZero = kz.DayOf(time.Date(1991, 12, 16, 12, 0, 0, 0, time.UTC))

// Run reconciles every open day, in the caller's transaction.
func Run(ctx context.Context, tx pgx.Tx, c Config, now time.Time) (*Outcome, error) {
	if err := exclusive(ctx, tx); err != nil {
		return nil, err
	}
	at := now.UTC().Truncate(time.Microsecond)
	r := &run{Config: c, tx: tx, id: postgres.NewID(at), at: at}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"find the open days", r.begin},
		{"match by identifier", r.pair},
		{"match the rest", r.levels},
		{"find the gateways of the matches", r.attribute},
		{"store the matches", r.store},
		{"find the refunds", r.refunds},
		{"settle the matches", r.settle},
		{"find the exceptions", r.except},
		{"add up the days", r.total},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, postgres.Classify(err))
		}
	}
	return &r.outcome, nil
}

// exclusive makes the transaction the only one that changes matches and cases.
func exclusive(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, settings); err != nil {
		return fmt.Errorf("prepare the reconciliation: %w", postgres.Classify(err))
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(runLock)); err != nil {
		return fmt.Errorf("wait for another reconciliation: %w", postgres.Classify(err))
	}
	return nil
}

// exec runs statements that take no parameters but the run's literals.
func (r *run) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := r.tx.Exec(ctx, r.literals(s)); err != nil {
			return err
		}
	}
	return nil
}

// literals puts days, times and codes where a statement names them in braces.
// They are constants and values of this program's own; as literals they tell
// the planner which partitions it needs.
func (r *run) literals(statement string) string {
	pairs := []string{
		"{closed}", "'" + r.closed.String() + "'::date",
		"{next}", "'" + r.closed.AddDays(1).String() + "'::date",
		"{overdue}", "'" + r.overdue.String() + "'::date",
		"{horizon}", "'" + r.horizon.UTC().Format(time.RFC3339) + "'::timestamptz",
		"{horizon_day}", "'" + kz.DayOf(r.horizon).String() + "'::date",
		"{window}", strconv.Itoa(windowDays),
	}
	for name, code := range reasons {
		pairs = append(pairs, "{"+name+"}", "'"+string(code)+"'")
	}
	return strings.NewReplacer(pairs...).Replace(statement)
}

// begin finds where the open days start, and what of them persons have fixed.
func (r *run) begin(ctx context.Context) error {
	closed, err := ClosedTo(ctx, r.tx)
	if err != nil {
		return err
	}
	if r.closed = closed; closed.IsZero() {
		r.closed = dayZero
	}
	first := kz.Day{}
	err = r.tx.QueryRow(ctx, `SELECT min(booking_day) FROM statement_line WHERE booking_day > $1`, r.closed).Scan(&first)
	if err != nil {
		return err
	}
	switch {
	case first.IsZero() && closed.IsZero():
		first = kz.DayOf(r.at)
	case first.IsZero():
		first = closed.AddDays(1)
	}
	r.horizon = first.AddDays(-horizonDays).Start()
	r.outcome = Outcome{Run: r.id, FirstDay: first}
	return r.exec(ctx, looseMatches, looseRefunds, fixedDues, fixedLines)
}

// looseMatches are those of earlier runs that this one finds again or takes
// back: of open days, and not beside an accepted one, over which persons have
// decided with them in view.
const looseMatches = `
	CREATE TEMPORARY TABLE loose ON COMMIT DROP AS
	SELECT m.* FROM payment_match m
	 WHERE m.booking_day > {closed} AND NOT m.accepted
	   AND NOT EXISTS (SELECT FROM payment_match a WHERE a.accepted AND a.order_id = m.order_id AND a.position = m.position)
	   AND NOT EXISTS (SELECT FROM payment_match a JOIN payment_match b ON b.order_id = a.order_id AND b.position = a.position
	                    WHERE a.accepted AND b.line_id = m.line_id)`

// fixedDues says how much of a due no statement line is looked for: what is
// taken by matches that no run changes, and what was put on it from the payer's
// advance, which the treasury had before.
const fixedDues = `
	CREATE TEMPORARY TABLE fixed_due ON COMMIT DROP AS
	SELECT order_id, position, sum(amount)::bigint AS amount, max(parts)::smallint AS parts
	  FROM (SELECT m.order_id, m.position, m.amount, m.due_part + 1 AS parts
	          FROM payment_match m
	         WHERE m.booking_day >= {horizon_day}
	           AND NOT EXISTS (SELECT FROM loose l WHERE l.order_id = m.order_id AND l.position = m.position AND l.due_part = m.due_part)
	        UNION ALL
	        SELECT u.order_id, (n.number - 1)::smallint, n.amount, 0
	          FROM payment_advance_use u CROSS JOIN LATERAL unnest(u.lines) WITH ORDINALITY AS n (amount, number)
	         WHERE u.recorded_at >= {horizon} AND n.amount > 0) x
	 GROUP BY order_id, position`

// fixedLines are the lines of open days that persons have disposed of.
const fixedLines = `
	CREATE TEMPORARY TABLE fixed_line ON COMMIT DROP AS
	SELECT m.line_id FROM payment_match m
	 WHERE m.booking_day > {closed}
	   AND NOT EXISTS (SELECT FROM loose l WHERE l.line_id = m.line_id AND l.line_part = m.line_part)
	UNION
	SELECT m.line_id FROM payment_refund_match m
	 WHERE m.booking_day > {closed}
	   AND NOT EXISTS (SELECT FROM loose_refund l WHERE l.line_id = m.line_id AND l.line_part = m.line_part)
	UNION
	SELECT c.line_id FROM reconcile_case c WHERE c.state = 'resolved' AND c.line_id IS NOT NULL AND c.day > {closed}`
