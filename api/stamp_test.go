package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
)

// stampsOf is an authority of which only the answer counts.
type stampsOf struct {
	Stamps
	respond func() ([]byte, error)
}

func (s stampsOf) Respond(context.Context, []byte) ([]byte, error) { return s.respond() }

// TestStampingAtOnceIsLikeTheRouter sends the same requests down both ways: the
// answers, the log and the metrics must be the same.
func TestStampingAtOnceIsLikeTheRouter(t *testing.T) {
	reply := func() ([]byte, error) { return []byte("a TimeStampResp"), nil }
	cutOff := io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	for name, tt := range map[string]struct {
		change  func(*http.Request)
		respond func() ([]byte, error)
	}{
		"granted": {nil, reply},
		"rejected": {nil, func() ([]byte, error) {
			return []byte("a rejection"), fault.New(fault.TimeNotAvailable, "", "the clock: jumped")
		}},
		"a panic":   {nil, func() ([]byte, error) { panic("secret of the house") }},
		"truncated": {func(r *http.Request) { r.Body = cutOff }, reply},
		"in Kazakh": {func(r *http.Request) { r.Body = cutOff; r.Header.Set("Accept-Language", "kk") }, reply},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(_ *Config, d *Dependencies, _ *access.Config) { d.Stamps = stampsOf{respond: tt.respond} })
			ask := func(handler http.Handler) (*httptest.ResponseRecorder, string) {
				r := good(t, "timestamp", "").request(t)
				r.Header.Set(requestIDHeader, "the-same-for-both")
				if tt.change != nil {
					tt.change(r)
				}
				w := httptest.NewRecorder()
				h.log.Reset()
				handler.ServeHTTP(w, r)
				var lines []string
				for line := range strings.Lines(h.log.String()) {
					_, line, _ = strings.Cut(line, `"level"`) // after the time
					line, _, _ = strings.Cut(line, `"stack"`)
					lines = append(lines, line)
				}
				return w, strings.Join(lines, "\n")
			}
			router, routerLog := ask(h.server.engine)
			atOnce, atOnceLog := ask(h.server.Handler())
			atOnce.Header().Del("Content-Length") // net/http tells it of either
			router.Header().Del("Content-Length")
			if atOnce.Code != router.Code || atOnce.Body.String() != router.Body.String() || !reflect.DeepEqual(atOnce.Header(), router.Header()) {
				t.Errorf("%d %v %s\nthe router says\n%d %v %s", atOnce.Code, atOnce.Header(), atOnce.Body, router.Code, router.Header(), router.Body)
			}
			if atOnceLog != routerLog {
				t.Errorf("the log has\n%s\nand of the router\n%s", atOnceLog, routerLog)
			}
			shown := h.do(good(t, "getMetrics", h.client("desk", access.Support)))
			if want := fmt.Sprintf("senim_http_requests_total{operation=%q,status=%q} 2\n", "timestamp", strconv.Itoa(router.Code)); !strings.Contains(string(shown.body), want) {
				t.Errorf("the metrics have not %s", want)
			}
		})
	}
}

// TestOnlyPlainStampsGoAtOnce: what is odd goes through the router.
func TestOnlyPlainStampsGoAtOnce(t *testing.T) {
	h := newHouse(t)
	for name, tt := range map[string]struct {
		change func(*http.Request)
		plain  bool
	}{
		"plain":              {func(*http.Request) {}, true},
		"as large as may be": {func(r *http.Request) { r.ContentLength = 4096 }, true},
		"larger":             {func(r *http.Request) { r.ContentLength = 4097 }, false},
		"chunked":            {func(r *http.Request) { r.ContentLength = -1 }, false},
		"another method":     {func(r *http.Request) { r.Method = http.MethodPut }, false},
		"another path":       {func(r *http.Request) { r.URL.Path = "/tsa/" }, false},
		"a query":            {func(r *http.Request) { r.URL.RawQuery = "a=b" }, false},
		"an empty query":     {func(r *http.Request) { r.URL.ForceQuery = true }, false},
		"a parameter":        {func(r *http.Request) { r.Header.Set("Content-Type", "application/timestamp-query; v=1") }, false},
		"two types":          {func(r *http.Request) { r.Header.Add("Content-Type", "application/timestamp-query") }, false},
		"compressed":         {func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, false},
	} {
		r := good(t, "timestamp", "").request(t)
		tt.change(r)
		if got := h.server.isPlainStamp(r); got != tt.plain {
			t.Errorf("%s: %v", name, got)
		}
	}
}
