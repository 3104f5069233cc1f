package told

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
)

// AtOnceMax bounds the charges of a batch.
const AtOnceMax = 1000

// Batch is a number of charges that one teller tells at once. It is stored in
// one transaction: QueueRead puts what must be known into the caller's first
// statements, QueueStore what follows into its last. If another teller's
// transaction was faster (Taken), both are called again, in a new one.
type Batch struct {
	Teller  string // who tells: a client of the service
	At      time.Time
	Charges []Charge // at most AtOnceMax
	// Payable says whether a body can be paid: whether its requisites are known.
	Payable func(charge.RevenueOffice) bool
	// Known says which transactions there are. It is read by QueueStore.
	Known map[uuid.UUID]bool

	ordered map[uuid.UUID]bool  // transactions that have their order
	told    map[string]standing // what stands under a reference, as far as we know
}

// Outcome of one charge.
type Outcome struct {
	ID    uuid.UUID // as stored; that of the first telling if it was told before
	Known bool      // it was told before
	Err   error     // why it was refused; then nothing of it is stored
}

// standing is what stands under a reference.
type standing struct {
	id      uuid.UUID
	content [sha256.Size]byte
}

// Transactions are those of the charges, each once, in order.
func (b *Batch) Transactions() []uuid.UUID {
	all := make([]uuid.UUID, len(b.Charges))
	for i := range b.Charges {
		all[i] = b.Charges[i].Transaction
	}
	slices.SortFunc(all, postgres.CompareIDs)
	return slices.Compact(all)
}

// Who tells charges and who draws up the order of a transaction exclude each
// other, so that no charge comes between. The locks are few, whatever the
// number of transactions: a thousand locks would fill the server's table.
const (
	lockShared = `SELECT pg_advisory_xact_lock_shared(hashtextextended('charge', bucket))
		FROM (SELECT DISTINCT get_byte(uuid_send(t), 15) & 63 AS bucket FROM unnest($1::uuid[]) AS t ORDER BY 1) AS b`
	lockAlone = `SELECT pg_advisory_xact_lock(hashtextextended('charge', get_byte(uuid_send($1::uuid), 15) & 63))`
)

// QueueRead keeps orders of the transactions from being drawn up until the
// caller's transaction ends, and asks which have one; an order that was
// cancelled or refunded makes room for another. What was told before under the
// references it asks only if told to: most charges are told once, and the
// database refuses a reference that is taken.
func (b *Batch) QueueRead(batch *pgx.Batch, references bool) {
	transactions := b.Transactions()
	batch.Queue(lockShared, transactions)
	b.ordered = make(map[uuid.UUID]bool)
	batch.Queue(`
		SELECT o.transaction_id FROM payment_order_once o
		  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
		 WHERE o.transaction_id = ANY ($1) AND p.state NOT IN ('cancelled', 'refunded')`, transactions).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, t := range found {
			b.ordered[t] = true
		}
		return err
	})
	b.told = make(map[string]standing, len(b.Charges))
	if references {
		b.queueReferences(batch)
	}
}

func (b *Batch) queueReferences(batch *pgx.Batch) {
	references := make([]string, len(b.Charges))
	for i := range b.Charges {
		references[i] = b.Charges[i].Reference
	}
	batch.Queue(`SELECT reference, id, content FROM charge_told_once WHERE teller = $1 AND reference = ANY ($2)`, b.Teller, references).
		Query(func(rows pgx.Rows) error {
			var reference string
			var id uuid.UUID
			var content []byte
			_, err := pgx.ForEachRow(rows, []any{&reference, &id, &content}, func() error {
				b.told[reference] = standing{id, [sha256.Size]byte(content)}
				return nil
			})
			return err
		})
}

// QueueStore judges the charges and stores those that nobody told before. Each
// has its own outcome, parallel to b.Charges: one that is refused spoils no
// other. A charge of a transaction that has its order already is refused with
// order_exists; another charge under a reference with charge_conflict.
func (b *Batch) QueueStore(batch *pgx.Batch) []Outcome {
	at := b.At.UTC().Truncate(time.Microsecond)
	outcomes := make([]Outcome, len(b.Charges))
	fresh := make([]row, 0, len(b.Charges))
	for i := range b.Charges {
		c, o := &b.Charges[i], &outcomes[i]
		if o.Err = b.judge(c); o.Err != nil {
			continue
		}
		content := c.content()
		switch was, found := b.told[c.Reference]; {
		case !found:
			o.ID = postgres.NewID(at)
			b.told[c.Reference] = standing{o.ID, content}
			fresh = append(fresh, row{c, o.ID, content})
		case was.content != content:
			o.Err = fault.New(fault.ChargeConflict, "/reference", "another charge was told under %.64q", c.Reference)
		default:
			o.ID, o.Known = was.id, true
		}
	}
	queueRows(batch, b.Teller, at, fresh)
	return outcomes
}

func (b *Batch) judge(c *Charge) error {
	switch err := c.check(); {
	case err != nil:
		return err
	case !b.Payable(c.Body):
		return fault.New(fault.RevenueOfficeUnknown, "/body", "no requisites of the body %.16q", string(c.Body))
	case !b.Known[c.Transaction]:
		return fault.New(fault.TransactionNotFound, "/transaction", "no transaction %s", c.Transaction)
	case b.ordered[c.Transaction]:
		return fault.New(fault.OrderExists, "/transaction", "transaction %s has its order", c.Transaction)
	}
	return nil
}

// row is a charge that is stored.
type row struct {
	*Charge
	id     uuid.UUID
	digest [sha256.Size]byte
}

// queueRows claims the references and stores the charges, in the order of the
// references, so that two who tell the same ones wait in one direction.
func queueRows(batch *pgx.Batch, teller string, at time.Time, rows []row) {
	if len(rows) == 0 {
		return
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.Reference, b.Reference) })
	batch.Queue(`
		WITH told AS (
			INSERT INTO charge_told (id, recorded_at, teller, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note)
			SELECT id, $2, $1, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note
			  FROM unnest($3::uuid[], $4::text[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[])
			    AS t (id, reference, transaction_id, body, kind, budget_code, purpose_code, amount, act, note))
		INSERT INTO charge_told_once (teller, reference, id, recorded_at, content)
		SELECT $1, reference, id, $2, content FROM unnest($3::uuid[], $4::text[], $5::bytea[]) AS t (id, reference, content)`,
		teller, at, column(rows, func(r row) uuid.UUID { return r.id }), column(rows, func(r row) string { return r.Reference }),
		column(rows, func(r row) []byte { return r.digest[:] }), column(rows, func(r row) uuid.UUID { return r.Transaction }),
		column(rows, func(r row) string { return string(r.Body) }), column(rows, func(r row) string { return string(r.Kind) }),
		column(rows, func(r row) string { return string(r.BudgetCode) }), column(rows, func(r row) string { return string(r.PurposeCode) }),
		column(rows, func(r row) int64 { return int64(r.Amount) }),
		column(rows, func(r row) string { return r.Act }), column(rows, func(r row) string { return r.Note }))
}

// column collects one column of rows.
func column[T any](rows []row, of func(row) T) []T {
	values := make([]T, len(rows))
	for i := range rows {
		values[i] = of(rows[i])
	}
	return values
}

// Taken reports whether a transaction failed because somebody told one of its
// charges meanwhile, or before: the next attempt has to look the references up.
func Taken(err error) bool { return postgres.UniqueViolation(err, "charge_told_once_pkey") }
