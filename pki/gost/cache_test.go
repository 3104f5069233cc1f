package gost

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

// runCache starts the owner goroutine and waits for it at the end of the test.
func runCache(t *testing.T, limits Limits) *Cache {
	t.Helper()
	c := NewCache(limits)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

type signedDigest struct {
	a                 *Algorithm
	key               *PublicKey
	digest, signature []byte
}

func someSigned(t *testing.T, a *Algorithm, n int) (out []signedDigest) {
	t.Helper()
	c, err := CurveByOID(a.Key.curves[0])
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		key, err := GenerateKey(rand.Reader, a.Key, c)
		if err != nil {
			t.Fatal(err)
		}
		digest := digestOf(c.Size(), "cached")
		signature, err := key.Sign(nil, digest, a)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, signedDigest{a, &key.public, digest, signature})
	}
	return out
}

// TestCacheFillsAndEvicts shares keys between goroutines, more of them than
// there is memory for.
func TestCacheFillsAndEvicts(t *testing.T) {
	const keys, room = 5, 3
	all := someSigned(t, SignatureKZ2004, keys)
	limits := Limits{TablesBytes: room * cryptoProA.tableSize, SeenBefore: 2}
	c := runCache(t, limits)

	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 40 {
				for _, s := range all {
					if err := c.Verify(s.a, s.key, s.digest, s.signature); err != nil {
						t.Error(err)
					}
					wrong := append([]byte{s.digest[0] ^ 1}, s.digest[1:]...)
					if err := c.Verify(s.a, s.key, wrong, s.signature); !fault.Is(err, fault.SignatureInvalid) {
						t.Errorf("a wrong digest: %v", err)
					}
				}
			}
		})
	}
	workers.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes > limits.TablesBytes || c.tables.Len() > room {
		t.Errorf("%d bytes in %d tables, above the limit", c.bytes, c.tables.Len())
	}
	if c.bytes != c.tables.Len()*cryptoProA.tableSize || len(c.entries) != c.tables.Len()+c.candidates.Len() {
		t.Errorf("the books do not balance: %d bytes, %d tables, %d candidates, %d entries",
			c.bytes, c.tables.Len(), c.candidates.Len(), len(c.entries))
	}
}

// TestCacheStore shows, without the goroutine, when a table is asked for and
// what it replaces.
func TestCacheStore(t *testing.T) {
	all := someSigned(t, SignatureKZ2004, 3)
	c := NewCache(Limits{TablesBytes: 2 * cryptoProA.tableSize, SeenBefore: 2})
	verify := func(s signedDigest) {
		t.Helper()
		if err := c.Verify(s.a, s.key, s.digest, s.signature); err != nil {
			t.Fatal(err)
		}
	}
	wrong := all[0]
	wrong.signature = all[1].signature
	for range 5 {
		if err := c.Verify(wrong.a, wrong.key, wrong.digest, wrong.signature); err == nil {
			t.Fatal("a foreign signature is accepted")
		}
	}
	verify(all[0])
	if len(c.wanted) != 0 {
		t.Error("wrong signatures count")
	}
	for _, s := range all {
		verify(s)
		verify(s)
		verify(s)
	}
	if len(c.wanted) != len(all) {
		t.Fatalf("%d tables asked for, want %d", len(c.wanted), len(all))
	}
	for range all {
		k := <-c.wanted
		c.store(k, k.point.Precompute())
		verify(all[0]) // keeps its table in use
	}
	for i, want := range []bool{true, false, true} {
		if got := c.table(cacheKeyOf(all[i].key)) != nil; got != want {
			t.Errorf("key %d has a table: %v, want %v", i, got, want)
		}
	}
	if c.bytes != 2*cryptoProA.tableSize {
		t.Errorf("%d bytes", c.bytes)
	}
}

func TestCacheRefusals(t *testing.T) {
	s := someSigned(t, SignatureKZ2015x512, 1)[0]
	c := NewCache(Limits{})
	if err := c.Verify(SignatureKZ2004, s.key, s.digest, s.signature); !fault.Is(err, fault.AlgorithmKeyMismatch) {
		t.Errorf("another algorithm: %v", err)
	}
	small := NewCache(Limits{TablesBytes: 1, SeenBefore: 1})
	if err := small.Verify(s.a, s.key, s.digest, s.signature); err != nil || len(small.wanted) != 0 {
		t.Errorf("a table that does not fit is asked for (%v)", err)
	}
}

// TestCacheForgetsCandidates floods the cache with keys that come once.
func TestCacheForgetsCandidates(t *testing.T) {
	c := NewCache(Limits{})
	key := someSigned(t, SignatureKZ2004, 1)[0].key
	for i := range candidatesMax + 10 {
		c.count(cacheKey{byte(i), byte(i >> 8)}, key)
	}
	if n := c.candidates.Len(); n != candidatesMax || len(c.entries) != n {
		t.Errorf("%d candidates and %d entries, want %d", n, len(c.entries), candidatesMax)
	}
}
