package payments

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
)

// A refund is executed once, by whichever shows it first: the gateway's fact, or
// the debits of the treasury's statement. Its state, under the lock of its
// order, and the natural key of its entry keep it so.

// paidBackEntry ends what the order of a refund began: it was paid back.
func paidBackEntry(r *order.Refund) ledger.Entry {
	return ledger.Entry{
		Key: "refund_paid:" + r.ID.String(), Kind: ledger.RefundPaid, Transaction: r.Transaction,
		Postings: []ledger.Posting{{Account: ledger.Refunds(r.Gateway), Amount: r.Amount}, {Account: ledger.Clearing(r.Gateway), Amount: -r.Amount}},
	}
}

// payBack executes the refunds under way that the statements show in full.
func (t Treasury) payBack(ctx context.Context, tx pgx.Tx, shown []reconcile.PaidBack) error {
	if len(shown) == 0 {
		return nil
	}
	book, err := ledger.ClosedTo(ctx, tx)
	if err != nil {
		return err
	}
	for _, p := range shown { // they are few: each was approved by a person
		if err := t.payBackOne(ctx, tx, p, book); err != nil {
			return fmt.Errorf("execute the refund %s: %w", p.Refund, err)
		}
	}
	return nil
}

func (t Treasury) payBackOne(ctx context.Context, tx pgx.Tx, p reconcile.PaidBack, book kz.Day) error {
	o, r, err := lockRefund(ctx, tx, p.Refund)
	if err != nil {
		return err
	}
	switch r.State {
	case order.RefundExecuted: // the gateway has told in between
		return nil
	case order.RefundApproved:
	default:
		return fault.New(fault.DatabaseBusy, "", "the refund is %s since the run began", r.State)
	}
	now := t.Now()
	if err := r.Execute(o, order.ShownPrefix+p.Line.String(), now); err != nil {
		return err
	}
	entry := paidBackEntry(r)
	entry.At, entry.Day = now, ledger.EntryDay(t.reconciliation().Calendar, p.Day, book)
	if _, err := ledger.Post(ctx, tx, entry); err != nil {
		return err
	}
	if err := outbox.Audit(ctx, tx, outbox.AuditRecord{Actor: "treasury", Action: "refund.execute", Object: r.ID.String(), Outcome: "shown", At: now}); err != nil {
		return err
	}
	if err := publish(ctx, tx, o, EventRefunded, now, refundOf(r, "")); err != nil {
		return err
	}
	return order.SaveRefund(ctx, tx, r, o)
}
