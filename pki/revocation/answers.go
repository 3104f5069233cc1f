package revocation

import (
	lru "container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// answerKey is a question to a responder.
type answerKey struct {
	url     string
	subject [sha256.Size]byte
}

// keyOf names the question by both certificates in full, since an answer is
// verified for them.
func keyOf(url string, s Subject) answerKey {
	h := sha256.New()
	for _, c := range [][]byte{s.Issuer.Raw, s.Certificate.Raw} {
		sum := sha256.Sum256(c)
		h.Write(sum[:])
	}
	key := answerKey{url: url}
	h.Sum(key.subject[:0])
	return key
}

// answerCache holds OCSP answers, bounded by their number and bytes; who was
// not asked for longest goes first.
type answerCache struct {
	mu    sync.Mutex
	held  map[answerKey]*lru.Element // of *heldAnswer
	used  *lru.List                  // most recently used first
	bytes int
}

type heldAnswer struct {
	key   answerKey
	info  Information
	until time.Time
}

func (c *answerCache) init() {
	c.held, c.used = make(map[answerKey]*lru.Element), lru.New()
}

// find gives an answer that is still good.
func (c *answerCache) find(key answerKey, now time.Time) (Information, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, known := c.held[key]
	if !known {
		return Information{}, false
	}
	h := at.Value.(*heldAnswer)
	if !now.Before(h.until) {
		c.drop(at)
		return Information{}, false
	}
	c.used.MoveToFront(at)
	return h.info, true
}

// keep remembers an answer until then, unless that is over.
func (c *answerCache) keep(key answerKey, info Information, until time.Time) {
	if !info.Fetched.Before(until) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, known := c.held[key]; known {
		c.drop(at)
	}
	c.held[key] = c.used.PushFront(&heldAnswer{key, info, until})
	c.bytes += len(info.Raw)
	for c.used.Len() > answersMax || c.bytes > answerBytes {
		c.drop(c.used.Back())
	}
}

// drop forgets an answer; it requires mu.
func (c *answerCache) drop(at *lru.Element) {
	h := c.used.Remove(at).(*heldAnswer)
	delete(c.held, h.key)
	c.bytes -= len(h.info.Raw)
}
