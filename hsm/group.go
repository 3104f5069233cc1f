package hsm

import (
	"context"
	"crypto"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// failuresMax in a row open a member's breaker.
	failuresMax = 3
	// breakerOpenFor is how long an open breaker keeps calls away; then one is
	// let through to see.
	breakerOpenFor = 10 * time.Second
	// memberWaitMax is how long a call waits for a session of one member before it
	// asks the next: a token whose calls do not return has none left.
	memberWaitMax = time.Second
	// healthEvery is how often Run has each member sign.
	healthEvery = 10 * time.Second
)

// Order says which member of a group is asked first.
type Order uint8

// The orders.
const (
	// InOrder asks the first that works: the others stand by.
	InOrder Order = iota
	// RoundRobin spreads the signatures.
	RoundRobin
)

// GroupOptions of a Group.
type GroupOptions struct {
	// Name stands in the metrics.
	Name    string
	Order   Order
	Now     func() time.Time // required
	Metrics *Metrics         // nil counts nothing
}

// Group is one key in several tokens: what one cannot sign another does. It is
// safe for concurrent use.
type Group struct {
	options GroupOptions
	turn    atomic.Uint64

	joining sync.Mutex
	members atomic.Pointer[[]*member] // replaced when one joins
}

var _ crypto.Signer = (*Group)(nil)

// NewGroup makes a group of keys that are copies of one: their public keys must
// be the same.
func NewGroup(o GroupOptions, keys ...*Key) (*Group, error) {
	if o.Now == nil || len(keys) == 0 {
		return nil, fault.New(fault.BadArgument, "", "a group needs a clock and a key")
	}
	g := &Group{options: o}
	g.members.Store(&[]*member{})
	for i, k := range keys {
		if err := g.Join(i, k); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Join adds another copy of the key, one whose token was away when the group was
// made, at a position among the members.
func (g *Group) Join(at int, k *Key) error {
	g.joining.Lock()
	defer g.joining.Unlock()
	before := *g.members.Load()
	if len(before) > 0 && !samePublicKey(k.public, before[0].key.public) {
		return fault.New(fault.HSMKeyUnsafe, k.token.label, "the group's tokens hold different keys")
	}
	after := slices.Insert(slices.Clone(before), min(max(at, 0), len(before)), &member{key: k})
	g.members.Store(&after)
	g.options.Metrics.working(g.options.Name, k.token.label, true)
	return nil
}

// Holds reports whether the key is a copy of the group's.
func (g *Group) Holds(k *Key) bool { return samePublicKey(k.public, g.Public()) }

// Public is the public key of all members.
func (g *Group) Public() crypto.PublicKey { return (*g.members.Load())[0].key.Public() }

// Sign is Key.Sign by the first member that does it.
func (g *Group) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx := &lazyTimeout{Context: context.Background(), limit: signWaitMax}
	defer ctx.cancel()
	return g.SignContext(ctx, digest, opts)
}

// SignContext is Key.SignContext by the first member that does it. Where the caller
// is wrong, no second member is asked. A member that is busy is waited for only when
// the others have been asked. With every breaker open it fails at once, with
// hsm_unavailable.
func (g *Group) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	var errs []error
	var busy *member
	members := g.inTurn()
	for _, m := range members {
		if !m.admit(g.options.Now()) {
			continue
		}
		if len(members) == 1 {
			busy = m
			break
		}
		short := &lazyTimeout{Context: ctx, limit: memberWaitMax}
		signature, err := g.signBy(short, m, digest, opts)
		short.cancel()
		if err == nil || fault.Is(err, fault.BadArgument) || ctx.Err() != nil {
			return signature, err
		}
		if busy == nil && fault.Is(err, fault.HSMBusy) {
			busy = m
		}
		errs = append(errs, err)
	}
	if busy != nil {
		signature, err := g.signBy(ctx, busy, digest, opts)
		if err == nil || fault.Is(err, fault.BadArgument) || ctx.Err() != nil {
			return signature, err
		}
		errs = append(errs, err)
	}
	return nil, fault.Wrap(errors.Join(errs...), refusal(errs), "", "no member of the group signs")
}

// signBy has one member sign, and keeps its breaker by what became of it.
func (g *Group) signBy(ctx context.Context, m *member, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := m.key.SignContext(ctx, digest, opts)
	g.note(m, err)
	return signature, err
}

// refusal is the code for a call that no member signed: to try again may help, unless
// every member understood it and refused.
func refusal(errs []error) fault.Code {
	will := func(err error) bool { return !fault.Is(err, fault.HSMRefused) }
	if len(errs) > 0 && !slices.ContainsFunc(errs, will) {
		return fault.HSMRefused
	}
	return fault.HSMUnavailable
}

func (g *Group) inTurn() []*member {
	members := *g.members.Load()
	if g.options.Order == InOrder || len(members) == 1 {
		return members
	}
	first := int(g.turn.Add(1) % uint64(len(members)))
	return slices.Concat(members[first:], members[:first])
}

// note keeps the breaker by what became of a call.
func (g *Group) note(m *member, err error) {
	g.options.Metrics.working(g.options.Name, m.key.token.label, m.note(err, g.options.Now()))
}

// Ready fails when no member works.
func (g *Group) Ready() error {
	for _, m := range *g.members.Load() {
		if m.works() {
			return nil
		}
	}
	return fault.New(fault.HSMUnavailable, g.options.Name, "no member of the group works")
}

// CheckHealth has every member sign and verifies what it signed, all at once.
// One that does it is asked again from then on; one that does not is not. One that has
// no session for that is not waited for longer than until the next check: it says
// nothing, and must not keep the others from theirs.
func (g *Group) CheckHealth(ctx context.Context) {
	var all sync.WaitGroup
	for _, m := range *g.members.Load() {
		all.Go(func() {
			short, cancel := context.WithTimeout(ctx, healthEvery)
			defer cancel()
			err := m.key.Prove(short)
			if err != nil && (ctx.Err() != nil || fault.Is(err, fault.HSMBusy)) {
				return // says nothing about the member
			}
			if err != nil {
				m.open(g.options.Now())
			}
			g.note(m, err)
		})
	}
	all.Wait()
}

// Run checks the health until the context ends.
func (g *Group) Run(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.CheckHealth(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// member is a key with its breaker.
type member struct {
	key *Key

	mu       sync.Mutex
	failures int       // in a row
	until    time.Time // no calls before; counts when failures has reached failuresMax
}

// admit reports whether a call may go to the member. After a while one may, and
// no other until it is known what became of that one.
func (m *member) admit(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failures < failuresMax {
		return true
	}
	if now.Before(m.until) {
		return false
	}
	m.until = now.Add(breakerOpenFor)
	return true
}

// note counts and reports whether the breaker is closed. A call that was wrong,
// or given up, says nothing about the member, and neither does one that found it
// busy.
func (m *member) note(err error, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.failures = 0
	case fault.Is(err, fault.BadArgument), fault.Is(err, fault.Cancelled), fault.Is(err, fault.HSMBusy), fault.Is(err, fault.HSMRefused):
	default:
		m.failures++
		m.until = now.Add(breakerOpenFor)
	}
	return m.failures < failuresMax
}

func (m *member) open(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures, m.until = failuresMax, now.Add(breakerOpenFor)
}

func (m *member) works() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failures < failuresMax
}
