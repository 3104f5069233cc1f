package main

import (
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/internal/config"
)

// In production no source on this machine is asked, even by a name that passed the
// configuration's check because it resolves to loopback only now.
func TestTimeSourcesOfProductionAreElsewhere(t *testing.T) {
	for profile, want := range map[config.Profile]bool{config.Production: false, config.Sandbox: true} {
		var sources []string
		var servers []net.PacketConn
		for range 3 {
			server, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			servers, sources = append(servers, server), append(sources, server.LocalAddr().String())
		}
		// They answer nonsense, so that nobody waits.
		asked := make(chan bool, len(servers))
		for _, server := range servers {
			go func() {
				_, from, err := server.ReadFrom(make([]byte, 100))
				if err == nil {
					_, err = server.WriteTo([]byte("no"), from)
				}
				asked <- err == nil
			}()
		}
		s := &service{now: time.Now, metrics: prometheus.NewRegistry(), config: &config.Config{Profile: profile, TSA: config.TSA{
			Policies: []config.TSAPolicy{{Accuracy: time.Second}},
			Time:     config.TSATime{Sources: sources, Every: time.Minute, Expiry: 2 * time.Minute},
		}}}
		monitor, err := s.timeMonitor()
		if err != nil {
			t.Fatal(err)
		}
		if status := monitor.Measure(t.Context()); status.InSync() || status.Answering != 0 {
			t.Errorf("%v: %+v", profile, status)
		}
		for _, server := range servers {
			server.Close()
		}
		for range servers {
			if got := <-asked; got != want {
				t.Errorf("%v: asked %v, want %v", profile, got, want)
			}
		}
	}
}
