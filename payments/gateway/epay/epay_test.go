package epay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	stand "github.com/senim-kz/senim/internal/sandbox/epay"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/gateway/epay"
)

const secret = "not-a-secret"

// world is the adapter with the stand-in behind HTTP, and the service's end of
// postLinks.
type world struct {
	*epay.Adapter
	t       *testing.T
	pool    *pgxpool.Pool
	bank    *stand.Gateway
	api     string
	client  func(timeout time.Duration) *fetch.Client
	config  epay.Config
	asked   int // by the adapter
	mu      sync.Mutex
	now     time.Time
	facts   []gateway.Fact
	refused []error
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// counting counts what is asked.
type counting struct {
	*fetch.Client
	w *world
}

func (c counting) Get(ctx context.Context, u string, h http.Header, max int64) (int, []byte, error) {
	c.w.asked++
	return c.Client.Get(ctx, u, h, max)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, pool: postgrestest.Pool(t), now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	service := httptest.NewServer(http.HandlerFunc(w.postLink))
	t.Cleanup(service.Close)
	var bank http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { bank.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	host := func(s string) string { u, _ := url.Parse(s); return u.Host }
	hosts := []string{host(service.URL), host(server.URL)}
	w.client = func(timeout time.Duration) *fetch.Client {
		client, err := fetch.New(fetch.Config{AllowedHosts: hosts, AllowLoopback: true, Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	client := w.client(time.Minute)
	var err error
	w.bank, err = stand.Open(stand.Config{BaseURL: server.URL, Secret: secret, Poster: client, Now: w.clock, Retry: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	bank, w.api = w.bank.Handler(), server.URL
	w.config = epay.Config{
		OAuthURL: server.URL + stand.PathToken, APIURL: server.URL, PostLink: service.URL + "/postlink", BackLink: "https://example.kz/done",
		ClientID: stand.ClientID, Secret: []byte(secret), Terminal: stand.Terminal, BankBIC: "HSBKKZKX",
		Caller: counting{client, w}, Pool: w.pool, Now: w.clock,
	}
	w.Adapter = w.open(w.config)
	return w
}

func (w *world) open(c epay.Config) *epay.Adapter {
	w.t.Helper()
	a, err := epay.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) postLink(rw http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var callback *gateway.Callback
	if err == nil {
		callback, err = w.Open(r.Context(), raw)
	}
	if err != nil {
		w.refused = append(w.refused, err)
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.facts = append(w.facts, callback.Fact)
	if !bytes.Equal(callback.Raw, raw) || len(callback.Asked.Received) == 0 {
		w.t.Error("the messages are not kept")
	}
	reply, err := w.Reply(callback, gateway.Receipt{Reference: callback.Fact.Reference, ReceivedAt: w.clock()})
	if err != nil || !json.Valid(reply) {
		w.t.Errorf("%q, %v", reply, err)
	}
	_, _ = rw.Write(reply)
}

func (w *world) bill() gateway.Bill {
	return gateway.Bill{Order: uuid.New(), Number: 1, Payer: "190640017419", Amount: 1_500_50, Owed: 1_500_50, ExpiresAt: w.clock().Add(72 * time.Hour)}
}

// registered is a bill with its invoice.
func (w *world) registered() (gateway.Bill, string) {
	w.t.Helper()
	b := w.bill()
	r, err := w.Register(w.t.Context(), b)
	if err != nil {
		w.t.Fatal(err)
	}
	return b, r.Reference
}

func (w *world) do(name stand.ActName, invoice string) error {
	w.t.Helper()
	if err := w.bank.Do(stand.Act{Name: name, Invoice: invoice}); err != nil {
		w.t.Fatal(err)
	}
	return w.bank.Deliver(w.t.Context())
}

func (w *world) fault(name stand.FaultName) {
	w.t.Helper()
	if err := w.bank.SetFault(stand.Fault{Name: name, Times: 1}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) status(b gateway.Bill) []gateway.Fact {
	w.t.Helper()
	a, err := w.Status(w.t.Context(), b.Order)
	if err != nil {
		w.t.Fatal(err)
	}
	return a.Facts
}

func TestRegisterAgainIsTheSame(t *testing.T) {
	w := newWorld(t)
	b := w.bill()
	first, err := w.Register(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(first.Sent, []byte(secret)) || bytes.Contains(first.Sent, []byte("Bearer")) || len(first.Received) == 0 {
		t.Errorf("the evidence holds %q and %q", first.Sent, first.Received)
	}
	again, err := w.Register(t.Context(), b)
	if err != nil || again.Reference != first.Reference || again.PaymentURL != first.PaymentURL {
		t.Errorf("%+v, %v", again, err)
	}
	if got := w.status(b); len(got) != 0 {
		t.Errorf("nobody has paid, and there is %+v", got)
	}
	if _, err := w.Status(t.Context(), uuid.New()); !fault.Is(err, fault.GatewayRefused) {
		t.Errorf("an order that is not there: %v", err)
	}
}

// The order is registered, and the answer does not come: asked again, the same
// page is found.
func TestAnswerLost(t *testing.T) {
	w := newWorld(t)
	b := w.bill()
	w.fault(stand.AnswerLost)
	_, err := w.Register(t.Context(), b)
	if x, ok := gateway.ExchangeOf(err); !fault.Is(err, fault.PeerDown) || !ok || len(x.Sent) == 0 {
		t.Fatalf("%v", err)
	}
	if _, err := w.Register(t.Context(), b); err != nil {
		t.Error(err)
	}
	var invoices int
	if err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM epay_invoice`).Scan(&invoices); err != nil || invoices != 1 {
		t.Errorf("%d invoices, %v", invoices, err)
	}
}

func TestPaidByCard(t *testing.T) {
	w := newWorld(t)
	b, invoice := w.registered()
	if err := w.do(stand.Pay, invoice); err != nil {
		t.Fatal(err)
	}
	want := gateway.Fact{Kind: gateway.Captured, Reference: w.facts[0].Reference, Order: b.Order, BankBIC: "HSBKKZKX", Amount: b.Amount, PaidAt: w.clock()}
	if len(w.facts) != 1 || w.facts[0] != want {
		t.Errorf("told %+v", w.facts)
	}
	if got := w.status(b); len(got) != 1 || got[0] != want {
		t.Errorf("asked %+v", got)
	}
}

// The rest of an order is another bill: another invoice, and both are asked
// about.
func TestSecondBill(t *testing.T) {
	w := newWorld(t)
	b, first := w.registered()
	if err := w.do(stand.Pay, first); err != nil {
		t.Fatal(err)
	}
	b.Number, b.Owed = 2, 100
	r, err := w.Register(t.Context(), b)
	if err != nil || r.Reference == first {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := w.do(stand.Hold, r.Reference); err != nil {
		t.Fatal(err)
	}
	got := w.status(b)
	if len(got) != 2 || got[0].Kind != gateway.Captured || got[1].Kind != gateway.Authorised || got[1].Amount != 100 {
		t.Fatalf("%+v", got)
	}
	if _, err := w.Capture(t.Context(), gateway.CaptureOrder{Order: b.Order, Authorisation: got[1].Reference, Amount: 100}); err != nil {
		t.Error(err)
	}
	if _, err := w.Refund(t.Context(), gateway.RefundOrder{ID: uuid.New(), Order: b.Order, Payment: w.facts[1].Reference[:36], Amount: 100}); err != nil {
		t.Error(err)
	}
}

// What a postLink says is not believed, and one that nobody can have sent is
// refused before anything is asked.
func TestPostLinks(t *testing.T) {
	w := newWorld(t)
	b, invoice := w.registered()

	w.fault(stand.OtherAmount)
	if err := w.do(stand.Pay, invoice); err != nil {
		t.Fatal(err)
	}
	if len(w.facts) != 1 || w.facts[0].Amount != b.Amount {
		t.Errorf("another amount was believed: %+v", w.facts)
	}

	_, second := w.registered()
	w.fault(stand.WrongSecret)
	asked := w.asked
	if err := w.do(stand.Pay, second); err == nil || len(w.refused) == 0 || !fault.Is(w.refused[0], fault.CallbackUnauthentic) || w.asked != asked {
		t.Errorf("a wrong secret: %v, %v, asked %d", err, w.refused, w.asked-asked)
	}

	third, number := w.registered()
	w.fault(stand.DuplicatePostLink)
	before := len(w.facts)
	if err := w.do(stand.Pay, number); err == nil { // the second's postLink still waits, and is refused again
		t.Error("the wrong secret was taken")
	}
	if told := w.facts[before:]; len(told) != 2 || told[0] != told[1] || told[0].Order != third.Order {
		t.Errorf("told twice: %+v", told)
	}

	w.fault(stand.NoPostLink)
	fourth, number := w.registered()
	_ = w.do(stand.Pay, number)
	if got := w.status(fourth); len(got) != 1 || got[0].Kind != gateway.Captured {
		t.Errorf("never told, and asked: %+v", got)
	}
}

func TestForgedPostLinks(t *testing.T) {
	w := newWorld(t)
	_, invoice := w.registered()
	other := w.config
	other.Secret = []byte("of another merchant")
	tests := map[string]string{
		"empty":          "",
		"not JSON":       "<xml/>",
		"no invoice":     `{"secret_hash":"0"}`,
		"long invoice":   `{"invoiceId":"1234567890123456"}`,
		"no secret":      fmt.Sprintf(`{"invoiceId":%q,"code":"ok"}`, invoice),
		"short secret":   fmt.Sprintf(`{"invoiceId":%q,"secret_hash":"00"}`, invoice),
		"number":         fmt.Sprintf(`{"invoiceId":%s}`, invoice),
		"an unknown one": `{"invoiceId":"999999999999","secret_hash":"` + strings.Repeat("0", 64) + `"}`,
		"too long":       `{"invoiceId":"` + invoice + `","name":"` + strings.Repeat("x", 70_000) + `"}`,
	}
	for name, body := range tests {
		if _, err := w.Open(t.Context(), []byte(body)); !fault.Is(err, fault.CallbackUnauthentic) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.asked != 0 {
		t.Errorf("ePay was asked %d times", w.asked)
	}
}

func TestHeldMoney(t *testing.T) {
	w := newWorld(t)
	b, invoice := w.registered()
	if err := w.do(stand.Hold, invoice); err != nil || w.facts[0].Kind != gateway.Authorised {
		t.Fatalf("%+v, %v", w.facts, err)
	}
	capture := gateway.CaptureOrder{Order: b.Order, Authorisation: w.facts[0].Reference, Amount: b.Amount}
	for name, change := range map[string]func(c *gateway.CaptureOrder){
		"too much":     func(c *gateway.CaptureOrder) { c.Amount++ },
		"another hold": func(c *gateway.CaptureOrder) { c.Authorisation = "x.auth" },
		"other order":  func(c *gateway.CaptureOrder) { c.Order = uuid.New() },
	} {
		c := capture
		change(&c)
		if _, err := w.Capture(t.Context(), c); !fault.Is(err, fault.GatewayRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	capture.Amount -= 50
	w.fault(stand.AnswerLost) // strikes the question before it
	if _, err := w.Capture(t.Context(), capture); !fault.Is(err, fault.PeerDown) {
		t.Errorf("ePay is down: %v", err)
	}
	for range 2 { // and the same again
		a, err := w.Capture(t.Context(), capture)
		if err != nil || len(a.Facts) != 1 || a.Facts[0].Kind != gateway.Captured || a.Facts[0].Amount != b.Amount-50 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if _, err := w.Cancel(t.Context(), b.Order); !fault.Is(err, fault.GatewayRefused) {
		t.Errorf("cancelling what is charged: %v", err)
	}

	b, invoice = w.registered()
	_ = w.do(stand.Hold, invoice)
	for range 2 {
		a, err := w.Cancel(t.Context(), b.Order)
		if err != nil || len(a.Facts) != 1 || a.Facts[0].Kind != gateway.Failed || a.Facts[0].Original == "" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	_ = w.do(stand.Fail, invoice)
	if got := w.status(b); got[0].Kind != gateway.Failed {
		t.Errorf("a declined card: %+v", got)
	}
	unpaid, _ := w.registered()
	if a, err := w.Cancel(t.Context(), unpaid.Order); err != nil || len(a.Facts) != 0 {
		t.Errorf("nobody has tried: %+v, %v", a, err)
	}
}

func TestRefunds(t *testing.T) {
	w := newWorld(t)
	b, invoice := w.registered()
	if err := w.do(stand.Pay, invoice); err != nil {
		t.Fatal(err)
	}
	refund := gateway.RefundOrder{ID: uuid.New(), Order: b.Order, Payment: w.facts[0].Reference, Amount: 500_50}
	w.fault(stand.RefundAnswerLost)
	if _, err := w.Refund(t.Context(), refund); !fault.Is(err, fault.PeerDown) {
		t.Fatalf("answer lost: %v", err)
	}
	var first gateway.Fact
	for i := range 3 { // the lost one, and again: it goes back once
		w.mu.Lock()
		w.now = w.now.Add(time.Minute)
		w.mu.Unlock()
		a, err := w.Refund(t.Context(), refund)
		if err != nil || len(a.Facts) != 1 || a.Facts[0].Kind != gateway.Refunded || a.Facts[0].Original != refund.ID.String() {
			t.Fatalf("%+v, %v", a, err)
		}
		if i == 0 {
			first = a.Facts[0]
		} else if a.Facts[0] != first {
			t.Errorf("told again %+v, first %+v", a.Facts[0], first)
		}
	}
	if got := w.status(b); len(got) != 2 || got[0].Kind != gateway.Captured || got[1] != first {
		t.Errorf("asked: %+v", got)
	}
	other := refund
	other.Amount++
	if _, err := w.Refund(t.Context(), other); !fault.Is(err, fault.GatewayRefused) {
		t.Errorf("another refund under the id: %v", err)
	}
	rest := gateway.RefundOrder{ID: uuid.New(), Order: b.Order, Payment: refund.Payment, Amount: b.Amount}
	if _, err := w.Refund(t.Context(), rest); !fault.Is(err, fault.GatewayRefused) {
		t.Errorf("more than is left: %v", err)
	}
	rest.ID, rest.Amount = uuid.New(), b.Amount-refund.Amount
	if _, err := w.Refund(t.Context(), rest); err != nil {
		t.Errorf("the rest: %v", err)
	}
	for name, change := range map[string]func(r *gateway.RefundOrder){
		"payment": func(r *gateway.RefundOrder) { r.Payment = "../../oauth2/token" },
		"order":   func(r *gateway.RefundOrder) { r.Order = uuid.New() },
	} {
		r := gateway.RefundOrder{ID: uuid.New(), Order: b.Order, Payment: refund.Payment, Amount: 1}
		change(&r)
		if _, err := w.Refund(t.Context(), r); !fault.Is(err, fault.GatewayRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	w := newWorld(t)
	b := w.bill()
	w.fault(stand.TokenRefused)
	if _, err := w.Register(t.Context(), b); !fault.Is(err, fault.GatewayDenied) {
		t.Errorf("%v", err)
	}
	wrong := w.config
	wrong.Secret = []byte("wrong")
	if _, err := w.open(wrong).Register(t.Context(), b); !fault.Is(err, fault.GatewayDenied) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
	w.fault(stand.Timeout)
	impatient := w.config
	impatient.Caller = w.client(time.Second)
	if _, err := w.open(impatient).Register(t.Context(), b); !fault.Is(err, fault.PeerDown) {
		t.Errorf("a silent gateway: %v", err)
	}
}

// Invoices are given out at once, and no two end alike within the window.
func TestInvoicesDifferInTheirTails(t *testing.T) {
	w := newWorld(t)
	const count = 12
	seen := make(chan string, 2*count)
	var wg sync.WaitGroup
	for range count {
		b := w.bill()
		for range 2 { // the same order twice at once
			wg.Go(func() {
				r, err := w.Register(t.Context(), b)
				if err != nil {
					t.Error(err)
					return
				}
				seen <- r.Reference
			})
		}
	}
	wg.Wait()
	close(seen)
	tails := map[string]string{}
	for invoice := range seen {
		if n := len(invoice); n < 6 || n > 15 {
			t.Errorf("invoice %s", invoice)
		}
		tails[invoice[len(invoice)-6:]] = invoice
	}
	if len(tails) != count {
		t.Errorf("%d tails of %d orders", len(tails), count)
	}

	// A million invoices later the same tails come again.
	back := func(n int64) {
		if _, err := w.pool.Exec(t.Context(), `SELECT setval('epay_invoice_number', $1)`, n); err != nil {
			t.Fatal(err)
		}
	}
	back(1_000_000)
	if _, err := w.Register(t.Context(), w.bill()); err != nil {
		t.Errorf("the taken tails are not passed over: %v", err)
	}
	if _, err := w.pool.Exec(t.Context(), `INSERT INTO epay_tail SELECT g, $1 FROM generate_series(500, 999) g`, w.clock()); err != nil {
		t.Fatal(err)
	}
	back(2_000_500)
	if _, err := w.Register(t.Context(), w.bill()); !fault.Is(err, fault.GatewayExhausted) {
		t.Errorf("every tail is taken: %v", err)
	}
	w.mu.Lock()
	w.now = w.now.Add(epay.DefaultWindow)
	w.mu.Unlock()
	b := w.bill()
	b.ExpiresAt = w.now.Add(time.Hour)
	if _, err := w.Register(t.Context(), b); err != nil {
		t.Errorf("the window is over: %v", err)
	}
}

// answers of a bank that misbehaves.
type answers struct{ body string }

func (a answers) Get(context.Context, string, http.Header, int64) (int, []byte, error) {
	return http.StatusOK, []byte(a.body), nil
}

func (answers) Post(context.Context, string, http.Header, []byte, int64) (int, []byte, error) {
	return http.StatusOK, []byte(`{"access_token":"t","token_type":"Bearer"}`), nil
}

func TestStatusAnswers(t *testing.T) {
	w := newWorld(t)
	b, invoice := w.registered()
	good := fmt.Sprintf(`{"resultCode":"100","transaction":{"id":"T-1","createdDate":"2026-11-20T13:00:00+05:00","invoiceID":%q,"amount":1500.5,"currency":"KZT","statusName":"CHARGE"}}`, invoice)
	tests := []struct {
		name, old, new string
		code           fault.Code
	}{
		{"good", "T-1", "T-2", ""},
		{"not JSON", "{", "<", fault.GatewayAnswer},
		{"another invoice", invoice, "123456", fault.GatewayAnswer},
		{"currency", "KZT", "USD", fault.GatewayAnswer},
		{"amount", "1500.5", "1500.555", fault.GatewayAnswer},
		{"no amount", "1500.5", "0", fault.GatewayAnswer},
		{"huge amount", "1500.5", "1e30", fault.GatewayAnswer},
		{"status", "CHARGE", "MAYBE", fault.GatewayAnswer},
		{"identifier", "T-1", "../T", fault.GatewayAnswer},
		{"date", "+05:00", "", fault.GatewayAnswer},
		{"in the future", "2026-11-20", "2026-11-21", fault.GatewayAnswer},
		{"another terminal", `"currency"`, `"terminal":"x","currency"`, fault.GatewayAnswer},
		{"their error", `"100"`, `"103"`, fault.PeerDown},
		{"later", `"100"`, `"107"`, fault.PeerDown},
		{"not our terminal", `"100"`, `"109"`, fault.GatewayDenied},
		{"unknown code", `"100"`, `"1"`, fault.GatewayAnswer},
		{"rejected", "CHARGE", "REJECT", ""},
		{"begun", "CHARGE", "NEW", ""},
	}
	for _, tt := range tests {
		c := w.config
		c.Caller = answers{strings.Replace(good, tt.old, tt.new, 1)}
		_, err := w.open(c).Status(t.Context(), b.Order)
		if fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(c *epay.Config){
		"token address": func(c *epay.Config) { c.OAuthURL = "oauth" },
		"API address":   func(c *epay.Config) { c.APIURL = "" },
		"postLink":      func(c *epay.Config) { c.PostLink = "https://a.kz/?x=1" },
		"client":        func(c *epay.Config) { c.ClientID = "" },
		"secret":        func(c *epay.Config) { c.Secret = nil },
		"terminal":      func(c *epay.Config) { c.Terminal = "" },
		"bank":          func(c *epay.Config) { c.BankBIC = "" },
		"HTTP":          func(c *epay.Config) { c.Caller = nil },
		"database":      func(c *epay.Config) { c.Pool = nil },
		"clock":         func(c *epay.Config) { c.Now = nil },
		"window":        func(c *epay.Config) { c.Window = -1 },
	} {
		c := w.config
		change(&c)
		if _, err := epay.New(c); !fault.Is(err, fault.ConfigBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPostLink(f *testing.F) {
	a, err := epay.New(epay.Config{
		OAuthURL: "http://a/o", APIURL: "http://a", PostLink: "http://b/p", BackLink: "http://b/d", ClientID: "c", Secret: []byte("s"),
		Terminal: "t", BankBIC: "HSBKKZKX", Caller: answers{}, Pool: new(pgxpool.Pool), Now: time.Now,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"invoiceId":"100000000001","secret_hash":"00","amount":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		// Nobody guesses a secret, so nothing is asked and nothing is believed.
		if _, err := a.Open(t.Context(), raw); !fault.Is(err, fault.CallbackUnauthentic) {
			t.Errorf("%v", err)
		}
	})
}
