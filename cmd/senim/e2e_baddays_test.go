package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
)

// badDays are what may come to a payment that the gateway's own faults
// (paymentsThatFail) do not bring, each through the door.
func (w *world) badDays(t *testing.T) {
	t.Run("told out of order", w.toldOutOfOrder)
	t.Run("two refunds at once", w.twoRefundsAtOnce)
	t.Run("clock back an hour", w.clockBack)
	if v, err := w.service.payments.VerifyLedger(t.Context()); err != nil {
		t.Errorf("%v: %+v", err, v.Findings)
	}
}

// telling is a fact of an order, told by the gateway's client under its
// reference.
func telling(c *apiClient, o api.Order, kind, reference, original string, amount int64) call {
	if original != "" {
		original = fmt.Sprintf(`"original":%q,`, original)
	}
	made := c.post("/v1/payments", fmt.Sprintf(`{"kind":%q,"reference":%q,%s"order_id":%q,"payer_bin":%q,"bank_bic":"HSBKKZKX","amount_tiyn":%d,"paid_at":%q}`,
		kind, reference, original, o.ID, o.PayerBIN, amount, o.CreatedAt.Add(time.Second).UTC().Format(time.RFC3339Nano)))
	made.language = fault.English
	return made
}

// becameOf tells and expects what became of the fact and of its order.
func (w *world) becameOf(t *testing.T, c call, state, reason, order string) {
	t.Helper()
	got := answered[api.PaymentOutcome](t, w.do(t, c), http.StatusCreated)
	found := ""
	if got.Reason != nil {
		found = *got.Reason
	}
	if got.State != state || found != reason || got.OrderState == nil || *got.OrderState != order {
		t.Errorf("%s: %+v", c.body, got)
	}
}

// toldOutOfOrder: a reversal before its payment, the same fact again under
// another key, and another amount under its reference.
func (w *world) toldOutOfOrder(t *testing.T) {
	bank := w.as(t, payClient)
	_, o := w.ordered(t, "ORDER")
	pay, back := "PAY-"+uuid.NewString(), "BACK-"+uuid.NewString()
	w.becameOf(t, telling(bank, o, "reversed", back, pay, o.TotalTiyn), "exception", string(fault.OriginalUnknown), "presented")
	for range 2 {
		w.becameOf(t, telling(bank, o, "captured", pay, "", o.TotalTiyn), "posted", "", "presented")
		w.becameOf(t, telling(bank, o, "reversed", back, pay, o.TotalTiyn), "posted", "", "presented")
	}
	w.refuses(t, telling(bank, o, "captured", pay, "", o.TotalTiyn-1), http.StatusConflict, fault.CallbackConflict)
	if left := w.orderIs(t, o.ID, "presented"); left.PaidTiyn != 0 {
		t.Errorf("%+v", left)
	}
}

// twoRefundsAtOnce: each asks for all that was paid, and one gets it; it is
// approved by two at once, and executed once.
func (w *world) twoRefundsAtOnce(t *testing.T) {
	operator, controller := w.as(t, "treasury"), w.as(t, "treasury-controller")
	_, o := w.ordered(t, "REFUND")
	w.act(t, "pay", o.ID, 0)
	w.orderIs(t, o.ID, "paid")
	body := fmt.Sprintf(`{"order_id":%q,"reason":"paid in error","lines":[{"identifier":%q,"amount_tiyn":%d}]}`, o.ID, o.Lines[0].Identifier, o.Lines[0].AmountTiyn)
	asked := w.atOnceOf(t, 4, func() call { return operator.post("/v1/refunds", body) })
	var refund api.Refund
	granted := 0
	for _, r := range asked {
		if r.status == http.StatusCreated {
			granted++
			refund = answered[api.Refund](t, r, http.StatusCreated)
			continue
		}
		if p, err := r.problem(); err != nil || p.Code != string(fault.RefundExceeds) {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if granted != 1 {
		t.Fatalf("%d of 4 refunds of all that was paid are granted", granted)
	}
	approved := 0
	for _, r := range w.atOnceOf(t, 4, func() call { return controller.post("/v1/refunds/"+refund.ID.String()+"/approval", "") }) {
		if r.status == http.StatusOK {
			approved++
		} else if p, err := r.problem(); err != nil || p.Code != string(fault.RefundState) {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if approved != 1 {
		t.Errorf("approved %d times", approved)
	}
	eventually(t, "the refund is executed", settledWithin, func() bool {
		return answered[api.Refund](t, w.do(t, controller.get("/v1/refunds/"+refund.ID.String())), http.StatusOK).State == "executed"
	})
	if after := answered[api.Order](t, w.do(t, w.window.get(orderPath(o))), http.StatusOK); after.RefundedTiyn != o.Lines[0].AmountTiyn {
		t.Errorf("%+v", after)
	}
}

// atOnceOf sends n requests, each with a key of its own, at once.
func (w *world) atOnceOf(t *testing.T, n int, one func() call) []reply {
	replies := make([]reply, n)
	calls := make([]call, n)
	for i := range calls {
		calls[i] = one()
	}
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			r, err := w.try(t.Context(), calls[i])
			if err != nil {
				t.Error(err)
			}
			replies[i] = r
		})
	}
	wg.Wait()
	return replies
}

// clockBack: a node whose clock goes back an hour takes what happened by the
// right time, and repeats what the other one answered; both post each payment
// once.
func (w *world) clockBack(t *testing.T) {
	back := func() time.Time { return time.Now().Add(-time.Hour) }
	there := *w
	there.demo = w.another(t, func(c *config.Config) { c.TSA = config.TSA{} }, back)
	bank, late := w.as(t, payClient), &apiClient{base: there.base, http: w.window.http}
	key, err := w.around.clientKey(payClient)
	check(t, err)
	check(t, late.signIn(t.Context(), payClient, key, back()))

	_, o := w.ordered(t, "CLOCK")
	const part = 1_000_00
	first, second := "PAY-"+uuid.NewString(), "PAY-"+uuid.NewString()
	for range 2 { // first at one node, then at the other, and the other way round
		w.becameOf(t, telling(bank, o, "captured", first, "", part), "posted", "", "partially_paid")
		there.becameOf(t, telling(late, o, "captured", first, "", part), "posted", "", "partially_paid")
		there.becameOf(t, telling(late, o, "captured", second, "", part), "posted", "", "partially_paid")
		w.becameOf(t, telling(bank, o, "captured", second, "", part), "posted", "", "partially_paid")
	}
	if got := w.orderIs(t, o.ID, "partially_paid"); got.PaidTiyn != 2*part {
		t.Errorf("%+v", got)
	}
}
