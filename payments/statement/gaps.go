package statement

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// gapsListed bounds the gaps that are told.
const gapsListed = 100

// Gap is a place where the statements of an account do not continue one
// another: another statement is missing, or one of the two is wrong. It goes
// when the missing one is imported.
type Gap struct {
	Code      fault.Code `json:"code"` // fault.StatementGap
	Statement string     `json:"statement"`
	Number    string     `json:"number"`
	Day       kz.Day     `json:"day"`    // of its closing balance
	Detail    string     `json:"detail"` // what does not continue what
}

// gapsOf lists the gaps before the statements of one file, or of all, by day, the
// first hundred.
//
// A statement continues another of its own day or of the last day before that
// has any. Its opening balance is the other's closing balance; its number,
// where banks count them, is the other's or the next within the year.
func gapsOf(ctx context.Context, q postgres.Querier, account string, file *uuid.UUID) ([]Gap, error) {
	rows, err := q.Query(ctx, `
		WITH part AS (
			SELECT p.file_id, p.statement_id, p.number, p.page, p.opening, p.closing, p.closing_day,
			       CASE WHEN p.number ~ '^[0-9]{1,9}$' THEN p.number::int END AS n,
			       extract(year FROM p.closing_day) AS year
			  FROM statement_part p JOIN statement_file f ON f.id = p.file_id
			 WHERE f.account = $1 AND p.opening IS NOT NULL AND p.closing IS NOT NULL),
		days AS (
			SELECT closing_day, lag(closing_day) OVER (ORDER BY closing_day) AS before
			  FROM part GROUP BY closing_day),
		numbers AS (
			SELECT year, n, lag(n) OVER (PARTITION BY year ORDER BY n) AS before
			  FROM part WHERE n IS NOT NULL GROUP BY year, n)
		SELECT DISTINCT p.statement_id, p.number, p.closing_day, p.opening, NULL::int, NULL::int,
		       (SELECT q.closing FROM part q WHERE q.closing_day = d.before ORDER BY q.n DESC NULLS LAST, length(q.page) DESC, q.page DESC LIMIT 1)
		  FROM part p
		  JOIN days d ON d.closing_day = p.closing_day AND d.before IS NOT NULL
		   AND NOT EXISTS (SELECT FROM part q
		                    WHERE q.closing = p.opening AND q.closing_day IN (d.before, p.closing_day)
		                      AND (q.opening, q.closing_day, q.number, q.page) IS DISTINCT FROM (p.opening, p.closing_day, p.number, p.page))
		 WHERE $2::uuid IS NULL OR p.file_id = $2
		UNION ALL
		SELECT DISTINCT p.statement_id, p.number, p.closing_day, p.opening, m.n, m.before, NULL::bigint
		  FROM part p JOIN numbers m ON m.year = p.year AND m.n = p.n AND m.n > m.before + 1
		 WHERE $2::uuid IS NULL OR p.file_id = $2
		 ORDER BY 3, 2, 1, 7 LIMIT $3`, account, file, gapsListed)
	if err != nil {
		return nil, fmt.Errorf("look for gaps between statements: %w", postgres.Classify(err))
	}
	gaps, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Gap, error) {
		g := Gap{Code: fault.StatementGap}
		var opening money.Tiyn
		var number, before *int
		var closing *money.Tiyn
		if err := row.Scan(&g.Statement, &g.Number, &g.Day, &opening, &number, &before, &closing); err != nil {
			return g, err
		}
		if closing != nil {
			g.Detail = fmt.Sprintf("it opens with %s, the statement before closes with %s", opening, *closing)
		} else {
			g.Detail = fmt.Sprintf("its number is %d, the number before is %d", *number, *before)
		}
		return g, nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for gaps between statements: %w", postgres.Classify(err))
	}
	return gaps, nil
}
