package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

const (
	// OverlapMax bounds how long former keys go on signing beside new ones.
	OverlapMax = 7 * 24 * time.Hour
	// keysMax bounds the keys in use, and with them the signatures of a message.
	keysMax = 6
)

// Rotate makes a new key for each scheme of the subscription. The former ones
// sign beside them until the overlap is over. The new secrets are never shown
// again; when they were lost on the way, rotating once more gives others.
// Errors: webhook_not_found, webhook_invalid, webhook_keys_limit_reached.
func (s *Service) Rotate(ctx context.Context, v Viewer, id uuid.UUID, overlap time.Duration) ([]IssuedKey, error) {
	if overlap < 0 || overlap > OverlapMax {
		return nil, fault.New(fault.WebhookInvalid, "/overlap_seconds", "at most %d", int(OverlapMax.Seconds()))
	}
	var issued []IssuedKey
	err := s.change(ctx, v.ID, "webhook.rotate", id, func(tx pgx.Tx) error {
		issued = nil
		now := s.config.Now().UTC().Truncate(time.Microsecond)
		if err := lockOwn(ctx, tx, v, id); err != nil {
			return err
		}
		former, err := liveKeys(ctx, tx, id, now)
		if err != nil {
			return err
		}
		var fresh []key
		for _, k := range former {
			if k.expiresAt == nil {
				fresh = append(fresh, newKey(k.scheme, now))
			}
		}
		if overlap > 0 && len(former)+len(fresh) > keysMax {
			return fault.New(fault.WebhookKeys, "", "%d keys are in use; wait, or rotate without an overlap", len(former))
		}
		// An overlap of nothing ends former ones too, whose time is not over yet.
		_, err = tx.Exec(ctx, `
			update webhook_key set expires_at = least(expires_at, $2)
			where subscription_id = $1 and (expires_at is null or $3)`, id, now.Add(overlap), overlap == 0)
		if err != nil {
			return err
		}
		for _, k := range fresh {
			issued = append(issued, k.issued())
		}
		return insertKeys(ctx, tx, id, fresh)
	})
	if err != nil {
		return nil, err
	}
	return issued, nil
}

func insertKeys(ctx context.Context, tx pgx.Tx, subscription uuid.UUID, keys []key) error {
	for _, k := range keys {
		_, err := tx.Exec(ctx, `insert into webhook_key (id, subscription_id, scheme, secret, created_at) values ($1, $2, $3, $4, $5)`,
			k.id, subscription, string(k.scheme), k.secret, k.createdAt)
		if err != nil {
			return fmt.Errorf("keep a key: %w", postgres.Classify(err))
		}
	}
	return nil
}

// liveKeys are those that sign now, the newest first: a subscriber tries the
// signatures in their order.
func liveKeys(ctx context.Context, q postgres.Querier, subscription uuid.UUID, now time.Time) ([]key, error) {
	rows, err := q.Query(ctx, `
		select id, scheme, secret, created_at, expires_at from webhook_key
		where subscription_id = $1 and (expires_at is null or expires_at > $2)
		order by created_at desc, id desc`, subscription, now)
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", postgres.Classify(err))
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (key, error) {
		var k key
		var scheme string
		err := row.Scan(&k.id, &scheme, &k.secret, &k.createdAt, &k.expiresAt)
		k.scheme = Scheme(scheme)
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", postgres.Classify(err))
	}
	return keys, nil
}
