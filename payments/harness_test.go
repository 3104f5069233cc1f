package payments_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/internal/shep/sheptest"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

const (
	serviceBIN  = "210340029574"
	gatewayBIN  = "210340029575"
	officeBIN   = "010240002599"
	callbackURL = "http://127.0.0.2/callback"
	bankURL     = "http://127.0.0.1"
)

// clock is the time of a test. It ticks at every look, so that what comes later
// is later, and moves on when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// jobs keeps inserted jobs, which nobody works.
type jobs struct {
	mu   sync.Mutex
	tell []payments.AnnounceArgs
	poll []payments.PollArgs
}

func (j *jobs) Insert(_ context.Context, _ pgx.Tx, args river.JobArgs, _ *river.InsertOpts) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch a := args.(type) {
	case payments.AnnounceArgs:
		j.tell = append(j.tell, a)
	case payments.PollArgs:
		j.poll = append(j.poll, a)
	default:
		return fault.New(fault.JobUnknown, "", "no worker of %s", args.Kind())
	}
	return nil
}

// wire carries messages between the service and the gateway without a network.
type wire map[string]http.Handler // by host

func (w wire) Post(ctx context.Context, rawURL string, header http.Header, body []byte, _ int64) (int, []byte, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return 0, nil, err
	}
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, rawURL, bytes.NewReader(body))
	request.Header = header
	recorder := httptest.NewRecorder()
	w[u.Host].ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.Bytes(), nil
}

// world is a service with its gateway, bank and treasury.
type world struct {
	t       testing.TB
	clock   *clock
	pool    *pgxpool.Pool
	jobs    *jobs
	port    gateway.Port
	service *payments.Service
	bank    *pshep.Gateway
	key     xmldsig.Key // of the gateway
	ca      *sheptest.CA

	mu        sync.Mutex
	callbacks [][]byte // as they reached the service
	replies   [][]byte
	refusals  []error
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: sheptest.Now}, pool: postgrestest.Pool(t), jobs: &jobs{}, ca: sheptest.NewCA(t, "authority")}
	w.key = w.issue("gateway", gatewayBIN, cert.OIDRolePaymentGateway)
	ours := w.issue("service", serviceBIN, cert.OIDRoleSingleWindow)
	network := wire{}

	theirs := shep.Peer{Trust: w.ca.Trust(), Role: cert.OIDRolePaymentGateway}
	opener := shep.Opener{Peer: theirs, Now: w.clock.Now}
	client, err := shep.NewClient(shep.ClientConfig{
		URL: bankURL + pshep.PathBills, Poster: network, Key: ours, Sender: shep.Sender{ID: "senim"}, Opener: opener,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.port, err = gateway.NewPSHEP(gateway.PSHEPConfig{
		Client: client, ServiceID: pshep.ServiceID, Account: pshep.ClientID, Key: ours, Opener: opener, Gateway: theirs, Control: kz.FormatOnly,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.service = w.newService(w.port, w.jobs)
	w.bank, err = pshep.Open(pshep.Config{
		BaseURL: bankURL, Key: w.key, Service: shep.Peer{Trust: w.ca.Trust(), Role: cert.OIDRoleSingleWindow},
		Poster: network, Now: w.clock.Now, Control: kz.FormatOnly,
	})
	if err != nil {
		t.Fatal(err)
	}
	// A payment page must be on this machine or behind TLS.
	network["127.0.0.1"] = w.bank.Handler()
	network["127.0.0.2"] = http.HandlerFunc(w.takeCallback)
	w.bank.Connect(callbackURL)
	return w
}

func (w *world) issue(name, bin string, role asn1.ObjectIdentifier) xmldsig.Key {
	return w.ca.Issue(sheptest.Holder{Name: name, BIN: bin, Roles: []asn1.ObjectIdentifier{cert.OIDRoleOrganization, cert.OIDRoleSystem, role}})
}

func (w *world) newService(port gateway.Port, inserter payments.Inserter) *payments.Service {
	w.t.Helper()
	s, err := payments.New(payments.Config{Pool: w.pool, Jobs: inserter, Gateway: port, Book: w.book(), Now: w.clock.Now, OrderLife: 24 * time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

func (w *world) book() order.Book {
	w.t.Helper()
	book, err := order.NewBook(kz.FormatOnly, order.Treasury(sample.RevenueOffice, officeBIN, "УГД"))
	if err != nil {
		w.t.Fatal(err)
	}
	return book
}

// takeCallback is the service's endpoint as api has it.
func (w *world) takeCallback(rw http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var reply []byte
	if err == nil {
		reply, err = w.service.AcceptCallback(r.Context(), raw)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callbacks, w.replies, w.refusals = append(w.callbacks, raw), append(w.replies, reply), append(w.refusals, err)
	if err != nil {
		http.Error(rw, "refused", http.StatusUnauthorized)
		return
	}
	_, _ = rw.Write(reply)
}

// newOrder makes the order of the sample declaration.
func (w *world) newOrder() *order.Order {
	w.t.Helper()
	d, err := charge.Read(sample.Declaration(), kz.Full)
	if err != nil {
		w.t.Fatal(err)
	}
	var o *order.Order
	if err := postgres.InTx(w.ctx(), w.pool, func(tx pgx.Tx) (err error) {
		o, err = w.service.CreateOrder(w.ctx(), tx, payments.OrderRequest{
			Transaction: uuid.New(), Declarant: d.Declarant.BIN, Payer: d.Declarant.BIN, References: []string{d.Reference}, Charges: d.Charges,
		})
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// presented makes an order that the gateway knows.
func (w *world) presented() *order.Order {
	w.t.Helper()
	o := w.newOrder()
	if _, err := w.service.Present(w.ctx(), o.ID); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// pay makes the payment at the bank and tells the service once.
func (w *world) pay(o *order.Order) error {
	w.t.Helper()
	if err := w.bank.Pay(o.ID); err != nil {
		w.t.Fatal(err)
	}
	return w.bank.Deliver(w.ctx())
}

// announce runs the jobs that tell of reconciliations, each as often as told.
func (w *world) announce(times int) {
	w.t.Helper()
	announcer := payments.NewAnnouncer(w.pool, w.clock.Now)
	for _, args := range w.jobs.tell {
		for range times {
			if err := announcer.Work(w.ctx(), &river.Job[payments.AnnounceArgs]{Args: args}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.jobs.tell = nil
}

// seal writes a message of the gateway about a fact, signed by a key.
func (w *world) seal(f gateway.Fact, key xmldsig.Key) []byte {
	w.t.Helper()
	id, now := uuid.NewString(), w.clock.Now()
	data, err := gateway.SealMessage(gateway.Header{ID: id, To: pshep.ClientID, At: now}, gateway.EncodeFact(f), key)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := shep.SealRequest(shep.Request{
		MessageID: id, ServiceID: "PaymentFact", Date: now, Sender: shep.Sender{ID: "pshep"}, Data: data,
	}, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func (w *world) fact(o *order.Order, reference string) gateway.Fact {
	return gateway.Fact{Kind: gateway.Captured, Reference: reference, Order: o.ID, Payer: o.Payer, BankBIC: "HSBKKZKX", Amount: o.Total, PaidAt: w.clock.Now()}
}

func (w *world) ctx() context.Context { return w.t.Context() }

func (w *world) get(o *order.Order) *order.Order {
	w.t.Helper()
	all, err := w.service.OrdersOf(w.ctx(), w.pool, o.Transaction)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%d orders, %v", len(all), err)
	}
	return &all[0]
}

// verified checks the whole book, and that whatever was told stands somewhere
// and nothing stands that was not told.
func (w *world) verified() *ledger.Verification {
	w.t.Helper()
	v, err := w.service.VerifyLedger(w.ctx())
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) events(o *order.Order) []string {
	w.t.Helper()
	all, err := outbox.EventsOf(w.ctx(), w.pool, o.Transaction)
	if err != nil {
		w.t.Fatal(err)
	}
	var types []string
	for _, e := range all {
		types = append(types, e.Type)
	}
	return types
}

func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.ctx(), "SELECT count(*) FROM "+query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// exceptions counts the facts that were kept with a reason.
func (w *world) exceptions(reason fault.Code) int {
	w.t.Helper()
	return w.count("gateway_fact WHERE state = 'exception' AND reason = $1", string(reason))
}

// readReceipt takes the receipt out of a reply, as it stands.
func readReceipt(t testing.TB, reply []byte) gateway.Receipt {
	t.Helper()
	envelope, err := xmldsig.Parse(reply, xmldsig.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for e := envelope.Root.Elements()[1]; ; {
		children := e.Elements()
		if len(children) == 0 {
			text = e.Text()
			break
		}
		e = children[len(children)-1]
	}
	payload, err := xmldsig.Parse([]byte(text), xmldsig.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	receipt := gateway.Receipt{}
	parts := payload.Root.Elements() // of the header, and the document last but for the signature
	for _, e := range parts[len(parts)-2].Elements()[0].Elements() {
		switch e.Local {
		case "Reference":
			receipt.Reference = e.Text()
		case "ReceivedAt":
			if receipt.ReceivedAt, err = time.Parse(time.RFC3339Nano, e.Text()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return receipt
}
