package revocation

import (
	"context"
	"sync"
)

// flights makes requests for the same thing at the same time one request.
type flights[K comparable, V any] struct {
	mu    sync.Mutex
	under map[K]*flight[V]
}

// flight is a request under way; its fields are for who has seen landed closed.
type flight[V any] struct {
	landed chan struct{}
	value  V
	err    error
	broken bool // by who made it, which says nothing to others
}

func (f *flights[K, V]) init() { f.under = make(map[K]*flight[V]) }

// do calls work, or waits for another's call of it. The context is the caller's:
// who breaks off leaves the work to the next who waits.
func (f *flights[K, V]) do(ctx context.Context, key K, work func() (V, error)) (V, error) {
	for {
		other, mine := f.board(key)
		if mine {
			f.fly(ctx, key, other, work)
			return other.value, other.err
		}
		select {
		case <-ctx.Done():
			var none V
			return none, context.Cause(ctx)
		case <-other.landed:
		}
		if !other.broken {
			return other.value, other.err
		}
	}
}

func (f *flights[K, V]) board(key K) (other *flight[V], mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other := f.under[key]; other != nil {
		return other, false
	}
	own := &flight[V]{landed: make(chan struct{}), broken: true}
	f.under[key] = own
	return own, true
}

// fly does the work, and lets the others go on however it ends.
func (f *flights[K, V]) fly(ctx context.Context, key K, own *flight[V], work func() (V, error)) {
	defer func() {
		f.mu.Lock()
		delete(f.under, key)
		f.mu.Unlock()
		close(own.landed)
	}()
	own.value, own.err = work()
	own.broken = own.err != nil && ctx.Err() != nil
}
