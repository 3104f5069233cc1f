package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
)

const (
	// roundInterval is how often a process looks for new events that no job
	// (outbox.News) follows, or whose job did not come to the end: one small
	// query when there are none.
	roundInterval = 300 * time.Millisecond
	// upkeepInterval is how often what was lost on the way is looked for.
	upkeepInterval = 30 * time.Second
	// batchEvents bounds the events of one transaction of the sequencer.
	batchEvents = 1000
	// settleTries and settlePause bound the wait for transactions that have
	// taken a number and not ended; the next round waits again.
	settleTries = 50
	settlePause = 10 * time.Millisecond
)

// Run queues events for their subscribers until the context ends. Any number of
// processes may run it: one at a time works, and goes on where another stopped.
func (s *Service) Run(ctx context.Context) {
	rounds, upkeep := time.NewTicker(roundInterval), time.NewTicker(upkeepInterval)
	defer rounds.Stop()
	defer upkeep.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-rounds.C:
			err = s.round(ctx)
		case <-upkeep.C:
			err = s.upkeep(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.config.Log.Error("webhooks: events are queued late", "code", string(fault.CodeOf(err)), "error", err)
		}
	}
}

// sequencer works the jobs that follow events: what they say is told at once,
// and not when this process, or another, looks next.
type sequencer struct {
	river.WorkerDefaults[outbox.News]
	service *Service
}

// Work does one round. What it cannot come to the end of, because somebody who
// writes events takes long or another process is at it, is left to the rounds
// that Run does anyway: the cursor says what is still to be told.
func (w *sequencer) Work(ctx context.Context, _ *river.Job[outbox.News]) error {
	return w.service.round(ctx)
}

// round queues every event whose number was given out before the round began.
// An event's number is taken inside its transaction, so a higher one may be
// seen first. Therefore: read the last number given out, see who may have
// taken one and not ended yet, and wait for those. Once they are gone, every
// number up to the last is in the table or will never be.
func (s *Service) round(ctx context.Context) error {
	s.rounds.Lock()
	defer s.rounds.Unlock()
	last, err := s.lastPosition(ctx)
	if err != nil || last == s.done {
		return err
	}
	settled, err := s.settled(ctx)
	if err != nil || !settled {
		return err
	}
	for {
		reached, mine, err := s.queue(ctx, last)
		if err != nil || !mine {
			return err // another process is at it, and may not come to the end
		}
		if reached >= last {
			s.done = last
			return nil
		}
	}
}

func (s *Service) lastPosition(ctx context.Context) (last int64, err error) {
	err = s.config.Pool.QueryRow(ctx, `select case when is_called then last_value else 0 end from event_position`).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("read the last position: %w", postgres.Classify(err))
	}
	return last, nil
}

// writers are the transactions that write events now. A transaction holds this
// lock from before it takes a number until after its rows are visible to all,
// so one that is not listed has nothing under way.
const writers = `
	select coalesce(array_agg(distinct virtualtransaction), '{}') from pg_locks
	where locktype = 'relation' and relation = 'events'::regclass and mode = 'RowExclusiveLock' and granted
	  and database = (select oid from pg_database where datname = current_database())`

// settled waits until the transactions that write events now have ended; false
// if that takes too long.
func (s *Service) settled(ctx context.Context) (bool, error) {
	var writing []string
	if err := s.config.Pool.QueryRow(ctx, writers).Scan(&writing); err != nil {
		return false, fmt.Errorf("see who writes events: %w", postgres.Classify(err))
	}
	for try := 0; len(writing) > 0; try++ {
		if try == settleTries {
			return false, nil
		}
		timer := time.NewTimer(settlePause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, nil
		case <-timer.C:
		}
		if err := s.config.Pool.QueryRow(ctx, writers+` and virtualtransaction = any($1)`, writing).Scan(&writing); err != nil {
			return false, fmt.Errorf("see who writes events: %w", postgres.Classify(err))
		}
	}
	return true, nil
}

// queue takes the next events up to a position and queues them for whoever
// wants them, in one transaction with the cursor. It returns where the cursor
// stands then; mine is false if another process moves it.
func (s *Service) queue(ctx context.Context, last int64) (reached int64, mine bool, err error) {
	err = postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		mine = false
		err := tx.QueryRow(ctx, `select position from webhook_cursor for update skip locked`).Scan(&reached)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if mine = err == nil; !mine || reached >= last {
			return err
		}
		if err := s.dropBarred(ctx, tx); err != nil {
			return err
		}
		wanted, restricted, err := audience(ctx, tx)
		if err != nil {
			return err
		}
		to := last
		if wanted {
			if to, err = s.queueEvents(ctx, tx, reached, last, restricted); err != nil {
				return err
			}
		}
		reached = to
		_, err = tx.Exec(ctx, `update webhook_cursor set position = $1`, to)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("queue events: %w", err)
	}
	return reached, mine, nil
}

// audience reports whether anybody is told of anything, and whether of some
// transactions only.
func audience(ctx context.Context, tx pgx.Tx) (wanted, restricted bool, err error) {
	err = tx.QueryRow(ctx, `
		select count(*) > 0, count(party) > 0 from webhook_subscription
		where disabled_at is null and deleted_at is null`).Scan(&wanted, &restricted)
	return wanted, restricted, err
}

// dropBarred disables the subscriptions of clients that may not call any more.
func (s *Service) dropBarred(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `select distinct owner from webhook_subscription where disabled_at is null and deleted_at is null`)
	if err != nil {
		return err
	}
	owners, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(owners) == 0 {
		return err
	}
	barred, err := s.config.Barred(ctx, tx, owners)
	if err != nil || len(barred) == 0 {
		return err
	}
	rows, err = tx.Query(ctx, `select id from webhook_subscription where owner = any($1) and disabled_at is null and deleted_at is null`, barred)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := disable(ctx, tx, id, fault.ClientDisabled, s.config.Now()); err != nil {
			return err
		}
	}
	return nil
}

// queueEvents queues one batch and returns up to which position.
func (s *Service) queueEvents(ctx context.Context, tx pgx.Tx, from, last int64, restricted bool) (to int64, err error) {
	rows, err := tx.Query(ctx, `
		select position, transaction_id from events where position > $1 and position <= $2
		order by position limit $3`, from, last, batchEvents)
	if err != nil {
		return 0, err
	}
	var events int
	var transactions []uuid.UUID
	seen := make(map[uuid.UUID]bool)
	var position int64
	var transaction uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&position, &transaction}, func() error {
		events, to = events+1, position
		if !seen[transaction] {
			seen[transaction] = true
			transactions = append(transactions, transaction)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if events < batchEvents {
		to = last // numbers without an event belong to what was rolled back
	}
	if events == 0 {
		return to, nil
	}
	parties, err := s.partiesOf(ctx, tx, transactions, restricted)
	if err != nil {
		return 0, err
	}
	now := s.config.Now()
	rows, err = tx.Query(ctx, `
		with queued as (
			insert into webhook_delivery (subscription_id, transaction_id, sequence, recorded_at, type, state, queued_at, due_at)
			select s.id, e.transaction_id, e.sequence, e.recorded_at, e.type, 'pending', $3, $3
			  from events e
			  join webhook_subscription s on s.disabled_at is null and s.deleted_at is null and `+typeMatches+`
			  left join unnest($4::uuid[], $5::text[]) as p (transaction_id, party) on p.transaction_id = e.transaction_id
			 where e.position > $1 and e.position <= $2 and (s.party is null or s.party = p.party)
			on conflict do nothing
			returning subscription_id)
		select distinct subscription_id from queued`, from, to, now, parties.transactions, parties.names)
	if err != nil {
		return 0, err
	}
	told, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(told) == 0 {
		return to, err
	}
	return to, s.kick(ctx, tx, told)
}

// typeMatches holds an event e against the types of a subscription s.
const typeMatches = `(cardinality(s.types) = 0 or e.type = any(s.types)
	or exists (select from unnest(s.types) t where t like '%.*' and starts_with(e.type, left(t, -1))))`

// parties are two columns: whose each transaction is.
type parties struct {
	transactions []uuid.UUID
	names        []string
}

// partiesOf asks to whom the transactions belong, if anybody is told of some
// only.
func (s *Service) partiesOf(ctx context.Context, tx pgx.Tx, transactions []uuid.UUID, restricted bool) (parties, error) {
	p := parties{transactions: []uuid.UUID{}, names: []string{}}
	if !restricted {
		return p, nil
	}
	of, err := s.config.Parties(ctx, tx, transactions)
	if err != nil {
		return p, err
	}
	for id, name := range of {
		p.transactions, p.names = append(p.transactions, id), append(p.names, name)
	}
	return p, nil
}
