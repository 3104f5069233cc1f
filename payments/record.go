package payments

import (
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

// factKey names a fact for ever.
type factKey struct{ gateway, reference string }

// record is a fact as it is kept.
type record struct {
	factKey
	fact       gateway.Fact
	recordedAt time.Time // when it was first told
	message    evidence.Digest
	state      FactState
	reason     fault.Code

	// Of a captured fact: how its money stands. The three add up to its amount
	// once it is posted.
	applied  []money.Tiyn // on each line of the order, by position
	credited money.Tiyn   // on the payer's advance
	reversed money.Tiyn   // taken back

	// Of a fact in suspense: what of it two persons have given on.
	released money.Tiyn

	stored  bool       // it was there before this batch
	changed bool       // and is among those to be stored anew
	was     FactState  // when it was read; its row is changed only if it still is so,
	taken   money.Tiyn // and this much was taken back of it
}

// errMoved says that a fact changed between reading and writing: its order is
// not ours, so no lock kept it.
var errMoved = errors.New("a fact was changed by somebody else")

// outcome is what the audit says of it.
func (r *record) outcome() string {
	if r.state == FactException {
		return string(r.reason)
	}
	return string(r.state)
}

// tell is the outcome as it is answered.
func (r *record) tell(p *posting) Outcome {
	o := Outcome{
		Gateway: r.gateway, Reference: r.reference, Kind: r.fact.Kind, Order: r.fact.Order, Amount: r.fact.Amount,
		State: r.state, Reason: r.reason, ReceivedAt: r.recordedAt,
	}
	if found := p.orders[r.fact.Order]; found != nil {
		o.OrderState = found.State
	}
	return o
}

// same reports whether a fact is the one that is kept, told again.
func (r *record) same(f *gateway.Fact) bool {
	at, other := r.fact, *f
	at.PaidAt, other.PaidAt = time.Time{}, time.Time{}
	return at == other && r.fact.PaidAt.Equal(f.PaidAt)
}

// unsettled reports whether a fact that was told before may be judged by now:
// an earlier version left it, or it refers to a payment that has been told
// since.
func (r *record) unsettled(p *posting) bool {
	return r.state == FactReceived || r.waits() && p.facts[factKey{r.gateway, r.fact.Original}] != nil
}

// waits reports whether it is a reversal whose payment is not known.
func (r *record) waits() bool { return r.state == FactException && r.reason == fault.OriginalUnknown }

const recordColumns = `f.gateway, f.reference, f.recorded_at, f.kind, f.original, f.order_id, f.payer_bin, f.bank_bic, f.amount, f.paid_at,
	f.state, f.reason, f.applied, f.credited, f.reversed, f.released`

// queueFacts reads the facts under some keys, and those that refer to them.
func queueFacts(batch *pgx.Batch, keys []factKey, p *posting) {
	gateways, references := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		gateways[i], references[i] = k.gateway, k.reference
	}
	batch.Queue(`
		SELECT `+recordColumns+`
		  FROM unnest($1::text[], $2::text[]) AS g (gateway, reference)
		  JOIN gateway_reference r ON r.gateway = g.gateway AND r.reference = g.reference
		  JOIN gateway_fact f ON f.gateway = r.gateway AND f.reference = r.reference AND f.recorded_at = r.recorded_at`,
		gateways, references).Query(p.readFacts)
	batch.Queue(`
		SELECT `+recordColumns+`
		  FROM unnest($1::text[], $2::text[]) AS g (gateway, reference)
		  JOIN gateway_original o ON o.gateway = g.gateway AND o.original = g.reference
		  JOIN gateway_fact f ON f.gateway = o.gateway AND f.reference = o.reference AND f.recorded_at = o.recorded_at
		 ORDER BY f.recorded_at, f.reference`,
		gateways, references).Query(p.readFacts)
}

func (p *posting) readFacts(rows pgx.Rows) error {
	var r record
	_, err := pgx.ForEachRow(rows, []any{
		&r.gateway, &r.reference, &r.recordedAt, &r.fact.Kind, &r.fact.Original, &r.fact.Order, &r.fact.Payer, &r.fact.BankBIC, &r.fact.Amount,
		&r.fact.PaidAt, &r.state, &r.reason, &r.applied, &r.credited, &r.reversed, &r.released,
	}, func() error {
		if p.facts[r.factKey] != nil {
			return nil // both statements find what refers to a fact of the batch and is told again in it
		}
		found := r
		found.fact.Reference = r.reference
		found.stored, found.was, found.taken = true, r.state, r.reversed
		p.facts[r.factKey] = &found
		if found.fact.Original != "" {
			k := factKey{r.gateway, r.fact.Original}
			p.referring[k] = append(p.referring[k], &found)
		}
		r.applied = nil
		return nil
	})
	return err
}

// change marks a stored fact as one to be stored anew.
func (p *posting) change(r *record) {
	if r.stored && !r.changed {
		r.changed = true
		p.changed = append(p.changed, r)
	}
}

// factRows are the parameters of queueFresh: a row for each fact.
type factRows struct {
	gateways, references, kinds, originals, payers, banks []string
	ats, paidAts                                          []time.Time
	messages                                              [][]byte
	orders                                                []uuid.UUID
	amounts, credited, reversed                           []int64
	states, reasons, applied                              []string
}

func (c *factRows) add(r *record) {
	f := &r.fact
	c.gateways, c.references, c.ats = append(c.gateways, r.gateway), append(c.references, r.reference), append(c.ats, r.recordedAt)
	c.kinds, c.originals, c.payers = append(c.kinds, string(f.Kind)), append(c.originals, f.Original), append(c.payers, string(f.Payer))
	c.banks, c.paidAts, c.orders = append(c.banks, f.BankBIC), append(c.paidAts, f.PaidAt), append(c.orders, f.Order)
	c.messages = append(c.messages, r.message[:])
	c.amounts, c.credited, c.reversed = append(c.amounts, int64(f.Amount)), append(c.credited, int64(r.credited)), append(c.reversed, int64(r.reversed))
	c.states, c.reasons, c.applied = append(c.states, string(r.state)), append(c.reasons, string(r.reason)), append(c.applied, arrayOf(r.applied))
}

// arrayOf writes amounts as the text of an array: an array of arrays of several
// lengths has no form in PostgreSQL.
func arrayOf(amounts []money.Tiyn) string {
	text := []byte{'{'}
	for i, a := range amounts {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(a), 10)
	}
	return string(append(text, '}'))
}

// queueFresh claims the references of facts and stores them. A reference that
// somebody else claimed meanwhile fails the transaction.
func queueFresh(batch *pgx.Batch, fresh []*record) {
	if len(fresh) == 0 {
		return
	}
	var c factRows
	for _, r := range fresh {
		c.add(r)
	}
	batch.Queue(`
		WITH claim AS (
			INSERT INTO gateway_reference (gateway, reference, recorded_at)
			SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS g (gateway, reference) ORDER BY gateway, reference),
		refers AS (
			INSERT INTO gateway_original (gateway, original, reference, recorded_at)
			SELECT gateway, original, reference, recorded_at
			  FROM unnest($1::text[], $5::text[], $2::text[], $3::timestamptz[]) AS g (gateway, original, reference, recorded_at)
			 WHERE original <> '')
		INSERT INTO gateway_fact (gateway, reference, recorded_at, kind, original, order_id, payer_bin, bank_bic, amount, paid_at, message,
		                          state, reason, applied, credited, reversed)
		SELECT gateway, reference, recorded_at, kind, original, order_id, payer_bin, bank_bic, amount, paid_at, message,
		       state, reason, applied::bigint[], credited, reversed
		  FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::bigint[],
		              $10::timestamptz[], $11::bytea[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[])
		       AS g (gateway, reference, recorded_at, kind, original, order_id, payer_bin, bank_bic, amount, paid_at, message,
		             state, reason, applied, credited, reversed)`,
		c.gateways, c.references, c.ats, c.kinds, c.originals, c.orders, c.payers, c.banks, c.amounts,
		c.paidAts, c.messages, c.states, c.reasons, c.applied, c.credited, c.reversed)
}

// queueChanged stores what became of facts that were told before.
func queueChanged(batch *pgx.Batch, changed []*record) {
	for _, r := range changed { // they are few: reversals, and what they take back
		batch.Queue(`
			UPDATE gateway_fact SET state = $4, reason = $5, applied = $6, credited = $7, reversed = $8
			 WHERE gateway = $1 AND reference = $2 AND recorded_at = $3 AND state = $9 AND reversed = $10 AND released = $11`,
			r.gateway, r.reference, r.recordedAt, string(r.state), string(r.reason), arrayOf(r.applied), int64(r.credited), int64(r.reversed),
			string(r.was), int64(r.taken), int64(r.released)).
			Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() != 1 {
					return errMoved
				}
				return nil
			})
	}
}
