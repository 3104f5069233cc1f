package hsm

import (
	"context"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// gate is passed by every use of a module, and shut for the moment of its
// restart: C_Finalize under a call that runs is undefined (PKCS#11 v2.40 §5.4).
// The zero gate is open.
type gate struct {
	mu      sync.Mutex
	inside  int
	shut    chan struct{} // closed when the gate opens again; nil while it is open
	emptied chan struct{} // closed when the last one leaves a gate that is shut
}

// enter passes the gate, or waits until it opens.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		if g.shut == nil {
			g.inside++
			g.mu.Unlock()
			return nil
		}
		shut := g.shut
		g.mu.Unlock()
		select {
		case <-shut:
		case <-ctx.Done():
			return waitFailed(ctx.Err(), "wait for the module's restart")
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.emptied != nil {
		close(g.emptied)
		g.emptied = nil
	}
}

// close shuts the gate and waits for everybody to leave; open must follow. If
// somebody stays longer than the wait, the gate is open again and close fails.
// One goroutine at a time closes.
func (g *gate) close(wait time.Duration) error {
	g.mu.Lock()
	g.shut = make(chan struct{})
	if g.inside == 0 {
		g.mu.Unlock()
		return nil
	}
	emptied := make(chan struct{})
	g.emptied = emptied
	g.mu.Unlock()
	patience := time.NewTimer(wait)
	defer patience.Stop()
	select {
	case <-emptied:
		return nil
	case <-patience.C:
		g.open()
		return fault.New(fault.HSMUnavailable, "", "a call into the module has not returned for %s", wait)
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut, g.emptied = nil, nil
}
