package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
)

// waysToPay pays orders in every way but the bank's page, over HTTP.
func (w *world) waysToPay(t *testing.T) {
	t.Run("by card", w.byCard)
	t.Run("by QR", w.byQR)
	t.Run("held first", w.heldFirst)
	t.Run("under a mandate", w.underMandate)
}

// becomes waits until an order has a state.
func (w *world) becomes(t *testing.T, o api.Order, state string) {
	t.Helper()
	var last string
	eventually(t, "order "+state, settledWithin, func() bool {
		last = string(answered[api.Order](t, w.do(t, call{method: http.MethodGet, path: orderPath(o), bearer: w.window.bearer}), http.StatusOK).State)
		return last == state
	})
}

func orderPath(o api.Order) string { return "/v1/orders/" + o.ID.String() }

// byCard has the payer choose ePay: the bill at ПШЭП is withdrawn, and the
// postLink makes the service ask.
func (w *world) byCard(t *testing.T) {
	_, o := w.ordered(t, "CARD")
	chosen := answered[api.Order](t, w.do(t, w.window.post(orderPath(o)+"/presentation?gateway=epay", "")), http.StatusOK)
	if chosen.Gateway == nil || *chosen.Gateway != "epay" || chosen.PaymentURL == nil {
		t.Fatalf("%+v", chosen)
	}
	page := *chosen.PaymentURL
	invoice := page[strings.LastIndex(page, "/")+1:]
	w.orderAt(t, http.MethodPost, w.around.sandbox.URLs().Control.Epay+"acts", fmt.Sprintf(`{"act":"pay","invoice":%q}`, invoice))
	w.becomes(t, o, "paid")
	w.refuses(t, call{method: http.MethodPost, path: "/v1/gateways/epay/callbacks", contentType: "application/json",
		body: fmt.Appendf(nil, `{"invoiceId":%q,"secret_hash":"0","code":"ok"}`, invoice)}, http.StatusUnauthorized, fault.CallbackUnauthentic)
	w.refuses(t, w.window.post(orderPath(o)+"/presentation?gateway=nowhere", ""), http.StatusNotFound, fault.GatewayUnknown)
}

func (w *world) bankDoes(t *testing.T, what string) {
	t.Helper()
	w.orderAt(t, http.MethodPost, w.around.sandbox.URLs().Control.PSHEP+"acts", what)
}

func (w *world) byQR(t *testing.T) {
	_, o := w.ordered(t, "QR")
	ask := call{method: http.MethodPost, path: orderPath(o) + "/qr", bearer: w.window.bearer}
	code := answered[api.QRCode](t, w.do(t, ask), http.StatusCreated)
	if again := answered[api.QRCode](t, w.do(t, ask), http.StatusCreated); again != code || time.Until(code.ExpiresAt) > 20*time.Minute {
		t.Errorf("%+v, again %+v", code, again)
	}
	for _, step := range []struct{ act, state string }{{"scan", "pending"}, {"block", "authorised"}, {"settle", "paid"}} {
		w.bankDoes(t, fmt.Sprintf(`{"act":%q,"qr_id":%q}`, step.act, code.ID))
		w.becomes(t, o, step.state)
	}
}

func (w *world) heldFirst(t *testing.T) {
	_, o := w.ordered(t, "HELD")
	w.refuses(t, w.window.post(orderPath(o)+"/capture", `{}`), http.StatusConflict, fault.OrderState)
	w.bankDoes(t, fmt.Sprintf(`{"act":"authorise","order_id":%q}`, o.ID))
	w.becomes(t, o, "authorised")
	captured := answered[api.Order](t, w.do(t, w.window.post(orderPath(o)+"/capture", `{}`)), http.StatusOK)
	if captured.State != "paid" {
		t.Errorf("captured: %s", captured.State)
	}
}

// underMandate has the company's head sign a mandate, and debits under it.
func (w *world) underMandate(t *testing.T) {
	_, o := w.ordered(t, "DEBIT")
	today := kz.DayOf(time.Now())
	text := func(account string) []byte {
		return fmt.Appendf(nil, `{"payer_bin":%q,"account":%q,"debit_max_tiyn":%d,"month_max_tiyn":%d,"valid_from":%q,"valid_to":%q}`,
			o.PayerBIN, account, o.TotalTiyn, o.TotalTiyn, today, today.AddDays(365))
	}
	give := func(signed []byte) call {
		c := w.window.post("/v1/mandates", "x")
		c.contentType, c.body = cmsType, signed
		return c
	}
	const account = "KZ86125KZT5004100100" // ISO 13616's example
	w.refuses(t, give(w.signedBy(t, sandbox.Head, []byte(`{"payer_bin":1}`))), http.StatusBadRequest, fault.MandateInvalid)
	w.refuses(t, give(w.signedBy(t, sandbox.Head, text("KZ00125KZT5004100100"))), http.StatusBadRequest, fault.MandateInvalid)
	signed := w.signedBy(t, sandbox.Head, text(account))
	m := answered[api.Mandate](t, w.do(t, give(signed)), http.StatusCreated)
	if m.State != "active" || m.PayerBIN != o.PayerBIN || m.Account != account {
		t.Errorf("%+v", m)
	}
	w.refuses(t, give(signed), http.StatusConflict, fault.MandateExists)

	debit := func(o api.Order) call {
		return w.window.post(orderPath(o)+"/debit", fmt.Sprintf(`{"mandate_id":%q}`, m.ID))
	}
	path := "/v1/mandates/" + m.ID.String()
	answered[api.Mandate](t, w.do(t, w.as(t, "treasury-controller").post(path+"/suspension", "")), http.StatusOK)
	w.refuses(t, debit(o), http.StatusConflict, fault.MandateState)
	answered[api.Mandate](t, w.do(t, w.window.post(path+"/resumption", "")), http.StatusOK)
	d := answered[api.Debit](t, w.do(t, debit(o)), http.StatusCreated)
	if d.State != "executed" || d.AmountTiyn != o.TotalTiyn {
		t.Errorf("%+v", d)
	}
	w.becomes(t, o, "paid")

	_, next := w.ordered(t, "DEBIT-2")
	w.refuses(t, debit(next), http.StatusUnprocessableEntity, fault.MandateLimit)
	answered[api.Mandate](t, w.do(t, w.window.post(path+"/revocation", "")), http.StatusOK)
	w.refuses(t, debit(next), http.StatusConflict, fault.MandateState)
	all := answered[api.Mandates](t, w.do(t, call{method: http.MethodGet, path: "/v1/mandates?payer_bin=" + o.PayerBIN, bearer: w.window.bearer}), http.StatusOK)
	if len(all.Mandates) != 1 || all.Mandates[0].State != "revoked" {
		t.Errorf("%+v", all)
	}
}
