package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

const (
	// sendsAtOnce is how many messages, each of another transaction, are on
	// their way to one subscription.
	sendsAtOnce = 8
	// sliceTime is how long a job takes new messages before it lets other
	// subscriptions have its place.
	sliceTime = 20 * time.Second
	// leaseTime is how long who sends to a subscription may be silent before
	// another does it. It is renewed with each record; a message is on its way
	// for SendTimeout at most and was taken at most that long after a record.
	leaseTime = 45 * time.Second
	// jobTime bounds a whole job: a slice and its last messages.
	jobTime = sliceTime + SendTimeout + 15*time.Second
	// lostAfter is after what time a job that should have looked is taken for
	// lost.
	lostAfter = time.Minute
	// attemptsKept bounds the record of one delivery over all its replays.
	attemptsKept = 40
)

// deliverer works the jobs that send.
type deliverer struct {
	river.WorkerDefaults[deliverArgs]
	Config
}

// Timeout of a job; River also takes a killed process's jobs for lost by it.
func (d *deliverer) Timeout(*river.Job[deliverArgs]) time.Duration { return jobTime }

// Work sends what is due to one subscription and, if something will be due
// later, has River come again then.
func (d *deliverer) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	wait, err := d.turn(ctx, job.Args.Subscription, job.ID, job.Attempt)
	if err != nil || wait < 0 {
		return err
	}
	return river.JobSnooze(wait)
}

// turn is one job's work. It returns when the job is to come again; a negative
// wait is never.
func (d *deliverer) turn(ctx context.Context, subscription uuid.UUID, job int64, attempt int) (wait time.Duration, err error) {
	r := &run{Config: d.Config, subscription: subscription, lease: postgres.NewID(d.Now())}
	taken, err := r.begin(ctx)
	switch {
	case errors.Is(err, errLeaseLost):
		return never, nil
	case err != nil:
		return never, err
	case taken > 0 && attempt > 1:
		return taken, nil // the one that failed or was killed may be this very job
	case taken > 0:
		return never, nil
	}
	err = r.pump(ctx)
	if errors.Is(err, errLeaseLost) {
		return never, nil // whoever has it now goes on
	}
	if err != nil {
		return never, fmt.Errorf("send to the subscription %s: %w", subscription, err)
	}
	return r.end(context.WithoutCancel(ctx), job)
}

// never is the wait of a job that need not come again.
const never time.Duration = -1

// errLeaseLost says that another process has taken the subscription over, or
// that it is not there any more.
var errLeaseLost = errors.New("the lease was lost")

// run is one turn of sending to one subscription, under its lease.
type run struct {
	Config
	subscription, lease uuid.UUID
	pace
}

// pace says how a subscriber is asked.
type pace struct {
	streak int       // failed rounds since it last took something
	last   uuid.UUID // a transaction that the last of them was about
	held   time.Time // nothing is sent before
}

// begin takes the lease. If somebody else has it, it returns for how long at
// most.
func (r *run) begin(ctx context.Context) (taken time.Duration, err error) {
	err = postgres.InTx(ctx, r.Pool, func(tx pgx.Tx) error {
		now := r.Now()
		var until, held *time.Time
		var last *uuid.UUID
		err := tx.QueryRow(ctx, `
			select lease_until, hold_until, streak, streak_of from webhook_pump where subscription_id = $1 for update`,
			r.subscription).Scan(&until, &held, &r.streak, &last)
		if errors.Is(err, pgx.ErrNoRows) {
			return errLeaseLost // the subscription was pruned
		}
		if err != nil {
			return err
		}
		if taken = 0; until != nil && until.After(now) {
			taken = until.Sub(now)
			return nil
		}
		if held != nil {
			r.held = *held
		}
		if last != nil {
			r.last = *last
		}
		_, err = tx.Exec(ctx, `update webhook_pump set lease = $2, lease_until = $3 where subscription_id = $1`,
			r.subscription, r.lease, now.Add(leaseTime))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("take the lease of the subscription %s: %w", r.subscription, err)
	}
	return taken, nil
}

// head is the first event of a transaction that the subscription has not been
// told of.
type head struct {
	transaction uuid.UUID
	sequence    int
	tries       int
	typ         string
	at          *time.Time // nil: the event is not there any more
	data        json.RawMessage

	// Where it goes and how it is signed, as of when it was taken: others are
	// under way while the next are taken.
	url  string
	keys []key
}

// result is what became of one head.
type result struct {
	head
	verdict
}

// pump sends until nothing is due, the slice is over, or the subscriber has to
// be left alone. All it knows is written by record; whatever stops it, the
// events stay pending and are sent again.
func (r *run) pump(ctx context.Context) error {
	until := r.Now().Add(sliceTime)
	results := make(chan result, sendsAtOnce)
	var senders sync.WaitGroup
	defer senders.Wait()
	underway := make(map[uuid.UUID]bool)
	for {
		now := r.Now()
		if ctx.Err() == nil && now.Before(until) && !now.Before(r.held) {
			heads, err := r.take(ctx, r.atOnce()-len(underway), underway)
			if err != nil {
				return err
			}
			for _, h := range heads {
				underway[h.transaction] = true
				senders.Go(func() { results <- result{h, r.deliver(ctx, h)} })
			}
		}
		if len(underway) == 0 {
			return nil
		}
		batch := []result{<-results}
		for len(results) > 0 {
			batch = append(batch, <-results)
		}
		for _, one := range batch {
			delete(underway, one.transaction)
		}
		if err := r.record(ctx, batch); err != nil {
			return err
		}
	}
}

// atOnce is one for a subscriber that has not answered lately.
func (r *run) atOnce() int {
	if r.streak >= streakMax {
		return 1
	}
	return sendsAtOnce
}

// take finds what is due now: the first pending event of each transaction that
// none is under way of. The address and the keys are read each time, so that a
// change of them counts at once.
func (r *run) take(ctx context.Context, most int, underway map[uuid.UUID]bool) ([]head, error) {
	if most <= 0 {
		return nil, nil
	}
	now := r.Now()
	var url string
	err := r.Pool.QueryRow(ctx, `
		select url from webhook_subscription where id = $1 and disabled_at is null and deleted_at is null`, r.subscription).Scan(&url)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the subscription: %w", postgres.Classify(err))
	}
	keys, err := liveKeys(ctx, r.Pool, r.subscription, now)
	if err != nil {
		return nil, err
	}
	busy := make([]uuid.UUID, 0, len(underway))
	for transaction := range underway {
		busy = append(busy, transaction)
	}
	rows, err := r.Pool.Query(ctx, `
		select d.transaction_id, d.sequence, d.tries, d.type, e.at, e.data
		from (select * from webhook_delivery d
		      where subscription_id = $1 and state = 'pending' and due_at <= $2 and transaction_id <> all($3) and `+isFirst+`
		      order by due_at limit $4) d
		left join events e on e.transaction_id = d.transaction_id and e.sequence = d.sequence and e.recorded_at = d.recorded_at`,
		r.subscription, now, busy, most)
	if err != nil {
		return nil, fmt.Errorf("find what is due: %w", postgres.Classify(err))
	}
	heads, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h head, err error) {
		h.url, h.keys = url, keys // read only from here on
		err = row.Scan(&h.transaction, &h.sequence, &h.tries, &h.typ, &h.at, &h.data)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("find what is due: %w", postgres.Classify(err))
	}
	return heads, nil
}

// isFirst says that no earlier event of the transaction of a delivery d is
// pending. This is what keeps the order.
const isFirst = `not exists (select from webhook_delivery earlier
	where earlier.subscription_id = d.subscription_id and earlier.transaction_id = d.transaction_id
	  and earlier.sequence < d.sequence and earlier.state = 'pending')`

func (r *run) deliver(ctx context.Context, h head) verdict {
	if h.at == nil {
		return verdict{Attempt: Attempt{At: r.Now().UTC(), Code: fault.EventNotFound}}
	}
	m, err := encodeMessage(MessageID(r.subscription, h.transaction, h.sequence), envelope{
		Type: h.typ, Timestamp: *h.at, Data: eventData{Transaction: h.transaction, Sequence: h.sequence, Details: h.data},
	})
	if err != nil {
		return verdict{Attempt: Attempt{At: r.Now().UTC(), Code: fault.CodeOf(err)}}
	}
	return r.send(ctx, h.url, h.keys, m)
}

// end gives the lease back and says when to come again: never if nothing is
// pending or another job will look in time.
func (r *run) end(ctx context.Context, job int64) (wait time.Duration, err error) {
	err = postgres.InTx(ctx, r.Pool, func(tx pgx.Tx) error {
		wait = never
		now := r.Now()
		var wakeJob *int64
		var wakeAt *time.Time
		// Under the lock that kick takes: what is queued before it is seen below,
		// and what is queued after it finds the lease given back.
		err := tx.QueryRow(ctx, `
			select wake_job, wake_at from webhook_pump where subscription_id = $1 and lease = $2 for update`,
			r.subscription, r.lease).Scan(&wakeJob, &wakeAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		next, err := r.nextDue(ctx, tx, now)
		if err != nil {
			return err
		}
		another := wakeJob != nil && *wakeJob != job && wakeAt.After(now.Add(-lostAfter))
		switch {
		case next == nil:
			wakeJob, wakeAt = nil, nil
		case another && !wakeAt.After(*next): // it looks in time
		default:
			wakeJob, wakeAt = &job, next
			wait = max(0, next.Sub(now))
		}
		_, err = tx.Exec(ctx, `
			update webhook_pump set lease = null, lease_until = null, wake_job = $2, wake_at = $3
			where subscription_id = $1`, r.subscription, wakeJob, wakeAt)
		return err
	})
	if err != nil {
		return never, fmt.Errorf("give the lease of the subscription %s back: %w", r.subscription, err)
	}
	return wait, nil
}

// nextDue is when something can be sent next, now at the earliest; nil is
// never.
func (r *run) nextDue(ctx context.Context, tx pgx.Tx, now time.Time) (*time.Time, error) {
	var next time.Time
	err := tx.QueryRow(ctx, `
		select due_at from webhook_delivery d
		where subscription_id = $1 and state = 'pending' and `+isFirst+`
		order by due_at limit 1`, r.subscription).Scan(&next)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find what is due next: %w", postgres.Classify(err))
	}
	for _, t := range []time.Time{r.held, now} {
		if next.Before(t) {
			next = t
		}
	}
	return &next, nil
}
