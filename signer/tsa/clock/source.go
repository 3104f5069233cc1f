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
func SNTP(address string, now func() time.Time) Source { return sntp(address, now, dial) }

// RemoteSNTP is SNTP of a server that is not this machine: its clock would agree
// with itself. However the address is spelled, and whatever its name resolves to:
// what counts is where the question would go.
func RemoteSNTP(address string, now func() time.Time) Source { return sntp(address, now, dialAway) }

type dialFunc func(ctx context.Context, address string) (net.Conn, error)

func dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "udp", address)
}

func dialAway(ctx context.Context, address string) (net.Conn, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	// The kernel has chosen the way, and sent nothing yet. A question to an address of
	// our own would come from that very address.
	to, toIP := conn.RemoteAddr().(*net.UDPAddr)
	from, fromIP := conn.LocalAddr().(*net.UDPAddr)
	if !toIP || !fromIP || to.IP.IsLoopback() || to.IP.IsUnspecified() || to.IP.Equal(from.IP) {
		_ = conn.Close() // nothing was sent
		return nil, fault.New(fault.BadArgument, address, "the time source is this machine")
	}
	return conn, nil
}

func sntp(address string, now func() time.Time, dial dialFunc) Source {
	return Source{Name: address, Ask: func(ctx context.Context) (Sample, error) {
		options := ntp.QueryOptions{GetSystemTime: now, Dialer: func(_, remote string) (net.Conn, error) { return dial(ctx, remote) }}
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
