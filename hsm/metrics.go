package hsm

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of tokens, keys and groups. Labels come from closed sets only: the
// labels of configured tokens and keys, states, names of return values. The nil
// Metrics counts nothing.
type Metrics struct {
	states   *prometheus.GaugeVec
	errors   *prometheus.CounterVec
	wait     *prometheus.HistogramVec
	sign     *prometheus.HistogramVec
	restarts *prometheus.CounterVec
	members  *prometheus.GaugeVec
	overdue  *prometheus.GaugeVec
	awaited  prometheus.Gauge
}

// signBuckets reach from a software token's 50 µs to a card's second.
var signBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// NewMetrics makes the metrics and registers them.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "senim_hsm_token_state", Help: "1 for the state that the token is in, 0 for the others.",
		}, []string{"token", "state"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "senim_hsm_errors_total", Help: "Calls that failed, by the name of the return value; those that were repaired too.",
		}, []string{"token", "ckr"}),
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "senim_hsm_wait_seconds", Help: "Time until a call may use a session.", Buckets: signBuckets,
		}, []string{"token"}),
		sign: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "senim_hsm_sign_seconds", Help: "Time in the token for one signature.", Buckets: signBuckets,
		}, []string{"token", "key"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "senim_hsm_module_restarts_total", Help: "Restarts of the PKCS#11 module.",
		}, []string{"module"}),
		members: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "senim_hsm_group_member_working", Help: "1 if the member of the group signs, 0 if its breaker is open.",
		}, []string{"group", "token"}),
		awaited: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "senim_hsm_tokens_awaited", Help: "Tokens that were not there when they were wanted first, and are looked for since.",
		}),
		overdue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "senim_hsm_stuck_calls", Help: "Calls into the token that have not returned in time, and have not yet.",
		}, []string{"token"}),
	}
	for _, c := range []prometheus.Collector{m.states, m.errors, m.wait, m.sign, m.restarts, m.members, m.overdue, m.awaited} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of tokens: %w", err)
		}
	}
	return m, nil
}

// opened tells of a token that is ready, and makes what only later events would make:
// a count that begins with 1 has not grown, to who compares two readings of it.
func (m *Metrics) opened(token, module string) {
	if m == nil {
		return
	}
	m.state(token, Ready)
	m.overdue.WithLabelValues(token)
	m.restarts.WithLabelValues(module)
}

func (m *Metrics) state(token string, now State) {
	if m == nil {
		return
	}
	for s, name := range stateNames {
		value := 0.0
		if State(s) == now {
			value = 1
		}
		m.states.WithLabelValues(token, name).Set(value)
	}
}

func (m *Metrics) failed(token string, err error) {
	if name := nameOf(err); m != nil && name != "" {
		m.errors.WithLabelValues(token, name).Inc()
	}
}

func (m *Metrics) waited(token string, d time.Duration) {
	if m != nil {
		m.wait.WithLabelValues(token).Observe(d.Seconds())
	}
}

func (m *Metrics) signed(token, key string, d time.Duration) {
	if m != nil {
		m.sign.WithLabelValues(token, key).Observe(d.Seconds())
	}
}

func (m *Metrics) await(tokens float64) {
	if m != nil {
		m.awaited.Add(tokens)
	}
}

// stuck takes the change and not the number: calls leave and come back at once, and
// the last to tell need not be the last to have counted.
func (m *Metrics) stuck(token string, change float64) {
	if m != nil {
		m.overdue.WithLabelValues(token).Add(change)
	}
}

func (m *Metrics) restarted(module string) {
	if m != nil {
		m.restarts.WithLabelValues(module).Inc()
	}
}

func (m *Metrics) working(group, token string, works bool) {
	if m == nil {
		return
	}
	value := 0.0
	if works {
		value = 1
	}
	m.members.WithLabelValues(group, token).Set(value)
}
