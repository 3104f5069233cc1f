package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
)

func TestGeneratedCodeIsCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	out := filepath.Join(t.TempDir(), "openapi.gen.go")
	command := exec.CommandContext(t.Context(), "go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "-o", out, "openapi.yaml")
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("openapi.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.gen.go is not what openapi.yaml gives; run go generate ./api")
	}
}

func TestPanicBecomesAProblem(t *testing.T) {
	h := newHouse(t)
	token := h.client("window", access.SingleWindow)
	for _, p := range []func(){
		func() { panic("secret of the house") },
		func() { var none *dossier.Transaction; _ = none.Reference },
	} {
		h.rooms.show = func(context.Context) (*dossier.Transaction, error) { p(); return nil, nil }
		a := h.do(good(t, "getTransaction", token))
		a.want(http.StatusInternalServerError, fault.Internal)
		if strings.Contains(string(a.body), "panic") || strings.Contains(string(a.body), "secret") {
			t.Errorf("the caller is told %s", a.body)
		}
	}
	if log := h.log.String(); strings.Contains(log, "secret") || !strings.Contains(log, "nil pointer") || !strings.Contains(log, "server_test.go") {
		t.Errorf("the log has %s", log)
	}
	h.rooms.show = nil
	h.do(good(t, "getTransaction", token)).want(http.StatusOK, "")
}

func TestLogHoldsNoPersonalData(t *testing.T) {
	h := newHouse(t)
	session, window := h.session(), h.client("window", access.SingleWindow)
	h.do(good(t, "getTransaction", session))
	h.do(sent{method: "GET", path: "/v1/transactions/" + personIIN, bearer: window})
	h.do(sent{method: "GET", path: "/v1/persons/" + personIIN + "?iin=" + personIIN})
	opened := good(t, "openTransaction", window)
	opened.body = `{"reference":"` + personIIN + `","declarant_bin":"` + personIIN + `"}`
	h.do(opened)
	log := h.log.String()
	for _, secret := range []string{personIIN, firmBIN, session, window, "192.0.2.1", "Bearer"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	var line struct {
		Operation string
		Status    int
		RequestID string `json:"request_id"`
		Code      string
		Caller    struct{ ID, Role string }
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-3]), &line); err != nil {
		t.Fatal(err)
	}
	if line.Operation != "getTransaction" || line.Status != 400 || line.Code != "parameter_invalid" || line.Caller.ID != "window" || line.RequestID == "" {
		t.Errorf("logged %+v", line)
	}
}

func TestMetrics(t *testing.T) {
	h := newHouse(t)
	desk := h.client("desk", access.Support)
	h.do(good(t, "openTransaction", desk)).want(http.StatusForbidden, fault.RoleDenied)
	h.do(sent{method: "GET", path: "/nowhere"}).want(http.StatusNotFound, fault.RouteUnknown)
	text := string(h.do(good(t, "getMetrics", desk)).body)
	for _, want := range []string{
		`senim_http_requests_total{operation="openTransaction",status="403"} 1`,
		`senim_http_requests_total{operation="unknown",status="404"} 1`,
		`senim_http_request_seconds_count{operation="issueToken"} 1`,
		`senim_http_requests_in_flight 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestReadiness(t *testing.T) {
	down := fault.New(fault.PeerDown, "", "no route")
	h := newHouse(t, func(_ *Config, d *Dependencies, _ *access.Config) {
		d.Checks["token"] = func(context.Context) error { return down }
		d.Checks["odd"] = func(context.Context) error { return errors.New("password is hunter2") }
	})
	a := h.do(good(t, "getReadiness", ""))
	a.want(http.StatusServiceUnavailable, "")
	var got Readiness
	if err := json.Unmarshal(a.body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Status != "unready" || got.Checks["database"] != "ok" || got.Checks["token"] != "peer_unavailable" || got.Checks["odd"] != "internal" {
		t.Errorf("got %+v", got)
	}
}

// A check that is out of time has found something silent, and one whose caller has gone
// has found nothing.
func TestReadinessOfWhatIsSilent(t *testing.T) {
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for name, row := range map[string]struct {
		ctx  context.Context
		err  error
		want fault.Code
	}{
		"out of time":           {late, fmt.Errorf("ping: %w", context.DeadlineExceeded), fault.PeerDown},
		"out of time, and said": {late, fault.New(fault.Cancelled, "", "waiting for the database"), fault.PeerDown},
		"failed for a reason":   {late, fault.New(fault.HSMBusy, "", "no session"), fault.HSMBusy},
		"nobody waits":          {gone, context.Canceled, fault.Cancelled},
	} {
		if got := checkCode(row.ctx, row.err); got != row.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestKeysVerifyTokens(t *testing.T) {
	h := newHouse(t)
	token := h.client("window", access.SingleWindow)
	a := h.do(good(t, "getKeys", ""))
	a.want(http.StatusOK, "")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(a.body, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 || len(set.Key("receipts-1")) != 1 {
		t.Errorf("published %v", set.Keys)
	}
	object, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	keys := set.Key(object.Signatures[0].Header.KeyID)
	if len(keys) != 1 || !keys[0].IsPublic() {
		t.Fatalf("found %v", keys)
	}
	if _, err := object.Verify(keys[0]); err != nil {
		t.Error(err)
	}
}

// The page works without internet: nothing in it comes from elsewhere, and
// every file it names is there, packed or not.
func TestDocumentationIsWhole(t *testing.T) {
	h := newHouse(t)
	page := h.do(good(t, "getDocumentation", ""))
	page.want(http.StatusOK, "")
	if !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("no content security policy")
	}
	if regexp.MustCompile(`(?i)(src|href)="(https?:)?//`).Match(page.body) {
		t.Error("the page loads something from elsewhere")
	}
	files := regexp.MustCompile(`(?:src|href)="(/docs/[^"]+)"`).FindAllStringSubmatch(string(page.body), -1)
	if len(files) != 4 {
		t.Errorf("the page names %d files", len(files))
	}
	for _, f := range files {
		plain := h.do(sent{method: "GET", path: f[1]})
		plain.want(http.StatusOK, "")
		packed := h.do(sent{method: "GET", path: f[1], headers: map[string]string{"Accept-Encoding": "gzip"}})
		packed.want(http.StatusOK, "")
		if len(plain.body) == 0 || len(packed.body) > len(plain.body) {
			t.Errorf("%s: %d bytes, %d packed", f[1], len(plain.body), len(packed.body))
		}
	}
	described := h.do(good(t, "getDescription", ""))
	described.want(http.StatusOK, "")
	var document struct{ Paths map[string]any }
	if err := json.Unmarshal(described.body, &document); err != nil || document.Paths["/v1/transactions/{id}/documents"] == nil {
		t.Errorf("openapi.json: %v", err)
	}
}

// running is a server on a real socket.
type running struct {
	base string
	stop context.CancelFunc
	done chan error
}

func (h *house) run(t *testing.T, l net.Listener, scheme string) running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := running{base: scheme + "://localhost:" + l.Addr().(*net.TCPAddr).AddrPort().String()[len("127.0.0.1:"):], stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- h.server.Run(ctx) }()
	t.Cleanup(cancel)
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A stop lets the request under way finish, refuses new ones, and ends Run.
func TestRunDrains(t *testing.T) {
	l := listen(t)
	h := newHouse(t, func(c *Config, _ *Dependencies, _ *access.Config) { c.Listener = l })
	token := h.client("window", access.SingleWindow)
	entered, release := make(chan struct{}), make(chan struct{})
	h.rooms.show = func(ctx context.Context) (*dossier.Transaction, error) {
		close(entered)
		<-release
		return sampleTransaction(), ctx.Err() // the stop must not cut it off
	}
	r := h.run(t, l, "http")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	status := make(chan int, 1)
	go func() {
		request, _ := http.NewRequest("GET", r.base+somewhere, nil)
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(request)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	<-entered
	r.stop()
	for h.do(good(t, "getReadiness", "")).member("status") != "draining" && t.Context().Err() == nil {
		runtime.Gosched() // the server hears of the stop in its own time
	}
	close(release)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the request under way got %d", got)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

func TestRunSaysWhyItCannotServe(t *testing.T) {
	l := listen(t)
	h := newHouse(t, func(c *Config, _ *Dependencies, _ *access.Config) { c.Listener = l })
	l.Close()
	if err := h.server.Run(t.Context()); err == nil {
		t.Error("served on a closed listener")
	}
}

// Over real TLS: a registered certificate is a caller, another is not, a token
// goes before it; and private_key_jwt works on the wire.
func TestTLSAndClientCertificates(t *testing.T) {
	l := listen(t)
	serverCertificate := selfSigned(t, rsaKey(), pkix.Name{CommonName: "localhost"})
	known := selfSigned(t, rsaKey(), pkix.Name{CommonName: "desk"})
	h := newHouse(t, func(c *Config, _ *Dependencies, _ *access.Config) {
		c.Listener = l
		c.TLS = &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{serverCertificate}, PrivateKey: rsaKey()}},
			ClientAuth:   tls.RequestClientCert,
		}
	})
	err := h.clients.Add(t.Context(), "test", access.Registration{
		ID: "desk", Name: "Desk", Role: access.Support, Credentials: access.Credentials{Certificate: known},
	})
	if err != nil {
		t.Fatal(err)
	}
	window := h.client("window", access.SingleWindow)
	r := h.run(t, l, "https")
	anchor, err := x509.ParseCertificate(serverCertificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(anchor)
	ask := func(der []byte, key crypto.PrivateKey, token string, version uint16) (int, string) {
		config := &tls.Config{RootCAs: roots, MaxVersion: version, Time: fixedNow}
		if der != nil {
			config.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		request, err := http.NewRequest("GET", r.base+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := client.Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		if answer.Header.Get("Strict-Transport-Security") == "" {
			t.Error("no Strict-Transport-Security over TLS")
		}
		var p Problem
		_ = json.Unmarshal(body, &p) // metrics are no JSON
		return answer.StatusCode, p.Code
	}
	unknown := selfSigned(t, clientKey(), pkix.Name{CommonName: "desk"})
	for _, c := range []struct {
		name    string
		der     []byte
		key     crypto.PrivateKey
		token   string
		version uint16
		status  int
		code    fault.Code
	}{
		{"registered certificate", known, rsaKey(), "", 0, 200, ""},
		{"registered certificate, TLS 1.2", known, rsaKey(), "", tls.VersionTLS12, 200, ""},
		{"another certificate", unknown, clientKey(), "", 0, 401, fault.ClientCertificateUnknown},
		{"no certificate", nil, nil, "", 0, 401, fault.CredentialsMissing},
		{"token of another role goes first", known, rsaKey(), window, 0, 403, fault.RoleDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, code := ask(c.der, c.key, c.token, c.version); status != c.status || code != string(c.code) {
				t.Errorf("%d %s, want %d %s", status, code, c.status, c.code)
			}
		})
	}
	if status, problem := ask(known, rsaKey(), "", tls.VersionTLS11); status != 0 {
		t.Errorf("TLS 1.1 got %d %s", status, problem)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

func TestTokenOverHTTP(t *testing.T) {
	l := listen(t)
	h := newHouse(t, func(c *Config, _ *Dependencies, _ *access.Config) { c.Listener = l })
	h.client("window", access.SingleWindow)
	r := h.run(t, l, "http")
	answer, err := http.PostForm(r.base+access.TokenPath, url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {h.assertion("window")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var token Token
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	if token.TokenType != "Bearer" || token.ExpiresIn != 300 || !slices.Contains(strings.Fields(token.Scope), "orders.write") {
		t.Errorf("got %+v", token)
	}
	request, err := http.NewRequest("GET", r.base+somewhere, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token.AccessToken)
	got, err := http.DefaultClient.Do(request)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", got, err)
	}
	got.Body.Close()
	// In one piece: the answer comes before a request is read to its end, and soon
	// after it nothing can be written any more.
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n\r\n", strings.Repeat("a", 2*headerSizeMax))
	if got, err = http.ReadResponse(bufio.NewReader(conn), nil); err != nil || got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Fatalf("%v, %v", got, err)
	}
	got.Body.Close()
}

func TestNewRefusesWithoutItsRooms(t *testing.T) {
	if _, err := New(Config{}, Dependencies{}); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("got %v", err)
	}
}
