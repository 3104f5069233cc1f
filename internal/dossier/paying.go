package dossier

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/money"
)

// QR is a code that pays an order.
type QR struct {
	ID        uuid.UUID
	Order     uuid.UUID
	Payload   string
	Amount    money.Tiyn
	ExpiresAt time.Time
}

// IssueQR gives an order a code for what is owed, or the one that lives. It
// moves nothing, so it needs no idempotency key. Errors: order_not_found,
// order_state_forbids, order_expired, not_available, the codes of the gateway.
func (s *Service) IssueQR(ctx context.Context, caller access.Caller, id uuid.UUID) (*QR, error) {
	if _, err := s.orderFor(ctx, s.pool, caller, id); err != nil {
		return nil, err
	}
	q, err := s.payments.IssueQR(ctx, id)
	if err != nil {
		return nil, err
	}
	shown := QR(*q)
	return &shown, nil
}

// CaptureOrder takes money that is held for an order: amount, or what is held
// and owed if it is zero. Errors: idempotency codes, order_not_found,
// order_state_forbids, amount_invalid, not_available, the codes of the gateway.
func (s *Service) CaptureOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, amount money.Tiyn) (*Order, error) {
	key, err := over(key, struct{ Amount money.Tiyn }{amount})
	if err != nil {
		return nil, err
	}
	return s.moveOrder(ctx, caller, key, id, "capture order", func(ctx context.Context, id uuid.UUID) error {
		return s.payments.Capture(ctx, id, amount)
	})
}

// Debit is money taken from a payer's account under its mandate.
type Debit struct {
	ID      uuid.UUID  `json:"id"`
	Mandate uuid.UUID  `json:"mandate_id"`
	Order   uuid.UUID  `json:"order_id"`
	Amount  money.Tiyn `json:"amount_tiyn"`
	State   string     `json:"state"`
	Reason  fault.Code `json:"reason,omitempty"`
}

// DebitOrder takes what an order owes under a mandate of its payer. A trader
// does so for the orders that it pays. While the gateway's answer is not known
// the request fails, its key is free, and the same request goes on with the
// same debit.
//
// Errors: idempotency codes, order_not_found, payer_not_allowed, and those of
// payments.Debit.
func (s *Service) DebitOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id, mandate uuid.UUID) (*Debit, error) {
	o, err := s.orderFor(ctx, s.pool, caller, id)
	if err != nil {
		return nil, err
	}
	if caller.Role == access.Trader && caller.BIN != o.Payer {
		return nil, fault.New(fault.PayerNotAllowed, "", "the debit is the payer's to ask for")
	}
	if _, err := s.mandateFor(ctx, caller, mandate); err != nil {
		return nil, err
	}
	if key, err = over(key, struct{ Mandate uuid.UUID }{mandate}); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.keys, caller.ID, key, "debit order "+id.String(), func(ctx context.Context, c *idempotency.Claim) (*Debit, error) {
		d, err := s.payments.Debit(ctx, payments.DebitRequest{Order: id, Mandate: mandate, By: caller.ID})
		if err != nil {
			return nil, err
		}
		shown := &Debit{ID: d.ID, Mandate: d.Mandate, Order: d.Order, Amount: d.Amount, State: string(d.State), Reason: d.Reason}
		// The house has audited what it did; only the answer is kept here.
		return shown, postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return c.Finish(ctx, tx, shown) })
	})
}
