package payments

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
)

// The laws of conservation: what gateways told, what persons decided and what
// statements showed stands in the ledger, on the orders and in the refunds, to
// the tiyn, and nothing stands that nobody told. ledger.Verify holds the book
// to itself; these hold it to everything else that is kept.

// The reasons of their findings. Where an account is not what the other tables
// make it, the reason is its sort with accountDiffers behind it:
// "clearing_differs", "suspense_differs".
const (
	FactDiffers     = "fact_differs"        // a fact moved other money through its gateway's account than it tells of
	FactUnaccounted = "fact_unaccounted"    // of a posted payment, what is on lines, credited and taken back is not its amount
	EntryUnfounded  = "entry_unfounded"     // an entry of a fact that nobody told
	OrderDiffers    = "order_differs"       // a line, or the credit, has not what facts, the advance and decisions put there
	OrderTotal      = "order_total_differs" // the lines of an order are not its total
	RefundDiffers   = "refund_differs"      // an order has paid back, or is paying back, what its refunds do not say

	accountDiffers = "_differs"
)

// What the laws say again and again: of a fact f, which of them moved money,
// and how much into the clearing account; of a case c, that it is resolved, and
// how; of a refund r, that its money has left the budget; and where on an order
// something stands.
const (
	toldMoney = `f.state IN ('posted', 'exception') AND f.kind IN ('captured', 'reversed', 'refunded')
		AND NOT (f.kind = 'reversed' AND f.state = 'exception' AND f.reason = @waiting)`
	moved          = `CASE WHEN f.kind = 'captured' THEN f.amount ELSE -f.amount END`
	resolved       = `c.state = 'resolved' AND c.resolution`
	standingRefund = `r.state IN ('approved', 'executed')`
	orderPlace     = `'order ' || order_id || ' ' || CASE position WHEN -1 THEN 'credit' WHEN -2 THEN 'refunding' ELSE 'line ' || position END`
)

// unhurried are the settings of a check that reads whole tables.
const unhurried = `SET LOCAL statement_timeout = 0; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'`

// laws are set-based: each is one statement over whole tables. It returns what
// is violated: the place, the reason, what stands there and what should. Its
// arguments are the reason of a reversal that waits for its payment, and so has
// moved nothing; the gateway of matches that name none; and how many findings
// are wanted.
var laws = []string{
	// A fact moves its amount through the clearing account of its gateway, under
	// its own key: whatever became of it, posted or suspended.
	`WITH moves AS (
		SELECT e.natural_key AS key, sum(p.amount) FILTER (WHERE p.account LIKE 'clearing:%') AS amount
		  FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
		 WHERE e.kind IN ('payment', 'reversal', 'suspense', 'refund_paid') AND e.natural_key NOT LIKE 'case:%'
		 GROUP BY 1),
	told AS (
		SELECT f.gateway || ':' || f.reference AS place, ` + moved + ` AS amount,
		       CASE f.kind WHEN 'captured' THEN 'payment:' WHEN 'reversed' THEN 'reversal:' ELSE 'refund_paid:' END || f.gateway || ':' || f.reference AS key,
		       CASE WHEN f.kind = 'refunded' AND f.state = 'posted' THEN 'refund_paid:' || f.original::uuid END AS other
		  FROM gateway_fact f WHERE ` + toldMoney + `)
	SELECT t.place, '` + FactDiffers + `', coalesce(m.amount, o.amount, 0)::bigint, t.amount
	  FROM told t LEFT JOIN moves m ON m.key = t.key LEFT JOIN moves o ON o.key = t.other
	 WHERE coalesce(m.amount, o.amount, 0) <> t.amount
	UNION ALL
	SELECT m.key, '` + EntryUnfounded + `', coalesce(m.amount, 0)::bigint, 0
	  FROM moves m LEFT JOIN told t ON t.key = m.key
	 WHERE t.key IS NULL AND (m.key LIKE 'payment:%' OR m.key LIKE 'reversal:%')
	 ORDER BY 1 LIMIT @limit`,

	// A payment that was posted is on lines, on the credit, or taken back.
	`SELECT f.gateway || ':' || f.reference, '` + FactUnaccounted + `', (a.amount + f.credited + f.reversed)::bigint, f.amount
	   FROM gateway_fact f CROSS JOIN LATERAL (SELECT coalesce(sum(u), 0) AS amount FROM unnest(f.applied) u) a
	  WHERE f.kind = 'captured' AND f.state = 'posted' AND a.amount + f.credited + f.reversed <> f.amount
	  ORDER BY 1 LIMIT @limit`,

	// What an order has received is what facts and uses of the advance put on it,
	// without what two persons have made the payer owe again.
	`WITH put AS (
		SELECT order_id, position, sum(amount) AS amount FROM (
			SELECT f.order_id, u.number - 1 AS position, u.amount
			  FROM gateway_fact f CROSS JOIN LATERAL unnest(f.applied) WITH ORDINALITY u (amount, number) WHERE f.kind = 'captured' AND f.state = 'posted'
			UNION ALL SELECT order_id, -1, credited FROM gateway_fact f WHERE f.kind = 'captured' AND f.state = 'posted'
			UNION ALL SELECT a.order_id, u.number - 1, u.amount FROM payment_advance_use a CROSS JOIN LATERAL unnest(a.lines) WITH ORDINALITY u (amount, number)
			UNION ALL SELECT c.order_id, c.position, -c.amount FROM reconcile_case c WHERE ` + resolved + ` = 'rebill') parts
		 GROUP BY 1, 2),
	has AS (
		SELECT p.id AS order_id, u.number - 1 AS position, u.amount FROM payment_order p CROSS JOIN LATERAL unnest(p.paid) WITH ORDINALITY u (amount, number)
		UNION ALL SELECT id, -1, credited FROM payment_order)
	SELECT ` + orderPlace + `, '` + OrderDiffers + `', coalesce(h.amount, 0), coalesce(p.amount, 0)::bigint
	  FROM has h FULL JOIN put p USING (order_id, position)
	 WHERE coalesce(h.amount, 0) <> coalesce(p.amount, 0)
	UNION ALL
	SELECT 'order ' || p.id, '` + OrderTotal + `', coalesce(l.amount, 0), p.total
	  FROM payment_order p
	  LEFT JOIN (SELECT order_id, sum(amount)::bigint AS amount FROM payment_line GROUP BY 1) l ON l.order_id = p.id
	 WHERE coalesce(l.amount, 0) <> p.total
	 ORDER BY 1 LIMIT @limit`,

	// What an order has paid back is what its refunds say, line by line; what is
	// on its way is what was approved.
	`WITH said AS (
		SELECT order_id, position, sum(amount) AS amount FROM (
			SELECT r.order_id, u.number - 1 AS position, u.amount
			  FROM payment_refund r CROSS JOIN LATERAL unnest(r.lines) WITH ORDINALITY u (amount, number) WHERE r.state = 'executed'
			UNION ALL SELECT order_id, -1, credit FROM payment_refund r WHERE r.state = 'executed'
			UNION ALL SELECT order_id, -2, amount FROM payment_refund r WHERE r.state = 'approved') parts
		 GROUP BY 1, 2),
	has AS (
		SELECT p.id AS order_id, u.number - 1 AS position, u.amount FROM payment_order p CROSS JOIN LATERAL unnest(p.refunded) WITH ORDINALITY u (amount, number)
		UNION ALL SELECT id, -1, refunded_credit FROM payment_order
		UNION ALL SELECT id, -2, refunding FROM payment_order)
	SELECT ` + orderPlace + `, '` + RefundDiffers + `', coalesce(h.amount, 0), coalesce(s.amount, 0)::bigint
	  FROM has h FULL JOIN said s USING (order_id, position)
	 WHERE coalesce(h.amount, 0) <> coalesce(s.amount, 0)
	 ORDER BY 1 LIMIT @limit`,

	accountLaw,
}

// accountLaw says of every account what facts, orders, refunds, matches and
// decisions make it. What a gateway kept as its fee, no other table tells.
const accountLaw = `
	WITH surplus AS ( -- what a line had more than was open of the payment that it is
		SELECT p.payer_bin, m.amount
		  FROM (SELECT m.run_id, min(m.order_id::text)::uuid AS order_id, max(m.line_amount) - sum(m.amount) AS amount FROM payment_match m WHERE m.accepted GROUP BY 1) m
		  JOIN reconcile_case c ON c.id = m.run_id
		  JOIN payment_order p ON p.id = m.order_id),
	line AS (
		SELECT l.order_id, l.position, l.revenue_office, l.budget_code, coalesce(p.paid[l.position + 1], 0) AS paid,
		       CASE WHEN p.tolerated > 0 THEN l.amount - coalesce(p.paid[l.position + 1], 0) ELSE 0 END AS let_go
		  FROM payment_order p JOIN payment_line l ON l.order_id = p.id AND l.recorded_at = p.recorded_at),
	parts (account, amount) AS (
		SELECT 'clearing:' || f.gateway, ` + moved + ` FROM gateway_fact f WHERE ` + toldMoney + `
		UNION ALL -- refunds that the statement showed before the gateway told
		SELECT 'clearing:' || r.gateway, -r.amount FROM payment_refund r WHERE r.state = 'executed' AND r.reference LIKE '` + order.ShownPrefix + `%'
		UNION ALL -- what the statements have shown
		SELECT 'clearing:' || coalesce(nullif(m.gateway, ''), @gateway), -m.amount FROM payment_match m
		UNION ALL SELECT 'clearing:' || coalesce(nullif(m.gateway, ''), @gateway), m.amount FROM payment_refund_match m
		UNION ALL SELECT 'clearing:' || f.gateway, -f.amount FROM reconcile_case c JOIN gateway_fact f ON 'fact:' || f.gateway || ':' || f.reference = c.target
		           WHERE ` + resolved + ` = 'match'
		UNION ALL -- what it never showed, and the payer owes again
		SELECT p.account, p.amount FROM reconcile_case c JOIN ledger_key k ON k.natural_key = 'case:' || c.id
		  JOIN ledger_posting p ON p.entry_id = k.entry_id AND p.recorded_at = k.recorded_at
		 WHERE ` + resolved + ` = 'rebill' AND p.account LIKE 'clearing:%'

		UNION ALL SELECT 'treasury', m.amount FROM payment_match m
		UNION ALL SELECT 'treasury', -m.amount FROM payment_refund_match m
		UNION ALL SELECT 'treasury', f.amount FROM reconcile_case c JOIN gateway_fact f ON 'fact:' || f.gateway || ':' || f.reference = c.target
		           WHERE ` + resolved + ` = 'match'
		UNION ALL SELECT 'treasury', amount FROM surplus
		UNION ALL SELECT 'treasury', c.amount FROM reconcile_case c WHERE ` + resolved + ` IN ('advance', 'refund') AND c.subject LIKE 'line:%'

		UNION ALL SELECT 'suspense:' || f.reason, -(` + moved + `) + f.reversed FROM gateway_fact f WHERE ` + toldMoney + ` AND f.state = 'exception'
		UNION ALL SELECT 'suspense:' || c.reason, c.amount FROM reconcile_case c WHERE ` + resolved + ` IN ('advance', 'refund') AND c.subject LIKE 'fact:%'
		UNION ALL SELECT 'suspense:` + reconcile.PayBack + `', -c.amount FROM reconcile_case c WHERE ` + resolved + ` = 'refund'

		UNION ALL SELECT 'advance:' || payer_bin, -credited FROM payment_order
		UNION ALL SELECT 'advance:' || payer_bin, amount FROM payment_advance_use
		UNION ALL SELECT 'advance:' || r.payer_bin, r.credit FROM payment_refund r WHERE ` + standingRefund + `
		UNION ALL SELECT 'advance:' || r.payer_bin, -r.amount FROM payment_refund r WHERE ` + standingRefund + ` AND r.gateway = '` + order.AdvanceGateway + `'
		UNION ALL SELECT 'advance:' || c.target, -c.amount FROM reconcile_case c WHERE ` + resolved + ` = 'advance'
		UNION ALL SELECT 'advance:' || payer_bin, -amount FROM surplus

		UNION ALL SELECT 'refunds:' || r.gateway, -r.amount FROM payment_refund r WHERE r.state = 'approved' AND r.gateway <> '` + order.AdvanceGateway + `'

		UNION ALL SELECT 'budget:' || l.revenue_office || ':' || l.budget_code, -l.paid - l.let_go FROM line l
		UNION ALL SELECT 'budget:' || l.revenue_office || ':' || l.budget_code, r.lines[l.position + 1]
		            FROM payment_refund r JOIN line l ON l.order_id = r.order_id WHERE ` + standingRefund + `
		UNION ALL SELECT 'tolerance:' || l.budget_code, l.let_go FROM line l

		UNION ALL SELECT p.account, p.amount FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at WHERE e.kind = 'fee'
	),
	should AS (SELECT account, sum(amount) AS amount FROM parts GROUP BY 1),
	has AS (
		SELECT CASE WHEN account LIKE 'treasury:%' THEN 'treasury' ELSE account END AS account, sum(amount) AS amount
		  FROM ledger_posting GROUP BY 1)
	SELECT account, split_part(account, ':', 1) || '` + accountDiffers + `', coalesce(h.amount, 0)::bigint, coalesce(s.amount, 0)::bigint
	  FROM has h FULL JOIN should s USING (account)
	 WHERE coalesce(h.amount, 0) <> coalesce(s.amount, 0)
	 ORDER BY 1 LIMIT @limit`

// VerifyLedger checks, as of one moment, that the book is whole (ledger.Verify),
// and that it, the orders and the refunds are what the facts, the matches with
// the statements and the persons' decisions make them. What it finds is in the
// Verification, and the error is fault.LedgerInconsistent.
func (t Treasury) VerifyLedger(ctx context.Context) (v *ledger.Verification, err error) {
	moment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	var inconsistent error
	err = pgx.BeginTxFunc(ctx, t.Pool, moment, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, unhurried); err != nil {
			return err
		}
		if v, err = ledger.Verify(ctx, tx); err != nil && !fault.Is(err, fault.LedgerInconsistent) {
			return err
		}
		if err := t.holdLaws(ctx, tx, v); err != nil {
			return err
		}
		inconsistent = v.Refusal()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("verify the ledger: %w", postgres.Classify(err))
	}
	return v, inconsistent
}

// holdLaws adds what violates a law to what was found.
func (t Treasury) holdLaws(ctx context.Context, tx pgx.Tx, v *ledger.Verification) error {
	for _, law := range laws {
		rows, err := tx.Query(ctx, law, pgx.NamedArgs{
			"waiting": string(fault.OriginalUnknown), "gateway": t.reconciliation().Gateway, "limit": ledger.FindingsMax,
		})
		if err != nil {
			return fmt.Errorf("check the conservation: %w", err)
		}
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f ledger.Finding, err error) {
			f.Compared = new(ledger.Compared)
			return f, row.Scan(&f.Key, &f.Reason, &f.Has, &f.Should)
		})
		if err != nil {
			return fmt.Errorf("check the conservation: %w", err)
		}
		v.Add(found)
	}
	return nil
}
