package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/internal/sandbox/shep"
)

// What docs/operation.md says of peers that fail: the request is refused with a
// code that says which, nothing of it is kept, and once the peer is well the
// same request succeeds. The stand-ins are told to fail by their own control
// endpoints.
func (w *world) peersThatFail(t *testing.T) {
	// Nodes that wait a second, or some, where the others wait as long as the real
	// peers promise. While TSP is silent, OCSP must be able to answer in time.
	impatient := w.another(t, func(c *config.Config) {
		c.Timestamp.Timeout, c.SHEP.Timeout = time.Second, time.Second
	}, time.Now)
	lessPatient := w.another(t, func(c *config.Config) { c.Timestamp.Timeout = 5 * time.Second }, time.Now)
	u := w.around.sandbox.URLs()
	for _, row := range []struct {
		name    string
		control string
		fault   string
		status  int // 201: the fault is survived
		code    fault.Code
		node    *demo
	}{
		{"OCSP and CRL are silent", u.Control.NCA, `{"ocsp":"timeout","crl":"timeout"}`, 503, fault.RevocationUndetermined, impatient},
		{"OCSP and CRL are down", u.Control.NCA, `{"ocsp":"unavailable","crl":"unavailable"}`, 503, fault.RevocationUndetermined, w.demo},
		{"OCSP and CRL are forged", u.Control.NCA, `{"ocsp":"bad_signature","crl":"bad_signature"}`, 503, fault.RevocationUndetermined, w.demo},
		{"OCSP and CRL are a month old", u.Control.NCA, `{"ocsp":"stale","crl":"stale"}`, 503, fault.RevocationUndetermined, w.demo},
		{"OCSP by another responder, no CRL", u.Control.NCA, `{"ocsp":"wrong_responder","crl":"unavailable"}`, 503, fault.RevocationUndetermined, w.demo},
		{"OCSP with another nonce, no CRL", u.Control.NCA, `{"ocsp":"wrong_nonce","crl":"unavailable"}`, 503, fault.RevocationUndetermined, w.demo},
		{"OCSP about another certificate, no CRL", u.Control.NCA, `{"ocsp":"wrong_certificate","crl":"unavailable"}`, 503, fault.RevocationUndetermined, w.demo},
		{"OCSP is down and the CRL is not", u.Control.NCA, `{"ocsp":"unavailable"}`, 201, "", w.demo},

		{"TSP is silent", u.Control.NCA, `{"tsp":"timeout"}`, 503, fault.PeerDown, lessPatient},
		{"TSP is down", u.Control.NCA, `{"tsp":"unavailable"}`, 503, fault.PeerDown, w.demo},
		{"TSP refuses", u.Control.NCA, `{"tsp":"reject"}`, 503, fault.PeerDown, w.demo},
		{"TSP is forged", u.Control.NCA, `{"tsp":"bad_signature"}`, 503, fault.PeerAnswer, w.demo},
		{"TSP stamps something else", u.Control.NCA, `{"tsp":"wrong_imprint"}`, 503, fault.PeerAnswer, w.demo},
		{"TSP answers another request", u.Control.NCA, `{"tsp":"wrong_nonce"}`, 503, fault.PeerAnswer, w.demo},

		{"ШЭП is silent", u.Control.SHEP, `{"fault":"timeout"}`, 503, fault.PeerDown, impatient},
		{"ШЭП is slow", u.Control.SHEP, `{"fault":"slow","delay_ms":300}`, 201, "", w.demo},
		{"ШЭП answers an error page", u.Control.SHEP, `{"fault":"http_500"}`, 503, fault.PeerAnswer, w.demo},
		{"ШЭП has a fault", u.Control.SHEP, `{"fault":"soap_fault"}`, 503, fault.ShepFault, w.demo},
		{"ШЭП's envelope is forged", u.Control.SHEP, `{"fault":"bad_envelope_signature"}`, 503, fault.PeerAnswer, w.demo},
		{"ШЭП answers another request", u.Control.SHEP, `{"fault":"wrong_correlation"}`, 503, fault.PeerAnswer, w.demo},
		{"ГБД ЮЛ is forged", u.Control.SHEP, `{"fault":"bad_payload_signature"}`, 503, fault.PeerAnswer, w.demo},
		{"ГБД ЮЛ fails", u.Control.SHEP, `{"fault":"scse003"}`, 503, fault.ShepTechnical, w.demo},
		{"ГБД ЮЛ refuses", u.Control.SHEP, `{"fault":"scse001"}`, 422, fault.OrganisationNotFound, w.demo},
		{"ГБД ЮЛ says nothing", u.Control.SHEP, `{"fault":"empty_data"}`, 503, fault.ShepDataMissing, w.demo},
	} {
		t.Run(row.name, func(t *testing.T) {
			transaction := w.opened(t, "PEER")
			w.order(t, row.control, row.fault)
			defer w.healed(t)
			var document api.Document
			err := row.node.send(t.Context(), row.node.window, transaction.ID, w.signed, &document)
			if row.status == http.StatusCreated {
				check(t, err)
				return
			}
			if p := problemOf(t, err); p.Status != row.status || p.Code != string(row.code) {
				t.Errorf("refused with %v, want %d %s", p, row.status, row.code)
			}
			w.untouched(t, transaction)
			w.healed(t)
			answered[api.Document](t, w.do(t, w.documents(transaction, w.signed)), http.StatusCreated)
		})
	}
	t.Run("a revoked signer by CRL alone", func(t *testing.T) {
		transaction := w.opened(t, "PEER")
		w.order(t, u.Control.NCA, `{"ocsp":"unavailable"}`)
		defer w.healed(t)
		w.refuses(t, w.documents(transaction, w.signedBy(t, sandbox.Dismissed, w.declaration)), 422, fault.CertificateRevoked)
		w.untouched(t, transaction)
	})
	t.Run("TSP's certificate is on hold", func(t *testing.T) {
		stamper, err := w.service.stamper()
		check(t, err)
		token, err := stamper.Stamp(t.Context(), []byte("who are you"))
		check(t, err)
		signer, err := token.VerifySignature()
		check(t, err)
		change := func(action string) {
			w.orderAt(t, http.MethodPost, u.Control.NCA+"certificates", fmt.Sprintf(`{"serial":"%x","action":%q}`, signer.Serial, action))
		}
		change("hold")
		node := w.another(t, func(*config.Config) {}, time.Now) // the others remember
		transaction := w.opened(t, "PEER")
		var document api.Document
		err = node.send(t.Context(), node.window, transaction.ID, w.signed, &document)
		change("unhold")
		if p := problemOf(t, err); p.Status != http.StatusServiceUnavailable || p.Code != string(fault.PeerAnswer) {
			t.Errorf("refused with %v", p)
		}
		w.untouched(t, transaction)
	})
}

// order tells a stand-in something by its control endpoint.
func (w *world) order(t *testing.T, control, what string) {
	t.Helper()
	w.orderAt(t, http.MethodPost, control+"faults", what)
}

func (w *world) orderAt(t *testing.T, method, url, what string) {
	t.Helper()
	check(t, w.window.call(t.Context(), request{method: method, path: url, contentType: "application/json", body: []byte(what)}, nil))
}

func (w *world) healed(t *testing.T) {
	t.Helper()
	c := w.around.sandbox.URLs().Control
	for _, control := range []string{c.NCA, c.SHEP, c.PSHEP} {
		w.order(t, control, `{}`)
	}
}

// whatTheRegisterSays changes the company's record in ГБД ЮЛ: what the signer
// may do follows it.
func (w *world) whatTheRegisterSays(t *testing.T) {
	organisations := w.around.sandbox.URLs().Control.SHEP + "organisations"
	company := w.around.sandbox.Gateway().State().Organisations[sandbox.CompanyBIN]
	put := func(o shep.Organisation) {
		raw, err := json.Marshal(o)
		check(t, err)
		w.orderAt(t, http.MethodPut, organisations, string(raw))
	}
	defer put(company)
	for _, row := range []struct {
		name   string
		change func(*shep.Organisation)
		code   fault.Code
	}{
		{"liquidated", func(o *shep.Organisation) { o.LiquidatedOn = kz.DayOf(time.Now()).AddDays(-1) }, fault.OrganisationLiquidated},
		{"another head", func(o *shep.Organisation) { head := *o.Head; head.IIN = neighbour.IIN; o.Head = &head }, fault.SignerNotHead},
		{"no head", func(o *shep.Organisation) { o.Head = nil }, fault.HeadUnknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := company
			row.change(&changed)
			put(changed)
			transaction := w.opened(t, "REGISTER")
			w.refuses(t, w.documents(transaction, w.signed), 422, row.code)
			w.untouched(t, transaction)
		})
	}
	t.Run("the company is in no register", func(t *testing.T) {
		transaction := w.opened(t, "REGISTER")
		signed, err := w.signAs(t.Context(), w.stranger(t, "head", neighbour), w.declaration)
		check(t, err)
		w.refuses(t, w.documents(transaction, signed), 422, fault.OrganisationNotFound)
		w.untouched(t, transaction)
	})
}

// ordered is a new transaction with an order to pay.
func (w *world) ordered(t *testing.T, reference string) (api.Transaction, api.Order) {
	t.Helper()
	transaction := w.opened(t, reference)
	answered[api.Document](t, w.do(t, w.documents(transaction, w.signed)), http.StatusCreated)
	return transaction, answered[api.Order](t, w.do(t, w.orders(transaction)), http.StatusCreated)
}

// settledWithin bounds the wait for a payment: the stand-in tells again every
// two seconds, and the queue is asked every second.
const settledWithin = 2 * time.Minute

// paymentsThatFail pays with a gateway that fails in every way it can. All are
// in one statement at the end.
func (w *world) paymentsThatFail(t *testing.T) {
	control := w.around.sandbox.URLs().Control.PSHEP
	const total = 1_110_476_43
	event := func(transaction api.Transaction, kind string) func() bool {
		return func() bool { return countEvents(w.shown(t, transaction), kind) > 0 }
	}
	type outcome struct {
		posted bool
		events map[string]int
		less   int64 // than is owed
	}
	good := outcome{true, map[string]int{"payment.posted": 1}, 0}
	exceptions := make(map[string]fault.Code) // by payment identifier
	for _, row := range []struct {
		name, fault string
		until       string // what shows that the fault has struck
		heal        bool   // then the gateway is well again
		want        outcome
	}{
		{"told twice", `{"fault":"duplicate_callback","times":1}`, "payment.posted", false, good},
		{"a forged fact, then a good one", `{"fault":"bad_signature","times":1}`, "payment.posted", false, good},
		{"a forged envelope, then a good one", `{"fault":"bad_envelope_signature","times":1}`, "payment.posted", false, good},
		{"unsigned, then signed", `{"fault":"no_signature","times":1}`, "payment.posted", false, good},
		{"told late", `{"fault":"late_callback"}`, "", true, good},
		{"a tiyn less", `{"fault":"wrong_amount","times":1}`, "payment.posted", false, outcome{true, map[string]int{"payment.posted": 1}, 1}},
		{"never told", `{"fault":"no_callback","times":1}`, "", false, outcome{false, nil, 0}},
	} {
		t.Run(row.name, func(t *testing.T) {
			transaction, order := w.ordered(t, "PAY")
			w.order(t, control, row.fault)
			defer w.healed(t)
			check(t, w.pressPay(t.Context(), *order.PaymentURL))
			if row.until != "" {
				eventually(t, row.until, settledWithin, event(transaction, row.until))
			} else {
				eventually(t, "the fault strikes", settledWithin, func() bool { return w.struck(t, control, row.heal) })
				w.notPosted(t, transaction)
			}
			if row.heal {
				w.healed(t)
				eventually(t, "the payment is posted", settledWithin, event(transaction, "payment.posted"))
			}
			shown := w.shown(t, transaction)
			for kind, n := range row.want.events {
				if got := countEvents(shown, kind); got != n {
					t.Errorf("%s: %d times, want %d", kind, got, n)
				}
			}
			if row.want.posted {
				w.postedOnce(t, transaction, total-row.want.less)
				if row.want.less > 0 { // the treasury has it whole: some of it was not told of
					exceptions[order.Lines[len(order.Lines)-1].Identifier] = fault.NotPosted
				}
				return
			}
			w.notPosted(t, transaction)
			for _, line := range order.Lines {
				exceptions[line.Identifier] = fault.NotPosted
			}
		})
	}
	t.Run("bills", func(t *testing.T) { w.bills(t, control) })
	t.Run("in the statement", func(t *testing.T) { w.exceptionsOfTheDay(t, exceptions) })
}

// notPosted looks that nothing of a payment is in the ledger, nor shown as paid.
func (w *world) notPosted(t *testing.T, transaction api.Transaction) {
	t.Helper()
	shown := w.shown(t, transaction)
	if n, _ := w.posted(t, transaction); n != 0 || shown.State != "ordered" || shown.Totals.PaidTiyn != 0 {
		t.Errorf("%d entries, the dossier says %s, %+v", n, shown.State, shown.Totals)
	}
}

// struck asks the gateway whether its fault is used up. One that lasts until it
// is healed strikes whenever the gateway gets to it.
func (w *world) struck(t *testing.T, control string, lasts bool) bool {
	t.Helper()
	var left pshep.Fault
	check(t, w.window.call(t.Context(), request{method: http.MethodGet, path: control + "faults"}, &left))
	return lasts || left.Name == pshep.None
}

// bills asks for orders while the gateway takes none: the order waits as a
// draft and the same request presents it later.
func (w *world) bills(t *testing.T, control string) {
	impatient := w.another(t, func(c *config.Config) { c.SHEP.Timeout = time.Second }, time.Now)
	for name, row := range map[string]struct {
		fault string
		node  *demo
		code  fault.Code
	}{
		"no answer":     {`{"fault":"timeout"}`, impatient, fault.PeerDown},
		"an error page": {`{"fault":"http_500"}`, w.demo, fault.PeerAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			transaction := w.opened(t, "BILL")
			answered[api.Document](t, w.do(t, w.documents(transaction, w.signed)), http.StatusCreated)
			ask := request{method: http.MethodPost, path: w.orders(transaction).path, idempotencyKey: uuid.NewString()}
			w.order(t, control, row.fault)
			err := row.node.window.call(t.Context(), ask, nil)
			w.healed(t)
			if p := problemOf(t, err); p.Status != http.StatusServiceUnavailable || p.Code != string(row.code) {
				t.Errorf("refused with %v, want %s", p, row.code)
			}
			if shown := w.shown(t, transaction); len(shown.Orders) != 1 || shown.Orders[0].State != "draft" || shown.Orders[0].PaymentURL != nil {
				t.Errorf("while the gateway fails there is %+v", shown.Orders)
			}
			var order api.Order
			check(t, w.window.call(t.Context(), ask, &order)) // which waits as long as it takes
			if order.PaymentURL == nil || order.State != "presented" {
				t.Errorf("%+v", order)
			}
		})
	}
}

// exceptionsOfTheDay reconciles: what was posted is matched, and the money that
// nobody told of properly is an exception with its reason.
func (w *world) exceptionsOfTheDay(t *testing.T, want map[string]fault.Code) {
	days := w.days()
	var result api.Reconciliation
	for _, day := range days {
		imported := w.imported(t, day)
		if imported.Bad > 0 || imported.Lines > 0 && !slices.Contains(imported.Days, day) {
			t.Fatalf("imported %+v", imported)
		}
		reconciled := w.reconciled(t, day)
		if again := w.reconciled(t, day); fmt.Sprint(again) != fmt.Sprint(reconciled) {
			t.Errorf("the day again: %+v, before %+v", again, reconciled)
		}
		result = sum(result, reconciled)
	}
	found := make(map[string]fault.Code)
	for _, e := range result.Exceptions {
		found[e.Identifier] = fault.Code(e.Code)
	}
	for identifier, code := range want {
		if found[identifier] != code {
			t.Errorf("%s is %q, want %s", identifier, found[identifier], code)
		}
	}
	if len(found) != len(want) || result.ExceptionCount != len(want) || result.Matched == 0 {
		t.Errorf("%d matched, %d exceptions, want %d: %v", result.Matched, result.ExceptionCount, len(want), found)
	}
	if v, err := w.service.payments.VerifyLedger(t.Context()); err != nil {
		t.Errorf("the ledger: %v %+v", err, v)
	}
	w.reports(t, days[0], result)
}
