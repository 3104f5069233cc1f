package hsm

import (
	"context"
	"errors"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// outdate makes everything of an age doubtful: idle sessions are dropped, those
// lent out are when they come back, handles are found again. Whoever comes
// second with the same age changes nothing.
func (t *Token) outdate(at age) {
	if at.generation != t.lib.generation.Load() {
		return
	}
	t.epoch.CompareAndSwap(at.epoch, at.epoch+1)
}

// lose takes the token out of use and has it looked for. An error from before
// it was last found is no news.
func (t *Token) lose(at moment, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if State(t.state.Load()) != Ready || at != t.moment() || t.stop.Err() != nil {
		return
	}
	t.epoch.Add(1)
	t.become(Absent, cause)
	t.settled = make(chan struct{})
	t.lost = t.options.Now()
	t.watching.Go(t.watch)
}

// latch takes the token out of use for good.
func (t *Token) latch(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if State(t.state.Load()) != Closed {
		t.become(Latched, cause)
	}
}

// become changes the state; mu is held.
func (t *Token) become(s State, cause error) {
	t.countReady(State(t.state.Swap(uint32(s))), s)
	t.cause = cause
	t.options.Metrics.state(t.label, s)
	if s == Ready {
		t.options.log().Info("token ready", "token", t.label)
	} else {
		t.options.log().Warn("token not ready", "token", t.label, "state", s.String(), "error", cause.Error())
	}
}

// countReady keeps the module's count of tokens that work.
func (t *Token) countReady(before, after State) {
	switch {
	case before != Ready && after == Ready:
		t.lib.ready.Add(1)
	case before == Ready && after != Ready:
		t.lib.ready.Add(-1)
	}
}

// watch looks for the token until it is back, refuses its PIN, or is closed.
func (t *Token) watch() {
	tick := time.NewTicker(t.options.pollEvery())
	defer tick.Stop()
	for !t.settle(t.recover(t.stop)) {
		select {
		case <-tick.C:
		case <-t.stop.Done():
		}
	}
}

// settle draws the conclusion from one attempt to recover; true ends the search. A
// token that was closed or latched meanwhile stays so, whatever became of the attempt.
func (t *Token) settle(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case State(t.state.Load()) != Absent:
	case err == nil:
		t.found.Add(1)
		t.become(Ready, nil)
	case meaningOf(err).action == latch || fault.Is(err, fault.PINRefused):
		t.become(Latched, err)
	case t.stop.Err() == nil:
		return false
	}
	close(t.settled)
	t.settled = nil
	return true
}

// recover looks for the token by what stays the same when it moves, logs in,
// finds the keys in use again and has each sign. If that fails and a restart of
// the module may help, it is restarted. Some modules show for a while what they have
// read of another token: what no key has proven is not taken for this one.
func (t *Token) recover(ctx context.Context) error {
	err := t.reach(ctx)
	if err == nil || !t.lib.wantsRestart(ctx, err, t.options.Now().Sub(t.lost)) {
		return err
	}
	if restart := t.lib.restart(); restart != nil {
		return errors.Join(err, restart)
	}
	return t.reach(ctx)
}

func (t *Token) reach(ctx context.Context) error {
	err := insideDo(ctx, t.lib, t.timeout(), func() error {
		if err := t.relocate(); err != nil {
			return err
		}
		// Sessions of before are not of use; the token may count them.
		for _, s := range t.sessions.takeIdle() {
			t.drop(s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	at, err := t.attempt(ctx, t.timeout(), shared, func(*session) error { return nil })
	if err != nil {
		t.outdate(at.age)
		return err
	}
	var another error
	proven := false
	for _, k := range t.keysInUse() {
		at, err := t.attempt(ctx, t.timeout(), k.hold(), k.proveIn)
		if meaningOf(err).action == logIn {
			k.askAlways.Store(true)
			at, err = t.attempt(ctx, t.timeout(), k.hold(), k.proveIn)
		}
		switch {
		case err != nil && !isOfOneKey(err):
			t.outdate(at.age)
			return err
		case errors.Is(err, errUnproven):
			another = err
		case err == nil:
			proven = true
		}
	}
	if another != nil && !proven {
		t.outdate(t.age())
		return fault.Wrap(another, fault.HSMUnavailable, "", "another token may stand in its place")
	}
	return nil
}

// isOfOneKey tells trouble with one key, which whoever signs with it is told of, from
// trouble with its token. What no return value says and may pass, as a call that did
// not return in time, is the token's; so is a PIN that is not sent.
func isOfOneKey(err error) bool {
	m := meaningOf(err)
	if m.code == "" {
		return fault.CodeOf(err).Class() != fault.RetryLater && !fault.Is(err, fault.PINRefused)
	}
	return m.action == report || m.action == findAgain
}

// relocate finds the token among those present. The caller is inside the module.
func (t *Token) relocate() error {
	tokens, err := t.lib.tokens()
	for _, info := range tokens {
		if info.identity() == t.identity && info.Initialized {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.info = info
			return nil
		}
	}
	if err != nil {
		return err // it may be the one that does not say what it is
	}
	return fault.Wrap(pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT), fault.HSMUnavailable, "", "the token is not there")
}

func (t *Token) keysInUse() []*Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := make([]*Key, 0, len(t.keys))
	for _, k := range t.keys {
		keys = append(keys, k)
	}
	return keys
}
