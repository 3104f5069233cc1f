package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/signer/tsa/authority"
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

// TestOwnStatus: a key whose certificate the CA revokes or puts on hold signs no more;
// a responder that is away, or answers wrongly, changes nothing.
func TestOwnStatus(t *testing.T) {
	ca, address := startNCA(t)
	key, serial := stampingKey(t, ca)
	host, err := url.Parse(address)
	check(t, err)
	fetcher, err := fetch.New(fetch.Config{AllowedHosts: []string{host.Host}, AllowLoopback: true})
	check(t, err)
	defer fetcher.Close()
	issuing := idleAuthority(t, key)
	s := &service{
		now: time.Now, log: slog.New(slog.DiscardHandler), anchors: anchorsOf(t, ca), stamping: &stamping{Authority: issuing},
		status: revocation.NewStore(revocation.StoreConfig{Fetcher: fetcher, Now: time.Now, AnswerAge: -1}),
	}
	s.stamping.subjects = s.subjectsOf(issuing.Certificates())
	signs := func(when string, want bool) {
		t.Helper()
		s.askOwnStatuses(t.Context(), time.Minute)
		if err := issuing.Check(time.Now(), 0); (err == nil) != want {
			t.Errorf("%s: %v", when, err)
		}
	}
	signs("good", true)
	check(t, ca.SetFaults(nca.Faults{OCSP: nca.Unavailable, CRL: nca.Unavailable}))
	signs("nobody answers", true)
	check(t, ca.SetFaults(nca.Faults{}))
	check(t, ca.Hold(serial))
	signs("on hold", false)
	check(t, ca.SetFaults(nca.Faults{OCSP: nca.BadSignature, CRL: nca.BadSignature}))
	signs("on hold, and nobody to be believed", false)
	check(t, ca.SetFaults(nca.Faults{}))
	check(t, ca.Unhold(serial))
	signs("held no more", true)
	check(t, ca.Revoke(serial, 1))
	signs("revoked", false)
}

// stampingKey is a new key with a time-stamping certificate of a CA.
func stampingKey(t *testing.T, ca *nca.Authority) (made authority.Key, serial string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	issued, err := ca.Issue(nca.Request{Profile: nca.TimeStamping, PublicKey: key.Public()})
	check(t, err)
	certificate, err := cert.Parse(issued.Certificate)
	check(t, err)
	return authority.Key{Signer: key, Certificate: certificate}, issued.Serial
}

// anchorsOf trusts CAs.
func anchorsOf(t *testing.T, cas ...*nca.Authority) *trust.Store {
	t.Helper()
	var authorities []*cert.Certificate
	for _, ca := range cas {
		for _, der := range [][]byte{ca.Root(), ca.Issuing()} {
			c, err := cert.Parse(der)
			check(t, err)
			authorities = append(authorities, c)
		}
	}
	anchors, err := trust.New(authorities...)
	check(t, err)
	return anchors
}

// idleAuthority has keys, and is asked nothing.
func idleAuthority(t *testing.T, keys ...authority.Key) *authority.Authority {
	t.Helper()
	journal, err := authority.NewJournal(authority.JournalConfig{Now: time.Now, Write: func(context.Context, []authority.Record) error { return nil }})
	check(t, err)
	made, err := authority.New(authority.Config{
		Policies: []authority.Policy{{OID: asn1.ObjectIdentifier{1, 2, 3}, Accuracy: time.Second, Keys: keys}},
		Time:     func() (time.Time, error) { return time.Now(), nil }, Journal: journal, Now: time.Now,
	})
	check(t, err)
	return made
}

// peersInMemory are the responders and lists of CAs by host; a host that is silent
// answers no question of OCSP.
type peersInMemory struct {
	cas    map[string]*nca.Authority
	silent string
}

func (p peersInMemory) Fetch(ctx context.Context, address, contentType string, body []byte, _ int64) ([]byte, error) {
	u, err := url.Parse(address)
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	method := http.MethodGet
	if body != nil {
		if method = http.MethodPost; u.Host == p.silent {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	request := httptest.NewRequest(method, address, bytes.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	answer := httptest.NewRecorder()
	p.cas[u.Host].Handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		return nil, fault.New(fault.PeerDown, address, "status %d", answer.Code)
	}
	return answer.Body.Bytes(), nil
}

// A responder that does not answer hides neither what another says nor what its CA's
// CRL does.
func TestOwnStatusWithASilentResponder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := peersInMemory{cas: make(map[string]*nca.Authority), silent: "silent.test"}
		var keys []authority.Key
		var cas []*nca.Authority
		for _, host := range []string{"silent.test", "other.test"} {
			ca, err := nca.Open(nca.Config{Dir: t.TempDir(), BaseURL: "http://" + host, Bits: 2048, Now: time.Now})
			check(t, err)
			peers.cas[host] = ca
			key, serial := stampingKey(t, ca)
			check(t, ca.Revoke(serial, 1))
			keys, cas = append(keys, key), append(cas, ca)
		}
		s := &service{
			now: time.Now, log: slog.New(slog.DiscardHandler), anchors: anchorsOf(t, cas...), stamping: &stamping{Authority: idleAuthority(t, keys...)},
			status: revocation.NewStore(revocation.StoreConfig{Fetcher: peers, Now: time.Now, AnswerAge: -1, AskTimeout: 10 * time.Second}),
		}
		s.stamping.subjects = s.subjectsOf(s.stamping.Certificates())
		if n := len(s.stamping.subjects); n != 2 {
			t.Fatalf("%d certificates that somebody can be asked about", n)
		}
		silent, other := keys[0].Certificate, keys[1].Certificate
		began := time.Now()
		s.askOwnStatuses(t.Context(), ownStatusPatience)
		if took := time.Since(began); took > ownStatusPatience {
			t.Errorf("the start is delayed by %s", took)
		}
		if s.stamping.SetRevoked(other, true) {
			t.Error("the other's revocation is not known")
		}
		s.askOwnStatuses(t.Context(), ownStatusEvery)
		if s.stamping.SetRevoked(silent, true) {
			t.Error("what the CRL says is not known")
		}
	})
}
