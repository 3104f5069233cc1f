package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
)

// Workers work the jobs of a Service. The queue is made of them before there
// is a Service; New gives them theirs by Config.Workers.
type Workers struct {
	service *Service
}

// NewWorkers adds the workers to those of the program.
func NewWorkers(to *river.Workers) (*Workers, error) {
	w := &Workers{}
	if err := errors.Join(river.AddWorkerSafely(to, &refunder{workers: w}), river.AddWorkerSafely(to, &poller{workers: w})); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "add the workers of payments")
	}
	return w, nil
}

// RefundArgs names the refund that a job orders at the gateway.
type RefundArgs struct {
	Refund uuid.UUID `json:"refund"`
}

// Kind of the job.
func (RefundArgs) Kind() string { return "payment_refund" }

// refundTimeout is longer than a gateway's slowest answer.
const refundTimeout = 45 * time.Second

// refunder orders refunds at the gateway.
type refunder struct {
	river.WorkerDefaults[RefundArgs]
	workers *Workers
}

// Timeout of one attempt.
func (*refunder) Timeout(*river.Job[RefundArgs]) time.Duration { return refundTimeout }

// Work orders one refund. The gateway carries one out per identifier, so the
// job may run any number of times, also after its process was killed at any
// step: what was ordered is ordered again, and its end is told by a fact.
func (w *refunder) Work(ctx context.Context, job *river.Job[RefundArgs]) error {
	if err := w.workers.service.orderRefund(ctx, job.Args.Refund); err != nil {
		return fmt.Errorf("order refund %s at the gateway: %w", job.Args.Refund, err)
	}
	return nil
}

// orderRefund asks the gateway, outside any transaction, and takes what it
// tells of the refund.
func (s *Service) orderRefund(ctx context.Context, id uuid.UUID) error {
	r, err := order.GetRefund(ctx, s.config.Pool, id)
	if err != nil || r.State != order.RefundApproved {
		return err
	}
	port, err := s.portOf(r.Gateway)
	if err != nil {
		return err
	}
	answer, err := port.Refund(ctx, gateway.RefundOrder{ID: r.ID, Order: r.Order, Payment: r.Payment, Amount: r.Amount})
	if fault.Is(err, fault.GatewayRefused) {
		exchange, _ := gateway.ExchangeOf(err)
		return s.failRefund(ctx, id, fault.GatewayRefused, exchange.Messages()...)
	}
	if err != nil {
		return err
	}
	return s.take(ctx, port, answer)
}

// take takes what a gateway answered to a question of ours.
func (s *Service) take(ctx context.Context, port gateway.Port, a *gateway.Answer) error {
	for _, f := range a.Facts {
		told := Told{Gateway: port.Name(), Fact: f, By: "gateway:" + port.Name()}
		for _, m := range a.Messages() {
			told.Messages = append(told.Messages, evidence.Object{Kind: evidenceAsked, Raw: m})
		}
		if _, err := s.Take(ctx, told); err != nil {
			return err
		}
	}
	return nil
}

// refundPatience is how long a refund may be under way before it is ordered
// again: a gateway tells at once or within the day.
const refundPatience = 24 * time.Hour

// RemindRefunds orders again what was approved and whose end the gateway has
// not told of in a day. It is run daily: a job that failed too often is not
// the end of a refund.
func (s *Service) RemindRefunds(ctx context.Context) error {
	open, err := order.RefundsUnderWay(ctx, s.config.Pool, s.config.Now().Add(-refundPatience))
	if err != nil {
		return fmt.Errorf("remind of refunds: %w", err)
	}
	for _, r := range open {
		err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
			return s.config.Jobs.Insert(ctx, tx, RefundArgs{Refund: r.ID}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
		})
		if err != nil {
			return fmt.Errorf("remind of refund %s: %w", r.ID, err)
		}
	}
	return nil
}
