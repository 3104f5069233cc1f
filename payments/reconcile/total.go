package reconcile

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// total adds up the open days anew: what is matched, by the office of the
// order's line, and beside it, under no office, what is not.
func (r *run) total(ctx context.Context) error {
	return r.exec(ctx, `DELETE FROM reconcile_total WHERE booking_day > {closed}`, `
		INSERT INTO reconcile_total (booking_day, budget_code, revenue_office, lines, amount)
		SELECT booking_day, code, office, sum(lines)::int, sum(amount)::bigint
		  FROM (SELECT booking_day, line_code AS code, revenue_office AS office, count(*) AS lines, sum(amount) AS amount
		          FROM found_all GROUP BY 1, 2, 3
		        UNION ALL
		        SELECT booking_day, line_code, revenue_office, count(*), -sum(amount) FROM found_refund GROUP BY 1, 2, 3
		        UNION ALL
		        SELECT m.booking_day, s.budget_code, coalesce(l.revenue_office, ''), 1, m.amount
		          FROM fixed_line f JOIN payment_match m ON m.line_id = f.line_id JOIN statement_line s ON s.id = m.line_id
		          LEFT JOIN payment_line l ON l.order_id = m.order_id AND l.position = m.position
		        UNION ALL
		        SELECT m.booking_day, s.budget_code, coalesce(l.revenue_office, ''), 1, -m.amount
		          FROM fixed_line f JOIN payment_refund_match m ON m.line_id = f.line_id JOIN statement_line s ON s.id = m.line_id
		          JOIN payment_refund r ON r.id = m.refund_id
		          LEFT JOIN payment_line l ON l.order_id = r.order_id AND l.position = m.position
		        UNION ALL
		        SELECT s.booking_day, s.budget_code, '', 1, s.amount - coalesce((SELECT sum(m.amount) FROM statement_match m WHERE m.line_id = s.id), 0)
		          FROM fixed_line f JOIN statement_line s ON s.id = f.line_id AND s.booked
		        UNION ALL
		        SELECT booking_day, budget_code, '', count(*), sum(amount) FROM rest_line GROUP BY 1, 2
		        UNION ALL
		        SELECT booking_day, budget_code, '', count(*), sum(moved) FROM other_line o
		         WHERE booked AND NOT EXISTS (SELECT FROM found_refund f WHERE f.line_id = o.line_id)
		         GROUP BY 1, 2) t
		 WHERE amount <> 0
		 GROUP BY 1, 2, 3`)
}

// Total is one row of the control totals. Those of a day and a budget code add
// up to what its statement lines show, to the tiyn.
type Total struct {
	Day        kz.Day     `json:"day"`
	BudgetCode string     `json:"budget_code"`
	Office     string     `json:"revenue_office"` // of the orders it was matched to; "" is what is not matched
	Lines      int        `json:"lines"`          // or parts of lines
	Amount     money.Tiyn `json:"amount_tiyn"`
}

// Totals returns the control totals of the days from first to last, as the last
// run left them.
func Totals(ctx context.Context, q postgres.Querier, first, last kz.Day) ([]Total, error) {
	rows, err := q.Query(ctx, `
		SELECT booking_day, budget_code, revenue_office, lines, amount FROM reconcile_total
		 WHERE booking_day BETWEEN $1 AND $2 ORDER BY 1, 2, 3`, first, last)
	if err != nil {
		return nil, fmt.Errorf("read the control totals: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Total])
	if err != nil {
		return nil, fmt.Errorf("read the control totals: %w", postgres.Classify(err))
	}
	return all, nil
}
