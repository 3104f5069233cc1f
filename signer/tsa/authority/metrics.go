package authority

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of an Authority and its Journal. Their labels come from RFC 3161's own
// lists. What is counted for every token is looked up once.
type Metrics struct {
	issued  prometheus.Counter
	replies *prometheus.CounterVec
	sign    prometheus.Histogram
	wait    prometheus.Histogram
	batch   prometheus.Histogram
}

// NewMetrics registers them.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	seconds := []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	m := &Metrics{
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "senim_tsa_replies_total", Help: "Replies to time-stamp requests, by PKIStatus and PKIFailureInfo.",
		}, []string{"status", "failure"}),
		sign: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "senim_tsa_sign_seconds", Help: "Time that the key took to sign a token.", Buckets: seconds,
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "senim_tsa_record_seconds", Help: "Time that a token waited until its record was durable.", Buckets: seconds,
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "senim_tsa_batch_records", Help: "Records committed together.", Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
	}
	for _, c := range []prometheus.Collector{m.replies, m.sign, m.wait, m.batch} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register the authority's metrics: %w", err)
		}
	}
	m.issued = m.replies.WithLabelValues("granted", "")
	return m, nil
}

// replied counts a reply; without a failure it is a token.
func (m *Metrics) replied(failure string) {
	switch {
	case m == nil:
	case failure == "":
		m.issued.Inc()
	default:
		m.replies.WithLabelValues("rejection", failure).Inc()
	}
}

func (m *Metrics) signed(took time.Duration) {
	if m != nil {
		m.sign.Observe(took.Seconds())
	}
}

func (m *Metrics) waited(took time.Duration) {
	if m != nil {
		m.wait.Observe(took.Seconds())
	}
}

func (m *Metrics) committed(records int) {
	if m != nil {
		m.batch.Observe(float64(records))
	}
}
