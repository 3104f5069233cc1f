package order

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// RefundState is how far a refund is.
type RefundState string

// The states of a refund.
const (
	RefundAsked    RefundState = "asked"
	RefundApproved RefundState = "approved" // and ordered at the gateway, or about to be
	RefundRejected RefundState = "rejected"
	RefundExecuted RefundState = "executed" // the gateway told that it was paid
	RefundFailed   RefundState = "failed"   // the gateway will not pay it
)

// RefundStates lists every state of a refund.
func RefundStates() []RefundState {
	return []RefundState{RefundAsked, RefundApproved, RefundRejected, RefundExecuted, RefundFailed}
}

// refundTransitions is the whole machine of a refund.
var refundTransitions = map[RefundState][]RefundState{
	RefundAsked:    {RefundApproved, RefundRejected},
	RefundApproved: {RefundExecuted, RefundFailed},
}

// AdvanceGateway stands for a gateway where an order was paid by its payer's
// advance: such a payment goes back to the advance, and no gateway is asked.
const AdvanceGateway = "advance"

// ShownPrefix begins the reference of an execution that the treasury's statement
// showed before the gateway told of it: the statement line's identifier follows.
// No gateway's reference has a colon.
const ShownPrefix = "statement:"

// Refund is money of one payment of an order that goes back to its payer.
type Refund struct {
	ID          uuid.UUID
	CreatedAt   time.Time
	Order       uuid.UUID
	Transaction uuid.UUID
	Payer       kz.BIN
	Gateway     string // the payment that goes back, by its gateway
	Payment     string // and its reference there
	Amount      money.Tiyn
	Lines       []money.Tiyn // of it from each line of the order, by position
	Credit      money.Tiyn   // of it from the payer's advance
	Reason      string
	Due         kz.Day
	State       RefundState
	AskedBy     string
	DecidedBy   string
	DecidedAt   time.Time
	Note        string // of who decided
	EndedAt     time.Time
	Reference   string     // the gateway's, of the execution; or ShownPrefix and the statement's line
	Failure     fault.Code // why it failed
}

// Open says whether its money is spoken for.
func (r *Refund) Open() bool { return r.State == RefundAsked || r.State == RefundApproved }

// Shown says whether the statement showed its execution first.
func (r *Refund) Shown() bool {
	return r.State == RefundExecuted && strings.HasPrefix(r.Reference, ShownPrefix)
}

// move checks the machine.
func (r *Refund) move(to RefundState) error {
	for _, next := range refundTransitions[r.State] {
		if next == to {
			r.State = to
			return nil
		}
	}
	return fault.New(fault.RefundState, "", "a refund that is %s cannot be %s", r.State, to)
}

// decide records who decided: never who asked.
func (r *Refund) decide(to RefundState, by, note string, at time.Time) error {
	if by == r.AskedBy {
		return fault.New(fault.TwoPersons, "", "who asked for the refund does not decide on it")
	}
	if err := r.move(to); err != nil {
		return err
	}
	r.DecidedBy, r.DecidedAt, r.Note = by, at.UTC().Truncate(time.Microsecond), note
	return nil
}

// Approve orders the refund of an order that the caller has locked.
func (r *Refund) Approve(o *Order, by, note string, at time.Time) error {
	before := *r
	if err := r.decide(RefundApproved, by, note, at); err != nil {
		return err
	}
	if err := o.OrderRefund(r.Amount); err != nil {
		*r = before
		return err
	}
	return nil
}

// Reject ends a refund that was only asked for.
func (r *Refund) Reject(by, note string, at time.Time) error {
	return r.decide(RefundRejected, by, note, at)
}

// Execute ends a refund whose execution the gateway told of under reference,
// and its order, which the caller has locked, with it.
func (r *Refund) Execute(o *Order, reference string, at time.Time) error {
	before := *r
	if err := r.move(RefundExecuted); err != nil {
		return err
	}
	if err := o.Return(r.Lines, r.Credit); err != nil {
		*r = before
		return err
	}
	r.Reference, r.EndedAt = reference, at.UTC().Truncate(time.Microsecond)
	return nil
}

// Fail ends a refund that the gateway will not execute, and the order, which
// the caller has locked, stands again as before.
func (r *Refund) Fail(o *Order, why fault.Code, at time.Time) error {
	before := *r
	if err := r.move(RefundFailed); err != nil {
		return err
	}
	if err := o.DropRefund(r.Amount); err != nil {
		*r = before
		return err
	}
	r.Failure, r.EndedAt = why, at.UTC().Truncate(time.Microsecond)
	return nil
}

// InsertRefund stores a refund that was just asked for.
func InsertRefund(ctx context.Context, tx pgx.Tx, r *Refund) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO payment_refund (id, recorded_at, order_id, transaction_id, payer_bin, gateway, payment, amount, lines, credit,
		                            reason, due, state, asked_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		r.ID, r.CreatedAt, r.Order, r.Transaction, string(r.Payer), r.Gateway, r.Payment, int64(r.Amount), int64s(r.Lines), int64(r.Credit),
		r.Reason, r.Due, string(r.State), r.AskedBy)
	if err != nil {
		return fmt.Errorf("store the refund: %w", postgres.Classify(err))
	}
	return nil
}

func int64s(amounts []money.Tiyn) []int64 {
	all := make([]int64, len(amounts))
	for i, a := range amounts {
		all[i] = int64(a)
	}
	return all
}

// QueueSaveRefunds puts the statement that stores what was decided on locked
// refunds, or became of them, into a batch.
func QueueSaveRefunds(batch *pgx.Batch, refunds []*Refund) {
	for _, r := range refunds { // they are few: each was approved by a person
		batch.Queue(`
			UPDATE payment_refund
			   SET state = $2, decided_by = nullif($3, ''), decided_at = $4, note = $5, ended_at = $6, reference = $7, failure = $8
			 WHERE id = $1`,
			r.ID, string(r.State), r.DecidedBy, null(r.DecidedAt), r.Note, null(r.EndedAt), r.Reference, string(r.Failure)).
			Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() != 1 {
					return fault.New(fault.RefundNotFound, "", "no refund %s to be stored", r.ID)
				}
				return nil
			})
	}
}

// null is the time as SQL has it: none is NULL.
func null(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// SaveRefund is QueueSaveRefunds of one, sent at once with its order.
func SaveRefund(ctx context.Context, tx pgx.Tx, r *Refund, o *Order) error {
	var batch pgx.Batch
	QueueSaveRefunds(&batch, []*Refund{r})
	QueueSave(&batch, []*Order{o})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		if postgres.CheckViolation(err, "payment_refund_two_persons") {
			return fault.Wrap(err, fault.TwoPersons, "", "store the refund")
		}
		return fmt.Errorf("store the refund: %w", postgres.Classify(err))
	}
	return nil
}

const refundColumns = `id, recorded_at, order_id, transaction_id, payer_bin, gateway, payment, amount, lines, credit, reason, due, state,
	asked_by, coalesce(decided_by, ''), coalesce(decided_at, '0001-01-01Z'), note, coalesce(ended_at, '0001-01-01Z'), reference, failure`

func scanRefund(row pgx.CollectableRow) (Refund, error) {
	var r Refund
	err := row.Scan(&r.ID, &r.CreatedAt, &r.Order, &r.Transaction, &r.Payer, &r.Gateway, &r.Payment, &r.Amount, &r.Lines, &r.Credit, &r.Reason, &r.Due, &r.State,
		&r.AskedBy, &r.DecidedBy, &r.DecidedAt, &r.Note, &r.EndedAt, &r.Reference, &r.Failure)
	return r, err
}

func queryRefunds(ctx context.Context, q postgres.Querier, rest string, args ...any) ([]Refund, error) {
	rows, err := q.Query(ctx, "SELECT "+refundColumns+" FROM payment_refund "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read refunds: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, scanRefund)
	if err != nil {
		return nil, fmt.Errorf("read refunds: %w", postgres.Classify(err))
	}
	return all, nil
}

// GetRefund returns a refund.
func GetRefund(ctx context.Context, q postgres.Querier, id uuid.UUID) (*Refund, error) {
	found, err := queryRefunds(ctx, q, "WHERE id = $1", id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fault.New(fault.RefundNotFound, "", "no refund %s", id)
	}
	return &found[0], nil
}

// LockRefunds locks refunds, in the order of their identifiers, and returns
// those there are. Whoever needs the orders too locks those first.
func LockRefunds(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) (map[uuid.UUID]*Refund, error) {
	refunds := make(map[uuid.UUID]*Refund, len(ids))
	var batch pgx.Batch
	QueueLockRefunds(&batch, ids, refunds)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("lock refunds: %w", postgres.Classify(err))
	}
	return refunds, nil
}

// QueueLockRefunds is LockRefunds in a batch that the caller sends; it puts the
// refunds into the map.
func QueueLockRefunds(batch *pgx.Batch, ids []uuid.UUID, refunds map[uuid.UUID]*Refund) {
	if len(ids) == 0 {
		return
	}
	batch.Queue(`SELECT `+refundColumns+` FROM payment_refund WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, ids).
		Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, scanRefund)
			for i := range found {
				refunds[found[i].ID] = &found[i]
			}
			return err
		})
}

// RefundsOf returns the refunds of an order, the oldest first.
func RefundsOf(ctx context.Context, q postgres.Querier, id uuid.UUID) ([]Refund, error) {
	return queryRefunds(ctx, q, "WHERE order_id = $1 ORDER BY recorded_at, id", id)
}

// RefundsUnderWay returns approved refunds that were decided before a time:
// the gateway has not told of their end.
func RefundsUnderWay(ctx context.Context, q postgres.Querier, before time.Time) ([]Refund, error) {
	return queryRefunds(ctx, q, "WHERE state = $1 AND decided_at < $2 ORDER BY decided_at, id", string(RefundApproved), before)
}

// AdvanceUse is money of the payer's advance that was put on an order.
type AdvanceUse struct {
	ID     uuid.UUID
	At     time.Time
	Amount money.Tiyn
	Lines  []money.Tiyn // on each line, by position
	By     string
}

// InsertAdvanceUse stores a use of the advance for an order.
func InsertAdvanceUse(ctx context.Context, tx pgx.Tx, u AdvanceUse, o *Order) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO payment_advance_use (id, recorded_at, order_id, transaction_id, payer_bin, amount, lines, used_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		u.ID, u.At, o.ID, o.Transaction, string(o.Payer), int64(u.Amount), int64s(u.Lines), u.By)
	if err != nil {
		return fmt.Errorf("store the use of the advance: %w", postgres.Classify(err))
	}
	return nil
}
