package payments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/payments/gateway"
)

// poster stands for the database: a batch with a fact named bad in it fails,
// and with it all of the batch; one named worse fails whatever is tried.
type poster struct {
	mu     sync.Mutex
	posted []string
	down   bool
	hold   chan struct{} // a batch waits for it, unless nil
}

func (p *poster) post(_ context.Context, batch []*ticket) error {
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return fault.New(fault.DatabaseDown, "", "gone")
	}
	for _, t := range batch {
		name := t.told.Fact.Reference
		if name == "worse" || name == "bad" && !t.unfit {
			return errors.New("the database refuses a row")
		}
	}
	for _, t := range batch {
		p.posted = append(p.posted, t.told.Fact.Reference)
		t.outcome.Reference = t.told.Fact.Reference
	}
	return nil
}

func ticketOf(ctx context.Context, reference string) *ticket {
	return &ticket{told: Told{Fact: gateway.Fact{Reference: reference}}, ctx: ctx, done: make(chan struct{})}
}

// together hands tickets in while a batch is held, so that they are one.
func together(t *testing.T, b *batcher, p *poster, references ...string) map[string]error {
	t.Helper()
	p.hold = make(chan struct{})
	var wg sync.WaitGroup
	errs := make(map[string]error)
	var mu sync.Mutex
	all := []*ticket{ticketOf(t.Context(), "first")}
	for _, r := range references {
		all = append(all, ticketOf(t.Context(), r))
	}
	for _, one := range all {
		if err := b.take(one); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range all {
		wg.Go(func() {
			<-one.done
			mu.Lock()
			defer mu.Unlock()
			errs[one.told.Fact.Reference] = one.err
		})
	}
	close(p.hold)
	wg.Wait()
	return errs
}

// One bad fact never spoils its neighbours, and is itself taken to suspense.
func TestBadFactsAreKeptApart(t *testing.T) {
	p := &poster{}
	b := newBatcher(p.post)
	defer b.stop()
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("good-%d", i))
	}
	names[7], names[33] = "bad", "worse"
	for name, err := range together(t, b, p, names...) {
		if (err != nil) != (name == "worse") {
			t.Errorf("%s: %v", name, err)
		}
	}
	slices.Sort(p.posted)
	if n := len(slices.Compact(p.posted)); n != 40 { // the first and all but one
		t.Errorf("%d are posted", n)
	}
}

// While the database is away everybody hears so, and nobody is tried alone.
// When it is back, so is the batcher.
func TestDatabaseAway(t *testing.T) {
	p := &poster{down: true}
	b := newBatcher(p.post)
	defer b.stop()
	for name, err := range together(t, b, p, "a", "b", "bad") {
		if !fault.Is(err, fault.DatabaseDown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.down = false
	for name, err := range together(t, b, p, "a", "b") {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSameKeyInFlight(t *testing.T) {
	p := &poster{hold: make(chan struct{})}
	b := newBatcher(p.post)
	keyed := func(body byte) *ticket {
		one := ticketOf(t.Context(), "k")
		one.request = &idempotency.Request{Caller: "c", Key: idempotency.Key{Value: "k", BodySHA256: [32]byte{body}}}
		return one
	}
	first := keyed(1)
	if err := b.take(first); err != nil {
		t.Fatal(err)
	}
	if err := b.take(keyed(1)); !fault.Is(err, fault.RequestInFlight) {
		t.Errorf("the same: %v", err)
	}
	if err := b.take(keyed(2)); !fault.Is(err, fault.IdempotencyKeyReused) {
		t.Errorf("another body: %v", err)
	}
	close(p.hold)
	<-first.done
	again := keyed(2)
	if err := b.take(again); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	b.stop()
	b.stop()
	if err := b.take(keyed(3)); !fault.Is(err, fault.Overloaded) {
		t.Errorf("after the stop: %v", err)
	}
}

// Who has gone is not posted for, and frees its key.
func TestCallersThatAreGone(t *testing.T) {
	p := &poster{hold: make(chan struct{})}
	b := newBatcher(p.post)
	defer b.stop()
	first := ticketOf(t.Context(), "first")
	if err := b.take(first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := ticketOf(ctx, "gone")
	gone.request = &idempotency.Request{Caller: "c", Key: idempotency.Key{Value: "k"}}
	answered := make(chan error)
	go func() { _, err := b.do(gone); answered <- err }()
	cancel()
	if err := <-answered; err != nil && !fault.Is(err, fault.Cancelled) {
		t.Errorf("gone: %v", err)
	}
	close(p.hold)
	<-first.done
	b.running.Wait()
	if len(b.inFlight) != 0 || len(b.waiting) != 0 {
		t.Errorf("%d keys and %d facts are left", len(b.inFlight), len(b.waiting))
	}
}

func TestTooMuchWaits(t *testing.T) {
	p := &poster{hold: make(chan struct{})}
	b := newBatcher(p.post)
	var err error
	n := 0
	for ; err == nil && n < 2*waitingMax; n++ {
		err = b.take(ticketOf(t.Context(), "x"))
	}
	if !fault.Is(err, fault.Overloaded) || n < waitingMax {
		t.Errorf("after %d: %v", n, err)
	}
	close(p.hold)
	b.stop()
}
