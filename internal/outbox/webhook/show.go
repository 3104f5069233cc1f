package webhook

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// countMax is how far deliveries are counted for a page.
const countMax = 10_000

// Get shows one subscription. Errors: webhook_not_found.
func (s *Service) Get(ctx context.Context, v Viewer, id uuid.UUID) (*Subscription, error) {
	found, err := s.read(ctx, v, &id, uuid.Nil, 1)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, missing()
	}
	return &found[0], nil
}

// List shows the viewer's subscriptions in the order of their making, after the
// one named, at most limit (100 if zero or more than that).
func (s *Service) List(ctx context.Context, v Viewer, after uuid.UUID, limit int) ([]Subscription, error) {
	if limit <= 0 || limit > listMax {
		limit = listMax
	}
	return s.read(ctx, v, nil, after, limit)
}

// read reads the subscription with this id, or all after one.
func (s *Service) read(ctx context.Context, v Viewer, id *uuid.UUID, after uuid.UUID, limit int) ([]Subscription, error) {
	rows, err := s.config.Pool.Query(ctx, `
		select id, owner, url, description, types, created_at, updated_at, disabled_at, disabled_reason,
		       (select hold_until from webhook_pump where subscription_id = s.id and hold_until > $6),
		       (select count(*) from (select from webhook_delivery where subscription_id = s.id and state = 'pending' limit $7) x),
		       (select count(*) from (select from webhook_delivery where subscription_id = s.id and state = 'dead' limit $7) x)
		from webhook_subscription s
		where ($1 or owner = $2) and deleted_at is null and ($3::uuid is null or id = $3) and id > $4
		order by id limit $5`, v.All, v.ID, id, after, limit, s.config.Now(), countMax)
	if err != nil {
		return nil, fmt.Errorf("read the subscriptions: %w", postgres.Classify(err))
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Subscription, error) {
		var x Subscription
		var reason string
		err := row.Scan(&x.ID, &x.Owner, &x.URL, &x.Description, &x.Types, &x.CreatedAt, &x.UpdatedAt, &x.DisabledAt, &reason,
			&x.HeldUntil, &x.Pending, &x.Dead)
		x.DisabledReason = fault.Code(reason)
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the subscriptions: %w", postgres.Classify(err))
	}
	for i := range found {
		keys, err := liveKeys(ctx, s.config.Pool, found[i].ID, s.config.Now())
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			found[i].Keys = append(found[i].Keys, k.shown())
		}
	}
	return found, nil
}
