package revocation

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/senim-kz/senim/internal/fault"
)

// storeOf is a store at the time of the tests.
func storeOf(f Fetcher) *Store {
	return NewStore(StoreConfig{Fetcher: f, Now: func() time.Time { return now }})
}

// responder answers requests in the place of the network.
type responder struct {
	asked  []string
	answer func(url string, nonce []byte) ([]byte, error)
}

func (r *responder) Fetch(_ context.Context, url, contentType string, body []byte, max int64) ([]byte, error) {
	r.asked = append(r.asked, url)
	if contentType != "application/ocsp-request" || max != responseSizeMax {
		return nil, errors.New("not an OCSP request")
	}
	at := bytes.LastIndex(body, []byte{0x04, 34, 0x04, 32})
	if at < 0 {
		return nil, errors.New("no nonce")
	}
	return r.answer(url, cryptobyte.String(body[at+4:]))
}

func TestCheckerOnline(t *testing.T) {
	down := fault.New(fault.PeerDown, "", "no answer")
	tests := []struct {
		name   string
		answer func(url string, nonce []byte) ([]byte, error)
		change func(*answer)
		want   fault.Code // of the verdict
		cause  fault.Code // of the first attempt
		later  bool
	}{
		{name: "good"},
		{name: "revoked", change: func(a *answer) { a.singles[0].status, a.singles[0].revokedAt = Revoked, now.Add(-time.Minute) }, want: fault.CertificateRevoked},
		{name: "revoked since", change: func(a *answer) { a.singles[0].status, a.singles[0].revokedAt = Revoked, now.Add(time.Minute) }},
		{name: "unknown", change: func(a *answer) { a.singles[0].status = Unknown }, want: fault.RevocationUnknown, cause: fault.RevocationUnknown},
		{name: "another nonce", change: func(a *answer) { a.nonce = append([]byte{4, 32}, make([]byte, 32)...) }, want: fault.RevocationUnknown, cause: fault.OCSPNonceMismatch},
		{name: "another certificate", change: func(a *answer) { a.singles[0].serial = big.NewInt(1) }, want: fault.RevocationUnknown, cause: fault.OCSPOtherCertificate},
		{name: "old", change: func(a *answer) { a.produced, a.singles[0].this = now.Add(-9*time.Hour), now.Add(-9*time.Hour) }, want: fault.RevocationUnknown, cause: fault.RevocationStale},
		{name: "down", answer: func(string, []byte) ([]byte, error) { return nil, down }, want: fault.RevocationUnknown, cause: fault.PeerDown, later: true},
		{name: "busy", answer: func(string, []byte) ([]byte, error) { return failed(3), nil }, want: fault.RevocationUnknown, cause: fault.OCSPNotSuccessful, later: true},
		{name: "rubbish", answer: func(string, []byte) ([]byte, error) { return []byte("<html>"), nil }, want: fault.RevocationUnknown, cause: fault.OCSPUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := tt.answer
			if answer == nil {
				answer = func(_ string, nonce []byte) ([]byte, error) {
					a := goodAnswer()
					a.nonce = append([]byte{4, 32}, nonce[:32]...)
					if tt.change != nil {
						tt.change(a)
					}
					return a.der(t), nil
				}
			}
			r := &responder{answer: answer}
			c := &Checker{Store: storeOf(r)}
			result := c.Check(context.Background(), leafSubject(), rules)
			err := result.Verdict(rules)
			if fault.CodeOf(err) != tt.want || result.TryLater() != tt.later {
				t.Fatalf("verdict %v, try later %v", err, result.TryLater())
			}
			if len(r.asked) != 1 || r.asked[0] != "http://ocsp.example/" {
				t.Errorf("asked %v", r.asked)
			}
			if tt.cause == "" {
				if result.Evidence == nil || result.Evidence.Source != "http://ocsp.example/" || len(result.Attempts) != 0 {
					t.Errorf("%+v", result)
				}
				return
			}
			if len(result.Attempts) != 1 || !fault.Is(result.Attempts[0].Err, tt.cause) || result.Attempts[0].Source != "http://ocsp.example/" {
				t.Errorf("attempts %+v", result.Attempts)
			}
		})
	}
}

func TestCheckerPrefersWhatIsGiven(t *testing.T) {
	w := testWorld()
	good := Information{Kind: OCSP, Raw: goodAnswer().der(t), Source: Given}
	old := goodAnswer()
	old.produced, old.singles[0].this = now.Add(-9*time.Hour), now.Add(-9*time.Hour)
	stale := Information{Kind: OCSP, Raw: old.der(t), Source: Given}
	other := goodAnswer()
	other.singles[0].serial = big.NewInt(1)
	foreign := Information{Kind: OCSP, Raw: other.der(t), Source: Given}
	l := goodList()
	l.entries = []listEntry{{w.leaf.Serial, now.Add(-2 * time.Hour), reason(1)}}
	revoked := Information{Kind: CRL, Raw: l.der(t), Source: Given}
	l.entries[0].extensions = reason(6)
	held := Information{Kind: CRL, Raw: l.der(t), Source: Given}

	tests := []struct {
		name     string
		given    []Information
		want     fault.Code
		attempts int
		online   bool
	}{
		{"good answer", []Information{good}, "", 0, false},
		{"old then good", []Information{stale, good}, "", 1, false},
		{"good and revoked for good", []Information{good, revoked}, fault.CertificateRevoked, 0, false},
		{"revoked for good and good", []Information{revoked, good}, fault.CertificateRevoked, 0, false},
		{"a hold, lifted since", []Information{held, good}, "", 0, false},
		{"about others", []Information{foreign}, "", 0, true},
		{"old alone", []Information{stale}, "", 1, true},
		{"no such kind", []Information{{Kind: "scvp", Source: Given}}, "", 1, true},
		{"nothing", nil, "", 0, true},
	}
	r2 := rules
	r2.MaxAge = 2 * time.Hour // the list is an hour old
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &responder{answer: func(string, []byte) ([]byte, error) { return good.Raw, nil }}
			c := &Checker{Store: storeOf(r), Given: tt.given, OCSPURL: "http://configured.example/"}
			result := c.Check(context.Background(), leafSubject(), r2)
			if err := result.Verdict(r2); fault.CodeOf(err) != tt.want || len(result.Attempts) != tt.attempts {
				t.Errorf("%v, attempts %+v", err, result.Attempts)
			}
			if (len(r.asked) > 0) != tt.online || (tt.online && r.asked[0] != "http://configured.example/") {
				t.Errorf("asked %v", r.asked)
			}
			// Offline, what is missing is unknown and stays so.
			c.Store = nil
			result = c.Check(context.Background(), leafSubject(), r2)
			if err := result.Verdict(r2); tt.online && (!fault.Is(err, fault.RevocationUnknown) || result.TryLater()) {
				t.Errorf("offline: %v", err)
			}
		})
	}
}

func TestCertificateWithoutResponder(t *testing.T) {
	w := testWorld()
	c := &Checker{Store: storeOf(&responder{})}
	s := Subject{w.leaf.Certificate, w.ca.Certificate}
	bare := *s.Certificate
	bare.OCSPServers = nil
	s.Certificate = &bare
	result := c.Check(context.Background(), s, rules)
	if err := result.Verdict(rules); !fault.Is(err, fault.RevocationUnknown) || result.TryLater() || len(result.Attempts) != 1 {
		t.Errorf("%v, %+v", err, result.Attempts)
	}
}

func TestNoRandomness(t *testing.T) {
	r := &responder{}
	c := &Checker{Store: NewStore(StoreConfig{Fetcher: r, Now: func() time.Time { return now }, Random: bytes.NewReader(nil)})}
	if err := c.Check(context.Background(), leafSubject(), rules).Verdict(rules); !fault.Is(err, fault.RevocationUnknown) || len(r.asked) != 0 {
		t.Errorf("%v, asked %v", err, r.asked)
	}
	if _, err := Request(leafSubject(), make([]byte, 129)); !fault.Is(err, fault.BadArgument) {
		t.Errorf("long nonce: %v", err)
	}
}
