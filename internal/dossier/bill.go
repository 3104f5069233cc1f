package dossier

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// OrderFilter chooses what a list shows; a field left empty does not choose.
type OrderFilter struct {
	Transaction uuid.UUID
	Order       uuid.UUID // of refunds
	State       string
	PayerBIN    string
	Cursor      string
	Limit       int // 0 stands for 50
}

const pageDefault = 50

// filter is what the caller may see of what it asks for: a trader sees what it
// pays or owes.
func (s *Service) filter(caller access.Caller, f OrderFilter) (order.Filter, error) {
	if f.Limit == 0 {
		f.Limit = pageDefault
	}
	asked := order.Filter{Transaction: f.Transaction, Order: f.Order, State: f.State, After: f.Cursor, Limit: f.Limit}
	if f.PayerBIN != "" {
		bin, err := kz.ParseBIN(f.PayerBIN, s.control)
		if err != nil {
			return order.Filter{}, err
		}
		asked.Payer = bin
	}
	if caller.Role == access.Trader {
		if caller.BIN == "" {
			return order.Filter{}, fault.New(fault.RoleDenied, "", "the client acts for nobody with a BIN")
		}
		asked.Party = caller.BIN
	}
	return asked, nil
}

// Orders returns a page of orders, the latest first, and the cursor of the
// next; "" after the last. Errors: bin_invalid, bad_argument.
func (s *Service) Orders(ctx context.Context, caller access.Caller, f OrderFilter) (page []Order, next string, err error) {
	asked, err := s.filter(caller, f)
	if err != nil {
		return nil, "", err
	}
	orders, next, err := s.payments.Orders(ctx, asked)
	if err != nil {
		return nil, "", err
	}
	page = []Order{}
	for i := range orders {
		page = append(page, orderOf(&orders[i]))
	}
	return page, next, nil
}

// Order returns one order. Errors: order_not_found, also for an order that a
// trader neither pays nor owes.
func (s *Service) Order(ctx context.Context, caller access.Caller, id uuid.UUID) (*Order, error) {
	o, err := s.orderFor(ctx, s.pool, caller, id)
	if err != nil {
		return nil, err
	}
	shown := orderOf(o)
	return &shown, nil
}

func (s *Service) orderFor(ctx context.Context, q postgres.Querier, caller access.Caller, id uuid.UUID) (*order.Order, error) {
	o, err := s.payments.Order(ctx, q, id)
	if err != nil {
		return nil, err
	}
	if caller.Role == access.Trader && (caller.BIN == "" || caller.BIN != o.Payer && caller.BIN != o.Declarant) {
		return nil, fault.New(fault.OrderNotFound, "/id", "no order %s for this caller", id)
	}
	return o, nil
}

// CancelOrder withdraws an order that nothing was paid of, at the gateway too.
// Errors: idempotency codes, order_not_found, order_state_forbids, the codes
// of the gateway.
func (s *Service) CancelOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID) (*Order, error) {
	return s.moveOrder(ctx, caller, key, id, "cancel order", s.payments.Cancel)
}

// PresentOrder presents an order again: one whose time is over, of which a part
// is paid, or that the payer wants to pay at another gateway; an empty name is
// the one that it stands at. Errors: as CancelOrder, gateway_unknown.
func (s *Service) PresentOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, gateway string) (*Order, error) {
	key, err := over(key, struct{ Gateway string }{gateway})
	if err != nil {
		return nil, err
	}
	return s.moveOrder(ctx, caller, key, id, "present order", func(ctx context.Context, id uuid.UUID) (err error) {
		if gateway == "" {
			_, err = s.payments.PresentAgain(ctx, id)
		} else {
			_, err = s.payments.PresentAt(ctx, id, gateway)
		}
		return err
	})
}

// moveOrder runs a use case that asks the gateway and stores what came of it,
// and may be repeated; then it keeps the answer.
func (s *Service) moveOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, action string,
	move func(context.Context, uuid.UUID) error) (*Order, error) {
	if _, err := s.orderFor(ctx, s.pool, caller, id); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.keys, caller.ID, key, action+" "+id.String(), func(ctx context.Context, c *idempotency.Claim) (*Order, error) {
		if err := move(ctx, id); err != nil {
			return nil, err
		}
		var shown Order
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			o, err := s.payments.Order(ctx, tx, id)
			if err != nil {
				return err
			}
			shown = orderOf(o)
			return s.audit(ctx, tx, caller, c, id.String(), action, &shown)
		})
		if err != nil {
			return nil, fmt.Errorf("record order: %w", err)
		}
		return &shown, nil
	})
}

// UseAdvance puts money of the payer's advance on its order: amount, or as
// much as is owed and there is if amount is zero. Of traders only the payer
// may. Errors: idempotency codes, order_not_found, payer_not_allowed,
// order_state_forbids, order_expired, amount_invalid, ledger_funds_short.
func (s *Service) UseAdvance(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, amount money.Tiyn) (*Order, error) {
	o, err := s.orderFor(ctx, s.pool, caller, id)
	if err != nil {
		return nil, err
	}
	if caller.Role == access.Trader && caller.BIN != o.Payer {
		return nil, fault.New(fault.PayerNotAllowed, "", "the advance is the payer's")
	}
	if key, err = over(key, struct{ Amount money.Tiyn }{amount}); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.keys, caller.ID, key, "use advance for order "+id.String(), func(ctx context.Context, c *idempotency.Claim) (*Order, error) {
		if err := s.payments.WithdrawBill(ctx, id); err != nil {
			return nil, err
		}
		var shown Order
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			o, err := s.payments.UseAdvance(ctx, tx, id, amount, caller.ID)
			if err != nil {
				return err
			}
			shown = orderOf(o)
			return s.audit(ctx, tx, caller, c, id.String(), "use advance", &shown)
		})
		if err != nil {
			return nil, err
		}
		return &shown, nil
	})
}
