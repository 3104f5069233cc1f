package webhook

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
)

// Ping sends a test message at once and tells what came of it. A disabled
// subscription can be pinged. When the subscriber takes the message, events
// that are held because it did not answer are sent again from now on. Errors:
// webhook_not_found.
func (s *Service) Ping(ctx context.Context, v Viewer, id uuid.UUID) (*Attempt, error) {
	found, err := s.Get(ctx, v, id)
	if err != nil {
		return nil, err
	}
	keys, err := liveKeys(ctx, s.config.Pool, id, s.config.Now())
	if err != nil {
		return nil, err
	}
	m, err := encodeMessage(pingID(), envelope{Type: PingType, Timestamp: s.config.Now(), Data: pingData{Subscription: id}})
	if err != nil {
		return nil, err
	}
	sent := s.config.send(ctx, found.URL, keys, m)
	if sent.cut {
		return nil, fault.New(fault.Cancelled, "", "stopped before the subscriber answered")
	}
	err = s.change(ctx, v.ID, "webhook.ping", id, func(tx pgx.Tx) error {
		if !sent.delivered() {
			return nil
		}
		return s.resume(ctx, tx, id)
	})
	if err != nil {
		return nil, err
	}
	return &sent.Attempt, nil
}
