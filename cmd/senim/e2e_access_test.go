package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/pki/cert"
)

// disabledWithin bounds the wait until a barred client is out: the service
// remembers a client for two seconds.
const disabledWithin = time.Minute

// neighbour heads a company that is in no register: a certificate is enough to
// sign in, and to try to look at others' transactions.
var neighbour = nca.Holder{Surname: "КӨРШІБАЕВ", Name: "ЕРЛАН", Patronymic: "СЫНАҚҰЛЫ", IIN: "770707300002",
	Organization: "«Көрші» ЖШС", BIN: "190640017508"}

// access holds what each caller sees and may do.
func (w *world) access(t *testing.T) {
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"others' transactions", w.othersTransactions}, {"one challenge, one session", w.challenges}, {"an expired challenge", w.expiredChallenge},
		{"who may not sign in", w.notSignedIn}, {"a session's end", w.signOut}, {"clients by command line", w.clientsByCommandLine},
	} {
		t.Run(part.name, part.run)
	}
}

// challenge asks for one.
func (w *world) challenge(t *testing.T) api.Challenge {
	t.Helper()
	return answered[api.Challenge](t, w.do(t, call{method: http.MethodPost, path: "/v1/challenges"}), http.StatusCreated)
}

func sessions(signed []byte) call {
	return call{method: http.MethodPost, path: "/v1/sessions", contentType: cmsType, body: signed}
}

// signIn gives a session of somebody.
func (w *world) signIn(t *testing.T, who *person) api.Session {
	t.Helper()
	signed, err := w.signAs(t.Context(), who, []byte(w.challenge(t).Content))
	check(t, err)
	return answered[api.Session](t, w.do(t, sessions(signed)), http.StatusCreated)
}

// stranger is a person with a key in a file, certified by the sandbox's NCA.
func (w *world) stranger(t *testing.T, profile nca.Profile, holder nca.Holder) *person {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	check(t, err)
	issued, err := w.around.sandbox.NCA().Issue(nca.Request{Profile: profile, Holder: holder, CSR: csr})
	check(t, err)
	certificate, err := cert.Parse(issued.Certificate)
	check(t, err)
	return &person{key: key, certificate: certificate}
}

func (w *world) othersTransactions(t *testing.T) {
	own := w.signIn(t, w.people[sandbox.Head])
	colleague := w.signIn(t, w.people[sandbox.Employee])
	other := w.signIn(t, w.stranger(t, nca.Head, neighbour))
	loner := w.signIn(t, w.stranger(t, nca.Individual, nca.Holder{Surname: "ЖАЛҒЫЗБАЕВ", Name: "АСАН", IIN: "800101300105"}))
	if own.BIN == nil || *own.BIN != string(sandbox.CompanyBIN) || other.BIN == nil || *other.BIN != string(neighbour.BIN) || loner.BIN != nil {
		t.Fatalf("sessions of %v, %v, %v", own.BIN, other.BIN, loner.BIN)
	}
	transaction := w.opened(t, "MINE")
	get := func(session api.Session) call {
		return call{method: http.MethodGet, path: "/v1/transactions/" + transaction.ID.String(), bearer: session.Token}
	}
	as := func(session api.Session, c call) call { c.bearer = session.Token; return c }
	open := func(session api.Session, bin kz.BIN) call {
		return call{method: http.MethodPost, path: "/v1/transactions", bearer: session.Token, contentType: "application/json", key: uuid.NewString(),
			body: []byte(`{"reference":"MINE","declarant_bin":"` + string(bin) + `"}`)}
	}
	for _, session := range []api.Session{own, colleague} {
		answered[api.Transaction](t, w.do(t, get(session)), http.StatusOK)
	}
	for _, session := range []api.Session{other, loner} {
		w.refuses(t, get(session), http.StatusNotFound, fault.TransactionNotFound)
		w.refuses(t, as(session, w.documents(transaction, w.signed)), http.StatusNotFound, fault.TransactionNotFound)
		w.refuses(t, as(session, w.orders(transaction)), http.StatusNotFound, fault.TransactionNotFound)
		w.refuses(t, open(session, sandbox.CompanyBIN), http.StatusUnprocessableEntity, fault.DeclarantMismatch)
	}
	w.untouched(t, transaction)
	// The neighbour may open its own, and the company's document does not fit it.
	mine := answered[api.Transaction](t, w.do(t, open(other, neighbour.BIN)), http.StatusCreated)
	w.refuses(t, as(other, w.documents(mine, w.signed)), http.StatusUnprocessableEntity, fault.DeclarantMismatch)
	w.refuses(t, call{method: http.MethodGet, path: "/v1/transactions/" + mine.ID.String(), bearer: own.Token}, http.StatusNotFound, fault.TransactionNotFound)
	w.untouched(t, mine)
	// A trader does none of the treasury's work.
	w.refuses(t, call{method: http.MethodPost, path: "/v1/reconciliations", bearer: own.Token, contentType: "application/json", body: []byte(`{"day":"2026-11-21"}`)},
		http.StatusForbidden, fault.RoleDenied)
	w.refuses(t, call{method: http.MethodGet, path: "/metrics", bearer: own.Token}, http.StatusForbidden, fault.RoleDenied)
}

func (w *world) challenges(t *testing.T) {
	signed := w.signedBy(t, sandbox.Head, []byte(w.challenge(t).Content))
	first := answered[api.Session](t, w.do(t, sessions(signed)), http.StatusCreated)
	w.refuses(t, sessions(signed), http.StatusUnauthorized, fault.ChallengeUnknown)
	answered[api.Transaction](t, w.do(t, call{method: http.MethodGet, path: "/v1/transactions/" + w.opened(t, "S").ID.String(), bearer: first.Token}), http.StatusOK)

	// Many at once: one wins.
	signed = w.signedBy(t, sandbox.Head, []byte(w.challenge(t).Content))
	var mu sync.Mutex
	var running sync.WaitGroup
	statuses := make(map[int]int)
	const callers = 8
	for range callers {
		running.Go(func() {
			r, err := w.try(t.Context(), sessions(signed))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			statuses[r.status]++
		})
	}
	running.Wait()
	if statuses[http.StatusCreated] != 1 || statuses[http.StatusUnauthorized] != callers-1 {
		t.Errorf("one challenge, signed once, sent %d times: %v", callers, statuses)
	}
}

// The second node's clock is past the challenge's life; they share everything
// else.
func (w *world) expiredChallenge(t *testing.T) {
	later := func() time.Time { return time.Now().Add(5*time.Minute + time.Second) }
	noTSA := func(c *config.Config) { c.TSA = config.TSA{} } // which would not be ready with such a clock
	there := w.another(t, noTSA, later)
	signed := w.signedBy(t, sandbox.Head, []byte(w.challenge(t).Content))
	err := there.trader.call(t.Context(), request{method: http.MethodPost, path: "/v1/sessions", contentType: cmsType, body: signed}, nil)
	if p := problemOf(t, err); p.Status != http.StatusUnauthorized || p.Code != string(fault.ChallengeUnknown) {
		t.Errorf("an expired challenge: %v", p)
	}
	// A session ends at its time, on every node.
	session := w.signIn(t, w.people[sandbox.Head])
	there.trader.bearer = session.Token
	muchLater := w.another(t, noTSA, func() time.Time { return session.ExpiresAt })
	muchLater.trader.bearer = session.Token
	id := w.opened(t, "S").ID
	if _, err := there.show(t.Context(), there.trader, id); err != nil {
		t.Errorf("another node does not know the session: %v", err)
	}
	_, err = muchLater.show(t.Context(), muchLater.trader, id)
	if p := problemOf(t, err); p.Status != http.StatusUnauthorized || p.Code != string(fault.SessionInvalid) {
		t.Errorf("an expired session: %v", p)
	}
}

func (w *world) notSignedIn(t *testing.T) {
	content := func() []byte { return []byte(w.challenge(t).Content) }
	system := w.stranger(t, nca.SingleWindow, sandbox.SingleWindow)
	signedBySystem, err := w.signAs(t.Context(), system, content())
	check(t, err)
	for name, row := range map[string]struct {
		signed []byte
		status int
		code   fault.Code
	}{
		"a revoked certificate":     {w.signedBy(t, sandbox.Dismissed, content()), http.StatusUnprocessableEntity, fault.CertificateRevoked},
		"a system":                  {signedBySystem, http.StatusForbidden, fault.SignInUnnamed},
		"a text of their own":       {w.signedBy(t, sandbox.Head, []byte("let me in")), http.StatusUnauthorized, fault.ChallengeUnknown},
		"a declaration":             {w.signed, http.StatusUnauthorized, fault.ChallengeUnknown},
		"a changed challenge":       {bytes.Replace(w.signedBy(t, sandbox.Head, content()), []byte("senim sign-in"), []byte("senim sign-on"), 1), http.StatusUnprocessableEntity, fault.DigestMismatch},
		"a challenge and a newline": {w.signedBy(t, sandbox.Head, append(content(), '\n')), http.StatusUnauthorized, fault.ChallengeUnknown},
	} {
		t.Run(name, func(t *testing.T) { w.refuses(t, sessions(row.signed), row.status, row.code) })
	}
}

func (w *world) signOut(t *testing.T) {
	session := w.signIn(t, w.people[sandbox.Head])
	end := call{method: http.MethodDelete, path: "/v1/sessions/current", bearer: session.Token}
	if r := w.do(t, end); r.status != http.StatusNoContent {
		t.Errorf("signing out: %d %s", r.status, r.body)
	}
	w.refuses(t, end, http.StatusUnauthorized, fault.SessionInvalid)
	for name, bearer := range map[string]string{
		"a session's token cut":  session.Token[1:],
		"a session's token bent": "A" + session.Token[1:],
		"no token":               "",
		"an access token bent":   w.window.bearer[:len(w.window.bearer)-4] + "AAAA",
		"an unsigned one":        "eyJhbGciOiJub25lIn0." + strings.Split(w.window.bearer, ".")[1] + ".",
	} {
		r := w.do(t, call{method: http.MethodGet, path: "/v1/transactions/" + uuid.NewString(), bearer: bearer})
		if r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}

// clientsByCommandLine registers a trader's system, replaces its key and bars
// it, by senim client and while the service runs.
func (w *world) clientsByCommandLine(t *testing.T) {
	writeURLs(t, w.around.dir, w.around.urls(w.base))
	run := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		p := &program{stdout: &out, stderr: &out, language: fault.English, now: time.Now}
		args = append([]string{"client"}, args...)
		if code := p.run(t.Context(), append(args, "--data", w.around.dir)); code != want {
			t.Fatalf("senim %s: exit %d: %s", args, code, out.String())
		}
		return out.String()
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "key.jwk")
	run(exitOK, "add", "shop-system", "--role", "trader", "--bin", string(neighbour.BIN), "--new-key", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	key := readKey(t, file)
	client := &apiClient{base: w.base, language: fault.English, http: w.window.http}
	check(t, client.signIn(t.Context(), "shop-system", key, time.Now()))
	transaction := w.opened(t, "MINE")
	_, err := w.show(t.Context(), client, transaction.ID)
	if p := problemOf(t, err); p.Code != string(fault.TransactionNotFound) {
		t.Errorf("another company's transaction: %v", p)
	}
	for name, args := range map[string][]string{
		"twice":             {"add", "shop-system", "--role", "trader", "--bin", string(neighbour.BIN), "--new-key", filepath.Join(dir, "b")},
		"no such role":      {"add", "other-system", "--role", "king", "--new-key", filepath.Join(dir, "c")},
		"a wrong BIN":       {"add", "other-system", "--role", "trader", "--bin", "190640017509", "--new-key", filepath.Join(dir, "d")},
		"over a file":       {"add", "other-system", "--role", "trader", "--bin", string(neighbour.BIN), "--new-key", file},
		"a foreign scope":   {"add", "other-system", "--role", "trader", "--bin", string(neighbour.BIN), "--scope", "statements:write", "--new-key", filepath.Join(dir, "e")},
		"a private key":     {"add", "other-system", "--role", "trader", "--bin", string(neighbour.BIN), "--jwks", file},
		"an unknown client": {"disable", "nobody-here"},
	} {
		if said := run(exitFailed, args...); !strings.Contains(said, "senim: ") {
			t.Errorf("%s: %s", name, said)
		}
	}
	works := func(c *apiClient) bool {
		_, err := w.show(t.Context(), c, transaction.ID)
		return problemOf(t, err).Status == http.StatusNotFound
	}
	// A new key: the old one, and what was got with it, is out.
	rotated := filepath.Join(dir, "rotated.jwk")
	run(exitOK, "rotate", "shop-system", "--new-key", rotated)
	eventually(t, "the old key's token stops working", disabledWithin, func() bool { return !works(client) })
	if err := client.signIn(t.Context(), "shop-system", key, time.Now()); problemOf(t, err).Code != string(fault.AssertionInvalid) {
		t.Errorf("the old key: %v", err)
	}
	check(t, client.signIn(t.Context(), "shop-system", readKey(t, rotated), time.Now()))
	if !works(client) {
		t.Error("the new key's token does not work")
	}
	run(exitOK, "disable", "shop-system")
	eventually(t, "a barred client's token stops working", disabledWithin, func() bool { return !works(client) })
	if err := client.signIn(t.Context(), "shop-system", readKey(t, rotated), time.Now()); problemOf(t, err).Status != http.StatusUnauthorized {
		t.Errorf("a barred client: %v", err)
	}
	if listed := run(exitOK, "list"); !strings.Contains(listed, "shop-system\ttrader\tdisabled") {
		t.Errorf("listed are %s", listed)
	}
}

func readKey(t *testing.T, file string) (key jose.JSONWebKey) {
	t.Helper()
	raw, err := os.ReadFile(file)
	check(t, err)
	check(t, json.Unmarshal(raw, &key))
	return key
}
