package tsa_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/tsa"
)

var now = time.Now().UTC().Truncate(time.Second)

// authority answers time-stamp queries; change may spoil the answer.
type authority struct {
	key    *ecdsa.PrivateKey
	cert   *cert.Certificate
	change func(*tstInfo, *cms.Template)
	reply  []byte // instead of any answer
	err    error
	hang   bool

	asked, heals int // how often; after how many times err is over
}

type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint messageImprint
	Serial  *big.Int
	Time    time.Time `asn1:"generalized"`
	Nonce   *big.Int  `asn1:"optional"`
}

type messageImprint struct {
	Algorithm pkix.AlgorithmIdentifier
	Hash      []byte
}

type query struct {
	Version int
	Imprint messageImprint
	Policy  asn1.ObjectIdentifier `asn1:"optional"`
	Nonce   *big.Int              `asn1:"optional"`
	CertReq bool                  `asn1:"optional"`
}

type status struct {
	Status int
	Text   []string       `asn1:"optional,omitempty"`
	Fail   asn1.BitString `asn1:"optional"`
}

// serials of the authorities' certificates.
var serials atomic.Int64

func newAuthority(usage x509.ExtKeyUsage, critical bool) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1) + 4), Subject: pkix.Name{CommonName: "TIME-STAMPING AUTHORITY"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	if usage != x509.ExtKeyUsageTimeStamping {
		oid = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	}
	value, err := asn1.Marshal([]asn1.ObjectIdentifier{oid})
	must(err)
	template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: value}}
	der, err := x509.CreateCertificate(rand.Reader, template, root().x509, key.Public(), root().key)
	must(err)
	parsed, err := cert.Parse(der)
	must(err)
	return &authority{key: key, cert: parsed}
}

type issuer struct {
	key  *ecdsa.PrivateKey
	x509 *x509.Certificate
	cert *cert.Certificate
}

var root = sync.OnceValue(func() issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(err)
	parsed, err := x509.ParseCertificate(der)
	must(err)
	own, err := cert.Parse(der)
	must(err)
	return issuer{key, parsed, own}
})

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func marshal(v any) []byte {
	der, err := asn1.Marshal(v)
	must(err)
	return der
}

func (a *authority) Fetch(ctx context.Context, _, contentType string, body []byte, _ int64) ([]byte, error) {
	if a.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if a.err != nil || a.reply != nil {
		return a.reply, a.err
	}
	var q query
	if rest, err := asn1.Unmarshal(body, &q); err != nil || len(rest) > 0 || contentType != "application/timestamp-query" || !q.CertReq {
		return nil, fault.New(fault.PeerAnswer, "", "a bad query")
	}
	info := tstInfo{Version: 1, Policy: asn1.ObjectIdentifier{1, 2, 3}, Imprint: q.Imprint, Serial: big.NewInt(9), Time: now, Nonce: q.Nonce}
	template := cms.Template{ContentType: cms.OIDTSTInfo, Certificate: a.cert.Raw, SigningTime: now}
	if a.change != nil {
		a.change(&info, &template)
	}
	template.Content = marshal(info)
	token, err := cms.Sign(template, a.key)
	if err != nil {
		return nil, err
	}
	return marshal(struct {
		Status status
		Token  asn1.RawValue
	}{status{}, asn1.RawValue{FullBytes: token}}), nil
}

func client(t *testing.T, a *authority, change func(*tsa.Config)) *tsa.Client {
	t.Helper()
	anchors, err := trust.New(root().cert)
	must(err)
	c := tsa.Config{URL: "http://tsa.example/", Fetcher: a, Anchors: anchors, Now: func() time.Time { return now }}
	if change != nil {
		change(&c)
	}
	made, err := tsa.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestStamp(t *testing.T) {
	a := newAuthority(x509.ExtKeyUsageTimeStamping, true)
	token, err := client(t, a, nil).Stamp(context.Background(), []byte("signature value"))
	if err != nil {
		t.Fatal(err)
	}
	if !token.Time.Equal(now) || token.CheckImprint([]byte("signature value")) != nil {
		t.Errorf("token of %s", token.Time)
	}
	again, err := tsp.ParseToken(token.Raw)
	if err != nil || again.Serial.Cmp(token.Serial) != 0 {
		t.Errorf("the raw token reads as %v, %v", again, err)
	}
}

func TestStampRefuses(t *testing.T) {
	refusal := func(s status) []byte { return marshal(struct{ Status status }{s}) }
	bit := func(n int) asn1.BitString {
		b := asn1.BitString{Bytes: make([]byte, 4), BitLength: 26}
		b.Bytes[n/8] |= 0x80 >> (n % 8)
		return b
	}
	spoiled := func(change func(*tstInfo, *cms.Template)) *authority {
		a := newAuthority(x509.ExtKeyUsageTimeStamping, true)
		a.change = change
		return a
	}
	stranger := newAuthority(x509.ExtKeyUsageTimeStamping, true)
	expired := newAuthority(x509.ExtKeyUsageTimeStamping, true)
	expired.change = func(i *tstInfo, _ *cms.Template) { i.Time = now.Add(2 * time.Hour) }
	for name, tt := range map[string]struct {
		authority *authority
		change    func(*tsa.Config)
		code      fault.Code
		inner     fault.Code // of the reason inside peer_answer_invalid
	}{
		"refused":               {authority: &authority{reply: refusal(status{Status: 2, Fail: bit(0)})}, code: fault.TSARefused},
		"busy":                  {authority: &authority{reply: refusal(status{Status: 2, Fail: bit(14)})}, code: fault.PeerDown},
		"down":                  {authority: &authority{err: fault.New(fault.PeerDown, "", "no answer")}, code: fault.PeerDown},
		"an unclassified error": {authority: &authority{err: context.DeadlineExceeded}, code: fault.PeerDown},
		"host not allowed":      {authority: &authority{err: fault.New(fault.HostDenied, "", "no")}, code: fault.HostDenied},
		"silent":                {authority: &authority{hang: true}, change: func(c *tsa.Config) { c.Timeout = time.Millisecond }, code: fault.PeerDown},
		"a web page":            {authority: &authority{reply: []byte("<html>")}, code: fault.PeerAnswer, inner: fault.TimestampUnreadable},
		"over another imprint":  {authority: spoiled(func(i *tstInfo, _ *cms.Template) { i.Imprint.Hash = make([]byte, 32) }), code: fault.PeerAnswer, inner: fault.TimestampImprintMismatch},
		"another nonce":         {authority: spoiled(func(i *tstInfo, _ *cms.Template) { i.Nonce = big.NewInt(1) }), code: fault.PeerAnswer, inner: fault.TimestampNonceMismatch},
		"no nonce":              {authority: spoiled(func(i *tstInfo, _ *cms.Template) { i.Nonce = nil }), code: fault.PeerAnswer, inner: fault.TimestampNonceMismatch},
		"a wrong clock":         {authority: spoiled(func(i *tstInfo, _ *cms.Template) { i.Time = now.Add(10 * time.Minute) }), code: fault.PeerAnswer, inner: fault.TimestampInvalid},
		"no certificate":        {authority: spoiled(func(_ *tstInfo, c *cms.Template) { c.OmitCertificates = true }), code: fault.PeerAnswer, inner: fault.SignerCertificateMissing},
		"other content":         {authority: spoiled(func(_ *tstInfo, c *cms.Template) { c.ContentType = cms.OIDData }), code: fault.PeerAnswer, inner: fault.TimestampUnreadable},
		"usage is not critical": {authority: newAuthority(x509.ExtKeyUsageTimeStamping, false), code: fault.PeerAnswer, inner: fault.TimestampSignerForbidden},
		"no authority":          {authority: newAuthority(x509.ExtKeyUsageEmailProtection, true), code: fault.PeerAnswer, inner: fault.TimestampSignerForbidden},
		"another policy":        {authority: newAuthority(x509.ExtKeyUsageTimeStamping, true), change: func(c *tsa.Config) { c.Policy = asn1.ObjectIdentifier{1, 2, 4} }, code: fault.PeerAnswer, inner: fault.TimestampPolicyMismatch},
		"an expired authority":  {authority: expired, change: func(c *tsa.Config) { c.Now = func() time.Time { return now.Add(2 * time.Hour) } }, code: fault.PeerAnswer, inner: fault.CertificateExpired},
		"status 500":            {authority: &authority{err: fault.New(fault.PeerDown, "", "status 500")}, code: fault.PeerDown},
		"too large":             {authority: &authority{err: fault.New(fault.InputTooBig, "", "more than %d bytes", 1<<20)}, code: fault.PeerAnswer, inner: fault.InputTooBig},
		"an empty answer":       {authority: &authority{reply: []byte{}}, code: fault.PeerAnswer, inner: fault.InputEmpty},
		"granted, no token":     {authority: &authority{reply: refusal(status{Status: 0})}, code: fault.PeerAnswer, inner: fault.TimestampUnreadable},
		"nobody's authority":    {authority: stranger, change: func(c *tsa.Config) { c.Anchors = &trust.Store{} }, code: fault.PeerAnswer, inner: fault.ChainNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := client(t, tt.authority, tt.change).Stamp(context.Background(), []byte("x"))
			if token != nil || !fault.Is(err, tt.code) {
				t.Fatalf("%v, want %s", err, tt.code)
			}
			if tt.inner != "" && !fault.Is(fault.Of(err).Cause, tt.inner) {
				t.Errorf("%v, want %s inside", err, tt.inner)
			}
		})
	}
}

// An authority that is known to be revoked is not believed, and the next one is asked.
func TestRevokedAuthority(t *testing.T) {
	bad, good := newAuthority(x509.ExtKeyUsageTimeStamping, true), newAuthority(x509.ExtKeyUsageTimeStamping, true)
	listed := func(entries ...x509.RevocationListEntry) *revocation.Checker {
		list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour), RevokedCertificateEntries: entries,
		}, root().x509, root().key)
		must(err)
		return &revocation.Checker{Given: []revocation.Information{{Kind: revocation.CRL, Raw: list}}}
	}
	entry := x509.RevocationListEntry{SerialNumber: bad.cert.Serial, RevocationTime: now.Add(-time.Minute)}
	for name, tt := range map[string]struct {
		checker *revocation.Checker
		refused bool
	}{"nobody is asked": {nil, false}, "nobody knows": {&revocation.Checker{}, false}, "good": {listed(), false}, "revoked": {listed(entry), true}} {
		token, err := client(t, bad, func(c *tsa.Config) { c.Revocation = tt.checker }).Stamp(t.Context(), []byte("x"))
		if (token == nil) != tt.refused || tt.refused && (!fault.Is(err, fault.PeerAnswer) || !fault.Is(fault.Of(err).Cause, fault.CertificateRevoked)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	both := authorities{"http://bad.example/": bad, "http://good.example/": good}
	token, err := client(t, nil, func(c *tsa.Config) {
		c.URL, c.Fallbacks, c.Fetcher, c.Revocation = "http://bad.example/", []string{"http://good.example/"}, both, listed(entry)
	}).Stamp(t.Context(), []byte("x"))
	if err != nil || !token.Signer.Identifier.Names(good.cert) {
		t.Errorf("the next one: %v", err)
	}
}

// What may be a secret in an authority's address is in no error.
func TestErrorsKeepTheAddressSecret(t *testing.T) {
	a := newAuthority(x509.ExtKeyUsageTimeStamping, true)
	a.change = func(i *tstInfo, _ *cms.Template) { i.Nonce = nil }
	for name, peer := range map[string]*authority{
		"a wrong token": a, "a refusal": {reply: marshal(struct{ Status status }{status{Status: 2}})},
		"a failure": {err: context.DeadlineExceeded}, "too large": {err: fault.New(fault.InputTooBig, "", "much")},
	} {
		_, err := client(t, peer, func(c *tsa.Config) { c.URL = "https://we:hush@tsa.example/stamp?key=hush" }).Stamp(t.Context(), []byte("x"))
		if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "https://tsa.example/stamp") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStampStopsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := client(t, &authority{hang: true}, nil).Stamp(ctx, []byte("x")); !fault.Is(err, fault.Cancelled) {
		t.Errorf("%v", err)
	}
}

// authorities answers by address.
type authorities map[string]*authority

func (a authorities) Fetch(ctx context.Context, url, contentType string, body []byte, max int64) ([]byte, error) {
	one := a[url]
	one.asked++
	if one.err != nil && one.heals > 0 && one.asked > one.heals {
		one.err = nil
	}
	return one.Fetch(ctx, url, contentType, body, max)
}

// TestStampAsksInOrder holds who is asked, how often, and what comes of it.
func TestStampAsksInOrder(t *testing.T) {
	down := func(heals int) *authority {
		a := newAuthority(x509.ExtKeyUsageTimeStamping, true)
		a.err, a.heals = fault.New(fault.PeerDown, "", "status 503"), heals
		return a
	}
	wrong := func() *authority {
		a := newAuthority(x509.ExtKeyUsageTimeStamping, true)
		a.change = func(i *tstInfo, _ *cms.Template) { i.Nonce = big.NewInt(1) }
		return a
	}
	good := func() *authority { return newAuthority(x509.ExtKeyUsageTimeStamping, true) }
	for name, tt := range map[string]struct {
		first, second *authority
		retries       int
		code          fault.Code
		asked         [2]int
	}{
		"the first answers":        {first: good(), second: good(), asked: [2]int{1, 0}},
		"the second stands in":     {first: down(0), second: good(), asked: [2]int{1, 1}},
		"a wrong answer, then one": {first: wrong(), second: good(), asked: [2]int{1, 1}},
		"both fail":                {first: wrong(), second: down(0), code: fault.PeerAnswer, asked: [2]int{1, 1}},
		"it comes back":            {first: down(2), second: down(0), retries: 3, asked: [2]int{3, 2}},
		"it does not come back":    {first: down(0), second: down(0), retries: 2, code: fault.PeerDown, asked: [2]int{3, 3}},
		"wrong is not asked again": {first: wrong(), second: wrong(), retries: 5, code: fault.PeerAnswer, asked: [2]int{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, nil, func(c *tsa.Config) {
				c.URL, c.Fallbacks, c.Fetcher = "first", []string{"second"}, authorities{"first": tt.first, "second": tt.second}
				c.Retries, c.Pause = tt.retries, time.Nanosecond
			})
			token, err := c.Stamp(context.Background(), []byte("x"))
			if fault.CodeOf(err) != tt.code || (token == nil) != (err != nil) {
				t.Errorf("%v, want %q", err, tt.code)
			}
			if got := [2]int{tt.first.asked, tt.second.asked}; got != tt.asked {
				t.Errorf("asked %v times, want %v", got, tt.asked)
			}
		})
	}
}

func TestNewRefusesHalfAConfiguration(t *testing.T) {
	for _, c := range []tsa.Config{
		{},
		{URL: "http://tsa.example/", Fetcher: &authority{}, Now: time.Now},
		{URL: "http://tsa.example/", Fetcher: &authority{}, Anchors: &trust.Store{}, Now: time.Now, Timeout: -1},
		{URL: "http://tsa.example/", Fetcher: &authority{}, Anchors: &trust.Store{}, Now: time.Now, Retries: 10},
		{URL: "http://tsa.example/", Fallbacks: make([]string, 8), Fetcher: &authority{}, Anchors: &trust.Store{}, Now: time.Now},
	} {
		if _, err := tsa.New(c); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// openSSL is a Fetcher whose answers openssl ts makes.
type openSSL struct {
	t   *testing.T
	dir string
}

func (o openSSL) Fetch(_ context.Context, _, _ string, body []byte, _ int64) ([]byte, error) {
	must(os.WriteFile(filepath.Join(o.dir, "query"), body, 0o600))
	command := exec.Command("openssl", "ts", "-reply", "-config", "ts.cnf", "-section", "t", "-queryfile", "query", "-out", "reply")
	command.Dir = o.dir
	if out, err := command.CombinedOutput(); err != nil {
		o.t.Fatalf("openssl ts: %v\n%s", err, out)
	}
	return os.ReadFile(filepath.Join(o.dir, "reply"))
}

func TestStampByOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	a := newAuthority(x509.ExtKeyUsageTimeStamping, true)
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	must(err)
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}),
		"serial":   []byte("01\n"),
		"ts.cnf":   []byte("[t]\nserial=serial\ncrypto_device=builtin\nsigner_cert=cert.pem\nsigner_key=key.pem\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\ntsa_name=yes\ness_cert_id_alg=sha256\n"),
	} {
		must(os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	anchors, err := trust.New(root().cert)
	must(err)
	c, err := tsa.New(tsa.Config{URL: "openssl", Fetcher: openSSL{t, dir}, Anchors: anchors, Now: time.Now})
	must(err)
	token, err := c.Stamp(context.Background(), []byte("signature value"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(token.Raw, a.cert.Raw) {
		t.Error("the token does not carry the authority's certificate")
	}
}
