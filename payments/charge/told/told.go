package told

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

// AtOnceMax bounds what Store takes.
const AtOnceMax = 1000

// textBytesMax bounds the act and the note of a charge.
const textBytesMax = 512

// Charge is what a body says that a transaction owes.
type Charge struct {
	Transaction uuid.UUID
	Reference   string // the teller's own, for ever: the same reference is the same charge
	Body        charge.RevenueOffice
	Kind        charge.Kind
	BudgetCode  charge.BudgetCode
	PurposeCode charge.PurposeCode
	Amount      money.Tiyn
	Act         string // the ground: what sets the charge
	Note        string // for the payer, in the teller's words
}

// Outcome of one charge.
type Outcome struct {
	ID    uuid.UUID // as stored; that of the first telling if it was told before
	Known bool      // it was told before
	Err   error     // why it was refused; then nothing of it is stored
}

var (
	referenceForm = regexp.MustCompile(`^[!-~]{1,64}$`)
	budgetForm    = regexp.MustCompile(`^[0-9]{6}$`)
	purposeForm   = regexp.MustCompile(`^[0-9]{3}$`)
)

// check refuses what no bill could have.
func (c Charge) check() error {
	switch {
	case c.Transaction == uuid.Nil:
		return fault.New(fault.BadArgument, "/transaction", "a charge belongs to a transaction")
	case !referenceForm.MatchString(c.Reference):
		return fault.New(fault.BadArgument, "/reference", "a reference has 1 to 64 printable characters")
	case c.Kind.Name() == "" || c.Kind == charge.Advance:
		return fault.New(fault.PaymentKindUnknown, "/kind", "%.8q is no kind of charge", string(c.Kind))
	case !budgetForm.MatchString(string(c.BudgetCode)):
		return fault.New(fault.OrderInvalid, "/budget_code", "a budget code has six digits")
	case !purposeForm.MatchString(string(c.PurposeCode)):
		return fault.New(fault.OrderInvalid, "/purpose_code", "a purpose code has three digits")
	case c.Amount <= 0:
		return fault.New(fault.AmountInvalid, "/amount_tiyn", "a charge is more than nothing")
	case c.Act == "":
		return fault.New(fault.BadArgument, "/act", "a charge rests on an act")
	case len(c.Act) > textBytesMax || len(c.Note) > textBytesMax:
		return fault.New(fault.InputTooBig, "/note", "a text of more than %d bytes", textBytesMax)
	}
	return nil
}

// content is the digest of all that is told.
func (c Charge) content() [sha256.Size]byte {
	h := sha256.New()
	h.Write(c.Transaction[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(c.Amount)))
	for _, s := range []string{string(c.Body), string(c.Kind), string(c.BudgetCode), string(c.PurposeCode), c.Act, c.Note} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Batch is a number of charges that one teller tells at once.
type Batch struct {
	Teller  string // who tells: a client of the service
	At      time.Time
	Charges []Charge // at most AtOnceMax
	// Payable says whether a body can be paid: whether its requisites are known.
	Payable func(charge.RevenueOffice) bool
	// Known says which transactions there are.
	Known map[uuid.UUID]bool
}

// Store stores the charges in the caller's transaction, in a fixed number of
// statements. Each has its own outcome, parallel to b.Charges: one that is
// refused spoils no other. A charge of a transaction that has its order
// already is refused with order_exists; another charge under a reference with
// charge_conflict.
func Store(ctx context.Context, tx pgx.Tx, b Batch) ([]Outcome, error) {
	if len(b.Charges) > AtOnceMax {
		return nil, fault.New(fault.InputTooBig, "/charges", "%d charges at once; at most %d", len(b.Charges), AtOnceMax)
	}
	s := &storing{Batch: b, at: b.At.UTC().Truncate(time.Microsecond), outcomes: make([]Outcome, len(b.Charges))}
	for i, c := range b.Charges {
		s.outcomes[i].Err = s.judge(c)
		if s.outcomes[i].Err == nil {
			s.good = append(s.good, i)
		}
	}
	if len(s.good) == 0 {
		return s.outcomes, nil
	}
	for _, step := range []func(context.Context, pgx.Tx) error{s.refuseOrdered, s.insert} {
		if err := step(ctx, tx); err != nil {
			return nil, err
		}
	}
	return s.outcomes, nil
}

// storing is a batch under way.
type storing struct {
	Batch
	at       time.Time
	good     []int    // charges that are still to be stored, by index
	twins    [][2]int // a charge and the one before it under its reference
	outcomes []Outcome
}

func (s *storing) judge(c Charge) error {
	switch err := c.check(); {
	case err != nil:
		return err
	case !s.Payable(c.Body):
		return fault.New(fault.RevenueOfficeUnknown, "/body", "no requisites of the body %.16q", string(c.Body))
	case !s.Known[c.Transaction]:
		return fault.New(fault.TransactionNotFound, "/transaction", "no transaction %s", c.Transaction)
	}
	return nil
}

// column collects one column of the good charges.
func column[T any](s *storing, of func(Charge) T) []T {
	values := make([]T, len(s.good))
	for i, index := range s.good {
		values[i] = of(s.Charges[index])
	}
	return values
}

func transactionOf(c Charge) uuid.UUID { return c.Transaction }

// Who tells charges and who draws up the order of a transaction exclude each
// other, so that no charge comes between. The locks are few, whatever the
// number of transactions: a thousand locks would fill the server's table.
const (
	lockShared = `SELECT pg_advisory_xact_lock_shared(hashtextextended('charge', bucket))
		FROM (SELECT DISTINCT get_byte(uuid_send(t), 15) & 63 AS bucket FROM unnest($1::uuid[]) AS t ORDER BY 1) AS b`
	lockAlone = `SELECT pg_advisory_xact_lock(hashtextextended('charge', get_byte(uuid_send($1::uuid), 15) & 63))`
)

// refuseOrdered refuses the charges of transactions that have their order; one
// that was cancelled or refunded makes room for another.
func (s *storing) refuseOrdered(ctx context.Context, tx pgx.Tx) error {
	transactions := slices.Compact(slices.SortedFunc(slices.Values(column(s, transactionOf)), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }))
	var batch pgx.Batch
	batch.Queue(lockShared, transactions)
	ordered := make(map[uuid.UUID]bool)
	batch.Queue(`
		SELECT o.transaction_id FROM payment_order_once o
		  JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
		 WHERE o.transaction_id = ANY ($1) AND p.state NOT IN ('cancelled', 'refunded')`, transactions).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, t := range found {
			ordered[t] = true
		}
		return err
	})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("look for orders: %w", postgres.Classify(err))
	}
	left := s.good[:0]
	for _, index := range s.good {
		if t := s.Charges[index].Transaction; ordered[t] {
			s.outcomes[index].Err = fault.New(fault.OrderExists, "/transaction", "transaction %s has its order", t)
			continue
		}
		left = append(left, index)
	}
	s.good = left
	return nil
}

// insert claims the references and stores the charges of those that nobody
// told before, by one statement.
func (s *storing) insert(ctx context.Context, tx pgx.Tx) error {
	s.leaveTwins()
	ids, contents := make([]uuid.UUID, len(s.good)), make([][]byte, len(s.good))
	for i, index := range s.good {
		ids[i] = postgres.NewID(s.at)
		content := s.Charges[index].content()
		contents[i] = content[:]
	}
	tag, err := tx.Exec(ctx, `
		WITH told AS (
			SELECT * FROM unnest($3::uuid[], $4::bytea[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[])
			    AS t (id, content, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note)),
		claimed AS (
			INSERT INTO charge_told_once (teller, reference, id, recorded_at, content)
			SELECT $1, reference, id, $2, content FROM told ORDER BY reference
			ON CONFLICT (teller, reference) DO NOTHING RETURNING id)
		INSERT INTO charge_told (id, recorded_at, teller, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note)
		SELECT id, $2, $1, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note FROM told JOIN claimed USING (id)`,
		s.Teller, s.at, ids, contents, column(s, transactionOf), column(s, referenceOf),
		column(s, func(c Charge) string { return string(c.Body) }), column(s, func(c Charge) string { return string(c.Kind) }),
		column(s, func(c Charge) string { return string(c.BudgetCode) }), column(s, func(c Charge) string { return string(c.PurposeCode) }),
		column(s, func(c Charge) int64 { return int64(c.Amount) }),
		column(s, func(c Charge) string { return c.Act }), column(s, func(c Charge) string { return c.Note }))
	if err != nil {
		return fmt.Errorf("store the charges: %w", postgres.Classify(err))
	}
	for i, index := range s.good {
		s.outcomes[index].ID = ids[i]
	}
	if int(tag.RowsAffected()) < len(s.good) {
		if err := s.recall(ctx, tx); err != nil {
			return err
		}
	}
	s.answerTwins()
	return nil
}

func referenceOf(c Charge) string { return c.Reference }

// leaveTwins puts aside what stands twice under one reference in this batch:
// it is answered as the first of it is.
func (s *storing) leaveTwins() {
	first := make(map[string]int, len(s.good))
	left := s.good[:0]
	for _, index := range s.good {
		reference := s.Charges[index].Reference
		if original, twin := first[reference]; twin {
			s.twins = append(s.twins, [2]int{index, original})
			continue
		}
		first[reference] = index
		left = append(left, index)
	}
	s.good = left
}

func (s *storing) answerTwins() {
	for _, twin := range s.twins {
		index, original := twin[0], twin[1]
		s.outcomes[index] = s.outcomes[original]
		if s.outcomes[index].Err == nil {
			s.outcomes[index].Known = true
		}
		if s.Charges[index].content() != s.Charges[original].content() {
			s.outcomes[index] = Outcome{Err: conflict(s.Charges[index].Reference)}
		}
	}
}

func conflict(reference string) error {
	return fault.New(fault.ChargeConflict, "/reference", "another charge was told under %.64q", reference)
}

// recall finds what stands under the references: what was stored now, or what
// was told before.
func (s *storing) recall(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT reference, id, content FROM charge_told_once WHERE teller = $1 AND reference = ANY ($2)`,
		s.Teller, column(s, referenceOf))
	if err != nil {
		return fmt.Errorf("read the references: %w", postgres.Classify(err))
	}
	type before struct {
		Reference string
		ID        uuid.UUID
		Content   []byte
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[before])
	if err != nil {
		return fmt.Errorf("read the references: %w", postgres.Classify(err))
	}
	known := make(map[string]before, len(all))
	for _, b := range all {
		known[b.Reference] = b
	}
	for _, index := range s.good {
		c := s.Charges[index]
		content := c.content()
		switch b, found := known[c.Reference]; {
		case found && b.ID == s.outcomes[index].ID: // stored now
		case !found: // somebody else is telling it at this moment
			s.outcomes[index] = Outcome{Err: fault.New(fault.RequestInFlight, "/reference", "the charge %.64q is being told by another request", c.Reference)}
		case !bytes.Equal(b.Content, content[:]):
			s.outcomes[index] = Outcome{Err: conflict(c.Reference)}
		default:
			s.outcomes[index] = Outcome{ID: b.ID, Known: true}
		}
	}
	return nil
}

// Of returns what was told of a transaction, in the order of telling.
func Of(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]charge.Charge, error) {
	rows, err := q.Query(ctx, `
		SELECT body, kind, budget_code, purpose_code, amount, act, note, reference
		  FROM charge_told WHERE transaction_id = $1 ORDER BY recorded_at, id`, transaction)
	if err != nil {
		return nil, fmt.Errorf("read the charges told: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (charge.Charge, error) {
		c := charge.Charge{Rounding: money.HalfUpTiyn, Ground: &charge.Ground{}}
		err := row.Scan(&c.RevenueOffice, &c.Kind, &c.BudgetCode, &c.PurposeCode, &c.Amount, &c.Ground.Act, &c.Ground.Note, &c.Path)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the charges told: %w", postgres.Classify(err))
	}
	return all, nil
}

// Close returns what was told of a transaction and keeps others from telling
// more until the caller's transaction ends: who draws up the order calls it
// and claims the order in the same transaction.
func Close(ctx context.Context, tx pgx.Tx, transaction uuid.UUID) ([]charge.Charge, error) {
	if _, err := tx.Exec(ctx, lockAlone, transaction); err != nil {
		return nil, fmt.Errorf("wait for charges being told: %w", postgres.Classify(err))
	}
	return Of(ctx, tx, transaction)
}
