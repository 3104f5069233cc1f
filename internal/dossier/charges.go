package dossier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/assess"
	"github.com/senim-kz/senim/payments/charge/told"
)

// ToldCharges is what became of the charges of one request: all that are not
// named here were stored.
type ToldCharges struct {
	Stored  int             `json:"stored"`
	Known   []int           `json:"known"`   // told before, by index
	Refused []ChargeRefusal `json:"refused"` // by index
}

// ChargeRefusal says why a charge was not stored.
type ChargeRefusal struct {
	Index int        `json:"index"`
	Code  fault.Code `json:"code"`
	At    string     `json:"at"` // where in the charge
}

// tellOperation is what an Idempotency-Key of charges is bound to, and what the
// audit says.
const tellOperation = "tell charges"

// tellAttemptsMax is how often charges are told anew because somebody else told
// some of them, or answered the same request, at the same moment.
const tellAttemptsMax = 5

// TellCharges stores what a state body says that transactions owe, up to
// told.AtOnceMax charges at once. Each has its own outcome: one that is refused
// spoils no other. Errors: idempotency codes, input_too_big,
// bad_argument if there is none.
func (s *Service) TellCharges(ctx context.Context, caller access.Caller, key idempotency.Key, charges []told.Charge) (*ToldCharges, error) {
	switch {
	case len(charges) == 0:
		return nil, fault.New(fault.BadArgument, "/charges", "there is no charge")
	case len(charges) > told.AtOnceMax:
		return nil, fault.New(fault.InputTooBig, "/charges", "%d charges at once; at most %d", len(charges), told.AtOnceMax)
	}
	if err := key.Check(); err != nil {
		return nil, err
	}
	t := &telling{
		caller: caller, now: s.now(), charges: s.payments.Telling(caller.ID, charges),
		request: &idempotency.Request{Caller: caller.ID, Key: key, Operation: tellOperation},
	}
	for attempt := 1; ; attempt++ {
		err := postgres.InPipeline(ctx, s.pool, t.read, t.write)
		if err == nil {
			return t.answer, nil
		}
		t.repeated = t.repeated || told.Taken(err)
		if attempt == tellAttemptsMax || !told.Taken(err) && !idempotency.Taken(err) && !postgres.Undone(err) {
			return nil, fmt.Errorf("tell charges: %w", err)
		}
	}
}

// telling is a request to tell charges, done in one transaction.
type telling struct {
	caller   access.Caller
	now      time.Time
	request  *idempotency.Request
	charges  *told.Batch
	repeated bool // some of them were told before
	answer   *ToldCharges
}

// read claims the key of the request and asks for what decides on the charges.
func (t *telling) read(batch *pgx.Batch) error {
	postgres.QueueByKeys(batch)
	idempotency.QueueClaim(batch, t.request)
	t.charges.Known = make(map[uuid.UUID]bool)
	queueExisting(batch, t.charges.Transactions(), t.charges.Known)
	t.charges.QueueRead(batch, t.repeated)
	return nil
}

// write stores the charges, the audit and the answer, or takes the answer that
// was kept.
func (t *telling) write(batch *pgx.Batch) error {
	t.answer = new(ToldCharges)
	if t.request.Err != nil {
		return t.request.Err
	} else if t.request.Answer != nil {
		if err := json.Unmarshal(t.request.Answer, t.answer); err != nil {
			return fmt.Errorf("read kept answer: %w", err)
		}
		return nil
	}
	t.answer.take(t.charges.QueueStore(batch))
	return errors.Join(
		outbox.QueueAudits(batch, []outbox.AuditRecord{{
			Actor: t.caller.ID, Action: tellOperation, Object: fmt.Sprintf("%d charges", len(t.charges.Charges)), Outcome: "done", At: t.now,
		}}),
		idempotency.QueueAnswers(batch, []*idempotency.Request{t.request}, []any{t.answer}, t.now),
	)
}

// take counts outcomes and tells those that are not plain.
func (a *ToldCharges) take(outcomes []told.Outcome) {
	a.Known, a.Refused = []int{}, []ChargeRefusal{}
	for i, o := range outcomes {
		switch refusal := fault.Of(o.Err); {
		case refusal != nil:
			a.Refused = append(a.Refused, ChargeRefusal{i, refusal.Code, refusal.At})
		case o.Known:
			a.Known = append(a.Known, i)
		default:
			a.Stored++
		}
	}
}

// queueExisting finds out which of some transactions there are.
func queueExisting(batch *pgx.Batch, transactions []uuid.UUID, existing map[uuid.UUID]bool) {
	var ids []uuid.UUID
	var times []time.Time // of opening: they keep the query to its months
	for _, id := range transactions {
		if id.Version() == 7 {
			ids, times = append(ids, id), append(times, recordedAt(id))
		}
	}
	batch.Queue(`
		select d.id from unnest($1::uuid[], $2::timestamptz[]) as t (id, at) join dossier d on d.id = t.id and d.recorded_at = t.at
		 where d.recorded_at = any ($2)`, ids, times).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, id := range found {
			existing[id] = true
		}
		return err
	})
}

// AssessCharges computes what a declaration would owe; it stores nothing.
// Errors: not_available without a tariff, and those of assess.Assess.
func (s *Service) AssessCharges(r assess.Request) (*assess.Assessment, error) {
	return s.payments.AssessCharges(r)
}

// Charges returns what a transaction owes and why: by its order if there is
// one, otherwise by its declaration and by what state bodies told so far.
// Errors: transaction_not_found, and those of the declaration.
func (s *Service) Charges(ctx context.Context, caller access.Caller, transaction uuid.UUID) ([]charge.Charge, error) {
	t, err := s.find(ctx, caller, transaction)
	if err != nil {
		return nil, err
	}
	orders, err := s.payments.OrdersOf(ctx, s.pool, t.ID)
	if err != nil {
		return nil, err
	}
	if len(orders) > 0 {
		return orders[len(orders)-1].Charges, nil
	}
	charges, err := s.charges(ctx, t)
	if err != nil && !fault.Is(err, fault.DocumentMissing) {
		return nil, err
	}
	others, err := s.payments.ChargesTold(ctx, s.pool, t.ID)
	if err != nil {
		return nil, err
	}
	return append(charges, others...), nil
}
