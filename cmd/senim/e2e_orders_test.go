package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
)

// as is a ready-made system that has signed in.
func (w *world) as(t *testing.T, id string) *apiClient {
	t.Helper()
	key, err := w.around.clientKey(id)
	check(t, err)
	c := &apiClient{base: w.base, http: w.window.http}
	check(t, c.signIn(t.Context(), id, key, time.Now()))
	return c
}

// post is a call with a key of its own.
func (c *apiClient) post(path, body string) call {
	made := call{method: http.MethodPost, path: path, bearer: c.bearer, key: uuid.NewString(), body: []byte(body)}
	if body != "" {
		made.contentType = "application/json"
	}
	return made
}

func (c *apiClient) get(path string) call {
	return call{method: http.MethodGet, path: path, bearer: c.bearer}
}

// act has the stand-in for the bank do something with an order's bill.
func (w *world) act(t *testing.T, act string, order uuid.UUID, tiyn int64) {
	t.Helper()
	w.orderAt(t, http.MethodPost, w.around.sandbox.URLs().Control.PSHEP+"acts",
		fmt.Sprintf(`{"act":%q,"order_id":%q,"amount_tiyn":%d}`, act, order, tiyn))
}

func (w *world) orderIs(t *testing.T, id uuid.UUID, want api.OrderState) (o api.Order) {
	t.Helper()
	eventually(t, "the order is "+string(want), settledWithin, func() bool {
		o = answered[api.Order](t, w.do(t, w.window.get("/v1/orders/"+id.String())), http.StatusOK)
		return o.State == want
	})
	return o
}

// ordersAndRefunds pays an order in parts and too much, gives some back with
// two persons, and spends the rest on another order.
func (w *world) ordersAndRefunds(t *testing.T) {
	operator, controller, support := w.treasury, w.as(t, "treasury-controller"), w.as(t, "support")
	transaction, order := w.ordered(t, "PARTS")
	const over = 500_00

	w.act(t, "pay", order.ID, 100_000_00)
	partly := w.orderIs(t, order.ID, "partially_paid")
	if partly.OwedTiyn != order.TotalTiyn-100_000_00 || partly.Lines[0].State != "paid" || partly.Lines[1].State != "partially_paid" {
		t.Errorf("%+v", partly)
	}
	w.refuses(t, w.window.post("/v1/orders/"+order.ID.String()+"/cancellation", ""), http.StatusConflict, fault.OrderState)
	again := answered[api.Order](t, w.do(t, w.window.post("/v1/orders/"+order.ID.String()+"/presentation", "")), http.StatusOK)
	if again.PaymentURL == nil || again.OwedTiyn != partly.OwedTiyn {
		t.Errorf("presented again: %+v", again)
	}
	w.act(t, "pay", order.ID, partly.OwedTiyn+over)
	overpaid := w.orderIs(t, order.ID, "overpaid")
	if overpaid.CreditedTiyn != over || overpaid.OwedTiyn != 0 {
		t.Errorf("%+v", overpaid)
	}
	if shown := w.shown(t, transaction); shown.State != "overpaid" || shown.Totals.CreditedTiyn != over || shown.Totals.PaidTiyn != order.TotalTiyn {
		t.Errorf("%s, %+v", shown.State, shown.Totals)
	}
	t.Run("refund", func(t *testing.T) { w.refundOverHTTP(t, overpaid, operator, controller, support) })
	t.Run("advance", func(t *testing.T) { w.advanceOverHTTP(t, over-100_00) })
	t.Run("cancelled and drawn up again", w.drawnUpAgain)
	t.Run("broker", w.broker)
}

func (w *world) refundOverHTTP(t *testing.T, o api.Order, operator, controller, support *apiClient) {
	body := fmt.Sprintf(`{"order_id":%q,"credit_tiyn":10000,"reason":"paid too much"}`, o.ID)
	// Both payments are large enough: somebody must say which goes back.
	w.refuses(t, operator.post("/v1/refunds", body), http.StatusUnprocessableEntity, fault.RefundPaymentUnclear)
	body = fmt.Sprintf(`{"lines":[{"identifier":%q,"amount_tiyn":200000}],"order_id":%q,"credit_tiyn":10000,"payment":%q,"reason":"paid too much"}`,
		o.Lines[2].Identifier, o.ID, w.lastPayment(t, o.ID))
	w.refuses(t, support.post("/v1/refunds", body), http.StatusForbidden, fault.RoleDenied)

	// Asked twice at once under one key: one refund.
	ask := operator.post("/v1/refunds", body)
	replies := make([]reply, 4)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i] = w.do(t, ask) })
	}
	wg.Wait()
	for _, r := range replies {
		if r.status != http.StatusCreated && r.status != http.StatusConflict {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	// The same, with its fields in another order, is the same.
	ask.body = fmt.Appendf(nil, `{"reason": "paid too much", "payment": %q, "credit_tiyn": 10000, "order_id": %q, "lines": [{"amount_tiyn": 200000, "identifier": %q}]}`,
		w.lastPayment(t, o.ID), o.ID, o.Lines[2].Identifier)
	refund := answered[api.Refund](t, w.do(t, ask), http.StatusCreated)
	ask.body = fmt.Appendf(nil, `{"reason":"more","payment":%q,"credit_tiyn":10001,"order_id":%q}`, w.lastPayment(t, o.ID), o.ID)
	w.refuses(t, ask, http.StatusUnprocessableEntity, fault.IdempotencyKeyReused)
	path := "/v1/refunds/" + refund.ID.String()
	list := answered[api.Refunds](t, w.do(t, controller.get("/v1/refunds?state=asked&order_id="+o.ID.String())), http.StatusOK)
	if len(list.Refunds) != 1 || list.Refunds[0].ID != refund.ID || list.Next != nil {
		t.Errorf("%+v", list)
	}
	w.refuses(t, operator.post(path+"/approval", ""), http.StatusForbidden, fault.RoleDenied)
	w.refuses(t, w.window.post(path+"/approval", ""), http.StatusForbidden, fault.RoleDenied)
	w.refuses(t, controller.post("/v1/refunds/"+uuid.NewString()+"/approval", ""), http.StatusNotFound, fault.RefundNotFound)

	approved := answered[api.Refund](t, w.do(t, controller.post(path+"/approval", "")), http.StatusOK)
	if approved.State != "approved" || *approved.DecidedBy != "treasury-controller" || approved.AskedBy != "treasury" {
		t.Errorf("%+v", approved)
	}
	w.refuses(t, controller.post(path+"/rejection", `{"note":"too late"}`), http.StatusConflict, fault.RefundState)
	eventually(t, "the refund is executed", settledWithin, func() bool {
		return answered[api.Refund](t, w.do(t, controller.get(path)), http.StatusOK).State == "executed"
	})
	after := w.orderIs(t, o.ID, "overpaid")
	if after.RefundedTiyn != 210_000 || after.Lines[2].RefundedTiyn != 200_000 || after.RefundingTiyn != 0 {
		t.Errorf("%+v", after)
	}
	if found, err := w.service.payments.VerifyLedger(t.Context()); err != nil {
		t.Errorf("the ledger: %v, %+v", err, found)
	}
}

// lastPayment is the gateway's reference of the largest payment of an order.
func (w *world) lastPayment(t *testing.T, id uuid.UUID) (reference string) {
	t.Helper()
	check(t, w.service.pool.QueryRow(t.Context(),
		`select reference from gateway_fact where order_id = $1 and kind = 'captured' order by amount desc limit 1`, id).Scan(&reference))
	return reference
}

// advanceOverHTTP pays a part of another order from what is left.
func (w *world) advanceOverHTTP(t *testing.T, left int64) {
	_, order := w.ordered(t, "ADVANCE")
	path := "/v1/orders/" + order.ID.String() + "/advance"
	w.refuses(t, w.window.post(path, fmt.Sprintf(`{"amount_tiyn":%d}`, left+1)), http.StatusConflict, fault.LedgerFundsShort)
	used := answered[api.Order](t, w.do(t, w.window.post(path, `{}`)), http.StatusOK)
	if used.State != "partially_paid" || used.PaidTiyn != left {
		t.Errorf("%+v", used)
	}
	w.refuses(t, w.window.post(path, `{}`), http.StatusConflict, fault.LedgerFundsShort)
}

func (w *world) drawnUpAgain(t *testing.T) {
	transaction, order := w.ordered(t, "CANCEL")
	cancel := w.window.post("/v1/orders/"+order.ID.String()+"/cancellation", "")
	for range 2 {
		if o := answered[api.Order](t, w.do(t, cancel), http.StatusOK); o.State != "cancelled" {
			t.Errorf("%+v", o)
		}
	}
	w.refuses(t, w.window.post("/v1/orders/"+order.ID.String()+"/presentation", ""), http.StatusConflict, fault.OrderState)
	second := answered[api.Order](t, w.do(t, w.orders(transaction)), http.StatusCreated)
	if second.ID == order.ID || second.State != "presented" {
		t.Errorf("%+v", second)
	}
	list := answered[api.Orders](t, w.do(t, w.window.get("/v1/orders?transaction_id="+transaction.ID.String())), http.StatusOK)
	if len(list.Orders) != 2 || list.Orders[0].ID != second.ID {
		t.Errorf("%+v", list)
	}
	w.refuses(t, w.window.get("/v1/orders/"+uuid.NewString()), http.StatusNotFound, fault.OrderNotFound)
}

// broker pays another's debt, as the single window says.
func (w *world) broker(t *testing.T) {
	const broker = "160440007161"
	transaction := w.opened(t, "BROKER")
	answered[api.Document](t, w.do(t, w.documents(transaction, w.signed)), http.StatusCreated)
	c := w.orders(transaction)
	c.path += "?payer_bin=" + broker
	order := answered[api.Order](t, w.do(t, c), http.StatusCreated)
	if order.PayerBIN != broker || order.DeclarantBIN != transaction.DeclarantBIN {
		t.Errorf("%+v", order)
	}
	w.refuses(t, w.orders(transaction), http.StatusConflict, fault.OrderExists) // for the declarant
	w.act(t, "pay", order.ID, 0)
	w.orderIs(t, order.ID, "paid")
}
