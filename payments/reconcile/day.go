package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// exceptionsListed bounds the exceptions in a Result; Cases lists all.
const exceptionsListed = 1000

// DayState says how far a day is.
type DayState string

// The states of a day.
const (
	DayOpen     DayState = "open"
	DayProposed DayState = "proposed" // somebody asks for it to be closed
	DayClosed   DayState = "closed"
)

// Result of a day: what its lines are, after the last run. Of a closed day it
// is what it was when it was closed, for ever.
type Result struct {
	Day            kz.Day         `json:"day"`
	State          DayState       `json:"state"`
	ProposedBy     string         `json:"proposed_by,omitempty"`
	ClosedBy       string         `json:"closed_by,omitempty"`
	Lines          int            `json:"lines"`               // booked on the day, bad ones included
	Matched        int            `json:"matched"`             // lines, each once
	MatchedAmount  money.Tiyn     `json:"matched_amount_tiyn"` // payments less refunds
	Rules          map[Rule]int   `json:"rules"`               // matches by their rule
	ExceptionCount int            `json:"exception_count"`     // cases that need a person
	Resolved       int            `json:"resolved"`            // cases that persons resolved
	Reasons        map[string]int `json:"reasons"`             // the exceptions by their reason
	Exceptions     []Case         `json:"exceptions"`          // the first thousand
	Totals         []Total        `json:"totals"`
}

// ClosedTo is the last closed day; the zero Day if none is.
func ClosedTo(ctx context.Context, q postgres.Querier) (kz.Day, error) {
	var closed kz.Day
	if err := q.QueryRow(ctx, `SELECT max(day) FROM reconcile_day WHERE state = 'closed'`).Scan(&closed); err != nil {
		return kz.Day{}, fmt.Errorf("read the closed days: %w", postgres.Classify(err))
	}
	return closed, nil
}

// OpenDays lists the open days that have statement lines.
func OpenDays(ctx context.Context, q postgres.Querier) ([]kz.Day, error) {
	// A loose index scan: the days are few, their lines many.
	rows, err := q.Query(ctx, `
		WITH RECURSIVE d (day) AS (
			SELECT min(booking_day) FROM statement_line
			 WHERE booking_day > coalesce((SELECT max(day) FROM reconcile_day WHERE state = 'closed'), '-infinity')
			UNION ALL
			SELECT (SELECT min(booking_day) FROM statement_line WHERE booking_day > d.day) FROM d WHERE d.day IS NOT NULL)
		SELECT day FROM d WHERE day IS NOT NULL ORDER BY day`)
	if err != nil {
		return nil, fmt.Errorf("list the open days: %w", postgres.Classify(err))
	}
	days, err := pgx.CollectRows(rows, pgx.RowTo[kz.Day])
	if err != nil {
		return nil, fmt.Errorf("list the open days: %w", postgres.Classify(err))
	}
	return days, nil
}

// ResultOf returns the state of a day as its last run left it.
func ResultOf(ctx context.Context, q postgres.Querier, day kz.Day) (*Result, error) {
	if day.IsZero() {
		return nil, fault.New(fault.BadArgument, "/day", "a day is required")
	}
	r := &Result{Day: day, State: DayOpen}
	var kept []byte
	err := q.QueryRow(ctx, `SELECT state, proposed_by, closed_by, result FROM reconcile_day WHERE day = $1`, day).
		Scan(&r.State, &r.ProposedBy, &r.ClosedBy, &kept)
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("read the day %s: %w", day, postgres.Classify(err))
	case r.State == DayClosed:
		if err := json.Unmarshal(kept, r); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "", "read the kept result of %s", day)
		}
		return r, nil
	}
	return r, r.count(ctx, q)
}

func (r *Result) count(ctx context.Context, q postgres.Querier) error {
	err := q.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM statement_line WHERE booking_day = $1) + (SELECT count(*) FROM statement_bad_line WHERE booking_day = $1),
		       (SELECT count(*) FROM reconcile_case WHERE day = $1 AND state = 'resolved')`, r.Day).Scan(&r.Lines, &r.Resolved)
	if err != nil {
		return fmt.Errorf("count the lines of %s: %w", r.Day, postgres.Classify(err))
	}
	r.Rules, r.Reasons = map[Rule]int{}, map[string]int{}
	rows, err := q.Query(ctx, `SELECT rule, count(*), count(*) FILTER (WHERE line_part = 0), sum(amount)::bigint FROM statement_match WHERE booking_day = $1 GROUP BY rule`, r.Day)
	if err == nil {
		var rule Rule
		var parts, lines int
		var amount money.Tiyn
		_, err = pgx.ForEachRow(rows, []any{&rule, &parts, &lines, &amount}, func() error {
			r.Rules[rule] = parts
			r.Matched += lines
			r.MatchedAmount += amount // of a day of statements, whose sum was checked
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("count the matches of %s: %w", r.Day, postgres.Classify(err))
	}
	rows, err = q.Query(ctx, `SELECT reason, count(*) FROM reconcile_case WHERE day = $1 AND state IN ('open', 'proposed') GROUP BY reason`, r.Day)
	if err == nil {
		var reason string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&reason, &n}, func() error {
			r.Reasons[reason] = n
			r.ExceptionCount += n
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("count the exceptions of %s: %w", r.Day, postgres.Classify(err))
	}
	if r.Exceptions, err = exceptionsOf(ctx, q, r.Day); err != nil {
		return err
	}
	r.Totals, err = Totals(ctx, q, r.Day, r.Day)
	return err
}

// Propose asks for a day to be closed, in the caller's transaction. It may be
// proposed again, by somebody else: the last one counts.
func Propose(ctx context.Context, tx pgx.Tx, day kz.Day, person string, now time.Time) error {
	if err := closable(ctx, tx, day, person, now); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO reconcile_day (day, state, proposed_by, proposed_at) VALUES ($1, 'proposed', $2, $3)
		ON CONFLICT (day) DO UPDATE SET proposed_by = $2, proposed_at = $3`, day, person, now)
	if err != nil {
		return fmt.Errorf("propose to close %s: %w", day, postgres.Classify(err))
	}
	return nil
}

// Close closes a day that somebody else proposed, after a last run, and keeps
// its result. Its open cases go on; its matches stand for ever.
func Close(ctx context.Context, tx pgx.Tx, c Config, day kz.Day, person string, now time.Time) (*Outcome, *Result, error) {
	if err := exclusive(ctx, tx); err != nil {
		return nil, nil, err
	}
	if err := closable(ctx, tx, day, person, now); err != nil {
		return nil, nil, err
	}
	var proposer string
	err := tx.QueryRow(ctx, `SELECT proposed_by FROM reconcile_day WHERE day = $1 FOR UPDATE`, day).Scan(&proposer)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil, fault.New(fault.DayNotProposed, "/day", "nobody has proposed to close %s", day)
	case err != nil:
		return nil, nil, fmt.Errorf("read the day %s: %w", day, postgres.Classify(err))
	case proposer == person:
		return nil, nil, fault.New(fault.TwoPersons, "/day", "the day was proposed by the same person")
	}
	outcome, err := Run(ctx, tx, c, now)
	if err != nil {
		return nil, nil, err
	}
	result := &Result{Day: day, State: DayClosed, ProposedBy: proposer, ClosedBy: person}
	if err := result.count(ctx, tx); err != nil {
		return nil, nil, err
	}
	kept, err := json.Marshal(result)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Internal, "", "keep the result of %s", day)
	}
	_, err = tx.Exec(ctx, `UPDATE reconcile_day SET state = 'closed', closed_by = $2, closed_at = $3, result = $4 WHERE day = $1`, day, person, now, kept)
	if err != nil {
		return nil, nil, fmt.Errorf("close %s: %w", day, postgres.Classify(err))
	}
	return outcome, result, nil
}

// closable refuses a day that has not ended or is closed, or before which there
// is an open one: days close in their order.
func closable(ctx context.Context, tx pgx.Tx, day kz.Day, person string, now time.Time) error {
	if day.IsZero() || person == "" {
		return fault.New(fault.BadArgument, "/day", "closing needs a day and a person")
	}
	if !day.Before(kz.DayOf(now)) {
		return fault.New(fault.DayNotOver, "/day", "%s has not ended", day)
	}
	closed, err := ClosedTo(ctx, tx)
	if err != nil {
		return err
	}
	if !closed.IsZero() && !day.After(closed) {
		return fault.New(fault.DayClosed, "/day", "the days to the end of %s are closed", closed)
	}
	open, err := OpenDays(ctx, tx)
	if err != nil {
		return err
	}
	if len(open) > 0 && open[0].Before(day) {
		return fault.New(fault.DayEarlierOpen, "/day", "%s is open", open[0])
	}
	return nil
}
