package access

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimiterEmptiesAndRefills(t *testing.T) {
	l := newLimiter[string](2, 3)
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for i := range 3 {
		if _, ok := l.take("a", now); !ok {
			t.Fatalf("request %d of the burst is refused", i+1)
		}
	}
	wait, ok := l.take("a", now)
	if ok || wait != 500*time.Millisecond {
		t.Fatalf("after the burst: wait %s, ok %t", wait, ok)
	}
	if _, ok := l.take("b", now); !ok {
		t.Error("another caller pays for it")
	}
	if _, ok := l.take("a", now.Add(wait)); !ok {
		t.Error("refused after the time it was told to wait")
	}
}

// Whatever the pattern of requests, no more pass than rate × time + burst.
func TestLimiterBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.IntRange(1, 50).Draw(t, "rate")
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		l := newLimiter[int](float64(perSecond), burst)
		start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
		now, passed := start, 0
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "pause ms")) * time.Millisecond)
			if _, ok := l.take(0, now); ok {
				passed++
			}
		}
		if most := float64(burst) + now.Sub(start).Seconds()*float64(perSecond); float64(passed) > most+1e-6 {
			t.Fatalf("%d passed, at most %f may", passed, most)
		}
	})
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7":           "192.0.2.7/32",
		"::ffff:192.0.2.7":    "192.0.2.7/32",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
		"fe80::1%eth0":        "fe80::/64",
	} {
		if got := network(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("network(%s) = %s, want %s", in, got, want)
		}
	}
	if got := network(netip.Addr{}); got.IsValid() {
		t.Errorf("no address counts as %s", got)
	}
}

func TestRecentIsBoundedAndForgetsTheOldest(t *testing.T) {
	r := newRecent[int, string](3)
	for i := range 3 {
		r.put(i, fmt.Sprint(i))
	}
	r.get(0)
	r.put(3, "3")
	r.put(3, "again")
	for key, want := range map[int]string{0: "0", 1: "", 2: "2", 3: "again"} {
		if got, _ := r.get(key); got != want {
			t.Errorf("get(%d) = %q, want %q", key, got, want)
		}
	}
	r.remove(2)
	r.remove(77)
	if _, ok := r.get(2); ok || len(r.items) != 2 || r.order.Len() != 2 {
		t.Errorf("after removal: %d items, %d in order", len(r.items), r.order.Len())
	}
}

func TestRecentUnderManyHands(t *testing.T) {
	r := newRecent[int, int](50)
	var hands sync.WaitGroup
	for h := range 8 {
		hands.Go(func() {
			for i := range 1000 {
				key := (i*7 + h) % 100
				r.put(key, i)
				r.get(key)
				r.getOrPut(key+1, func() int { return i })
				r.remove(key + 2)
			}
		})
	}
	hands.Wait()
	if len(r.items) > 50 || len(r.items) != r.order.Len() {
		t.Errorf("%d items, %d in order", len(r.items), r.order.Len())
	}
}
