package payments

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
)

// attemptFact is what a fact told of a try to pay an order.
type attemptFact struct {
	kind                gateway.FactKind
	reference, original string
}

// queueAttempts reads what was told of the tries to pay the orders of which an
// attempt has failed: whether another one goes on.
func queueAttempts(batch *pgx.Batch, orders []uuid.UUID, p *posting) {
	if len(orders) == 0 {
		return
	}
	batch.Queue(`
		SELECT order_id, kind, reference, original FROM gateway_fact
		 WHERE order_id = ANY ($1) AND kind IN ('pending', 'authorised', 'failed', 'captured') AND state IN ('noted', 'posted')
		 ORDER BY recorded_at, reference`, orders).
		Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			var a attemptFact
			_, err := pgx.ForEachRow(rows, []any{&id, &a.kind, &a.reference, &a.original}, func() error {
				p.attempts[id] = append(p.attempts[id], a)
				return nil
			})
			return err
		})
}

// attemptsAt are the tries to pay an order up to a fact that is judged: those
// that were read, and those of this batch.
func (p *posting) attemptsAt(r *record) []attemptFact {
	all := p.attempts[r.fact.Order]
	for _, f := range p.fresh { // r is the last that was judged
		if f.fact.Order == r.fact.Order && f.state != FactException {
			all = append(all[:len(all):len(all)], attemptFact{f.fact.Kind, f.reference, f.fact.Original})
		}
	}
	return all
}

// underWay says which attempts go on. A hold ends by a fact that names it:
// nobody else's failure lets its money go. What was begun and not named since
// ends with whatever comes of an attempt that names nothing. A payment ends all
// that was before it: what is tried later is another payment.
func underWay(all []attemptFact) (held, begun bool) {
	ended := make(map[string]bool) // also before it was told that it had begun
	for _, a := range all {
		if a.kind == gateway.Failed || a.kind == gateway.Captured {
			ended[a.original] = true
		}
	}
	holds, beginnings := 0, 0
	for _, a := range all {
		switch a.kind {
		case gateway.Captured:
			holds, beginnings = 0, 0
			continue
		case gateway.Pending:
			beginnings++
			continue
		case gateway.Authorised:
			if !ended[a.reference] {
				holds++
			}
		}
		if a.original == "" {
			beginnings = max(beginnings-1, 0)
		}
	}
	return holds > 0, beginnings > 0
}

// fail moves an order of which an attempt has come to nothing, and only as far
// as the others allow: while money is held for it, it is authorised, and while
// another attempt goes on, pending.
func (p *posting) fail(r *record, o *order.Order) error {
	held, begun := underWay(p.attemptsAt(r))
	if held && (o.State == order.Authorised || o.State == order.Captured) || begun && o.State == order.Pending {
		return nil
	}
	if err := o.Apply(order.Fail); err != nil || !begun || o.State != order.Presented {
		return err
	}
	return o.Apply(order.Start)
}
