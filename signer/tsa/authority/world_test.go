package authority_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

// start is when the tests' clock stands. Its fraction ends with a zero, which DER
// does not write.
var start = time.Date(2026, 11, 21, 9, 30, 0, 120_000_000, time.UTC)

var (
	policyEC   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 1}
	policyRSA  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 2}
	policyGOST = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 3}
	policy384  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 4}
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func got[T any](v T, err error) T {
	must(err)
	return v
}

// keys of the tests, made once.
var (
	rootKey = sync.OnceValue(func() *ecdsa.PrivateKey { return got(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ecKey   = sync.OnceValue(func() *ecdsa.PrivateKey { return got(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ec384   = sync.OnceValue(func() *ecdsa.PrivateKey { return got(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey { return got(rsa.GenerateKey(rand.Reader, 2048)) })
	gostKey = sync.OnceValue(func() *gost.PrivateKey {
		return got(gost.GenerateKey(rand.Reader, gost.KZ2015x512, got(gost.CurveByOID(asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2, 1}))))
	})
)

var rootTemplate = &x509.Certificate{
	SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root"}, IsCA: true, BasicConstraintsValid: true,
	NotBefore: start.AddDate(-1, 0, 0), NotAfter: start.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
}

var root = sync.OnceValue(func() *cert.Certificate {
	return got(cert.Parse(got(x509.CreateCertificate(rand.Reader, rootTemplate, rootTemplate, rootKey().Public(), rootKey()))))
})

// certify issues a time-stamping certificate for any key, GOST included.
func certify(public crypto.PublicKey, change func(*x509.Certificate)) *cert.Certificate {
	usage := got(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x5a5a), Subject: pkix.Name{CommonName: "TIME-STAMPING AUTHORITY", Country: []string{"KZ"}},
		NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}
	if change != nil {
		change(template)
	}
	theirs, isGOST := public.(*gost.PublicKey)
	if isGOST {
		public = ecKey().Public()
	}
	der := got(x509.CreateCertificate(rand.Reader, template, got(x509.ParseCertificate(root().Raw)), public, rootKey()))
	if isGOST {
		der = replaceKey(der, got(x509.MarshalPKIXPublicKey(public)), theirs.Marshal())
	}
	return got(cert.Parse(der))
}

// replaceKey puts another public key into a certificate and signs it again:
// crypto/x509 knows no GOST.
func replaceKey(der, theirs, ours []byte) []byte {
	input := cryptobyte.String(der)
	var body, tbs, algorithm cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&tbs, cbasn1.SEQUENCE) || !body.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		panic("not a certificate")
	}
	var signed, whole cryptobyte.Builder
	signed.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Replace(tbs, theirs, ours, 1)) })
	raw := signed.BytesOrPanic()
	signature := got(rootKey().Sign(rand.Reader, algo.SHA256.Sum(raw), crypto.SHA256))
	whole.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(raw)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
	})
	return whole.BytesOrPanic()
}

func policyOf(oid asn1.ObjectIdentifier, key crypto.Signer) authority.Policy {
	return authority.Policy{OID: oid, Accuracy: time.Second, Keys: []authority.Key{{
		Signer: key, Certificate: certify(key.Public(), nil), Chain: []*cert.Certificate{root()},
	}}}
}

// policies are one of each kind of key.
var policies = sync.OnceValue(func() []authority.Policy {
	return []authority.Policy{
		policyOf(policyEC, ecKey()), policyOf(policyRSA, rsaKey()), policyOf(policyGOST, gostKey()), policyOf(policy384, ec384()),
	}
})

// memory is a journal's store that remembers.
type memory struct {
	mu      sync.Mutex
	records map[[authority.SerialBytes]byte]authority.Record
	fail    func([]authority.Record) error
	writes  int
}

func (m *memory) Write(_ context.Context, records []authority.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.fail != nil {
		if err := m.fail(records); err != nil {
			return err
		}
	}
	for _, r := range records {
		if _, twice := m.records[r.Serial]; twice {
			return fault.New(fault.Internal, "", "a serial number twice")
		}
	}
	for _, r := range records {
		m.records[r.Serial] = r
	}
	return nil
}

func newMemory() *memory {
	return &memory{records: map[[authority.SerialBytes]byte]authority.Record{}}
}

// running starts a journal for the length of a test.
func running(t testing.TB, c authority.JournalConfig) *authority.Journal {
	t.Helper()
	c.Now = time.Now
	j := got(authority.NewJournal(c))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); j.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return j
}

// issuing is an authority with a store in memory and a clock that stands still.
func issuing(t testing.TB, change func(*authority.Config)) (*authority.Authority, *memory) {
	t.Helper()
	m := newMemory()
	c := authority.Config{
		Policies: policies(), Time: func() (time.Time, error) { return start, nil }, Now: time.Now,
		Journal: running(t, authority.JournalConfig{Write: m.Write}),
	}
	if change != nil {
		change(&c)
	}
	a, err := authority.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a, m
}

func request(d *algo.Digest, policy asn1.ObjectIdentifier) *tsp.Request {
	r := got(tsp.NewRequest([]byte("data"), d, rand.Reader))
	r.Policy = policy
	return r
}
