package payments

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
)

// Limits of the batcher.
const (
	// batchMax bounds a batch. Above some 200 facts a larger one is no faster,
	// and everybody in it waits for all of it.
	batchMax = 256
	// writersMax is how many batches are at work at once: while one waits for
	// the disk, another uses the processor. One more begins only when so many
	// wait that it is worth a commit.
	writersMax   = 2
	worthAnother = 16
	// waitingMax bounds the facts that wait for a writer: a few seconds' worth.
	waitingMax = 8192
	// batchTimeout bounds the posting of one batch, its retries included.
	batchTimeout = 20 * time.Second
)

// ticket is one fact in the batcher. The writer that takes it fills in the
// answer and closes done.
type ticket struct {
	told    Told
	request *idempotency.Request // nil without a key
	ctx     context.Context      // of who waits

	// unfit is set when the database refused what the fact did to its order: it
	// is not put on it a second time.
	unfit bool

	done    chan struct{}
	outcome Outcome
	err     error
}

// batcher posts the facts of concurrent callers together: a batch is whatever
// has come while the one before was written. So a caller alone waits for
// nobody, and many share a commit. There is no timer, and no goroutine while
// nothing is to be done.
type batcher struct {
	// post posts a batch in one transaction. If it fails, it has changed
	// nothing; else every ticket has its outcome or its own error.
	post func(ctx context.Context, batch []*ticket) error

	mu       sync.Mutex
	waiting  []*ticket
	writers  int
	inFlight map[requestKey]*ticket
	stopped  bool
	running  sync.WaitGroup
}

type requestKey struct{ caller, key string }

func newBatcher(post func(context.Context, []*ticket) error) *batcher {
	return &batcher{post: post, inFlight: make(map[requestKey]*ticket)}
}

// do hands a ticket in and waits for its answer. When the caller's context
// ends first, the fact may be posted or not: told again, it is answered.
func (b *batcher) do(t *ticket) (*Outcome, error) {
	if err := b.take(t); err != nil {
		return nil, err
	}
	select {
	case <-t.done:
	case <-t.ctx.Done():
		return nil, fault.Wrap(t.ctx.Err(), fault.Cancelled, "", "waiting for the posting")
	}
	if t.err != nil {
		return nil, t.err
	}
	return &t.outcome, nil
}

func (b *batcher) take(t *ticket) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopped:
		return fault.New(fault.Overloaded, "", "the service is stopping")
	case len(b.waiting) >= waitingMax:
		return fault.New(fault.Overloaded, "", "%d payments wait to be posted", len(b.waiting))
	}
	if r := t.request; r != nil {
		k := requestKey{r.Caller, r.Key.Value}
		if other := b.inFlight[k]; other != nil {
			if other.request.Key.BodySHA256 != r.Key.BodySHA256 {
				return fault.New(fault.IdempotencyKeyReused, "/headers/Idempotency-Key", "the key is being used for another request")
			}
			return idempotency.InFlight()
		}
		b.inFlight[k] = t
	}
	b.waiting = append(b.waiting, t)
	if b.writers == 0 || b.writers < writersMax && len(b.waiting) >= worthAnother {
		b.writers++
		b.running.Go(b.write)
	}
	return nil
}

// write posts batches until nothing waits.
func (b *batcher) write() {
	b.gather()
	for batch := b.next(); batch != nil; batch = b.next() {
		ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
		b.settle(ctx, batch)
		cancel()
		b.finish(batch)
		b.gather()
	}
}

// gather lets those who are about to hand in a fact do so, as long as some do:
// they were all answered together, and come back together.
func (b *batcher) gather() {
	for before := -1; ; {
		b.mu.Lock()
		now := len(b.waiting)
		b.mu.Unlock()
		if now <= before || now >= batchMax {
			return
		}
		before = now
		runtime.Gosched()
	}
}

// next takes a batch out of what waits, without those whose callers are gone;
// nil, and one writer less, if there is none.
func (b *batcher) next() []*ticket {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch []*ticket
	taken := 0
	for ; taken < len(b.waiting) && len(batch) < batchMax; taken++ {
		t := b.waiting[taken]
		if t.ctx.Err() != nil {
			b.forget(t)
			continue
		}
		batch = append(batch, t)
	}
	if taken == len(b.waiting) {
		b.waiting = nil
	} else {
		b.waiting = b.waiting[taken:]
	}
	if len(batch) == 0 {
		b.writers--
		return nil
	}
	return batch
}

// settle posts a batch. If one fact of it cannot be written, the others must
// not suffer: the batch is halved until it stands alone.
func (b *batcher) settle(ctx context.Context, batch []*ticket) {
	err := b.post(ctx, batch)
	switch {
	case err == nil:
	case fault.CodeOf(err).Class() == fault.RetryLater || fault.Is(err, fault.DatabaseDenied) || ctx.Err() != nil:
		for _, t := range batch { // nobody's fault: everybody comes again
			t.err = err
		}
	case len(batch) > 1:
		b.settle(ctx, batch[:len(batch)/2])
		b.settle(ctx, batch[len(batch)/2:])
	case !batch[0].unfit:
		// The money is real whatever our tables say of it: it goes to suspense.
		batch[0].unfit = true
		b.settle(ctx, batch)
		if batch[0].err != nil {
			batch[0].err = errors.Join(err, batch[0].err)
		}
	default:
		batch[0].err = err
	}
}

// finish gives everybody their answer.
func (b *batcher) finish(batch []*ticket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range batch {
		b.forget(t)
		close(t.done)
	}
}

// forget frees a ticket's key. The caller holds the lock.
func (b *batcher) forget(t *ticket) {
	if t.request != nil {
		delete(b.inFlight, requestKey{t.request.Caller, t.request.Key.Value})
	}
}

// stop takes no more facts and waits for those that were taken. It may come
// twice.
func (b *batcher) stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.running.Wait()
}
