package clock

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of a Monitor.
type Metrics struct {
	state                  *stateCollector
	offset, dispersion     prometheus.Gauge
	agreeing, answering    prometheus.Gauge
	measured, expires      prometheus.Gauge
	sourceUp, sourceOffset *prometheus.GaugeVec
}

// NewMetrics registers them.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "senim_tsa_clock_" + name, Help: help})
	}
	vector := func(name, help, label string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "senim_tsa_clock_" + name, Help: help}, []string{label})
	}
	m := &Metrics{
		state:        newStateCollector(),
		offset:       gauge("offset_seconds", "Offset of the time sources from our clock."),
		dispersion:   gauge("dispersion_seconds", "Uncertainty of the offset, to either side."),
		agreeing:     gauge("sources_agreeing", "Time sources that agree with each other."),
		answering:    gauge("sources_answering", "Time sources that answered."),
		measured:     gauge("measured_timestamp_seconds", "When the sources were asked last."),
		expires:      gauge("expires_timestamp_seconds", "When what was measured counts no more."),
		sourceUp:     vector("source_up", "1 if the time source answered usably.", "source"),
		sourceOffset: vector("source_offset_seconds", "Offset of the time source from our clock.", "source"),
	}
	for _, c := range []prometheus.Collector{m.state, m.offset, m.dispersion, m.agreeing, m.answering, m.measured, m.expires, m.sourceUp, m.sourceOffset} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register the clock's metrics: %w", err)
		}
	}
	return m, nil
}

// watch has the state asked for whenever the metrics are read: a state lapses, and
// a clock jumps or drifts off, without anybody publishing it.
func (m *Metrics) watch(status func() Status) {
	if m != nil {
		m.state.status.Store(&status)
	}
}

func (m *Metrics) published(s Status) {
	if m == nil {
		return
	}
	m.offset.Set(s.Offset.Seconds())
	m.dispersion.Set(s.Dispersion.Seconds())
	m.agreeing.Set(float64(s.Agreeing))
	m.answering.Set(float64(s.Answering))
	if !s.Measured.IsZero() {
		m.measured.Set(unixSeconds(s.Measured))
		m.expires.Set(unixSeconds(s.Measured.Add(s.Expiry)))
	}
}

func unixSeconds(t time.Time) float64 {
	return float64(t.UnixMilli()) / float64(time.Second/time.Millisecond)
}

// inSyncState names the state that has no reason.
const inSyncState = "in_sync"

// stateCollector gives the state that holds at the moment, as Time would.
type stateCollector struct {
	described *prometheus.Desc
	status    atomic.Pointer[func() Status]
}

func newStateCollector() *stateCollector {
	return &stateCollector{described: prometheus.NewDesc("senim_tsa_clock_state",
		"1 for the state that the clock is in: in_sync, or why not.", []string{"state"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) { to <- c.described }

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(to chan<- prometheus.Metric) {
	reason := NeverMeasured
	if status := c.status.Load(); status != nil {
		reason = (*status)().Reason
	}
	give := func(name string, holds bool) {
		value := 0.0
		if holds {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(c.described, prometheus.GaugeValue, value, name)
	}
	give(inSyncState, reason == "")
	for _, r := range Reasons() {
		give(string(r), reason == r)
	}
}

func (m *Metrics) source(name string, s Sample, err error) {
	if m == nil {
		return
	}
	if err != nil {
		m.sourceUp.WithLabelValues(name).Set(0)
		m.sourceOffset.DeleteLabelValues(name) // of before
		return
	}
	m.sourceUp.WithLabelValues(name).Set(1)
	m.sourceOffset.WithLabelValues(name).Set(s.Offset.Seconds())
}
