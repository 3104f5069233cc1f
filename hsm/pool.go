package hsm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
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

// hold is how a call holds the token.
type hold bool

const (
	shared hold = false
	// alone: no other call of this Token runs meanwhile. A login for one
	// signature does not outlive another session's command to the card.
	alone hold = true
)

// pool bounds the calls into a token by permits and keeps the idle sessions.
type pool struct {
	permits chan struct{}
	alone   chan struct{} // held by who collects all permits
	closing chan struct{}
	opened  atomic.Int64 // sessions, idle or lent out

	mu       sync.Mutex
	idle     []*session // last in, first out: the others may rest and be forgotten
	returned chan struct{}
}

// newPool leaves one session of the token's own limit free: it is for writing.
func newPool(configured int, sessionsMax uint) *pool {
	size := uint(poolSessionsMax)
	if configured > 0 {
		size = uint(configured)
	}
	if sessionsMax > 0 {
		size = max(1, min(size, sessionsMax-1))
	}
	return &pool{
		permits: make(chan struct{}, size), alone: make(chan struct{}, 1), closing: make(chan struct{}),
		returned: make(chan struct{}, size),
	}
}

// acquire waits for a permit, or for all of them.
func (p *pool) acquire(ctx context.Context, h hold) error {
	if err := ctx.Err(); err != nil {
		return waitFailed(err, "wait for a session")
	}
	if p.closed() {
		return errClosed()
	}
	if h == shared {
		return p.take(ctx, p.permits)
	}
	if err := p.take(ctx, p.alone); err != nil {
		return err
	}
	for taken := range cap(p.permits) {
		if err := p.take(ctx, p.permits); err != nil {
			p.put(taken)
			<-p.alone
			return err
		}
	}
	return nil
}

func (p *pool) take(ctx context.Context, from chan struct{}) error {
	select {
	case from <- struct{}{}:
		return nil
	default:
	}
	select {
	case from <- struct{}{}:
		return nil
	case <-ctx.Done():
		return waitFailed(ctx.Err(), "wait for a session")
	case <-p.closing:
		return errClosed()
	}
}

func (p *pool) put(permits int) {
	for range permits {
		<-p.permits
	}
}

func (p *pool) release(h hold) {
	if h == shared {
		<-p.permits
		return
	}
	p.put(cap(p.permits))
	<-p.alone
}

func (p *pool) closed() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

func (p *pool) push(s *session) {
	p.mu.Lock()
	p.idle = append(p.idle, s)
	p.mu.Unlock()
	select {
	case p.returned <- struct{}{}:
	default:
	}
}

func (p *pool) pop() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	s := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return s
}

// wait is for a token that has fewer sessions left than the pool has permits: it
// returns true when one of ours came back, and false if none will.
func (p *pool) wait(ctx context.Context) bool {
	if p.opened.Load() == 0 {
		return false
	}
	select {
	case <-p.returned:
		return true
	case <-ctx.Done():
	case <-p.closing:
	}
	return false
}

// takeIdle empties the pool.
func (p *pool) takeIdle() []*session {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle
	p.idle = nil
	return idle
}

// close turns new callers away, waits for the sessions that are lent out and
// closes all. It is called once.
func (p *pool) close(discard func(pkcs11.SessionHandle) error) error {
	close(p.closing)
	deadline := time.NewTimer(closeWaitMax)
	defer deadline.Stop()
	var errs []error
	for range cap(p.permits) {
		select {
		case p.permits <- struct{}{}:
			continue
		case <-deadline.C:
			errs = append(errs, fault.New(fault.HSMBusy, "", "a call into the module has not returned for %s", closeWaitMax))
		}
		break
	}
	for _, s := range p.takeIdle() {
		errs = append(errs, discard(s.handle))
	}
	return errors.Join(errs...)
}

func errClosed() error { return fault.New(fault.HSMUnavailable, "", "the token is closed") }

// waitFailed: who went away is not told that the device was busy.
func waitFailed(cause error, act string) error {
	if errors.Is(cause, context.Canceled) {
		return fault.Wrap(cause, fault.Cancelled, "", "%s", act)
	}
	return fault.Wrap(cause, fault.HSMBusy, "", "%s", act)
}
