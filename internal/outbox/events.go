package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// Limits of an event: it says what happened in a few fields, the raw material
// is kept as evidence.
const (
	EventBytesMax = 64 << 10 // of Data as JSON
	TypeBytesMax  = 64
)

// typeForm is a name such as "order.created"; the table checks the same.
var typeForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)

// Event is one step of a transaction's timeline.
type Event struct {
	Transaction uuid.UUID
	Sequence    int       // 1, 2, 3 … within the transaction; given by Publish
	Type        string    // "payment.posted"
	At          time.Time // the caller's time; kept to the microsecond, in UTC
	Data        any       // anything that encodes as JSON; json.RawMessage when read
}

// Publish adds an event in the caller's transaction. From here to its end that
// transaction keeps others from publishing for the same Transaction; one that
// publishes for several does so in the order of their ids, or InTx may have to
// run it again.
func Publish(ctx context.Context, tx pgx.Tx, event Event) error {
	data, err := encodeEvent(event)
	if err != nil {
		return err
	}
	// greatest: a transaction that had to wait for the head may have begun
	// before the one it waited for.
	_, err = tx.Exec(ctx, `
		WITH head AS (
			INSERT INTO event_heads AS h (transaction_id, last, first_at, last_at)
			VALUES ($1, 1, now(), now())
			ON CONFLICT (transaction_id) DO UPDATE
			   SET last = h.last + 1,
			       last_at = greatest(h.last_at, now())
			RETURNING last, last_at)
		INSERT INTO events (recorded_at, transaction_id, sequence, type, at, data)
		SELECT last_at, $1, last, $2, $3, $4 FROM head`,
		event.Transaction, event.Type, event.At, data)
	if err != nil {
		return fmt.Errorf("publish %s: %w", event.Type, postgres.Classify(err))
	}
	return nil
}

func encodeEvent(event Event) (json.RawMessage, error) {
	switch {
	case event.Transaction == uuid.Nil:
		return nil, fault.New(fault.BadArgument, "transaction", "the event %.80q belongs to no transaction", event.Type)
	case len(event.Type) > TypeBytesMax || !typeForm.MatchString(event.Type):
		return nil, fault.New(fault.BadArgument, "type", "%.80q is not a type of event", event.Type)
	case event.At.IsZero():
		return nil, fault.New(fault.BadArgument, "at", "the event %s has no time", event.Type)
	}
	data, err := json.Marshal(event.Data)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "data", "encode the event %s", event.Type)
	}
	if len(data) > EventBytesMax {
		return nil, fault.New(fault.InputTooBig, "data", "the event %s has %d bytes of data; at most %d are kept", event.Type, len(data), EventBytesMax)
	}
	if !utf8.Valid(data) { // a RawMessage passes through Marshal as it is
		return nil, fault.New(fault.BadArgument, "data", "the event %s is not UTF-8", event.Type)
	}
	return data, nil
}

// EventsOf returns a transaction's timeline in its order. Data of each event
// is a json.RawMessage.
func EventsOf(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]Event, error) {
	// The head's span keeps the query out of all other months' partitions.
	rows, err := q.Query(ctx, `
		SELECT e.sequence, e.type, e.at, e.data
		  FROM event_heads h
		  JOIN events e ON e.transaction_id = h.transaction_id
		               AND e.recorded_at BETWEEN h.first_at AND h.last_at
		 WHERE h.transaction_id = $1
		 ORDER BY e.sequence`, transaction)
	if err != nil {
		return nil, fmt.Errorf("read a transaction's events: %w", postgres.Classify(err))
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Event, error) {
		event := Event{Transaction: transaction}
		var data json.RawMessage
		err := row.Scan(&event.Sequence, &event.Type, &event.At, &data)
		event.Data = data
		return event, err
	})
	if err != nil {
		return nil, fmt.Errorf("read a transaction's events: %w", postgres.Classify(err))
	}
	return events, nil
}
