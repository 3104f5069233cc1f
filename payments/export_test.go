package payments

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/payments/ledger"
)

// NewAnnouncer gives tests the worker, to run a job at the moment they choose.
func NewAnnouncer(pool *pgxpool.Pool, now func() time.Time) river.Worker[AnnounceArgs] {
	return &announcer{pool: pool, now: now}
}

// OrderRefund gives tests the job of a refund.
func OrderRefund(s *Service, ctx context.Context, id uuid.UUID) error { return s.orderRefund(ctx, id) }

// HoldLaws gives tests the laws of conservation, in a transaction that has
// broken one.
func HoldLaws(ctx context.Context, tx pgx.Tx, t Treasury, v *ledger.Verification) error {
	return t.holdLaws(ctx, tx, v)
}
