package revocation

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// echo answers OCSP requests with the answer as change left it, with the nonce
// that was asked with.
func echo(t testing.TB, change func(*answer)) *responder {
	return &responder{answer: func(_ string, nonce []byte) ([]byte, error) {
		a := goodAnswer()
		a.nonce = append([]byte{4, 32}, nonce[:32]...)
		if change != nil {
			change(a)
		}
		return a.der(t), nil
	}}
}

// An answer serves until it goes stale by its own dates, or for AnswerAge where it
// sets none.
func TestAnswersAreHeldUntilStale(t *testing.T) {
	next := func(d time.Duration) func(*answer) {
		return func(a *answer) { a.singles[0].next = now.Add(d) }
	}
	for _, tt := range []struct {
		name   string
		change func(*answer)
		age    time.Duration
		rules  Rules
		after  time.Duration // when it is asked again
		asked  int
	}{
		{"at once", nil, 0, Rules{}, 0, 1},
		{"within the age", nil, 0, Rules{}, AnswerAgeDefault - time.Second, 1},
		{"at the end of the age", nil, 0, Rules{}, AnswerAgeDefault, 2},
		{"no age", nil, -1, Rules{}, 0, 2},
		{"longer age", nil, time.Hour, Rules{}, 59 * time.Minute, 1},
		{"nextUpdate ahead", next(time.Hour), 0, Rules{}, 59 * time.Minute, 1},
		{"nextUpdate reached", next(time.Hour), 0, Rules{}, time.Hour, 2},
		{"nextUpdate a year ahead", next(9000 * time.Hour), 0, Rules{}, answerHeldMax, 2},
		{"too old for the rules", next(time.Hour), 0, Rules{MaxAge: 10 * time.Minute}, 11 * time.Minute, 2},
		{"unknown", func(a *answer) { a.singles[0].status = Unknown }, 0, Rules{}, 0, 2},
		{"of the future", func(a *answer) {
			a.produced, a.singles[0].this = now.Add(time.Hour), now.Add(time.Hour)
		}, 0, Rules{}, 0, 2},
		{"spoilt", func(a *answer) { a.spoil = func(b []byte) { b[len(b)-1] ^= 1 } }, 0, Rules{}, 0, 2},
		{"about another", func(a *answer) { a.singles[0].serial = big.NewInt(1) }, 0, Rules{}, 0, 2},
		{"with another nonce", func(a *answer) { a.nonce[5] ^= 1 }, 0, Rules{}, 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := now
			r := echo(t, tt.change)
			s := NewStore(StoreConfig{Fetcher: r, Now: func() time.Time { return clock }, AnswerAge: tt.age})
			ask := func() Information {
				tt.rules.At = clock
				info, err := s.Ask(t.Context(), "http://ocsp.example/", leafSubject(), tt.rules)
				if err != nil {
					t.Fatal(err)
				}
				return info
			}
			first := ask()
			if !first.Fetched.Equal(now) {
				t.Errorf("fetched %s", first.Fetched)
			}
			clock = now.Add(tt.after)
			second := ask()
			if len(r.asked) != tt.asked {
				t.Errorf("asked %d times", len(r.asked))
			}
			if tt.asked == 1 && &first.Raw[0] != &second.Raw[0] {
				t.Error("another answer")
			}
		})
	}
}

// A remembered answer is judged by each question's own rules, and costs no
// signature check; of another certificate it says nothing.
func TestRememberedAnswer(t *testing.T) {
	r := echo(t, func(a *answer) { a.singles[0].next = now.Add(time.Hour) })
	s := storeOf(r)
	info, err := s.Ask(t.Context(), "http://ocsp.example/", leafSubject(), Rules{At: now})
	if err != nil || info.answer == nil {
		t.Fatalf("%v", err)
	}
	e, err := CheckOCSP(info, leafSubject(), Rules{At: now})
	if err != nil || e.Status != Good || !e.Fetched.Equal(now) || !e.ProducedAt.Equal(now) {
		t.Errorf("%+v, %v", e, err)
	}
	e.Status = Revoked // of this question alone
	if again, err := CheckOCSP(info, leafSubject(), Rules{At: now}); err != nil || again.Status != Good {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := CheckOCSP(info, leafSubject(), Rules{At: now.Add(2 * time.Hour)}); !fault.Is(err, fault.RevocationStale) {
		t.Error(err)
	}
	w := testWorld()
	if _, err := CheckOCSP(info, Subject{w.responder.Certificate, w.ca.Certificate}, Rules{At: now}); !fault.Is(err, fault.OCSPOtherCertificate) {
		t.Error(err)
	}
	if _, err := s.Ask(t.Context(), "http://another.example/", leafSubject(), Rules{At: now}); err != nil || len(r.asked) != 2 {
		t.Errorf("asked %v", r.asked)
	}
}

// Questions about one certificate at one time are one request, also where its
// maker breaks off; others do not wait for it.
func TestAskingSharesOneRequest(t *testing.T) {
	raw := goodAnswer()
	raw.singles[0].next = now.Add(time.Hour)
	f := &counting{raw: raw.der(t), start: make(chan struct{}), started: make(chan struct{})}
	s := storeOf(f)
	first, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := s.Ask(first, "http://ocsp", leafSubject(), Rules{At: now}); err == nil {
			t.Error("broken off, and an answer")
		}
	})
	<-f.started
	for range 20 {
		all.Go(func() {
			if _, err := s.Ask(t.Context(), "http://ocsp", leafSubject(), Rules{At: now}); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	close(f.start)
	all.Wait()
	if n := f.calls.Load(); n != 2 { // the one that was broken off, and one for all
		t.Errorf("%d requests", n)
	}
}

func TestAnswerCacheIsBounded(t *testing.T) {
	var c answerCache
	c.init()
	big := make([]byte, answerBytes/10)
	for i := range 30 {
		c.keep(answerKey{url: fmt.Sprint(i)}, Information{Raw: big, Fetched: now}, now.Add(time.Hour))
		c.find(answerKey{url: "0"}, now) // stays in use
	}
	if _, found := c.find(answerKey{url: "0"}, now); !found || c.bytes > answerBytes || c.used.Len() != len(c.held) || len(c.held) != 10 {
		t.Errorf("%d answers of %d bytes", len(c.held), c.bytes)
	}
	for i := range answersMax + 5 {
		c.keep(answerKey{url: fmt.Sprint("small", i)}, Information{Raw: []byte{1}, Fetched: now}, now.Add(time.Hour))
	}
	if len(c.held) != answersMax {
		t.Errorf("%d answers", len(c.held))
	}
	if _, found := c.find(answerKey{url: "small9999"}, now.Add(time.Hour)); found || len(c.held) != answersMax-1 {
		t.Error("what has run out is given out, or held")
	}
}

// A responder that is down, or says that it cannot serve, leaves it to the CRL,
// and the result says so.
func TestPeerDownNextSource(t *testing.T) {
	w := testWorld()
	leaf := *w.leaf.Certificate
	leaf.CRLPoints = pointAt("http://crl.example/")
	s := Subject{&leaf, w.ca.Certificate}
	crl := goodList()
	crl.entries = []listEntry{{leaf.Serial, now.Add(-time.Hour), reason(1)}}
	der := crl.der(t)
	for name, tt := range map[string]struct {
		answer []byte
		err    error
		cause  fault.Code
		want   fault.Code
	}{
		"down":          {nil, fault.New(fault.PeerDown, "", "no answer"), fault.PeerDown, fault.CertificateRevoked},
		"try later":     {failed(3), nil, fault.OCSPNotSuccessful, fault.CertificateRevoked},
		"about another": {func() []byte { a := goodAnswer(); a.singles[0].serial = big.NewInt(1); return a.der(t) }(), nil, fault.OCSPOtherCertificate, fault.RevocationUnknown},
	} {
		f := fetcherFunc(func(url string) ([]byte, error) {
			if url == "http://crl.example/" {
				return der, nil
			}
			return tt.answer, tt.err
		})
		result := (&Checker{Store: storeOf(f)}).Check(t.Context(), s, rules)
		if err := result.Verdict(rules); !fault.Is(err, tt.want) || len(result.Attempts) != 1 || !fault.Is(result.Attempts[0].Err, tt.cause) {
			t.Errorf("%s: %v, %+v", name, err, result.Attempts)
		}
	}
}

// A responder that does not answer in time is down; its caller is not.
func TestAskTimeout(t *testing.T) {
	f := &counting{start: make(chan struct{})}
	s := NewStore(StoreConfig{Fetcher: f, Now: func() time.Time { return now }, AskTimeout: time.Nanosecond})
	if _, err := s.Ask(t.Context(), "http://ocsp", leafSubject(), rules); !errors.Is(err, context.DeadlineExceeded) || t.Context().Err() != nil {
		t.Error(err)
	}
}
