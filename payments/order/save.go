package order

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// QueueSave puts the statement that stores what has changed of locked orders
// into a batch: their states, amounts, presentation and expiry.
func QueueSave(batch *pgx.Batch, orders []*Order) {
	if len(orders) == 0 {
		return
	}
	var c columns
	for _, o := range orders {
		c.add(o)
	}
	from, to := months(c.ids)
	batch.Queue(`
		UPDATE payment_order p
		   SET state = u.state, expires_at = u.expires_at, gateway = u.gateway, registration = u.registration,
		       payment_url = u.payment_url, presentations = u.presentations,
		       received = u.received, paid = u.paid::bigint[], credited = u.credited, tolerated = u.tolerated,
		       refunded = u.refunded::bigint[], refunded_credit = u.refunded_credit, returned = u.returned, refunding = u.refunding
		  FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::int[],
		              $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[])
		       AS u (id, recorded_at, state, expires_at, gateway, registration, payment_url, presentations,
		             received, paid, credited, tolerated, refunded, refunded_credit, returned, refunding)
		 WHERE p.id = u.id AND p.recorded_at = u.recorded_at
		   -- so that whichever side the planner begins with, it reads these orders and no others
		   AND p.id = ANY ($1) AND p.recorded_at BETWEEN $17 AND $18`,
		c.ids, c.ats, c.states, c.expiries, c.gateways, c.registrations, c.urls, c.presentations,
		c.received, c.paid, c.credited, c.tolerated, c.refunded, c.refundedCredit, c.returned, c.refunding, from, to).
		Exec(func(tag pgconn.CommandTag) error {
			if n := tag.RowsAffected(); n != int64(len(orders)) {
				return fault.New(fault.OrderNotFound, "", "%d of %d orders are there to be stored", n, len(orders))
			}
			return nil
		})
}

// SaveAll is QueueSave sent at once.
func SaveAll(ctx context.Context, tx pgx.Tx, orders []*Order) error {
	var batch pgx.Batch
	QueueSave(&batch, orders)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("store orders: %w", postgres.Classify(err))
	}
	return nil
}

// Move applies an act that changes no amount to an order that the caller has
// locked, and stores it.
func (o *Order) Move(ctx context.Context, tx pgx.Tx, act Act) error {
	if err := o.Apply(act); err != nil {
		return err
	}
	return SaveAll(ctx, tx, []*Order{o})
}

// columns are the rows of QueueSave turned on their side.
type columns struct {
	ids                                   []uuid.UUID
	ats, expiries                         []time.Time
	states, gateways, registrations, urls []string
	presentations                         []int32
	received, credited, tolerated         []int64
	paid, refunded                        []string
	refundedCredit, returned, refunding   []int64
}

func (c *columns) add(o *Order) {
	paid, refunded := []byte{'{'}, []byte{'{'}
	for i, l := range o.Lines {
		if i > 0 {
			paid, refunded = append(paid, ','), append(refunded, ',')
		}
		paid, refunded = appendTiyn(paid, l.Paid), appendTiyn(refunded, l.Refunded)
	}
	c.ids, c.ats, c.expiries = append(c.ids, o.ID), append(c.ats, o.CreatedAt), append(c.expiries, o.ExpiresAt)
	c.states, c.gateways = append(c.states, string(o.State)), append(c.gateways, o.Gateway)
	c.registrations, c.urls = append(c.registrations, o.Registration), append(c.urls, o.PaymentURL)
	c.presentations = append(c.presentations, int32(o.Presentations))
	c.received, c.credited = append(c.received, int64(o.Received())), append(c.credited, int64(o.Credited))
	c.tolerated = append(c.tolerated, int64(o.Tolerated))
	c.paid, c.refunded = append(c.paid, string(append(paid, '}'))), append(c.refunded, string(append(refunded, '}')))
	c.refundedCredit, c.returned = append(c.refundedCredit, int64(o.RefundedCredit)), append(c.returned, int64(o.Returned()))
	c.refunding = append(c.refunding, int64(o.Refunding))
}

// An array of arrays of several lengths has no form in PostgreSQL, so each goes
// as the text of an array.
func appendTiyn(text []byte, amount money.Tiyn) []byte {
	return strconv.AppendInt(text, int64(amount), 10)
}
