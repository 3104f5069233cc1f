package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/internal/sandbox"
)

// TestMain lets the test binary stand for the program: under the name senim it
// is senim.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"senim": main})
}

// TestEndToEnd is one installation under everything that may come to it. The
// parts follow each other and share it; none needs another's outcome.
func TestEndToEnd(t *testing.T) {
	w := newWorld(t)
	t.Run("the demo's transaction", w.flow)
	t.Run("signed by openssl", w.signedByOpenSSL)
	t.Run("signed over HTTP", w.signsOverHTTP)
	t.Run("signed with GOST", w.signedWithGOST)
	t.Run("bad bodies", w.badBodies)
	t.Run("hostile documents", w.hostileDocuments)
	t.Run("hostile messages", w.hostileMessages)
	t.Run("uploads", w.uploads)
	t.Run("bad JSON", w.badJSON)
	t.Run("no such transaction", w.noSuchTransaction)
	t.Run("repeats", w.repeats)
	t.Run("at once", w.atOnce)
	t.Run("tells subscribers", w.tellsSubscribers)
	t.Run("access", w.access)
	t.Run("peers that fail", w.peersThatFail)
	t.Run("what the register says", w.whatTheRegisterSays)
	t.Run("payments that fail", w.paymentsThatFail)
	t.Run("orders and refunds", w.ordersAndRefunds)
	t.Run("ways to pay", w.waysToPay)
	t.Run("bad days", w.badDays)
	t.Run("database gone", w.databaseGone)
	t.Run("two tokens", w.twoTokens)
	t.Run("one of two tokens at start", w.oneOfTwoTokensAtStart)
	t.Run("stopped under a request", w.stoppedUnderARequest)
	t.Run("silent logs", w.silentLogs) // last: it reads what all others left
}

// world is a service in surroundings of its own, with everybody who plays in
// the demo, and with its log in a file. It is reached as the demo reaches it:
// over HTTP.
type world struct {
	*demo
	service *service
	logs    string // the service's log, every level
}

// newWorld starts one. A token module can be initialised once in a process, so
// a test binary has one world at a time.
func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a database, a token and every stand-in")
	}
	if _, err := hsm.SoftHSMLibrary(); err != nil {
		t.Skipf("needs SoftHSM2: %v", err)
	}
	around, err := startSurroundings(t.Context(), surroundingsConfig{Dir: postgrestest.Folder(t), Unsafe: true, Bits: 2048, Now: time.Now})
	if fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	check(t, err)
	t.Cleanup(func() { check(t, around.close()) })
	// Tests come faster than any caller; what the limits do has its own tests.
	around.config.Limits = config.Limits{RequestsPerSecond: 10_000, OpenRequestsPerSecond: 10_000}
	w := &world{logs: around.path(logName)}
	file, err := os.Create(w.logs)
	check(t, err)
	t.Cleanup(func() { check(t, file.Close()) })
	log := slog.New(slog.NewJSONHandler(file, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.service, err = around.startService(t.Context(), log)
	check(t, err)
	w.serve(t, w.service)
	w.demo = &demo{narrator: &narrator{out: io.Discard, language: fault.English, now: time.Now}, around: around, base: w.service.config.PublicURL}
	check(t, w.meetEverybody(t.Context()))
	t.Cleanup(func() {
		w.recorder.close()
		for _, who := range w.people {
			check(t, who.token.Close())
		}
	})
	check(t, w.step(stepDocument, func() error { return w.writeDocument(t.Context()) }))
	check(t, w.step(stepSign, func() error { return w.sign(t.Context()) }))
	return w
}

// serve runs a service until the test ends, or stops it.
func (w *world) serve(t *testing.T, s *service) (stop func()) {
	t.Helper()
	t.Cleanup(func() { check(t, s.close()) })
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() { stop(); check(t, <-ended) })
	check(t, waitReady(t.Context(), s.config.PublicURL))
	return stop
}

// another runs a second service on the same database, token and stand-ins, as
// a second node behind a balancer, with a configuration and a clock of its own.
// It gives the demo's cast at that node.
func (w *world) another(t *testing.T, change func(*config.Config), now func() time.Time) *demo {
	t.Helper()
	there, _ := w.node(t, change, now)
	return there
}

// start runs a second service, and tells how to stop it before the test ends.
func (w *world) start(t *testing.T, change func(*config.Config), now func() time.Time) (s *service, stop func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	c := *w.service.config
	c.Listen = listener.Addr().String()
	c.PublicURL = "http://" + c.Listen
	change(&c)
	s, err = newService(t.Context(), &c, listener, now, slog.New(slog.DiscardHandler))
	check(t, err)
	return s, w.serve(t, s)
}

// node is another, with the service itself.
func (w *world) node(t *testing.T, change func(*config.Config), now func() time.Time) (*demo, *service) {
	t.Helper()
	s, _ := w.start(t, change, now)
	there := *w.demo
	there.base = s.config.PublicURL
	for client, id := range map[**apiClient]string{&there.window: "single-window", &there.treasury: "treasury", &there.trader: ""} {
		*client = &apiClient{base: there.base, language: fault.English, http: &http.Client{Timeout: time.Minute}}
		if id == "" {
			continue
		}
		key, err := w.around.clientKey(id)
		check(t, err)
		check(t, (*client).signIn(t.Context(), id, key, now()))
	}
	return &there, s
}

// call is one request as a test makes it.
type call struct {
	method, path string
	bearer       string
	contentType  string
	key          string // Idempotency-Key
	header       http.Header
	body         []byte
	language     fault.Language
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and reads the whole answer.
func (w *world) do(t *testing.T, c call) reply {
	t.Helper()
	r, err := w.try(t.Context(), c)
	check(t, err)
	return r
}

func (w *world) try(ctx context.Context, c call) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, w.base+c.path, bytes.NewReader(c.body))
	if err != nil {
		return reply{}, err
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("Content-Type", c.contentType)
	set("Idempotency-Key", c.key)
	set("Accept-Language", string(c.language))
	if c.bearer != "" {
		set("Authorization", "Bearer "+c.bearer)
	}
	res, err := w.window.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerSizeMax))
	return reply{res.StatusCode, res.Header, raw}, err
}

// refuses sends a request in each language and expects the same refusal.
func (w *world) refuses(t *testing.T, c call, status int, code fault.Code) {
	t.Helper()
	for _, c.language = range []fault.Language{fault.Kazakh, fault.Russian, fault.English} {
		w.do(t, c).refused(t, c.language, status, code)
	}
}

// refused holds an answer against what every problem document is.
func (r reply) refused(t *testing.T, language fault.Language, status int, code fault.Code) {
	t.Helper()
	p, err := r.problem()
	if err != nil {
		t.Fatal(err)
	}
	if r.status != status || p.Status != status || p.Code != string(code) {
		t.Errorf("refused with %d %s, want %d %s", r.status, r.body, status, code)
	}
	if p.Title != fault.Code(p.Code).Message(language) || r.header.Get("Content-Language") != string(language) {
		t.Errorf("asked in %s, got %s", language, r.body)
	}
	if p.Type != "urn:senim:reason:"+p.Code || p.Instance != "urn:senim:request:"+r.header.Get("X-Request-Id") {
		t.Errorf("the problem document is %s", r.body)
	}
}

// problem decodes a refusal, strictly.
func (r reply) problem() (*api.Problem, error) {
	if r.status < 400 || r.header.Get("Content-Type") != "application/problem+json" {
		return nil, fmt.Errorf("not refused: %d %s", r.status, r.body)
	}
	d := json.NewDecoder(strings.NewReader(string(r.body)))
	d.DisallowUnknownFields()
	var p api.Problem
	return &p, d.Decode(&p)
}

// answered decodes an answer of the expected status.
func answered[T any](t *testing.T, r reply, status int) (v T) {
	t.Helper()
	if r.status != status {
		t.Fatalf("answered with %d %s, want %d", r.status, r.body, status)
	}
	check(t, json.Unmarshal(r.body, &v))
	return v
}

// opened is a new transaction of the demo's company.
func (w *world) opened(t *testing.T, reference string) api.Transaction {
	t.Helper()
	transaction, err := w.open(t.Context(), w.window, reference)
	check(t, err)
	return transaction
}

// documents is the call that submits a signed document.
func (w *world) documents(transaction api.Transaction, signed []byte) call {
	return call{method: http.MethodPost, path: "/v1/transactions/" + transaction.ID.String() + "/documents",
		bearer: w.window.bearer, contentType: cmsType, key: uuid.NewString(), body: signed}
}

// orders is the call that asks for the payment order.
func (w *world) orders(transaction api.Transaction) call {
	return call{method: http.MethodPost, path: "/v1/transactions/" + transaction.ID.String() + "/orders",
		bearer: w.window.bearer, key: uuid.NewString()}
}

// signedBy signs content with the key in a person's token.
func (w *world) signedBy(t *testing.T, who sandbox.Person, content []byte) []byte {
	t.Helper()
	signed, err := w.signAs(t.Context(), w.people[who], content)
	check(t, err)
	return signed
}

// shown is the record of a transaction as the single window sees it.
func (w *world) shown(t *testing.T, transaction api.Transaction) api.Transaction {
	t.Helper()
	shown, err := w.show(t.Context(), w.window, transaction.ID)
	check(t, err)
	return shown
}

// untouched looks that a transaction holds nothing of what was refused.
func (w *world) untouched(t *testing.T, transaction api.Transaction) {
	t.Helper()
	shown := w.shown(t, transaction)
	if len(shown.Documents)+len(shown.Orders) > 0 || countEvents(shown, "document.accepted") > 0 || shown.State != "open" {
		t.Errorf("a refused document left %+v", shown)
	}
}

// eventually polls until a condition holds that a process brings about.
func eventually(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s", what, within)
		case <-poll.C:
		}
	}
}

// problemOf is the refusal inside an error of the demo's client.
func problemOf(t *testing.T, err error) *problem {
	t.Helper()
	var p *problem
	if !errors.As(err, &p) {
		t.Fatalf("not refused: %v", err)
	}
	return p
}
