package clock_test

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/signer/tsa/clock"
)

// ntpAnswer is what an honest server of stratum 2 sends (RFC 5905 §7.3).
func ntpAnswer(question []byte, now time.Time) []byte {
	at := func(t time.Time) uint64 {
		return uint64(t.Unix()+2208988800)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
	}
	a := make([]byte, 48)
	a[0], a[1], a[2], a[3] = 4<<3|4, 2, question[2], 0xec
	copy(a[12:], "ABCD")
	binary.BigEndian.PutUint64(a[16:], at(now.Add(-time.Minute)))
	copy(a[24:32], question[40:48])
	binary.BigEndian.PutUint64(a[32:], at(now))
	binary.BigEndian.PutUint64(a[40:], at(now))
	return a
}

// TestSNTPAgainstHostileServers: what a server may send instead of the time, and
// who else may send it.
func TestSNTPAgainstHostileServers(t *testing.T) {
	seconds := func(n uint16) []byte { return []byte{byte(n >> 8), byte(n), 0, 0} } // NTP short format
	for name, tt := range map[string]struct {
		change func([]byte) []byte
		beside bool // the answer comes from another address
		usable bool
	}{
		"the time":                {usable: true},
		"extension fields behind": {change: func(a []byte) []byte { return append(a, make([]byte, 28)...) }, usable: true},
		"a leap second more":      {change: func(a []byte) []byte { a[0] |= 1 << 6; return a }, usable: true},
		"a kiss of death":         {change: func(a []byte) []byte { a[1] = 0; copy(a[12:], "DENY"); return a }},
		"a kiss to go slower":     {change: func(a []byte) []byte { a[1] = 0; copy(a[12:], "RATE"); return a }},
		"stratum 16":              {change: func(a []byte) []byte { a[1] = 16; return a }},
		"stratum 255":             {change: func(a []byte) []byte { a[1] = 255; return a }},
		"not synchronised":        {change: func(a []byte) []byte { a[0] |= 3 << 6; return a }},
		"another question's":      {change: func(a []byte) []byte { a[31] ^= 1; return a }},
		"no question's":           {change: func(a []byte) []byte { clear(a[24:32]); return a }},
		"cut off":                 {change: func(a []byte) []byte { return a[:47] }},
		"nothing in it":           {change: func([]byte) []byte { return nil }},
		"our question back":       {change: func(a []byte) []byte { a[0] = 4<<3 | 3; return a }},
		"a broadcast":             {change: func(a []byte) []byte { a[0] = 4<<3 | 5; return a }},
		"no transmit time":        {change: func(a []byte) []byte { clear(a[40:48]); return a }},
		"sent before it came": {change: func(a []byte) []byte {
			binary.BigEndian.PutUint32(a[40:], binary.BigEndian.Uint32(a[40:])-30)
			return a
		}},
		"set days ago": {change: func(a []byte) []byte {
			binary.BigEndian.PutUint32(a[16:], binary.BigEndian.Uint32(a[16:])-3*86400)
			return a
		}},
		"set in the future": {change: func(a []byte) []byte {
			binary.BigEndian.PutUint32(a[16:], binary.BigEndian.Uint32(a[16:])+3600)
			return a
		}},
		"far from its source": {change: func(a []byte) []byte { copy(a[8:12], seconds(17)); return a }},
		"slow to its source":  {change: func(a []byte) []byte { copy(a[4:8], seconds(40)); return a }},
		"from somebody else":  {beside: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, other := listen(t), listen(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				question := make([]byte, 100)
				n, from, err := server.ReadFrom(question)
				if err != nil || n < 48 {
					return
				}
				answer := ntpAnswer(question, time.Now())
				if tt.change != nil {
					answer = tt.change(answer)
				}
				by := server
				if tt.beside {
					by = other
				}
				_, _ = by.WriteTo(answer, from)
			}()
			t.Cleanup(func() { server.Close(); <-done })
			patience := time.Minute
			if tt.beside {
				patience = 200 * time.Millisecond // nothing will come
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			sample, err := clock.SNTP(server.LocalAddr().String(), time.Now).Ask(ctx)
			if !tt.usable {
				if !fault.Is(err, fault.PeerDown) {
					t.Fatalf("%+v, %v", sample, err)
				}
				return
			}
			if err != nil || sample.Offset.Abs() > 5*time.Second+sample.Distance || sample.Distance <= 0 || sample.Leap != (name == "a leap second more") {
				t.Errorf("%+v, %v", sample, err)
			}
		})
	}
}

func listen(t *testing.T) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
