package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/order"
)

// PollArgs names an order whose gateway is asked what has become of it, for
// the day on which nobody tells.
type PollArgs struct {
	Order   uuid.UUID `json:"order"`
	Gateway string    `json:"gateway"`
}

// Kind of the job.
func (PollArgs) Kind() string { return "payment_poll" }

const (
	// pollTimeout is longer than a gateway's slowest answer.
	pollTimeout = 45 * time.Second
	// A gateway is asked after a quarter of the time that the order has waited,
	// but within these bounds: a payer who pays does so soon.
	pollWaitMin = 30 * time.Second
	pollWaitMax = time.Hour
	// pollGrace is how long after an order's end it is still asked about: what was
	// paid in time may be known late.
	pollGrace = 24 * time.Hour
)

// polled are the states in which a job of the same order is still to come. A
// job that is done does not keep the next presentation from being watched.
var polled = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// watch has a gateway asked about an order until it is paid or over.
func (s *Service) watch(ctx context.Context, tx pgx.Tx, id uuid.UUID, name string) error {
	return s.config.Jobs.Insert(ctx, tx, PollArgs{Order: id, Gateway: name}, &river.InsertOpts{
		ScheduledAt: s.config.Now().Add(pollWaitMin), UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: polled},
	})
}

// poller asks gateways.
type poller struct {
	river.WorkerDefaults[PollArgs]
	workers *Workers
}

// Timeout of one question.
func (*poller) Timeout(*river.Job[PollArgs]) time.Duration { return pollTimeout }

// Work asks once and sleeps until the next time. A gateway that is down is
// asked again like one that has nothing to say.
func (w *poller) Work(ctx context.Context, job *river.Job[PollArgs]) error {
	wait, err := w.workers.service.Poll(ctx, job.Args)
	if err != nil {
		return fmt.Errorf("ask about order %s: %w", job.Args.Order, err)
	}
	if wait > 0 {
		return river.JobSnooze(wait)
	}
	return nil
}

// Poll asks an order's gateway what has happened, and takes what it tells by
// the way of every fact. It returns when to ask again; zero is never.
func (s *Service) Poll(ctx context.Context, args PollArgs) (wait time.Duration, err error) {
	o, err := order.Get(ctx, s.config.Pool, args.Order)
	if err != nil {
		return 0, err
	}
	if over, err := s.settled(ctx, o); err != nil || over {
		return 0, err
	}
	port, err := s.portOf(args.Gateway)
	if err != nil {
		return 0, err
	}
	answer, err := port.Status(ctx, o.ID)
	switch {
	case fault.Is(err, fault.GatewayRefused): // the bill is not there, and will not be
		return s.askedInVain(ctx, o, err)
	case err != nil:
		if kept := s.asked(ctx, o, err); kept != nil {
			return 0, kept
		}
		return s.nextPoll(o), nil
	}
	if err := s.learn(ctx, port, o, answer); err != nil {
		return 0, err
	}
	if err := s.giveUpDebits(ctx, o); err != nil {
		return 0, err
	}
	if o, err = order.Get(ctx, s.config.Pool, args.Order); err != nil {
		return 0, err
	}
	if over, err := s.settled(ctx, o); err != nil || over {
		return 0, err
	}
	return s.nextPoll(o), nil
}

// askedInVain is what follows when a gateway does not know an order's bill:
// nothing more is asked, unless a debit was ordered there whose end may still be
// told.
func (s *Service) askedInVain(ctx context.Context, o *order.Order, failure error) (wait time.Duration, err error) {
	if err := errors.Join(s.asked(ctx, o, failure), s.giveUpDebits(ctx, o)); err != nil {
		return 0, err
	}
	under, err := debitUnderWay(ctx, s.config.Pool, o.ID)
	if err != nil || !under {
		return 0, err
	}
	return s.nextPoll(o), nil
}

// asked keeps the messages of a question that failed; what is wrong with the
// peer is no failure of the job, what is wrong with us is.
func (s *Service) asked(ctx context.Context, o *order.Order, failure error) error {
	err := s.keepFailed(ctx, o, "status.failed", failure)
	class := fault.CodeOf(failure).Class()
	if !errors.Is(err, failure) || class == fault.Fatal || fault.Is(failure, fault.Cancelled) {
		return err
	}
	return nil
}

// settled says whether nothing more is expected of a gateway about an order.
func (s *Service) settled(ctx context.Context, o *order.Order) (bool, error) {
	switch o.State {
	case order.Paid, order.Overpaid, order.Refunding, order.Refunded:
	case order.Authorised, order.Captured: // until it is known what becomes of the money
		return false, nil
	default:
		if !s.longOver(o) {
			return false, nil
		}
	}
	under, err := debitUnderWay(ctx, s.config.Pool, o.ID)
	return !under, err
}

// longOver says whether a gateway has had time enough to tell of what was done
// within the order's.
func (s *Service) longOver(o *order.Order) bool {
	return s.config.Now().After(o.ExpiresAt.Add(pollGrace))
}

// nextPoll is how long to wait.
func (s *Service) nextPoll(o *order.Order) time.Duration {
	waited := s.config.Now().Sub(o.ExpiresAt.Add(-s.config.OrderLife))
	return min(max(waited/4, pollWaitMin), pollWaitMax)
}
