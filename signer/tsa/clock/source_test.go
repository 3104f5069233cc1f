package clock_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/signer/tsa/clock"
)

// TestSNTPAgainstTheSandbox runs a monitor on the sandbox's three servers, over
// UDP, through what they can be told to do.
func TestSNTPAgainstTheSandbox(t *testing.T) {
	authority, err := nca.Open(nca.Config{Dir: t.TempDir(), BaseURL: "http://127.0.0.1:1", Bits: 2048, Now: time.Now,
		GenerateKey: func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }})
	if err != nil {
		t.Fatal(err)
	}
	var sources []clock.Source
	var silent [3]bool // for a silent server nobody waits long, for the others as long as it takes
	servers := authority.TimeServers()
	for i, s := range servers {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- s.Serve(conn) }()
		t.Cleanup(func() {
			conn.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		source := clock.SNTP(conn.LocalAddr().String(), time.Now)
		sources = append(sources, clock.Source{Name: source.Name, Ask: func(ctx context.Context) (clock.Sample, error) {
			if silent[i] {
				var stop context.CancelFunc
				ctx, stop = context.WithTimeout(ctx, 100*time.Millisecond)
				defer stop()
			}
			return source.Ask(ctx)
		}})
	}
	m, err := clock.New(clock.Config{
		// A machine under load answers late, which makes the answer uncertain.
		Sources: sources, Read: clock.Readings(time.Now), Accuracy: 20 * time.Second, Every: time.Minute, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		behave  [3]nca.TimeBehaviour
		reason  clock.Reason
		answers int
	}{
		{"true", [3]nca.TimeBehaviour{}, "", 3},
		{"one off", [3]nca.TimeBehaviour{{OffsetMilliseconds: 60_000}}, "", 3},
		{"two off apart", [3]nca.TimeBehaviour{{OffsetMilliseconds: 60_000}, {OffsetMilliseconds: -60_000}}, clock.NoMajority, 3},
		{"all off", [3]nca.TimeBehaviour{{OffsetMilliseconds: -60_000}, {OffsetMilliseconds: -60_000}, {OffsetMilliseconds: -60_000}}, clock.OutOfAccuracy, 3},
		{"a leap second more", [3]nca.TimeBehaviour{{Leap: 1}, {Leap: 1}, {Leap: 1}}, clock.LeapAnnounced, 3},
		{"a leap second less", [3]nca.TimeBehaviour{{}, {}, {Leap: 2}}, clock.LeapAnnounced, 3},
		{"one not synchronised", [3]nca.TimeBehaviour{{Leap: 3}}, "", 2},
		{"none synchronised", [3]nca.TimeBehaviour{{Leap: 3}, {Leap: 3}, {Leap: 3}}, clock.NoMajority, 0},
		{"one silent", [3]nca.TimeBehaviour{{Silent: true}}, "", 2},
		{"two silent", [3]nca.TimeBehaviour{{Silent: true}, {Silent: true}}, clock.NoMajority, 1},
		{"true again", [3]nca.TimeBehaviour{}, "", 3},
	} {
		for i, b := range tt.behave {
			if err := servers[i].Behave(b); err != nil {
				t.Fatal(err)
			}
			silent[i] = b.Silent
		}
		s := m.Measure(t.Context())
		if s.Reason != tt.reason || s.Answering != tt.answers {
			t.Errorf("%s: %+v", tt.name, s)
		}
		if _, err := m.Time(); (err == nil) != (tt.reason == "") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSNTPRefusesWhatIsNoServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, address := range []string{"127.0.0.1:1", "nowhere.invalid:123", ""} {
		if _, err := clock.SNTP(address, time.Now).Ask(ctx); !fault.Is(err, fault.PeerDown) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A time source that is this machine is asked nothing, however it is spelled: by a
// name, as IPv4 in IPv6, in the short forms, or by an address of an interface.
func TestRemoteSNTPRefusesThisMachine(t *testing.T) {
	conn, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, port, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"127.0.0.1", "127.9.8.7", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "127.1"}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLinkLocalUnicast() {
			hosts = append(hosts, network.IP.String())
		}
	}
	for _, host := range hosts {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := clock.RemoteSNTP(net.JoinHostPort(host, port), time.Now).Ask(ctx); !fault.Is(err, fault.PeerDown) {
			t.Errorf("%q: %v", host, err)
		}
		cancel()
	}
	if err := conn.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, from, err := conn.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("%s asked with %d bytes", from, n)
	}
}
