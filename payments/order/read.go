package order

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

// Get returns an order with its lines and charges.
func Get(ctx context.Context, q postgres.Querier, id uuid.UUID) (*Order, error) {
	return one(ctx, q, id, "")
}

// Lock is Get that keeps others from moving the order until the transaction
// ends.
func Lock(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*Order, error) {
	return one(ctx, tx, id, "FOR UPDATE OF p")
}

func one(ctx context.Context, q postgres.Querier, id uuid.UUID, lock string) (*Order, error) {
	found, err := load(ctx, q, "WHERE o.order_id = $1 "+lock, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fault.New(fault.OrderNotFound, "", "no order %s", id)
	}
	return &found[0], nil
}

// Of returns the orders of a transaction, the latest last: before one is made
// none, and more than one only if the earlier are cancelled or refunded.
func Of(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]Order, error) {
	return load(ctx, q, "WHERE o.transaction_id = $1 ORDER BY o.number", transaction)
}

// load reads orders. payment_order_once, which is not partitioned, leads to
// the month of the rest.
func load(ctx context.Context, q postgres.Querier, where string, args ...any) ([]Order, error) {
	rows, err := q.Query(ctx, `
		SELECT `+orderColumns+`
		  FROM payment_order_once o
		  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
		`+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", postgres.Classify(err))
	}
	read, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r stored, err error) {
		return r, row.Scan(r.fields()...)
	})
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", postgres.Classify(err))
	}
	orders := make([]Order, len(read))
	for i := range read {
		orders[i] = read[i].Order
		o := &orders[i]
		if err := o.loadLines(ctx, q, &read[i]); err != nil {
			return nil, err
		}
		if err := o.loadCharges(ctx, q); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// orderColumns are what stored scans.
const orderColumns = `p.id, p.transaction_id, p.recorded_at, p.expires_at, coalesce(p.declarant_bin, p.payer_bin), p.payer_bin, p.declaration, p.total, p.state,
		       p.gateway, p.registration, p.payment_url, p.presentations, p.credited, p.tolerated, p.refunded_credit, p.refunding, p.paid, p.refunded`

// stored is a row of payment_order.
type stored struct {
	Order
	paid, refunded []money.Tiyn // by position
}

func (r *stored) fields() []any {
	return []any{&r.ID, &r.Transaction, &r.CreatedAt, &r.ExpiresAt, &r.Declarant, &r.Payer, &r.Declaration, &r.Total, &r.State,
		&r.Gateway, &r.Registration, &r.PaymentURL, &r.Presentations, &r.Credited, &r.Tolerated, &r.RefundedCredit, &r.Refunding, &r.paid, &r.refunded}
}

// amounts gives the line at a position what the row says of it. A row that an
// earlier version made says nothing of lines that nothing was paid on.
func (r *stored) amounts(l *Line, position int) {
	if position < len(r.paid) {
		l.Paid = r.paid[position]
	}
	if position < len(r.refunded) {
		l.Refunded = r.refunded[position]
	}
}

// lineColumns are what fields of a Line scans.
const lineColumns = `l.identifier, l.kind, l.budget_code, l.purpose_code, l.revenue_office, l.beneficiary_bin, l.beneficiary_name,
		       l.bic, l.iik, l.kbe, l.amount`

func (l *Line) fields() []any {
	r := &l.Requisites
	return []any{&l.Identifier, &l.Kind, &l.BudgetCode, &l.PurposeCode, &r.RevenueOffice, &r.BIN, &r.Name, &r.BIC, &r.IIK, &r.KBe, &l.Amount}
}

func (o *Order) loadLines(ctx context.Context, q postgres.Querier, row *stored) error {
	rows, err := q.Query(ctx, `
		SELECT `+lineColumns+`,
		       (SELECT coalesce(sum(m.amount), 0)::bigint FROM payment_match m WHERE m.order_id = l.order_id AND m.position = l.position)
		  FROM payment_line l
		 WHERE l.order_id = $1 AND l.recorded_at = $2
		 ORDER BY l.position`, o.ID, o.CreatedAt)
	if err != nil {
		return fmt.Errorf("read an order's lines: %w", postgres.Classify(err))
	}
	o.Lines, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Line, err error) {
		return l, row.Scan(append(l.fields(), &l.Matched)...)
	})
	if err != nil {
		return fmt.Errorf("read an order's lines: %w", postgres.Classify(err))
	}
	for i := range o.Lines {
		row.amounts(&o.Lines[i], i)
	}
	o.derive()
	return nil
}

func (o *Order) loadCharges(ctx context.Context, q postgres.Querier) error {
	rows, err := q.Query(ctx, `
		SELECT kind, budget_code, purpose_code, revenue_office, item, commodity_code, base, quantity, rate, rounding, amount, path, ground
		  FROM payment_charge WHERE order_id = $1 AND recorded_at = $2 ORDER BY position`, o.ID, o.CreatedAt)
	if err != nil {
		return fmt.Errorf("read an order's charges: %w", postgres.Classify(err))
	}
	o.Charges, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (charge.Charge, error) {
		var c charge.Charge
		err := row.Scan(&c.Kind, &c.BudgetCode, &c.PurposeCode, &c.RevenueOffice, &c.Item, &c.CommodityCode,
			&c.Base, &c.Quantity, &c.Rate, &c.Rounding, &c.Amount, &c.Path, &c.Ground)
		return c, err
	})
	if err != nil {
		return fmt.Errorf("read an order's charges: %w", postgres.Classify(err))
	}
	return nil
}

// LockAll locks orders, in the order of their identifiers so that no two
// callers wait for each other, and returns those there are with their lines,
// without charges and matches.
func LockAll(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) (map[uuid.UUID]*Order, error) {
	orders := make(map[uuid.UUID]*Order, len(ids))
	var batch pgx.Batch
	QueueLock(&batch, ids, orders)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("lock orders: %w", postgres.Classify(err))
	}
	return orders, nil
}

// QueueLock is LockAll in a batch that the caller sends; it puts the orders
// into the map.
func QueueLock(batch *pgx.Batch, ids []uuid.UUID, orders map[uuid.UUID]*Order) {
	if len(ids) == 0 {
		return
	}
	// In the order of the array and not of p.id: for that the planner may read all
	// orders by their index, to save itself sorting these few.
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, postgres.CompareIDs)
	from, to := months(sorted)
	batch.Queue(`
		SELECT `+orderColumns+`, `+lineColumns+`
		  FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, place)
		  JOIN payment_order_once o ON o.order_id = g.id
		  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
		  JOIN payment_line l ON l.order_id = p.id AND l.recorded_at = p.recorded_at
		 WHERE p.recorded_at BETWEEN $2 AND $3 AND l.recorded_at BETWEEN $2 AND $3
		 ORDER BY g.place, l.position
		   FOR UPDATE OF p`, slices.Compact(sorted), from, to).
		Query(func(rows pgx.Rows) error { return collectLocked(rows, orders) })
}

// collectLocked reads rows of QueueLock, one for each line.
func collectLocked(rows pgx.Rows, orders map[uuid.UUID]*Order) error {
	var row stored
	var l Line
	fields := append(row.fields(), l.fields()...)
	_, err := pgx.ForEachRow(rows, fields, func() error {
		o := orders[row.ID]
		if o == nil {
			copied := row.Order
			o = &copied
			orders[row.ID] = o
		}
		row.amounts(&l, len(o.Lines))
		o.Lines = append(o.Lines, l)
		l = Line{}
		return nil
	})
	for _, o := range orders {
		o.derive()
	}
	return err
}

// months bounds when orders with these identifiers were made: they are
// UUIDv7, so the database need not look into every month there is.
func months(ids []uuid.UUID) (from, to time.Time) {
	if len(ids) == 0 {
		return from, to
	}
	made := func(id uuid.UUID) time.Time {
		var ms int64
		for _, b := range id[:6] {
			ms = ms<<8 | int64(b)
		}
		return time.UnixMilli(min(ms, timeMax.UnixMilli())).UTC()
	}
	return made(slices.MinFunc(ids, postgres.CompareIDs)), made(slices.MaxFunc(ids, postgres.CompareIDs)).Add(time.Millisecond)
}

// timeMax is later than any order and within PostgreSQL's range: an identifier
// that somebody made up may name any time.
var timeMax = time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)

// LockOverdue locks up to limit orders whose time is over at an instant and of
// which nothing is paid, as LockAll does. Those that somebody else has locked
// are passed over.
func LockOverdue(ctx context.Context, tx pgx.Tx, at time.Time, limit int) ([]*Order, error) {
	rows, err := tx.Query(ctx, `
		SELECT id FROM payment_order WHERE expires_at <= $1 AND state IN ('draft', 'presented', 'pending')
		 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`, at, limit)
	if err != nil {
		return nil, fmt.Errorf("lock overdue orders: %w", postgres.Classify(err))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("lock overdue orders: %w", postgres.Classify(err))
	}
	locked, err := LockAll(ctx, tx, ids)
	return slices.Collect(maps.Values(locked)), err
}
