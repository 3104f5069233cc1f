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

// call is one call into a module, or several in one session, with a time limit. A
// thread that is inside a module cannot be interrupted. Its caller, on another
// goroutine, stops waiting instead, and the session stays the call's until it returns.
type call struct {
	// returned has the call's error, or that it has taken too long.
	returned chan error
	patience *time.Timer
	limit    time.Duration

	mu   sync.Mutex
	done bool
	left bool // it has taken longer than its limit
	// overdue is called then; end waits until it has returned.
	overdue func(error)
}

func newCall() *call {
	c := &call{returned: make(chan error, 1)}
	c.patience = time.AfterFunc(time.Hour, c.leave)
	c.patience.Stop()
	return c
}

// begin starts the call's time; a limit of zero means none.
func (c *call) begin(limit time.Duration, overdue func(error)) {
	c.limit, c.overdue = limit, overdue
	if limit > 0 {
		c.patience.Reset(limit)
	}
}

func (c *call) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	c.left = true
	err := fault.New(fault.HSMUnavailable, "", "the module has not answered for %s", c.limit)
	c.overdue(err)
	c.returned <- err
}

// end reports whether the call was in time.
func (c *call) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	return !c.left
}

func (c *call) isLeft() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// stop stops the timer and reports whether the call may be used again: not if the
// timer has fired, whose leave may still be running.
func (c *call) stop() bool {
	if c.limit > 0 && !c.patience.Stop() {
		return false
	}
	c.done, c.overdue = false, nil
	return true
}

// inside runs fn, which needs no session, while the module cannot be restarted. If fn
// does not return in time, there is an error and no result.
func inside[T any](ctx context.Context, l *library, limit time.Duration, fn func() (T, error)) (T, error) {
	var none, result T
	if n := l.unanswered.Load(); n >= stuckMax {
		return none, fault.New(fault.HSMUnavailable, "", "%d questions to the module have had no answer", n)
	}
	if err := l.gate.enter(ctx); err != nil {
		return none, err
	}
	c := newCall()
	c.begin(limit, func(error) {
		l.unanswered.Add(1)
		l.stuck.Add(1)
	})
	go func() {
		answer, err := fn()
		l.gate.leave()
		if !c.end() {
			l.unanswered.Add(-1)
			l.stuck.Add(-1)
			return
		}
		result = answer
		c.returned <- err
	}()
	err := <-c.returned
	c.stop()
	return result, err
}

// insideDo is inside without a result.
func insideDo(ctx context.Context, l *library, limit time.Duration, fn func() error) error {
	_, err := inside(ctx, l, limit, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}

// attempt runs fn once, in a session, and gives the moment that the session is of.
func (t *Token) attempt(ctx context.Context, limit time.Duration, h hold, fn func(*session) error) (at moment, err error) {
	began := t.options.Now()
	if err := t.sessions.acquire(ctx, h); err != nil {
		return at, err
	}
	if err := t.lib.gate.enter(ctx); err != nil {
		t.sessions.release(h)
		return at, err
	}
	t.options.Metrics.waited(t.label, t.options.Now().Sub(began))
	at = t.moment()
	c, _ := t.calls.Get().(*call)
	if c == nil {
		c = newCall()
	}
	forgiven := false
	c.begin(limit, func(err error) {
		if forgiven = t.leave(); forgiven {
			t.sessions.release(h)
		} else {
			t.lose(at, err) // the permit stays with the call
		}
	})
	work := func() error {
		err := t.inSession(c, at.age, fn)
		t.lib.gate.leave()
		if !c.end() {
			t.cameBack(h, forgiven)
		} else {
			t.sessions.release(h)
		}
		return err
	}
	if t.lib.computes {
		err = work()
	} else {
		go func() { c.returned <- work() }()
		err = <-c.returned
	}
	if c.stop() {
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

// leave counts a call that has not returned in time, and reports whether the token
// is forgiven: then another call may take its place.
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
