package payments_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

func (w *world) act(a pshep.Act) {
	w.t.Helper()
	if err := w.bank.Do(a); err != nil {
		w.t.Fatalf("%s: %v", a.Name, err)
	}
}

func (w *world) strike(name pshep.FaultName) {
	w.t.Helper()
	if err := w.bank.SetFault(pshep.Fault{Name: name, Times: 1}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) deliver() {
	w.t.Helper()
	if err := w.bank.Deliver(w.ctx()); err != nil {
		w.t.Fatal(err)
	}
}

// pollOnce asks about an order like the job.
func (w *world) pollOnce(o *order.Order) time.Duration {
	w.t.Helper()
	wait, err := w.service.Poll(w.ctx(), payments.PollArgs{Order: o.ID, Gateway: w.port.Name()})
	if err != nil {
		w.t.Fatal(err)
	}
	return wait
}

// Nobody tells of a payment: it is found by asking, once, and a message that
// comes later changes nothing.
func TestPollingFindsWhatNobodyTells(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	if want := []payments.PollArgs{{Order: o.ID, Gateway: "pshep"}}; !slices.Equal(w.jobs.poll, want) {
		t.Fatalf("the jobs are %+v", w.jobs.poll)
	}
	if wait := w.pollOnce(o); wait < 30*time.Second || wait > time.Hour || w.get(o).State != order.Presented {
		t.Errorf("nothing has happened: wait %s, %s", wait, w.get(o).State)
	}
	w.strike(pshep.LateCallback)
	w.act(pshep.Act{Name: pshep.Pay, Order: o.ID})
	w.deliver()
	for range 2 {
		if wait := w.pollOnce(o); wait != 0 || w.get(o).State != order.Paid {
			t.Fatalf("wait %s, the order is %s", wait, w.get(o).State)
		}
	}
	w.deliver()
	if v := w.verified(); v.Entries != 1 {
		t.Errorf("%d entries", v.Entries)
	}
}

// What is wrong with the gateway is no failure of the job, and a job ends with
// the order.
func TestPollingWhenTheGatewayFails(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	w.strike(pshep.HTTP500)
	if wait := w.pollOnce(o); wait == 0 {
		t.Error("the order is not asked about again")
	}
	if n := w.count("evidence_entries WHERE kind = 'status.failed'"); n != 1 {
		t.Errorf("%d failed questions are kept", n)
	}
	w.clock.Advance(24 * time.Hour)
	if wait := w.pollOnce(o); wait != time.Hour {
		t.Errorf("expired, and perhaps paid in time: wait %s", wait)
	}
	w.clock.Advance(24 * time.Hour)
	if wait := w.pollOnce(o); wait != 0 {
		t.Errorf("long over: wait %s", wait)
	}
	if _, err := w.service.Poll(t.Context(), payments.PollArgs{Order: w.presented().ID, Gateway: "another"}); !fault.Is(err, fault.GatewayUnknown) {
		t.Errorf("a gateway that is not configured: %v", err)
	}
}

// The gateway registers the bill, and the answer is lost.
func TestRegistrationAnswerLost(t *testing.T) {
	w := newWorld(t)
	o := w.newOrder()
	w.strike(pshep.AnswerLost)
	if _, err := w.service.Present(t.Context(), o.ID); err == nil || w.get(o).State != order.Draft {
		t.Fatalf("%v, the order is %s", err, w.get(o).State)
	}
	if _, err := w.service.Present(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
	if err := w.pay(o); err != nil || w.get(o).State != order.Paid {
		t.Errorf("%v, the order is %s", err, w.get(o).State)
	}
}

// Part payments, holds, failures and reversals, as the bank's page makes them.
func TestWhatABankDoes(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	step := func(state order.State, acts ...pshep.Act) {
		t.Helper()
		for _, a := range acts {
			a.Order = o.ID
			w.act(a)
		}
		w.deliver()
		if got := w.get(o).State; got != state {
			t.Errorf("after %+v the order is %s", acts, got)
		}
	}
	step(order.Pending, pshep.Act{Name: pshep.Begin})
	step(order.Presented, pshep.Act{Name: pshep.Fail})
	step(order.Authorised, pshep.Act{Name: pshep.Authorise})
	step(order.Paid, pshep.Act{Name: pshep.Capture})
	step(order.Presented, pshep.Act{Name: pshep.Reverse})
	step(order.PartiallyPaid, pshep.Act{Name: pshep.Pay, Tiyn: 20_000_00})
	if _, err := w.service.PresentAgain(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
	step(order.Overpaid, pshep.Act{Name: pshep.Pay, Tiyn: o.Total})
	if o = w.get(o); o.Credited != 20_000_00 {
		t.Errorf("%s credited", o.Credited)
	}
	w.verified()
}

func TestCapture(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	capture := func(amount money.Tiyn) error { return w.service.Capture(t.Context(), o.ID, amount) }
	if err := capture(0); !fault.Is(err, fault.OrderState) {
		t.Errorf("nothing is held: %v", err)
	}
	w.act(pshep.Act{Name: pshep.Authorise, Order: o.ID})
	w.deliver()
	for _, amount := range []money.Tiyn{-1, o.Total + 1} {
		if err := capture(amount); !fault.Is(err, fault.AmountInvalid) {
			t.Errorf("%s: %v", amount, err)
		}
	}
	w.strike(pshep.Refuse)
	if err := capture(0); !fault.Is(err, fault.GatewayRefused) {
		t.Errorf("refused: %v", err)
	}
	if err := capture(0); err != nil || w.get(o).State != order.Paid {
		t.Errorf("%v, the order is %s", err, w.get(o).State)
	}
	if err := capture(0); !fault.Is(err, fault.OrderState) {
		t.Errorf("captured already: %v", err)
	}
	w.deliver()
	if v := w.verified(); v.Entries != 1 {
		t.Errorf("%d entries", v.Entries)
	}
}

func TestQR(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	issue := func() *payments.QR {
		t.Helper()
		q, err := w.service.IssueQR(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	w.strike(pshep.AnswerLost)
	if _, err := w.service.IssueQR(t.Context(), o.ID); err == nil {
		t.Fatal("the answer was not lost")
	}
	first := issue()
	if again := issue(); *again != *first || first.Payload == "" || first.Amount != o.Total {
		t.Errorf("%+v, again %+v", first, again)
	}
	if n := w.count("payment_qr"); n != 1 {
		t.Errorf("%d codes after a lost answer", n)
	}
	// Scanned while it lives, and paid after it has died: money is money.
	w.act(pshep.Act{Name: pshep.Scan, QR: first.ID})
	w.deliver()
	if got := w.get(o).State; got != order.Pending {
		t.Errorf("scanned: %s", got)
	}
	w.clock.Advance(payments.QRLife)
	second := issue()
	if second.ID == first.ID || second.Payload == first.Payload {
		t.Error("the dead code was given again")
	}
	w.act(pshep.Act{Name: pshep.Block, QR: first.ID})
	w.deliver()
	if got := w.get(o).State; got != order.Authorised {
		t.Errorf("blocked, which is not money: %s", got)
	}
	if v := w.verified(); v.Entries != 0 {
		t.Errorf("a hold was posted: %d entries", v.Entries)
	}
	w.act(pshep.Act{Name: pshep.Settle, QR: first.ID})
	w.deliver()
	if got := w.get(o).State; got != order.Paid {
		t.Errorf("paid: %s", got)
	}
	if _, err := w.service.IssueQR(t.Context(), o.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("a code for a paid order: %v", err)
	}
	w.act(pshep.Act{Name: pshep.Return, QR: first.ID})
	w.deliver()
	if got := w.get(o).State; got != order.Presented {
		t.Errorf("returned: %s", got)
	}
	w.clock.Advance(payments.QRLife)
	if err := w.bank.Do(pshep.Act{Name: pshep.Scan, QR: second.ID}); !fault.Is(err, fault.OrderExpired) {
		t.Errorf("a dead code is scanned: %v", err)
	}
	w.act(pshep.Act{Name: pshep.Close, QR: second.ID})
	w.deliver()

	o = w.presented()
	third := issue()
	w.act(pshep.Act{Name: pshep.Scan, QR: third.ID})
	w.act(pshep.Act{Name: pshep.Reject, QR: third.ID})
	w.deliver()
	if got := w.get(o).State; got != order.Presented {
		t.Errorf("rejected: %s", got)
	}
	w.clock.Advance(24 * time.Hour)
	if _, err := w.service.IssueQR(t.Context(), o.ID); !fault.Is(err, fault.OrderExpired) {
		t.Errorf("a code for an expired order: %v", err)
	}
	if _, err := w.service.IssueQR(t.Context(), uuid.New()); !fault.Is(err, fault.OrderNotFound) {
		t.Errorf("a code for no order: %v", err)
	}
	w.verified()
}

const account = "KZ86125KZT5004100100" // ISO 13616's example

func (w *world) mandateRequest(payer kz.BIN) payments.MandateRequest {
	today := kz.DayOf(w.clock.Now())
	return payments.MandateRequest{
		Payer: payer, Account: account, DebitMax: 2_000_000_00, MonthMax: 3_000_000_00, ValidFrom: today, ValidTo: today.AddDays(365),
		Document: []byte("signed " + uuid.NewString()), By: "trader",
	}
}

func (w *world) give(r payments.MandateRequest) (m *payments.Mandate, err error) {
	err = postgres.InTx(w.ctx(), w.pool, func(tx pgx.Tx) error {
		m, err = w.service.GiveMandate(w.ctx(), tx, r)
		return err
	})
	return m, err
}

func (w *world) given(payer kz.BIN) *payments.Mandate {
	w.t.Helper()
	m, err := w.give(w.mandateRequest(payer))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) move(m *payments.Mandate, to payments.MandateState) error {
	return postgres.InTx(w.ctx(), w.pool, func(tx pgx.Tx) error {
		_, err := w.service.MoveMandate(w.ctx(), tx, m.ID, to, "trader")
		return err
	})
}

func (w *world) debit(o *order.Order, m *payments.Mandate) (*payments.Debit, error) {
	return w.service.Debit(w.ctx(), payments.DebitRequest{Order: o.ID, Mandate: m.ID, By: "trader"})
}

func TestMandates(t *testing.T) {
	w := newWorld(t)
	const payer = kz.BIN("190640017419")
	good := w.mandateRequest(payer)
	for name, change := range map[string]func(r *payments.MandateRequest){
		"no payer":     func(r *payments.MandateRequest) { r.Payer = "" },
		"account":      func(r *payments.MandateRequest) { r.Account = "KZ00125KZT5004100100" },
		"foreign":      func(r *payments.MandateRequest) { r.Account = "GB82WEST12345698765432" },
		"no limit":     func(r *payments.MandateRequest) { r.DebitMax = 0 },
		"month's":      func(r *payments.MandateRequest) { r.MonthMax = r.DebitMax - 1 },
		"no beginning": func(r *payments.MandateRequest) { r.ValidFrom = kz.Day{} },
		"ends first":   func(r *payments.MandateRequest) { r.ValidTo = r.ValidFrom.AddDays(-1) },
		"over": func(r *payments.MandateRequest) {
			r.ValidFrom, r.ValidTo = r.ValidFrom.AddDays(-9), r.ValidFrom.AddDays(-1)
		},
		"for ever":    func(r *payments.MandateRequest) { r.ValidTo = r.ValidFrom.AddDays(9999) },
		"no document": func(r *payments.MandateRequest) { r.Document = nil },
	} {
		r := good
		change(&r)
		if _, err := w.give(r); !fault.Is(err, fault.MandateInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := good
	other.Gateway = "another"
	if _, err := w.give(other); !fault.Is(err, fault.GatewayUnknown) {
		t.Errorf("another gateway: %v", err)
	}
	m, err := w.give(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.give(good); !fault.Is(err, fault.MandateExists) {
		t.Errorf("the same document: %v", err)
	}
	got, err := w.service.Mandate(t.Context(), w.pool, m.ID)
	if err != nil || *got != *m {
		t.Errorf("%+v, kept %+v, %v", m, got, err)
	}
	for _, to := range []payments.MandateState{payments.MandateSuspended, payments.MandateSuspended, payments.MandateActive, payments.MandateRevoked} {
		if err := w.move(m, to); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	if err := w.move(m, payments.MandateActive); !fault.Is(err, fault.MandateState) {
		t.Errorf("revoked for ever: %v", err)
	}
	if err := w.move(m, "gone"); !fault.Is(err, fault.MandateState) {
		t.Errorf("no such state: %v", err)
	}
	if _, err := w.pool.Exec(t.Context(), `UPDATE payment_mandate SET month_max = month_max * 2`); err == nil {
		t.Error("the database let a mandate's limit be raised")
	}
	if all, err := w.service.Mandates(t.Context(), payer); err != nil || len(all) != 1 || all[0].State != payments.MandateRevoked {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := w.service.Mandates(t.Context(), serviceBIN); err != nil || len(all) != 0 {
		t.Errorf("of another payer: %+v, %v", all, err)
	}
}

func TestDebit(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	m := w.given(o.Payer)

	d, err := w.debit(o, m)
	if err != nil || d.State != payments.DebitExecuted || d.Amount != o.Total || w.get(o).State != order.Paid {
		t.Fatalf("%+v, %v, the order is %s", d, err, w.get(o).State)
	}
	w.deliver() // and told once more
	if v := w.verified(); v.Entries != 1 {
		t.Errorf("%d entries", v.Entries)
	}
	events := w.events(o)
	if !slices.Contains(events, payments.EventDebitOrdered) || !slices.Contains(events, payments.EventDebitExecuted) {
		t.Errorf("events %v", events)
	}
	if _, err := w.debit(o, m); !fault.Is(err, fault.OrderState) {
		t.Errorf("a paid order: %v", err)
	}
}

func TestDebitRefusals(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	request := func(change func(r *payments.MandateRequest)) *payments.Mandate {
		t.Helper()
		r := w.mandateRequest(o.Payer)
		change(&r)
		m, err := w.give(r)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	suspended := w.given(o.Payer)
	if err := w.move(suspended, payments.MandateSuspended); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		m    *payments.Mandate
		code fault.Code
	}{
		{"suspended", suspended, fault.MandateState},
		{"another payer's", w.given(serviceBIN), fault.PayerDiffers},
		{"not yet", request(func(r *payments.MandateRequest) { r.ValidFrom = r.ValidFrom.AddDays(1) }), fault.MandateExpired},
		{"one debit", request(func(r *payments.MandateRequest) { r.DebitMax = o.Total - 1 }), fault.MandateLimit},
		{"unknown", &payments.Mandate{ID: uuid.New()}, fault.MandateNotFound},
	}
	for _, tt := range tests {
		if _, err := w.debit(o, tt.m); !fault.Is(err, tt.code) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := w.debit(w.newOrder(), w.given(o.Payer)); !fault.Is(err, fault.OrderState) {
		t.Errorf("a draft: %v", err)
	}
	if n := w.count("payment_debit"); n != 0 {
		t.Errorf("%d debits are left behind", n)
	}
	short := request(func(r *payments.MandateRequest) { r.ValidTo = r.ValidFrom })
	w.clock.Advance(23 * time.Hour) // the next day in Almaty
	if _, err := w.debit(o, short); !fault.Is(err, fault.MandateExpired) {
		t.Errorf("over: %v", err)
	}
	w.clock.Advance(time.Hour)
	if _, err := w.debit(o, w.given(o.Payer)); !fault.Is(err, fault.OrderExpired) {
		t.Errorf("an expired order: %v", err)
	}
}

// A debit that comes to nothing frees its reservation and tells so; the next
// one goes through.
func TestFailedDebit(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	m := w.given(o.Payer)
	w.strike(pshep.Refuse)
	if _, err := w.debit(o, m); !fault.Is(err, fault.GatewayRefused) {
		t.Fatalf("refused: %v", err)
	}
	w.strike(pshep.DebitFails)
	d, err := w.debit(o, m)
	if err != nil || d.State != payments.DebitFailed || d.Reason != fault.DebitFailed {
		t.Fatalf("%+v, %v", d, err)
	}
	failed := 0
	for _, e := range w.events(o) {
		if e == payments.EventDebitFailed {
			failed++
		}
	}
	if failed != 2 || w.get(o).State != order.Presented {
		t.Errorf("%d events of failures, the order is %s", failed, w.get(o).State)
	}
	if d, err = w.debit(o, m); err != nil || d.State != payments.DebitExecuted {
		t.Errorf("%+v, %v", d, err)
	}
}

// The gateway debits and the answer is lost, or its message comes before the
// answer: one debit, one posting.
func TestDebitAnswerLost(t *testing.T) {
	w := newWorld(t)
	for name, again := range map[string]func(o *order.Order, m *payments.Mandate){
		"asked again": func(o *order.Order, m *payments.Mandate) {
			if _, err := w.debit(o, m); err != nil {
				t.Error(err)
			}
		},
		"told":   func(*order.Order, *payments.Mandate) { w.deliver() },
		"polled": func(o *order.Order, _ *payments.Mandate) { w.pollOnce(o) },
	} {
		o := w.presented()
		m := w.given(o.Payer)
		w.strike(pshep.AnswerLost)
		if _, err := w.debit(o, m); err == nil {
			t.Fatal("the answer was not lost")
		}
		if _, err := w.debit(o, w.given(o.Payer)); !fault.Is(err, fault.DebitUnderWay) {
			t.Errorf("%s: another debit meanwhile: %v", name, err)
		}
		again(o, m)
		if got := w.get(o).State; got != order.Paid {
			t.Errorf("%s: the order is %s", name, got)
		}
		if n := w.count("payment_debit WHERE order_id = $1 AND state = 'executed'", o.ID); n != 1 {
			t.Errorf("%s: %d debits", name, n)
		}
	}
	o := w.presented()
	w.strike(pshep.CallbackFirst)
	if d, err := w.debit(o, w.given(o.Payer)); err != nil || d.State != payments.DebitExecuted {
		t.Errorf("told before the answer: %+v, %v", d, err)
	}
	w.deliver()
	if v := w.verified(); v.Entries != 4 {
		t.Errorf("%d entries", v.Entries)
	}
}

// Debits at once never exceed the month's limit, whoever comes first.
func TestDebitsAtOnceKeepTheLimit(t *testing.T) {
	w := newWorld(t)
	const count = 8
	var orders []*order.Order
	for range count {
		orders = append(orders, w.presented())
	}
	r := w.mandateRequest(orders[0].Payer)
	r.DebitMax, r.MonthMax = orders[0].Total, 3*orders[0].Total+1
	m, err := w.give(r)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[fault.Code]int{}
	for _, o := range orders {
		for range 2 { // the same order twice at once
			wg.Go(func() {
				_, err := w.debit(o, m)
				mu.Lock()
				defer mu.Unlock()
				outcomes[fault.CodeOf(err)]++
			})
		}
	}
	wg.Wait()
	if n := w.count("payment_debit WHERE state = 'executed'"); n != 3 || w.count("payment_debit") != 3 {
		t.Errorf("%d debits, %v", n, outcomes)
	}
	if outcomes[fault.MandateLimit] == 0 {
		t.Errorf("nobody was refused: %v", outcomes)
	}
	// The month is over.
	w.clock.Advance(15 * 24 * time.Hour)
	if _, err := w.debit(w.presented(), m); err != nil {
		t.Errorf("the next month: %v", err)
	}
	if v := w.verified(); v.Entries != 4 {
		t.Errorf("%d entries", v.Entries)
	}
}

// bare is a gateway that does what every gateway must and no more.
type bare struct{ plain }

func (bare) Name() string { return "bare" }

func TestOneGatewayAtATime(t *testing.T) {
	w := newWorld(t)
	w.service = w.newServiceAt(w.port, bare{})
	o := w.presented()
	page, err := w.service.PresentAt(t.Context(), o.ID, "bare")
	if err != nil || page == w.get(o).PaymentURL && w.get(o).Gateway != "bare" {
		t.Fatalf("%q, %v", page, err)
	}
	if err := w.bank.Do(pshep.Act{Name: pshep.Pay, Order: o.ID}); !fault.Is(err, fault.OrderState) {
		t.Errorf("the bill that was left can be paid: %v", err)
	}
	if _, err := w.service.IssueQR(t.Context(), o.ID); !fault.Is(err, fault.NotAvailable) {
		t.Errorf("no QR codes there: %v", err)
	}
	if _, err := w.debit(o, w.given(o.Payer)); !fault.Is(err, fault.OrderState) {
		t.Errorf("a mandate for another gateway: %v", err)
	}
	r := w.mandateRequest(o.Payer)
	r.Gateway = "bare"
	if _, err := w.give(r); !fault.Is(err, fault.NotAvailable) {
		t.Errorf("no debits there: %v", err)
	}
	if err := w.service.Capture(t.Context(), o.ID, 0); !fault.Is(err, fault.NotAvailable) {
		t.Errorf("no holds there: %v", err)
	}
	if _, err := w.service.AcceptCallbackOf(t.Context(), "nowhere", nil); !fault.Is(err, fault.GatewayUnknown) {
		t.Errorf("a message of no gateway: %v", err)
	}
	if _, err := w.service.PresentAt(t.Context(), o.ID, "nowhere"); !fault.Is(err, fault.GatewayUnknown) {
		t.Errorf("presented nowhere: %v", err)
	}

	// Paid where it was: it stays there.
	o = w.presented()
	w.strike(pshep.NoCallback)
	w.act(pshep.Act{Name: pshep.Pay, Order: o.ID})
	w.deliver()
	if _, err := w.service.PresentAt(t.Context(), o.ID, "bare"); !fault.Is(err, fault.OrderState) || w.get(o).State != order.Paid {
		t.Errorf("%v, the order is %s", err, w.get(o).State)
	}
}

func (w *world) newServiceAt(port gateway.Port, others ...gateway.Port) *payments.Service {
	w.t.Helper()
	c := payments.Config{Pool: w.pool, Jobs: w.jobs, Gateway: port, Gateways: others, Now: w.clock.Now, OrderLife: 24 * time.Hour, Book: w.book()}
	s, err := payments.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	c.Gateways = append(others, port)
	if _, err := payments.New(c); !fault.Is(err, fault.ConfigBad) {
		w.t.Errorf("a gateway twice: %v", err)
	}
	return s
}

// A debit whose order never reached the gateway is given up long after the
// order's time, with a reason, and the mandate's limit is free again; not
// before, and not while the gateway cannot be asked. If the gateway tells of it
// after all, it counts.
func TestDebitThatNobodyTellsOf(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	m := w.given(o.Payer)
	w.strike(pshep.HTTP500)
	if _, err := w.debit(o, m); err == nil {
		t.Fatal("the gateway answered")
	}
	state := func(want payments.DebitState, reason fault.Code) (id uuid.UUID) {
		t.Helper()
		var state payments.DebitState
		var why fault.Code
		if err := w.pool.QueryRow(t.Context(), `SELECT id, state, reason FROM payment_debit WHERE order_id = $1`, o.ID).Scan(&id, &state, &why); err != nil {
			t.Fatal(err)
		}
		if state != want || why != reason {
			t.Errorf("the debit is %s %s, want %s %s", state, why, want, reason)
		}
		return id
	}
	poll := func() time.Duration {
		t.Helper()
		wait, err := w.service.Poll(t.Context(), payments.PollArgs{Order: o.ID, Gateway: o.Gateway})
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	o = w.get(o)
	for _, step := range []struct {
		pass time.Duration
		down bool
		want payments.DebitState
		why  fault.Code
	}{
		{0, false, payments.DebitReserved, ""},
		{24*time.Hour + time.Minute, false, payments.DebitReserved, ""}, // its time is over, and it may still be told
		{24 * time.Hour, true, payments.DebitReserved, ""},
		{0, false, payments.DebitFailed, fault.DebitUnanswered},
	} {
		w.clock.Advance(step.pass)
		if step.down {
			w.strike(pshep.HTTP500)
		}
		if again := poll() > 0; again != (step.want == payments.DebitReserved) {
			t.Errorf("after %s it is asked again: %v", step.pass, again)
		}
		state(step.want, step.why)
	}
	if events := w.events(o); events[len(events)-1] != payments.EventDebitFailed {
		t.Errorf("events %v", events)
	}
	next := w.presented()
	if d, err := w.debit(next, m); err != nil || d.State != payments.DebitExecuted {
		t.Errorf("the limit is not free: %+v, %v", d, err)
	}

	id := state(payments.DebitFailed, fault.DebitUnanswered)
	late := w.fact(o, "PAY-LATE")
	late.Original = id.String()
	if _, err := w.service.AcceptCallback(t.Context(), w.seal(late, w.key)); err != nil {
		t.Fatal(err)
	}
	state(payments.DebitExecuted, "")
	if n := w.exceptions(fault.PaidTooLate); n != 1 {
		t.Errorf("%d payments that came too late", n)
	}
	w.verified()
}
