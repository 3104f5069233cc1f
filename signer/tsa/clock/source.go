package clock

import (
	"context"
	"net"
	"time"

	"github.com/beevik/ntp"

	"github.com/senim-kz/senim/internal/fault"
)

// Sample is what one source said.
type Sample struct {
	// Offset is what would have to be added to our clock.
	Offset time.Duration
	// Distance bounds the error of Offset, up to the primary source (root
	// distance, RFC 5905 §11.1).
	Distance time.Duration
	// Leap says that the source announces a leap second, of either sign.
	Leap bool
}

// Source is a server of time.
type Source struct {
	Name string // in the status and in metrics
	Ask  func(ctx context.Context) (Sample, error)
}

// precisionMin is the least error that a sample has: clocks are read between
// other things.
const precisionMin = time.Millisecond

// SNTP is the server at host[:port], asked over UDP. Answers of a server that is
// itself not synchronised, too far from its primary source, or that tells us to
// go away (RFC 5905 §7.4) are errors.
func SNTP(address string, now func() time.Time) Source {
	return Source{Name: address, Ask: func(ctx context.Context) (Sample, error) {
		options := ntp.QueryOptions{GetSystemTime: now, Dialer: func(_, remote string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", remote)
		}}
		if deadline, limited := ctx.Deadline(); limited {
			// The library sets its own deadline on the socket.
			options.Timeout = deadline.Sub(now())
		}
		answer, err := ntp.QueryWithOptions(address, options)
		if err == nil {
			err = answer.Validate()
		}
		if err != nil {
			return Sample{}, fault.Wrap(err, fault.PeerDown, address, "ask the time source")
		}
		return Sample{
			Offset: answer.ClockOffset, Distance: max(answer.RootDistance, precisionMin),
			Leap: answer.Leap == ntp.LeapAddSecond || answer.Leap == ntp.LeapDelSecond,
		}, nil
	}}
}
