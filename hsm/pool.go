package hsm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

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

// pool bounds the calls into a token by permits and keeps the idle sessions. Who
// has to wait is served in turn.
type pool struct {
	size    int
	closing chan struct{}

	mu      sync.Mutex
	free    int             // permits
	idle    []*session      // last in, first out: the others may rest and be forgotten
	opened  int             // sessions, idle or lent out
	waiting []*waiter       // for permits, first come first
	short   []chan struct{} // who found no session left at the token
}

// waiter wants a number of permits; granted is closed when it has them.
type waiter struct {
	permits int
	granted chan struct{}
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
	return &pool{size: int(size), free: int(size), closing: make(chan struct{})}
}

func (p *pool) permits(h hold) int {
	if h == alone {
		return p.size
	}
	return 1
}

// acquire waits for a permit, or for all of them.
func (p *pool) acquire(ctx context.Context, h hold) error {
	if err := ctx.Err(); err != nil {
		return waitFailed(err, "wait for a session")
	}
	if p.closed() {
		return errClosed()
	}
	n := p.permits(h)
	p.mu.Lock()
	if len(p.waiting) == 0 && p.free >= n {
		p.free -= n
		p.mu.Unlock()
		return nil
	}
	w := &waiter{permits: n, granted: make(chan struct{})}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		p.giveUp(w)
		return waitFailed(ctx.Err(), "wait for a session")
	case <-p.closing:
		p.giveUp(w)
		return errClosed()
	}
}

// giveUp takes a waiter out of the queue. If its permits came at the same moment,
// they go on to the next.
func (p *pool) giveUp(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	} else {
		p.free += w.permits
	}
	p.grant()
}

// grant serves those at the head of the queue; mu is held.
func (p *pool) grant() {
	for len(p.waiting) > 0 && p.free >= p.waiting[0].permits {
		p.free -= p.waiting[0].permits
		close(p.waiting[0].granted)
		p.waiting = p.waiting[1:]
	}
}

func (p *pool) release(h hold) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free += p.permits(h)
	p.grant()
}

func (p *pool) closed() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

// opens counts sessions opened, or closed where n is negative.
func (p *pool) opens(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened += n
	if n < 0 {
		p.tellShort()
	}
}

// tellShort lets one who found no session left try again; mu is held.
func (p *pool) tellShort() {
	if len(p.short) > 0 {
		close(p.short[0])
		p.short = p.short[1:]
	}
}

func (p *pool) push(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, s)
	p.tellShort()
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
	p.mu.Lock()
	if len(p.idle) > 0 || p.opened == 0 {
		defer p.mu.Unlock()
		return p.opened > 0
	}
	returned := make(chan struct{})
	p.short = append(p.short, returned)
	p.mu.Unlock()
	select {
	case <-returned:
		return true
	case <-ctx.Done():
	case <-p.closing:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.short = slices.DeleteFunc(p.short, func(c chan struct{}) bool { return c == returned })
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
// gives all that are open. It is called once.
func (p *pool) close() ([]*session, error) {
	close(p.closing)
	p.mu.Lock()
	w := &waiter{permits: p.size, granted: make(chan struct{})}
	p.waiting = append(p.waiting, w)
	p.grant()
	p.mu.Unlock()
	deadline := time.NewTimer(closeWaitMax)
	defer deadline.Stop()
	select {
	case <-w.granted:
		return p.takeIdle(), nil
	case <-deadline.C:
		return nil, errNotReturned()
	}
}

func errClosed() error { return fault.New(fault.HSMUnavailable, "", "the token is closed") }

// waitFailed: who went away is not told that the device was busy.
func waitFailed(cause error, act string) error {
	if errors.Is(cause, context.Canceled) {
		return fault.Wrap(cause, fault.Cancelled, "", "%s", act)
	}
	return fault.Wrap(cause, fault.HSMBusy, "", "%s", act)
}

// lazyTimeout is a context that ends some time after somebody first waits for
// its end. A signature that need not wait costs no timer.
type lazyTimeout struct {
	context.Context
	limit time.Duration
	begin sync.Once
	timed context.Context
	stop  context.CancelFunc
}

func (l *lazyTimeout) Done() <-chan struct{} {
	l.begin.Do(func() { l.timed, l.stop = context.WithTimeout(l.Context, l.limit) })
	return l.timed.Done()
}

func (l *lazyTimeout) Err() error {
	if l.timed == nil {
		return l.Context.Err()
	}
	return l.timed.Err()
}

// cancel frees the timer. The context is one goroutine's.
func (l *lazyTimeout) cancel() {
	if l.stop != nil {
		l.stop()
	}
}
