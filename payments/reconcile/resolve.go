package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// PayBack is the suspense account of money that is to be paid back to whoever
// sent it.
const PayBack = "to_be_paid_back"

// factTarget is what stands before "<gateway>:<reference>" in the target of a
// line that is the money of a gateway's fact, not of an order; refundTarget
// before the identifier of the refund that a debit is.
const (
	factTarget   = "fact:"
	refundTarget = "refund:"
)

// resolve does what was proposed. Money is posted under the key of the case: a
// case is resolved once.
func resolve(ctx context.Context, tx pgx.Tx, config Config, c *caseRow, at time.Time, followed *Decided) error {
	w := &resolving{Config: config, tx: tx, c: c, at: at, transaction: c.ID}
	switch c.Resolution {
	case ToMatch:
		if reference, isFact := strings.CutPrefix(c.Target, factTarget); isFact {
			return w.matchFact(ctx, reference)
		}
		if id, isRefund := strings.CutPrefix(c.Target, refundTarget); isRefund {
			return w.matchRefund(ctx, id, followed)
		}
		followed.Matched = append(followed.Matched, c.ID)
		return w.match(ctx)
	case ToAdvance:
		return w.release(ctx, ledger.Advance(kz.BIN(c.Target)))
	case ToRefund:
		return w.release(ctx, ledger.Suspense(PayBack))
	case ToRebill:
		return w.rebill(ctx)
	case AsForeign:
		return nil // nothing moves
	}
	return fault.New(fault.CaseResolutionBad, "/resolution", "the resolution %q is not known", c.Resolution)
}

// resolving is one resolution under way.
type resolving struct {
	Config
	tx          pgx.Tx
	c           *caseRow
	at          time.Time
	transaction uuid.UUID // that the entry belongs to; the case's own id if none
}

func (w *resolving) post(ctx context.Context, kind ledger.Kind, postings ...ledger.Posting) error {
	book, err := ledger.ClosedTo(ctx, w.tx)
	if err != nil {
		return err
	}
	_, err = ledger.Post(ctx, w.tx, ledger.Entry{
		Key: "case:" + w.c.ID.String(), Kind: kind, Day: ledger.EntryDay(w.Calendar, kz.DayOf(w.at), book), Transaction: w.transaction, At: w.at, Postings: postings,
	})
	return err
}

// release gives money that nobody knew the purpose of to an account. A line's
// comes from the treasury, where the statement shows it, and a debit's goes
// there; a fact's from the suspense account where it waits.
func (w *resolving) release(ctx context.Context, to ledger.Account) error {
	if w.c.Amount == 0 {
		return fault.New(fault.CaseResolutionBad, "/resolution", "there is no money to move")
	}
	source, kind := w.Treasury, ledger.Correction
	if w.c.kind() == ofFact {
		source, kind = ledger.Suspense(string(w.c.Reason)), ledger.SuspenseRelease
		if err := w.releaseFact(ctx); err != nil {
			return err
		}
	}
	return w.post(ctx, kind, ledger.Posting{Account: source, Amount: w.c.Amount}, ledger.Posting{Account: to, Amount: -w.c.Amount})
}

// releaseFact remembers with a fact that its money was given on: once, and only
// as much as the case says. What was taken back since the case was found is not
// there any more.
func (w *resolving) releaseFact(ctx context.Context) error {
	gateway, reference, _ := strings.Cut(strings.TrimPrefix(w.c.Subject, factTarget), ":")
	tag, err := w.tx.Exec(ctx, `
		UPDATE gateway_fact f SET released = abs($3)
		  FROM gateway_reference r
		 WHERE r.gateway = $1 AND r.reference = $2 AND f.gateway = r.gateway AND f.reference = r.reference AND f.recorded_at = r.recorded_at
		   AND f.state = 'exception' AND f.reason = $4 AND f.released = 0 AND `+suspended+` = $3::bigint`,
		gateway, reference, int64(w.c.Amount), string(w.c.Reason))
	if err != nil {
		return fmt.Errorf("release a fact's money: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() != 1 {
		return fault.New(fault.CaseResolutionBad, "/cases", "the fact is not what it was when the case was found; run the reconciliation again")
	}
	return nil
}

// dueRow is what was paid under an identifier.
type dueRow struct {
	Order, Transaction uuid.UUID
	Position           int16
	Payer              kz.BIN
	Gateway            string
	Paid, Matched      money.Tiyn
	Parts              int16
}

// match makes the line the money of the named identifier. What the line has
// more than is open there goes to the payer's advance.
func (w *resolving) match(ctx context.Context) error {
	d, err := w.due(ctx)
	if err != nil {
		return err
	}
	line, day, err := w.line(ctx)
	if err != nil {
		return err
	}
	if line < 0 {
		return fault.New(fault.CaseResolutionBad, "/resolution", "a debit is no payment")
	}
	amount := min(line, d.Paid-d.Matched)
	from, err := w.sources(ctx, d.Order, d.Position, amount, d.Gateway)
	if err != nil {
		return err
	}
	w.transaction = d.Transaction
	postings := []ledger.Posting{{Account: w.Treasury, Amount: line}}
	for i, s := range from {
		_, err = w.tx.Exec(ctx, `
			INSERT INTO payment_match (order_id, position, due_part, line_part, booking_day, line_id, amount, due_amount, line_amount, run_id, accepted, rule, gateway)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, true, $11, $12)`,
			d.Order, d.Position, d.Parts+int16(i), i, day, w.c.Line, int64(s.amount), int64(d.Paid), int64(line), w.c.ID, string(Accepted), s.gateway)
		if err != nil {
			return fmt.Errorf("accept a match: %w", Refusal(err))
		}
		postings = append(postings, ledger.Posting{Account: w.clearing(s.gateway), Amount: -s.amount})
	}
	if line > amount {
		postings = append(postings, ledger.Posting{Account: ledger.Advance(d.Payer), Amount: amount - line})
	}
	return w.post(ctx, ledger.Settlement, postings...)
}

func (w *resolving) due(ctx context.Context) (d dueRow, err error) {
	err = w.tx.QueryRow(ctx, `
		SELECT l.order_id, p.transaction_id, l.position, p.payer_bin, p.gateway, 
		       coalesce(p.paid[l.position + 1], 0) - coalesce((SELECT sum(u.lines[l.position + 1]) FROM payment_advance_use u WHERE u.order_id = l.order_id), 0)::bigint,
		       m.amount, m.parts
		  FROM payment_identifier i
		  JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
		  JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at
		 CROSS JOIN LATERAL (SELECT coalesce(sum(m.amount), 0)::bigint AS amount, coalesce(max(m.due_part) + 1, 0)::smallint AS parts
		                       FROM payment_match m WHERE m.order_id = l.order_id AND m.position = l.position) m
		 WHERE i.identifier = $1`, w.c.Target).
		Scan(&d.Order, &d.Transaction, &d.Position, &d.Payer, &d.Gateway, &d.Paid, &d.Matched, &d.Parts)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return d, fault.New(fault.CaseTargetBad, "/target", "no payment has this identifier")
	case err != nil:
		return d, fmt.Errorf("read the payment of an identifier: %w", postgres.Classify(err))
	case d.Paid == 0:
		return d, fault.New(fault.NotPosted, "/target", "the gateway has told of no payment under this identifier")
	case d.Paid <= d.Matched:
		return d, fault.New(fault.DuplicatePayment, "/target", "the payment under this identifier is on the statement already")
	}
	return d, nil
}

// line is the whole amount of the case's line, of which nothing is matched.
func (w *resolving) line(ctx context.Context) (amount money.Tiyn, day kz.Day, err error) {
	var booked bool
	err = w.tx.QueryRow(ctx, `SELECT amount, booking_day, booked FROM statement_line WHERE id = $1`, w.c.Line).Scan(&amount, &day, &booked)
	if err != nil {
		return 0, day, fmt.Errorf("read the line of a case: %w", postgres.Classify(err))
	}
	if !booked {
		return 0, day, fault.New(fault.CaseResolutionBad, "/resolution", "what is not booked is not matched")
	}
	return amount, day, nil
}

// matchFact makes the line the money of a fact that fitted no order: the
// gateway's promise is kept. What is to become of the money is decided by the
// fact's own case.
func (w *resolving) matchFact(ctx context.Context, target string) error {
	gateway, reference, _ := strings.Cut(target, ":")
	line, _, err := w.line(ctx)
	if err != nil {
		return err
	}
	var told money.Tiyn
	err = w.tx.QueryRow(ctx, `
		SELECT f.amount FROM gateway_reference r
		  JOIN gateway_fact f ON f.gateway = r.gateway AND f.reference = r.reference AND f.recorded_at = r.recorded_at
		 WHERE r.gateway = $1 AND r.reference = $2 AND f.state = 'exception'
		   AND NOT EXISTS (SELECT FROM reconcile_case c WHERE c.state = 'resolved' AND c.resolution = 'match' AND c.target = $3)`,
		gateway, reference, w.c.Target).Scan(&told)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fault.New(fault.CaseTargetBad, "/target", "no such fact waits for its money")
	case err != nil:
		return fmt.Errorf("read a fact: %w", postgres.Classify(err))
	case told != line:
		return fault.New(fault.AmountDiffers, "/target", "the gateway told of %s, the line has %s", told, line)
	}
	return w.post(ctx, ledger.Settlement, ledger.Posting{Account: w.Treasury, Amount: line}, ledger.Posting{Account: ledger.Clearing(gateway), Amount: -line})
}

// rebill takes back a payment that the treasury never received: the order owes
// the line again, and the payer may pay it again.
func (w *resolving) rebill(ctx context.Context) error {
	o, err := order.Lock(ctx, w.tx, *w.c.Order)
	if err != nil {
		return err
	}
	if o.Tolerated > 0 {
		return fault.New(fault.CaseResolutionBad, "/resolution", "a shortfall of the order was let go; the gateway must take the payment back")
	}
	w.transaction = o.Transaction
	position := int(*w.c.Position)
	lines, credited := make([]money.Tiyn, len(o.Lines)), money.Tiyn(0)
	account := ledger.Advance(o.Payer)
	if position < 0 {
		credited = w.c.Amount
	} else {
		l := o.Lines[position]
		lines[position] = w.c.Amount
		account = ledger.Budget(charge.RevenueOffice(l.Requisites.RevenueOffice), l.BudgetCode)
	}
	from, err := w.sources(ctx, o.ID, *w.c.Position, w.c.Amount, o.Gateway)
	if err != nil {
		return err
	}
	if _, err := o.Reverse(lines, credited); err != nil {
		return err
	}
	if err := order.SaveAll(ctx, w.tx, []*order.Order{o}); err != nil {
		return err
	}
	postings := []ledger.Posting{{Account: account, Amount: w.c.Amount}}
	for _, s := range from {
		postings = append(postings, ledger.Posting{Account: w.clearing(s.gateway), Amount: -s.amount})
	}
	return w.post(ctx, ledger.Reversal, postings...)
}
