package access

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Limits are the request rates, per process. The zero value means the
// defaults below.
type Limits struct {
	CallerPerSecond float64 // of one known caller; 0 means 50
	CallerBurst     int     // 0 means 100

	// PaymentPerSecond bounds one known caller of the role payment_gateway, which
	// tells of the payments of a whole country.
	PaymentPerSecond float64 // 0 means 5000
	PaymentBurst     int     // 0 means a second's worth

	// OpenPerSecond bounds one remote address on open operations and in
	// failed attempts to authenticate. Behind a balancer every request comes
	// from its address: let the balancer limit, and raise this.
	OpenPerSecond float64 // 0 means 20
	OpenBurst     int     // 0 means 60

	// MessagePerSecond bounds one remote address on operations that take
	// signed messages.
	MessagePerSecond float64 // 0 means 100
	MessageBurst     int     // 0 means 200

	// TimestampPerSecond bounds one remote address on operations that issue
	// time-stamps.
	TimestampPerSecond float64 // 0 means 50
	TimestampBurst     int     // 0 means 200, or a second's worth if that is more
}

func (l Limits) withDefaults() Limits {
	perSecond := func(v *float64, otherwise float64) {
		if *v <= 0 {
			*v = otherwise
		}
	}
	burst := func(v *int, otherwise int) {
		if *v <= 0 {
			*v = otherwise
		}
	}
	perSecond(&l.CallerPerSecond, 50)
	perSecond(&l.PaymentPerSecond, 5000)
	perSecond(&l.OpenPerSecond, 20)
	perSecond(&l.MessagePerSecond, 100)
	perSecond(&l.TimestampPerSecond, 50)
	burst(&l.CallerBurst, 100)
	burst(&l.PaymentBurst, max(1, int(l.PaymentPerSecond)))
	burst(&l.OpenBurst, 60)
	burst(&l.MessageBurst, 200)
	burst(&l.TimestampBurst, max(200, int(l.TimestampPerSecond)))
	return l
}

// limitedMax is how many callers or addresses are counted at once; whoever
// was idle longest is forgotten, which only ever loosens its own limit.
const limitedMax = 50_000

// limiter counts requests per key with a token bucket each.
type limiter[K comparable] struct {
	perSecond rate.Limit
	burst     int
	buckets   *recent[K, *rate.Limiter]
}

func newLimiter[K comparable](perSecond float64, burst int) *limiter[K] {
	return &limiter[K]{rate.Limit(perSecond), burst, newRecent[K, *rate.Limiter](limitedMax)}
}

// take counts one request. When the bucket is empty it says how long to wait.
func (l *limiter[K]) take(key K, now time.Time) (wait time.Duration, ok bool) {
	bucket := l.buckets.getOrPut(key, func() *rate.Limiter { return rate.NewLimiter(l.perSecond, l.burst) })
	r := bucket.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// network is what an address is counted as: itself for IPv4, its /64 for
// IPv6, where one subscriber owns at least that many addresses.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: all such requests share one bucket
	}
	return p
}

// AllowCaller counts a request of a known caller.
func (s *Service) AllowCaller(c Caller) (wait time.Duration, ok bool) {
	if c.Role == PaymentGateway {
		return s.gateways.take(c.ID, s.now())
	}
	return s.callers.take(c.ID, s.now())
}

// AllowAddress counts a request of a remote address at a door: a signed
// message, a time-stamp, an open operation, or (at Callers) a failed
// authentication.
func (s *Service) AllowAddress(door Door, a netip.Addr) (wait time.Duration, ok bool) {
	switch door {
	case SignedMessage:
		return s.messages.take(network(a), s.now())
	case Timestamps:
		return s.stamps.take(network(a), s.now())
	}
	return s.strangers.take(network(a), s.now())
}
