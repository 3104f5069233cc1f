package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// Balance of one account: its debits, its credits (negative) and their sum.
type Balance struct {
	Account Account    `json:"account"`
	Debits  money.Tiyn `json:"debits_tiyn"`
	Credits money.Tiyn `json:"credits_tiyn"`
	Balance money.Tiyn `json:"balance_tiyn"`
}

// Moment says as of when a balance is asked for. The zero Moment is now, with
// everything that is in the book.
type Moment struct {
	// Day includes what belongs to the business day and to those before it.
	Day kz.Day
	// Recorded includes what was in the book before this instant: what a
	// balance was believed to be at that time.
	Recorded time.Time
	// Account asks for this one only.
	Account Account
}

// sumsByDay adds up each account to the end of day $1, beginning with the
// balances kept for the end of $2, the last day closed before; NULL is the
// beginning. The casts fail rather than wrap when a sum does not fit in 64 bits.
const sumsByDay = `
	SELECT account, sum(debits)::bigint AS debits, sum(credits)::bigint AS credits
	  FROM (SELECT account, debits, credits FROM ledger_period_balance WHERE last_day = $2::date
	        UNION ALL
	        SELECT p.account, greatest(p.amount, 0), least(p.amount, 0)
	          FROM ledger_entry e
	          JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
	         WHERE e.day <= $1::date AND ($2::date IS NULL OR e.day > $2::date)) AS parts
	 GROUP BY account`

// sumsByRecord adds up what was recorded before $1, of the days to $2.
const sumsByRecord = `
	SELECT p.account, sum(greatest(p.amount, 0))::bigint AS debits, sum(least(p.amount, 0))::bigint AS credits
	  FROM ledger_entry e
	  JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
	 WHERE e.recorded_at < $1 AND ($2::date IS NULL OR e.day <= $2::date)
	 GROUP BY p.account`

// sumsNow adds up the whole book.
const sumsNow = `
	SELECT account, sum(greatest(amount, 0))::bigint AS debits, sum(least(amount, 0))::bigint AS credits
	  FROM ledger_posting GROUP BY account`

// BalancesAt returns the balance of every account that had a posting by then,
// sorted by name: the trial balance.
func BalancesAt(ctx context.Context, q postgres.Querier, m Moment) ([]Balance, error) {
	sums, args := sumsNow, []any{}
	switch {
	case !m.Recorded.IsZero():
		sums, args = sumsByRecord, []any{m.Recorded, m.Day}
	case !m.Day.IsZero():
		var closed kz.Day // the last period that the day does not reach into
		if err := q.QueryRow(ctx, `SELECT max(last_day) FROM ledger_period WHERE last_day <= $1`, m.Day).Scan(&closed); err != nil {
			return nil, fmt.Errorf("read the ledger's periods: %w", postgres.Classify(err))
		}
		sums, args = sumsByDay, []any{m.Day, closed}
	}
	where := ""
	if m.Account != "" {
		args = append(args, string(m.Account))
		where = fmt.Sprintf(" WHERE account = $%d", len(args))
	}
	rows, err := q.Query(ctx, `SELECT account, debits, credits, debits + credits FROM (`+sums+`) AS sums`+where+` ORDER BY account`, args...)
	if err != nil {
		return nil, fmt.Errorf("read the balances: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Balance])
	if err != nil {
		return nil, fmt.Errorf("read the balances: %w", postgres.Classify(err))
	}
	return all, nil
}

// BalanceOf returns the balance of m.Account; zero if it had no posting.
func BalanceOf(ctx context.Context, q postgres.Querier, account Account, m Moment) (Balance, error) {
	m.Account = account
	all, err := BalancesAt(ctx, q, m)
	if err != nil || len(all) == 0 {
		return Balance{Account: account}, err
	}
	return all[0], nil
}
