package payments

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

const (
	// refundDays is by when a refund is to be paid: the tax code gives the
	// treasury 15 business days from the payer's request (form and order:
	// the Minister of Finance's order 257 of 3 April 2015).
	refundDays = 15

	reasonCharactersMax = 500

	// holdTime keeps what is asked back from an advance from being spent. A
	// refund is decided long before; what ends the hold is the decision.
	holdTime = 366 * 24 * time.Hour
)

// RefundRequest asks that money of an order goes back to its payer.
type RefundRequest struct {
	Order uuid.UUID
	// Lines are how much of each line, by its identifier.
	Lines map[order.Identifier]money.Tiyn
	// Credit is how much of what was paid beyond the debt and stands on the
	// payer's advance.
	Credit money.Tiyn
	// Gateway and Payment name the payment that goes back. Empty: the only one
	// that is large enough.
	Gateway, Payment string
	Reason           string
	By               string // who asks
}

// AskRefund stores a refund that another person must approve. What is asked is
// spoken for from here on: two requests never exceed what was paid, together
// or one after the other. Errors: order_not_found, order_state_forbids,
// refund_exceeds_paid, refund_payment_unclear, ledger_funds_short.
func (s *Service) AskRefund(ctx context.Context, tx pgx.Tx, q RefundRequest) (*order.Refund, error) {
	q.Reason = strings.TrimSpace(q.Reason)
	if n := utf8.RuneCountInString(q.Reason); n == 0 || n > reasonCharactersMax || q.By == "" {
		return nil, fault.New(fault.BadArgument, "/reason", "a refund needs who asks and a reason of at most %d characters", reasonCharactersMax)
	}
	o, err := order.Lock(ctx, tx, q.Order)
	if err != nil {
		return nil, err
	}
	if _, err := o.State.After(order.Repay); err != nil {
		return nil, err
	}
	r, err := s.drawRefund(o, q)
	if err != nil {
		return nil, err
	}
	earlier, err := order.RefundsOf(ctx, tx, o.ID)
	if err != nil {
		return nil, err
	}
	if err := checkLeft(o, r, earlier); err != nil {
		return nil, err
	}
	if err := choosePayment(ctx, tx, o, r, earlier); err != nil {
		return nil, err
	}
	if r.Credit > 0 {
		hold := ledger.Hold{Key: refundKey(r), Account: ledger.Advance(o.Payer), Amount: r.Credit, At: r.CreatedAt, Until: r.CreatedAt.Add(holdTime)}
		if _, err := ledger.PlaceHold(ctx, tx, hold); err != nil {
			return nil, fmt.Errorf("hold the payer's advance: %w", err)
		}
	}
	if err := order.InsertRefund(ctx, tx, r); err != nil {
		return nil, err
	}
	return r, publish(ctx, tx, o, EventRefundAsked, r.CreatedAt, refundOf(r, q.By))
}

// drawRefund turns what is asked by identifiers into a refund of an order.
func (s *Service) drawRefund(o *order.Order, q RefundRequest) (*order.Refund, error) {
	at := s.config.Now().UTC().Truncate(time.Microsecond)
	r := &order.Refund{
		ID: postgres.NewID(at), CreatedAt: at, Order: o.ID, Transaction: o.Transaction, Payer: o.Payer,
		Gateway: q.Gateway, Payment: q.Payment, Amount: q.Credit, Lines: make([]money.Tiyn, len(o.Lines)), Credit: q.Credit,
		Reason: q.Reason, Due: s.config.Calendar.Add(kz.DayOf(at), refundDays), State: order.RefundAsked, AskedBy: q.By,
	}
	if q.Credit < 0 {
		return nil, fault.New(fault.AmountInvalid, "/credit_tiyn", "is negative")
	}
	for identifier, amount := range q.Lines {
		i := slices.IndexFunc(o.Lines, func(l order.Line) bool { return l.Identifier == identifier })
		if i < 0 {
			return nil, fault.New(fault.UnknownIdentifier, "/lines", "the order has no line %.20q", string(identifier))
		}
		if amount <= 0 {
			return nil, fault.New(fault.AmountInvalid, "/lines", "line %s is not positive", identifier)
		}
		r.Lines[i] = amount
		var err error
		if r.Amount, err = r.Amount.Add(amount); err != nil {
			return nil, err
		}
	}
	if r.Amount == 0 {
		return nil, fault.New(fault.AmountInvalid, "/lines", "nothing is asked back")
	}
	return r, nil
}

// checkLeft refuses more than what is left of each line and of the credit,
// when everything that others asked for is taken off.
func checkLeft(o *order.Order, r *order.Refund, others []order.Refund) error {
	credit := o.Credited - o.RefundedCredit
	lines := make([]money.Tiyn, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = l.Paid - l.Refunded
	}
	for _, other := range others {
		if !other.Open() || other.ID == r.ID {
			continue
		}
		credit -= other.Credit
		for i := range other.Lines {
			lines[i] -= other.Lines[i]
		}
	}
	if r.Credit > credit {
		return fault.New(fault.RefundExceeds, "/credit_tiyn", "%s of the credit are left", max(credit, 0))
	}
	for i, amount := range r.Lines {
		if amount > lines[i] {
			return fault.New(fault.RefundExceeds, "/lines", "%s of line %s are left", max(lines[i], 0), o.Lines[i].Identifier)
		}
	}
	return nil
}

// choosePayment finds the payment that goes back, or checks the one named: a
// gateway pays back the way a payment came, and no more than it was.
func choosePayment(ctx context.Context, tx pgx.Tx, o *order.Order, r *order.Refund, others []order.Refund) error {
	all, err := paymentsOf(ctx, tx, o)
	if err != nil {
		return err
	}
	var fitting []payment
	named := false
	for _, p := range all {
		for _, other := range others {
			if other.Gateway == p.Gateway && other.Payment == p.Reference && other.State != order.RefundRejected && other.State != order.RefundFailed {
				p.Amount -= other.Amount
			}
		}
		if r.Payment != "" && (p.Reference != r.Payment || (r.Gateway != "" && p.Gateway != r.Gateway)) {
			continue
		}
		named = true
		if p.Amount >= r.Amount {
			fitting = append(fitting, p)
		}
	}
	switch {
	case !named && r.Payment != "":
		return fault.New(fault.RefundPaymentUnclear, "/payment", "the order was not paid by that payment")
	case len(fitting) == 0:
		return fault.New(fault.RefundExceeds, "/payment", "no single payment has %s left; ask for a refund of each", r.Amount)
	case len(fitting) > 1:
		return fault.New(fault.RefundPaymentUnclear, "/payment", "%d payments have as much left", len(fitting))
	}
	r.Gateway, r.Payment = fitting[0].Gateway, fitting[0].Reference
	return nil
}

// payment is one that was posted to an order and not taken back.
type payment struct {
	Gateway, Reference string
	Amount             money.Tiyn
}

func paymentsOf(ctx context.Context, q postgres.Querier, o *order.Order) ([]payment, error) {
	rows, err := q.Query(ctx, `
		SELECT gateway, reference, amount - reversed FROM gateway_fact
		 WHERE order_id = $1 AND kind = 'captured' AND state = 'posted' AND reversed < amount
		UNION ALL
		SELECT $2, id::text, amount FROM payment_advance_use WHERE order_id = $1
		ORDER BY 1, 2`, o.ID, order.AdvanceGateway)
	if err != nil {
		return nil, fmt.Errorf("read the order's payments: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[payment])
	if err != nil {
		return nil, fmt.Errorf("read the order's payments: %w", postgres.Classify(err))
	}
	return all, nil
}

func refundKey(r *order.Refund) string { return "refund:" + r.ID.String() }

// Decision on a refund.
type Decision struct {
	Refund uuid.UUID
	By     string // another person than asked
	Note   string
}

// ApproveRefund orders a refund, once another person than asked says so: it
// leaves the budget in the ledger, the order is refunding, and a job orders it
// at the gateway. A refund to the payer's advance is executed at once. Errors:
// two_persons_required, refund_state_forbids, refund_exceeds_paid.
func (s *Service) ApproveRefund(ctx context.Context, tx pgx.Tx, d Decision) (*order.Refund, error) {
	o, r, err := lockRefund(ctx, tx, d.Refund)
	if err != nil {
		return nil, err
	}
	others, err := order.RefundsOf(ctx, tx, o.ID)
	if err != nil {
		return nil, err
	}
	// Since it was asked, a payment may have been taken back.
	if r.State == order.RefundAsked {
		if err := checkLeft(o, r, others); err != nil {
			return nil, err
		}
	}
	now := s.config.Now()
	if err := r.Approve(o, d.By, d.Note, now); err != nil {
		return nil, err
	}
	if r.Credit > 0 {
		if err := ledger.EndHold(ctx, tx, refundKey(r), ledger.Used, now); err != nil {
			return nil, fmt.Errorf("use the payer's advance: %w", err)
		}
	}
	entry, err := s.dated(ctx, tx, refundOrderEntry(r, o, now))
	if err != nil {
		return nil, err
	}
	if _, err := ledger.Post(ctx, tx, entry); err != nil {
		return nil, fmt.Errorf("post the refund: %w", err)
	}
	if err := publish(ctx, tx, o, EventRefundApproved, now, refundOf(r, d.By)); err != nil {
		return nil, err
	}
	if r.Gateway == order.AdvanceGateway {
		if err := r.Execute(o, r.ID.String(), now); err != nil {
			return nil, err
		}
		if err := publish(ctx, tx, o, EventRefunded, now, refundOf(r, "")); err != nil {
			return nil, err
		}
	} else if err := s.config.Jobs.Insert(ctx, tx, RefundArgs{Refund: r.ID}, nil); err != nil {
		return nil, err
	}
	return r, order.SaveRefund(ctx, tx, r, o)
}

// RejectRefund ends a refund that was asked for. Who asked may not, either:
// the decision is another person's. Errors: two_persons_required,
// refund_state_forbids.
func (s *Service) RejectRefund(ctx context.Context, tx pgx.Tx, d Decision) (*order.Refund, error) {
	if d.Note = strings.TrimSpace(d.Note); d.Note == "" {
		return nil, fault.New(fault.BadArgument, "/note", "a rejection needs its reason")
	}
	o, r, err := lockRefund(ctx, tx, d.Refund)
	if err != nil {
		return nil, err
	}
	now := s.config.Now()
	if err := r.Reject(d.By, d.Note, now); err != nil {
		return nil, err
	}
	if r.Credit > 0 {
		if err := ledger.EndHold(ctx, tx, refundKey(r), ledger.Released, now); err != nil {
			return nil, fmt.Errorf("release the payer's advance: %w", err)
		}
	}
	if err := publish(ctx, tx, o, EventRefundRejected, now, refundOf(r, d.By)); err != nil {
		return nil, err
	}
	return r, order.SaveRefund(ctx, tx, r, o)
}

// lockRefund locks the refund's order and then the refund.
func lockRefund(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*order.Order, *order.Refund, error) {
	r, err := order.GetRefund(ctx, tx, id)
	if err != nil {
		return nil, nil, err
	}
	o, err := order.Lock(ctx, tx, r.Order)
	if err != nil {
		return nil, nil, err
	}
	locked, err := order.LockRefunds(ctx, tx, []uuid.UUID{id})
	if err != nil {
		return nil, nil, err
	}
	return o, locked[id], nil
}

// Refund returns one refund.
func (s *Service) Refund(ctx context.Context, q postgres.Querier, id uuid.UUID) (*order.Refund, error) {
	return order.GetRefund(ctx, q, id)
}

// Refunds returns a page of refunds and the cursor of the next.
func (s *Service) Refunds(ctx context.Context, f order.Filter) ([]order.Refund, string, error) {
	return order.ListRefunds(ctx, s.config.Pool, f)
}

// refundOrderEntry takes what is refunded from where it was put: the budget, and
// the payer's advance. The gateway is to pay it; a refund of what the advance
// had paid goes back there.
func refundOrderEntry(r *order.Refund, o *order.Order, at time.Time) ledger.Entry {
	e := ledger.Entry{Key: refundKey(r), Kind: ledger.Refund, Day: kz.DayOf(at), Transaction: o.Transaction, At: at}
	for i, amount := range r.Lines {
		if amount > 0 {
			e.Postings = append(e.Postings, ledger.Posting{Account: budgetOf(o.Lines[i]), Amount: amount})
		}
	}
	if r.Credit > 0 {
		e.Postings = append(e.Postings, ledger.Posting{Account: ledger.Advance(o.Payer), Amount: r.Credit})
	}
	to := ledger.Refunds(r.Gateway)
	if r.Gateway == order.AdvanceGateway {
		to = ledger.Advance(o.Payer)
	}
	e.Postings = append(e.Postings, ledger.Posting{Account: to, Amount: -r.Amount})
	return e
}

// budgetOf is the account of the income that a line is.
func budgetOf(l order.Line) ledger.Account {
	return ledger.Budget(l.Requisites.RevenueOffice, l.BudgetCode)
}

// refundDropEntry takes a refund's entry back.
func refundDropEntry(r *order.Refund, o *order.Order, day kz.Day, at time.Time) ledger.Entry {
	e := refundOrderEntry(r, o, at)
	e.Key, e.Kind, e.Day = "refund_failed:"+r.ID.String(), ledger.RefundFailed, day
	for i := range e.Postings {
		e.Postings[i].Amount = -e.Postings[i].Amount
	}
	return e
}

// dated moves an entry to the first business day that is open.
func (s *Service) dated(ctx context.Context, tx pgx.Tx, e ledger.Entry) (ledger.Entry, error) {
	closed, err := ledger.ClosedTo(ctx, tx)
	if err != nil {
		return e, err
	}
	e.Day = ledger.EntryDay(s.config.Calendar, e.Day, closed)
	return e, nil
}

// failRefund ends an approved refund that the gateway refused for good: its
// entry is taken back and the order stands as before. A person must see to it,
// so the payer's side is told and the refund says why.
func (s *Service) failRefund(ctx context.Context, id uuid.UUID, why fault.Code, messages ...[]byte) error {
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		o, r, err := lockRefund(ctx, tx, id)
		if err != nil || r.State != order.RefundApproved {
			return err
		}
		now := s.config.Now()
		if err := r.Fail(o, why, now); err != nil {
			return err
		}
		entry, err := s.dated(ctx, tx, refundDropEntry(r, o, kz.DayOf(now), now))
		if err != nil {
			return err
		}
		if _, err := ledger.Post(ctx, tx, entry); err != nil {
			return err
		}
		if err := keep(ctx, tx, r.Transaction, "refund.refused", now, "gateway.exchange", messages...); err != nil {
			return err
		}
		if err := outbox.Audit(ctx, tx, outbox.AuditRecord{
			Actor: "gateway:" + r.Gateway, Action: "refund.execute", Object: r.ID.String(), Outcome: string(why), At: now,
		}); err != nil {
			return err
		}
		if err := publish(ctx, tx, o, EventRefundFailed, now, refundOf(r, "")); err != nil {
			return err
		}
		return order.SaveRefund(ctx, tx, r, o)
	})
	if err != nil {
		return fmt.Errorf("end the refused refund: %w", ledger.Refusal(err))
	}
	return nil
}
