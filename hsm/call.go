package hsm

import (
	"context"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// callTimeout is how long a module is waited for, unless Options say otherwise.
	// A network HSM that changes to its other half takes some seconds.
	callTimeout = 30 * time.Second
	// changeTimeout is what calls that change a token get at least: a card takes
	// minutes to make an RSA-4096 key.
	changeTimeout = 10 * time.Minute
	// stuckMax is how many calls that do not return a token, or a module asked about
	// its tokens, is forgiven: each keeps a thread and a session, and nobody waits for
	// it. With one more it is out of use.
	stuckMax = 4
)

// call is one call into a module, or several in one session. Where the wait for it is
// limited it has a goroutine of its own: nobody can call back a thread that is inside
// a module, and so who waits for it leaves instead. What the call works with stays
// its own until it returns.
type call struct {
	returned chan error
	patience *time.Timer

	mu   sync.Mutex
	done bool
	left bool // nobody waits any more
}

func newCall() *call {
	c := &call{returned: make(chan error, 1), patience: time.NewTimer(time.Hour)}
	c.patience.Stop()
	return c
}

// end tells whoever waits how the call ended, and reports whether somebody does.
func (c *call) end(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return false
	}
	c.done = true
	c.returned <- err
	return true
}

func (c *call) isLeft() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// wait waits for the end, for a limited time where the limit is positive. If that
// passes, leave is called before the call can end, and the call is left.
func (c *call) wait(limit time.Duration, leave func()) (left bool, err error) {
	if limit > 0 {
		c.patience.Reset(limit)
		defer c.patience.Stop()
	}
	select {
	case err := <-c.returned:
		return false, err
	case <-c.patience.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return false, <-c.returned
	}
	c.left = true
	leave()
	return true, fault.New(fault.HSMUnavailable, "", "the module has not answered for %s", limit)
}

// inside runs fn while the module cannot be restarted. It is for questions that
// need no session. The result is fn's own, or nothing if it does not return.
func inside[T any](ctx context.Context, l *library, limit time.Duration, fn func() (T, error)) (T, error) {
	var none, result T
	if n := l.unanswered.Load(); n >= stuckMax {
		return none, fault.New(fault.HSMUnavailable, "", "%d questions to the module have had no answer", n)
	}
	if err := l.gate.enter(ctx); err != nil {
		return none, err
	}
	c := newCall()
	go func() {
		var err error
		result, err = fn()
		l.gate.leave()
		if !c.end(err) {
			l.unanswered.Add(-1)
			l.stuck.Add(-1)
		}
	}()
	left, err := c.wait(limit, func() {
		l.unanswered.Add(1)
		l.stuck.Add(1)
	})
	if left {
		return none, err
	}
	return result, err
}

// insideDo is inside without a result.
func insideDo(ctx context.Context, l *library, limit time.Duration, fn func() error) error {
	_, err := inside(ctx, l, limit, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}

// attempt runs fn once and says how old the session was.
func (t *Token) attempt(ctx context.Context, limit time.Duration, h hold, fn func(*session) error) (at age, err error) {
	began := t.options.Now()
	if err := t.sessions.acquire(ctx, h); err != nil {
		return at, err
	}
	if err := t.lib.gate.enter(ctx); err != nil {
		t.sessions.release(h)
		return at, err
	}
	t.options.Metrics.waited(t.label, t.options.Now().Sub(began))
	at = t.age()
	c, _ := t.calls.Get().(*call)
	if c == nil {
		c = newCall()
	}
	work := func() error {
		defer t.lib.gate.leave()
		return t.inSession(c, at, fn)
	}
	if limit <= 0 { // nobody leaves, and another goroutine would cost a twentieth of a P-256 signature
		defer t.sessions.release(h)
		defer t.calls.Put(c)
		return at, work()
	}
	forgiven := false
	go func() {
		if err := work(); !c.end(err) {
			t.cameBack(h, forgiven)
		}
	}()
	left, err := c.wait(limit, func() { forgiven = t.leave() })
	if left && !forgiven {
		t.lose(at, err) // the permit stays with the call
		return at, err
	}
	t.sessions.release(h)
	if !left {
		c.done = false
		t.calls.Put(c)
	}
	return at, err
}

// inSession lends a session to fn. One that comes back when nobody waits for it has
// been replaced.
func (t *Token) inSession(c *call, at age, fn func(*session) error) error {
	s, err := t.session(at)
	if err != nil {
		return err
	}
	err = fn(s)
	if c.isLeft() {
		t.drop(s)
	} else {
		t.giveBack(s, err)
	}
	return err
}

// leave counts a call that has not returned, and reports whether the token is
// forgiven: then another call may take its place.
func (t *Token) leave() (forgiven bool) {
	t.lib.stuck.Add(1)
	n := t.stuck.Add(1)
	t.options.Metrics.stuck(t.label, 1)
	t.options.log().Warn("a call into the token has not returned", "token", t.label, "calls", n)
	return n <= stuckMax
}

// cameBack is for a call that returns after all.
func (t *Token) cameBack(h hold, forgiven bool) {
	t.lib.stuck.Add(-1)
	n := t.stuck.Add(-1)
	t.options.Metrics.stuck(t.label, -1)
	t.options.log().Info("a call into the token has returned late", "token", t.label, "calls", n)
	if !forgiven {
		t.sessions.release(h)
	}
}
