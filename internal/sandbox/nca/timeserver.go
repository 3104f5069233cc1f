package nca

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// timeServers is the quorum that a time-stamping authority asks: at least three.
const timeServers = 3

// SNTP packet (RFC 5905 §7.3).
const (
	ntpPacketBytes    = 48
	ntpModeClient     = 3
	ntpModeServer     = 4
	ntpVersionMin     = 3
	ntpVersionMax     = 4
	ntpStratumPrimary = 1
	// ntpEpochSeconds lie between 1900, NTP's epoch, and 1970.
	ntpEpochSeconds = 2208988800
	// ntpPrecision is log2 of the clock's precision: about a microsecond.
	ntpPrecision = -20
)

// offsetMax keeps an offset within what a test means by one.
const offsetMax = 100 * 365 * 24 * time.Hour

// TimeBehaviour is what a time server tells. The zero value tells the truth.
type TimeBehaviour struct {
	OffsetMilliseconds int64 `json:"offset_ms"`
	// Leap is the leap indicator: 0 none, 1 a second more, 2 a second less at the
	// end of the day, 3 not synchronised.
	Leap int `json:"leap"`
	// Silent servers do not answer.
	Silent bool `json:"silent"`
}

// TimeServer answers SNTP over UDP.
type TimeServer struct {
	now       func() time.Time
	reference [4]byte

	mu        sync.Mutex
	behaviour TimeBehaviour
}

func newTimeServer(now func() time.Time, number int) *TimeServer {
	return &TimeServer{now: now, reference: [4]byte{'S', 'B', 'X', byte('1' + number)}}
}

// Behave sets what the server tells from now on.
func (s *TimeServer) Behave(b TimeBehaviour) error {
	if b.Leap < 0 || b.Leap > 3 {
		return fault.New(fault.BadArgument, "/leap", "the leap indicator is 0 to 3")
	}
	if limit := offsetMax.Milliseconds(); b.OffsetMilliseconds > limit || b.OffsetMilliseconds < -limit {
		return fault.New(fault.BadArgument, "/offset_ms", "the offset exceeds %d", limit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour = b
	return nil
}

// Serve answers on the socket until it is closed.
func (s *TimeServer) Serve(conn net.PacketConn) error {
	buffer := make([]byte, 2*ntpPacketBytes)
	for {
		n, peer, err := conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if reply := s.reply(buffer[:n]); reply != nil {
			// A datagram that cannot be sent is a datagram that was lost.
			_, _ = conn.WriteTo(reply, peer)
		}
	}
}

// reply makes the answer to a client's packet, nil for silence. A packet with
// extension fields or a MAC is answered by the plain header.
func (s *TimeServer) reply(request []byte) []byte {
	if len(request) < ntpPacketBytes {
		return nil
	}
	version, mode := request[0]>>3&7, request[0]&7
	if mode != ntpModeClient || version < ntpVersionMin || version > ntpVersionMax {
		return nil
	}
	s.mu.Lock()
	b := s.behaviour
	s.mu.Unlock()
	if b.Silent {
		return nil
	}
	now := ntpTime(s.now().Add(time.Duration(b.OffsetMilliseconds) * time.Millisecond))
	reply := make([]byte, ntpPacketBytes)
	reply[0] = byte(b.Leap)<<6 | version<<3 | ntpModeServer
	reply[1] = ntpStratumPrimary
	reply[2] = request[2] // poll
	precision := int8(ntpPrecision)
	reply[3] = byte(precision)
	copy(reply[12:16], s.reference[:])
	binary.BigEndian.PutUint64(reply[16:], now) // reference
	copy(reply[24:32], request[40:48])          // originate: the client's transmit
	binary.BigEndian.PutUint64(reply[32:], now) // receive
	binary.BigEndian.PutUint64(reply[40:], now) // transmit
	return reply
}

// ntpTime is the 64-bit NTP timestamp; its era rolls over in 2036, as the
// uint32 conversion does.
func ntpTime(t time.Time) uint64 {
	seconds := uint32(t.Unix() + ntpEpochSeconds)
	fraction := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return uint64(seconds)<<32 | fraction
}
