package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
)

// Config is what the package stands on. Everything but Plain and Metrics is
// required.
type Config struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
	Log  *slog.Logger
	// Client asks subscribers; its list of hosts is where events may go. Its
	// timeout is SendTimeout.
	Client *fetch.Client
	// Plain accepts http:// addresses: those of a sandbox.
	Plain   bool
	Metrics *Metrics // nil: nothing is counted
	// Parties says to whom each of these transactions belongs. One that it does
	// not name belongs to nobody.
	Parties func(ctx context.Context, q postgres.Querier, transactions []uuid.UUID) (map[uuid.UUID]string, error)
	// Barred says which of these owners may not call any more.
	Barred func(ctx context.Context, q postgres.Querier, owners []string) ([]string, error)
}

func (c Config) check() error {
	if c.Pool == nil || c.Now == nil || c.Log == nil || c.Client == nil || c.Parties == nil || c.Barred == nil {
		return fault.New(fault.ConfigBad, "webhooks", "a database, a clock, a log, a client and who owns what are required")
	}
	return nil
}

// Service keeps the subscriptions, and queues events for them (Run). It keeps
// no state that it cannot read again.
type Service struct {
	config Config
	jobs   *outbox.Jobs

	rounds sync.Mutex // one of this process at a time
	done   int64      // up to here everything is queued, as far as this process has seen
}

// New makes a service, which is the one that the workers work for. Its jobs are
// made with them. Errors: config_invalid.
func New(c Config, jobs *outbox.Jobs, w *Workers) (*Service, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if jobs == nil || w == nil {
		return nil, fault.New(fault.ConfigBad, "webhooks", "a job queue and its workers are required")
	}
	s := &Service{config: c, jobs: jobs}
	w.sequencer.service = s
	return s, nil
}

// Queue is the queue of the jobs that send. They have one of their own, so that
// subscribers who do not answer hold up nothing else.
const Queue = "webhooks"

// QueueWorkers is how many subscriptions one process sends to at a time.
const QueueWorkers = 8

// deliverArgs is the job that sends what is due to one subscription.
type deliverArgs struct {
	Subscription uuid.UUID `json:"subscription"`
}

func (deliverArgs) Kind() string { return "webhook_deliver" }

// InsertOpts puts the job into its queue.
func (deliverArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue} }

// Workers work the jobs of a Service. The queue is made of them before there is
// a Service; New gives them theirs.
type Workers struct{ sequencer sequencer }

// AddWorkers adds the workers of this package to those of the program, before
// the job queue is made of them; the queue is told of Queue and of
// outbox.NewsQueue too.
func AddWorkers(workers *river.Workers, c Config) (*Workers, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := &Workers{}
	if err := errors.Join(river.AddWorkerSafely(workers, &deliverer{Config: c}), river.AddWorkerSafely(workers, &w.sequencer)); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "add the workers of webhooks")
	}
	return w, nil
}

// kick sees to it that a job looks at each of these subscriptions after the
// commit. One that is being sent to needs none: whoever does it looks once more
// before it lets go, under the lock that is taken here.
func (s *Service) kick(ctx context.Context, tx pgx.Tx, subscriptions []uuid.UUID) error {
	now := s.config.Now()
	rows, err := tx.Query(ctx, `
		select subscription_id from webhook_pump
		where subscription_id = any($1)
		order by subscription_id for update`, subscriptions)
	if err != nil {
		return fmt.Errorf("lock the subscriptions: %w", postgres.Classify(err))
	}
	if _, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
		return fmt.Errorf("lock the subscriptions: %w", postgres.Classify(err))
	}
	// Read again under the lock: what was waited for may have changed them.
	rows, err = tx.Query(ctx, `
		select subscription_id from webhook_pump
		where subscription_id = any($1) and (lease_until is null or lease_until <= $2)
		  and not (coalesce(hold_until > $2, false) and coalesce(wake_at > $2, false))`, subscriptions, now)
	if err != nil {
		return fmt.Errorf("find who is not sent to: %w", postgres.Classify(err))
	}
	idle, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("find who is not sent to: %w", postgres.Classify(err))
	}
	for _, id := range idle {
		if err := s.jobs.Insert(ctx, tx, deliverArgs{Subscription: id}, nil); err != nil {
			return err
		}
	}
	return nil
}
