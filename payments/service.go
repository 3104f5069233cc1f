package payments

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/told"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
	"github.com/senim-kz/senim/payments/statement"
)

// DefaultOrderLife is how long an order can be paid if the configuration does
// not say.
const DefaultOrderLife = 72 * time.Hour

// Inserter puts a job into the caller's transaction: *outbox.Jobs.
type Inserter interface {
	Insert(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// Config is what the service stands on.
type Config struct {
	Pool    *pgxpool.Pool    // required
	Jobs    Inserter         // required; its workers are made by AddWorkers
	Gateway gateway.Port     // required
	Book    order.Book       // required: the requisites of every revenue office
	Now     func() time.Time // required

	// Law is what charges are computed by at the moment; nil is the zero Law.
	Law func() Law

	// TreasuryIIK is the account that statements are of; empty is
	// order.TreasuryIIK.
	TreasuryIIK string
	// OrderLife is how long an order can be paid; zero is DefaultOrderLife.
	OrderLife time.Duration
}

// Service is the house of payments. It keeps no state of its own.
type Service struct {
	config Config
}

// New checks the configuration.
func New(c Config) (*Service, error) {
	if c.Pool == nil || c.Jobs == nil || c.Gateway == nil || c.Now == nil || len(c.Book) == 0 {
		return nil, fault.New(fault.ConfigBad, "payments", "database, jobs, gateway, clock and requisites are required")
	}
	for office, r := range c.Book {
		// The BINs' control is a matter of the profile and was decided by who
		// made the book; everything else holds in all profiles.
		if err := r.Check(kz.FormatOnly); err != nil || r.RevenueOffice != office {
			return nil, fault.Wrap(err, fault.ConfigBad, "payments", "the requisites of the office %.8q", string(office))
		}
	}
	if c.OrderLife < 0 {
		return nil, fault.New(fault.ConfigBad, "payments", "the life of an order is negative")
	}
	if c.OrderLife == 0 {
		c.OrderLife = DefaultOrderLife
	}
	return &Service{config: c}, nil
}

// CreateOrder draws up the order of a transaction: of these charges, and of
// those that state bodies told. The debt is the declarant's, the payer is the declarant or its broker; who may pay, the
// caller decides.
func (s *Service) CreateOrder(ctx context.Context, tx pgx.Tx, transaction uuid.UUID, declarant, payer kz.BIN, charges []charge.Charge) (*order.Order, error) {
	now := s.config.Now()
	others, err := told.Close(ctx, tx, transaction)
	if err != nil {
		return nil, fmt.Errorf("create the order: %w", err)
	}
	charges = append(slices.Clone(charges), others...)
	o, err := order.Create(ctx, tx, s.config.Book, order.Request{
		Transaction: transaction, Declarant: declarant, Payer: payer, Charges: charges, At: now, Life: s.config.OrderLife,
	})
	if err != nil {
		return nil, fmt.Errorf("create the order: %w", err)
	}
	if err := publish(ctx, tx, o, EventCreated, now, created(o)); err != nil {
		return nil, err
	}
	return o, nil
}

// Present registers the order at the gateway and returns where it is paid. An
// order that is presented already returns the same address. One whose time is
// over is moved to expired and refused.
func (s *Service) Present(ctx context.Context, id uuid.UUID) (paymentURL string, err error) {
	o, err := order.Get(ctx, s.config.Pool, id)
	if err != nil {
		return "", err
	}
	switch {
	case !s.config.Now().Before(o.ExpiresAt) && (o.State == order.Draft || o.State == order.Presented):
		return "", s.expire(ctx, id)
	case o.State == order.Presented:
		return o.PaymentURL, nil
	case o.State == order.Expired:
		return "", expired(o)
	}
	if _, err := o.State.After(order.Present); err != nil {
		return "", err
	}
	registration, err := s.config.Gateway.Register(ctx, gateway.BillOf(o))
	if err != nil {
		return "", fmt.Errorf("present the order: %w", err)
	}
	err = postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		paymentURL, err = s.presented(ctx, tx, id, registration)
		return err
	})
	return paymentURL, err
}

// presented stores what the gateway answered. Meanwhile another caller may
// have presented the order, or the payer may have paid it: then its state
// stands, and the address is the same because the gateway gives one order one.
func (s *Service) presented(ctx context.Context, tx pgx.Tx, id uuid.UUID, r *gateway.Registration) (string, error) {
	o, err := order.Lock(ctx, tx, id)
	if err != nil {
		return "", err
	}
	switch o.State {
	case order.Presented, order.Paid:
		return r.PaymentURL, nil
	}
	o.PaymentURL = r.PaymentURL
	if err := o.Move(ctx, tx, order.Present); err != nil {
		return "", err
	}
	now := s.config.Now()
	if err := keep(ctx, tx, o.Transaction, "bill.registered", now, "gateway.bill", r.Sent, r.Received); err != nil {
		return "", err
	}
	return o.PaymentURL, publish(ctx, tx, o, EventPresented, now, Presented{Order: o.ID, Reference: r.Reference, PaymentURL: r.PaymentURL})
}

func (s *Service) expire(ctx context.Context, id uuid.UUID) error {
	var o *order.Order
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) (err error) {
		if o, err = order.Lock(ctx, tx, id); err != nil {
			return err
		}
		if err := o.Move(ctx, tx, order.Expire); err != nil {
			return err
		}
		return publish(ctx, tx, o, EventExpired, s.config.Now(), Ended{Order: o.ID})
	})
	if err != nil {
		return fmt.Errorf("expire the order: %w", err)
	}
	return expired(o)
}

func expired(o *order.Order) error {
	return fault.New(fault.OrderExpired, "", "order %s could be paid until %s", o.ID, o.ExpiresAt.Format(time.RFC3339))
}

// Cancel withdraws an order that has not been presented.
func (s *Service) Cancel(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	o, err := order.Lock(ctx, tx, id)
	if err != nil {
		return err
	}
	if o.State != order.Draft {
		return fault.New(fault.OrderState, "", "order %s is %s: its payer may be paying it", id, o.State)
	}
	if err := o.Move(ctx, tx, order.Cancel); err != nil {
		return err
	}
	return publish(ctx, tx, o, EventCancelled, s.config.Now(), Ended{Order: o.ID})
}

// OrdersOf returns the orders of a transaction: one, or none yet.
func (s *Service) OrdersOf(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]order.Order, error) {
	return order.Of(ctx, q, transaction)
}

// Treasury is the part of the house that needs neither the gateway nor jobs.
func (s *Service) Treasury() Treasury {
	return Treasury{Pool: s.config.Pool, Now: s.config.Now, IIK: s.config.TreasuryIIK, Gateway: s.config.Gateway.Name()}
}

// ImportStatement is Treasury.ImportStatement.
func (s *Service) ImportStatement(ctx context.Context, name string, r io.Reader, o statement.Options) (*statement.Import, error) {
	return s.Treasury().ImportStatement(ctx, name, r, o)
}

// Reconcile is Treasury.Reconcile.
func (s *Service) Reconcile(ctx context.Context, day kz.Day) (*reconcile.Result, error) {
	return s.Treasury().Reconcile(ctx, day)
}

// VerifyLedger is Treasury.VerifyLedger.
func (s *Service) VerifyLedger(ctx context.Context) (*ledger.Verification, error) {
	return s.Treasury().VerifyLedger(ctx)
}

// keep puts messages into the evidence of a transaction.
func keep(ctx context.Context, tx pgx.Tx, transaction uuid.UUID, what string, at time.Time, kind string, messages ...[]byte) error {
	entry := evidence.Entry{Transaction: transaction, Kind: what, At: at}
	for _, m := range messages {
		digest, err := evidence.Put(ctx, tx, kind, m)
		if err != nil {
			return err
		}
		entry.Objects = append(entry.Objects, digest)
	}
	return evidence.Append(ctx, tx, entry)
}

func publish(ctx context.Context, tx pgx.Tx, o *order.Order, kind string, at time.Time, data any) error {
	return outbox.Publish(ctx, tx, outbox.Event{Transaction: o.Transaction, Type: kind, At: at, Data: data})
}
