package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// EventsMax bounds what PublishAll and QueueEvents take at once.
const EventsMax = 10_000

// PublishAll publishes events of any transactions as Publish does each, by one
// statement. Those of one transaction are numbered in the order given. The
// transactions' timelines are taken in the order of their ids, so that two who
// publish for the same ones wait for each other in one direction.
func PublishAll(ctx context.Context, tx pgx.Tx, events []Event) error {
	var batch pgx.Batch
	if err := QueueEvents(&batch, events); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("publish %d events: %w", len(events), postgres.Classify(err))
	}
	return nil
}

// QueueEvents is PublishAll in a batch that the caller sends. Either all
// events are in order and queued, or none is.
func QueueEvents(batch *pgx.Batch, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	if len(events) > EventsMax {
		return fault.New(fault.BadArgument, "", "%d events at once; at most %d", len(events), EventsMax)
	}
	var r eventRows
	for i := range events {
		data, err := encodeEvent(events[i])
		if err != nil {
			return err
		}
		r.add(&events[i], data)
	}
	r.count()
	// An event's number counts back from the head's new last: after is how many
	// of its transaction follow it here.
	batch.Queue(`
		WITH head AS (
			INSERT INTO event_heads AS h (transaction_id, last, first_at, last_at)
			SELECT transaction_id, events, now(), now() FROM unnest($1::uuid[], $2::int[]) AS g (transaction_id, events)
			ON CONFLICT (transaction_id) DO UPDATE
			   SET last = h.last + excluded.last,
			       last_at = greatest(h.last_at, now())
			RETURNING transaction_id, last, last_at)
		INSERT INTO events (recorded_at, transaction_id, sequence, type, at, data)
		SELECT head.last_at, head.transaction_id, head.last - e.after, e.type, e.at, e.data::json
		  FROM unnest($3::uuid[], $4::int[], $5::text[], $6::timestamptz[], $7::text[])
		       WITH ORDINALITY AS e (transaction_id, after, type, at, data, place)
		  JOIN head USING (transaction_id)
		 ORDER BY e.place`,
		r.heads, r.counts, r.transactions, r.after, r.types, r.ats, r.data)
	return nil
}

// eventRows are the parameters of QueueEvents: a row for each transaction, and
// one for each event.
type eventRows struct {
	heads  []uuid.UUID
	counts []int32

	transactions []uuid.UUID
	after        []int32
	types, data  []string
	ats          []time.Time
}

func (r *eventRows) add(e *Event, data json.RawMessage) {
	r.transactions, r.types = append(r.transactions, e.Transaction), append(r.types, e.Type)
	r.ats, r.data = append(r.ats, e.At), append(r.data, string(data))
}

// count fills in the heads, by id, and how many events follow each.
func (r *eventRows) count() {
	events := make(map[uuid.UUID]int32, len(r.transactions))
	r.after = make([]int32, len(r.transactions))
	for i := len(r.transactions) - 1; i >= 0; i-- {
		r.after[i] = events[r.transactions[i]]
		events[r.transactions[i]]++
	}
	for id := range events {
		r.heads = append(r.heads, id)
	}
	slices.SortFunc(r.heads, func(a, b uuid.UUID) int { return cmp.Compare(string(a[:]), string(b[:])) })
	for _, id := range r.heads {
		r.counts = append(r.counts, events[id])
	}
}
