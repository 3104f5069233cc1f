package revocation

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Limits of a store.
const (
	storeListsMax = 64
	// storeAgeDefault is how long a list is held that does not say when the next
	// is due.
	storeAgeDefault = time.Hour
)

// Store holds CRLs that were downloaded, parsed and indexed, till the next is
// due. Any number of goroutines may use it; those that want the same list at
// the same time share one download. What failed is not held.
type Store struct {
	fetcher Fetcher
	now     func() time.Time

	mu   sync.Mutex
	held map[string]*heldList // by URL
}

// heldList is a list, or a download under way: its fields are for who has seen
// ready closed.
type heldList struct {
	ready chan struct{}
	info  Information
	err   error
	until time.Time
}

// NewStore makes an empty store.
func NewStore(f Fetcher, now func() time.Time) *Store {
	return &Store{fetcher: f, now: now, held: make(map[string]*heldList)}
}

// Download gets a CRL from the store or its distribution point, without judging
// it.
func (s *Store) Download(ctx context.Context, url string) (Information, error) {
	for {
		h, mine := s.claim(url)
		if mine {
			s.fill(ctx, h, url)
			return h.info, h.err
		}
		select {
		case <-ctx.Done():
			return Information{}, context.Cause(ctx)
		case <-h.ready:
		}
		// A download that its own caller broke off says nothing about the peer.
		if h.err == nil || !errors.Is(h.err, context.Canceled) {
			return h.info, h.err
		}
	}
}

// claim finds what is held, or makes room for a download that the caller must
// do.
func (s *Store) claim(url string) (h *heldList, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[url]; h != nil && !h.isStale(s.now()) {
		return h, false
	}
	if len(s.held) >= storeListsMax {
		s.drop()
	}
	h = &heldList{ready: make(chan struct{})}
	s.held[url] = h
	return h, true
}

func (h *heldList) isStale(now time.Time) bool {
	select {
	case <-h.ready:
		return h.err != nil || !now.Before(h.until)
	default:
		return false
	}
}

// drop lets go of the list that is stale first; downloads under way stay.
func (s *Store) drop() {
	var oldest string
	var until time.Time
	for url, h := range s.held {
		select {
		case <-h.ready:
			if oldest == "" || h.until.Before(until) {
				oldest, until = url, h.until
			}
		default:
		}
	}
	delete(s.held, oldest)
}

// fill downloads and reads the list. One that cannot be indexed is held all the
// same, and searched where it lies; one that cannot be read is not.
func (s *Store) fill(ctx context.Context, h *heldList, url string) {
	defer close(h.ready)
	if h.info, h.err = Download(ctx, s.fetcher, url); h.err != nil {
		return
	}
	list, err := ParseList(h.info.Raw)
	if err != nil {
		return // until is zero: the next caller asks again
	}
	list.index, _ = NewIndex(list) // nil where it cannot be
	h.info.list = list
	if h.until = list.NextUpdate; h.until.IsZero() {
		h.until = s.now().Add(storeAgeDefault)
	}
}
