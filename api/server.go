package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
)

// Config of the server.
type Config struct {
	// Listener is where to serve. The caller opens it, so that a port that
	// is taken shows before anything else starts.
	Listener net.Listener
	// TLS is nil for plain HTTP behind a proxy on the same machine. Client
	// certificates count when its ClientAuth asks for them.
	TLS *tls.Config

	Log *slog.Logger
	Now func() time.Time

	// RequestTimeout bounds the work on one request, with all the peers it
	// waits for, once its body is read; zero means 60 s.
	RequestTimeout time.Duration
	// DrainTimeout bounds how long requests under way may go on after the
	// server was told to stop; zero means 30 s.
	DrainTimeout time.Duration
}

// Dependencies are the rooms that the handlers call.
type Dependencies struct {
	Access   *access.Service
	Dossier  Dossier
	Gateway  Gateway
	Webhooks Subscriptions
	Verifier Verifier
	Sealer   Sealer
	Stamps   Stamps                                     // nil: no time-stamps are issued
	Keys     func() []jose.JSONWebKey                   // public keys of receipts, retired ones included
	Checks   map[string]func(ctx context.Context) error // what must answer for the service to be ready
	Registry *prometheus.Registry                       // of the metrics shown and added to
}

// Limits of the connection itself.
const (
	headerSizeMax     = 16 << 10
	headerReadTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	// bodyReadTimeout lets 32 MiB through at about 2 Mbit/s.
	bodyReadTimeout = 2 * time.Minute

	requestTimeoutDefault = 60 * time.Second
	drainTimeoutDefault   = 30 * time.Second
)

// Server serves the API.
type Server struct {
	rooms          Dependencies
	listener       net.Listener
	tls            *tls.Config
	log            *slog.Logger
	now            func() time.Time
	requestTimeout time.Duration
	drainTimeout   time.Duration

	contract *contract
	metrics  *metrics
	bodies   *semaphore.Weighted
	draining atomic.Bool
	engine   *gin.Engine
	stamping *operation // the contract's, of time-stamps in DER
	paying   *operation // and of payments
}

// New makes a server; Run serves. Errors: config_invalid.
func New(c Config, d Dependencies) (*Server, error) {
	if c.Log == nil || c.Now == nil || d.Access == nil || d.Dossier == nil || d.Gateway == nil || d.Webhooks == nil || d.Verifier == nil || d.Keys == nil || d.Registry == nil {
		return nil, fault.New(fault.ConfigBad, "", "the API needs a log, a clock and every room it calls")
	}
	s := &Server{
		rooms: d, listener: c.Listener, tls: c.TLS, log: c.Log, now: c.Now,
		requestTimeout: c.RequestTimeout, drainTimeout: c.DrainTimeout, bodies: semaphore.NewWeighted(bodyBudget),
	}
	if s.requestTimeout <= 0 {
		s.requestTimeout = requestTimeoutDefault
	}
	if s.drainTimeout <= 0 {
		s.drainTimeout = drainTimeoutDefault
	}
	var err error
	if s.contract, err = readContract(); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(d.Registry); err != nil {
		return nil, err
	}
	for _, o := range s.contract.operations {
		o.series = s.metrics.of(o.id)
	}
	s.stamping = s.contract.operations[operationKey(http.MethodPost, stampPath)]
	s.paying = s.contract.operations[operationKey(http.MethodPost, paymentPath)]
	s.engine, err = s.routes()
	return s, err
}

// routes builds the router: the generated routes behind observe, guard and
// check, and problem documents for everything that is no route.
func (s *Server) routes() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // one resource, one address
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, fmt.Errorf("trust no proxy: %w", err)
	}
	e.Use(s.observe, s.guard, s.check)
	e.NoRoute(func(g *gin.Context) {
		s.fail(g, fault.New(fault.RouteUnknown, "", "see /openapi.json for the routes there are"))
	})
	e.NoMethod(func(g *gin.Context) {
		s.fail(g, fault.New(fault.MethodNotAllowed, "", "see the Allow header"))
	})
	strict := NewStrictHandlerWithOptions(handlers{s}, nil, StrictGinServerOptions{
		RequestErrorHandlerFunc: func(g *gin.Context, _ error) {
			s.fail(g, fault.New(fault.BodyInvalid, "", "does not match the description"))
		},
		HandlerErrorFunc:         s.fail,
		ResponseErrorHandlerFunc: s.fail,
	})
	RegisterHandlersWithOptions(e, strict, GinServerOptions{
		ErrorHandler: func(g *gin.Context, _ error, _ int) {
			s.fail(g, fault.New(fault.ParameterInvalid, "", "a parameter does not match the description"))
		},
	})
	return e, nil
}

// Handler is the whole API as a handler, for tests.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.stampAtOnce(w, r) && !s.payAtOnce(w, r) {
			s.engine.ServeHTTP(w, r)
		}
	})
}

// Run serves until the context ends, then stops taking connections, lets the
// requests under way finish, and returns. It is called once.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		return fault.New(fault.ConfigBad, "/listen", "no listener")
	}
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerReadTimeout,
		ReadTimeout:       bodyReadTimeout,
		WriteTimeout:      bodyReadTimeout + s.requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerSizeMax,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if s.tls != nil {
		secure := s.tls.Clone()
		secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
		secure.NextProtos = []string{"h2", "http/1.1"}
		server.TLSConfig = secure
	}
	served := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			served <- server.ServeTLS(s.listener, "", "")
			return
		}
		served <- server.Serve(s.listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	return s.drain(server, served)
}

func (s *Server) drain(server *http.Server, served <-chan error) error {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.drainTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were still under way after %s: %w", s.drainTimeout, err), server.Close())
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
