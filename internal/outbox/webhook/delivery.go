package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// State of a delivery.
type State string

// The states: dead ones are sent again only when they are replayed.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Dead      State = "dead"
)

// Delivery is one event for one subscription.
type Delivery struct {
	MessageID   string // the webhook-id
	Transaction uuid.UUID
	Sequence    int
	Type        string
	State       State
	Reason      fault.Code // why it is dead
	QueuedAt    time.Time
	NextAt      *time.Time // of a pending one: not before; it may wait for an earlier event
	SettledAt   *time.Time
	Attempts    []Attempt // the latest, oldest first
}

// Deliveries is which deliveries to show.
type Deliveries struct {
	State       State     // empty: any
	Transaction uuid.UUID // nil: any
	After       string    // Next of the page before
	Limit       int       // 100 at most, and if zero
}

// Page of deliveries, those queued last first.
type Page struct {
	Deliveries []Delivery
	Next       string // empty on the last page
}

// place is where a page ends.
type place struct {
	QueuedAt    time.Time `json:"q"`
	Transaction uuid.UUID `json:"t"`
	Sequence    int       `json:"s"`
}

func (p place) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		return "" // a time beyond the year 9999, which the table does not hold
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parsePlace(text string) (place, error) {
	var p place
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return p, fault.New(fault.BadArgument, "/query/after", "not the end of a page")
	}
	return p, nil
}

// Deliveries shows what was sent to a subscription, what came of it and what is
// to come, for its owner and the support desk. Errors: webhook_not_found,
// bad_argument.
func (s *Service) Deliveries(ctx context.Context, v Viewer, id uuid.UUID, d Deliveries) (*Page, error) {
	var after *place
	if d.After != "" {
		p, err := parsePlace(d.After)
		if err != nil {
			return nil, err
		}
		after = &p
	}
	if d.Limit <= 0 || d.Limit > listMax {
		d.Limit = listMax
	}
	if err := s.mayView(ctx, v, id); err != nil {
		return nil, err
	}
	found, err := s.readDeliveries(ctx, id, d, after)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	page := &Page{Deliveries: found}
	if len(found) > d.Limit {
		page.Deliveries = found[:d.Limit]
		last := page.Deliveries[d.Limit-1]
		page.Next = place{last.QueuedAt, last.Transaction, last.Sequence}.String()
	}
	return page, nil
}

func (s *Service) mayView(ctx context.Context, v Viewer, id uuid.UUID) error {
	var found bool
	err := s.config.Pool.QueryRow(ctx, `
		select true from webhook_subscription where id = $1 and deleted_at is null and ($2 or owner = $3)`, id, v.All, v.ID).Scan(&found)
	if errors.Is(err, pgx.ErrNoRows) {
		return missing()
	}
	if err != nil {
		return fmt.Errorf("find the subscription: %w", postgres.Classify(err))
	}
	return nil
}

// readDeliveries reads one more than asked for, to see whether there are more.
func (s *Service) readDeliveries(ctx context.Context, id uuid.UUID, d Deliveries, after *place) ([]Delivery, error) {
	where, args := `subscription_id = $1`, []any{id}
	add := func(condition string, values ...any) {
		numbers := make([]any, len(values))
		for i, value := range values {
			args = append(args, value)
			numbers[i] = len(args)
		}
		where += fmt.Sprintf(" and "+condition, numbers...)
	}
	if d.State != "" {
		add(`state = $%d`, string(d.State))
	}
	if d.Transaction != uuid.Nil {
		add(`transaction_id = $%d`, d.Transaction)
	}
	if after != nil {
		add(`(queued_at, transaction_id, sequence) < ($%d, $%d, $%d)`, after.QueuedAt, after.Transaction, after.Sequence)
	}
	rows, err := s.config.Pool.Query(ctx, fmt.Sprintf(`
		select transaction_id, sequence, type, state, reason, queued_at, due_at, settled_at, attempts
		from webhook_delivery where %s
		order by queued_at desc, transaction_id desc, sequence desc limit %d`, where, d.Limit+1), args...)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Delivery, error) {
		var x Delivery
		var state, reason string
		var due time.Time
		err := row.Scan(&x.Transaction, &x.Sequence, &x.Type, &state, &reason, &x.QueuedAt, &due, &x.SettledAt, &x.Attempts)
		x.State, x.Reason = State(state), fault.Code(reason)
		if x.MessageID = MessageID(id, x.Transaction, x.Sequence); x.State == Pending {
			x.NextAt = &due
		}
		return x, err
	})
	return found, postgres.Classify(err)
}
