package hsm

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// poolSessionsMax: beyond this, sessions gained nothing on any token measured
	// and small HSMs have few (YubiHSM 2: 16 for all its clients).
	poolSessionsMax = 8
	// closeWaitMax bounds the wait for calls that the token does not return from.
	closeWaitMax = 10 * time.Second
)

// pool lends sessions, at most as many as it has permits. A session is used by
// one goroutine at a time, as PKCS#11 v2.40 §2.6.7 demands. The bound lies here
// and not in the number of goroutines, because a call that blocks inside the
// module holds an operating-system thread and cannot be cancelled.
type pool struct {
	permits chan struct{}
	closing chan struct{}
	open    func() (pkcs11.SessionHandle, error)
	discard func(pkcs11.SessionHandle) error

	mu   sync.Mutex
	idle []pkcs11.SessionHandle // last in, first out: few sessions stay warm
}

// newPool makes a pool that stays one below the token's own limit (0 for none):
// the extra session is the read-write one of Token.write.
func newPool(sessionsMax uint, open func() (pkcs11.SessionHandle, error), discard func(pkcs11.SessionHandle) error) *pool {
	size := uint(poolSessionsMax)
	if sessionsMax > 0 {
		size = max(1, min(size, sessionsMax-1))
	}
	return &pool{permits: make(chan struct{}, size), closing: make(chan struct{}), open: open, discard: discard}
}

// acquire waits for a permit and gives an idle session or a new one.
func (p *pool) acquire(ctx context.Context) (pkcs11.SessionHandle, error) {
	if err := ctx.Err(); err != nil {
		return 0, waitFailed(err)
	}
	select {
	case <-p.closing:
		return 0, errClosed()
	default:
	}
	select {
	case p.permits <- struct{}{}:
	case <-ctx.Done():
		return 0, waitFailed(ctx.Err())
	case <-p.closing:
		return 0, errClosed()
	}
	if session, ok := p.pop(); ok {
		return session, nil
	}
	session, err := p.open()
	if err != nil {
		<-p.permits
		return 0, err
	}
	return session, nil
}

// release takes a session back; one that is not sound is closed instead.
func (p *pool) release(session pkcs11.SessionHandle, sound bool) {
	if sound {
		p.mu.Lock()
		p.idle = append(p.idle, session)
		p.mu.Unlock()
	} else {
		// The token's answer to closing a broken session changes nothing: the
		// call that broke it reports the failure.
		_ = p.discard(session)
	}
	<-p.permits
}

func (p *pool) pop() (pkcs11.SessionHandle, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return 0, false
	}
	session := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return session, true
}

// drain closes the idle sessions.
func (p *pool) drain() error {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	var errs []error
	for _, session := range idle {
		errs = append(errs, p.discard(session))
	}
	return errors.Join(errs...)
}

// close turns new callers away, waits for the sessions that are lent out and
// closes all. It is called once.
func (p *pool) close() error {
	close(p.closing)
	deadline := time.NewTimer(closeWaitMax)
	defer deadline.Stop()
	for range cap(p.permits) {
		select {
		case p.permits <- struct{}{}:
		case <-deadline.C:
			return errors.Join(p.drain(), fault.New(fault.HSMBusy, "", "a call into the module has not returned for %s", closeWaitMax))
		}
	}
	return p.drain()
}

func errClosed() error { return fault.New(fault.HSMUnavailable, "", "the token is closed") }

func waitFailed(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return fault.Wrap(cause, fault.Cancelled, "", "wait for a session")
	}
	return fault.Wrap(cause, fault.HSMBusy, "", "wait for a session")
}
