package payments

import (
	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// The entries of facts. Whatever a gateway says it has moved stands on its
// clearing account: so the account is what the gateway has told of and the
// treasury has not shown yet, to the tiyn, whatever became of each fact.

// moves is what a fact moves through the gateway: into clearing, or, negative,
// out of it.
func (r *record) moves() money.Tiyn {
	switch r.fact.Kind {
	case gateway.Captured:
		return r.fact.Amount
	case gateway.Reversed, gateway.Refunded:
		return -r.fact.Amount
	}
	return 0
}

// keyKinds begin the natural keys of facts' entries.
var keyKinds = map[gateway.FactKind]string{
	gateway.Captured: "payment", gateway.Reversed: "reversal", gateway.Refunded: "refund_paid", gateway.RefundFailed: "refund_failed",
}

// enter adds an entry. It belongs to the fact's day, or, if nobody works on it
// or it is closed, to the first business day that is open; the fact keeps its
// own.
func (p *posting) enter(e ledger.Entry, day kz.Day) {
	e.At, e.Day = p.now, ledger.EntryDay(p.calendar, day, p.closed)
	p.entries = append(p.entries, e)
}

func entryOf(r *record, kind ledger.Kind, transaction uuid.UUID, postings []ledger.Posting) (ledger.Entry, kz.Day) {
	return ledger.Entry{
		Key:  keyKinds[r.fact.Kind] + ":" + r.gateway + ":" + r.reference,
		Kind: kind, Transaction: transaction, Postings: nonzero(postings),
	}, kz.DayOf(r.fact.PaidAt)
}

// nonzero leaves out what moves nothing.
func nonzero(postings []ledger.Posting) []ledger.Posting {
	kept := postings[:0]
	for _, p := range postings {
		if p.Amount != 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// transactionOf is the order's; of an order that is not ours, its identifier
// stands for it.
func transactionOf(r *record, o *order.Order) uuid.UUID {
	if o == nil {
		return r.fact.Order
	}
	return o.Transaction
}

// paymentEntry: the gateway has the money, the payer paid it, and it is applied
// to the lines and, beyond the debt, credited to the payer's advance. What was
// let go makes up for what is missing on the lines.
func paymentEntry(r *record, o *order.Order, reception *order.Reception) (ledger.Entry, kz.Day) {
	return entryOf(r, ledger.Payment, o.Transaction, applied(r, o, reception, missing(o)))
}

// reversalEntry undoes what a payment entry did, as far as reception says;
// letGo is what was missing on each line before, and is owed again.
func reversalEntry(r *record, o *order.Order, reception *order.Reception, letGo []money.Tiyn) (ledger.Entry, kz.Day) {
	for i := range letGo {
		letGo[i] = -letGo[i]
	}
	return entryOf(r, ledger.Reversal, o.Transaction, applied(r, o, reception, letGo))
}

// applied are the postings of money that is put on an order or, where the
// amounts are negative, taken off it.
func applied(r *record, o *order.Order, reception *order.Reception, letGo []money.Tiyn) []ledger.Posting {
	payer, moved := ledger.Payer(o.Payer), r.moves()
	postings := make([]ledger.Posting, 0, len(o.Lines)+4)
	postings = append(postings,
		ledger.Posting{Account: ledger.Clearing(r.gateway), Amount: moved}, ledger.Posting{Account: payer, Amount: -moved},
		ledger.Posting{Account: payer, Amount: moved}, ledger.Posting{Account: ledger.Advance(o.Payer), Amount: -reception.Credited},
	)
	for i, l := range o.Lines {
		let := money.Tiyn(0)
		if reception.Tolerated != 0 {
			let = letGo[i]
		}
		postings = append(postings,
			ledger.Posting{Account: budgetOf(l), Amount: -reception.Lines[i] - let},
			ledger.Posting{Account: ledger.Tolerance(l.BudgetCode), Amount: let},
		)
	}
	return postings
}

// missing is what is not paid of each line.
func missing(o *order.Order) []money.Tiyn {
	all := make([]money.Tiyn, len(o.Lines))
	for i, l := range o.Lines {
		all[i] = l.Amount - l.Paid
	}
	return all
}

// suspenseEntry: the money moved, and nobody can say yet what for.
func suspenseEntry(r *record, transaction uuid.UUID) (ledger.Entry, kz.Day) {
	return entryOf(r, ledger.Suspended, transaction, []ledger.Posting{
		{Account: ledger.Clearing(r.gateway), Amount: r.moves()}, {Account: ledger.Suspense(string(r.reason)), Amount: -r.moves()},
	})
}

// unsuspendEntry: money that stood in suspense was taken back.
func unsuspendEntry(r, original *record, transaction uuid.UUID) (ledger.Entry, kz.Day) {
	return entryOf(r, ledger.Reversal, transaction, []ledger.Posting{
		{Account: ledger.Clearing(r.gateway), Amount: r.moves()}, {Account: ledger.Suspense(string(original.reason)), Amount: -r.moves()},
	})
}
