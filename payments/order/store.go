package order

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
)

// Request is what an order is made of.
type Request struct {
	Transaction uuid.UUID
	Declarant   kz.BIN
	Payer       kz.BIN // the declarant or its broker; who may pay is for the caller to know
	Declaration string // number of the goods declaration, "55302/221126/0000123"; empty if there is none yet
	Charges     []charge.Charge
	At          time.Time
	Life        time.Duration // from At until the order expires
}

// Create draws up the order of a transaction and stores it as a draft. While
// a transaction has an order that is neither cancelled nor refunded, another
// is refused with fault.OrderExists.
func Create(ctx context.Context, tx pgx.Tx, book Book, r Request) (*Order, error) {
	lines, total, err := draw(r.Charges, book)
	if err != nil {
		return nil, err
	}
	if r.Transaction == uuid.Nil || r.Declarant == "" || r.Payer == "" || r.At.IsZero() || r.Life <= 0 {
		return nil, fault.New(fault.BadArgument, "", "an order needs a transaction, a declarant, a payer, a time and a life")
	}
	at := r.At.UTC().Truncate(time.Microsecond) // what the database keeps
	o := &Order{
		ID: postgres.NewID(at), Transaction: r.Transaction, CreatedAt: at, ExpiresAt: at.Add(r.Life),
		Declarant: r.Declarant, Payer: r.Payer, Declaration: r.Declaration, Total: total, State: Draft, Lines: lines, Charges: r.Charges,
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

// claim makes this the next order of its transaction, if those before it are
// over. Of two at once the second finds the number taken.
func (o *Order) claim(ctx context.Context, tx pgx.Tx) error {
	tag, err := tx.Exec(ctx, `
		INSERT INTO payment_order_once (transaction_id, number, order_id, recorded_at)
		SELECT $1, coalesce(max(f.number), 0) + 1, $2, $3
		  FROM payment_order_once f
		  JOIN payment_order p ON p.id = f.order_id AND p.recorded_at = f.recorded_at
		 WHERE f.transaction_id = $1
		HAVING coalesce(bool_and(p.state IN ($4, $5)), true)
		ON CONFLICT (transaction_id, number) DO NOTHING`, o.Transaction, o.ID, o.CreatedAt, string(Cancelled), string(Refunded))
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
	batch.Queue(`INSERT INTO payment_order (id, recorded_at, transaction_id, declarant_bin, payer_bin, total, state, expires_at, paid, refunded, declaration)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)`,
		o.ID, o.CreatedAt, o.Transaction, string(o.Declarant), string(o.Payer), int64(o.Total), string(o.State), o.ExpiresAt,
		make([]int64, len(o.Lines)), o.Declaration)
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
			item, commodity_code, base, quantity, rate, rounding, amount, path, ground)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			o.ID, o.CreatedAt, i, string(c.Kind), string(c.BudgetCode), string(c.PurposeCode), string(c.RevenueOffice),
			c.Item, string(c.CommodityCode), int64(c.Base), c.Quantity, c.Rate, string(c.Rounding), int64(c.Amount), c.Path, c.Ground)
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("store the order: %w", postgres.Classify(err))
	}
	return nil
}
