package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/internal/fault"
)

// metrics of the API. Labels come from closed sets only: operations, statuses.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

// unknownOperation is the name of what is no route.
const unknownOperation = "unknown"

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "senim_http_requests_total", Help: "Requests answered, by operation and status.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "senim_http_request_seconds", Help: "Time to answer, by operation.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "senim_http_requests_in_flight", Help: "Requests being answered.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// series are the metrics that nearly every request of one operation adds to. Each
// is looked up when it is needed first: what never happened is not shown.
type series struct {
	succeeded func() prometheus.Counter // answered with 200
	seconds   func() prometheus.Observer
}

func (m *metrics) of(operation string) series {
	return series{
		succeeded: sync.OnceValue(func() prometheus.Counter {
			return m.requests.WithLabelValues(operation, strconv.Itoa(http.StatusOK))
		}),
		seconds: sync.OnceValue(func() prometheus.Observer { return m.seconds.WithLabelValues(operation) }),
	}
}

// answered counts a request; o is nil on an unknown route.
func (m *metrics) answered(o *operation, status int, took time.Duration) {
	switch {
	case o == nil:
		m.requests.WithLabelValues(unknownOperation, strconv.Itoa(status)).Inc()
		m.seconds.WithLabelValues(unknownOperation).Observe(took.Seconds())
		return
	case status == http.StatusOK:
		o.series.succeeded().Inc()
	default:
		m.requests.WithLabelValues(o.id, strconv.Itoa(status)).Inc()
	}
	o.series.seconds().Observe(took.Seconds())
}

// observe wraps the whole of a request: it names it, catches panics, and writes
// one log line and the metrics when it is over.
func (s *Server) observe(g *gin.Context) {
	began := s.now()
	c := &call{id: requestID(g.Request), language: languageOf(g.Request), operation: s.contract.find(g.Request, g.FullPath())}
	g.Request = g.Request.WithContext(context.WithValue(g.Request.Context(), callKey{}, c))
	c.request = g.Request
	setCommonHeaders(g.Writer.Header(), c)

	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	s.catch(c, g.Next, func(err error) { s.fail(g, err) })
	s.record(c, g.Writer.Status(), g.Writer.Size(), s.now().Sub(began))
}

// catch runs the rest of the request and turns a panic into a failure.
func (s *Server) catch(c *call, rest func(), fail func(error)) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p) // net/http's own way to drop a connection
		}
		// The value of a panic could hold anything, a runtime error cannot.
		what := fmt.Sprintf("%T", p)
		if e, ok := p.(runtime.Error); ok {
			what = e.Error()
		}
		s.log.ErrorContext(c.request.Context(), "panic", "request_id", c.id, "panic", what, "stack", string(debug.Stack()))
		fail(fault.New(fault.Internal, "", "panic: %s", what))
	}()
	rest()
}

func setCommonHeaders(h http.Header, c *call) {
	h.Set(requestIDHeader, c.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store") // pages and keys say otherwise
	if c.request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// record writes the access log and the metrics. The path and the query are
// not logged, because callers put anything there; nor is the address.
func (s *Server) record(c *call, status, size int, took time.Duration) {
	s.metrics.answered(c.operation, status, took)
	name := unknownOperation
	if c.operation != nil {
		name = c.operation.id
	}
	level := slog.LevelInfo
	attributes := []slog.Attr{
		slog.String("request_id", c.id), slog.String("operation", name), slog.Int("status", status),
		slog.Int("bytes", max(0, size)), slog.Float64("took_ms", float64(took.Microseconds())/1000),
	}
	if c.caller.ID != "" {
		attributes = append(attributes, slog.Any("caller", c.caller))
	}
	if c.failure != nil {
		code := codeOf(c.failure)
		attributes = append(attributes, slog.String("code", string(code)))
		// By what went wrong, and not by the answer: that of a time-stamping authority
		// which refuses is 200.
		if statusOf(code) >= http.StatusInternalServerError {
			level = slog.LevelError // ours to mend
			if code.Class() == fault.RetryLater {
				level = slog.LevelWarn // a peer's, or the load's
			}
			attributes = append(attributes, slog.String("error", c.failure.Error()))
		}
	}
	// The logger would look for the caller of every line, which is this function.
	if ctx, handler := c.request.Context(), s.log.Handler(); handler.Enabled(ctx, level) {
		line := slog.NewRecord(s.now(), level, "request", 0)
		line.AddAttrs(attributes...)
		_ = handler.Handle(ctx, line) // as the logger does: there is nowhere to say it
	}
}
