package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

// Request is what an order is made of.
type Request struct {
	Transaction uuid.UUID
	Payer       kz.BIN
	Charges     []charge.Charge
	At          time.Time
	Life        time.Duration // from At until the order expires
}

// Create draws up the order of a transaction and stores it as a draft. A
// transaction has one order: the second is refused with fault.OrderExists.
func Create(ctx context.Context, tx pgx.Tx, book Book, r Request) (*Order, error) {
	lines, total, err := draw(r.Charges, book)
	if err != nil {
		return nil, err
	}
	if r.Transaction == uuid.Nil || r.Payer == "" || r.At.IsZero() || r.Life <= 0 {
		return nil, fault.New(fault.BadArgument, "", "an order needs a transaction, a payer, a time and a life")
	}
	at := r.At.UTC().Truncate(time.Microsecond) // what the database keeps
	o := &Order{
		ID: postgres.NewID(at), Transaction: r.Transaction, CreatedAt: at, ExpiresAt: at.Add(r.Life),
		Payer: r.Payer, Total: total, State: Draft, Lines: lines, Charges: r.Charges,
	}
	if err := o.claim(ctx, tx); err != nil {
		return nil, err
	}
	if err := o.number(ctx, tx); err != nil {
		return nil, err
	}
	if err := o.insert(ctx, tx); err != nil {
		return nil, err
	}
	return o, nil
}

// claim makes this the one order of its transaction.
func (o *Order) claim(ctx context.Context, tx pgx.Tx) error {
	tag, err := tx.Exec(ctx, `
		INSERT INTO payment_order_once (transaction_id, order_id, recorded_at) VALUES ($1, $2, $3)
		ON CONFLICT (transaction_id) DO NOTHING`, o.Transaction, o.ID, o.CreatedAt)
	if err != nil {
		return fmt.Errorf("claim the transaction's order: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.OrderExists, "", "transaction %s has an order", o.Transaction)
	}
	return nil
}

// number gives every line its identifier.
func (o *Order) number(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT nextval('payment_identifier_number') FROM generate_series(1, $1)`, len(o.Lines))
	if err != nil {
		return fmt.Errorf("draw payment identifiers: %w", postgres.Classify(err))
	}
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("draw payment identifiers: %w", postgres.Classify(err))
	}
	day := kz.DayOf(o.CreatedAt)
	for i, n := range numbers {
		if o.Lines[i].Identifier, err = NewIdentifier(day, n); err != nil {
			return err
		}
	}
	return nil
}

func (o *Order) insert(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	batch.Queue(`INSERT INTO payment_order (id, recorded_at, transaction_id, payer_bin, total, state, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		o.ID, o.CreatedAt, o.Transaction, string(o.Payer), int64(o.Total), string(o.State), o.ExpiresAt)
	for i, l := range o.Lines {
		batch.Queue(`INSERT INTO payment_identifier (identifier, order_id, recorded_at) VALUES ($1, $2, $3)`,
			string(l.Identifier), o.ID, o.CreatedAt)
		r := l.Requisites
		batch.Queue(`INSERT INTO payment_line (identifier, recorded_at, order_id, position, kind, budget_code, purpose_code,
			revenue_office, beneficiary_bin, beneficiary_name, bic, iik, kbe, amount)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			string(l.Identifier), o.CreatedAt, o.ID, i, string(l.Kind), string(l.BudgetCode), string(l.PurposeCode),
			string(r.RevenueOffice), string(r.BIN), r.Name, r.BIC, r.IIK, r.KBe, int64(l.Amount))
	}
	for i, c := range o.Charges {
		batch.Queue(`INSERT INTO payment_charge (order_id, recorded_at, position, kind, budget_code, purpose_code, revenue_office,
			item, commodity_code, base, quantity, rate, rounding, amount, path)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
			o.ID, o.CreatedAt, i, string(c.Kind), string(c.BudgetCode), string(c.PurposeCode), string(c.RevenueOffice),
			c.Item, string(c.CommodityCode), int64(c.Base), c.Quantity, c.Rate, string(c.Rounding), int64(c.Amount), c.Path)
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("store the order: %w", postgres.Classify(err))
	}
	return nil
}

// Get returns an order with its lines and charges.
func Get(ctx context.Context, q postgres.Querier, id uuid.UUID) (*Order, error) {
	return load(ctx, q, "o.order_id = $1", id, "")
}

// Lock is Get that keeps others from moving the order until the transaction
// ends.
func Lock(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*Order, error) {
	return load(ctx, tx, "o.order_id = $1", id, "FOR UPDATE OF p")
}

// Of returns the orders of a transaction: one or, before it is made, none.
func Of(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]Order, error) {
	o, err := load(ctx, q, "o.transaction_id = $1", transaction, "")
	if fault.Is(err, fault.OrderNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []Order{*o}, nil
}

// load reads one order. payment_order_once, which is not partitioned, leads to
// the month of the rest.
func load(ctx context.Context, q postgres.Querier, where string, id uuid.UUID, lock string) (*Order, error) {
	var o Order
	err := q.QueryRow(ctx, `
		SELECT p.id, p.transaction_id, p.recorded_at, p.expires_at, p.payer_bin, p.total, p.state, p.payment_url
		  FROM payment_order_once o
		  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
		 WHERE `+where+" "+lock, id).
		Scan(&o.ID, &o.Transaction, &o.CreatedAt, &o.ExpiresAt, &o.Payer, &o.Total, &o.State, &o.PaymentURL)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.OrderNotFound, "", "no order of %s", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read an order: %w", postgres.Classify(err))
	}
	if err := o.loadLines(ctx, q); err != nil {
		return nil, err
	}
	return &o, o.loadCharges(ctx, q)
}

func (o *Order) loadLines(ctx context.Context, q postgres.Querier) error {
	rows, err := q.Query(ctx, `
		SELECT l.identifier, l.kind, l.budget_code, l.purpose_code, l.revenue_office, l.beneficiary_bin, l.beneficiary_name,
		       l.bic, l.iik, l.kbe, l.amount, m.identifier IS NOT NULL
		  FROM payment_line l
		  LEFT JOIN payment_match m ON m.identifier = l.identifier
		 WHERE l.order_id = $1 AND l.recorded_at = $2
		 ORDER BY l.position`, o.ID, o.CreatedAt)
	if err != nil {
		return fmt.Errorf("read an order's lines: %w", postgres.Classify(err))
	}
	o.Lines, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Line, error) {
		var l Line
		var matched bool
		r := &l.Requisites
		err := row.Scan(&l.Identifier, &l.Kind, &l.BudgetCode, &l.PurposeCode, &r.RevenueOffice, &r.BIN, &r.Name,
			&r.BIC, &r.IIK, &r.KBe, &l.Amount, &matched)
		l.State = lineState(o.State, matched)
		return l, err
	})
	if err != nil {
		return fmt.Errorf("read an order's lines: %w", postgres.Classify(err))
	}
	return nil
}

func (o *Order) loadCharges(ctx context.Context, q postgres.Querier) error {
	rows, err := q.Query(ctx, `
		SELECT kind, budget_code, purpose_code, revenue_office, item, commodity_code, base, quantity, rate, rounding, amount, path
		  FROM payment_charge WHERE order_id = $1 AND recorded_at = $2 ORDER BY position`, o.ID, o.CreatedAt)
	if err != nil {
		return fmt.Errorf("read an order's charges: %w", postgres.Classify(err))
	}
	o.Charges, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (charge.Charge, error) {
		var c charge.Charge
		err := row.Scan(&c.Kind, &c.BudgetCode, &c.PurposeCode, &c.RevenueOffice, &c.Item, &c.CommodityCode,
			&c.Base, &c.Quantity, &c.Rate, &c.Rounding, &c.Amount, &c.Path)
		return c, err
	})
	if err != nil {
		return fmt.Errorf("read an order's charges: %w", postgres.Classify(err))
	}
	return nil
}

// Move applies an act to an order that the caller has locked, and stores its
// state and payment URL.
func (o *Order) Move(ctx context.Context, tx pgx.Tx, act Act) error {
	next, err := o.State.After(act)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `UPDATE payment_order SET state = $1, payment_url = $2 WHERE id = $3 AND recorded_at = $4 AND state = $5`,
		string(next), o.PaymentURL, o.ID, o.CreatedAt, string(o.State))
	if err != nil {
		return fmt.Errorf("move an order: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() != 1 {
		return fault.New(fault.OrderState, "", "the order is no longer %s", o.State)
	}
	o.State = next
	for i := range o.Lines {
		o.Lines[i].State = lineState(next, o.Lines[i].State == LineReconciled)
	}
	return nil
}

// Moved is an order that a set-wide move has moved.
type Moved struct {
	ID          uuid.UUID
	Transaction uuid.UUID
	Total       money.Tiyn
}

// MoveReconciled moves those of the orders that are paid and have every line
// matched, and returns them by their transactions.
func MoveReconciled(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) ([]Moved, error) {
	next, err := Paid.After(Reconcile)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `
		WITH moved AS (
			UPDATE payment_order p SET state = $1
			  FROM payment_order_once o
			 WHERE o.order_id = ANY ($2) AND p.id = o.order_id AND p.recorded_at = o.recorded_at AND p.state = $3
			   AND NOT EXISTS (SELECT FROM payment_line l
			                    WHERE l.order_id = p.id AND l.recorded_at = p.recorded_at
			                      AND NOT EXISTS (SELECT FROM payment_match m WHERE m.identifier = l.identifier))
			RETURNING p.id, p.transaction_id, p.total)
		SELECT id, transaction_id, total FROM moved ORDER BY transaction_id`, string(next), ids, string(Paid))
	if err != nil {
		return nil, fmt.Errorf("move reconciled orders: %w", postgres.Classify(err))
	}
	moved, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Moved])
	if err != nil {
		return nil, fmt.Errorf("move reconciled orders: %w", postgres.Classify(err))
	}
	return moved, nil
}
