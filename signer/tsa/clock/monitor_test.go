package clock

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// machine has both clocks; they go only when told.
type machine struct {
	wall    time.Time
	elapsed time.Duration
	skips   int // readings in which the wall clock looks late by an hour
}

func (m *machine) read() Reading {
	if m.skips > 0 {
		m.skips--
		return Reading{m.wall.Add(time.Hour), m.elapsed}
	}
	return Reading{m.wall, m.elapsed}
}

func (m *machine) pass(d time.Duration) { m.wall, m.elapsed = m.wall.Add(d), m.elapsed+d }

var errSilent = errors.New("silent")

// said is what a source says each time; nil is silence.
func said(samples ...*Sample) []Source {
	var sources []Source
	for i, s := range samples {
		sources = append(sources, Source{Name: string(rune('a' + i)), Ask: func(context.Context) (Sample, error) {
			if s == nil {
				return Sample{}, errSilent
			}
			return *s, nil
		}})
	}
	return sources
}

func at(offset time.Duration) *Sample { return &Sample{Offset: offset, Distance: 5 * time.Millisecond} }

func vague(distance time.Duration) *Sample { return &Sample{Distance: distance} }

func leaping(offset time.Duration) *Sample {
	s := at(offset)
	s.Leap = true
	return s
}

func monitor(t *testing.T, m *machine, sources []Source, change func(*Config)) *Monitor {
	t.Helper()
	c := Config{Sources: sources, Read: m.read, Accuracy: time.Second, Every: 10 * time.Second}
	if change != nil {
		change(&c)
	}
	made, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// The table of what can be wrong with time.
func TestTimeFaults(t *testing.T) {
	ms := time.Millisecond
	for name, tt := range map[string]struct {
		sources []Source
		after   func(*machine) // between the round and the token
		reason  Reason
	}{
		"all agree":                        {sources: said(at(0), at(1*ms), at(-1*ms))},
		"one is silent":                    {sources: said(at(0), nil, at(1*ms))},
		"two are silent":                   {sources: said(at(0), nil, nil), reason: NoMajority},
		"all are silent":                   {sources: said(nil, nil, nil), reason: NoMajority},
		"one lies":                         {sources: said(at(0), at(time.Hour), at(1*ms))},
		"two lie apart":                    {sources: said(at(0), at(time.Hour), at(-time.Hour)), reason: NoMajority},
		"two lie together":                 {sources: said(at(0), at(time.Hour), at(time.Hour)), reason: OutOfAccuracy},
		"two of four agree":                {sources: said(at(0), at(0), at(time.Hour), at(-time.Hour)), reason: NoMajority},
		"three of five agree":              {sources: said(at(0), at(0), at(0), at(time.Hour), nil)},
		"our clock is late":                {sources: said(at(2*time.Second), at(2*time.Second), at(2*time.Second)), reason: OutOfAccuracy},
		"our clock is early":               {sources: said(at(-2*time.Second), at(-2*time.Second), at(-2*time.Second)), reason: OutOfAccuracy},
		"late within the accuracy":         {sources: said(at(900*ms), at(901*ms), at(899*ms))},
		"late and uncertain beyond it":     {sources: said(at(998*ms), at(998*ms), at(998*ms)), reason: OutOfAccuracy},
		"sources far away":                 {sources: said(vague(2*time.Second), vague(2*time.Second), vague(2*time.Second)), reason: NoMajority},
		"one of three far away":            {sources: said(at(0), at(1*ms), vague(16*time.Second))},
		"one lies, one is far away":        {sources: said(at(700*ms), nil, vague(16*time.Second)), reason: NoMajority},
		"two differ, one is far away":      {sources: said(at(0), at(700*ms), vague(16*time.Second)), reason: NoMajority},
		"uncertain up to the accuracy":     {sources: said(vague(998*ms), vague(998*ms), vague(998*ms))},
		"nothing left for the cut":         {sources: said(vague(1000*ms), vague(1000*ms), vague(1000*ms)), reason: OutOfAccuracy},
		"a leap second, by one":            {sources: said(at(0), leaping(0), at(0)), reason: LeapAnnounced},
		"a leap second, by a liar":         {sources: said(at(0), leaping(time.Hour), at(0))},
		"the wall clock is set forward":    {sources: said(at(0), at(0), at(0)), after: func(m *machine) { m.wall = m.wall.Add(time.Second) }, reason: Jumped},
		"the wall clock is set back":       {sources: said(at(0), at(0), at(0)), after: func(m *machine) { m.wall = m.wall.Add(-time.Second) }, reason: Jumped},
		"the machine slept":                {sources: said(at(0), at(0), at(0)), after: func(m *machine) { m.wall = m.wall.Add(time.Minute) }, reason: Jumped},
		"a step below the limit":           {sources: said(at(0), at(0), at(0)), after: func(m *machine) { m.wall = m.wall.Add(90 * ms) }},
		"a small step beyond the accuracy": {sources: said(at(950*ms), at(950*ms), at(950*ms)), after: func(m *machine) { m.wall = m.wall.Add(90 * ms) }, reason: OutOfAccuracy},
		"put aside between two readings":   {sources: said(at(0), at(0), at(0)), after: func(m *machine) { m.skips = 1 }},
		"nearly lapsed":                    {sources: said(at(0), at(0), at(0)), after: func(m *machine) { m.pass(28 * time.Second) }},
		"lapsed":                           {sources: said(at(0), at(0), at(0)), after: func(m *machine) { m.pass(30 * time.Second) }, reason: Lapsed},
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{wall: start}
			registry := prometheus.NewRegistry()
			metrics, err := NewMetrics(registry)
			if err != nil {
				t.Fatal(err)
			}
			mon := monitor(t, m, tt.sources, func(c *Config) { c.Metrics, c.Resolution = metrics, ms })
			mon.Measure(t.Context())
			m.pass(time.Second)
			if tt.after != nil {
				tt.after(m)
			}
			// Each fault shows without a token being asked for.
			if state := cmp.Or(string(tt.reason), inSyncState); gauge(t, registry, "senim_tsa_clock_state", state) != 1 {
				t.Errorf("the metrics do not say %s", state)
			}
			got, err := mon.Time()
			if tt.reason == "" {
				if err != nil || !got.Equal(m.wall) || mon.Check(t.Context()) != nil || !mon.Status().InSync() {
					t.Fatalf("%s, %v, want %s", got, err, m.wall)
				}
				return
			}
			if !fault.Is(err, fault.TimeNotAvailable) || !got.IsZero() || mon.Check(t.Context()) == nil {
				t.Fatalf("%s, %v, want %s", got, err, tt.reason)
			}
			if s := mon.Status(); s.Reason != tt.reason {
				t.Errorf("%s, want %s", s.Reason, tt.reason)
			}
		})
	}
}

func TestNothingBeforeTheFirstRound(t *testing.T) {
	mon := monitor(t, &machine{wall: start}, said(at(0), at(0), at(0)), nil)
	if _, err := mon.Time(); !fault.Is(err, fault.TimeNotAvailable) || mon.Status().Reason != NeverMeasured {
		t.Errorf("%v, %+v", err, mon.Status())
	}
}

// A jump holds until a round has measured the new clock, even if the clock is set
// back meanwhile.
func TestAJumpIsLatched(t *testing.T) {
	m := &machine{wall: start}
	registry := prometheus.NewRegistry()
	metrics, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	mon := monitor(t, m, said(at(0), at(0), nil), func(c *Config) { c.Metrics = metrics })
	mon.Measure(t.Context())
	for name, want := range map[string]float64{inSyncState: 1, string(Jumped): 0} {
		if got := gauge(t, registry, "senim_tsa_clock_state", name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if up := gauge(t, registry, "senim_tsa_clock_source_up", "c"); up != 0 || gauge(t, registry, "senim_tsa_clock_sources_answering", "") != 2 {
		t.Errorf("the silent source is up: %v", up)
	}
	measured := gauge(t, registry, "senim_tsa_clock_measured_timestamp_seconds", "")
	if expires := gauge(t, registry, "senim_tsa_clock_expires_timestamp_seconds", ""); expires != measured+30 {
		t.Errorf("measured at %v, it expires at %v", measured, expires)
	}
	m.wall = m.wall.Add(time.Minute)
	if _, err := mon.Time(); err == nil {
		t.Fatal("no jump")
	}
	m.wall = m.wall.Add(-time.Minute)
	if _, err := mon.Time(); err == nil {
		t.Error("the jump is forgotten")
	}
	if gauge(t, registry, "senim_tsa_clock_state", string(Jumped)) != 1 {
		t.Error("the metrics do not show it")
	}
	mon.Measure(t.Context())
	if _, err := mon.Time(); err != nil {
		t.Errorf("after the next round: %v", err)
	}
}

// gauge reads a metric, by its one label's value if it has one.
func gauge(t *testing.T, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); f.GetName() == name && (len(labels) == 0 && label == "" || len(labels) == 1 && labels[0].GetValue() == label) {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no %s{%s}", name, label)
	return 0
}

// A clock that is set while the sources are asked spoils the round. By how much a small
// step spoils it is part of the uncertainty.
func TestAJumpWithinARound(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		offset, step time.Duration
		reason       Reason
	}{
		{0, -time.Hour, Jumped}, {0, 90 * ms, ""}, {900 * ms, 90 * ms, ""}, {950 * ms, 90 * ms, OutOfAccuracy}, {950 * ms, -90 * ms, OutOfAccuracy},
	} {
		m := &machine{wall: start}
		sources := said(at(tt.offset), at(tt.offset), at(tt.offset))
		var once sync.Once
		for i := range sources {
			ask := sources[i].Ask
			sources[i].Ask = func(ctx context.Context) (Sample, error) {
				once.Do(func() { m.wall = m.wall.Add(tt.step) })
				return ask(ctx)
			}
		}
		mon := monitor(t, m, sources, nil)
		mon.Measure(t.Context())
		if s := mon.Status(); s.Reason != tt.reason {
			t.Errorf("an offset of %s and a step of %s: %+v", tt.offset, tt.step, s)
		}
		if _, err := mon.Time(); (err == nil) != (tt.reason == "") {
			t.Errorf("an offset of %s and a step of %s: %v", tt.offset, tt.step, err)
		}
	}
}

// Run measures at once and at each tick, and recovers as the sources do.
func TestRun(t *testing.T) {
	m := &machine{wall: start}
	ticks, asked := make(chan time.Time), make(chan struct{})
	var offset atomic.Int64
	source := func(context.Context) (Sample, error) { return *at(time.Duration(offset.Load())), nil }
	sources := []Source{{"a", source}, {"b", source}, {"c", func(context.Context) (Sample, error) {
		<-asked // no round is over before the test says so
		return Sample{}, errSilent
	}}}
	mon := monitor(t, m, sources, func(c *Config) { c.Ticks = ticks })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); mon.Run(ctx) }()
	for _, off := range []time.Duration{0, time.Hour, 0} {
		offset.Store(int64(off))
		asked <- struct{}{} // the round under way may have seen the offset before
		ticks <- start
		asked <- struct{}{}
		ticks <- start // taken when that round is published; the next one waits
		if _, err := mon.Time(); (err == nil) != (off == 0) {
			t.Errorf("with an offset of %s: %v", off, err)
		}
	}
	close(asked)
	stop()
	<-done
}

func TestNewRefuses(t *testing.T) {
	read := (&machine{}).read
	three := said(at(0), at(0), at(0))
	for name, c := range map[string]Config{
		"no clock":           {Sources: three, Accuracy: time.Second},
		"no accuracy":        {Sources: three, Read: read},
		"two sources":        {Sources: three[:2], Read: read, Accuracy: time.Second},
		"many sources":       {Sources: make([]Source, 17), Read: read, Accuracy: time.Second},
		"no more than a cut": {Sources: three, Read: read, Accuracy: time.Millisecond, Resolution: time.Millisecond},
		"negative timeout":   {Sources: three, Read: read, Accuracy: time.Second, Timeout: -1},
	} {
		if _, err := New(c); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What agreement gives lies within no more intervals than it says, and nothing
// lies within more.
func TestAgreementIsTheDeepestPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []interval
		for range rapid.IntRange(1, 6).Draw(t, "n") {
			low := rapid.IntRange(-20, 20).Draw(t, "low")
			all = append(all, interval{time.Duration(low), time.Duration(low + rapid.IntRange(0, 15).Draw(t, "width"))})
		}
		depth := func(at time.Duration) (n int) {
			for _, i := range all {
				if i.low <= at && at <= i.high {
					n++
				}
			}
			return n
		}
		deepest := 0
		low, high := time.Duration(100), time.Duration(-100)
		for at := time.Duration(-40); at <= 40; at++ {
			switch d := depth(at); {
			case d > deepest:
				deepest, low, high = d, at, at
			case d == deepest:
				high = at
			}
		}
		agreed, count := agreement(all)
		if count != deepest || agreed.low != low || agreed.high != high {
			t.Errorf("%v: %v %d, want [%d %d] %d", all, agreed, count, low, high, deepest)
		}
	})
}
