package order

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
)

// PageMax bounds a page of a list.
const PageMax = 200

// Filter chooses what a list shows; a field left empty does not choose.
type Filter struct {
	Transaction uuid.UUID
	Order       uuid.UUID // of refunds
	State       string
	Payer       kz.BIN
	// Party is who asks: only what it pays or owes is shown.
	Party kz.BIN
	// After is the cursor that the page before ended with; empty for the first.
	After string
	Limit int // 1 to PageMax
}

// before is the identifier that the page is below. Lists go from the latest to
// the oldest, and identifiers are UUIDv7, so they are by identifier.
func (f Filter) before() (uuid.UUID, error) {
	if f.Limit < 1 || f.Limit > PageMax {
		return uuid.Nil, fault.New(fault.BadArgument, "/limit", "not within 1..%d", PageMax)
	}
	if f.After == "" {
		return uuid.Max, nil
	}
	id, err := uuid.Parse(f.After)
	if err != nil {
		return uuid.Nil, fault.New(fault.BadArgument, "/cursor", "not a cursor of this list")
	}
	return id, nil
}

// List returns a page of orders, the latest first, with their lines and
// without their charges, and the cursor of the next page; "" if this is the
// last.
func List(ctx context.Context, q postgres.Querier, f Filter) (page []Order, next string, err error) {
	before, err := f.before()
	if err != nil {
		return nil, "", err
	}
	if f.State != "" && !slices.Contains(States(), State(f.State)) {
		return nil, "", fault.New(fault.BadArgument, "/state", "no state of an order")
	}
	// The conditions that are not asked for are left out, so that the plan is
	// made for those that are.
	where := newConditions(f.Limit+1, before)
	where.add(f.Transaction != uuid.Nil, "p.id IN (SELECT order_id FROM payment_order_once WHERE transaction_id = ", f.Transaction, ")")
	where.add(f.State != "", "p.state = ", f.State)
	where.add(f.Payer != "", "p.payer_bin = ", string(f.Payer))
	where.add(f.Party != "", "(p.payer_bin = ", string(f.Party), " OR coalesce(p.declarant_bin, p.payer_bin) = ", string(f.Party), ")")
	rows, err := q.Query(ctx, `SELECT `+orderColumns+` FROM payment_order p
		WHERE p.id < $2`+where.text+` ORDER BY p.id DESC LIMIT $1`, where.args...)
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", postgres.Classify(err))
	}
	read, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r stored, err error) { return r, row.Scan(r.fields()...) })
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", postgres.Classify(err))
	}
	if len(read) > f.Limit {
		read = read[:f.Limit]
		next = read[f.Limit-1].ID.String()
	}
	page = make([]Order, len(read))
	for i := range read {
		page[i] = read[i].Order
		if err := page[i].loadLines(ctx, q, &read[i]); err != nil {
			return nil, "", err
		}
	}
	return page, next, nil
}

// ListRefunds returns a page of refunds as List does of orders.
func ListRefunds(ctx context.Context, q postgres.Querier, f Filter) (page []Refund, next string, err error) {
	before, err := f.before()
	if err != nil {
		return nil, "", err
	}
	if f.State != "" && !slices.Contains(RefundStates(), RefundState(f.State)) {
		return nil, "", fault.New(fault.BadArgument, "/state", "no state of a refund")
	}
	where := newConditions(f.Limit+1, before)
	where.add(f.Transaction != uuid.Nil, "transaction_id = ", f.Transaction)
	where.add(f.Order != uuid.Nil, "order_id = ", f.Order)
	where.add(f.State != "", "state = ", f.State)
	where.add(f.Payer != "", "payer_bin = ", string(f.Payer))
	where.add(f.Party != "", "payer_bin = ", string(f.Party))
	page, err = queryRefunds(ctx, q, `WHERE id < $2`+where.text+` ORDER BY id DESC LIMIT $1`, where.args...)
	if err != nil {
		return nil, "", err
	}
	if len(page) > f.Limit {
		page = page[:f.Limit]
		next = page[f.Limit-1].ID.String()
	}
	return page, next, nil
}

// Identifiers returns those of the lines of some orders, by their position.
func Identifiers(ctx context.Context, q postgres.Querier, orders []uuid.UUID) (map[uuid.UUID][]Identifier, error) {
	rows, err := q.Query(ctx, `
		SELECT l.order_id, array_agg(l.identifier ORDER BY l.position)
		  FROM payment_order_once o JOIN payment_line l ON l.order_id = o.order_id AND l.recorded_at = o.recorded_at
		 WHERE o.order_id = ANY ($1)
		 GROUP BY l.order_id`, orders)
	if err != nil {
		return nil, fmt.Errorf("read the identifiers of orders: %w", postgres.Classify(err))
	}
	found := make(map[uuid.UUID][]Identifier, len(orders))
	var id uuid.UUID
	var lines []Identifier
	_, err = pgx.ForEachRow(rows, []any{&id, &lines}, func() error {
		found[id], lines = lines, nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the identifiers of orders: %w", postgres.Classify(err))
	}
	return found, nil
}

// conditions collects what a list is chosen by, with its arguments.
type conditions struct {
	text string
	args []any
}

func newConditions(args ...any) *conditions { return &conditions{args: args} }

// add adds a condition if it is asked for: its parts are text and arguments in
// turn.
func (c *conditions) add(asked bool, parts ...any) {
	if !asked {
		return
	}
	c.text += " AND "
	for i, part := range parts {
		if i%2 == 0 {
			c.text += part.(string)
			continue
		}
		c.args = append(c.args, part)
		c.text += fmt.Sprintf("$%d", len(c.args))
	}
}
