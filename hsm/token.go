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

// State of a token.
type State uint8

// The states.
const (
	// Ready: the last that was heard of the token was good.
	Ready State = iota
	// Absent: the token is away or in disorder, and looked for. Calls fail with
	// hsm_unavailable at once.
	Absent
	// Latched: the token refused its PIN. Nothing is tried until an operator has
	// acted. Calls fail with pin_refused.
	Latched
	// Closed by its owner.
	Closed
)

var stateNames = [...]string{Ready: "ready", Absent: "absent", Latched: "latched", Closed: "closed"}

func (s State) String() string { return stateNames[s] }

// Token is a logged-in token. It is safe for concurrent use.
type Token struct {
	lib      *library
	options  Options
	identity string
	label    string // as text, for metrics and the log
	pin      PIN
	sessions *pool
	// stuck counts the calls that have not returned and that nobody waits for.
	stuck atomic.Int64
	calls sync.Pool // of *call that returned in time, to be used again
	// epoch counts the times that everything opened before became doubtful.
	epoch atomic.Uint64
	found atomic.Uint64 // the times that it came back
	state atomic.Uint32 // a State; written under mu

	mu      sync.Mutex
	info    TokenInfo       // as last seen; the slot changes
	cause   error           // why the token is not ready
	lost    time.Time       // when it became absent; read by watch, which begins then
	settled chan struct{}   // closed when the token is no longer absent
	keys    map[string]*Key // in use, by CKA_ID and label: proven when the token comes back

	stop     context.Context // ends with Close
	stopping context.CancelFunc
	watching sync.WaitGroup
	close    sync.Once
}

// age of a session or a handle: what is older than its token is not used.
type age struct{ generation, epoch uint64 }

func (t *Token) age() age { return age{t.lib.generation.Load(), t.epoch.Load()} }

// moment of a call. Sessions that are opened while the token is looked for, and serve
// when it is back, are of one age with a call that failed meanwhile.
type moment struct {
	age
	found uint64
}

func (t *Token) moment() moment { return moment{t.age(), t.found.Load()} }

// openToken logs in at once, so that a wrong PIN stops the start of a service
// and not its first signature.
func openToken(ctx context.Context, m *Module, info TokenInfo, pin PIN) (*Token, error) {
	t := &Token{lib: m.lib, options: m.options, identity: info.identity(), label: textOf(info.Label), info: info, pin: pin, keys: make(map[string]*Key)}
	t.stop, t.stopping = context.WithCancel(context.Background())
	t.sessions = newPool(m.options.SessionsMax, info.sessionsMax)
	m.lib.retain()
	m.lib.ready.Add(1)
	t.options.Metrics.opened(t.label, t.lib.path)
	if err := t.do(ctx, shared, nil, func(*session) error { return nil }); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Info describes the token as it was when it was last found.
func (t *Token) Info() TokenInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.info
}

// State is the token's state, and why it is not ready.
func (t *Token) State() (State, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return State(t.state.Load()), t.cause
}

// Wait returns when the token is ready, or with the reason why it will not be.
func (t *Token) Wait(ctx context.Context) error {
	t.mu.Lock()
	settled := t.settled
	t.mu.Unlock()
	if settled != nil {
		select {
		case <-settled:
		case <-ctx.Done():
			return waitFailed(ctx.Err(), "wait for the token")
		}
	}
	return t.available()
}

// Close waits for the calls under way, closes the sessions and lets the library
// go. It does not log out: the login is the process's, and another Token may
// share it; the token ends it with the last session. Closing twice is harmless.
func (t *Token) Close() error {
	var err error
	t.close.Do(func() {
		if err = t.end(); err == nil {
			err = t.lib.release()
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.countReady(State(t.state.Swap(uint32(Closed))), Closed)
		t.cause = errClosed()
		t.options.Metrics.state(t.label, Closed)
	})
	return err
}

// end fails if a call has not come back from the module, which then must not be
// finalised.
func (t *Token) end() error {
	t.mu.Lock()
	t.stopping()
	t.mu.Unlock()
	idle, err := t.sessions.close()
	if err != nil {
		return err
	}
	watched := make(chan struct{})
	go func() { t.watching.Wait(); close(watched) }()
	patience := time.NewTimer(closeWaitMax)
	defer patience.Stop()
	select {
	case <-watched:
	case <-patience.C:
		return errNotReturned()
	}
	if t.stuck.Load() > 0 {
		return errNotReturned()
	}
	return insideDo(context.Background(), t.lib, closeWaitMax, func() error {
		var errs []error
		for _, s := range idle {
			if s.age.generation == t.lib.generation.Load() {
				errs = append(errs, t.discard(s.handle))
			}
		}
		return errors.Join(errs...)
	})
}

func errNotReturned() error {
	return fault.New(fault.HSMBusy, "", "a call into the module has not returned")
}

// available turns callers away at once while the token is not there.
func (t *Token) available() error {
	if State(t.state.Load()) == Ready {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch State(t.state.Load()) {
	case Absent:
		return fault.Wrap(t.cause, fault.HSMUnavailable, "", "the token is looked for")
	case Latched:
		return fault.Wrap(t.cause, fault.PINRefused, "", "not tried again: the token refused it earlier")
	case Closed:
		return t.cause
	}
	return nil
}

// do runs fn with a logged-in session and takes the steps that the table of
// return values prescribes for what goes wrong, each once. fn returns the
// module's error as it came, wrapped or not, and must be safe to run again. k is
// the key that fn signs with, or nil.
func (t *Token) do(ctx context.Context, h hold, k *Key, fn func(*session) error) error {
	return t.doWithin(ctx, t.timeout(), h, k, fn)
}

// timeout of a call. A person who is asked for the PIN within it is not hurried.
func (t *Token) timeout() time.Duration {
	if t.pin.asks() {
		return 0
	}
	return t.options.callTimeout()
}

func (t *Token) doWithin(ctx context.Context, limit time.Duration, h hold, k *Key, fn func(*session) error) error {
	var taken [actionCount]bool
	for {
		if err := t.available(); err != nil {
			return err
		}
		at, err := t.attempt(ctx, limit, h, fn)
		if err == nil {
			return nil
		}
		t.options.Metrics.failed(t.label, err)
		act := meaningOf(err).action
		if fault.Is(err, fault.PINRefused) {
			act = latch // also where no return value said so
		}
		if !t.act(ctx, act, taken[act], at, k, err) {
			return err
		}
		taken[act] = true
	}
}

// act does what a return value asks for and reports whether the call is to be
// made again. again is true if that step was taken in this call before.
func (t *Token) act(ctx context.Context, act action, again bool, at moment, k *Key, err error) bool {
	switch act {
	case retryOnNewSession, findAgain:
		t.outdate(at.age) // handles of that age are found again
		return !again
	case waitForSession:
		return t.sessions.wait(ctx)
	case logIn:
		if !again {
			t.outdate(at.age)
			return true
		}
		return k != nil && k.askAlways.CompareAndSwap(false, true)
	case waitForToken:
		t.lose(at, err)
	case restartModule:
		if !again {
			t.outdate(at.age)
			return true
		}
		// A call that is not a signature may ask for something that this module
		// answers so; the token is not at fault.
		if k != nil {
			t.lose(at, err)
		}
	case latch:
		t.latch(err)
	}
	return false
}

// write runs fn with a read-write session of its own: the pool's sessions are
// read-only, and so cannot change the token by mistake.
func (t *Token) write(ctx context.Context, fn func(*session) error) error {
	// The pool's session is held meanwhile: it keeps the login alive and counts
	// against the limit.
	limit := t.timeout()
	if limit > 0 {
		limit = max(limit, changeTimeout)
	}
	return t.doWithin(ctx, limit, shared, nil, func(s *session) (err error) {
		handle, err := t.lib.ctx.OpenSession(t.slot(), pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return explain("C_OpenSession", err)
		}
		defer func() { err = errors.Join(err, t.discard(handle)) }()
		return fn(&session{handle: handle, age: s.age})
	})
}

func (t *Token) slot() uint {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.info.SlotID
}
