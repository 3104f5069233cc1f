package authority_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

// key is a signer that fails as it is told, or signs with another key.
type key struct {
	crypto.Signer
	err     error
	another crypto.Signer
	hang    bool
}

func (k key) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	switch {
	case k.hang:
		<-ctx.Done()
		return nil, fault.Wrap(ctx.Err(), fault.HSMBusy, "", "wait for a session")
	case k.err != nil:
		return nil, k.err
	case k.another != nil:
		return k.another.Sign(nil, digest, opts)
	}
	return k.Signer.Sign(nil, digest, opts)
}

func withKey(k key) func(*authority.Config) {
	k.Signer = ecKey()
	return func(c *authority.Config) { c.Policies = []authority.Policy{policyOf(policyEC, k)} }
}

// The table of refusals: what is asked or fails, and what a client reads.
func TestRefusals(t *testing.T) {
	good := func() []byte { return got(request(algo.SHA256, policyEC).Marshal()) }
	changed := func(from, to []byte) []byte { return bytes.Replace(good(), from, to, 1) }
	for name, tt := range map[string]struct {
		request []byte
		change  func(*authority.Config)
		code    fault.Code
		failure string
	}{
		"nothing":             {request: []byte{}, code: fault.InputEmpty, failure: "badDataFormat"},
		"a web page":          {request: []byte("<html>"), code: fault.TimestampUnreadable, failure: "badDataFormat"},
		"too long":            {request: make([]byte, authority.QueryBytesMax+1), code: fault.InputTooBig, failure: "badDataFormat"},
		"trailing bytes":      {request: append(good(), 0), code: fault.TimestampUnreadable, failure: "badDataFormat"},
		"version 2":           {request: changed([]byte{2, 1, 1, 0x30}, []byte{2, 1, 2, 0x30}), code: fault.TSAVersionUnknown, failure: "badRequest"},
		"version 2^160":       {request: versioned(append([]byte{2, 21, 1}, make([]byte, 20)...)), code: fault.TSAVersionUnknown, failure: "badRequest"},
		"odd parameters":      {request: changed([]byte{5, 0, 4, 32}, []byte{4, 0, 4, 32}), code: fault.AlgorithmParametersInvalid, failure: "badAlg"},
		"an unknown digest":   {request: changed(oid(t, algo.SHA256.OID), oid(t, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 99})), code: fault.AlgorithmUnsupported, failure: "badAlg"},
		"a digest too short":  {request: changed(oid(t, algo.SHA256.OID), oid(t, algo.SHA512.OID)), code: fault.TimestampUnreadable, failure: "badDataFormat"},
		"SHA-1":               {request: got(request(algo.SHA1, policyEC).Marshal()), code: fault.TSADigestUnaccepted, failure: "badAlg"},
		"another policy":      {request: got(request(algo.SHA256, asn1.ObjectIdentifier{1, 2, 3}).Marshal()), code: fault.TSAPolicyUnaccepted, failure: "unacceptedPolicy"},
		"an extension":        {request: extended(t), code: fault.TimestampExtensionUnknown, failure: "unacceptedExtension"},
		"no time":             {change: func(c *authority.Config) { c.Time = noTime }, code: fault.TimeNotAvailable, failure: "timeNotAvailable"},
		"time lost meanwhile": {change: func(c *authority.Config) { c.Time = losing() }, code: fault.TimeNotAvailable, failure: "timeNotAvailable"},
		"before the key":      {change: func(c *authority.Config) { c.Time = standing(start.AddDate(-2, 0, 0)) }, code: fault.TSAKeyMissing, failure: "systemFailure"},
		"after the key":       {change: func(c *authority.Config) { c.Time = standing(start.AddDate(2, 0, 0)) }, code: fault.TSAKeyMissing, failure: "systemFailure"},
		"the HSM is away":     {change: withKey(key{err: fault.New(fault.HSMUnavailable, "", "CKR_DEVICE_REMOVED")}), code: fault.HSMUnavailable, failure: "systemFailure"},
		"the HSM is busy":     {change: withKey(key{hang: true}), code: fault.HSMBusy, failure: "systemFailure"},
		"the key fails":       {change: withKey(key{err: errors.New("CKR_GENERAL_ERROR")}), code: fault.SigningFailed, failure: "systemFailure"},
		"another key signs":   {change: withKey(key{another: rootKey()}), code: fault.TSATokenBad, failure: "systemFailure"},
		"no randomness":       {change: func(c *authority.Config) { c.Random = failing{io.ErrUnexpectedEOF} }, code: fault.Internal, failure: "systemFailure"},
		"no room":             {change: func(c *authority.Config) { c.InFlight, c.Journal = 1, full(t) }, code: fault.Overloaded, failure: "systemFailure"},
		"a serial twice":      {change: func(c *authority.Config) { c.Random = zeros{} }, code: fault.Internal, failure: "systemFailure"},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			a, store := issuing(t, func(c *authority.Config) {
				if tt.change != nil {
					tt.change(c)
				}
				c.Metrics = got(authority.NewMetrics(registry))
			})
			if tt.request == nil {
				tt.request = good()
			}
			if name == "a serial twice" {
				got(a.Respond(t.Context(), good()))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if name != "the HSM is busy" {
				cancel()
				ctx, cancel = context.WithCancel(t.Context())
			}
			defer cancel()
			before := len(store.records)
			reply, err := a.Respond(ctx, tt.request)
			if !fault.Is(err, tt.code) {
				t.Fatalf("%v, want %s", err, tt.code)
			}
			_, refusal := tsp.ParseReply(reply)
			if refusal == nil || !strings.Contains(refusal.Error(), "rejection") || !strings.Contains(refusal.Error(), tt.failure) ||
				!strings.Contains(refusal.Error(), string(tt.code)) {
				t.Errorf("a client reads %v, want %s", refusal, tt.failure)
			}
			if len(store.records) != before && name != "time lost meanwhile" {
				t.Error("there is a record of it")
			}
			if n := counted(registry, "rejection", tt.failure); n != 1 {
				t.Errorf("counted %v times", n)
			}
		})
	}
}

func counted(registry *prometheus.Registry, status, failure string) float64 {
	for _, f := range got(registry.Gather()) {
		for _, m := range f.GetMetric() {
			if f.GetName() == "senim_tsa_replies_total" && m.GetLabel()[0].GetValue() == failure && m.GetLabel()[1].GetValue() == status {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func oid(t *testing.T, o asn1.ObjectIdentifier) []byte {
	t.Helper()
	return got(asn1.Marshal(o))
}

// versioned is a request that begins with another version.
func versioned(version []byte) []byte {
	good := got((&tsp.Request{Digest: algo.SHA256, Imprint: make([]byte, 32)}).Marshal())
	content := append(version, good[2+3:]...)
	return append([]byte{0x30, byte(len(content))}, content...)
}

// extended is a request with an extension.
func extended(t *testing.T) []byte {
	t.Helper()
	extension := got(asn1.Marshal([]pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}}))
	extension[0] = 0xa0
	der := append(got((&tsp.Request{Digest: algo.SHA256, Imprint: make([]byte, 32)}).Marshal()), extension...)
	der[1] += byte(len(extension))
	return der
}

func noTime() (time.Time, error) {
	return time.Time{}, fault.New(fault.TimeNotAvailable, "", "the clock: lapsed")
}

func standing(at time.Time) func() (time.Time, error) {
	return func() (time.Time, error) { return at, nil }
}

// losing gives the time once.
func losing() func() (time.Time, error) {
	given := false
	return func() (time.Time, error) {
		if given {
			return noTime()
		}
		given = true
		return start, nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// zeros makes every serial number the same.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// full is a journal whose only place is taken, since nobody writes.
func full(t *testing.T) *authority.Journal {
	t.Helper()
	j := got(authority.NewJournal(authority.JournalConfig{Write: newMemory().Write, Now: time.Now, Queue: 1}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(ctx, authority.Record{}); !fault.Is(err, fault.Cancelled) {
		t.Fatal(err)
	}
	return j
}

// Rollover: of the keys that are valid the newest signs, and what a certificate
// says bounds it.
func TestRollover(t *testing.T) {
	month := func(n int) time.Time { return start.AddDate(0, n, 0) }
	old, young := policyOf(policyEC, ecKey()).Keys[0], policyOf(policyEC, ec384()).Keys[0]
	old.Until, young.From = month(3), month(2)
	a := got(authority.New(authority.Config{
		Policies: []authority.Policy{{OID: policyEC, Accuracy: time.Second, Keys: []authority.Key{old, young}}},
		Time:     noTime, Now: time.Now, Journal: got(authority.NewJournal(authority.JournalConfig{Write: newMemory().Write, Now: time.Now})),
	}))
	for _, tt := range []struct {
		at   time.Time
		want *cert.Certificate
	}{
		{month(-2), nil}, {month(0), old.Certificate}, {month(1), old.Certificate}, {month(2), young.Certificate},
		{month(4), young.Certificate}, {month(12), nil},
	} {
		if got := authority.KeyAt(a, tt.at); got != tt.want {
			t.Errorf("%s: another certificate", tt.at)
		}
	}
	if len(a.Certificates()) != 2 {
		t.Error("not both certificates are shown")
	}
	day := 24 * time.Hour
	for _, tt := range []struct {
		at    time.Time
		ahead time.Duration
		want  fault.Code
	}{{start, 7 * day, ""}, {month(12).Add(-3 * day), 2 * day, ""}, {month(12).Add(-3 * day), 7 * day, fault.TSAKeyExpiring}, {month(13), 0, fault.TSAKeyMissing}} {
		if err := a.Check(tt.at, tt.ahead); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.at, err, tt.want)
		}
	}
}

// A revoked certificate's key signs no more: the one before it does, while it is
// valid, or none. On hold, it comes back.
func TestRevocation(t *testing.T) {
	first, second := policyOf(policyEC, ecKey()).Keys[0], policyOf(policyEC, ec384()).Keys[0]
	second.From = start.Add(-time.Hour)
	a, _ := issuing(t, func(c *authority.Config) {
		c.Policies = []authority.Policy{{OID: policyEC, Accuracy: time.Second, Keys: []authority.Key{first, second}}}
	})
	signs := func(want *cert.Certificate) {
		t.Helper()
		if got := authority.KeyAt(a, start); got != want {
			t.Errorf("%v signs", got)
		}
		_, err := a.Respond(t.Context(), got(request(algo.SHA256, policyEC).Marshal()))
		if (err == nil) != (want != nil) || err != nil && !fault.Is(err, fault.TSAKeyMissing) {
			t.Error(err)
		}
		if err := a.Check(start, time.Hour); (err == nil) != (want != nil) {
			t.Error(err)
		}
	}
	signs(second.Certificate)
	if !a.SetRevoked(second.Certificate, true) || a.SetRevoked(second.Certificate, true) || a.SetRevoked(root(), true) {
		t.Error("what changes is told wrongly")
	}
	signs(first.Certificate)
	a.SetRevoked(first.Certificate, true)
	signs(nil)
	a.SetRevoked(second.Certificate, false)
	signs(second.Certificate)
}

// A token that is under way when its certificate is found revoked stays here.
func TestRevokedMeanwhile(t *testing.T) {
	var a *authority.Authority
	p := policyOf(policyEC, ecKey())
	a, _ = issuing(t, func(c *authority.Config) {
		write := newMemory().Write
		c.Policies = []authority.Policy{p}
		c.Journal = running(t, authority.JournalConfig{Write: func(ctx context.Context, records []authority.Record) error {
			a.SetRevoked(p.Keys[0].Certificate, true)
			return write(ctx, records)
		}})
	})
	if _, err := a.Respond(t.Context(), got(request(algo.SHA256, policyEC).Marshal())); !fault.Is(err, fault.TSAKeyMissing) {
		t.Error(err)
	}
}

// A key that begins only after the one before it has ended does not follow it:
// readiness says so while there is time to mend it.
func TestAGapBetweenKeys(t *testing.T) {
	month := func(n int) time.Time { return start.AddDate(0, n, 0) }
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		young time.Time // when it begins
		want  fault.Code
	}{"a gap": {month(3).Add(time.Second), fault.TSAKeyExpiring}, "on the stroke": {month(3), ""}, "overlapping": {month(2), ""}} {
		first, second := policyOf(policyEC, ecKey()).Keys[0], policyOf(policyEC, ec384()).Keys[0]
		first.Until, second.From = month(3), tt.young
		a := got(authority.New(authority.Config{
			Policies: []authority.Policy{{OID: policyEC, Accuracy: time.Second, Keys: []authority.Key{second, first}}},
			Time:     noTime, Now: time.Now, Journal: got(authority.NewJournal(authority.JournalConfig{Write: newMemory().Write, Now: time.Now})),
		}))
		if err := a.Check(month(3).Add(-3*day), 7*day); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
		if err := a.Check(month(3).Add(-8*day), 7*day); err != nil {
			t.Errorf("%s, long before: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	one := func(change func(*authority.Policy)) []authority.Policy {
		p := policyOf(policyEC, ecKey())
		change(&p)
		return []authority.Policy{p}
	}
	certified := func(change func(*x509.Certificate)) []authority.Policy {
		return one(func(p *authority.Policy) { p.Keys[0].Certificate = certify(ecKey().Public(), change) })
	}
	period := func(der ...byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 16}, Value: der})
		}
	}
	for name, tt := range map[string]struct {
		policies []authority.Policy
		code     fault.Code
	}{
		"no policy":            {nil, fault.BadArgument},
		"a policy twice":       {append(policies(), policies()[0]), fault.BadArgument},
		"no identifier":        {one(func(p *authority.Policy) { p.OID = nil }), fault.BadArgument},
		"no accuracy":          {one(func(p *authority.Policy) { p.Accuracy = 0 }), fault.BadArgument},
		"an accuracy too fine": {one(func(p *authority.Policy) { p.Accuracy = time.Nanosecond }), fault.BadArgument},
		"a minute of accuracy": {one(func(p *authority.Policy) { p.Accuracy = time.Minute }), fault.BadArgument},
		"no key":               {one(func(p *authority.Policy) { p.Keys = nil }), fault.BadArgument},
		"no certificate":       {one(func(p *authority.Policy) { p.Keys[0].Certificate = nil }), fault.BadArgument},
		"another certificate":  {one(func(p *authority.Policy) { p.Keys[0].Signer = rsaKey() }), fault.KeyCertificateMismatch},
		"no time in between":   {one(func(p *authority.Policy) { p.Keys[0].From = start.AddDate(2, 0, 0) }), fault.BadArgument},
		"not for time-stamps": {certified(func(c *x509.Certificate) {
			c.ExtraExtensions = nil
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		}), fault.TimestampSignerForbidden},
		"usage not critical":            {certified(func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = false }), fault.TimestampSignerForbidden},
		"a usage period of rubbish":     {certified(period(0x30, 1, 2)), fault.BadArgument},
		"a usage period that was never": {certified(period(append([]byte{0x30, 17, 0x81, 15}, "20000101000000Z"...)...)), fault.BadArgument},
	} {
		c := authority.Config{
			Policies: tt.policies, Time: noTime, Now: time.Now,
			Journal: got(authority.NewJournal(authority.JournalConfig{Write: newMemory().Write, Now: time.Now})),
		}
		if _, err := authority.New(c); !fault.Is(err, tt.code) {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
}

func FuzzRespond(f *testing.F) {
	a, _ := issuing(f, nil)
	f.Add(got(request(algo.SHA256, policyEC).Marshal()))
	f.Add(got(request(algo.Streebog512, nil).Marshal()))
	f.Add(got((&tsp.Request{Digest: algo.SHA384, Imprint: make([]byte, 48), Nonce: big.NewInt(-1)}).Marshal()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		reply, err := a.Respond(context.Background(), raw)
		token, refused := tsp.ParseReply(reply)
		if (err == nil) != (refused == nil) {
			t.Fatalf("%v, and a client reads %v", err, refused)
		}
		if err != nil {
			return
		}
		q, err := authority.ParseQuery(raw)
		if err != nil || !bytes.Equal(q.Imprint, token.Imprint) || (q.Nonce == nil) != (token.Nonce == nil) {
			t.Errorf("the token is not what was asked: %v", err)
		}
	})
}
