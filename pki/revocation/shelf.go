package revocation

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// listShelf holds CRLs by their address.
type listShelf struct {
	mu      sync.Mutex
	held    map[string]*heldList
	changed chan struct{} // has something in it when there is something new to refresh
}

// heldList is a list with what is known about its upkeep; mu guards all but
// info.
type heldList struct {
	info      Information
	until     time.Time // when the next is due
	refreshAt time.Time
	failures  int
	asked     bool // since it was put here
	size      int  // of its bytes
}

func (c *listShelf) init() {
	c.held, c.changed = make(map[string]*heldList), make(chan struct{}, 1)
}

// find gives a list that is still good.
func (c *listShelf) find(url string, now time.Time) (Information, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[url]
	if h == nil || !h.isGood(now) {
		return Information{}, false
	}
	h.asked = true
	return h.info, true
}

// isGood reports whether the list may be given out: the next is not due, and
// somebody has verified it or it is new.
func (h *heldList) isGood(now time.Time) bool {
	return now.Before(h.until) && (h.info.list.verifiedBy.Load() != nil || now.Before(h.info.Fetched.Add(unverifiedAge)))
}

// put holds a list in the place of the one before.
func (c *listShelf) put(url string, h *heldList) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, url)
	for len(c.held) >= listsMax || len(c.held) > 0 && c.size()+h.size > listBytes {
		c.drop()
	}
	c.held[url] = h
	select {
	case c.changed <- struct{}{}:
	default: // somebody has said so already
	}
}

// size is that of all lists; it requires mu.
func (c *listShelf) size() (sum int) {
	for _, h := range c.held {
		sum += h.size
	}
	return sum
}

// drop lets go of the list that runs out first; it requires mu.
func (c *listShelf) drop() {
	first := ""
	for url, h := range c.held {
		if first == "" || h.until.Before(c.held[first].until) {
			first = url
		}
	}
	delete(c.held, first)
}

// hold reads a list, indexes it, puts its bytes away and holds it. What cannot be
// read, or has run out, or is signed wrongly is given back as it came, for its
// caller to say so.
func (s *Store) hold(info Information, issuer *cert.Certificate) Information {
	l, index, err := readHeld(info.Raw, issuer)
	if err != nil {
		return info
	}
	held, err := s.shelve(info, l, index, nil)
	if err != nil {
		return info
	}
	return held
}

// readHeld parses a list, indexes it, and verifies it if the issuer has signed it.
// A signature that somebody else made is for those who know them. The index is nil
// where there can be none. Hashing and indexing, which take equally long, go on
// side by side.
func readHeld(raw []byte, issuer *cert.Certificate) (*List, *Index, error) {
	l, err := ParseList(raw)
	if err != nil {
		return nil, nil, err
	}
	if issuer == nil || !l.Issuer.Equal(issuer.Subject) {
		return l, indexOf(l), nil
	}
	indexed := make(chan *Index, 1)
	go func() { indexed <- indexOf(l) }()
	err = l.verify(issuer)
	index := <-indexed
	if err != nil {
		return nil, nil, err
	}
	return l, index, nil
}

// indexOf is nil for a list that must be searched where it lies.
func indexOf(l *List) *Index {
	index, err := NewIndex(l)
	if err != nil {
		return nil
	}
	return index
}

// shelve puts a list that was read on the shelf, and its bytes away unless they
// are stored already. A list without index is held whole.
func (s *Store) shelve(info Information, l *List, index *Index, stored *document) (Information, error) {
	until := l.NextUpdate
	if until.IsZero() {
		until = info.Fetched.Add(listAgeDefault)
	}
	if now := s.now(); !now.Before(until) || l.ThisUpdate.After(now.Add(clockSkew)) {
		return info, fault.New(fault.RevocationStale, "", "the CRL has run out, or is of the future")
	}
	size := len(info.Raw)
	if index != nil {
		if stored == nil {
			stored = putAway(info.Raw, s.fileOf(info.Source), info.Fetched)
		}
		if short, err := l.condensed(index, stored); err == nil {
			l, info.Raw = short, stored.data
		}
	}
	info.list = l
	s.lists.put(info.Source, &heldList{info: info, until: until, size: size, refreshAt: s.refreshTime(l, until, info.Fetched)})
	return info, nil
}

// fileOf names the file of an address; empty without a folder.
func (s *Store) fileOf(url string) string {
	if s.folder == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(s.folder, hex.EncodeToString(sum[:])+".crl")
}

// restore holds the list that the folder kept for the address, if it is still
// good. When it was fetched is when its file was written.
func (s *Store) restore(url string, issuer *cert.Certificate) (Information, bool) {
	name := s.fileOf(url)
	if name == "" {
		return Information{}, false
	}
	stored, raw, fetched, err := readKept(name)
	if err != nil {
		return Information{}, false // never kept, or not whole: it is fetched anew
	}
	info := Information{Kind: CRL, Raw: raw, Source: url, Fetched: fetched}
	l, index, err := readHeld(raw, issuer)
	if err != nil {
		return Information{}, false
	}
	info, err = s.shelve(info, l, index, stored)
	return info, err == nil
}
