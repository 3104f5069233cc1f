package payments_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// tell hands a fact in as a gateway's own client does.
func (w *world) tell(f gateway.Fact) (*payments.Outcome, error) {
	w.t.Helper()
	return w.service.Take(w.ctx(), toldOf(f))
}

func toldOf(f gateway.Fact) payments.Told {
	return payments.Told{Gateway: "plain", Fact: f, By: "test", Messages: []evidence.Object{{Kind: "gateway.fact", Raw: fmt.Appendf(nil, "%+v", f)}}}
}

// told is tell of a fact that must be taken as said.
func (w *world) told(f gateway.Fact, want payments.FactState, reason fault.Code) *payments.Outcome {
	w.t.Helper()
	o, err := w.tell(f)
	if err != nil {
		w.t.Fatalf("%s %s: %v", f.Kind, f.Reference, err)
	}
	if o.State != want || o.Reason != reason {
		w.t.Errorf("%s %s is %s %s, want %s %s", f.Kind, f.Reference, o.State, o.Reason, want, reason)
	}
	return o
}

func (w *world) balance(a ledger.Account) money.Tiyn {
	w.t.Helper()
	b, err := ledger.BalanceOf(w.ctx(), w.pool, a, ledger.Moment{})
	if err != nil {
		w.t.Fatal(err)
	}
	return b.Balance
}

func captured(w *world, o *order.Order, reference string) gateway.Fact {
	f := w.fact(o, reference)
	f.Kind = gateway.Captured
	return f
}

func reversed(w *world, of gateway.Fact, reference string) gateway.Fact {
	f := of
	f.Kind, f.Reference, f.Original, f.PaidAt = gateway.Reversed, reference, of.Reference, w.clock.Now()
	return f
}

// A payment that cannot be put on its order is taken all the same: its money
// stands in suspense under the reason.
func TestExceptions(t *testing.T) {
	tests := []struct {
		reason fault.Code
		change func(w *world, o *order.Order, f *gateway.Fact)
	}{
		{fault.PayerDiffers, func(_ *world, _ *order.Order, f *gateway.Fact) { f.Payer = serviceBIN }},
		{fault.UnknownOrder, func(_ *world, _ *order.Order, f *gateway.Fact) { f.Order = uuid.New() }},
		{fault.PaidTooEarly, func(_ *world, _ *order.Order, f *gateway.Fact) { f.PaidAt = f.PaidAt.Add(-time.Hour) }},
		{fault.PaidTooLate, func(w *world, _ *order.Order, f *gateway.Fact) {
			w.clock.Advance(24*time.Hour + time.Second)
			f.PaidAt = w.clock.Now()
		}},
		{fault.OrderPaidAlready, func(w *world, o *order.Order, _ *gateway.Fact) {
			w.told(captured(w, o, "FIRST"), payments.FactPosted, "")
		}},
	}
	w := newWorld(t)
	for i, tt := range tests {
		o := w.presented()
		f := captured(w, o, fmt.Sprintf("PAY-%d", i))
		tt.change(w, o, &f)
		before := w.get(o)
		w.told(f, payments.FactException, tt.reason)
		w.told(f, payments.FactException, tt.reason)
		if got := w.get(o); got.State != before.State || got.Received() != before.Received() {
			t.Errorf("%s: the order is %s with %s", tt.reason, got.State, got.Received())
		}
		if got := w.balance(ledger.Suspense(string(tt.reason))); got != -f.Amount {
			t.Errorf("%s: %s in suspense", tt.reason, got)
		}
		if known := tt.reason != fault.UnknownOrder; slices.Contains(w.events(o), payments.EventException) != known {
			t.Errorf("%s: events %v", tt.reason, w.events(o))
		}
	}
	w.verified()
}

// Two payments of one order at once, many times: one is put on it.
func TestPaidTwiceAtOnce(t *testing.T) {
	w := newWorld(t)
	for i := range 8 {
		o := w.presented()
		var wg sync.WaitGroup
		for j := range 2 {
			f := captured(w, o, fmt.Sprintf("PAY-%d-%d", i, j))
			wg.Go(func() {
				if _, err := w.tell(f); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := w.exceptions(fault.OrderPaidAlready); n != 8 {
		t.Errorf("%d exceptions", n)
	}
	w.verified()
}

// Parts, and more than is owed: the lines are filled in their order, the rest
// is the payer's.
func TestPartsAndOverpayment(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	part := captured(w, o, "PART")
	part.Amount = o.Lines[0].Amount + 1
	if got := w.told(part, payments.FactPosted, ""); got.OrderState != order.PartiallyPaid {
		t.Errorf("after a part: %s", got.OrderState)
	}
	rest := captured(w, o, "REST")
	rest.Amount = o.Total - part.Amount + 500
	if got := w.told(rest, payments.FactPosted, ""); got.OrderState != order.Overpaid {
		t.Errorf("after the rest: %s", got.OrderState)
	}
	if got := w.balance(ledger.Advance(o.Payer)); got != -500 {
		t.Errorf("the payer's advance is %s", got)
	}
	want := []string{payments.EventCreated, payments.EventPresented, payments.EventPosted, payments.EventPosted}
	if diff := cmp.Diff(want, w.events(o)); diff != "" {
		t.Error(diff)
	}
	w.verified()

	// The second is taken back in two steps: first what was credited.
	for i, step := range []struct {
		amount money.Tiyn
		state  order.State
	}{{500, order.Paid}, {rest.Amount - 500, order.PartiallyPaid}} {
		f := reversed(w, rest, fmt.Sprintf("BACK-%d", i))
		f.Amount = step.amount
		if got := w.told(f, payments.FactPosted, ""); got.OrderState != step.state {
			t.Errorf("step %d: %s", i, got.OrderState)
		}
	}
	more := reversed(w, rest, "MORE")
	more.Amount = 1
	w.told(more, payments.FactException, fault.AmountDiffers)
	w.told(reversed(w, part, "ALL"), payments.FactPosted, "")
	if got := w.get(o); got.State != order.Presented || got.Received() != 0 {
		t.Errorf("everything is taken back, and the order is %s with %s", got.State, got.Received())
	}
	w.verified()
}

// What is told out of order: the result is that of the right order.
func TestOutOfOrder(t *testing.T) {
	w := newWorld(t)
	hold := func(o *order.Order, reference string) gateway.Fact {
		f := captured(w, o, reference)
		f.Kind = gateway.Authorised
		return f
	}
	t.Run("captured before authorised", func(t *testing.T) {
		o := w.presented()
		held := hold(o, "HOLD-1")
		pay := captured(w, o, "PAY-1")
		pay.Original = held.Reference
		w.told(pay, payments.FactPosted, "")
		if got := w.told(held, payments.FactNoted, ""); got.OrderState != order.Paid {
			t.Errorf("the order is %s", got.OrderState)
		}
	})
	t.Run("failed before authorised", func(t *testing.T) {
		o := w.presented()
		held := hold(o, "HOLD-2")
		failed := held
		failed.Kind, failed.Reference, failed.Original = gateway.Failed, "FAIL-2", held.Reference
		w.told(failed, payments.FactNoted, "")
		if got := w.told(held, payments.FactNoted, ""); got.OrderState != order.Presented {
			t.Errorf("the order is %s", got.OrderState)
		}
	})
	t.Run("failed beside others", func(t *testing.T) {
		o := w.presented()
		of := func(kind gateway.FactKind, reference, original string) gateway.Fact {
			f := hold(o, reference)
			f.Kind, f.Original = kind, original
			return f
		}
		for _, step := range []struct {
			fact gateway.Fact
			want order.State
		}{
			{of(gateway.Pending, "TRY-1", ""), order.Pending},
			{of(gateway.Pending, "TRY-2", ""), order.Pending},
			{of(gateway.Failed, "TRY-1-END", ""), order.Pending}, // the other goes on
			{of(gateway.Authorised, "HOLD-A", ""), order.Authorised},
			{of(gateway.Authorised, "HOLD-B", ""), order.Authorised},
			{of(gateway.Failed, "TRY-3-END", ""), order.Authorised}, // it held nothing
			{of(gateway.Failed, "HOLD-A-END", "HOLD-A"), order.Authorised},
			{of(gateway.Pending, "TRY-4", ""), order.Authorised},
			{of(gateway.Failed, "HOLD-B-END", "HOLD-B"), order.Pending}, // the last hold; one who has begun is left
			{of(gateway.Failed, "TRY-4-END", ""), order.Presented},
		} {
			for range 2 { // told again it changes nothing
				if got := w.told(step.fact, payments.FactNoted, ""); got.OrderState != step.want {
					t.Errorf("after %s the order is %s, want %s", step.fact.Reference, got.OrderState, step.want)
				}
			}
		}
		// All at once, a hold among them that nobody ends.
		o = w.presented()
		var wg sync.WaitGroup
		for i, f := range []gateway.Fact{of(gateway.Authorised, "AT-ONCE", ""), of(gateway.Failed, "AT-ONCE-1", ""), of(gateway.Failed, "AT-ONCE-2", "")} {
			f.Order = o.ID
			wg.Go(func() {
				if _, err := w.tell(f); err != nil {
					t.Error(i, err)
				}
			})
		}
		wg.Wait()
		if got := w.get(o); got.State != order.Authorised {
			t.Errorf("with money held the order is %s", got.State)
		}
	})
	t.Run("in order", func(t *testing.T) {
		o := w.presented()
		began := hold(o, "BEGAN-3")
		began.Kind = gateway.Pending
		if got := w.told(began, payments.FactNoted, ""); got.OrderState != order.Pending {
			t.Errorf("the order is %s", got.OrderState)
		}
		if got := w.told(hold(o, "HOLD-3"), payments.FactNoted, ""); got.OrderState != order.Authorised {
			t.Errorf("the order is %s", got.OrderState)
		}
		late := captured(w, o, "PAY-3")
		late.PaidAt = o.ExpiresAt.Add(time.Minute) // held in time
		w.clock.Advance(25 * time.Hour)
		if got := w.told(late, payments.FactPosted, ""); got.OrderState != order.Paid {
			t.Errorf("the order is %s", got.OrderState)
		}
		want := []string{payments.EventCreated, payments.EventPresented, payments.EventPending, payments.EventAuthorised, payments.EventPosted}
		if diff := cmp.Diff(want, w.events(o)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("reversed before captured", func(t *testing.T) {
		o := w.presented()
		pay := captured(w, o, "PAY-4")
		back := reversed(w, pay, "BACK-4")
		w.told(back, payments.FactException, fault.OriginalUnknown)
		if got := w.told(pay, payments.FactPosted, ""); got.OrderState != order.Presented {
			t.Errorf("the order is %s", got.OrderState)
		}
		w.told(back, payments.FactPosted, "")
	})
	t.Run("reversed before captured in one batch", func(t *testing.T) {
		o := w.presented()
		pay := captured(w, o, "PAY-5")
		back := reversed(w, pay, "BACK-5")
		var wg sync.WaitGroup
		for _, f := range []gateway.Fact{back, pay, back, pay} {
			wg.Go(func() {
				if _, err := w.tell(f); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := w.get(o); got.State != order.Presented || got.Received() != 0 {
			t.Errorf("the order is %s with %s", got.State, got.Received())
		}
	})
	t.Run("reversed of a payment in suspense", func(t *testing.T) {
		o := w.presented()
		pay := captured(w, o, "PAY-6")
		pay.Order = uuid.New()
		back := reversed(w, pay, "BACK-6")
		w.told(back, payments.FactException, fault.OriginalUnknown)
		w.told(pay, payments.FactException, fault.UnknownOrder)
		w.told(back, payments.FactPosted, "")
		if got := w.balance(ledger.Suspense(string(fault.UnknownOrder))); got != 0 {
			t.Errorf("%s in suspense", got)
		}
	})
	t.Run("reversed of another order's payment", func(t *testing.T) {
		o, other := w.presented(), w.presented()
		pay := captured(w, o, "PAY-7")
		w.told(pay, payments.FactPosted, "")
		back := reversed(w, pay, "BACK-7")
		back.Order = other.ID
		w.told(back, payments.FactException, fault.ReversalUnfit)
	})
	w.verified()
}

// The clock goes back an hour: identifiers stay unique, what was paid by the
// right clock is taken, and the day of the entry is that of the payment.
func TestClockGoesBack(t *testing.T) {
	w := newWorld(t)
	o, second := w.presented(), w.presented()
	w.told(captured(w, o, "PAY-1"), payments.FactPosted, "")
	f := captured(w, second, "PAY-2")
	w.clock.Advance(-time.Hour)
	w.told(f, payments.FactPosted, "")
	later := captured(w, w.presented(), "PAY-3")
	w.told(later, payments.FactPosted, "")
	f.Reference, f.PaidAt = "PAY-4", w.clock.Now().Add(3*time.Hour)
	if _, err := w.tell(f); !fault.Is(err, fault.FactInvalid) {
		t.Errorf("a payment of the future: %v", err)
	}
	w.verified()
}

// Sixteen at once, in the same and in other messages: one row, one posting, and
// the same answer for all. Another fact under the reference is refused.
func TestDuplicatesInParallel(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	fact := captured(w, o, "PAY-1")
	messages := [][]byte{w.seal(fact, w.key), w.seal(fact, w.key)}
	receipts := make([]gateway.Receipt, 16)
	var wg sync.WaitGroup
	for i := range receipts {
		wg.Go(func() {
			reply, err := w.service.AcceptCallback(t.Context(), messages[i%2])
			if err != nil {
				t.Error(err)
				return
			}
			receipts[i] = readReceipt(t, reply)
		})
	}
	wg.Wait()
	for _, r := range receipts {
		if r != receipts[0] || r.Reference != "PAY-1" {
			t.Errorf("receipts differ: %+v, %+v", r, receipts[0])
		}
	}
	if v := w.verified(); v.Entries != 1 || w.get(o).State != order.Paid || w.count("gateway_fact") != 1 {
		t.Errorf("%d entries, %d facts, the order is %s", v.Entries, w.count("gateway_fact"), w.get(o).State)
	}
	want := []string{payments.EventCreated, payments.EventPresented, payments.EventPosted}
	if diff := cmp.Diff(want, w.events(o)); diff != "" {
		t.Error(diff)
	}
	fact.Amount++
	if _, err := w.service.AcceptCallback(t.Context(), w.seal(fact, w.key)); !fault.Is(err, fault.CallbackConflict) {
		t.Errorf("another fact: %v", err)
	}
	if n := w.count("audit_records WHERE outcome = $1", string(fault.CallbackConflict)); n != 1 {
		t.Errorf("%d audit records", n)
	}
}

// One request under one key, in flight, repeated, and with another body.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	with := func(f gateway.Fact, caller, key string) (*payments.Outcome, error) {
		told := toldOf(f)
		told.Key, told.Caller = &idempotency.Key{Value: key, BodySHA256: payments.DigestOf(&f)}, caller
		return w.service.Take(w.ctx(), told)
	}
	f := captured(w, o, "PAY-1")
	first, err := with(f, "a", "k")
	if err != nil {
		t.Fatal(err)
	}
	back := reversed(w, f, "BACK-1")
	w.told(back, payments.FactPosted, "") // what it was answered stays
	for _, c := range []struct{ caller, key string }{{"a", "k"}, {"a", "k"}} {
		if again, err := with(f, c.caller, c.key); err != nil || !cmp.Equal(again, first) {
			t.Errorf("again: %v, %v", cmp.Diff(first, again), err)
		}
	}
	other := captured(w, o, "PAY-2")
	if _, err := with(other, "a", "k"); !fault.Is(err, fault.IdempotencyKeyReused) {
		t.Errorf("another body: %v", err)
	}
	if _, err := with(other, "b", "k"); err != nil {
		t.Errorf("another caller's key: %v", err)
	}
	if _, err := with(other, "b", ""); !fault.Is(err, fault.IdempotencyKeyMissing) {
		t.Errorf("no key: %v", err)
	}
	changed := other
	changed.Amount++
	if _, err := with(changed, "b", "k-2"); !fault.Is(err, fault.CallbackConflict) {
		t.Errorf("another fact: %v", err)
	}
	if _, err := with(other, "b", "k-2"); err != nil {
		t.Errorf("the key of a refused request: %v", err)
	}
	w.verified()
}

func TestFactsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	for name, change := range map[string]func(*gateway.Fact){
		"kind":         func(f *gateway.Fact) { f.Kind = "paid" },
		"no reference": func(f *gateway.Fact) { f.Reference = "" },
		"space":        func(f *gateway.Fact) { f.Reference = "a b" },
		"NUL":          func(f *gateway.Fact) { f.Reference = "a\x00" },
		"long":         func(f *gateway.Fact) { f.Reference = string(make([]byte, 65)) },
		"dash first":   func(f *gateway.Fact) { f.Reference = "-a" },
		"itself":       func(f *gateway.Fact) { f.Original = f.Reference },
		"of nothing":   func(f *gateway.Fact) { f.Kind = gateway.Reversed },
		"order":        func(f *gateway.Fact) { f.Order = uuid.Nil },
		"payer":        func(f *gateway.Fact) { f.Payer = "12345678901x" },
		"BIC":          func(f *gateway.Fact) { f.BankBIC = "BANK" },
		"zero":         func(f *gateway.Fact) { f.Amount = 0 },
		"negative":     func(f *gateway.Fact) { f.Amount = -1 },
		"huge":         func(f *gateway.Fact) { f.Amount = 1 << 62 },
		"future":       func(f *gateway.Fact) { f.PaidAt = f.PaidAt.Add(24 * time.Hour) },
		"no time":      func(f *gateway.Fact) { f.PaidAt = time.Time{} },
	} {
		f := captured(w, o, "PAY-1")
		change(&f)
		if _, err := w.tell(f); !fault.Is(err, fault.FactInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.count("gateway_reference") + w.count("ledger_entry"); n != 0 {
		t.Errorf("%d things are left behind", n)
	}
}

// A posting inserts the job that tells of it, in its own transaction; while one
// waits, no other. What tells nothing new inserts none.
func TestAPostingInsertsTheJobThatTellsOfIt(t *testing.T) {
	w := newWorld(t)
	const waiting = "river_job WHERE kind = 'events_published' AND queue = 'events' AND state = 'available'"
	first, second := captured(w, w.presented(), "JOB-1"), captured(w, w.presented(), "JOB-2")
	for _, f := range []gateway.Fact{first, second} {
		w.told(f, payments.FactPosted, "")
		if n := w.count(waiting); n != 1 {
			t.Errorf("after %s: %d jobs", f.Reference, n)
		}
	}
	if _, err := w.pool.Exec(t.Context(), "DELETE FROM river_job"); err != nil {
		t.Fatal(err)
	}
	w.told(first, payments.FactPosted, "")
	if n := w.count(waiting); n != 0 {
		t.Errorf("%d jobs of a fact that was told before", n)
	}
}

// What was left unsettled is settled by the daily look: a reversal whose
// payment was told at the same moment, so that neither saw the other, and a
// fact that an earlier version had received and not judged.
func TestResume(t *testing.T) {
	w := newWorld(t)
	o, left := w.presented(), w.presented()
	payment := captured(w, o, "AT-ONCE")
	back := reversed(w, payment, "AT-ONCE-BACK")
	w.told(back, payments.FactException, fault.OriginalUnknown)
	if err := w.service.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.exceptions(fault.OriginalUnknown); got != 1 {
		t.Errorf("%d reversals wait for a payment that nobody told of", got)
	}
	w.past(`DELETE FROM gateway_original`) // what the payment's transaction does not see yet
	w.told(payment, payments.FactPosted, "")
	w.past(`INSERT INTO gateway_original SELECT gateway, original, reference, recorded_at FROM gateway_fact WHERE original <> ''`)

	f := captured(w, left, "LEFT")
	message := []byte("a message of then")
	if err := postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
		digest, err := evidence.Put(t.Context(), tx, "gateway.fact", message)
		if err != nil {
			return err
		}
		at := w.clock.Now()
		if _, err := tx.Exec(t.Context(), `INSERT INTO gateway_reference VALUES ('plain', $1, $2)`, f.Reference, at); err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `
			INSERT INTO gateway_fact (gateway, reference, recorded_at, order_id, payer_bin, amount, bank_bic, paid_at, message, state)
			VALUES ('plain', $1, $2, $3, $4, $5, $6, $7, $8, 'received')`,
			f.Reference, at, f.Order, string(f.Payer), int64(f.Amount), f.BankBIC, f.PaidAt, digest[:])
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again changes nothing
		if err := w.service.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.get(o); got.State != order.Presented || got.Received() != 0 {
			t.Errorf("taken back, the order is %s with %s", got.State, got.Received())
		}
		if got := w.get(left); got.State != order.Paid {
			t.Errorf("what was left made the order %s", got.State)
		}
		if n := w.count("ledger_entry"); n != 3 {
			t.Errorf("%d entries", n)
		}
		w.verified()
	}
}

// past changes the database past its guards.
func (w *world) past(sql string) {
	w.t.Helper()
	_, err := w.pool.Exec(w.ctx(), `GRANT DELETE, UPDATE ON ALL TABLES IN SCHEMA public TO CURRENT_USER; SET session_replication_role = replica; `+sql+`; SET session_replication_role = origin`)
	if err != nil {
		w.t.Fatal(err)
	}
}
