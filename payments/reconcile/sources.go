package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// An order may be paid at several gateways, a part at each. What is matched is
// settled from the clearing account of the gateway that told of the money, so a
// match stands for the money of one gateway: where a line is that of several,
// it is matched in parts. Nothing names the gateway of a credit; the gateways'
// money is taken in the order in which it was paid.

// sourcesOf says what each gateway told of a due and no match has taken yet. Of
// the orders it is about, and which matches stand, the users say.
const sourcesOf = `
	SELECT t.order_id, t.position, t.gateway, t.since,
	       t.amount
	       - coalesce((SELECT sum(m.amount) FROM payment_match m
	                    WHERE m.order_id = t.order_id AND m.position = t.position AND m.gateway = t.gateway AND {standing}), 0)::bigint
	       - coalesce((SELECT -sum(g.amount) FROM reconcile_case c
	                     JOIN ledger_key k ON k.natural_key = 'case:' || c.id
	                     JOIN ledger_posting g ON g.entry_id = k.entry_id AND g.recorded_at = k.recorded_at AND g.account = 'clearing:' || t.gateway
	                    WHERE c.subject = 'due:' || t.order_id || ':' || t.position AND c.state = 'resolved' AND c.resolution = 'rebill'), 0)::bigint AS amount
	  FROM (SELECT f.order_id, n.position::smallint AS position, f.gateway, min(f.paid_at) AS since, sum(n.amount)::bigint AS amount
	          FROM {orders} o
	          JOIN gateway_fact f ON f.order_id = o.order_id AND f.kind = 'captured' AND f.state = 'posted'
	         CROSS JOIN LATERAL (SELECT u.number - 1 AS position, u.amount FROM unnest(f.applied) WITH ORDINALITY u (amount, number)
	                             UNION ALL SELECT -1, f.credited) n
	         WHERE n.amount > 0
	         GROUP BY 1, 2, 3) t`

const (
	// elsewhere are the orders of which money was told by another gateway than
	// they are presented at now. Most days have none.
	elsewhere = `
	CREATE TEMPORARY TABLE elsewhere ON COMMIT DROP AS
	SELECT f.order_id FROM gateway_fact f JOIN payment_order p ON p.id = f.order_id
	 WHERE f.recorded_at >= {horizon} AND p.recorded_at >= {horizon} AND f.kind = 'captured' AND f.state = 'posted' AND f.gateway <> p.gateway
	UNION
	SELECT m.order_id FROM found m JOIN payment_order_once o ON o.order_id = m.order_id AND o.recorded_at < {horizon}
	  JOIN gateway_fact f ON f.order_id = m.order_id
	 WHERE f.kind = 'captured' AND f.state = 'posted' AND f.gateway <> m.gateway`

	// sources lays the gateways' money of a due end to end. What no fact told,
	// as of orders from before facts were kept so, is the order's gateway's.
	sources = `
	CREATE TEMPORARY TABLE source ON COMMIT DROP AS
	SELECT order_id, position, gateway, sum(amount) OVER due - amount AS low, sum(amount) OVER due AS high
	  FROM (SELECT order_id, position, gateway, since, amount FROM (` + sourcesOf + `) told WHERE amount > 0
	        UNION ALL
	        SELECT DISTINCT order_id, position, gateway, 'infinity'::timestamptz, 1000000000000000000 FROM found_all JOIN elsewhere USING (order_id)) s
	WINDOW due AS (PARTITION BY order_id, position ORDER BY since, gateway)`

	// pieces cuts the matches of those orders, laid end to end, where the
	// gateways' money ends.
	pieces = `
	CREATE TEMPORARY TABLE piece ON COMMIT DROP AS
	SELECT m.order_id, m.position, m.due_part, m.line_part, m.booking_day, m.line_id,
	       CASE WHEN s.order_id IS NULL THEN m.amount ELSE least(m.high, s.high) - greatest(m.low, s.low) END::bigint AS amount,
	       m.due_amount, m.line_amount, m.rule, coalesce(s.gateway, m.gateway) AS gateway, m.line_code, m.revenue_office, coalesce(s.low, 0) AS low
	  FROM (SELECT f.*, sum(amount) OVER due - amount AS low, sum(amount) OVER due AS high FROM found_all f
	         WHERE line_id IN (SELECT line_id FROM found_all JOIN elsewhere USING (order_id))
	        WINDOW due AS (PARTITION BY order_id, position ORDER BY due_part)) m
	  LEFT JOIN source s ON s.order_id = m.order_id AND s.position = m.position AND s.low < m.high AND s.high > m.low`

	unfound = `
	DELETE FROM found f USING piece x WHERE f.line_id = x.line_id;
	UPDATE pair p SET whole = false FROM piece x WHERE p.whole AND p.line_id = x.line_id`

	foundAgain = `
	INSERT INTO found
	SELECT order_id, position,
	       min(due_part) OVER (PARTITION BY order_id, position) + row_number() OVER (PARTITION BY order_id, position ORDER BY due_part, low) - 1,
	       row_number() OVER (PARTITION BY line_id ORDER BY line_part, low) - 1,
	       booking_day, line_id, amount, due_amount, line_amount, rule, gateway, line_code, revenue_office
	  FROM piece`
)

// attribute gives every match the gateway whose money it is.
func (r *run) attribute(ctx context.Context) error {
	if err := r.exec(ctx, elsewhere); err != nil {
		return err
	}
	var any bool
	if err := r.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM elsewhere)`).Scan(&any); err != nil || !any {
		return err
	}
	loose := `NOT EXISTS (SELECT FROM loose l WHERE l.order_id = m.order_id AND l.position = m.position AND l.due_part = m.due_part)`
	of := strings.NewReplacer("{orders}", "elsewhere", "{standing}", loose)
	return r.exec(ctx, of.Replace(sources), pieces, unfound, foundAgain)
}

// source is money of one gateway.
type source struct {
	gateway string
	amount  money.Tiyn
}

// sources are whose money an amount of a due is that no match has taken, in the
// order in which it was paid; usual is the gateway of what no fact told.
func (w *resolving) sources(ctx context.Context, order uuid.UUID, position int16, amount money.Tiyn, usual string) (all []source, err error) {
	of := strings.NewReplacer("{orders}", "(SELECT $1::uuid AS order_id)", "{standing}", "true")
	rows, err := w.tx.Query(ctx, `SELECT gateway, amount FROM (`+of.Replace(sourcesOf)+`) s WHERE position = $2 AND amount > 0 ORDER BY since, gateway`, order, position)
	if err != nil {
		return nil, fmt.Errorf("find the gateways of a payment: %w", postgres.Classify(err))
	}
	defer rows.Close()
	for rows.Next() && amount > 0 {
		var s source
		if err := rows.Scan(&s.gateway, &s.amount); err != nil {
			return nil, fmt.Errorf("find the gateways of a payment: %w", postgres.Classify(err))
		}
		s.amount = min(s.amount, amount)
		amount -= s.amount
		all = append(all, s)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find the gateways of a payment: %w", postgres.Classify(err))
	}
	if amount == 0 {
		return all, nil
	}
	if i := slices.IndexFunc(all, func(s source) bool { return s.gateway == usual }); i >= 0 {
		all[i].amount += amount
		return all, nil
	}
	return append(all, source{usual, amount}), nil
}
