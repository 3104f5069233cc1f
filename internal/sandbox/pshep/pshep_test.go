package pshep_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/internal/shep/sheptest"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

const base = "http://127.0.0.1"

// service is the other end: it registers bills and answers messages, all in
// this process.
type service struct {
	adapter *gateway.PSHEP
	bank    http.Handler
	facts   chan gateway.Fact
	refuse  bool
	mu      sync.Mutex
}

func (s *service) Post(ctx context.Context, url string, header http.Header, body []byte, _ int64) (int, []byte, error) {
	if strings.HasSuffix(url, pshep.PathBills) {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		r.Header = header
		w := httptest.NewRecorder()
		s.bank.ServeHTTP(w, r)
		return w.Code, w.Body.Bytes(), nil
	}
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse {
		return http.StatusServiceUnavailable, nil, nil
	}
	callback, err := s.adapter.Open(ctx, body)
	if err != nil {
		return http.StatusUnauthorized, nil, nil
	}
	s.facts <- callback.Fact
	reply, err := s.adapter.Reply(callback, gateway.Receipt{Reference: callback.Fact.Reference, ReceivedAt: sheptest.Now})
	return http.StatusOK, reply, err
}

type fixture struct {
	*service
	config pshep.Config
	now    time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ca := sheptest.NewCA(t, "authority")
	key := func(name string, role asn1.ObjectIdentifier) xmldsig.Key {
		return ca.Issue(sheptest.Holder{Name: name, BIN: "210340029574", Roles: []asn1.ObjectIdentifier{role}})
	}
	ours := key("service", cert.OIDRoleSingleWindow)
	f := &fixture{service: &service{facts: make(chan gateway.Fact, 16)}, now: sheptest.Now}
	clock := func() time.Time { return f.now }
	theirs := shep.Peer{Trust: ca.Trust(), Role: cert.OIDRolePaymentGateway}
	opener := shep.Opener{Peer: theirs, Now: clock}
	client, err := shep.NewClient(shep.ClientConfig{URL: base + pshep.PathBills, Poster: f.service, Key: ours, Sender: shep.Sender{ID: "senim"}, Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	f.adapter, err = gateway.NewPSHEP(gateway.PSHEPConfig{Client: client, ServiceID: pshep.ServiceID, Account: pshep.ClientID, Key: ours, Opener: opener, Gateway: theirs})
	if err != nil {
		t.Fatal(err)
	}
	f.config = pshep.Config{
		BaseURL: base, Key: key("gateway", cert.OIDRolePaymentGateway), Service: shep.Peer{Trust: ca.Trust(), Role: cert.OIDRoleSingleWindow},
		Poster: f.service, Now: clock, Control: kz.FormatOnly, File: filepath.Join(t.TempDir(), "pshep.json"), Retry: time.Hour,
	}
	return f
}

func (f *fixture) open(t *testing.T) *pshep.Gateway {
	t.Helper()
	g, err := pshep.Open(f.config)
	if err != nil {
		t.Fatal(err)
	}
	f.bank = g.Handler()
	return g
}

func newBill(t *testing.T, number int64, amount money.Tiyn) gateway.Bill {
	t.Helper()
	id, err := order.NewIdentifier(kz.DayOf(sheptest.Now), number)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Bill{
		Order: uuid.New(), Number: 1, Owed: amount, Payer: "190640017419", Amount: amount, ExpiresAt: sheptest.Now.Add(72 * time.Hour),
		Lines: []order.Line{{
			Identifier: id, Kind: "1010", BudgetCode: "106201", PurposeCode: "911", Amount: amount, State: order.LineOwed,
			Requisites: order.Treasury("6009", "010240002599", "<script>alert(1)</script>"),
		}},
	}
}

func (f *fixture) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.bank.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestRegisterTwice(t *testing.T) {
	f := newFixture(t)
	f.open(t)
	b := newBill(t, 1, 2000000)
	first, err := f.adapter.Register(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	f.open(t) // what was registered outlives the process
	again, err := f.adapter.Register(t.Context(), b)
	if err != nil || again.Reference != first.Reference || again.PaymentURL != first.PaymentURL {
		t.Errorf("%+v, %v", again, err)
	}
	b.Amount++
	b.Lines[0].Amount++
	if _, err := f.adapter.Register(t.Context(), b); !fault.Is(err, fault.GatewayRefused) {
		t.Errorf("another bill of the order: %v", err)
	}
}

// A payment is told again after a restart until the service has answered.
func TestToldAfterRestart(t *testing.T) {
	f := newFixture(t)
	g := f.open(t)
	b := newBill(t, 1, 2000000)
	if _, err := f.adapter.Register(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	g.Connect("http://127.0.0.2/callback")
	if err := g.Pay(b.Order); err != nil {
		t.Fatal(err)
	}
	f.refuse = true
	if err := g.Deliver(t.Context()); err == nil {
		t.Error("the service refused and nobody noticed")
	}
	f.mu.Lock()
	f.refuse = false
	f.mu.Unlock()

	g = f.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	g.Connect("http://127.0.0.2/callback")
	if got := <-f.facts; got.Reference != "PAY-00000001" || got.Order != b.Order || got.Amount != b.Amount {
		t.Errorf("told %+v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	g = f.open(t)
	g.Connect("http://127.0.0.2/callback")
	if err := g.Deliver(t.Context()); err != nil || len(f.facts) != 0 {
		t.Errorf("told once more after the receipt: %v", err)
	}
}

func TestBankPage(t *testing.T) {
	f := newFixture(t)
	g := f.open(t)
	b := newBill(t, 1, 2000000)
	registration, err := f.adapter.Register(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(registration.PaymentURL, base)
	page := f.get(path)
	if page.Code != http.StatusOK || strings.Contains(page.Body.String(), "<script") || page.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("%d %s", page.Code, page.Body)
	}
	if got := f.get("/pay/" + uuid.NewString()); got.Code != http.StatusNotFound {
		t.Errorf("an unknown bill: %d", got.Code)
	}
	if got := f.get("/pay/x"); got.Code != http.StatusNotFound {
		t.Errorf("no order: %d", got.Code)
	}
	f.now = b.ExpiresAt.Add(time.Second)
	if err := g.Pay(b.Order); !fault.Is(err, fault.OrderExpired) {
		t.Errorf("paying an expired bill: %v", err)
	}
	if got := f.get(path); got.Code != http.StatusGone || strings.Contains(got.Body.String(), "<button>") {
		t.Errorf("an expired bill: %d", got.Code)
	}
}

// The closing balance of a day is the opening balance of the next, and the
// same day makes the same file.
func TestStatements(t *testing.T) {
	f := newFixture(t)
	g := f.open(t)
	day := kz.DayOf(f.now)
	for i, amount := range []money.Tiyn{2000000, 12345} {
		b := newBill(t, int64(i+1), amount)
		if _, err := f.adapter.Register(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := g.Pay(b.Order); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(24 * time.Hour)
	}
	for i, want := range []struct{ opening, closing money.Tiyn }{{0, 2000000}, {2000000, 2012345}, {2012345, 2012345}} {
		file := f.get("/statements/" + day.AddDays(i).String() + ".xml")
		if again, err := g.Statement(day.AddDays(i)); err != nil || !bytes.Equal(again, file.Body.Bytes()) {
			t.Errorf("day %d: another file, %v", i, err)
		}
		var s statement.Statement
		err := statement.Parse(file.Body, statement.Options{}, statement.Sink{End: func(end *statement.Statement) error { s = *end; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		opening, _ := s.Opening()
		closing, _ := s.Closing()
		if opens, _ := opening.Amount.Tiyn(); opens != want.opening {
			t.Errorf("day %d: opens with %s", i, opens)
		}
		if closes, _ := closing.Amount.Tiyn(); closes != want.closing {
			t.Errorf("day %d: closes with %s", i, closes)
		}
		if err := s.Check(order.TreasuryIIK); err != nil {
			t.Errorf("day %d: %+v, %v", i, s, err)
		}
	}
	for _, path := range []string{"/statements/2026-11-21", "/statements/yesterday.xml"} {
		if got := f.get(path); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}

func TestControl(t *testing.T) {
	f := newFixture(t)
	f.open(t)
	for body, want := range map[string]int{
		`{"fault":"no_callback","times":1}`: http.StatusNoContent, `{}`: http.StatusNoContent,
		`{"fault":"explode"}`: http.StatusBadRequest, `{"when":"now"}`: http.StatusBadRequest, ``: http.StatusBadRequest,
		`{"fault":"timeout","times":-1}`: http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		f.bank.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/control/faults", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
	if got := f.get("/control/faults"); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"fault"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

// A bill that the service did not sign is not taken.
func TestUnsignedBill(t *testing.T) {
	f := newFixture(t)
	f.open(t)
	r := httptest.NewRequest(http.MethodPost, pshep.PathBills, strings.NewReader(gateway.EncodeBill(newBill(t, 1, 100))))
	r.Header.Set("Content-Type", "text/xml")
	w := httptest.NewRecorder()
	f.bank.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "Fault") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOpenRefuses(t *testing.T) {
	f := newFixture(t)
	good := f.config
	for name, change := range map[string]func(*pshep.Config){
		"base":   func(c *pshep.Config) { c.BaseURL = "bank" },
		"clock":  func(c *pshep.Config) { c.Now = nil },
		"key":    func(c *pshep.Config) { c.Key = xmldsig.Key{} },
		"poster": func(c *pshep.Config) { c.Poster = nil },
	} {
		f.config = good
		change(&f.config)
		if _, err := pshep.Open(f.config); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
