package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/sample"
)

// benchRequestsPerSecond is the rate limit of the one trader that the rows let
// submit: out of reach, because a trader's limit is not what they measure.
const benchRequestsPerSecond = 1e6

// submitBench is a service in its surroundings with a trader who submits, and
// the bare parts of the same work. Callers, service, stand-ins of the state's
// systems and database share the machine: every signature of both ends counts.
type submitBench struct {
	bench   *bench
	around  *surroundings
	service *service
	callers *demo // its way of calling the API, and its trader
	bare    *bareSubmit
	closers []func() error // in the order of opening

	filed int // documents so far: no two are the same
}

// submitWith measures whole submissions by that many callers against their
// bare parts, done by as many.
func submitWith(callers int) func(context.Context, *bench, benchRow) (benchResult, error) {
	return func(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
		s, err := b.startedService(ctx)
		if err != nil {
			return benchResult{}, err
		}
		ours := func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
			return s.run(ctx, callers, n)
		}
		reference := func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
			return inParallel(ctx, b.now, callers, n, s.bare.once)
		}
		return b.alternate(ctx, row, ours, reference)
	}
}

// startedService is the service that the rows share, started by the first.
func (b *bench) startedService(ctx context.Context) (_ *submitBench, err error) {
	if b.submit == nil {
		b.submit, err = startSubmitBench(ctx, b)
	}
	return b.submit, err
}

// startSubmitBench starts everything, or nothing.
func startSubmitBench(ctx context.Context, b *bench) (*submitBench, error) {
	s := &submitBench{bench: b}
	for _, part := range []func(context.Context) error{s.startSurroundings, s.startService, s.signIn, s.prepareBare} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *submitBench) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *submitBench) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *submitBench) startSurroundings(ctx context.Context) (err error) {
	s.bench.tell("starting the service and its surroundings in %s", s.bench.dir)
	c := surroundingsConfig{Dir: s.bench.dir, Now: s.bench.now}
	if s.bench.config.Small {
		c.Bits, c.Unsafe = 2048, true
	}
	if s.around, err = startSurroundings(ctx, c); err != nil {
		return err
	}
	s.onClose(s.around.close)
	s.around.config.Limits.RequestsPerSecond = benchRequestsPerSecond
	s.around.config.Limits.TimestampsPerSecond = benchRequestsPerSecond
	s.around.config.Limits.PaymentsPerSecond = benchRequestsPerSecond
	return s.addMemoryPolicy()
}

// startService runs the service as `senim up` does, its log in a file.
func (s *submitBench) startService(ctx context.Context) error {
	log, closeLog, err := openLog(filepath.Join(s.bench.dir, logName))
	if err != nil {
		return err
	}
	s.onClose(closeLog)
	if s.service, err = s.around.startService(ctx, log); err != nil {
		return err
	}
	s.onClose(s.service.close)
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.service.run(ctx) }()
	s.onClose(func() error { stop(); return <-ended })
	return waitReady(ctx, s.service.config.PublicURL)
}

// signIn gives the trader a token and a session, as in the demo.
func (s *submitBench) signIn(ctx context.Context) error {
	transport := &http.Transport{MaxIdleConnsPerHost: 64} // a connection per caller, kept
	s.onClose(func() error { transport.CloseIdleConnections(); return nil })
	s.callers = &demo{
		narrator: &narrator{out: s.bench.progress, language: fault.English, now: s.bench.now}, around: s.around, base: s.service.config.PublicURL,
		trader: &apiClient{base: s.service.config.PublicURL, language: fault.English, http: &http.Client{Timeout: time.Minute, Transport: transport}},
	}
	trader, err := s.around.person(ctx, sandbox.Head)
	if err != nil {
		return err
	}
	s.onClose(trader.token.Close)
	s.callers.people = map[sandbox.Person]*person{sandbox.Head: trader}
	return s.callers.traderSignsIn(ctx)
}

// submission is a signed document and the transaction that waits for it.
type submission struct {
	transaction uuid.UUID
	signed      []byte
}

// file signs n documents and opens a transaction for each: what was done before
// a submission begins.
func (s *submitBench) file(ctx context.Context, n int) ([]submission, error) {
	// The session of the last round may have run out meanwhile.
	if err := s.callers.traderSignsIn(ctx); err != nil {
		return nil, err
	}
	first := s.filed
	s.filed += n
	filed := make([]submission, n)
	_, _, err := inParallel(ctx, s.bench.now, 4, n, func(ctx context.Context, i int) error {
		reference := fmt.Sprintf("SD-2026-%06d", first+i)
		t, err := s.callers.open(ctx, s.callers.trader, reference)
		if err != nil {
			return err
		}
		signed, err := s.callers.signAs(ctx, s.callers.people[sandbox.Head], sample.DeclarationOf(sample.DeclarantBIN, reference))
		filed[i] = submission{transaction: t.ID, signed: signed}
		return err
	})
	return filed, err
}

// submitOne sends a document and waits for its receipt.
func (s *submitBench) submitOne(ctx context.Context, one *submission) error {
	var answer api.Document
	if err := s.callers.send(ctx, s.callers.trader, one.transaction, one.signed, &answer); err != nil {
		return err
	}
	if answer.Receipt == "" {
		return fault.New(fault.Internal, "/receipt", "a document was accepted without one")
	}
	return nil
}

// run has callers submit n documents.
func (s *submitBench) run(ctx context.Context, callers, n int) ([]time.Duration, time.Duration, error) {
	filed, err := s.file(ctx, n)
	if err != nil {
		return nil, 0, err
	}
	return inParallel(ctx, s.bench.now, callers, n, func(ctx context.Context, i int) error { return s.submitOne(ctx, &filed[i]) })
}
