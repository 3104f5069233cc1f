package revocation

import (
	"bytes"
	"context"
	"math/rand/v2"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// A list is refreshed when three quarters of its time are over, or up to a
	// sixteenth earlier, so that not all services ask at the same moment.
	refreshAfter = 0.75
	refreshEarly = 1. / 16
	// After a failure, or where the peer has nothing newer yet, it is asked again
	// after a minute, two, four, up to half an hour.
	retryFirst = time.Minute
	retryMost  = 30 * time.Minute
	// idleMost is how long Run sleeps where nothing is held.
	idleMost = time.Hour
)

// refreshTime is when a list should be replaced, before its time is over.
func (s *Store) refreshTime(l *List, until, fetched time.Time) time.Time {
	from := l.ThisUpdate
	if l.NextUpdate.IsZero() {
		from = fetched
	}
	part := refreshAfter - refreshEarly*rand.Float64()
	return from.Add(time.Duration(part * float64(until.Sub(from))))
}

// Run refreshes the lists that are held before the next is due, until the
// context ends, one after the other. Nobody waits for it: a list is given out
// until a newer one, signed by the same key, takes its place. Lists that nobody
// asked for since they came are let go when their time is over.
//
// Times of the store's clock are slept by the system's.
func (s *Store) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.lists.changed:
		case <-timer.C:
		}
		timer.Reset(s.refreshDue(ctx))
	}
}

// refreshDue refreshes what is due and says how long nothing will be.
func (s *Store) refreshDue(ctx context.Context) time.Duration {
	for _, url := range s.lists.due(s.now()) {
		// What became of it is in the list's upkeep, and not for anybody to hear.
		_, _ = s.loading.do(ctx, url, func() (Information, error) { return s.refresh(ctx, url) })
		if ctx.Err() != nil {
			return idleMost
		}
	}
	return s.lists.idle(s.now())
}

// due lists the addresses to refresh, and forgets lists that have run out unused.
func (c *listShelf) due(now time.Time) (urls []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for url, h := range c.held {
		switch {
		case now.Before(h.refreshAt):
		case h.asked || h.failures > 0:
			urls = append(urls, url)
		case !now.Before(h.until):
			delete(c.held, url)
		}
	}
	return urls
}

// idle is the time until the next refresh or the end of an unused list.
func (c *listShelf) idle(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := idleMost
	for _, h := range c.held {
		next := h.refreshAt
		if !h.asked && h.failures == 0 && h.until.After(next) {
			next = h.until
		}
		wait = min(wait, max(next.Sub(now), time.Second))
	}
	return wait
}

// refresh fetches a newer list and puts it in the place of the one that is held,
// if it is newer and the same key has signed it.
func (s *Store) refresh(ctx context.Context, url string) (Information, error) {
	old := s.lists.get(url)
	if old == nil {
		return Information{}, fault.New(fault.RevocationUnknown, "", "the CRL is held no more")
	}
	info, err := s.download(ctx, url)
	if err == nil {
		info, err = s.replace(old.info.list, info)
	}
	if err != nil {
		s.lists.postpone(old, s.now())
		return old.info, err
	}
	return info, nil
}

// replace holds a list in the place of an older one.
func (s *Store) replace(old *List, info Information) (Information, error) {
	l, err := ParseList(info.Raw)
	if err != nil {
		return info, err
	}
	if err := l.isNewerThan(old); err != nil {
		return info, err
	}
	if signer := old.verifiedBy.Load(); signer != nil {
		if err := l.verify(signer); err != nil {
			return info, err
		}
	}
	return s.shelve(info, l, indexOf(l), nil)
}

// isNewerThan refuses what cannot take the place of an older list: one of
// another issuer or scope, and one that is no newer, which somebody may replay.
func (l *List) isNewerThan(old *List) error {
	switch {
	case !l.Issuer.Equal(old.Issuer):
		return fault.New(fault.CRLOtherIssuer, "", "another issuer than the list before")
	case !bytes.Equal(l.rawPoint, old.rawPoint) || (l.Base == nil) != (old.Base == nil):
		return fault.New(fault.CRLOutOfScope, "", "another scope than the list before")
	case !l.ThisUpdate.After(old.ThisUpdate), l.Number != nil && old.Number != nil && l.Number.Cmp(old.Number) < 0:
		return fault.New(fault.RevocationStale, "", "no newer than the list before")
	}
	return nil
}

func (c *listShelf) get(url string) *heldList {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[url]
}

// postpone puts the next attempt off, longer each time. A list that its time is
// over is asked for by whoever wants it as well.
func (c *listShelf) postpone(h *heldList, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := min(retryFirst<<min(h.failures, 10), retryMost)
	h.failures++
	h.refreshAt = now.Add(wait - time.Duration(refreshEarly*rand.Float64()*float64(wait)))
}
