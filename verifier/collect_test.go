package verifier_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// responder answers OCSP requests about everything that the world issued.
type responder struct {
	asked  int
	err    error
	answer []byte // instead of the right one
}

func (r *responder) Fetch(ctx context.Context, url, contentType string, body []byte, _ int64) ([]byte, error) {
	r.asked++
	if r.err != nil || r.answer != nil {
		return r.answer, r.err
	}
	if contentType != "application/ocsp-request" || url != "http://ocsp.example/" {
		return nil, fault.New(fault.HostDenied, url, "not this one")
	}
	request, err := ocsp.ParseRequest(body)
	if err != nil {
		return nil, err
	}
	for _, e := range []*entity{theWorld().signer, theWorld().tsa, theWorld().ca} {
		if e.x509.SerialNumber.Cmp(request.SerialNumber) == 0 {
			return e.status(now, nil), nil
		}
	}
	return nil, fault.New(fault.PeerAnswer, url, "unknown certificate")
}

func collected(t *testing.T, data []byte, fetcher *responder, change func(*verifier.Input)) *facts.Facts {
	t.Helper()
	w := theWorld()
	in := verifier.Input{
		Name: "doc.p7m", Data: data, CRLs: [][]byte{w.root.crl(now)}, Anchors: store(t, w.root.cert),
		Fetcher: fetcher, Now: func() time.Time { return now },
	}
	if change != nil {
		change(&in)
	}
	found, err := verifier.Collect(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCollectAsksAboutThePath(t *testing.T) {
	w := theWorld()
	stamped := withTimestamp(t, w.signer.sign(t, "doc", nil), w.tsa, now.Add(-day))
	fetcher := &responder{}
	found := collected(t, stamped, fetcher, nil)
	if fetcher.asked != 2 || len(found.Gaps) != 0 || len(found.Revocations) != 3 {
		t.Errorf("asked %d times, gaps %v, %d answers", fetcher.asked, found.Gaps, len(found.Revocations))
	}
	for _, r := range found.Revocations {
		if r.Kind == facts.OCSP && (!r.From(facts.FromFetched) || r.Source == "" || r.Fetched == nil || len(r.Nonce) == 0) {
			t.Errorf("an answer without its origin: %+v", r)
		}
	}
	policy, err := verifier.PolicyByName("strict")
	must(err)
	if r := verifier.Judge(found, policy, store(t, w.root.cert), now); r.Indication != verifier.TotalPassed {
		t.Errorf("%s/%s %v", r.Indication, r.SubIndication, r.Signatures[0].Errors)
	}
}

func TestCollectAsksNobodyNeedlessly(t *testing.T) {
	w := theWorld()
	plain := w.signer.sign(t, "doc", nil)
	for name, change := range map[string]func(*verifier.Input){
		"an answer is given":    func(in *verifier.Input) { in.OCSPs = [][]byte{w.signer.status(now, nil)} },
		"the path ends nowhere": func(in *verifier.Input) { in.Anchors = store(t, w.stranger.issuer.cert) },
		"no anchors":            func(in *verifier.Input) { in.Anchors = nil },
	} {
		t.Run(name, func(t *testing.T) {
			fetcher := &responder{}
			collected(t, plain, fetcher, change)
			if fetcher.asked != 0 {
				t.Errorf("asked %d times", fetcher.asked)
			}
		})
	}
}

// What goes wrong with a responder is a gap, and the verdict TRY_LATER.
func TestCollectGapsAreNotErrors(t *testing.T) {
	w := theWorld()
	plain := w.signer.sign(t, "doc", nil)
	for name, tt := range map[string]struct {
		fetcher *responder
		code    fault.Code
	}{
		"down":             {&responder{err: fault.New(fault.PeerDown, "", "no answer")}, fault.PeerDown},
		"host not allowed": {&responder{err: fault.New(fault.HostDenied, "", "not allowed")}, fault.HostDenied},
		"a web page":       {&responder{answer: []byte("<html>")}, fault.OCSPUnreadable},
		"try later":        {&responder{answer: []byte{0x30, 3, 0x0a, 1, 3}}, fault.OCSPNotSuccessful},
	} {
		t.Run(name, func(t *testing.T) {
			found := collected(t, plain, tt.fetcher, nil)
			if len(found.Gaps) != 1 || found.Gaps[0].Code != tt.code || found.Gaps[0].Source != "http://ocsp.example/" {
				t.Errorf("gaps %+v", found.Gaps)
			}
			policy, err := verifier.PolicyByName("")
			must(err)
			r := verifier.Judge(found, policy, store(t, w.root.cert), now)
			if r.Indication != verifier.Indeterminate || r.SubIndication != verifier.TryLater {
				t.Errorf("%s/%s", r.Indication, r.SubIndication)
			}
		})
	}
}

func TestCollectRefuses(t *testing.T) {
	w := theWorld()
	plain := w.signer.sign(t, "doc", nil)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tt := range map[string]struct {
		in   verifier.Input
		code fault.Code
	}{
		"nothing":          {verifier.Input{}, fault.InputEmpty},
		"no signature":     {verifier.Input{Data: w.signer.cert.Raw}, fault.CMSMalformed},
		"another document": {verifier.Input{Data: plain, Content: []byte("x")}, fault.ContentConflict},
		"cancelled": {verifier.Input{
			Data: plain, Anchors: store(t, w.root.cert), Certificates: []*cert.Certificate{w.ca.cert},
			Fetcher: &responder{err: context.Canceled}, Now: func() time.Time { return now },
		}, fault.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			if tt.code == fault.Cancelled {
				ctx = cancelled
			}
			if _, err := verifier.Collect(ctx, tt.in); !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
}
