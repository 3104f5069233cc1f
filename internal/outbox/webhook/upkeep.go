package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

const (
	// keepSettled is how long deliveries are kept that are delivered or dead.
	// Their events stay, and can be replayed by time.
	keepSettled = 90 * 24 * time.Hour
	// keepMarks is how long the marks are kept by which events of a time are
	// found quickly; those of before are looked for among all.
	keepMarks = 400 * 24 * time.Hour
	// pruneRows bounds one statement of the daily pruning.
	pruneRows = 10_000
)

// upkeep marks the time in the numbers of events, disables whose owner may not
// call any more, gives up what waited too long, and sends a job to every
// subscription whose own was lost. One process at a time does it.
func (s *Service) upkeep(ctx context.Context) error {
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		var position int64
		err := tx.QueryRow(ctx, `select position from webhook_cursor for update skip locked`).Scan(&position)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := mark(ctx, tx); err != nil {
			return err
		}
		if err := s.dropBarred(ctx, tx); err != nil {
			return err
		}
		now := s.config.Now()
		_, err = tx.Exec(ctx, `
			update webhook_delivery set state = 'dead', reason = $2, settled_at = $1
			where state = 'pending' and queued_at < $3`, now, string(fault.WebhookExpired), now.Add(-expireAfter))
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			select subscription_id from webhook_pump p
			where (lease_until is null or lease_until <= $1) and (hold_until is null or hold_until <= $2)
			  and (wake_at is null or wake_at <= $2)
			  and exists (select from webhook_delivery d
			              where d.subscription_id = p.subscription_id and state = 'pending' and due_at <= $2)`,
			now, now.Add(-lostAfter))
		if err != nil {
			return err
		}
		lost, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil || len(lost) == 0 {
			return err
		}
		return s.kick(ctx, tx, lost)
	})
	if err != nil {
		return fmt.Errorf("keep the webhooks up: %w", err)
	}
	return nil
}

// mark writes down which number was the last one, if there are new ones. The
// time is read after the number, so that whatever begins later has a higher one.
func mark(ctx context.Context, tx pgx.Tx) error {
	var position int64
	err := tx.QueryRow(ctx, `select case when is_called then last_value else 0 end from event_position`).Scan(&position)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into event_marks (at, position)
		select clock_timestamp(), $1 where $1 > (select coalesce(max(position), 0) from event_marks)
		on conflict do nothing`, position)
	return err
}

// Prune forgets deliveries that were settled long ago, keys whose time is over,
// old marks and subscriptions of which nothing is left. It is run daily.
func (s *Service) Prune(ctx context.Context) error {
	now := s.config.Now()
	for {
		tag, err := s.config.Pool.Exec(ctx, `
			delete from webhook_delivery where ctid = any(array(
				select ctid from webhook_delivery where settled_at < $1 limit $2))`, now.Add(-keepSettled), pruneRows)
		if err != nil {
			return fmt.Errorf("prune deliveries: %w", postgres.Classify(err))
		}
		if tag.RowsAffected() < pruneRows {
			break
		}
	}
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from webhook_key where expires_at < $1`, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from event_marks where at < $1`, now.Add(-keepMarks)); err != nil {
			return err
		}
		const ended = `(select id from webhook_subscription s where deleted_at < $1
			and not exists (select from webhook_delivery where subscription_id = s.id))`
		if _, err := tx.Exec(ctx, `delete from webhook_pump where subscription_id in `+ended, now.Add(-keepSettled)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from webhook_subscription where id in `+ended, now.Add(-keepSettled))
		return err
	})
	if err != nil {
		return fmt.Errorf("prune subscriptions: %w", err)
	}
	return nil
}
