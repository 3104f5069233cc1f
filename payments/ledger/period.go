package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
)

// periodLock is taken shared by everybody who posts (ledger_check_period) and
// alone by who closes.
const periodLock = `hashtextextended('ledger_period', 0)`

// Closing closes the book to the end of a business day.
type Closing struct {
	LastDay    kz.Day
	ProposedBy string // who asked for it,
	ClosedBy   string // and who agreed: somebody else
	At         time.Time
}

// Close closes the book in the caller's transaction, for ever: an entry of the
// day or of one before is refused from here on, and the balances at its end
// are kept. It waits for whoever is posting. Errors: ledger_period_closed if
// it is closed that far already, ledger_period_open if the day has not ended,
// two_persons_required.
func Close(ctx context.Context, tx pgx.Tx, c Closing) error {
	switch {
	case c.LastDay.IsZero() || c.At.IsZero() || c.ProposedBy == "" || c.ClosedBy == "":
		return fault.New(fault.BadArgument, "", "closing needs a day, a time and two persons")
	case c.ProposedBy == c.ClosedBy:
		return fault.New(fault.TwoPersons, "", "%s proposed the closing", c.ProposedBy)
	case !c.LastDay.Before(kz.DayOf(c.At)):
		return fault.New(fault.LedgerPeriodOpen, "/last_day", "the day %s has not ended", c.LastDay)
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(`+periodLock+`)`); err != nil {
		return fmt.Errorf("wait for postings: %w", postgres.Classify(err))
	}
	closed, err := ClosedTo(ctx, tx)
	if err != nil {
		return err
	}
	if !closed.IsZero() && !c.LastDay.After(closed) {
		return fault.New(fault.LedgerPeriodClosed, "/last_day", "the book is closed to the end of %s", closed)
	}
	var batch pgx.Batch
	batch.Queue(`INSERT INTO ledger_period (last_day, recorded_at, proposed_by, closed_by) VALUES ($1, $2, $3, $4)`,
		c.LastDay, c.At, c.ProposedBy, c.ClosedBy)
	batch.Queue(`INSERT INTO ledger_period_balance (last_day, account, debits, credits)
		SELECT $1::date, account, debits, credits FROM (`+sumsByDay+`) AS sums`, c.LastDay, closed)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("close the book to %s: %w", c.LastDay, postgres.Classify(err))
	}
	return nil
}

// ClosedTo is the last day of the last closed period; the zero Day if none is.
func ClosedTo(ctx context.Context, q postgres.Querier) (kz.Day, error) {
	var closed kz.Day
	if err := q.QueryRow(ctx, `SELECT max(last_day) FROM ledger_period`).Scan(&closed); err != nil {
		return kz.Day{}, fmt.Errorf("read the ledger's periods: %w", postgres.Classify(err))
	}
	return closed, nil
}

// EntryDay is the day under which what happened on day is entered, in a book
// that is closed to the end of closed: the first business day that is open,
// the day itself if it is one.
func EntryDay(c *kz.Calendar, day, closed kz.Day) kz.Day {
	if !closed.IsZero() && !day.After(closed) {
		day = closed.AddDays(1)
	}
	return c.Business(day)
}
