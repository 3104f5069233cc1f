package revocation

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// counting answers with a CRL and counts how often; it waits for go where that
// is set.
type counting struct {
	raw   []byte
	err   error
	calls atomic.Int32
	start chan struct{}

	once    sync.Once
	started chan struct{} // closed at the first call, where it is set
}

func (c *counting) Fetch(ctx context.Context, _, _ string, _ []byte, _ int64) ([]byte, error) {
	c.calls.Add(1)
	if c.started != nil {
		c.once.Do(func() { close(c.started) })
	}
	if c.start != nil {
		select {
		case <-c.start:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil { // also where both came
		return nil, err
	}
	return c.raw, c.err
}

func TestStoreSharesOneDownload(t *testing.T) {
	l := goodList()
	l.entries = []listEntry{{testWorld().leaf.Serial, now.Add(-time.Hour), reason(1)}}
	f := &counting{raw: l.der(t), start: make(chan struct{})}
	s := storeOf(f)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			info, err := s.Download(t.Context(), "http://crl", testWorld().ca.Certificate)
			if err != nil {
				t.Error(err)
				return
			}
			e, failed := CheckCRLs(t.Context(), []Information{info}, leafSubject(), Signers{}, Rules{At: now})
			if e == nil || e.Status != Revoked {
				t.Errorf("%+v, %+v", e, failed)
			}
		})
	}
	close(f.start)
	all.Wait()
	if n := f.calls.Load(); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func TestStoreAsksAgain(t *testing.T) {
	f := &counting{raw: goodList().der(t)}
	clock := now
	s := NewStore(StoreConfig{Fetcher: f, Now: func() time.Time { return clock }})
	get := func(want int32) {
		t.Helper()
		if _, err := s.Download(t.Context(), "http://crl", testWorld().ca.Certificate); err != nil || f.calls.Load() != want {
			t.Errorf("%d downloads, want %d (%v)", f.calls.Load(), want, err)
		}
	}
	get(1)
	get(1)
	clock = now.Add(25 * time.Hour) // the next was due
	get(2)
	f.raw = []byte("rubbish")
	get(3)
	get(4)
	f.err = fault.New(fault.Unreadable, "", "down")
	for want := int32(5); want < 7; want++ {
		if _, err := s.Download(t.Context(), "http://crl", testWorld().ca.Certificate); err == nil || f.calls.Load() != want {
			t.Errorf("a failure was kept: %d, %v", f.calls.Load(), err)
		}
	}
}

// Who breaks off does not spoil it for others.
func TestStoreAfterCancellation(t *testing.T) {
	f := &counting{raw: goodList().der(t), start: make(chan struct{}), started: make(chan struct{})}
	s := storeOf(f)
	first, cancel := context.WithCancel(t.Context())
	broken := make(chan error)
	go func() { _, err := s.Download(first, "http://crl", testWorld().ca.Certificate); broken <- err }()
	<-f.started
	done := make(chan error)
	go func() { _, err := s.Download(t.Context(), "http://crl", testWorld().ca.Certificate); done <- err }()
	cancel()
	if err := <-broken; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(f.start)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStoreIsBounded(t *testing.T) {
	f := &counting{raw: goodList().der(t)}
	s := storeOf(f)
	for i := range listsMax + 10 {
		if _, err := s.Download(t.Context(), fmt.Sprint("http://crl/", i), testWorld().ca.Certificate); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.lists.held) > listsMax {
		t.Errorf("%d lists", len(s.lists.held))
	}
	s.lists.init()
	for i := range 5 {
		s.lists.put(fmt.Sprint("long", i), &heldList{size: listBytes / 3, until: now.Add(time.Duration(i) * time.Hour)})
	}
	if s.lists.size() > listBytes || s.lists.held["long4"] == nil || s.lists.held["long3"] == nil || s.lists.held["long0"] != nil {
		t.Errorf("%d bytes in %d lists", s.lists.size(), len(s.lists.held))
	}
}

// An indexed list says the same as one that is read.
func TestIndexedListInCheck(t *testing.T) {
	l := goodList()
	l.entries = []listEntry{{big.NewInt(5), now, nil}, {testWorld().leaf.Serial, now.Add(-time.Hour), reason(6)}}
	list, err := ParseList(l.der(t))
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := list.Find(testWorld().leaf.Serial)
	if list.index, err = NewIndex(list); err != nil {
		t.Fatal(err)
	}
	got, found, err := list.Find(testWorld().leaf.Serial)
	if err != nil || !found || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
