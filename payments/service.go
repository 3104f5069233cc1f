package payments

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
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
	Jobs    Inserter         // required; its workers are made by NewWorkers
	Gateway gateway.Port     // required: where orders are presented
	Book    order.Book       // required: the requisites of every revenue office
	Now     func() time.Time // required

	// Gateways are further ones, at which an order is presented when its payer
	// asks for it.
	Gateways []gateway.Port

	// Law is what charges are computed by at the moment; nil is the zero Law.
	Law func() Law
	// Tolerance is how much of an order may be missing before it is short; the
	// zero Tolerance forgives nothing.
	Tolerance money.Tolerance
	// Calendar of business days; nil knows no decreed ones.
	Calendar *kz.Calendar

	// TreasuryIIK is the account that statements are of; empty is
	// order.TreasuryIIK.
	TreasuryIIK string
	// Workers work the service's jobs; without them it only inserts jobs, for
	// another process.
	Workers *Workers
	// OrderLife is how long an order can be paid; zero is DefaultOrderLife.
	OrderLife time.Duration
}

// Service is the house of payments. What it keeps by itself are the facts that
// are being posted; Close waits for them.
type Service struct {
	config  Config
	ports   map[string]gateway.Port // by their names
	batcher *batcher
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
	if c.Calendar == nil {
		c.Calendar = &kz.Calendar{}
	}
	ports, err := portsOf(c)
	if err != nil {
		return nil, err
	}
	s := &Service{config: c, ports: ports}
	s.batcher = newBatcher(s.post)
	if c.Workers != nil {
		c.Workers.service = s
	}
	return s, nil
}

// Close takes no more facts and waits for those that are being posted. It may
// come twice.
func (s *Service) Close() { s.batcher.stop() }

// Treasury is the part of the house that needs neither the gateway nor jobs.
func (s *Service) Treasury() Treasury {
	return Treasury{
		Pool: s.config.Pool, Jobs: s.config.Jobs, Now: s.config.Now, IIK: s.config.TreasuryIIK, Gateway: s.config.Gateway.Name(),
		Calendar: s.config.Calendar,
	}
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
