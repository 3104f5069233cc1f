package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// RuleIdentifier is the name of the one rule, stored with each match: the
// identifier, the amount and the budget code are the same.
const RuleIdentifier = "identifier_amount_budget_code"

// exceptionsListed bounds the exceptions in a Result; all are in the table.
const exceptionsListed = 1000

// runLock is the key of the advisory lock that lets one run work at a time.
const runLock = 0x73656e696d5f7263

// Accounts that a matched line moves money between.
type Accounts struct {
	Clearing ledger.Account // credited: the gateway's promise is kept
	Treasury ledger.Account // debited: the treasury has it
}

// Result of a day: what its lines are, after the run.
type Result struct {
	Day            kz.Day      `json:"day"`
	Lines          int         `json:"lines"` // of the day, bad ones included
	Matched        int         `json:"matched"`
	MatchedAmount  money.Tiyn  `json:"matched_amount_tiyn"`
	ExceptionCount int         `json:"exception_count"`
	Exceptions     []Exception `json:"exceptions"` // the first thousand, in the order of the files
	Orders         []uuid.UUID `json:"orders"`     // reconciled, with a line matched on this day
}

// Exception is a line that needs a person.
type Exception struct {
	Reason     fault.Code `json:"reason"`
	File       string     `json:"file"`
	Place      string     `json:"place"`
	Reference  string     `json:"reference"`
	Identifier string     `json:"identifier"`
	BudgetCode string     `json:"budget_code"`
	Amount     money.Tiyn `json:"amount_tiyn"`
	// What the order with this identifier says; zero if there is none.
	ExpectedBudgetCode string     `json:"expected_budget_code,omitempty"`
	ExpectedAmount     money.Tiyn `json:"expected_amount_tiyn,omitempty"`
}

// Run reconciles the statement lines booked on a day, in the caller's
// transaction.
func Run(ctx context.Context, tx pgx.Tx, accounts Accounts, day kz.Day, now time.Time) (*Result, error) {
	if day.IsZero() {
		return nil, fault.New(fault.BadArgument, "/day", "a day is required")
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(runLock)); err != nil {
		return nil, fmt.Errorf("wait for another reconciliation: %w", postgres.Classify(err))
	}
	at := now.UTC().Truncate(time.Microsecond)
	matches, err := match(ctx, tx, day, at)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, tx, accounts, matches, day, at); err != nil {
		return nil, err
	}
	if err := except(ctx, tx, day, at); err != nil {
		return nil, err
	}
	if err := finish(ctx, tx, matches, day, at); err != nil {
		return nil, err
	}
	return ResultOf(ctx, tx, day)
}

// found is one new match.
type found struct {
	Line, Order, Transaction uuid.UUID
	Amount                   money.Tiyn
}

// match finds the lines of the day that are an order's line. Of several with
// the same identifier the first that came is it; the rest are duplicates.
func match(ctx context.Context, tx pgx.Tx, day kz.Day, at time.Time) ([]found, error) {
	rows, err := tx.Query(ctx, `
		WITH candidates AS (
			SELECT DISTINCT ON (l.identifier) l.identifier, s.id AS line_id, l.order_id, p.transaction_id, s.amount
			  FROM statement_line s
			  JOIN payment_identifier i ON i.identifier = s.identifier
			  JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
			  JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at
			 WHERE s.booking_day = $1 AND s.booked
			   AND s.amount = l.amount AND s.budget_code = l.budget_code
			   AND p.state = $2
			   AND NOT EXISTS (SELECT FROM payment_match m WHERE m.identifier = l.identifier)
			 ORDER BY l.identifier, s.recorded_at, s.position),
		matched AS (
			INSERT INTO payment_match (identifier, line_id, order_id, recorded_at, booking_day, amount, rule)
			SELECT identifier, line_id, order_id, $3, $1, amount, $4 FROM candidates
			RETURNING identifier)
		SELECT c.line_id, c.order_id, c.transaction_id, c.amount
		  FROM candidates c JOIN matched USING (identifier) ORDER BY c.identifier`,
		day, string(order.Paid), at, RuleIdentifier)
	if err != nil {
		return nil, fmt.Errorf("match the lines of %s: %w", day, postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	if err != nil {
		return nil, fmt.Errorf("match the lines of %s: %w", day, postgres.Classify(err))
	}
	return all, nil
}

// settle posts each match: the money has left clearing and is at the treasury.
func settle(ctx context.Context, tx pgx.Tx, accounts Accounts, matches []found, day kz.Day, at time.Time) error {
	for some := range slices.Chunk(matches, ledger.EntriesMax) {
		entries := make([]ledger.Entry, len(some))
		for i, m := range some {
			entries[i] = ledger.Entry{
				Key: "settlement:" + m.Line.String(), Kind: ledger.Settlement, Day: day, Transaction: m.Transaction, At: at,
				Postings: []ledger.Posting{{Account: accounts.Treasury, Amount: m.Amount}, {Account: accounts.Clearing, Amount: -m.Amount}},
			}
		}
		if _, err := ledger.PostAll(ctx, tx, entries); err != nil {
			return fmt.Errorf("settle the matched lines of %s: %w", day, err)
		}
	}
	return nil
}

// except says of every line of the day that is matched to nothing why. What
// the line itself says comes before what became of its identifier, so that a
// match on another day changes no reason of this one but payment_not_posted.
func except(ctx context.Context, tx pgx.Tx, day kz.Day, at time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM payment_exception WHERE booking_day = $1`, day)
	if err != nil {
		return fmt.Errorf("clear the exceptions of %s: %w", day, postgres.Classify(err))
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO payment_exception (line_id, booking_day, recorded_at, reason)
		SELECT s.id, $1, $2,
		       CASE WHEN NOT s.booked THEN $3
		            WHEN s.amount < 0 THEN $4
		            WHEN s.identifier = '' THEN $5
		            WHEN l.identifier IS NULL THEN $6
		            WHEN s.amount <> l.amount THEN $7
		            WHEN s.budget_code <> l.budget_code THEN $8
		            WHEN EXISTS (SELECT FROM payment_match m WHERE m.identifier = l.identifier) THEN $9
		            ELSE $10 END
		  FROM statement_line s
		  LEFT JOIN payment_identifier i ON i.identifier = s.identifier
		  LEFT JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
		 WHERE s.booking_day = $1
		   AND NOT EXISTS (SELECT FROM payment_match m WHERE m.line_id = s.id)`,
		day, at, string(fault.NotBooked), string(fault.DebitEntry), string(fault.MissingIdentifier), string(fault.UnknownIdentifier),
		string(fault.AmountDiffers), string(fault.WrongBudgetCode), string(fault.DuplicatePayment), string(fault.NotPosted))
	if err != nil {
		return fmt.Errorf("find the exceptions of %s: %w", day, postgres.Classify(err))
	}
	return nil
}

// Reconciled is the data of the event payment.reconciled.
type Reconciled struct {
	Order  uuid.UUID  `json:"order_id"`
	Amount money.Tiyn `json:"amount_tiyn"`
	Day    kz.Day     `json:"day"`
}

// EventReconciled tells that every line of an order was found in statements.
const EventReconciled = "payment.reconciled"

// agreed is the condition that every line of the order p is matched.
const agreed = `NOT EXISTS (SELECT FROM payment_line l
	WHERE l.order_id = p.id AND l.recorded_at = p.recorded_at
	  AND NOT EXISTS (SELECT FROM payment_match m WHERE m.identifier = l.identifier))`

type agreedOrder struct {
	ID, Transaction uuid.UUID
	Total           money.Tiyn
}

// finish tells of the orders whose last line was matched. A line is matched
// once, so each is told of once.
func finish(ctx context.Context, tx pgx.Tx, matches []found, day kz.Day, at time.Time) error {
	ids := make([]uuid.UUID, len(matches))
	for i, m := range matches {
		ids[i] = m.Order
	}
	rows, err := tx.Query(ctx, `
		SELECT p.id, p.transaction_id, p.total
		  FROM payment_order_once o
		  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
		 WHERE o.order_id = ANY ($1) AND `+agreed+`
		 ORDER BY p.transaction_id`, ids)
	if err != nil {
		return fmt.Errorf("find the reconciled orders: %w", postgres.Classify(err))
	}
	whole, err := pgx.CollectRows(rows, pgx.RowToStructByPos[agreedOrder])
	if err != nil {
		return fmt.Errorf("find the reconciled orders: %w", postgres.Classify(err))
	}
	for _, o := range whole { // by transaction, as Publish wants them
		event := outbox.Event{Transaction: o.Transaction, Type: EventReconciled, At: at, Data: Reconciled{Order: o.ID, Amount: o.Total, Day: day}}
		if err := outbox.Publish(ctx, tx, event); err != nil {
			return fmt.Errorf("tell of the reconciled order %s: %w", o.ID, err)
		}
	}
	return nil
}

// ResultOf returns the state of a day as its last run left it.
func ResultOf(ctx context.Context, q postgres.Querier, day kz.Day) (*Result, error) {
	r := &Result{Day: day}
	err := q.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM statement_line WHERE booking_day = $1) + (SELECT count(*) FROM statement_bad_line WHERE booking_day = $1),
		       (SELECT count(*) FROM payment_match WHERE booking_day = $1),
		       (SELECT coalesce(sum(amount), 0)::bigint FROM payment_match WHERE booking_day = $1),
		       (SELECT count(*) FROM payment_exception WHERE booking_day = $1) + (SELECT count(*) FROM statement_bad_line WHERE booking_day = $1)`,
		day).Scan(&r.Lines, &r.Matched, &r.MatchedAmount, &r.ExceptionCount)
	if err != nil {
		return nil, fmt.Errorf("count the lines of %s: %w", day, postgres.Classify(err))
	}
	if r.Exceptions, err = exceptionsOf(ctx, q, day); err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, `
		SELECT DISTINCT p.id
		  FROM payment_match m
		  JOIN payment_order_once o ON o.order_id = m.order_id
		  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
		 WHERE m.booking_day = $1 AND `+agreed+` ORDER BY 1`, day)
	if err == nil {
		r.Orders, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	}
	if err != nil {
		return nil, fmt.Errorf("list the orders of %s: %w", day, postgres.Classify(err))
	}
	return r, nil
}

func exceptionsOf(ctx context.Context, q postgres.Querier, day kz.Day) ([]Exception, error) {
	rows, err := q.Query(ctx, `
		WITH wrong AS (
			SELECT e.reason, s.file_id, s.recorded_at, s.position, s.place, s.reference, s.identifier, s.budget_code, s.amount,
			       coalesce(l.budget_code, '') AS expected_code, coalesce(l.amount, 0) AS expected
			  FROM payment_exception e
			  JOIN statement_line s ON s.id = e.line_id
			  LEFT JOIN payment_identifier i ON i.identifier = s.identifier
			  LEFT JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
			 WHERE e.booking_day = $1
			UNION ALL
			SELECT code, file_id, recorded_at, position, place, '', '', '', 0, '', 0
			  FROM statement_bad_line WHERE booking_day = $1)
		SELECT w.reason, f.name, w.place, w.reference, w.identifier, w.budget_code, w.amount, w.expected_code, w.expected
		  FROM wrong w JOIN statement_file f ON f.id = w.file_id
		 ORDER BY f.recorded_at, f.id, w.position LIMIT $2`, day, exceptionsListed)
	if err != nil {
		return nil, fmt.Errorf("list the exceptions of %s: %w", day, postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Exception])
	if err != nil {
		return nil, fmt.Errorf("list the exceptions of %s: %w", day, postgres.Classify(err))
	}
	return all, nil
}
