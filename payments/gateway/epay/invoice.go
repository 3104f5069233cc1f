package epay

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
)

const (
	// firstInvoice makes every number twelve digits long, without zeros in front.
	firstInvoice = 100_000_000_000
	tails        = 1_000_000 // the last six digits
	// triesMax bounds the search for a tail that is free: beyond, the terminal is
	// overbooked and a second one is needed.
	triesMax = 100
)

var invoicePattern = regexp.MustCompile(`^[0-9]{6,15}$`)

// allocate gives a bill its invoice, once for ever, and the page if one was
// made.
func (a *Adapter) allocate(ctx context.Context, b gateway.Bill) (invoice, page string, err error) {
	err = postgres.InTx(ctx, a.config.Pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT invoice, payment_url FROM epay_invoice WHERE order_id = $1 AND number = $2`, b.Order, b.Number).Scan(&invoice, &page)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if invoice, err = a.draw(ctx, tx); err != nil {
			return err
		}
		// Two at once draw two numbers; one of them is the bill's.
		return tx.QueryRow(ctx, `
			INSERT INTO epay_invoice (order_id, number, invoice, recorded_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (order_id, number) DO UPDATE SET invoice = epay_invoice.invoice
			RETURNING invoice, payment_url`, b.Order, b.Number, invoice, a.config.Now()).Scan(&invoice, &page)
	})
	if err != nil {
		return "", "", fmt.Errorf("allocate an invoice: %w", postgres.Classify(err))
	}
	return invoice, page, nil
}

// draw takes the next number whose last six digits nobody has had within the
// window.
func (a *Adapter) draw(ctx context.Context, tx pgx.Tx) (string, error) {
	now := a.config.Now()
	for range triesMax {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT nextval('epay_invoice_number')`).Scan(&n); err != nil {
			return "", fmt.Errorf("draw a number: %w", err)
		}
		number := firstInvoice + n
		tag, err := tx.Exec(ctx, `
			INSERT INTO epay_tail (tail, taken_at) VALUES ($1, $2)
			ON CONFLICT (tail) DO UPDATE SET taken_at = excluded.taken_at WHERE epay_tail.taken_at <= $3`,
			number%tails, now, now.Add(-a.config.Window))
		if err != nil {
			return "", fmt.Errorf("take a tail: %w", err)
		}
		if tag.RowsAffected() == 1 {
			return strconv.FormatInt(number, 10), nil
		}
	}
	return "", fault.New(fault.GatewayExhausted, "", "the last %d numbers end as others of the last %s do", triesMax, a.config.Window)
}

// remember keeps the page of an invoice.
func (a *Adapter) remember(ctx context.Context, invoice, page string) error {
	_, err := a.config.Pool.Exec(ctx, `UPDATE epay_invoice SET payment_url = $2 WHERE invoice = $1`, invoice, page)
	if err != nil {
		return fmt.Errorf("keep the invoice's page: %w", postgres.Classify(err))
	}
	return nil
}

// invoicesOf are the invoices of an order, the first first; there is one.
func (a *Adapter) invoicesOf(ctx context.Context, order uuid.UUID) ([]string, error) {
	rows, err := a.config.Pool.Query(ctx, `SELECT invoice FROM epay_invoice WHERE order_id = $1 ORDER BY number`, order)
	if err != nil {
		return nil, fmt.Errorf("find the invoices: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("find the invoices: %w", postgres.Classify(err))
	}
	if len(all) == 0 {
		return nil, fault.New(fault.GatewayRefused, "", "the order is not registered at ePay")
	}
	return all, nil
}

// orderOf finds the order of an invoice, or pgx.ErrNoRows.
func (a *Adapter) orderOf(ctx context.Context, invoice string) (order uuid.UUID, err error) {
	err = a.config.Pool.QueryRow(ctx, `SELECT order_id FROM epay_invoice WHERE invoice = $1`, invoice).Scan(&order)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fmt.Errorf("find the order of an invoice: %w", postgres.Classify(err))
	}
	return order, err
}

// claimRefund keeps what is about to be ordered, and returns the answer if it
// was executed before.
func (a *Adapter) claimRefund(ctx context.Context, r gateway.RefundOrder) (*gateway.Answer, error) {
	var executed *time.Time
	var same bool
	err := a.config.Pool.QueryRow(ctx, `
		INSERT INTO epay_refund (id, order_id, transaction, amount, recorded_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET id = excluded.id
		RETURNING executed_at, order_id = $2 AND transaction = $3 AND amount = $4`,
		r.ID, r.Order, r.Payment, int64(r.Amount), a.config.Now()).Scan(&executed, &same)
	switch {
	case err != nil:
		return nil, fmt.Errorf("keep a refund: %w", postgres.Classify(err))
	case !same:
		return nil, fault.New(fault.GatewayRefused, "", "another refund has this id")
	case executed == nil:
		return nil, nil
	}
	return &gateway.Answer{Facts: []gateway.Fact{a.refundFact(r, *executed)}}, nil
}

// executeRefund keeps when a refund was executed: the first time that it was
// heard of.
func (a *Adapter) executeRefund(ctx context.Context, r gateway.RefundOrder) (gateway.Fact, error) {
	var executed time.Time
	err := a.config.Pool.QueryRow(ctx, `
		UPDATE epay_refund SET executed_at = coalesce(executed_at, $2) WHERE id = $1 RETURNING executed_at`, r.ID, a.config.Now()).Scan(&executed)
	if err != nil {
		return gateway.Fact{}, fmt.Errorf("keep an executed refund: %w", postgres.Classify(err))
	}
	return a.refundFact(r, executed), nil
}

func (a *Adapter) refunded(ctx context.Context, order uuid.UUID) ([]gateway.Fact, error) {
	rows, err := a.config.Pool.Query(ctx, `
		SELECT id, transaction, amount, executed_at FROM epay_refund WHERE order_id = $1 AND executed_at IS NOT NULL ORDER BY executed_at, id`, order)
	if err != nil {
		return nil, fmt.Errorf("read refunds: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (gateway.Fact, error) {
		r := gateway.RefundOrder{Order: order}
		var executed time.Time
		err := row.Scan(&r.ID, &r.Payment, &r.Amount, &executed)
		return a.refundFact(r, executed), err
	})
	if err != nil {
		return nil, fmt.Errorf("read refunds: %w", postgres.Classify(err))
	}
	return all, nil
}

func (a *Adapter) refundFact(r gateway.RefundOrder, executed time.Time) gateway.Fact {
	return gateway.Fact{
		Kind: gateway.Refunded, Reference: r.ID.String() + ".refund", Original: r.ID.String(), Order: r.Order,
		BankBIC: a.config.BankBIC, Amount: r.Amount, PaidAt: executed.UTC(),
	}
}
