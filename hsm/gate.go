package hsm

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// gate is passed by every use of a module, and shut for the moment of its
// restart: C_Finalize under a call that runs is undefined (PKCS#11 v2.40 §5.4).
// While it is open, passing costs two additions and no lock.
type gate struct {
	inside atomic.Int64
	shut   atomic.Pointer[closure] // nil while the gate is open
}

// closure is one time that the gate is shut.
type closure struct {
	over    chan struct{} // closed when the gate opens again
	left    chan struct{} // told when somebody was the last to leave
	refused chan struct{} // closed when nobody is to wait for that any more
}

// enter passes the gate, or waits until it opens.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.inside.Add(1)
		c := g.shut.Load()
		if c == nil {
			return nil
		}
		g.leave()
		select {
		case <-c.over:
		case <-c.refused:
			return fault.New(fault.HSMUnavailable, "", "the module has not come back from its restart")
		case <-ctx.Done():
			return waitFailed(ctx.Err(), "wait for the module's restart")
		}
	}
}

func (g *gate) leave() {
	if g.inside.Add(-1) > 0 {
		return
	}
	if c := g.shut.Load(); c != nil {
		select {
		case c.left <- struct{}{}:
		default: // it is told already
		}
	}
}

// close shuts the gate and waits for everybody to leave; open must follow. If
// somebody stays longer than the wait, the gate is open again and close fails.
// One goroutine at a time closes.
func (g *gate) close(wait time.Duration) error {
	c := &closure{over: make(chan struct{}), left: make(chan struct{}, 1), refused: make(chan struct{})}
	g.shut.Store(c)
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for g.inside.Load() > 0 {
		select {
		case <-c.left:
		case <-patience.C:
			g.open()
			return fault.New(fault.HSMUnavailable, "", "a call into the module has not returned for %s", wait)
		}
	}
	return nil
}

// refuse turns away who waits at the gate, which is shut, and who comes before it
// opens.
func (g *gate) refuse() { close(g.shut.Load().refused) }

func (g *gate) open() { close(g.shut.Swap(nil).over) }
