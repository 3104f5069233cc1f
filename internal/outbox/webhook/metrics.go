package webhook

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/internal/fault"
)

// Metrics count what is sent. Nil counts nothing.
type Metrics struct {
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
	dead     *prometheus.CounterVec
}

// NewMetrics registers the metrics of this process's sending.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "senim_webhook_attempts_total", Help: "Messages sent to subscribers, by outcome: accepted, or the code of the failure.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "senim_webhook_attempt_seconds", Help: "How long subscribers took to answer.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, SendTimeout.Seconds()},
		}),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "senim_webhook_dead_total", Help: "Messages that became dead letters after their attempts, by reason.",
		}, []string{"reason"}),
	}
	for _, c := range []prometheus.Collector{m.attempts, m.seconds, m.dead} {
		if err := r.Register(c); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "", "register the metrics of webhooks")
		}
	}
	return m, nil
}

// attempt counts one try.
func (m *Metrics) attempt(a Attempt) {
	if m == nil {
		return
	}
	outcome := string(a.Code)
	if outcome == "" {
		outcome = "accepted"
	}
	m.attempts.WithLabelValues(outcome).Inc()
	m.seconds.Observe(float64(a.Latency) / 1000)
}

// deadLetter counts a message that is given up.
func (m *Metrics) deadLetter(reason fault.Code) {
	if m != nil {
		m.dead.WithLabelValues(string(reason)).Inc()
	}
}
