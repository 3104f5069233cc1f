package gost

import (
	"container/list"
	"context"
	"crypto/sha256"
	"sync"
)

// Limits of a [Cache].
type Limits struct {
	// TablesBytes is the memory for tables; the zero value means 64 MiB, which
	// is some 60 keys of 512 bits or 240 of 256.
	TablesBytes int
	// SeenBefore is how many right signatures of a key make it worth a table;
	// the zero value means 8. A table takes as long to make as some thirty
	// verifications and makes each three to four times faster.
	SeenBefore int
}

const (
	tablesBytesDefault = 64 << 20
	seenBeforeDefault  = 8
	// candidates is how many keys without a table are counted at once: a flood of
	// new keys pushes out only counts.
	candidatesMax = 4096
	// queued is how many tables may wait; more keys simply stay as they are.
	queuedMax = 16
)

// Cache verifies like [PublicKey.Verify] and keeps tables of the keys it meets
// often: authorities, OCSP responders and time-stamping authorities, which stand
// behind every signature. The result never depends on it. It may be used by
// several goroutines at once.
//
// One goroutine, [Cache.Run], makes the tables, so that no request waits for one.
// Without it the cache verifies and never grows. Only signatures that are right
// count, so tables are not made for whoever sends the most.
type Cache struct {
	limits Limits
	wanted chan *PublicKey

	mu         sync.Mutex
	entries    map[cacheKey]*list.Element
	tables     *list.List // of *cacheEntry with a table, last used first
	candidates *list.List // of *cacheEntry without
	bytes      int
}

// cacheKey is a digest of curve and point: entries are of one size, and the map
// holds no reference to a key.
type cacheKey [sha256.Size]byte

type cacheEntry struct {
	key    cacheKey
	seen   int
	queued bool
	table  verifier
	bytes  int
}

// NewCache makes an empty cache.
func NewCache(limits Limits) *Cache {
	if limits.TablesBytes <= 0 {
		limits.TablesBytes = tablesBytesDefault
	}
	if limits.SeenBefore <= 0 {
		limits.SeenBefore = seenBeforeDefault
	}
	return &Cache{
		limits: limits, wanted: make(chan *PublicKey, queuedMax),
		entries: map[cacheKey]*list.Element{}, tables: list.New(), candidates: list.New(),
	}
}

// Run makes tables until the context ends. One Run at a time.
func (c *Cache) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-c.wanted:
			c.store(k, k.point.Precompute())
		}
	}
}

// Verify is [Algorithm.Verify], sooner for a key that is met often.
func (c *Cache) Verify(a *Algorithm, k *PublicKey, digest, signature []byte) error {
	if k.algorithm != a.Key {
		return a.Verify(k, digest, signature) // says what does not fit
	}
	id := cacheKeyOf(k)
	if table := c.table(id); table != nil {
		return k.verify(table, a.Layout, digest, signature)
	}
	if err := k.Verify(a.Layout, digest, signature); err != nil {
		return err
	}
	c.count(id, k)
	return nil
}

// Tables is how many keys have a table now.
func (c *Cache) Tables() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tables.Len()
}

func cacheKeyOf(k *PublicKey) (id cacheKey) {
	h := sha256.New()
	h.Write([]byte(k.curve.name))
	h.Write(k.xy)
	h.Sum(id[:0])
	return id
}

// table returns the table of a key, and marks it used.
func (c *Cache) table(id cacheKey) verifier {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[id]
	if element == nil {
		return nil
	}
	entry := element.Value.(*cacheEntry)
	if entry.table != nil {
		c.tables.MoveToFront(element)
	}
	return entry.table
}

// count notes a right signature, and asks for a table when it is time.
func (c *Cache) count(id cacheKey, k *PublicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[id]
	if element == nil {
		if c.candidates.Len() >= candidatesMax {
			c.drop(c.candidates, c.candidates.Back())
		}
		element = c.candidates.PushFront(&cacheEntry{key: id})
		c.entries[id] = element
	}
	entry := element.Value.(*cacheEntry)
	if entry.table != nil { // made since this verification looked
		return
	}
	c.candidates.MoveToFront(element)
	entry.seen++
	if entry.seen < c.limits.SeenBefore || entry.queued || k.curve.tableSize > c.limits.TablesBytes {
		return
	}
	select {
	case c.wanted <- k:
		entry.queued = true
	default: // asked again by the next signature
	}
}

// store keeps a table, and drops those that were not used the longest to make
// room for it.
func (c *Cache) store(k *PublicKey, table verifier) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := cacheKeyOf(k)
	if element := c.entries[id]; element != nil {
		if element.Value.(*cacheEntry).table != nil {
			return
		}
		c.drop(c.candidates, element)
	}
	size := k.curve.tableSize
	for c.bytes+size > c.limits.TablesBytes {
		c.drop(c.tables, c.tables.Back())
	}
	c.entries[id] = c.tables.PushFront(&cacheEntry{key: id, table: table, bytes: size})
	c.bytes += size
}

func (c *Cache) drop(from *list.List, element *list.Element) {
	entry := from.Remove(element).(*cacheEntry)
	delete(c.entries, entry.key)
	c.bytes -= entry.bytes
}
