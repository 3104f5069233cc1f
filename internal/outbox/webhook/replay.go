package webhook

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// replayMax bounds the events of one replay.
	replayMax = 10_000
	// replaySpanMax bounds the time of one replay: a month of the table.
	replaySpanMax = 31 * 24 * time.Hour
	// numberedWithin is how long after the beginning of its database transaction
	// an event takes its number at the latest.
	numberedWithin = time.Hour
)

// Replay says what is to be sent again: the events of a transaction, or one of
// them; those recorded from one time until before another; or the dead letters.
type Replay struct {
	Transaction uuid.UUID
	Sequence    int // 0: all of the transaction
	From, To    time.Time
	DeadLetters bool
}

// Replayed says what will be sent.
type Replayed struct {
	Queued int
	// More is true if more dead letters are left than one replay takes.
	More bool
}

// Replay queues events again, also those that were never queued for the
// subscription because it was disabled or not there yet. They are sent under
// the webhook-id they have always had, and in their order within each
// transaction. Errors: webhook_not_found, webhook_disabled, webhook_invalid,
// event_not_found, webhook_replay_too_large.
func (s *Service) Replay(ctx context.Context, v Viewer, id uuid.UUID, r Replay) (*Replayed, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	var done Replayed
	err := s.change(ctx, v.ID, "webhook.replay", id, func(tx pgx.Tx) error {
		done = Replayed{}
		target, err := s.lockTarget(ctx, tx, v, id)
		if err != nil {
			return err
		}
		if r.DeadLetters {
			done, err = s.replayDead(ctx, tx, id)
		} else {
			done.Queued, err = s.replayEvents(ctx, tx, target, r)
		}
		if err != nil || done.Queued == 0 {
			return err
		}
		return s.kick(ctx, tx, []uuid.UUID{id})
	})
	if err != nil {
		return nil, err
	}
	return &done, nil
}

func (r Replay) check() error {
	ways := 0
	for _, chosen := range []bool{r.Transaction != uuid.Nil, !r.From.IsZero() || !r.To.IsZero(), r.DeadLetters} {
		if chosen {
			ways++
		}
	}
	switch {
	case ways != 1:
		return fault.New(fault.WebhookInvalid, "", "name a transaction, a span of time or the dead letters, one of them")
	case r.Sequence < 0 || r.Sequence > 0 && r.Transaction == uuid.Nil:
		return fault.New(fault.WebhookInvalid, "/sequence", "counts from 1 within a transaction")
	case r.Transaction == uuid.Nil && !r.DeadLetters && (r.From.IsZero() || !r.From.Before(r.To)):
		return fault.New(fault.WebhookInvalid, "/from", "want from before to")
	case r.To.Sub(r.From) > replaySpanMax:
		return fault.New(fault.WebhookReplayBig, "/to", "at most %d days at a time", int(replaySpanMax.Hours()/24))
	}
	return nil
}

// target is a subscription that something is replayed to.
type target struct {
	id    uuid.UUID
	party *string
	types []string
}

// lockTarget holds the subscription, and then who sends to it: all take these
// locks in this order.
func (s *Service) lockTarget(ctx context.Context, tx pgx.Tx, v Viewer, id uuid.UUID) (target, error) {
	if err := lockOwn(ctx, tx, v, id); err != nil {
		return target{}, err
	}
	t := target{id: id}
	var disabled bool
	err := tx.QueryRow(ctx, `select party, types, disabled_at is not null from webhook_subscription where id = $1`, id).
		Scan(&t.party, &t.types, &disabled)
	if err != nil {
		return t, err
	}
	if disabled {
		return t, fault.New(fault.WebhookDisabled, "/id", "enable it first")
	}
	_, err = tx.Exec(ctx, `select from webhook_pump where subscription_id = $1 for update`, id)
	return t, err
}

func (s *Service) replayDead(ctx context.Context, tx pgx.Tx, id uuid.UUID) (Replayed, error) {
	tag, err := tx.Exec(ctx, `
		update webhook_delivery d set `+queuedAnew+`
		from (select transaction_id, sequence from webhook_delivery
		      where subscription_id = $1 and state = 'dead'
		      order by queued_at, transaction_id, sequence limit $3) dead
		where d.subscription_id = $1 and d.transaction_id = dead.transaction_id and d.sequence = dead.sequence`,
		id, s.config.Now(), replayMax)
	if err != nil {
		return Replayed{}, err
	}
	done := Replayed{Queued: int(tag.RowsAffected())}
	err = tx.QueryRow(ctx, `select exists (select from webhook_delivery where subscription_id = $1 and state = 'dead')`, id).Scan(&done.More)
	return done, err
}

// queuedAnew makes a delivery pending as if it were new; $2 is now.
const queuedAnew = `state = 'pending', reason = '', tries = 0, queued_at = $2, due_at = $2, settled_at = null`

// replayEvents queues the events that the subscription wants and may hear of.
func (s *Service) replayEvents(ctx context.Context, tx pgx.Tx, t target, r Replay) (queued int, err error) {
	found, err := r.find(ctx, tx, t.types)
	if err != nil {
		return 0, err
	}
	if len(found) > replayMax {
		return 0, fault.New(fault.WebhookReplayBig, "", "more than %d events; ask for a shorter time", replayMax)
	}
	if found, err = s.heardBy(ctx, tx, t, found); err != nil {
		return 0, err
	}
	if len(found) == 0 && r.Transaction != uuid.Nil {
		return 0, fault.New(fault.EventNotFound, "/transaction_id", "none that this webhook wants")
	}
	now := s.config.Now()
	batch := &pgx.Batch{}
	for _, e := range found {
		batch.Queue(`
			insert into webhook_delivery (subscription_id, transaction_id, sequence, recorded_at, type, state, queued_at, due_at)
			values ($1, $3, $4, $5, $6, 'pending', $2, $2)
			on conflict (subscription_id, transaction_id, sequence) do update set `+queuedAnew,
			t.id, now, e.Transaction, e.Sequence, e.RecordedAt, e.Type)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("queue the events again: %w", err)
	}
	return len(found), nil
}

// event names a row of events.
type event struct {
	Transaction uuid.UUID
	Sequence    int
	RecordedAt  time.Time
	Type        string
}

// find reads the events that the replay stands for, of the types wanted.
func (r Replay) find(ctx context.Context, tx pgx.Tx, types []string) ([]event, error) {
	const from = `
		select e.transaction_id, e.sequence, e.recorded_at, e.type
		from events e, (select $1::text[] as types) s where ` + typeMatches
	var rows pgx.Rows
	var err error
	if r.Transaction != uuid.Nil {
		rows, err = tx.Query(ctx, from+`
			and e.transaction_id = $2 and ($3 = 0 or e.sequence = $3)
			and e.recorded_at between (select first_at from event_heads where transaction_id = $2)
			                      and (select last_at from event_heads where transaction_id = $2)
			limit $4`, types, r.Transaction, r.Sequence, replayMax+1)
	} else {
		// An event has its number after its time: those of a time have higher
		// numbers than all marks before it, and lower ones than all marks some
		// time after it, also where the clock went back in between.
		rows, err = tx.Query(ctx, from+`
			and e.recorded_at >= $2 and e.recorded_at < $3
			and e.position > (select coalesce(max(position), 0) from event_marks
				where position < (select coalesce(min(position), $5) from event_marks where at > $2))
			and e.position <= (select coalesce(min(position), $5) from event_marks
				where position > (select coalesce(max(position), 0) from event_marks where at < $4))
			limit $6`, types, r.From, r.To, r.To.Add(numberedWithin), int64(math.MaxInt64), replayMax+1)
	}
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[event])
}

// heardBy leaves those of transactions that the subscription may hear of.
func (s *Service) heardBy(ctx context.Context, tx pgx.Tx, t target, found []event) ([]event, error) {
	if t.party == nil || len(found) == 0 {
		return found, nil
	}
	seen := make(map[uuid.UUID]bool)
	var transactions []uuid.UUID
	for _, e := range found {
		if !seen[e.Transaction] {
			seen[e.Transaction] = true
			transactions = append(transactions, e.Transaction)
		}
	}
	of, err := s.config.Parties(ctx, tx, transactions)
	if err != nil {
		return nil, err
	}
	own := found[:0]
	for _, e := range found {
		if name, known := of[e.Transaction]; known && name == *t.party {
			own = append(own, e)
		}
	}
	return own, nil
}
