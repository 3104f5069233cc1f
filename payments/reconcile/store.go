package reconcile

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
)

// matchColumns are what two matches are compared by.
const matchColumns = `order_id, position, due_part, line_part, booking_day, line_id, amount, due_amount, line_amount, rule, gateway`

// store makes payment_match what was found: it takes back what is found no
// longer and adds what is new. The rows go in by the order of their key, which
// costs the index the least.
func (r *run) store(ctx context.Context) error {
	var before bool
	if err := r.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM loose)`).Scan(&before); err != nil {
		return err
	}
	fresh := `SELECT ` + matchColumns + ` FROM found_all`
	if before {
		fresh += ` EXCEPT SELECT ` + matchColumns + ` FROM loose`
		tag, err := r.tx.Exec(ctx, `
			WITH gone AS (
				DELETE FROM payment_match m USING (SELECT `+matchColumns+` FROM loose EXCEPT SELECT `+matchColumns+` FROM found_all) x
				 WHERE m.order_id = x.order_id AND m.position = x.position AND m.due_part = x.due_part
				RETURNING m.*)
			INSERT INTO payment_match_withdrawn SELECT gone.*, $1 FROM gone`, r.id)
		if err != nil {
			return err
		}
		r.outcome.Withdrawn = int(tag.RowsAffected())
	}
	tag, err := r.tx.Exec(ctx, `
		INSERT INTO payment_match (`+matchColumns+`, run_id)
		SELECT `+matchColumns+`, $1 FROM (`+fresh+`) f ORDER BY order_id, position`, r.id)
	if err != nil {
		return err
	}
	r.outcome.Made = int(tag.RowsAffected())
	r.outcome.Changed = r.outcome.Made+r.outcome.Withdrawn > 0
	return nil
}

// settled is what a run moved of one day and gateway.
type settled struct {
	Day     kz.Day
	Gateway string
	Amount  money.Tiyn
}

// settle posts the difference between what was found and what stood before, an
// entry for each day: the treasury has the money that the gateways told of, and
// has paid back what they told that was. It writes the run's row.
func (r *run) settle(ctx context.Context) error {
	rows, err := r.tx.Query(ctx, `
		SELECT booking_day, gateway, sum(amount)::bigint
		  FROM (SELECT booking_day, gateway, amount FROM found_all UNION ALL SELECT booking_day, gateway, -amount FROM loose
		        UNION ALL SELECT booking_day, gateway, -amount FROM found_refund UNION ALL SELECT booking_day, gateway, amount FROM loose_refund) m
		 GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	sums, err := pgx.CollectRows(rows, pgx.RowToStructByPos[settled])
	if err != nil {
		return err
	}
	entries, err := r.entries(ctx, sums)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := ledger.Post(ctx, r.tx, e); err != nil {
			return err
		}
	}
	_, err = r.tx.Exec(ctx, `INSERT INTO reconcile_run (id, recorded_at, first_day, made, withdrawn, settled) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.id, r.at, r.outcome.FirstDay, r.outcome.Made, r.outcome.Withdrawn, int64(r.outcome.Settled))
	return err
}

// entries are the ledger's: of each day one, with what each gateway's clearing
// account gave or got back. The sums come by day.
func (r *run) entries(ctx context.Context, sums []settled) (all []ledger.Entry, err error) {
	book, err := ledger.ClosedTo(ctx, r.tx)
	if err != nil {
		return nil, err
	}
	for len(sums) > 0 {
		day := sums[0].Day
		e := ledger.Entry{Key: r.key(day), Kind: ledger.Settlement, Day: ledger.EntryDay(r.Calendar, day, book), Transaction: r.id, At: r.at}
		var total money.Tiyn
		for len(sums) > 0 && sums[0].Day == day {
			e.Postings = append(e.Postings, ledger.Posting{Account: r.clearing(sums[0].Gateway), Amount: -sums[0].Amount})
			if total, err = total.Add(sums[0].Amount); err != nil {
				return nil, err
			}
			sums = sums[1:]
		}
		if total != 0 { // zero: from one gateway's account to another's
			e.Postings = append(e.Postings, ledger.Posting{Account: r.Treasury, Amount: total})
		}
		if r.outcome.Settled, err = r.outcome.Settled.Add(total); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (r *run) key(day kz.Day) string { return fmt.Sprintf("settlement:%s:%s", day, r.id) }

// clearing is the account of a gateway; an order made before orders knew theirs
// names none.
func (c Config) clearing(gateway string) ledger.Account {
	if gateway == "" {
		gateway = c.Gateway
	}
	return ledger.Clearing(gateway)
}
