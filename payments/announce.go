package payments

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/reconcile"
)

// announceTimeout bounds the telling of one run: a million events take some
// minutes.
const announceTimeout = time.Hour

// AnnounceArgs names a run of the reconciliation, or a case with an accepted
// match, whose orders are to be told of.
type AnnounceArgs struct {
	Run uuid.UUID `json:"run"`
}

// Kind of the job.
func (AnnounceArgs) Kind() string { return "reconciliation_announce" }

// AddAnnouncer adds the worker that tells of what was reconciled to those of
// the program.
func AddAnnouncer(workers *river.Workers, pool *pgxpool.Pool, now func() time.Time) error {
	if err := river.AddWorkerSafely(workers, &announcer{pool: pool, now: now}); err != nil {
		return fault.Wrap(err, fault.BadArgument, "", "add the announcer of reconciliations")
	}
	return nil
}

// announcer tells of a run's orders.
type announcer struct {
	river.WorkerDefaults[AnnounceArgs]
	pool *pgxpool.Pool
	now  func() time.Time
}

// Timeout of a job.
func (*announcer) Timeout(*river.Job[AnnounceArgs]) time.Duration { return announceTimeout }

// Work tells of the orders chunk by chunk, each in a transaction of its own.
// Run again, it passes over those that were told.
func (a *announcer) Work(ctx context.Context, job *river.Job[AnnounceArgs]) error {
	for after := uuid.Nil; ; {
		var next uuid.UUID
		err := postgres.InTx(ctx, a.pool, func(tx pgx.Tx) (err error) {
			next, err = reconcile.Announce(ctx, tx, job.Args.Run, after, a.now())
			return err
		})
		if err != nil {
			return fmt.Errorf("tell of the reconciliation %s: %w", job.Args.Run, err)
		}
		if next == uuid.Nil {
			return nil
		}
		after = next
	}
}
