package reconcile

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
)

// A refund is money of an order that goes back. What it takes from each line of
// the order, and from the payer's advance, is looked for among the debits. A
// debit is a refund's only if it names it: that somebody was paid as much is no
// proof, and what leaves the treasury is never guessed.

// PaidBack is a refund that the statements show in full.
type PaidBack struct {
	Refund uuid.UUID
	Line   uuid.UUID // the last of its debits
	Day    kz.Day    // on which that was booked
}

var debits = side{"rest_debit", "rest_refund", "found_refund", []level{
	{
		rule: ByRefund, line: `l.named::text`, due: `d.order_id::text`, where: compatible, first: true, one: true, several: true,
	},
	{
		rule: ByRefundLine, line: `nullif(l.identifier, '')`, due: `nullif(d.identifier, '')`, where: compatible + ` AND l.named IS NULL`,
		first: true, one: true, several: true,
	},
	{
		rule: ByRefundPayment, line: `k.key`, due: `p.key`, where: compatible + ` AND l.named IS NULL`, first: true, one: true, several: true,
		joinLine: ` JOIN other_key k ON k.line_id = l.line_id`, joinDue: ` JOIN paid_key p ON p.order_id = d.order_id`,
	},
}}

// refunds finds what the debits of the open days are. Most runs have few.
func (r *run) refunds(ctx context.Context) error {
	if err := r.exec(ctx, otherLines, otherKeys, namedRefunds); err != nil {
		return err
	}
	if err := r.lockRefunds(ctx); err != nil {
		return err
	}
	if err := r.exec(ctx, restDebits, restRefunds, paidKeys); err != nil {
		return err
	}
	if err := r.try(ctx, debits); err != nil {
		return err
	}
	return r.storeRefunds(ctx)
}

// lockRefunds locks the orders of the refunds that are under way and that a
// line may show, so that they stay as they are found here until the run has
// ended: whoever moves a refund locks its order.
func (r *run) lockRefunds(ctx context.Context) error {
	rows, err := r.tx.Query(ctx, `SELECT DISTINCT order_id FROM payment_refund WHERE state = 'approved' AND EXISTS (SELECT FROM other_line WHERE debit)`)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = order.LockAll(ctx, r.tx, ids)
	return err
}

const (
	// otherLines are those that can be no payment. A debit can be a refund,
	// unless it takes an earlier credit back.
	otherLines = `
	CREATE TEMPORARY TABLE other_line ON COMMIT DROP AS
	SELECT s.id AS line_id, s.booking_day, s.value_day, s.amount AS moved, abs(s.amount) AS amount, s.identifier, s.budget_code, s.purpose_code,
	       s.revenue_office, s.office_bin, s.payer, s.end_to_end, s.reference, s.purpose, s.place, s.booked, s.reversal OR s.returned AS back, s.booked AND s.amount < 0 AND NOT s.reversal AS debit
	  FROM pair x JOIN statement_line s ON s.id = x.line_id
	 WHERE NOT x.credit`

	// otherKeys are what a line calls itself by, in the form of refundKey.
	otherKeys = `
	CREATE TEMPORARY TABLE other_key ON COMMIT DROP AS
	SELECT DISTINCT line_id, lower(replace(name, '-', '')) AS key
	  FROM (SELECT line_id, end_to_end AS name FROM other_line
	        UNION ALL SELECT line_id, reference FROM other_line
	        UNION ALL SELECT l.line_id, m[1]
	          FROM other_line l CROSS JOIN LATERAL regexp_matches(l.purpose, '[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}', 'g') m) k
	 WHERE name <> ''`

	// refundKey is how a refund is named: by our identifier, with or without its
	// dashes, for a bank's field holds 35 characters; or by the gateway's
	// reference of its execution.
	refundKeys = `
	SELECT id, replace(id::text, '-', '') AS key FROM payment_refund WHERE gateway <> '` + order.AdvanceGateway + `'
	UNION ALL
	SELECT id, lower(replace(reference, '-', '')) FROM payment_refund
	 WHERE reference <> '' AND reference NOT LIKE '` + order.ShownPrefix + `%' AND gateway <> '` + order.AdvanceGateway + `'`

	// namedRefunds says which refund a line names, whatever became of that; two
	// are none. A payment that comes back may name what it was made for only by
	// the identifier that had been paid.
	namedRefunds = `
	CREATE TEMPORARY TABLE named_refund ON COMMIT DROP AS
	SELECT k.line_id, min(r.id::text)::uuid AS refund_id FROM other_key k JOIN (` + refundKeys + `) r ON r.key = k.key
	 GROUP BY k.line_id HAVING count(DISTINCT r.id) = 1;
	INSERT INTO named_refund
	SELECT l.line_id, min(r.id::text)::uuid
	  FROM other_line l
	  JOIN payment_identifier i ON i.identifier = l.identifier
	  JOIN payment_line o ON o.identifier = i.identifier AND o.recorded_at = i.recorded_at
	  JOIN payment_refund r ON r.order_id = i.order_id AND r.state = 'executed' AND l.amount IN (r.amount, r.lines[o.position + 1])
	 WHERE l.back AND NOT l.debit AND NOT EXISTS (SELECT FROM named_refund n WHERE n.line_id = l.line_id)
	 GROUP BY l.line_id HAVING count(DISTINCT r.id) = 1`

	// looseRefunds are the matches that this run finds again or takes back, as
	// looseMatches are those of payments.
	looseRefunds = `
	CREATE TEMPORARY TABLE loose_refund ON COMMIT DROP AS
	SELECT m.* FROM payment_refund_match m
	 WHERE m.booking_day > {closed} AND NOT m.accepted
	   AND NOT EXISTS (SELECT FROM payment_refund_match a WHERE a.accepted AND a.refund_id = m.refund_id)`

	restDebits = `
	CREATE TEMPORARY TABLE rest_debit ON COMMIT DROP AS
	SELECT l.*, n.refund_id AS named FROM other_line l LEFT JOIN named_refund n ON n.line_id = l.line_id WHERE l.debit;
	CREATE TEMPORARY TABLE found_refund (LIKE found) ON COMMIT DROP`

	// restRefunds are what is to be paid back and no match of a closed day, and
	// none that persons accepted, has shown: of each refund a row for each line
	// of its order, and one for the advance. order_id is the refund's own here.
	restRefunds = `
	CREATE TEMPORARY TABLE rest_refund ON COMMIT DROP AS
	SELECT r.id AS order_id, n.position, coalesce(l.identifier, '') AS identifier, coalesce(l.budget_code, '') AS budget_code,
	       coalesce(l.revenue_office, '') AS revenue_office, '' AS office_bin, r.gateway, n.amount AS due_amount, n.amount - coalesce(f.amount, 0) AS amount,
	       coalesce(f.parts, 0) AS parts
	  FROM payment_refund r
	 CROSS JOIN LATERAL (SELECT (u.number - 1)::smallint AS position, u.amount FROM unnest(r.lines) WITH ORDINALITY u (amount, number)
	                     UNION ALL SELECT -1, r.credit) n
	  JOIN payment_order_once o ON o.order_id = r.order_id
	  LEFT JOIN payment_line l ON l.order_id = r.order_id AND l.recorded_at = o.recorded_at AND l.position = n.position
	  LEFT JOIN (SELECT m.refund_id, m.position, sum(m.amount)::bigint AS amount, max(m.due_part) + 1 AS parts
	               FROM payment_refund_match m
	              WHERE NOT EXISTS (SELECT FROM loose_refund o WHERE o.refund_id = m.refund_id AND o.position = m.position AND o.due_part = m.due_part)
	              GROUP BY 1, 2) f ON f.refund_id = r.id AND f.position = n.position
	 WHERE r.state IN ('approved', 'executed') AND r.gateway <> '` + order.AdvanceGateway + `' AND n.amount > coalesce(f.amount, 0)`

	// paidKeys are what the payment that goes back was called by.
	paidKeys = `
	CREATE TEMPORARY TABLE paid_key ON COMMIT DROP AS
	SELECT r.id AS order_id, k.key
	  FROM payment_refund r
	 CROSS JOIN LATERAL (VALUES (lower(replace(r.payment, '-', ''))), (replace(r.order_id::text, '-', ''))) k (key)
	 WHERE r.id IN (SELECT order_id FROM rest_refund)`
)

// refundColumns are what two matches of refunds are compared by.
const refundColumns = `refund_id, position, due_part, line_part, booking_day, line_id, amount, due_amount, line_amount, rule, gateway`

// storeRefunds makes payment_refund_match what was found, and says which
// refunds under way are shown in full by now.
func (r *run) storeRefunds(ctx context.Context) error {
	const found = `SELECT order_id, position, due_part, line_part, booking_day, line_id, amount, due_amount, line_amount, rule, gateway FROM found_refund`
	for _, s := range []struct {
		sql   string
		count *int
	}{
		{`WITH gone AS (
			DELETE FROM payment_refund_match m USING (SELECT ` + refundColumns + ` FROM loose_refund EXCEPT ` + found + `) x
			 WHERE m.refund_id = x.refund_id AND m.position = x.position AND m.due_part = x.due_part
			RETURNING m.*)
		  INSERT INTO payment_refund_match_withdrawn SELECT gone.*, $1 FROM gone`, &r.outcome.Withdrawn},
		{`INSERT INTO payment_refund_match (` + refundColumns + `, run_id)
		  SELECT *, $1 FROM (` + found + ` EXCEPT SELECT ` + refundColumns + ` FROM loose_refund) f`, &r.outcome.Made},
	} {
		tag, err := r.tx.Exec(ctx, s.sql, r.id)
		if err != nil {
			return err
		}
		*s.count += int(tag.RowsAffected())
	}
	rows, err := r.tx.Query(ctx, shownRefunds+` AND r.id IN (SELECT order_id FROM found_refund) ORDER BY r.id`)
	if err != nil {
		return err
	}
	r.outcome.PaidBack, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PaidBack])
	return err
}

// matchRefund makes a debit that of the refund: of all that is open of it, or of
// all that is open of one of its parts.
func (w *resolving) matchRefund(ctx context.Context, target string, followed *Decided) error {
	id, err := uuid.Parse(target)
	if err != nil {
		return fault.New(fault.CaseTargetBad, "/target", "a debit is matched with a refund by its identifier")
	}
	refund, err := w.lockRefund(ctx, id)
	if err != nil {
		return err
	}
	line, day, err := w.line(ctx)
	if err != nil {
		return err
	}
	tag, err := w.tx.Exec(ctx, `
		WITH part AS (
			SELECT n.position, n.amount AS due, n.amount - coalesce(sum(m.amount), 0)::bigint AS open, coalesce(max(m.due_part) + 1, 0) AS parts
			  FROM payment_refund r
			 CROSS JOIN LATERAL (SELECT (u.number - 1)::smallint AS position, u.amount FROM unnest(r.lines) WITH ORDINALITY u (amount, number)
			                     UNION ALL SELECT -1, r.credit) n
			  LEFT JOIN payment_refund_match m ON m.refund_id = r.id AND m.position = n.position
			 WHERE r.id = $1 GROUP BY 1, 2),
		chosen AS (
			SELECT * FROM part WHERE open > 0 AND (SELECT sum(open) FROM part) = $2
			UNION ALL
			(SELECT * FROM part WHERE open = $2 AND (SELECT sum(open) FROM part) <> $2 ORDER BY position LIMIT 1))
		INSERT INTO payment_refund_match (refund_id, position, due_part, line_part, booking_day, line_id, amount, due_amount, line_amount, run_id, accepted, rule, gateway)
		SELECT $1, position, parts, row_number() OVER (ORDER BY position) - 1, $3, $4, open, due, $2, $5, true, $6, $7 FROM chosen`,
		id, int64(-line), day, w.c.Line, w.c.ID, string(Accepted), refund.Gateway)
	switch {
	case err != nil:
		return fmt.Errorf("accept a refund: %w", Refusal(err))
	case tag.RowsAffected() == 0:
		return fault.New(fault.AmountDiffers, "/target", "neither the refund nor one of its lines has %s open", -line)
	}
	w.transaction = refund.Transaction
	if err := w.post(ctx, ledger.Settlement, ledger.Posting{Account: w.Treasury, Amount: line}, ledger.Posting{Account: w.clearing(refund.Gateway), Amount: -line}); err != nil {
		return err
	}
	rows, err := w.tx.Query(ctx, shownRefunds+` AND r.id = $1`, id)
	if err != nil {
		return err
	}
	shown, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PaidBack])
	followed.PaidBack = append(followed.PaidBack, shown...)
	return err
}

// lockRefund returns a refund that a debit may be, with its order locked.
func (w *resolving) lockRefund(ctx context.Context, id uuid.UUID) (*order.Refund, error) {
	refund, err := order.GetRefund(ctx, w.tx, id)
	if err != nil {
		return nil, err
	}
	if _, err := order.Lock(ctx, w.tx, refund.Order); err != nil {
		return nil, err
	}
	if refund, err = order.GetRefund(ctx, w.tx, id); err != nil {
		return nil, err
	}
	if refund.Gateway == order.AdvanceGateway || refund.State != order.RefundApproved && refund.State != order.RefundExecuted {
		return nil, fault.New(fault.CaseTargetBad, "/target", "the treasury pays no refund that is %s by %s", refund.State, refund.Gateway)
	}
	return refund, nil
}

// shownRefunds are the refunds under way that debits add up to.
const shownRefunds = `
	SELECT r.id, m.line_id, m.booking_day
	  FROM payment_refund r
	 CROSS JOIN LATERAL (SELECT line_id, booking_day, sum(amount) OVER () AS shown FROM payment_refund_match WHERE refund_id = r.id
	                      ORDER BY booking_day DESC, line_id DESC LIMIT 1) m
	 WHERE r.state = 'approved' AND m.shown = r.amount`
