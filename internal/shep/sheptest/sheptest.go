package sheptest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Now is the time of the tests.
var Now = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

// Clock stands still at Now.
func Clock() time.Time { return Now }

// CA is an issuing authority of the tests.
type CA struct {
	t    testing.TB
	key  *rsa.PrivateKey
	x509 *x509.Certificate
	Cert *cert.Certificate
}

// keys are generated once per test binary and handed out in turn per name.
var (
	keysMutex sync.Mutex
	keys      = map[string]*rsa.PrivateKey{}
)

func keyOf(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	keysMutex.Lock()
	defer keysMutex.Unlock()
	if keys[name] == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	return keys[name]
}

// NewCA makes a self-signed authority.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	ca := &CA{t: t, key: keyOf(t, name)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"KZ"}},
		NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(9, 0, 0),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	ca.Cert, ca.x509 = sign(t, template, template, ca.key, ca.key)
	return ca
}

func sign(t testing.TB, template, parent *x509.Certificate, key, parentKey *rsa.PrivateKey) (*cert.Certificate, *x509.Certificate) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	std, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, std
}

// Holder is who a certificate is issued to.
type Holder struct {
	Name     string
	IIN, BIN string // without their prefixes; "" leaves them out
	Roles    []asn1.ObjectIdentifier
	KeyUsage x509.KeyUsage // 0 means digitalSignature and nonRepudiation
}

// Issue makes a key and a certificate valid around Now.
func (ca *CA) Issue(h Holder) xmldsig.Key {
	ca.t.Helper()
	key := keyOf(ca.t, h.Name)
	subject := pkix.Name{CommonName: h.Name, Organization: []string{h.Name}, Country: []string{"KZ"}}
	if h.IIN != "" {
		subject.SerialNumber = "IIN" + h.IIN
	}
	if h.BIN != "" {
		subject.OrganizationalUnit = []string{"BIN" + h.BIN}
	}
	if h.KeyUsage == 0 {
		h.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		ca.t.Fatal(err)
	}
	c, _ := sign(ca.t, &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: Now.AddDate(0, -1, 0), NotAfter: Now.AddDate(1, 0, 0),
		BasicConstraintsValid: true, KeyUsage: h.KeyUsage,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, UnknownExtKeyUsage: h.Roles,
	}, ca.x509, key, ca.key)
	return xmldsig.Key{Signer: key, Certificate: c}
}

// Trust takes what this authority issued and nothing else; nothing is revoked.
func (ca *CA) Trust() shep.Trust {
	return shep.Chain{Anchors: ca.Store(), Revocation: NothingRevoked}.Validate
}

// Store holds this authority as its one anchor.
func (ca *CA) Store() *trust.Store {
	ca.t.Helper()
	anchors, err := trust.New(ca.Cert)
	if err != nil {
		ca.t.Fatal(err)
	}
	return anchors
}

// NothingRevoked is the revocation check of a CA that never revoked anything.
func NothingRevoked(context.Context, *path.Path, time.Time) error { return nil }

// Reason is the code of the innermost classified error: what was wrong, below
// what that means for the caller.
func Reason(err error) (reason fault.Code) {
	for e := fault.Of(err); e != nil; e = fault.Of(e.Cause) {
		reason = e.Code
	}
	if reason == "" {
		return fault.CodeOf(err)
	}
	return reason
}
