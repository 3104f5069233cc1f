package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
)

func TestBadInput(t *testing.T) {
	h := newHouse(t)
	window, treasury := h.client("window", access.SingleWindow), h.client("treasury", access.TreasuryOperator)
	noise := make([]byte, 1024)
	rand.Read(noise)
	open := func(body string) func(*sent) { return func(c *sent) { c.body = body } }
	header := func(name, value string) func(*sent) { return func(c *sent) { c.headers[name] = value } }
	contentType := func(value string) func(*sent) { return func(c *sent) { c.contentType = value } }
	for _, c := range []struct {
		name, operation, token string
		change                 func(*sent)
		status                 int
		code                   fault.Code
		pointer                string
	}{
		{"empty", "openTransaction", window, open(""), 400, fault.InputEmpty, ""},
		{"not JSON", "openTransaction", window, open("<x/>"), 400, fault.BodyInvalid, ""},
		{"random", "openTransaction", window, open(string(noise)), 400, fault.BodyInvalid, ""},
		{"truncated JSON", "openTransaction", window, open(`{"reference":"R","decl`), 400, fault.BodyInvalid, ""},
		{"two values", "openTransaction", window, open(`{"reference":"R","declarant_bin":"160440007161"} {}`), 400, fault.BodyInvalid, ""},
		{"a list", "openTransaction", window, open(`[]`), 400, fault.BodyInvalid, ""},
		{"null", "openTransaction", window, open(`null`), 400, fault.BodyInvalid, ""},
		{"unknown field", "openTransaction", window, open(`{"reference":"R","declarant_bin":"160440007161","admin":true}`), 400, fault.BodyInvalid, "/admin"},
		{"field of another case", "openTransaction", window, open(`{"Reference":"R","declarant_bin":"160440007161"}`), 400, fault.BodyInvalid, ""},
		{"field missing", "openTransaction", window, open(`{"reference":"R"}`), 400, fault.BodyInvalid, "/declarant_bin"},
		{"wrong type", "openTransaction", window, open(`{"reference":1,"declarant_bin":"160440007161"}`), 400, fault.BodyInvalid, "/reference"},
		{"wrong pattern", "openTransaction", window, open(`{"reference":"R","declarant_bin":"16044000716x"}`), 400, fault.BodyInvalid, "/declarant_bin"},
		{"too long a field", "openTransaction", window, open(`{"reference":"` + strings.Repeat("R", 65) + `","declarant_bin":"160440007161"}`), 400, fault.BodyInvalid, "/reference"},
		{"too big", "openTransaction", window, open(`{"reference":"` + strings.Repeat("R", 16384) + `"}`), 413, fault.InputTooBig, ""},
		{"nested", "openTransaction", window, open(strings.Repeat("[", 8000)), 400, fault.BodyInvalid, ""},
		{"no such day", "reconcile", treasury, open(`{"day":"2026-02-30"}`), 400, fault.BodyInvalid, ""},
		{"no day", "reconcile", treasury, open(`{"day":""}`), 400, fault.BodyInvalid, ""},

		{"no content type", "openTransaction", window, contentType(""), 415, fault.MediaTypeUnsupported, "/headers/Content-Type"},
		{"another content type", "submitDocument", window, contentType("application/json"), 415, fault.MediaTypeUnsupported, "/headers/Content-Type"},
		{"broken content type", "submitDocument", window, contentType(";;"), 415, fault.MediaTypeUnsupported, "/headers/Content-Type"},
		{"compressed", "submitDocument", window, header("Content-Encoding", "gzip"), 415, fault.MediaTypeUnsupported, "/headers/Content-Encoding"},
		{"body where none is", "createOrder", window, open("{}"), 400, fault.BodyInvalid, ""},
		{"empty document", "submitDocument", window, open(""), 400, fault.InputEmpty, ""},

		{"no idempotency key", "openTransaction", window, func(c *sent) { delete(c.headers, idempotencyHeader) }, 400, fault.IdempotencyKeyMissing, "/headers/Idempotency-Key"},
		{"no idempotency key", "submitDocument", window, func(c *sent) { delete(c.headers, idempotencyHeader) }, 400, fault.IdempotencyKeyMissing, "/headers/Idempotency-Key"},
		{"no idempotency key", "createOrder", window, func(c *sent) { delete(c.headers, idempotencyHeader) }, 400, fault.IdempotencyKeyMissing, "/headers/Idempotency-Key"},
		{"no idempotency key", "importStatement", treasury, func(c *sent) { delete(c.headers, idempotencyHeader) }, 400, fault.IdempotencyKeyMissing, "/headers/Idempotency-Key"},
		{"bad idempotency key", "createOrder", window, header(idempotencyHeader, "a b"), 400, fault.IdempotencyKeyInvalid, "/headers/Idempotency-Key"},
		{"long idempotency key", "createOrder", window, header(idempotencyHeader, strings.Repeat("k", 129)), 400, fault.IdempotencyKeyInvalid, "/headers/Idempotency-Key"},

		{"no UUID", "getTransaction", window, func(c *sent) { c.path = "/v1/transactions/1" }, 400, fault.ParameterInvalid, ""},
		{"unknown query", "getTransaction", window, func(c *sent) { c.path += "?expand=all" }, 400, fault.ParameterInvalid, "/query"},
		{"unreadable query", "getTransaction", window, func(c *sent) { c.path += "?a;b" }, 400, fault.ParameterInvalid, "/query"},
		{"query missing", "importStatement", treasury, func(c *sent) { c.path = "/v1/statements" }, 400, fault.ParameterInvalid, "/query/name"},
		{"query twice", "importStatement", treasury, func(c *sent) { c.path += "&name=b" }, 400, fault.ParameterInvalid, "/query/name"},
		{"query is a path", "importStatement", treasury, func(c *sent) { c.path = "/v1/statements?name=..%2Fb" }, 400, fault.ParameterInvalid, "/query/name"},
	} {
		t.Run(c.operation+" "+c.name, func(t *testing.T) {
			r := good(t, c.operation, c.token)
			c.change(&r)
			a := h.do(r)
			a.t = t
			a.want(c.status, c.code)
			if got := a.member("pointer"); c.pointer != "" && got != c.pointer {
				t.Errorf("pointer %q, want %q", got, c.pointer)
			}
			if strings.Contains(string(a.body), "16044000716x") {
				t.Error("the problem quotes the value")
			}
		})
	}
	h.do(good(t, "openTransaction", window)).want(http.StatusCreated, "")
}

// counted is an endless body that knows how much of it was read.
type counted struct{ read int64 }

func (c *counted) Read(p []byte) (int, error) {
	clear(p)
	c.read += int64(len(p))
	return len(p), nil
}

func TestEndlessBodyIsReadToTheCapOnly(t *testing.T) {
	h := newHouse(t)
	for operation, role := range map[string]access.Role{"submitDocument": access.SingleWindow, "importStatement": access.TreasuryOperator, "openTransaction": access.Trader} {
		t.Run(operation, func(t *testing.T) {
			body := &counted{}
			r := good(t, operation, h.client(clientOf(role), role)).request(t)
			r.Body, r.ContentLength = io.NopCloser(body), -1
			a := h.serve(r)
			a.t = t
			a.want(http.StatusRequestEntityTooLarge, fault.InputTooBig)
			if most := h.operationOf(r).bodyMax; body.read > most*2+1<<20 {
				t.Errorf("read %d bytes of at most %d", body.read, most)
			}
		})
	}
}

func TestDeclaredSizeIsRefusedUnread(t *testing.T) {
	h := newHouse(t)
	body := &counted{}
	r := good(t, "submitDocument", h.client("window", access.SingleWindow)).request(t)
	r.Body, r.ContentLength = io.NopCloser(body), 1<<30
	h.serve(r).want(http.StatusRequestEntityTooLarge, fault.InputTooBig)
	if body.read != 0 {
		t.Errorf("read %d bytes", body.read)
	}
}

func TestStrangersBodyIsNotRead(t *testing.T) {
	h := newHouse(t)
	body := &counted{}
	r := good(t, "submitDocument", "").request(t)
	r.Body, r.ContentLength = io.NopCloser(body), -1
	h.serve(r).want(http.StatusUnauthorized, fault.CredentialsMissing)
	if body.read != 0 {
		t.Errorf("read %d bytes of a stranger", body.read)
	}
}

func TestBodyBudget(t *testing.T) {
	h := newHouse(t)
	token := h.client("window", access.SingleWindow)
	if !h.server.bodies.TryAcquire(bodyBudget) {
		t.Fatal("the budget is not free")
	}
	r := good(t, "submitDocument", token).request(t)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("signed")), -1
	a := h.serve(r)
	a.want(http.StatusServiceUnavailable, fault.Overloaded)
	if a.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	h.do(good(t, "submitDocument", token)).want(http.StatusCreated, "") // small bodies need none of it
	h.server.bodies.Release(bodyBudget)
	r = good(t, "submitDocument", token).request(t)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("signed")), -1
	h.serve(r).want(http.StatusCreated, "")
	if !h.server.bodies.TryAcquire(bodyBudget) {
		t.Error("a request kept its share")
	}
}

// broken is a body whose sender goes away.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestTruncatedTransfer(t *testing.T) {
	h := newHouse(t)
	r := good(t, "submitDocument", h.client("window", access.SingleWindow)).request(t)
	r.Body, r.ContentLength = io.NopCloser(broken{}), 100
	h.serve(r).want(http.StatusBadRequest, fault.BodyTruncated)
}

func TestWhatTheRoomsAreGiven(t *testing.T) {
	h := newHouse(t)
	window := h.client("window", access.SingleWindow)
	first := good(t, "submitDocument", window)
	first.body = "\x30\x82 signed \x00\xff"
	h.do(first).want(http.StatusCreated, "")
	if string(h.rooms.body) != first.body || h.rooms.key.Value != "key-1" || h.rooms.caller.ID != "window" {
		t.Errorf("body %q, key %q, caller %s", h.rooms.body, h.rooms.key.Value, h.rooms.caller.ID)
	}
	digest := h.rooms.key.BodySHA256
	h.do(first)
	if h.rooms.key.BodySHA256 != digest {
		t.Error("the same request has another digest")
	}
	for name, change := range map[string]func(*sent){
		"body":        func(c *sent) { c.body += "x" },
		"transaction": func(c *sent) { c.path = strings.Replace(c.path, "01/", "02/", 1) },
	} {
		other := first
		change(&other)
		h.do(other).want(http.StatusCreated, "")
		if h.rooms.key.BodySHA256 == digest {
			t.Errorf("another %s has the same digest", name)
		}
	}

	statement := good(t, "importStatement", h.client("treasury", access.TreasuryOperator))
	h.do(statement).want(http.StatusCreated, "")
	callback := good(t, "acceptGatewayCallback", "")
	a := h.do(callback)
	a.want(http.StatusOK, "")
	if string(h.rooms.body) != callback.body || string(a.body) != "<ok/>" || a.header.Get("Content-Type") != "text/xml" {
		t.Errorf("got %q, answered %q (%s)", h.rooms.body, a.body, a.header.Get("Content-Type"))
	}
	opened := h.do(good(t, "openTransaction", window))
	if want := somewhere; opened.header.Get("Location") != want {
		t.Errorf("Location %q", opened.header.Get("Location"))
	}
}

func TestRefusalsOfTheRooms(t *testing.T) {
	h := newHouse(t)
	window := h.client("window", access.SingleWindow)
	for _, c := range []struct {
		err    error
		status int
		code   fault.Code
	}{
		{fault.New(fault.TransactionNotFound, "/id", "none"), 404, fault.TransactionNotFound},
		{fault.New(fault.RequestInFlight, "", ""), 409, fault.RequestInFlight},
		{fault.New(fault.IdempotencyKeyReused, "", ""), 422, fault.IdempotencyKeyReused},
		{errors.Join(fault.New(fault.PeerDown, "", "ocsp"), errors.New("release failed")), 503, fault.PeerDown},
		{context.Canceled, 503, fault.Cancelled},
		{errors.New("secret of the house"), 500, fault.Internal},
	} {
		h.rooms.err = c.err
		a := h.do(good(t, "createOrder", window))
		a.want(c.status, c.code)
		if strings.Contains(string(a.body), "secret") {
			t.Errorf("the caller is told %s", a.body)
		}
		if got := a.header.Get("Retry-After"); (got != "") != (c.status == 503) {
			t.Errorf("%d with Retry-After %q", c.status, got)
		}
	}
}

func TestForgedCallback(t *testing.T) {
	h := newHouse(t)
	h.rooms.err = fault.New(fault.CallbackUnauthentic, "", "the digest differs")
	a := h.do(good(t, "acceptGatewayCallback", ""))
	a.want(http.StatusUnauthorized, fault.CallbackUnauthentic)
	if got := a.header.Get("WWW-Authenticate"); strings.Contains(got, "Bearer") || got == "" {
		t.Errorf("WWW-Authenticate: %q", got)
	}
}

func TestProblemLanguage(t *testing.T) {
	h := newHouse(t)
	for header, want := range map[string]fault.Language{
		"": fault.English, "kk": fault.Kazakh, "ru-RU,ru;q=0.9,en;q=0.5": fault.Russian, "de, kk;q=0.5": fault.Kazakh,
		"fr": fault.English, "en-GB": fault.English, "*": fault.English, "q=;;": fault.English, strings.Repeat("ru,", 200): fault.English,
	} {
		c := good(t, "getTransaction", "")
		c.headers["Accept-Language"] = header
		a := h.do(c)
		if got := a.member("title"); got != fault.CredentialsMissing.Message(want) {
			t.Errorf("Accept-Language %.30q: %q", header, got)
		}
		if got := a.header.Get("Content-Language"); got != string(want) {
			t.Errorf("Accept-Language %.30q: Content-Language %q", header, got)
		}
	}
}

func TestProblemNamesTheRequest(t *testing.T) {
	h := newHouse(t)
	for given, kept := range map[string]bool{
		"trace-0123456789": true, "0195a3c0-0000-7000-8000-000000000001": true,
		"short": false, "with space in it": false, "line\nbreak-----": false, strings.Repeat("a", 65): false,
	} {
		r := good(t, "getTransaction", "").request(t)
		r.Header[requestIDHeader] = []string{given}
		a := h.serve(r)
		id := a.header.Get(requestIDHeader)
		if (id == given) != kept {
			t.Errorf("sent %q, got %q", given, id)
		}
		if got := a.member("instance"); got != "urn:senim:request:"+id {
			t.Errorf("instance %q", got)
		}
		if got := a.member("type"); got != "urn:senim:reason:credentials_missing" {
			t.Errorf("type %q", got)
		}
	}
}

// Whatever is sent as JSON, the answer is a problem or the handler's, never a
// failure of ours.
func FuzzOpenTransaction(f *testing.F) {
	f.Add(`{"reference":"R","declarant_bin":"160440007161"}`)
	f.Add(`{"reference":"R","declarant_bin":"160440007161","reference":"S"}`)
	f.Add(`{"reference":{"a":[null]}}`)
	c, err := readContract()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		o := c.operations["POST /v1/transactions"]
		r := httptest.NewRequest("POST", "/v1/transactions", strings.NewReader(body))
		r.Header.Set("Content-Type", jsonType)
		input := &openapi3filter.RequestValidationInput{Request: r, Route: o.route, Options: validation}
		if err := checkSchema(t.Context(), input, &call{operation: o, body: []byte(body)}); err != nil {
			if status := statusOf(codeOf(err)); status != http.StatusBadRequest {
				t.Errorf("status %d: %v", status, err)
			}
			return
		}
		var got OpenTransaction
		d := json.NewDecoder(bytes.NewReader([]byte(body)))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || got.Reference == "" || len(got.DeclarantBIN) != 12 {
			t.Errorf("passed %q: %v", body, err)
		}
	})
}
