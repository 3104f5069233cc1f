package revocation

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// fetcherFunc answers by address.
type fetcherFunc func(url string) ([]byte, error)

func (f fetcherFunc) Fetch(_ context.Context, url, _ string, _ []byte, _ int64) ([]byte, error) {
	return f(url)
}

func pointAt(url string) []cert.DistributionPoint {
	return []cert.DistributionPoint{{PointName: cert.PointName{Full: []cert.GeneralName{{Kind: cert.URIName, Value: []byte(url)}}}}}
}

// A list is replaced before its time is over by a newer one that the same key
// signed; by nothing else, and nobody waits meanwhile.
func TestRefresh(t *testing.T) {
	w := testWorld()
	newer := func(change func(*list)) []byte {
		l := goodList()
		l.this, l.next = now.Add(20*time.Hour), now.Add(60*time.Hour)
		l.extensions = []pkix.Extension{number(5)}
		if change != nil {
			change(l)
		}
		return l.der(t)
	}
	for name, tt := range map[string]struct {
		raw      []byte
		err      error
		replaced bool
	}{
		"newer":              {newer(nil), nil, true},
		"peer down":          {nil, fault.New(fault.PeerDown, "", "down"), false},
		"rubbish":            {[]byte("<html>"), nil, false},
		"the same again":     {nil, nil, false},
		"a lower number":     {newer(func(l *list) { l.extensions = []pkix.Extension{number(2)} }), nil, false},
		"older":              {newer(func(l *list) { l.this = now.Add(-2 * time.Hour) }), nil, false},
		"of another issuer":  {newer(func(l *list) { l.issuer = w.other }), nil, false},
		"a delta":            {newer(func(l *list) { l.extensions = []pkix.Extension{number(5), deltaOf(3)} }), nil, false},
		"of another scope":   {newer(func(l *list) { l.extensions = []pkix.Extension{number(5), point(0x81, 1, 0xff)} }), nil, false},
		"signed wrongly":     {newer(func(l *list) { l.spoil = func(b []byte) { b[len(b)-1] ^= 1 } }), nil, false},
		"has run out itself": {newer(func(l *list) { l.this, l.next = now.Add(time.Hour), now.Add(2*time.Hour) }), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			clock, calls := now, 0
			first := goodList()
			first.extensions = []pkix.Extension{number(3)}
			old := first.der(t)
			raw, err := old, error(nil)
			s := NewStore(StoreConfig{Now: func() time.Time { return clock }, Fetcher: fetcherFunc(func(string) ([]byte, error) {
				calls++
				return raw, err
			})})
			get := func() *List {
				info, err := s.Download(t.Context(), "http://crl", w.ca.Certificate)
				if err != nil || info.list == nil {
					t.Fatalf("%v", err)
				}
				return info.list
			}
			held := get()
			get()
			if wait := s.refreshDue(t.Context()); calls != 1 || wait < 15*time.Minute {
				t.Fatalf("%d calls, next in %s", calls, wait)
			}
			clock = now.Add(20 * time.Hour) // the next is due in four
			if raw, err = tt.raw, tt.err; raw == nil && err == nil {
				raw = old
			}
			wait := s.refreshDue(t.Context())
			if got := get(); calls != 2 || (got != held) != tt.replaced {
				t.Errorf("%d calls, replaced %v", calls, got != held)
			}
			if tt.replaced {
				return
			}
			if wait > retryFirst {
				t.Errorf("asked again in %s", wait)
			}
			s.refreshDue(t.Context())
			if calls != 2 {
				t.Error("asked again without a pause")
			}
			clock = clock.Add(retryFirst)
			if again := s.refreshDue(t.Context()); calls != 3 || again <= retryFirst || again > 2*retryFirst {
				t.Errorf("%d calls, next in %s", calls, again)
			}
		})
	}
}

// Run refreshes by itself, and ends with its context.
func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	fetched := make(chan struct{}, 10)
	l := goodList()
	l.this, l.next = now.Add(-20*time.Hour), now.Add(time.Hour) // three quarters are over
	old := l.der(t)
	l.this, l.next = now.Add(-time.Minute), now.Add(24*time.Hour)
	fresh := [][]byte{old, l.der(t)}
	s := storeOf(fetcherFunc(func(string) ([]byte, error) {
		raw := fresh[0]
		if len(fresh) > 1 {
			fresh = fresh[1:]
		}
		fetched <- struct{}{}
		return raw, nil
	}))
	get := func() *List {
		info, err := s.Download(t.Context(), "http://crl", testWorld().ca.Certificate)
		if err != nil || info.list == nil {
			t.Fatalf("%v", err)
		}
		return info.list
	}
	first := get()
	<-fetched
	get() // it is in use
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	<-fetched
	stop()
	<-done
	if get() == first {
		t.Error("not replaced")
	}
}

// What nobody uses is not refreshed, and let go in the end.
func TestUnusedListsAreLetGo(t *testing.T) {
	clock := now
	f := &counting{raw: goodList().der(t)}
	s := NewStore(StoreConfig{Fetcher: f, Now: func() time.Time { return clock }})
	if _, err := s.Download(t.Context(), "http://crl", testWorld().ca.Certificate); err != nil {
		t.Fatal(err)
	}
	clock = now.Add(23 * time.Hour)
	s.refreshDue(t.Context())
	if len(s.lists.held) != 1 || f.calls.Load() != 1 {
		t.Error("let go, or refreshed")
	}
	clock = now.Add(25 * time.Hour)
	if wait := s.refreshDue(t.Context()); len(s.lists.held) != 0 || f.calls.Load() != 1 || wait != idleMost {
		t.Error("still there, or refreshed")
	}
}

// A folder keeps lists over a restart; what is broken there is fetched anew.
func TestListsOverARestart(t *testing.T) {
	w := testWorld()
	long := goodList()
	for i := range 3000 { // longer than what stays in memory
		long.entries = append(long.entries, listEntry{big.NewInt(int64(i + 1<<20)), now, nil})
	}
	for name, raw := range map[string][]byte{"short": goodList().der(t), "long": long.der(t)} {
		t.Run(name, func(t *testing.T) {
			folder, clock := t.TempDir(), now
			f := &counting{raw: raw}
			open := func() *Store {
				return NewStore(StoreConfig{Fetcher: f, Now: func() time.Time { return clock }, Folder: folder})
			}
			get := func(s *Store, calls int32) Information {
				t.Helper()
				info, err := s.Download(t.Context(), "http://crl", w.ca.Certificate)
				if err != nil || f.calls.Load() != calls {
					t.Fatalf("%d downloads, want %d (%v)", f.calls.Load(), calls, err)
				}
				if kept, err := info.Bytes(); err != nil || !bytes.Equal(kept, raw) {
					t.Errorf("%d bytes, %v", len(kept), err)
				}
				return info
			}
			get(open(), 1)
			clock = now.Add(10 * time.Minute)
			info := get(open(), 1)
			if !info.Fetched.Equal(now) {
				t.Errorf("fetched %s", info.Fetched)
			}
			e, failed := CheckCRLs(t.Context(), []Information{info}, leafSubject(), Signers{}, Rules{At: clock})
			if e == nil || e.Status != Good || !e.Fetched.Equal(now) {
				t.Errorf("not good: %+v", failed)
			}
			files, err := filepath.Glob(filepath.Join(folder, "*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%v, %v", files, err)
			}
			if err := os.WriteFile(files[0], raw[:len(raw)-1], 0o600); err != nil {
				t.Fatal(err)
			}
			get(open(), 2)
			spoilt := bytes.Clone(raw)
			spoilt[len(spoilt)-1] ^= 1
			if err := os.WriteFile(files[0], spoilt, 0o600); err != nil {
				t.Fatal(err)
			}
			get(open(), 3)
			clock = now.Add(25 * time.Hour) // it has run out
			get(open(), 4)
		})
	}
}

// The bytes of a long list lie in a file and not in memory, and stay readable
// when another has taken the list's place.
func TestLongListsLieInFiles(t *testing.T) {
	raw, serials := productionDER(t, 20_000)
	for name, folder := range map[string]string{"folder": t.TempDir(), "no folder": "", "no such folder": "/nowhere"} {
		t.Run(name, func(t *testing.T) {
			s := NewStore(StoreConfig{Fetcher: &counting{raw: raw}, Now: func() time.Time { return now }, Folder: folder})
			info, err := s.Download(t.Context(), "http://crl", testWorld().ca.Certificate)
			if err != nil || (info.Raw == nil) != (folder != "/nowhere") {
				t.Fatalf("%d bytes in memory, %v", len(info.Raw), err)
			}
			s.lists.held = nil
			kept, err := info.Bytes()
			if err != nil || !bytes.Equal(kept, raw) {
				t.Errorf("%d bytes, %v", len(kept), err)
			}
			if _, found, err := info.list.Find(serials[7]); !found || err != nil {
				t.Error("not found", err)
			}
			// Another certificate of the same key needs no second look, another key does.
			if err := info.list.verify(testWorld().other.Certificate); !fault.Is(err, fault.SignatureInvalid) {
				t.Error(err)
			}
		})
	}
}

// A list that is signed wrongly, or by somebody else, does not stay.
func TestDoubtfulListsAreNotHeld(t *testing.T) {
	w := testWorld()
	spoilt := goodList()
	spoilt.spoil = func(b []byte) { b[len(b)-1] ^= 1 }
	foreign := goodList()
	foreign.issuer = w.other
	clock := now
	for name, tt := range map[string]struct {
		raw   []byte
		after time.Duration
		calls int32
	}{
		"spoilt":                        {spoilt.der(t), 0, 2},
		"of another issuer, at once":    {foreign.der(t), 0, 1},
		"of another issuer, not for it": {foreign.der(t), unverifiedAge, 2},
		"of the future":                 {func() []byte { l := goodList(); l.this = now.Add(time.Hour); return l.der(t) }(), 0, 2},
	} {
		f := &counting{raw: tt.raw}
		s := NewStore(StoreConfig{Fetcher: f, Now: func() time.Time { return clock }})
		for _, clock = range []time.Time{now, now.Add(tt.after)} {
			if _, err := s.Download(t.Context(), "http://crl", w.ca.Certificate); err != nil {
				t.Error(err)
			}
		}
		if n := f.calls.Load(); n != tt.calls {
			t.Errorf("%s: %d downloads", name, n)
		}
	}
}
