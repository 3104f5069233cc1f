package payments

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/order"
)

// expireAtOnce is how many overdue orders one transaction ends.
const expireAtOnce = 500

// ExpireOverdue moves every order whose time is over, and of which nothing is
// paid, to expired and tells of it. It is run every few minutes, and may run
// anywhere any number of times at once: orders that another run or a payment
// has locked are left to the next.
func (s *Service) ExpireOverdue(ctx context.Context) error {
	for {
		var n int
		err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
			orders, err := order.LockOverdue(ctx, tx, s.config.Now(), expireAtOnce)
			if err != nil {
				return err
			}
			n = len(orders)
			return s.endOverdue(ctx, tx, orders)
		})
		if err != nil {
			return fmt.Errorf("expire the overdue orders: %w", err)
		}
		if n < expireAtOnce {
			return nil
		}
	}
}

// endOverdue moves locked orders to expired and tells of them.
func (s *Service) endOverdue(ctx context.Context, tx pgx.Tx, orders []*order.Order) error {
	events := make([]outbox.Event, len(orders))
	now := s.config.Now()
	for i, o := range orders {
		if err := o.Apply(order.Expire); err != nil {
			return err
		}
		events[i] = outbox.Event{Transaction: o.Transaction, Type: EventExpired, At: now, Data: Ended{Order: o.ID}}
	}
	if err := order.SaveAll(ctx, tx, orders); err != nil {
		return err
	}
	return outbox.PublishAll(ctx, tx, events)
}

// expire moves one order to expired, if it still is overdue, and refuses it.
func (s *Service) expire(ctx context.Context, id uuid.UUID) error {
	var o *order.Order
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) (err error) {
		if o, err = order.Lock(ctx, tx, id); err != nil || !s.overdue(o) {
			return err
		}
		return s.endOverdue(ctx, tx, []*order.Order{o})
	})
	switch {
	case err != nil:
		return fmt.Errorf("expire the order: %w", err)
	case o.State != order.Expired:
		return fault.New(fault.OrderState, "", "order %s is %s meanwhile", o.ID, o.State)
	}
	return expired(o)
}

func expired(o *order.Order) error {
	return fault.New(fault.OrderExpired, "", "order %s could be paid until %s", o.ID, o.ExpiresAt.Format(time.RFC3339))
}
