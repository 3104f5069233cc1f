package api

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/jws"
)

const (
	issuer = "https://senim.test"
	// Numbers with right control digits that belong to nobody.
	personIIN = "880105300121"
	firmBIN   = "160440007161"
	otherBIN  = "170140000125"
)

var start = time.Date(2026, time.November, 21, 10, 0, 0, 0, time.UTC)

func fixedNow() time.Time { return start }

// clientKey signs the assertions of every client here, rsaKey the
// certificates of people and of TLS; both are made once.
var clientKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// house is the API over real access control and a real database; behind it
// stand rooms that answer what a test tells them.
type house struct {
	t        *testing.T
	server   *Server
	pool     *pgxpool.Pool
	access   *access.Service
	clients  *access.Clients
	rooms    *rooms
	log      *bytes.Buffer
	tokens   map[string]string // by client
	contract *contract
}

func newHouse(t *testing.T, change ...func(*Config, *Dependencies, *access.Config)) *house {
	t.Helper()
	pool := postgrestest.Pool(t)
	key, err := jws.NewKey(clientKey())
	if err != nil {
		t.Fatal(err)
	}
	receiptKey := jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "receipts-1", Algorithm: "RS256", Use: "sig"}
	h := &house{t: t, pool: pool, rooms: &rooms{}, log: &bytes.Buffer{}, tokens: make(map[string]string), clients: access.NewClients(pool, fixedNow)}
	many := access.Limits{CallerPerSecond: 1e6, CallerBurst: 1e6, OpenPerSecond: 1e6, OpenBurst: 1e6, MessagePerSecond: 1e6, MessageBurst: 1e6, TimestampPerSecond: 1e6, TimestampBurst: 1e6}
	ac := access.Config{Pool: pool, Now: fixedNow, Issuer: issuer, TokenKey: key, VerifySignIn: openEnvelope, Limits: many}
	config := Config{Log: slog.New(slog.NewJSONHandler(&guarded{w: h.log}, nil)), Now: fixedNow}
	d := Dependencies{
		Dossier: h.rooms, Gateway: h.rooms, Webhooks: sampleWebhooks{}, Verifier: h.rooms, Sealer: h.rooms, Stamps: h.rooms, Registry: prometheus.NewRegistry(),
		Keys: func() []jose.JSONWebKey { return []jose.JSONWebKey{receiptKey} },
		Checks: map[string]func(context.Context) error{"database": func(ctx context.Context) error {
			return pool.Ping(context.WithoutCancel(ctx)) // which may take longer than readiness waits
		}},
	}
	for _, c := range change {
		c(&config, &d, &ac)
	}
	if h.access, err = access.New(ac); err != nil {
		t.Fatal(err)
	}
	d.Access = h.access
	if h.server, err = New(config, d); err != nil {
		t.Fatal(err)
	}
	h.contract = h.server.contract
	return h
}

// guarded lets the log be read while handlers of other requests still write.
type guarded struct {
	mu sync.Mutex
	w  io.Writer
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.w.Write(p)
}

// envelope stands for a CMS message: what the verifier makes of one.
type envelope struct {
	Content     string
	Certificate []byte
}

func openEnvelope(_ context.Context, raw []byte, _ time.Time) (access.SignedIn, error) {
	var e envelope
	if json.Unmarshal(raw, &e) != nil {
		return access.SignedIn{}, fault.New(fault.SignatureInvalid, "", "the digest differs")
	}
	c, err := cert.Parse(e.Certificate)
	return access.SignedIn{Content: []byte(e.Content), Certificate: c}, err
}

func selfSigned(t *testing.T, key crypto.Signer, subject pkix.Name) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: subject, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: start.Add(-time.Hour), NotAfter: start.AddDate(1, 0, 0),
		DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// client registers a system once and returns an access token got over HTTP.
func (h *house) client(id string, role access.Role, scopes ...access.Scope) string {
	h.t.Helper()
	if token, ok := h.tokens[id]; ok {
		return token
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: clientKey().Public(), KeyID: "1"}}})
	if err != nil {
		h.t.Fatal(err)
	}
	r := access.Registration{ID: id, Name: id, Role: role, Scopes: scopes, Credentials: access.Credentials{JWKS: set}}
	if role == access.Trader {
		r.BIN = kz.BIN(firmBIN)
	}
	if err := h.clients.Add(h.t.Context(), "test", r); err != nil {
		h.t.Fatal(err)
	}
	answer := h.do(tokenRequest(url.Values{"client_assertion": {h.assertion(id)}}))
	if answer.status != http.StatusOK {
		h.t.Fatalf("token for %s: %d %s", id, answer.status, answer.body)
	}
	h.tokens[id] = answer.member("access_token")
	return h.tokens[id]
}

func (h *house) assertion(id string) string {
	h.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: clientKey()}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		h.t.Fatal(err)
	}
	compact, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: id, Subject: id, Audience: jwt.Audience{issuer + access.TokenPath}, ID: uuid.NewString(),
		Expiry: jwt.NewNumericDate(start.Add(time.Minute)),
	}).Serialize()
	if err != nil {
		h.t.Fatal(err)
	}
	return compact
}

// session signs a person in over HTTP and returns the session's token.
func (h *house) session() string {
	h.t.Helper()
	challenge := h.do(sent{method: "POST", path: "/v1/challenges"}).member("content")
	subject := pkix.Name{CommonName: "HOLDER TEST", SerialNumber: "IIN" + personIIN, OrganizationalUnit: []string{"BIN" + firmBIN}}
	cms, err := json.Marshal(envelope{challenge, selfSigned(h.t, rsaKey(), subject)})
	if err != nil {
		h.t.Fatal(err)
	}
	answer := h.do(sent{method: "POST", path: "/v1/sessions", contentType: "application/pkcs7-mime", body: string(cms)})
	if answer.status != http.StatusCreated {
		h.t.Fatalf("sign in: %d %s", answer.status, answer.body)
	}
	return answer.member("token")
}

// sent is one request of a test.
type sent struct {
	method, path string
	contentType  string
	body         string
	bearer       string
	headers      map[string]string
}

func tokenRequest(change url.Values) sent {
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	for name, values := range change {
		form[name] = values
	}
	return sent{method: "POST", path: "/v1/oauth/token", contentType: formType, body: form.Encode()}
}

func (c sent) request(t *testing.T) *http.Request {
	t.Helper()
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	return r
}

// answer of the API.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (a answer) member(name string) string {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		a.t.Fatalf("not JSON: %s", a.body)
	}
	s, _ := m[name].(string)
	return s
}

// want holds an answer against a status and, for a problem, its code.
func (a answer) want(status int, code fault.Code) {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("status %d, want %d: %.300s", a.status, status, a.body)
	}
	if code == "" {
		return
	}
	if got := a.header.Get("Content-Type"); got != problemType {
		a.t.Errorf("content type %q", got)
	}
	if got := a.member("code"); got != string(code) {
		a.t.Errorf("code %q, want %q: %s", got, code, a.body)
	}
}

func (h *house) do(c sent) answer {
	h.t.Helper()
	return h.serve(c.request(h.t))
}

// serve runs a request through the whole API and holds the answer against the
// contract.
func (h *house) serve(r *http.Request) answer {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	a := answer{t: h.t, status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	if a.header.Get(requestIDHeader) == "" {
		h.t.Error("the answer has no request identifier")
	}
	h.checkContract(r, a)
	return a
}

func (h *house) checkContract(r *http.Request, a answer) {
	h.t.Helper()
	o := h.operationOf(r)
	if o == nil {
		return
	}
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: o.route},
		Status:                 a.status, Header: a.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !strings.HasSuffix(mediaType, "json")},
	}
	input.SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		h.t.Errorf("%s answers %d against the contract: %v", o.id, a.status, err)
	}
}

func (h *house) operationOf(r *http.Request) *operation {
	for key, o := range h.contract.operations {
		method, path, _ := strings.Cut(key, " ")
		if method == r.Method && sameShape(path, r.URL.Path) {
			return o
		}
	}
	return nil
}

func sameShape(pattern, path string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], ":") {
			return false
		}
	}
	return true
}

// rooms answer for the dossier and the gateway. What a test does not set is a
// full sample, so that every field of the contract is rendered.
type rooms struct {
	show   func(ctx context.Context) (*dossier.Transaction, error)
	take   func(payments.Told) (*payments.Outcome, error)
	err    error // of every other use case
	mu     sync.Mutex
	caller access.Caller
	key    idempotency.Key
	body   []byte

	verifying chan struct{} // closed when Verify is called
}

func (r *rooms) note(caller access.Caller, key idempotency.Key, body []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.caller, r.key, r.body = caller, key, body
	return r.err
}

func (r *rooms) Open(_ context.Context, c access.Caller, k idempotency.Key, o dossier.OpenRequest) (*dossier.Transaction, error) {
	t := sampleTransaction()
	t.Reference, t.DeclarantBIN = o.Reference, kz.BIN(o.DeclarantBIN)
	return t, r.note(c, k, nil)
}

func (r *rooms) Show(ctx context.Context, c access.Caller, _ uuid.UUID) (*dossier.Transaction, error) {
	if r.show != nil {
		return r.show(ctx)
	}
	return sampleTransaction(), r.note(c, idempotency.Key{}, nil)
}

func (r *rooms) SubmitDocument(_ context.Context, c access.Caller, k idempotency.Key, _ uuid.UUID, signed []byte) (*dossier.Document, error) {
	return &sampleTransaction().Documents[0], r.note(c, k, signed)
}

func (r *rooms) CreateOrder(_ context.Context, c access.Caller, k idempotency.Key, _ uuid.UUID, payer string) (*dossier.Order, error) {
	return r.bill(c, k, []byte(payer))
}

func (r *rooms) ImportStatement(_ context.Context, c access.Caller, k idempotency.Key, _ string, in io.Reader) (*dossier.StatementImport, error) {
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return &dossier.StatementImport{
		ID: uuid.New(), Days: []kz.Day{kz.DayOf(start)}, Lines: 1, Bad: 1,
		Rejected: []dossier.RejectedLine{{Place: "line 2", Code: "unreadable"}},
		Gaps:     []statement.Gap{{Code: fault.StatementGap, Statement: "S-2", Number: "2", Day: kz.DayOf(start), Detail: "its number is 2, the number before is 0"}},
	}, r.note(c, k, body)
}

func (r *rooms) AcceptCallbackOf(_ context.Context, gateway string, raw []byte) ([]byte, error) {
	return []byte(`{"status":"ok","reference":"T-1","received_at":"2026-11-20T09:00:00Z"}`), r.note(access.Caller{}, idempotency.Key{}, append([]byte(gateway+" "), raw...))
}

func (r *rooms) AcceptCallback(_ context.Context, raw []byte) ([]byte, error) {
	return []byte("<ok/>"), r.note(access.Caller{}, idempotency.Key{}, raw)
}

func (r *rooms) Take(_ context.Context, told payments.Told) (*payments.Outcome, error) {
	if r.take != nil {
		return r.take(told)
	}
	f := told.Fact
	return &payments.Outcome{
		Gateway: told.Gateway, Reference: f.Reference, Kind: f.Kind, Order: f.Order, Amount: f.Amount, State: payments.FactException,
		Reason: fault.PaidTooLate, OrderState: order.Expired, ReceivedAt: start,
	}, r.note(access.Caller{ID: told.Caller}, *told.Key, told.Messages[0].Raw)
}

func sampleTransaction() *dossier.Transaction {
	return &dossier.Transaction{
		ID: uuid.MustParse("019aa5c0-0000-7000-8000-000000000001"), Reference: "R-1", DeclarantBIN: firmBIN,
		OpenedBy: "window", OpenedAt: start, State: dossier.StateOrdered,
		Totals: dossier.Totals{Owed: 1200, Paid: 700, Reconciled: 0},
		Documents: []dossier.Document{{
			ID: uuid.New(), AcceptedAt: start, Kind: "single_document", Reference: "D-1", DigestName: "SHA-256", Digest: "aa", Size: 3,
			Verdict:   dossier.Verdict{Indication: "TOTAL-PASSED", Level: "T", Policy: "kz-qualified", Warnings: []dossier.Reason{{Code: "w", Message: "m"}}},
			Signer:    dossier.Signer{Name: "HOLDER", IIN: personIIN, BIN: firmBIN, Roles: []string{"head"}, Serial: "01", CertificateSHA256: "bb", Issuer: "CN=CA"},
			Authority: dossier.Authority{Ground: "head", Organisation: "TEST", BIN: firmBIN, Source: "gbdul", AskedAt: start},
			Timestamp: dossier.Timestamp{Time: start, Authority: "CN=TSA", Serial: "02", Policy: "1.2"},
			Evidence:  []dossier.EvidenceID{{Kind: "ocsp", SHA256: "cc"}},
			Receipt:   "a.b.c", SubmittedBy: "window",
		}},
		Orders: []dossier.Order{{
			ID: uuid.New(), State: "presented", CreatedAt: start, PayerBIN: firmBIN, Total: 1200, PaymentURL: "https://pay.test/1",
			Lines: []dossier.OrderLine{{Identifier: "A", Kind: "2010", Name: "duty", BudgetCode: "106101", PurposeCode: "911", Amount: 1200, State: "owed"}},
		}},
		Events: []dossier.Event{{Type: "transaction.opened", At: start, Data: map[string]any{"by": "window"}}},
	}
}
