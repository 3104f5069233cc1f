package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// Events about an order.
const (
	// EventReconciled: all that was paid of the order is on the statement.
	EventReconciled = "payment.reconciled"
	// EventUnreconciled: so it had been told, and it is so no longer.
	EventUnreconciled = "payment.unreconciled"
)

// Reconciled is the data of both events.
type Reconciled struct {
	Order  uuid.UUID  `json:"order_id"`
	Amount money.Tiyn `json:"amount_tiyn"` // that was received
	Run    uuid.UUID  `json:"run_id"`
}

// announceChunk is how many orders are told of in one transaction.
const announceChunk = 1000

// Announce tells of the orders that a run, or an accepted match, has touched,
// the next thousand after a given one, in the caller's transaction. It returns
// the last of them, uuid.Nil if there are no more. Told is what has changed
// since it was last told, so that nothing is told twice.
func Announce(ctx context.Context, tx pgx.Tx, run, after uuid.UUID, now time.Time) (last uuid.UUID, err error) {
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT order_id FROM (
			(SELECT order_id FROM payment_match WHERE run_id = $1 AND order_id > $2 ORDER BY order_id LIMIT $3)
			UNION ALL
			(SELECT order_id FROM payment_match_withdrawn WHERE withdrawn_by = $1 AND order_id > $2 ORDER BY order_id LIMIT $3)) m
		 ORDER BY 1 LIMIT $3`, run, after, announceChunk)
	if err != nil {
		return uuid.Nil, fmt.Errorf("list the orders to tell of: %w", postgres.Classify(err))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return uuid.Nil, fmt.Errorf("list the orders to tell of: %w", postgres.Classify(err))
	}
	if len(ids) == 0 {
		return uuid.Nil, nil
	}
	events, err := changed(ctx, tx, run, ids, now)
	if err != nil {
		return uuid.Nil, err
	}
	return ids[len(ids)-1], outbox.PublishAll(ctx, tx, events)
}

// changed finds which of the orders are agreed with the treasury now and were
// not told so, or the other way round, and remembers that it is told.
func changed(ctx context.Context, tx pgx.Tx, run uuid.UUID, ids []uuid.UUID, now time.Time) (events []outbox.Event, err error) {
	rows, err := tx.Query(ctx, `
		WITH now AS (
			SELECT p.id AS order_id, p.transaction_id, p.received,
			       p.received > 0 AND p.received - p.credited + p.tolerated >= p.total
			       AND p.received <= (SELECT coalesce(sum(m.amount), 0) FROM payment_match m WHERE m.order_id = p.id)
			                    + (SELECT coalesce(sum(u.amount), 0) FROM payment_advance_use u WHERE u.order_id = p.id) AS agreed
			  FROM payment_order_once o
			  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
			 WHERE o.order_id = ANY ($1)),
		told AS (
			INSERT INTO reconcile_told AS t (order_id, agreed, run_id)
			SELECT order_id, agreed, $2 FROM now
			 WHERE agreed OR EXISTS (SELECT FROM reconcile_told x WHERE x.order_id = now.order_id)
			 ORDER BY order_id
			ON CONFLICT (order_id) DO UPDATE SET agreed = excluded.agreed, run_id = excluded.run_id WHERE t.agreed <> excluded.agreed
			RETURNING order_id)
		SELECT now.order_id, now.transaction_id, now.received, now.agreed FROM now JOIN told USING (order_id) ORDER BY now.transaction_id`, ids, run)
	if err != nil {
		return nil, fmt.Errorf("find what to tell of orders: %w", postgres.Classify(err))
	}
	data := Reconciled{Run: run}
	var transaction uuid.UUID
	var agreed bool
	_, err = pgx.ForEachRow(rows, []any{&data.Order, &transaction, &data.Amount, &agreed}, func() error {
		kind := EventUnreconciled
		if agreed {
			kind = EventReconciled
		}
		events = append(events, outbox.Event{Transaction: transaction, Type: kind, At: now, Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find what to tell of orders: %w", postgres.Classify(err))
	}
	return events, nil
}
