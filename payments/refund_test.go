package payments_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

const (
	operator   = "treasury-operator"
	controller = "treasury-controller"
)

// refundJobs keeps the jobs of refunds until the test works them, or a process
// that was killed never does.
type refundJobs struct {
	*jobs
	mu      sync.Mutex
	refunds []payments.RefundArgs
}

func (j *refundJobs) Insert(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	if a, ok := args.(payments.RefundArgs); ok {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.refunds = append(j.refunds, a)
		return nil
	}
	return j.jobs.Insert(ctx, tx, args, opts)
}

// refundWorld is a world whose refunds' jobs are kept.
func refundWorld(t testing.TB) (*world, *refundJobs) {
	w := newWorld(t)
	kept := &refundJobs{jobs: w.jobs}
	w.service = w.newService(w.port, kept)
	return w, kept
}

// paidOrder makes an order for which this much was paid; zero is all.
func (w *world) paidOrder(amounts ...money.Tiyn) *order.Order {
	w.t.Helper()
	o := w.presented()
	for _, amount := range amounts {
		if err := w.bank.Do(pshep.Act{Name: pshep.Pay, Order: o.ID, Tiyn: amount}); err != nil {
			w.t.Fatal(err)
		}
		if err := w.bank.Deliver(w.ctx()); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.get(o)
}

func (w *world) ask(q payments.RefundRequest) (r *order.Refund, err error) {
	if q.By == "" {
		q.By = operator
	}
	if q.Reason == "" {
		q.Reason = "paid twice"
	}
	err = postgres.InTx(w.ctx(), w.pool, func(tx pgx.Tx) error {
		r, err = w.service.AskRefund(w.ctx(), tx, q)
		return err
	})
	return r, err
}

func (w *world) asked(q payments.RefundRequest) *order.Refund {
	w.t.Helper()
	r, err := w.ask(q)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) approve(id uuid.UUID, by string) error {
	return postgres.InTx(w.ctx(), w.pool, func(tx pgx.Tx) error {
		_, err := w.service.ApproveRefund(w.ctx(), tx, payments.Decision{Refund: id, By: by})
		return err
	})
}

func (w *world) approved(id uuid.UUID) {
	w.t.Helper()
	if err := w.approve(id, controller); err != nil {
		w.t.Fatal(err)
	}
}

// works runs the kept jobs of refunds, each so often, and hears what the
// gateway tells.
func (w *world) works(j *refundJobs, times int) {
	w.t.Helper()
	for _, args := range j.refunds {
		for range times {
			if err := payments.OrderRefund(w.service, w.ctx(), args.Refund); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	j.refunds = nil
	if err := w.bank.Deliver(w.ctx()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) refund(id uuid.UUID) *order.Refund {
	w.t.Helper()
	r, err := w.service.Refund(w.ctx(), w.pool, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// all are the lines of an order in full.
func all(o *order.Order) map[order.Identifier]money.Tiyn {
	lines := map[order.Identifier]money.Tiyn{}
	for _, l := range o.Lines {
		if l.Paid > 0 {
			lines[l.Identifier] = l.Paid
		}
	}
	return lines
}

// Asked by one, approved by another, ordered at the gateway as often as the job
// runs, executed once.
func TestRefund(t *testing.T) {
	w, jobs := refundWorld(t)
	o := w.paidOrder(0)
	line := o.Lines[1]
	r := w.asked(payments.RefundRequest{Order: o.ID, Lines: map[order.Identifier]money.Tiyn{line.Identifier: 100_00}})
	if r.State != order.RefundAsked || r.Gateway != "pshep" || r.Payment == "" || r.Amount != 100_00 || r.Due.IsZero() {
		t.Errorf("%+v", r)
	}
	if got := w.get(o); got.State != order.Paid {
		t.Errorf("asked, and the order is %s", got.State)
	}
	if err := w.approve(r.ID, operator); !fault.Is(err, fault.TwoPersons) {
		t.Errorf("approved by who asked: %v", err)
	}
	w.approved(r.ID)
	if err := w.approve(r.ID, controller); !fault.Is(err, fault.RefundState) {
		t.Errorf("approved twice: %v", err)
	}
	budget := ledger.Budget(line.Requisites.RevenueOffice, line.BudgetCode)
	if got := w.get(o); got.State != order.Refunding || got.Refunding != 100_00 || w.balance(ledger.Refunds("pshep")) != -100_00 ||
		w.balance(budget) != -(line.Amount-100_00) {
		t.Errorf("%s, refunds %s, budget %s", got.State, w.balance(ledger.Refunds("pshep")), w.balance(budget))
	}
	w.works(jobs, 3)
	done := w.refund(r.ID)
	if done.State != order.RefundExecuted || done.Reference == "" || done.DecidedBy != controller {
		t.Errorf("%+v", done)
	}
	got := w.get(o)
	if got.State != order.Paid || got.Lines[1].Refunded != 100_00 || got.Refunding != 0 ||
		w.balance(ledger.Refunds("pshep")) != 0 || w.balance(ledger.Clearing("pshep")) != o.Total-100_00 {
		t.Errorf("%+v, clearing %s", got, w.balance(ledger.Clearing("pshep")))
	}
	// The rest goes back too, and nothing is left to refund.
	lines := all(got)
	lines[line.Identifier] -= 100_00
	rest := w.asked(payments.RefundRequest{Order: o.ID, Lines: lines})
	w.approved(rest.ID)
	w.works(jobs, 1)
	if got := w.get(o); got.State != order.Refunded || got.Lines[0].State != order.LineRefunded {
		t.Errorf("%+v", got)
	}
	if _, err := w.ask(payments.RefundRequest{Order: o.ID, Lines: map[order.Identifier]money.Tiyn{line.Identifier: 1}}); !fault.Is(err, fault.OrderState) {
		t.Errorf("of a refunded order: %v", err)
	}
	named, err := order.Identifiers(t.Context(), w.pool, []uuid.UUID{o.ID, o.ID, uuid.New()})
	if want := []order.Identifier{o.Lines[0].Identifier, o.Lines[1].Identifier, o.Lines[2].Identifier}; err != nil || len(named) != 1 || !slices.Equal(named[o.ID], want) {
		t.Errorf("the lines are called %v, %v", named, err)
	}
	if n := w.count("ledger_entry WHERE kind = 'refund_paid'"); n != 2 {
		t.Errorf("%d refunds are paid in the ledger", n)
	}
	want := []string{
		payments.EventRefundAsked, payments.EventRefundApproved, payments.EventRefunded,
		payments.EventRefundAsked, payments.EventRefundApproved, payments.EventRefunded,
	}
	if diff := cmp.Diff(want, w.events(o)[3:]); diff != "" {
		t.Error(diff)
	}
	w.verified()
}

func TestRefundsThatAreRefused(t *testing.T) {
	w, jobs := refundWorld(t)
	o := w.paidOrder(0)
	first, second := o.Lines[0].Identifier, o.Lines[1].Identifier
	of := func(i order.Identifier, amount money.Tiyn) map[order.Identifier]money.Tiyn {
		return map[order.Identifier]money.Tiyn{i: amount}
	}
	for name, tt := range map[string]struct {
		q    payments.RefundRequest
		code fault.Code
	}{
		"an unknown order":     {payments.RefundRequest{Order: uuid.New(), Credit: 1}, fault.OrderNotFound},
		"nothing":              {payments.RefundRequest{Order: o.ID}, fault.AmountInvalid},
		"a line of nothing":    {payments.RefundRequest{Order: o.ID, Lines: of(first, 0)}, fault.AmountInvalid},
		"a negative line":      {payments.RefundRequest{Order: o.ID, Lines: of(first, -1)}, fault.AmountInvalid},
		"a negative credit":    {payments.RefundRequest{Order: o.ID, Credit: -1, Lines: of(first, 2)}, fault.AmountInvalid},
		"a line of another":    {payments.RefundRequest{Order: o.ID, Lines: of("00000000000000000", 1)}, fault.UnknownIdentifier},
		"more than was paid":   {payments.RefundRequest{Order: o.ID, Lines: of(first, o.Lines[0].Amount+1)}, fault.RefundExceeds},
		"credit there is none": {payments.RefundRequest{Order: o.ID, Credit: 1}, fault.RefundExceeds},
		"an unknown payment":   {payments.RefundRequest{Order: o.ID, Lines: of(first, 1), Payment: "PAY-0"}, fault.RefundPaymentUnclear},
		"a long reason":        {payments.RefundRequest{Order: o.ID, Lines: of(first, 1), Reason: string(make([]byte, 501))}, fault.BadArgument},
		"no reason":            {payments.RefundRequest{Order: o.ID, Lines: of(first, 1), Reason: "  "}, fault.BadArgument},
	} {
		if _, err := w.ask(tt.q); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	unpaid := w.presented()
	if _, err := w.ask(payments.RefundRequest{Order: unpaid.ID, Lines: of(unpaid.Lines[0].Identifier, 1)}); !fault.Is(err, fault.OrderState) {
		t.Errorf("of an unpaid order: %v", err)
	}
	// What is asked is spoken for until it is decided.
	r := w.asked(payments.RefundRequest{Order: o.ID, Lines: of(second, o.Lines[1].Amount)})
	if _, err := w.ask(payments.RefundRequest{Order: o.ID, Lines: of(second, 1)}); !fault.Is(err, fault.RefundExceeds) {
		t.Errorf("asked twice: %v", err)
	}
	reject := func(by, note string) error {
		return postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
			_, err := w.service.RejectRefund(t.Context(), tx, payments.Decision{Refund: r.ID, By: by, Note: note})
			return err
		})
	}
	for _, tt := range []struct {
		by, note string
		code     fault.Code
	}{{operator, "no", fault.TwoPersons}, {controller, " ", fault.BadArgument}, {controller, "not due", ""}, {controller, "again", fault.RefundState}} {
		if err := reject(tt.by, tt.note); fault.CodeOf(err) != tt.code {
			t.Errorf("rejected by %s: %v", tt.by, err)
		}
	}
	if err := w.approve(r.ID, controller); !fault.Is(err, fault.RefundState) {
		t.Errorf("approved after it was rejected: %v", err)
	}
	if err := w.approve(uuid.New(), controller); !fault.Is(err, fault.RefundNotFound) {
		t.Errorf("an unknown refund: %v", err)
	}
	w.asked(payments.RefundRequest{Order: o.ID, Lines: of(second, 1)})
	if len(jobs.refunds) != 0 || w.count("ledger_entry WHERE kind = 'refund'") != 0 {
		t.Error("something was ordered that nobody approved")
	}
}

// The database itself refuses one person's refund, and a change of what was
// asked or decided.
func TestTheDatabaseKeepsRefunds(t *testing.T) {
	w, _ := refundWorld(t)
	o := w.paidOrder(0)
	r := w.asked(payments.RefundRequest{Order: o.ID, Lines: all(o)})
	for _, set := range []string{
		"state = 'approved', decided_by = asked_by, decided_at = now()", "state = 'approved'", "state = 'executed', reference = 'x'", "state = 'lost'",
	} {
		if _, err := w.pool.Exec(t.Context(), "UPDATE payment_refund SET "+set+" WHERE id = $1", r.ID); !postgres.CheckViolation(err, "") {
			t.Errorf("%s: %v", set, err)
		}
	}
	w.approved(r.ID)
	for _, sql := range []string{
		"UPDATE payment_refund SET amount = 1", "UPDATE payment_refund SET asked_by = 'x'", "UPDATE payment_refund SET decided_by = 'x'",
		"DELETE FROM payment_refund", "TRUNCATE payment_refund",
	} {
		if _, err := w.pool.Exec(t.Context(), sql); !fault.Is(postgres.Classify(err), fault.RecordImmutable) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// Two refunds at once: asked by many, approved by many, they never exceed what
// was paid.
func TestRefundsAtOnce(t *testing.T) {
	w, jobs := refundWorld(t)
	o := w.paidOrder(0)
	line := o.Lines[0] // 20 000.00: six of 3 000.00 fit
	const amount, many = 3_000_00, 12
	results := make([]*order.Refund, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			r, err := w.ask(payments.RefundRequest{Order: o.ID, Lines: map[order.Identifier]money.Tiyn{line.Identifier: amount}, By: fmt.Sprintf("operator-%d", i)})
			if err != nil && !fault.Is(err, fault.RefundExceeds) {
				t.Error(err)
			}
			results[i] = r
		})
	}
	wg.Wait()
	results = slices.DeleteFunc(results, func(r *order.Refund) bool { return r == nil })
	if len(results) != 6 {
		t.Fatalf("%d refunds were asked", len(results))
	}
	for _, r := range slices.Repeat(results, 2) { // each approved twice, at once
		wg.Go(func() {
			if err := w.approve(r.ID, controller); err != nil && !fault.Is(err, fault.RefundState) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(jobs.refunds) != 6 || w.get(o).Refunding != 6*amount {
		t.Errorf("%d ordered, %s refunding", len(jobs.refunds), w.get(o).Refunding)
	}
	for _, args := range slices.Repeat(jobs.refunds, 2) {
		wg.Go(func() {
			if err := payments.OrderRefund(w.service, w.ctx(), args.Refund); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := w.get(o)
	if got.State != order.Paid || got.Lines[0].Refunded != 6*amount || got.Refunding != 0 || w.balance(ledger.Clearing("pshep")) != o.Total-6*amount {
		t.Errorf("%+v", got)
	}
	w.verified()
}

// The process dies after each step of a refund; what follows is done by
// another one, and everything once.
func TestRefundAfterARestartAtEachStep(t *testing.T) {
	w, jobs := refundWorld(t)
	// restart is another process on the same database: its jobs are those of the
	// queue, its service keeps nothing.
	restart := func() { w.service = w.newService(w.port, jobs) }
	for name, fail := range map[string]pshep.FaultName{
		"nothing": pshep.None, "the request is lost": pshep.HTTP500, "the answer is lost": pshep.AnswerLost,
		"told before it is answered": pshep.CallbackFirst, "told twice": pshep.DuplicateCallback, "told late": pshep.LateCallback,
	} {
		t.Run(name, func(t *testing.T) {
			o := w.paidOrder(0)
			restart()
			r := w.asked(payments.RefundRequest{Order: o.ID, Lines: all(o)})
			restart()
			w.approved(r.ID)
			restart()
			if err := w.bank.SetFault(pshep.Fault{Name: fail, Times: 1}); err != nil {
				t.Fatal(err)
			}
			// Killed in the middle: whether the gateway got it, nobody knows.
			killed := payments.OrderRefund(w.service, t.Context(), r.ID)
			restart()
			if killed == nil && fail == pshep.HTTP500 {
				t.Error("the request was lost, and nobody knows")
			}
			if err := w.bank.SetFault(pshep.Fault{}); err != nil {
				t.Fatal(err)
			}
			w.works(jobs, 2)
			if got := w.refund(r.ID); got.State != order.RefundExecuted || w.get(o).State != order.Refunded {
				t.Errorf("%s, the order is %s", got.State, w.get(o).State)
			}
			if n := w.count("ledger_entry WHERE kind = 'refund_paid' AND transaction_id = $1", o.Transaction); n != 1 {
				t.Errorf("paid %d times", n)
			}
		})
	}
	if w.balance(ledger.Clearing("pshep")) != 0 || w.balance(ledger.Refunds("pshep")) != 0 {
		t.Error("something is left over")
	}
	w.verified()
}

// The gateway will not pay it: at once, or after it took the order. The money
// stands where it stood, and the refund says why.
func TestRefundThatFails(t *testing.T) {
	w, jobs := refundWorld(t)
	for _, name := range []pshep.FaultName{pshep.Refuse, pshep.RefundFails} {
		o := w.paidOrder(0)
		before := w.balance(ledger.Budget(o.Lines[0].Requisites.RevenueOffice, o.Lines[0].BudgetCode))
		r := w.asked(payments.RefundRequest{Order: o.ID, Lines: all(o)})
		w.approved(r.ID)
		if err := w.bank.SetFault(pshep.Fault{Name: name, Times: 1}); err != nil {
			t.Fatal(err)
		}
		w.works(jobs, 2)
		if got := w.refund(r.ID); got.State != order.RefundFailed || got.Failure == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if got := w.get(o); got.State != order.Paid || got.Refunding != 0 || w.balance(ledger.Refunds("pshep")) != 0 ||
			w.balance(ledger.Budget(o.Lines[0].Requisites.RevenueOffice, o.Lines[0].BudgetCode)) != before {
			t.Errorf("%s: %+v", name, got)
		}
		if events := w.events(o); events[len(events)-1] != payments.EventRefundFailed {
			t.Errorf("%s: %v", name, events)
		}
		// It is asked for again, and succeeds.
		again := w.asked(payments.RefundRequest{Order: o.ID, Lines: all(o)})
		w.approved(again.ID)
		w.works(jobs, 1)
		if got := w.get(o).State; got != order.Refunded {
			t.Errorf("%s: the order is %s", name, got)
		}
	}
	w.verified()
}

// The job of a refund runs in the queue, and one that is lost is inserted
// again the next day.
func TestRefundByTheQueue(t *testing.T) {
	w := newWorld(t)
	workers := river.NewWorkers()
	bound, err := payments.NewWorkers(workers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := payments.NewWorkers(workers); err == nil {
		t.Error("added twice")
	}
	queue, err := outbox.NewJobs(w.pool, workers, outbox.JobsConfig{Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.service, err = payments.New(payments.Config{Pool: w.pool, Jobs: queue, Gateway: w.port, Book: w.book(), Now: w.clock.Now, Workers: bound})
	if err != nil {
		t.Fatal(err)
	}
	defer w.service.Close()
	o := w.paidOrder(0)
	r := w.asked(payments.RefundRequest{Order: o.ID, Lines: all(o)})
	w.approved(r.ID)
	if _, err := w.pool.Exec(t.Context(), "DELETE FROM river_job WHERE kind = 'payment_refund'"); err != nil {
		t.Fatal(err)
	}
	if err := w.service.RemindRefunds(t.Context()); err != nil || w.count("river_job WHERE kind = 'payment_refund'") != 0 {
		t.Errorf("reminded too early, or %v", err)
	}
	w.clock.Advance(25 * time.Hour)
	for range 2 {
		if err := w.service.RemindRefunds(t.Context()); err != nil || w.count("river_job WHERE kind = 'payment_refund'") != 1 {
			t.Errorf("not reminded once: %v", err)
		}
	}
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := queue.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	for w.refund(r.ID).State != order.RefundExecuted {
		if t.Context().Err() != nil {
			t.Fatal("the job was never worked")
		}
	}
}
