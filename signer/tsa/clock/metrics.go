package clock

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of a Monitor.
type Metrics struct {
	inSync                 *prometheus.GaugeVec
	offset, dispersion     prometheus.Gauge
	agreeing, answering    prometheus.Gauge
	measured               prometheus.Gauge
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
		inSync:       vector("state", "1 for the state that the last round left the clock in: in_sync, or why not.", "state"),
		offset:       gauge("offset_seconds", "Offset of the time sources from our clock."),
		dispersion:   gauge("dispersion_seconds", "Uncertainty of the offset, to either side."),
		agreeing:     gauge("sources_agreeing", "Time sources that agree with each other."),
		answering:    gauge("sources_answering", "Time sources that answered."),
		measured:     gauge("measured_timestamp_seconds", "When the sources were asked last."),
		sourceUp:     vector("source_up", "1 if the time source answered usably.", "source"),
		sourceOffset: vector("source_offset_seconds", "Offset of the time source from our clock.", "source"),
	}
	for _, c := range []prometheus.Collector{m.inSync, m.offset, m.dispersion, m.agreeing, m.answering, m.measured, m.sourceUp, m.sourceOffset} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register the clock's metrics: %w", err)
		}
	}
	return m, nil
}

// inSyncState names the state that has no reason.
const inSyncState = "in_sync"

func (m *Metrics) published(s Status) {
	if m == nil {
		return
	}
	m.state(inSyncState, s.InSync())
	for _, reason := range Reasons() {
		m.state(string(reason), s.Reason == reason)
	}
	m.offset.Set(s.Offset.Seconds())
	m.dispersion.Set(s.Dispersion.Seconds())
	m.agreeing.Set(float64(s.Agreeing))
	m.answering.Set(float64(s.Answering))
	if !s.Measured.IsZero() {
		m.measured.Set(float64(s.Measured.UnixMilli()) / float64(time.Second/time.Millisecond))
	}
}

func (m *Metrics) state(name string, holds bool) {
	value := 0.0
	if holds {
		value = 1
	}
	m.inSync.WithLabelValues(name).Set(value)
}

func (m *Metrics) source(name string, s Sample, err error) {
	if m == nil {
		return
	}
	if err != nil {
		m.sourceUp.WithLabelValues(name).Set(0)
		return
	}
	m.sourceUp.WithLabelValues(name).Set(1)
	m.sourceOffset.WithLabelValues(name).Set(s.Offset.Seconds())
}
