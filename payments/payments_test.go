package payments_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
	"github.com/senim-kz/senim/pki/cert"
)

// From the order to the reconciled payment, over the bank's page and the
// treasury's statement.
func TestWholeFlow(t *testing.T) {
	w := newWorld(t)
	o := w.newOrder()
	page, err := w.service.Present(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.service.Present(t.Context(), o.ID); err != nil || again != page {
		t.Errorf("presented again: %q, %v", again, err)
	}
	payOnPage(t, w, page, o)
	if err := w.bank.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.get(o); got.State != order.Paid || got.Lines[0].State != order.LinePaid || got.PaymentURL != page {
		t.Errorf("paid: %+v", got)
	}

	day := kz.DayOf(w.clock.Now())
	file, err := w.bank.Statement(day)
	if err != nil {
		t.Fatal(err)
	}
	checkSchema(t, file)
	imported, err := w.service.ImportStatement(t.Context(), "day.xml", bytes.NewReader(file), statement.Options{})
	if err != nil || imported.Lines != 3 || imported.Known {
		t.Fatalf("%+v, %v", imported, err)
	}
	result, err := w.service.Reconcile(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	if result.Matched != 3 || result.MatchedAmount != o.Total || result.ExceptionCount != 0 {
		t.Errorf("%+v", result)
	}
	w.announce(2)
	got := w.get(o)
	if got.State != order.Paid || got.Lines[2].State != order.LineReconciled {
		t.Errorf("%+v", got)
	}
	want := []string{payments.EventCreated, payments.EventPresented, payments.EventPosted, payments.EventReconciled}
	if diff := cmp.Diff(want, w.events(o)); diff != "" {
		t.Error(diff)
	}
	checkBooks(t, w, o)
	checkEvidence(t, w, o)

	// Everything again changes nothing.
	if again, err := w.service.ImportStatement(t.Context(), "again.xml", bytes.NewReader(file), statement.Options{}); err != nil || !again.Known {
		t.Errorf("%+v, %v", again, err)
	}
	repeated, err := w.service.Reconcile(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(t, result), asJSON(t, repeated)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.service.Present(t.Context(), o.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("presenting a reconciled order: %v", err)
	}
	if diff := cmp.Diff(want, w.events(o)); diff != "" {
		t.Error(diff)
	}
	checkBooks(t, w, o)
}

// payOnPage reads the bill in three languages and presses the button, twice.
func payOnPage(t *testing.T, w *world, page string, o *order.Order) {
	t.Helper()
	do := func(method, target string) string {
		r := httptest.NewRequest(method, target, strings.NewReader("lang=en"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		w.bank.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			t.Fatalf("%s %s: %d", method, target, rec.Code)
		}
		return rec.Body.String()
	}
	for lang, word := range map[string]string{"kk": "Төлеушінің БСН", "ru": "БИН плательщика", "en": "Payer&#39;s BIN"} {
		body := do(http.MethodGet, page+"?lang="+lang)
		for _, text := range []string{word, o.Lines[0].Identifier.Print(), o.Total.Display(), "<button>"} {
			if !strings.Contains(body, text) {
				t.Errorf("the %s page lacks %q", lang, text)
			}
		}
	}
	for range 2 {
		if body := do(http.MethodPost, page); !strings.Contains(body, "Paid") || strings.Contains(body, "<button>") {
			t.Errorf("after paying: %s", body)
		}
	}
}

// checkSchema holds our bank's statement against the ISO schema.
func checkSchema(t *testing.T, file []byte) {
	t.Helper()
	schema := filepath.Join("..", "..", "shared", "data", "payments", "xsd", "camt.053.001.08.xsd")
	xmllint, err := exec.LookPath("xmllint")
	if _, absent := os.Stat(schema); err != nil || absent != nil {
		t.Log("xmllint or the ISO schema is absent: the statement is not held against it")
		return
	}
	cmd := exec.Command(xmllint, "--nonet", "--noout", "--schema", schema, "-")
	cmd.Stdin = bytes.NewReader(file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("xmllint: %v\n%s", err, out)
	}
}

// checkBooks: nothing is left in clearing or with the payer, the treasury has
// it all and the budget codes have what was charged.
func checkBooks(t *testing.T, w *world, o *order.Order) {
	t.Helper()
	v := w.verified()
	if v.Entries != 2 { // the payment and the settlement of the day
		t.Errorf("%d entries", v.Entries)
	}
	balances, err := ledger.BalancesAt(t.Context(), w.pool, ledger.Moment{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[ledger.Account]string{
		"budget:6009:105102": "-802067.22", "budget:6009:106104": "-288409.21", "budget:6009:106201": "-20000.00",
		"clearing:pshep": "0.00", "payer:190640017419": "0.00", "treasury:" + order.TreasuryIIK: o.Total.String(),
	}
	got := map[ledger.Account]string{}
	for _, b := range balances {
		got[b.Account] = b.Balance.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func checkEvidence(t *testing.T, w *world, o *order.Order) {
	t.Helper()
	entries, err := evidence.EntriesOf(t.Context(), w.pool, o.Transaction)
	if err != nil || len(entries) != 2 || len(entries[0].Objects) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	object, err := evidence.Get(t.Context(), w.pool, entries[1].Objects[0])
	if err != nil || !bytes.Equal(object.Raw, w.callbacks[0]) {
		t.Errorf("the message is not kept byte for byte: %v", err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A message that is not proven to be the gateway's leaves nothing but an audit
// record.
func TestUnauthenticCallbacks(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	fact := w.fact(o, "PAY-1")
	good := w.seal(fact, w.key)
	notGateway := w.issue("not the gateway", gatewayBIN, cert.OIDRoleGateway)
	tests := map[string][]byte{
		"random":         []byte("0123456789"),
		"empty":          {},
		"no signature":   []byte(gateway.EncodeFact(fact)),
		"truncated":      good[:len(good)/2],
		"amount changed": bytes.Replace(good, []byte(o.Total.String()), []byte("9"+o.Total.String()), 1),
		"envelope":       bytes.Replace(good, []byte("</messageId>"), []byte("x</messageId>"), 1),
		"another role":   w.seal(fact, notGateway),
		"SOAP fault":     shep.WriteFault(shep.ErrorInfo{Code: "FAULT015", Message: "later", Date: w.clock.Now()}),
	}
	w.clock.Advance(-time.Hour)
	tests["stale"] = w.seal(fact, w.key)
	w.clock.Advance(time.Hour)
	for name, raw := range tests {
		reply, err := w.service.AcceptCallback(t.Context(), raw)
		if !fault.Is(err, fault.CallbackUnauthentic) || reply != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.count("gateway_reference") + w.count("gateway_fact"); n != 0 {
		t.Errorf("%d things are left behind", n)
	}
	if n := w.count("audit_records WHERE action = 'payment.callback' AND outcome = $1", string(fault.CallbackUnauthentic)); n != len(tests) {
		t.Errorf("%d audit records for %d refusals", n, len(tests))
	}
	if _, err := w.service.AcceptCallback(t.Context(), make([]byte, 1<<20)); !fault.Is(err, fault.InputTooBig) {
		t.Errorf("too big: %v", err)
	}
	// The good one is taken after all of that.
	if _, err := w.service.AcceptCallback(t.Context(), good); err != nil {
		t.Error(err)
	}
}

// What is signed by the gateway and makes no sense is refused and audited.
func TestMalformedFacts(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	for name, change := range map[string]func(*gateway.Fact){
		"no reference": func(f *gateway.Fact) { f.Reference = "" },
		"reference":    func(f *gateway.Fact) { f.Reference = "a b" },
		"no payer":     func(f *gateway.Fact) { f.Payer = "" },
		"no amount":    func(f *gateway.Fact) { f.Amount = 0 },
		"negative":     func(f *gateway.Fact) { f.Amount = -5 },
		"BIC":          func(f *gateway.Fact) { f.BankBIC = "BANK" },
		"future":       func(f *gateway.Fact) { f.PaidAt = w.clock.Now().Add(time.Hour) },
	} {
		f := w.fact(o, "PAY-1")
		change(&f)
		if _, err := w.service.AcceptCallback(t.Context(), w.seal(f, w.key)); !fault.Is(err, fault.CallbackMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.count("gateway_reference"); n != 0 {
		t.Errorf("%d references are left behind", n)
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t)
	o, late := w.newOrder(), w.presented()
	if err := w.bank.SetFault(pshep.Fault{Name: pshep.LateCallback}); err != nil {
		t.Fatal(err)
	}
	if err := w.pay(late); err != nil || len(w.callbacks) != 0 {
		t.Fatalf("%d callbacks, %v", len(w.callbacks), err)
	}
	w.clock.Advance(24 * time.Hour)
	for range 2 {
		if _, err := w.service.Present(t.Context(), o.ID); !fault.Is(err, fault.OrderExpired) {
			t.Errorf("presenting after its time: %v", err)
		}
	}
	if _, err := w.service.Present(t.Context(), late.ID); !fault.Is(err, fault.OrderExpired) {
		t.Errorf("presented, and its time is over: %v", err)
	}
	if err := w.bank.Pay(o.ID); !fault.Is(err, fault.OrderNotFound) {
		t.Errorf("the gateway does not know the order: %v", err)
	}
	// The other was paid in time and is told late: it counts.
	if err := w.bank.SetFault(pshep.Fault{}); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.get(late); got.State != order.Paid {
		t.Errorf("paid in time, told late: %s", got.State)
	}
	want := []string{payments.EventCreated, payments.EventPresented, payments.EventExpired, payments.EventPosted}
	if diff := cmp.Diff(want, w.events(late)); diff != "" {
		t.Error(diff)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	draft, presented, paid := w.newOrder(), w.presented(), w.presented()
	for _, o := range []*order.Order{draft, presented} {
		for range 2 { // the second time changes nothing
			if err := w.service.Cancel(t.Context(), o.ID); err != nil {
				t.Error(err)
			}
		}
		if got := w.get(o).State; got != order.Cancelled {
			t.Errorf("the order is %s", got)
		}
		if _, err := w.service.Present(t.Context(), o.ID); !fault.Is(err, fault.OrderState) {
			t.Errorf("presenting a cancelled order: %v", err)
		}
	}
	if diff := cmp.Diff([]string{payments.EventCreated, payments.EventPresented, payments.EventCancelled}, w.events(presented)); diff != "" {
		t.Error(diff)
	}
	if err := w.bank.Pay(presented.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("paying a withdrawn bill: %v", err)
	}
	if _, err := w.service.AcceptCallback(t.Context(), w.seal(w.fact(draft, "PAY-1"), w.key)); err != nil || w.exceptions(fault.OrderState) != 1 {
		t.Errorf("a payment of a cancelled order: %v", err)
	}
	// The bank has the money and has not told of it.
	if err := w.bank.SetFault(pshep.Fault{Name: pshep.LateCallback}); err != nil {
		t.Fatal(err)
	}
	if err := w.pay(paid); err != nil {
		t.Fatal(err)
	}
	if err := w.service.Cancel(t.Context(), paid.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("cancelling what is paid: %v", err)
	}
	if got := w.get(paid).State; got == order.Cancelled || got == order.Presented {
		t.Errorf("the order is %s", got)
	}
	if err := w.service.Cancel(t.Context(), uuid.New()); !fault.Is(err, fault.OrderNotFound) {
		t.Errorf("an unknown order: %v", err)
	}
}

// The gateway's faults: each leaves the books right, and what can be told
// again is.
func TestGatewayFaults(t *testing.T) {
	tests := []struct {
		fault     pshep.FaultName
		attempts  int // until the service has what it should
		state     order.State
		exception fault.Code
	}{
		{pshep.DuplicateCallback, 1, order.Paid, ""},
		{pshep.BadSignature, 2, order.Paid, ""},
		{pshep.BadEnvelope, 2, order.Paid, ""},
		{pshep.NoSignature, 2, order.Paid, ""},
		{pshep.LateCallback, 2, order.Paid, ""},
		{pshep.WrongAmount, 1, order.PartiallyPaid, ""},
		{pshep.NoCallback, 1, order.Presented, ""},
	}
	w := newWorld(t)
	for _, tt := range tests {
		o := w.presented()
		if err := w.bank.SetFault(pshep.Fault{Name: tt.fault, Times: 1}); err != nil {
			t.Fatal(err)
		}
		err := w.pay(o)
		for range tt.attempts - 1 {
			if tt.fault != pshep.LateCallback && err == nil {
				t.Errorf("%s: the first attempt succeeded", tt.fault)
			}
			err = w.bank.Deliver(t.Context())
		}
		if err != nil {
			t.Errorf("%s: %v", tt.fault, err)
		}
		if got := w.get(o).State; got != tt.state {
			t.Errorf("%s: the order is %s", tt.fault, got)
		}
		if tt.exception != "" && w.exceptions(tt.exception) != 1 {
			t.Errorf("%s: no exception", tt.fault)
		}
	}
	w.verified()
}

func TestPresentWhenTheGatewayFails(t *testing.T) {
	w := newWorld(t)
	o := w.newOrder()
	if err := w.bank.SetFault(pshep.Fault{Name: pshep.HTTP500, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Present(t.Context(), o.ID); fault.Of(err) == nil {
		t.Errorf("HTTP 500: %v", err)
	}
	if got := w.get(o); got.State != order.Draft {
		t.Errorf("the order is %s", got.State)
	}
	if _, err := w.service.Present(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
	if _, err := w.service.Present(t.Context(), uuid.New()); !fault.Is(err, fault.OrderNotFound) {
		t.Errorf("unknown order: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	w := newWorld(t)
	good := payments.Config{Pool: w.pool, Jobs: w.jobs, Gateway: w.port, Now: w.clock.Now,
		Book: order.Book{"6009": order.Treasury("6009", officeBIN, "УГД")}}
	if _, err := payments.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*payments.Config){
		"database":       func(c *payments.Config) { c.Pool = nil },
		"jobs":           func(c *payments.Config) { c.Jobs = nil },
		"gateway":        func(c *payments.Config) { c.Gateway = nil },
		"clock":          func(c *payments.Config) { c.Now = nil },
		"no requisites":  func(c *payments.Config) { c.Book = nil },
		"requisites":     func(c *payments.Config) { c.Book = order.Book{"6009": {}} },
		"another office": func(c *payments.Config) { c.Book = order.Book{"6010": good.Book["6009"]} },
		"life":           func(c *payments.Config) { c.OrderLife = -1 },
	} {
		c := good
		change(&c)
		if _, err := payments.New(c); !fault.Is(err, fault.ConfigBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
