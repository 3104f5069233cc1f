package payments

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// attemptsMax is how often a batch is posted anew because another process was
// at the same facts, orders or periods.
const attemptsMax = 5

// operationPost is what an Idempotency-Key of a fact is bound to.
const operationPost = "post payment"

// Take takes a fact: judges it, posts its money, and answers when all of that
// is durable. A fact that was told before is answered as it stands and changes
// nothing; another one under its reference is refused with
// fault.CallbackConflict. What cannot be put on an order is posted to suspense
// and is an exception: the fact is taken nevertheless.
func (s *Service) Take(ctx context.Context, told Told) (*Outcome, error) {
	told.Fact.PaidAt = told.Fact.PaidAt.UTC().Truncate(time.Microsecond) // what the database keeps
	if err := told.check(s.config.Now()); err != nil {
		return nil, err
	}
	t := &ticket{told: told, ctx: ctx, done: make(chan struct{})}
	if told.Key != nil {
		if err := told.Key.Check(); err != nil {
			return nil, err
		}
		t.request = &idempotency.Request{Caller: told.Caller, Key: *told.Key, Operation: operationPost}
	}
	outcome, err := s.batcher.do(t)
	if err != nil {
		return nil, fmt.Errorf("take the fact %s: %w", told.Fact.Reference, err)
	}
	return outcome, nil
}

// post posts a batch in one transaction, anew while others are in its way.
func (s *Service) post(ctx context.Context, batch []*ticket) error {
	for attempt := 1; ; attempt++ {
		p := &posting{
			now: s.config.Now().UTC().Truncate(time.Microsecond), tolerance: s.config.Tolerance, calendar: s.config.Calendar, batch: batch,
			orders: make(map[uuid.UUID]*order.Order), refunds: make(map[uuid.UUID]*order.Refund),
			facts: make(map[factKey]*record), referring: make(map[factKey][]*record), attempts: make(map[uuid.UUID][]attemptFact),
		}
		err := ledger.Refusal(postgres.InPipeline(ctx, s.config.Pool, p.read, p.write))
		if err == nil {
			p.answer()
			return nil
		}
		if attempt == attemptsMax || !again(err) {
			return fmt.Errorf("post %d payments: %w", len(batch), err)
		}
	}
}

// again reports whether a batch failed because somebody else was faster, so
// that it finds now what they did.
func again(err error) bool {
	return postgres.Undone(err) || idempotency.Taken(err) || ledger.Taken(err) ||
		postgres.UniqueViolation(err, "gateway_reference_pkey") || fault.Is(err, fault.LedgerPeriodClosed) || errors.Is(err, errMoved)
}

// posting is one attempt to post a batch, in one transaction.
type posting struct {
	now       time.Time
	tolerance money.Tolerance
	calendar  *kz.Calendar
	batch     []*ticket

	// What is known, read under the locks of the orders.
	orders    map[uuid.UUID]*order.Order
	refunds   map[uuid.UUID]*order.Refund
	facts     map[factKey]*record
	referring map[factKey][]*record // facts by what they refer to
	attempts  map[uuid.UUID][]attemptFact
	closed    kz.Day // up to which the book is

	// What follows, to be written.
	fresh, changed []*record
	moved          []*order.Order
	ended          []*order.Refund
	entries        []ledger.Entry
	kept           []evidence.Kept
	events         []outbox.Event
	audits         []outbox.AuditRecord
	requests       []*idempotency.Request

	// What is answered, parallel to batch.
	answers []answer
}

// answer is a record whose outcome is told, an outcome that was told before, or
// a refusal.
type answer struct {
	record *record
	kept   *Outcome
	err    error
}

// read asks for everything that the facts of the batch may touch. The orders
// come first: whoever waits for one of them finds in the next statements what
// the one before has committed.
func (p *posting) read(batch *pgx.Batch) error {
	var orders, refunds, tried []uuid.UUID
	var keys []factKey
	var requests []*idempotency.Request
	for _, t := range p.batch {
		f := &t.told.Fact
		orders = append(orders, f.Order)
		if f.Kind == gateway.Failed {
			tried = append(tried, f.Order)
		}
		keys = append(keys, factKey{t.told.Gateway, f.Reference})
		if f.Original != "" {
			keys = append(keys, factKey{t.told.Gateway, f.Original})
			if id, err := uuid.Parse(f.Original); err == nil {
				refunds = append(refunds, id)
			}
		}
		if t.request != nil {
			requests = append(requests, t.request)
		}
	}
	postgres.QueueByKeys(batch)
	order.QueueLock(batch, orders, p.orders)
	order.QueueLockRefunds(batch, refunds, p.refunds)
	queueFacts(batch, keys, p)
	queueAttempts(batch, tried, p)
	idempotency.QueueRead(batch, requests)
	batch.Queue(`SELECT max(last_day) FROM ledger_period`).QueryRow(func(row pgx.Row) error { return row.Scan(&p.closed) })
	return nil
}

// write judges every fact and queues what follows, each room's part by one
// statement.
func (p *posting) write(batch *pgx.Batch) error {
	p.answers = make([]answer, len(p.batch))
	for i, t := range p.batch {
		p.answers[i] = p.take(t)
	}
	queueFresh(batch, p.fresh)
	queueChanged(batch, p.changed)
	order.QueueSave(batch, p.moved)
	order.QueueSaveRefunds(batch, p.ended)
	return errors.Join(
		ledger.QueueNew(batch, p.entries), evidence.QueueAll(batch, p.kept), p.queueEvents(batch),
		outbox.QueueAudits(batch, p.audits), p.queueAnswers(batch),
	)
}

// queueEvents publishes what happened, and has a job tell the subscribers.
func (p *posting) queueEvents(batch *pgx.Batch) error {
	if len(p.events) == 0 {
		return nil
	}
	if err := outbox.QueueEvents(batch, p.events); err != nil {
		return err
	}
	outbox.QueueNews(batch)
	return nil
}

// take finds out what is to be answered to one fact.
func (p *posting) take(t *ticket) answer {
	if r := t.request; r != nil && r.Err != nil {
		return answer{err: r.Err}
	} else if r != nil && r.Answer != nil {
		kept := new(Outcome)
		if err := json.Unmarshal(r.Answer, kept); err != nil {
			return answer{err: fmt.Errorf("read kept answer: %w", err)}
		}
		return answer{kept: kept}
	}
	key := factKey{t.told.Gateway, t.told.Fact.Reference}
	known := p.facts[key]
	switch {
	case known == nil:
		known = p.add(key, t)
		p.apply(known, t.unfit)
	case !known.same(&t.told.Fact):
		p.audit(t, string(fault.CallbackConflict))
		return answer{err: fault.New(fault.CallbackConflict, "/reference", "another fact was told under this reference")}
	case known.unsettled(p):
		p.apply(known, t.unfit)
		p.change(known)
	}
	p.keep(t, known)
	p.audit(t, known.outcome())
	if t.request != nil {
		p.requests = append(p.requests, t.request)
	}
	return answer{record: known}
}

// add begins the record of a fact that was never told before.
func (p *posting) add(key factKey, t *ticket) *record {
	r := &record{
		factKey: key, fact: t.told.Fact, recordedAt: p.now,
		message: evidence.DigestOf(t.told.Messages[0].Raw),
	}
	p.facts[key] = r
	p.fresh = append(p.fresh, r)
	return r
}

// keep puts the messages that told a fact into the evidence of its transaction.
func (p *posting) keep(t *ticket, r *record) {
	var transaction uuid.UUID
	if o := p.orders[r.fact.Order]; o != nil {
		transaction = o.Transaction
	}
	what := "payment.received"
	if r.stored {
		what = "payment.repeated"
	}
	for _, m := range t.told.Messages {
		p.kept = append(p.kept, evidence.Kept{Object: m, Transaction: transaction, What: what, At: p.now})
	}
}

func (p *posting) audit(t *ticket, outcome string) {
	digest := evidence.DigestOf(t.told.Messages[0].Raw)
	p.audits = append(p.audits, outbox.AuditRecord{
		Actor: t.told.By, Action: "payment." + string(t.told.Fact.Kind), Object: t.told.Gateway + ":" + t.told.Fact.Reference,
		Purpose: "sha256:" + hex.EncodeToString(digest[:]), Outcome: outcome, At: p.now,
	})
}

func (p *posting) queueAnswers(batch *pgx.Batch) error {
	if len(p.requests) == 0 {
		return nil
	}
	outcomes := make([]any, 0, len(p.requests))
	for i, t := range p.batch {
		if r := p.answers[i].record; r != nil && t.request != nil {
			outcomes = append(outcomes, r.tell(p))
		}
	}
	return idempotency.QueueAnswers(batch, p.requests, outcomes, p.now)
}

// answer hands the outcomes out, after the commit.
func (p *posting) answer() {
	for i, t := range p.batch {
		switch a := p.answers[i]; {
		case a.err != nil:
			t.err = a.err
		case a.kept != nil:
			t.outcome = *a.kept
		default:
			t.outcome = a.record.tell(p)
		}
	}
}
