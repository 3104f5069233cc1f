package payments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/told"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// OrderRequest is what an order is drawn up of.
type OrderRequest struct {
	Transaction uuid.UUID
	Declarant   kz.BIN // whose debt it is
	Payer       kz.BIN // the declarant or its broker; who may pay, the caller decides
	// References are what the transaction is called. If one is the number of a
	// goods declaration, a payment that names it is found again by it.
	References []string
	Charges    []charge.Charge
}

// CreateOrder draws up the order of a transaction: of these charges, and of
// those that state bodies told.
func (s *Service) CreateOrder(ctx context.Context, tx pgx.Tx, r OrderRequest) (*order.Order, error) {
	now := s.config.Now()
	others, err := told.Close(ctx, tx, r.Transaction)
	if err != nil {
		return nil, fmt.Errorf("create the order: %w", err)
	}
	o, err := order.Create(ctx, tx, s.config.Book, order.Request{
		Transaction: r.Transaction, Declarant: r.Declarant, Payer: r.Payer, Charges: append(slices.Clone(r.Charges), others...),
		Declaration: statement.DeclarationNumber(strings.Join(r.References, " ")), At: now, Life: s.config.OrderLife,
	})
	if err != nil {
		return nil, fmt.Errorf("create the order: %w", err)
	}
	if err := publish(ctx, tx, o, EventCreated, now, created(o)); err != nil {
		return nil, err
	}
	return o, nil
}

// Order returns one order.
func (s *Service) Order(ctx context.Context, q postgres.Querier, id uuid.UUID) (*order.Order, error) {
	return order.Get(ctx, q, id)
}

// OrdersOf returns the orders of a transaction, the latest last.
func (s *Service) OrdersOf(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]order.Order, error) {
	return order.Of(ctx, q, transaction)
}

// Orders returns a page of orders and the cursor of the next.
func (s *Service) Orders(ctx context.Context, f order.Filter) ([]order.Order, string, error) {
	return order.List(ctx, s.config.Pool, f)
}

// Present registers the order at the gateway and returns where it is paid. An
// order that is presented and can be paid already returns the same address.
// One whose time is over is moved to expired and refused; PresentAgain gives
// it another life.
func (s *Service) Present(ctx context.Context, id uuid.UUID) (paymentURL string, err error) {
	o, err := order.Get(ctx, s.config.Pool, id)
	if err != nil {
		return "", err
	}
	switch {
	case s.overdue(o):
		return "", s.expire(ctx, id)
	case o.State == order.Presented, o.State == order.Pending:
		return o.PaymentURL, nil
	case o.State == order.Expired:
		return "", expired(o)
	case o.State != order.Draft:
		return "", fault.New(fault.OrderState, "", "an order that is %s cannot be presented", o.State)
	}
	return s.register(ctx, o)
}

// PresentAgain presents an order whose time is over, or of which a part is
// paid: it lives as long again as a new one, and the gateway is given another
// bill for what is missing. A draft is presented, and an order that can be
// paid already returns its address, as by Present.
func (s *Service) PresentAgain(ctx context.Context, id uuid.UUID) (paymentURL string, err error) {
	o, err := order.Get(ctx, s.config.Pool, id)
	if err != nil {
		return "", err
	}
	again := s.overdue(o) || o.State == order.Expired || o.State == order.PartiallyPaid
	if !again {
		return s.Present(ctx, id)
	}
	// The new time is stored before the gateway is asked: if the answer is
	// lost, the same bill is registered again.
	if s.late(o) {
		if o, err = s.renew(ctx, id); err != nil {
			return "", err
		}
	}
	return s.register(ctx, o)
}

// overdue says whether an order that nothing was paid of waits in vain.
func (s *Service) overdue(o *order.Order) bool {
	return s.late(o) && (o.State == order.Draft || o.State == order.Presented || o.State == order.Pending)
}

func (s *Service) late(o *order.Order) bool { return !s.config.Now().Before(o.ExpiresAt) }

// renew gives an order whose time is over another life.
func (s *Service) renew(ctx context.Context, id uuid.UUID) (o *order.Order, err error) {
	err = postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		if o, err = order.Lock(ctx, tx, id); err != nil {
			return err
		}
		if s.overdue(o) {
			if err := s.endOverdue(ctx, tx, []*order.Order{o}); err != nil {
				return err
			}
		}
		if !s.late(o) || (o.State != order.Expired && o.State != order.PartiallyPaid) {
			return nil // another request was faster
		}
		o.ExpiresAt = s.config.Now().UTC().Truncate(time.Microsecond).Add(s.config.OrderLife)
		return order.SaveAll(ctx, tx, []*order.Order{o})
	})
	if err != nil {
		return nil, fmt.Errorf("renew the order: %w", err)
	}
	return o, nil
}

// register registers the next bill of an order and presents the order.
func (s *Service) register(ctx context.Context, o *order.Order) (paymentURL string, err error) {
	if _, err := o.State.After(order.Present); err != nil {
		return "", err
	}
	port, err := s.portOf(o.Gateway)
	if err != nil {
		return "", err
	}
	bill := gateway.BillOf(o)
	registration, err := port.Register(ctx, bill)
	if err != nil {
		return "", fmt.Errorf("present the order: %w", s.keepFailed(ctx, o, "bill.refused", err))
	}
	err = postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		paymentURL, err = s.presented(ctx, tx, port.Name(), bill, registration)
		return err
	})
	if fault.Is(err, fault.OrderState) { // cancelled meanwhile: nobody is to pay the bill
		_, withdrawn := port.Cancel(context.WithoutCancel(ctx), o.ID)
		err = errors.Join(err, withdrawn)
	}
	return paymentURL, err
}

// presented stores what the gateway answered. Meanwhile another caller may
// have presented the same bill, or the payer may have paid it: then the
// order's state stands, and the address is the same because the gateway gives
// one bill one.
func (s *Service) presented(ctx context.Context, tx pgx.Tx, name string, bill gateway.Bill, r *gateway.Registration) (string, error) {
	o, err := order.Lock(ctx, tx, bill.Order)
	if err != nil {
		return "", err
	}
	if o.Presentations >= bill.Number {
		return r.PaymentURL, nil
	}
	o.Gateway, o.Registration, o.PaymentURL, o.Presentations = name, r.Reference, r.PaymentURL, bill.Number
	if _, err := o.State.After(order.Present); err == nil {
		err = o.Apply(order.Present)
	} else if o.State == order.Cancelled {
		return "", err // withdrawn while the gateway was asked: nobody is sent to pay it
	}
	if err != nil {
		return "", err
	}
	if err := order.SaveAll(ctx, tx, []*order.Order{o}); err != nil {
		return "", err
	}
	now := s.config.Now()
	if err := keep(ctx, tx, o.Transaction, "bill.registered", now, "gateway.bill", r.Messages()...); err != nil {
		return "", err
	}
	if err := s.watch(ctx, tx, o.ID, name); err != nil {
		return "", err
	}
	return o.PaymentURL, publish(ctx, tx, o, EventPresented, now, Presented{
		Order: o.ID, Reference: r.Reference, PaymentURL: r.PaymentURL, Number: bill.Number, Owed: o.Owed(), ExpiresAt: o.ExpiresAt,
	})
}

// keepFailed keeps the messages of a call to the gateway that failed; it
// returns the failure. What cannot be kept is one more failure.
func (s *Service) keepFailed(ctx context.Context, o *order.Order, what string, failure error) error {
	exchange, ok := gateway.ExchangeOf(failure)
	if !ok {
		return failure
	}
	err := postgres.InTx(context.WithoutCancel(ctx), s.config.Pool, func(tx pgx.Tx) error {
		return keep(ctx, tx, o.Transaction, what, s.config.Now(), "gateway.exchange", exchange.Messages()...)
	})
	if err != nil {
		return fmt.Errorf("%w (and its messages are not kept: %w)", failure, err)
	}
	return failure
}

// Cancel withdraws an order that nothing was paid of. Of one that the gateway
// knows, the gateway is asked first what was paid, and then to withdraw the
// bill. If it has money, the order is not cancelled: it is captured, and the
// facts take their way to the ledger. Cancelled again, nothing happens.
func (s *Service) Cancel(ctx context.Context, id uuid.UUID) error {
	o, err := order.Get(ctx, s.config.Pool, id)
	if err != nil {
		return err
	}
	if o.State == order.Cancelled {
		return nil
	}
	if _, err := o.State.After(order.Cancel); err != nil {
		return err
	}
	if o.Presentations > 0 {
		if err := s.withdraw(ctx, o); err != nil {
			return fmt.Errorf("cancel the order: %w", err)
		}
	}
	err = postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		o, err := order.Lock(ctx, tx, id)
		if err != nil || o.State == order.Cancelled {
			return err
		}
		if err := o.Move(ctx, tx, order.Cancel); err != nil {
			return err
		}
		return publish(ctx, tx, o, EventCancelled, s.config.Now(), Ended{Order: o.ID})
	})
	if err != nil {
		return fmt.Errorf("cancel the order: %w", err)
	}
	return nil
}

// withdraw takes an order's bill from the gateway, or fails because something
// was paid or is held.
func (s *Service) withdraw(ctx context.Context, o *order.Order) error {
	port, err := s.portOf(o.Gateway)
	if err != nil {
		return err
	}
	status, err := port.Status(ctx, o.ID)
	if err != nil {
		return s.keepFailed(ctx, o, "status.failed", err)
	}
	if act := standingAt(status.Facts); act != "" {
		if err := s.taken(ctx, o.ID, act); err != nil {
			return err
		}
		if err := s.take(ctx, port, status); err != nil {
			return err
		}
		return fault.New(fault.OrderState, "", "the gateway says that the money of order %s is %sd", o.ID, act)
	}
	withdrawn, err := port.Cancel(ctx, o.ID)
	if err != nil {
		return s.keepFailed(ctx, o, "bill.not_withdrawn", err)
	}
	return postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		return keep(ctx, tx, o.Transaction, "bill.withdrawn", s.config.Now(), "gateway.exchange",
			append(status.Messages(), withdrawn.Messages()...)...)
	})
}

// standingAt says what facts mean for an order that has no money yet: it has
// been captured, or is held, or neither.
func standingAt(facts []gateway.Fact) order.Act {
	ended := map[string]bool{} // payments and holds
	for _, f := range facts {
		if f.Original != "" && (f.Kind == gateway.Reversed || f.Kind == gateway.Failed || f.Kind == gateway.Captured) {
			ended[f.Original] = true
		}
	}
	var act order.Act
	for _, f := range facts {
		switch {
		case ended[f.Reference]:
		case f.Kind == gateway.Captured:
			return order.Capture
		case f.Kind == gateway.Authorised:
			act = order.Authorise
		}
	}
	return act
}

// taken moves an order whose money the gateway has or holds, so that it is
// neither cancelled nor expired before the facts are posted.
func (s *Service) taken(ctx context.Context, id uuid.UUID, act order.Act) error {
	return postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		o, err := order.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := o.State.After(act); err != nil {
			return nil // it is paid meanwhile
		}
		return o.Move(ctx, tx, act)
	})
}
