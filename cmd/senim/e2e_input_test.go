package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
)

// bodyRoute is how a test reaches one operation that takes a body.
type bodyRoute struct {
	call    call
	max     int64 // bytes, as the contract says
	random  int   // what random bytes of the right type are refused with
	because fault.Code
}

// bodyRoutes are the operations of the contract that take a body. One that the
// contract has and the table has not fails the test.
func (w *world) bodyRoutes(t *testing.T) map[string]bodyRoute {
	t.Helper()
	transaction := w.opened(t, "INPUT")
	routes := map[string]bodyRoute{
		"issueToken":            {call{path: "/v1/oauth/token", contentType: "application/x-www-form-urlencoded"}, 0, 400, fault.BodyInvalid},
		"createSession":         {call{path: "/v1/sessions", contentType: cmsType}, 0, 400, fault.CMSMalformed},
		"openTransaction":       {call{path: "/v1/transactions", contentType: "application/json", bearer: w.window.bearer, key: uuid.NewString()}, 0, 400, fault.BodyInvalid},
		"submitDocument":        {w.documents(transaction, nil), 0, 400, fault.CMSMalformed},
		"acceptGatewayCallback": {call{path: "/v1/gateway/callbacks", contentType: "text/xml"}, 0, 401, fault.CallbackUnauthentic},
		"importStatement":       {call{path: "/v1/statements?name=x.xml", contentType: "application/xml", bearer: w.treasury.bearer, key: uuid.NewString()}, 0, 400, fault.StatementMalformed},
		"reconcile":             {call{path: "/v1/reconciliations", contentType: "application/json", bearer: w.treasury.bearer}, 0, 400, fault.BodyInvalid},
	}
	var contract struct {
		Paths map[string]map[string]struct {
			ID   string `json:"operationId"`
			Body *struct {
				Max int64 `json:"x-senim-max-bytes"`
			} `json:"requestBody"`
		} `json:"paths"`
	}
	check(t, json.Unmarshal(w.do(t, call{method: http.MethodGet, path: "/openapi.json"}).body, &contract))
	found := 0
	for path, methods := range contract.Paths {
		for method, operation := range methods {
			if operation.Body == nil {
				continue
			}
			route, known := routes[operation.ID]
			if !known {
				t.Errorf("%s %s takes a body and is not tried", method, path)
				continue
			}
			found++
			route.call.method, route.max = strings.ToUpper(method), operation.Body.Max
			routes[operation.ID] = route
		}
	}
	if found != len(routes) {
		t.Errorf("the contract has %d of %d operations", found, len(routes))
	}
	return routes
}

// Whatever is sent instead of a body gets its problem document, in three
// languages, and costs no more than the route's limit.
func (w *world) badBodies(t *testing.T) {
	noise := make([]byte, 4000)
	_, _ = rand.Read(noise)
	for name, route := range w.bodyRoutes(t) {
		with := func(change func(*call)) call {
			c := route.call
			c.body = noise
			change(&c)
			return c
		}
		t.Run(name, func(t *testing.T) {
			w.refuses(t, with(func(c *call) { c.body = nil }), http.StatusBadRequest, fault.InputEmpty)
			w.refuses(t, with(func(*call) {}), route.random, route.because)
			w.refuses(t, with(func(c *call) { c.contentType = "text/plain" }), http.StatusUnsupportedMediaType, fault.MediaTypeUnsupported)
			w.refuses(t, with(func(c *call) { c.contentType = "" }), http.StatusUnsupportedMediaType, fault.MediaTypeUnsupported)
			w.refuses(t, with(func(c *call) { c.header = http.Header{"Content-Encoding": {"gzip"}} }), http.StatusUnsupportedMediaType, fault.MediaTypeUnsupported)
			w.refuses(t, with(func(c *call) {
				c.path += "&more=1"
				c.path = strings.Replace(c.path, "&", "?", 1-strings.Count(c.path, "?"))
			}), http.StatusBadRequest, fault.ParameterInvalid)
			if route.call.key != "" {
				w.refuses(t, with(func(c *call) { c.key = "" }), http.StatusBadRequest, fault.IdempotencyKeyMissing)
				w.refuses(t, with(func(c *call) { c.key = "two words" }), http.StatusBadRequest, fault.IdempotencyKeyInvalid)
				w.refuses(t, with(func(c *call) { c.key = strings.Repeat("k", 129) }), http.StatusBadRequest, fault.IdempotencyKeyInvalid)
			}
			w.gigabyte(t, route)
			w.truncated(t, route)
		})
	}
}

// socketBuffers is what may be on the way when a server has had enough.
const socketBuffers = 16 << 20

// gigabyte sends 1 GiB of zeros, without saying so and saying so.
func (w *world) gigabyte(t *testing.T, route bodyRoute) {
	t.Helper()
	sent := &zeros{left: 1 << 30}
	c := route.call
	c.stream, c.language = sent, fault.Russian
	w.do(t, c).refused(t, fault.Russian, http.StatusRequestEntityTooLarge, fault.InputTooBig)
	if took := 1<<30 - sent.left; took > route.max+socketBuffers {
		t.Errorf("the server took %d bytes of a stream, its limit is %d", took, route.max)
	}
	raw := w.raw(t, c, 1<<30, []byte("0"), false)
	raw.refused(t, fault.Russian, http.StatusRequestEntityTooLarge, fault.InputTooBig)
}

// truncated says that a body is longer than it is.
func (w *world) truncated(t *testing.T, route bodyRoute) {
	t.Helper()
	c := route.call
	c.language = fault.Kazakh
	w.raw(t, c, min(1000, route.max), []byte("half a body"), true).refused(t, fault.Kazakh, http.StatusBadRequest, fault.BodyTruncated)
}

// zeros is a stream of them.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := int(min(int64(len(p)), z.left))
	clear(p[:n])
	if z.left -= int64(n); n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// raw sends a request with a Content-Length of its own, and reads the answer.
func (w *world) raw(t *testing.T, c call, length int64, body []byte, end bool) reply {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.base, "http://"))
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nAccept-Language: %s\r\n",
		c.method, c.path, strings.TrimPrefix(w.base, "http://"), c.contentType, length, c.language)
	if c.bearer != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", c.bearer)
	}
	if c.key != "" {
		fmt.Fprintf(&b, "Idempotency-Key: %s\r\n", c.key)
	}
	b.WriteString("\r\n")
	b.Write(body)
	_, err = conn.Write(b.Bytes())
	check(t, err)
	if end {
		check(t, conn.(*net.TCPConn).CloseWrite())
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, answerSizeMax))
	check(t, err)
	return reply{res.StatusCode, res.Header, answer}
}

func TestEndToEnd(t *testing.T) {
	w := newWorld(t)
	t.Run("bad bodies", w.badBodies)
	_ = sandbox.Head
}
