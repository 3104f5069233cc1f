package clock

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits and defaults.
const (
	// SourcesMin is the least number of sources: of two that differ nobody knows
	// which is right.
	SourcesMin = 3
	sourcesMax = 16
	// DefaultEvery is how often the sources are asked.
	DefaultEvery = 16 * time.Second
	// DefaultTimeout bounds one question to a source.
	DefaultTimeout = 2 * time.Second
	// expiryRounds is how many rounds a status outlives by default: one lost
	// datagram must not stop the authority.
	expiryRounds = 3
	// driftPerSecond is how far an oscillator of a computer may run off (PHI of
	// RFC 5905 §7.3).
	driftPerSecond = 15 * time.Microsecond
)

// Reading is one look at both clocks of the machine.
type Reading struct {
	Wall    time.Time
	Elapsed time.Duration // by the monotonic clock, since any fixed moment
}

// Readings makes a reader of both clocks of now, whose times must carry a
// monotonic reading, as time.Now's do.
func Readings(now func() time.Time) func() Reading {
	start := now()
	return func() Reading {
		t := now()
		return Reading{Wall: t.Round(0), Elapsed: t.Sub(start)}
	}
}

// Config of a Monitor.
type Config struct {
	Sources []Source
	Read    func() Reading
	// Accuracy is what tokens state: the clock may be off by no more, all
	// uncertainty included.
	Accuracy time.Duration
	// Resolution is that of the times in tokens: to cut a time to it makes the time
	// wrong by as much, which Accuracy must hold too. Zero cuts nothing.
	Resolution time.Duration
	// JumpMax is how far the wall clock may move against the monotonic one
	// between two rounds; zero means a tenth of Accuracy.
	JumpMax time.Duration
	Every   time.Duration // zero means DefaultEvery
	Expiry  time.Duration // of a status; zero means three times Every
	Timeout time.Duration // of one question; zero means DefaultTimeout
	// Ticks begin the rounds after the first; nil ticks by Every.
	Ticks   <-chan time.Time
	Metrics *Metrics // nil counts nothing
}

// Reason says why the clock is not in sync.
type Reason string

// The reasons.
const (
	NeverMeasured Reason = "never_measured"
	NoMajority    Reason = "no_majority" // too few sources answer, or agree
	OutOfAccuracy Reason = "out_of_accuracy"
	LeapAnnounced Reason = "leap_announced"
	Jumped        Reason = "jumped" // the wall clock was set
	Lapsed        Reason = "lapsed" // nobody has measured for too long
)

// Reasons lists all.
func Reasons() []Reason {
	return []Reason{NeverMeasured, NoMajority, OutOfAccuracy, LeapAnnounced, Jumped, Lapsed}
}

// Status is what a round found out.
type Status struct {
	Reason     Reason        // empty while in sync
	Offset     time.Duration // of the sources from our clock
	Dispersion time.Duration // of Offset, to either side
	Agreeing   int           // sources
	Answering  int
	Measured   time.Time     // when the round began, by our clock
	Expiry     time.Duration // after which it counts no more

	elapsed time.Duration // when measured
}

// InSync says whether the round found the clock good.
func (s Status) InSync() bool { return s.Reason == "" }

// Monitor watches the clock. It is safe for concurrent use.
type Monitor struct {
	c      Config
	status atomic.Pointer[Status]
}

// New checks the configuration. Until Measure or Run has measured, the clock is
// not in sync.
func New(c Config) (*Monitor, error) {
	if c.Read == nil || c.Resolution < 0 || c.Accuracy <= c.Resolution {
		return nil, fault.New(fault.BadArgument, "", "a time monitor needs a clock and an accuracy to hold it to, beyond the times' resolution")
	}
	if len(c.Sources) < SourcesMin || len(c.Sources) > sourcesMax {
		return nil, fault.New(fault.BadArgument, "", "%d time sources; %d to %d are needed", len(c.Sources), SourcesMin, sourcesMax)
	}
	if c.JumpMax < 0 || c.Every < 0 || c.Expiry < 0 || c.Timeout < 0 {
		return nil, fault.New(fault.BadArgument, "", "a limit of the time monitor is negative")
	}
	orElse := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	orElse(&c.JumpMax, c.Accuracy/10)
	orElse(&c.Every, DefaultEvery)
	orElse(&c.Expiry, expiryRounds*c.Every)
	orElse(&c.Timeout, DefaultTimeout)
	m := &Monitor{c: c}
	c.Metrics.watch(m.Status)
	m.publish(&Status{Reason: NeverMeasured})
	return m, nil
}

// Run measures now and at every tick until the context ends.
func (m *Monitor) Run(ctx context.Context) {
	ticks := m.c.Ticks
	if ticks == nil {
		ticker := time.NewTicker(m.c.Every)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		m.Measure(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

// Measure asks every source once, all at the same time, and publishes what comes
// of it. A round that its context ended changes nothing.
func (m *Monitor) Measure(ctx context.Context) Status {
	before := m.c.Read()
	samples := m.ask(ctx)
	after := m.c.Read()
	if ctx.Err() != nil {
		return *m.status.Load()
	}
	s := m.judge(samples)
	// Counted from the beginning: what the clock did meanwhile, the samples may be
	// from before.
	s.Measured, s.elapsed, s.Expiry = before.Wall, before.Elapsed, m.c.Expiry
	s.Reason = m.refusal(s, after)
	m.publish(s)
	return *s
}

// ask gives the samples of those that answer.
func (m *Monitor) ask(ctx context.Context) []Sample {
	ctx, cancel := context.WithTimeout(ctx, m.c.Timeout)
	defer cancel()
	answers := make([]*Sample, len(m.c.Sources))
	var asking sync.WaitGroup
	for i, source := range m.c.Sources {
		asking.Go(func() {
			sample, err := source.Ask(ctx)
			m.c.Metrics.source(source.Name, sample, err)
			if err == nil {
				answers[i] = &sample
			}
		})
	}
	asking.Wait()
	var samples []Sample
	for _, a := range answers {
		if a != nil {
			samples = append(samples, *a)
		}
	}
	return samples
}

// judge finds out where most of the sources see our clock. A majority is one of
// all that are configured, not of those that answer: else two that were left
// could lie to us. Nor has a source a voice that does not know the time to the
// accuracy itself: it would agree with whatever the others say, one liar too.
func (m *Monitor) judge(samples []Sample) *Status {
	answering := len(samples)
	samples = slices.DeleteFunc(samples, func(s Sample) bool { return s.Distance > m.c.Accuracy })
	all := make([]interval, len(samples))
	for i, s := range samples {
		all[i] = interval{s.Offset - s.Distance, s.Offset + s.Distance}
	}
	agreed, count := agreement(all)
	s := &Status{Offset: agreed.middle(), Dispersion: agreed.radius(), Agreeing: count, Answering: answering}
	if count <= len(m.c.Sources)/2 {
		s.Reason = NoMajority
		return s
	}
	if !m.within(s.Offset.Abs() + s.Dispersion) {
		s.Reason = OutOfAccuracy
	}
	for i, sample := range samples {
		// Any of those that are believed: to miss a leap second is worse than to
		// stamp nothing until it is over.
		if sample.Leap && all[i].overlaps(agreed) {
			s.Reason = LeapAnnounced
		}
	}
	return s
}

// within says whether a time that may be wrong by so much is still accurate when
// it was cut.
func (m *Monitor) within(wrong time.Duration) bool { return wrong+m.c.Resolution <= m.c.Accuracy }

func (m *Monitor) publish(s *Status) {
	m.status.Store(s)
	m.c.Metrics.published(*s)
}

// moved is how far the wall clock went against the monotonic one between two
// readings.
func moved(from, to Reading) time.Duration {
	return (to.Wall.Sub(from.Wall) - (to.Elapsed - from.Elapsed)).Abs()
}

// Time is the time to put into a token, now. Error: time_not_available, with the
// reason.
func (m *Monitor) Time() (time.Time, error) {
	s := m.status.Load()
	r, reason := m.look(s)
	if reason == "" {
		return r.Wall, nil
	}
	if reason == Jumped {
		// It holds until the next round has measured the new clock.
		latched := *s
		latched.Reason = Jumped
		m.status.CompareAndSwap(s, &latched)
	}
	return time.Time{}, fault.New(fault.TimeNotAvailable, "", "the clock: %s", reason)
}

// look reads both clocks and says why the status does not vouch for them.
func (m *Monitor) look(s *Status) (Reading, Reason) {
	r := m.c.Read()
	reason := m.refusal(s, r)
	if reason == Jumped {
		// The two clocks are read one after the other. A process that was put
		// aside between the two sees a jump where none is: look again.
		r = m.c.Read()
		reason = m.refusal(s, r)
	}
	return r, reason
}

// refusal is why a status does not vouch for a reading.
func (m *Monitor) refusal(s *Status, r Reading) Reason {
	if !s.InSync() {
		return s.Reason
	}
	age := r.Elapsed - s.elapsed
	if age < 0 || age >= s.Expiry {
		return Lapsed
	}
	jump := moved(Reading{Wall: s.Measured, Elapsed: s.elapsed}, r)
	if jump > m.c.JumpMax {
		return Jumped
	}
	drift := time.Duration(age.Seconds() * float64(driftPerSecond))
	if !m.within(s.Offset.Abs() + s.Dispersion + drift + jump) {
		return OutOfAccuracy
	}
	return ""
}

// Status is what holds now, with what came over it since it was measured.
func (m *Monitor) Status() Status {
	s := *m.status.Load()
	_, s.Reason = m.look(&s)
	return s
}

// Check is nil while Time gives the time: for readiness.
func (m *Monitor) Check(context.Context) error {
	_, err := m.Time()
	return err
}
