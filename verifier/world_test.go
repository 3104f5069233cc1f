package verifier_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
)

// now is the time at which the tests judge: the real one, because openssl's
// OCSP and time-stamp programs know no other. day is for the dates around it.
var now = time.Now().UTC().Truncate(time.Second)

const day = 24 * time.Hour

// entity is a key with its certificate and the one that issued it.
type entity struct {
	key    crypto.Signer
	cert   *cert.Certificate
	x509   *x509.Certificate
	issuer *entity
}

// world is one small PKI: a root, an issuing CA, and what the tests need below.
type world struct {
	root, ca, signer, tsa, responder *entity
	expired, old, authentication     *entity // expired before now; short RSA; not for signing
	stranger                         *entity // under a root that nobody trusts
}

var serials = big.NewInt(0x1000)

func nextSerial() *big.Int { return new(big.Int).Set(serials.Add(serials, big.NewInt(1))) }

// issue makes a certificate; change may alter the template.
func issue(issuer *entity, name string, key crypto.Signer, change func(*x509.Certificate)) *entity {
	template := &x509.Certificate{
		SerialNumber: nextSerial(),
		SubjectKeyId: nextSerial().Bytes(),
		Subject:      pkix.Name{CommonName: name, Country: []string{"KZ"}},
		NotBefore:    now.Add(-30 * day), NotAfter: now.Add(30 * day),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		OCSPServer:  []string{"http://ocsp.example/"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
	if change != nil {
		change(template)
	}
	parent, parentKey := template, key
	if issuer != nil {
		parent, parentKey = issuer.x509, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	must(err)
	parsed, err := x509.ParseCertificate(der)
	must(err)
	own, err := cert.Parse(der)
	must(err)
	return &entity{key: key, cert: own, x509: parsed, issuer: issuer}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func ecKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return key
}

func rsaKey(bits int) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	must(err)
	return key
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	c.ExtKeyUsage, c.OCSPServer = nil, nil
	c.NotBefore, c.NotAfter = now.Add(-3000*day), now.Add(3000*day)
}

func asTSA(c *x509.Certificate) {
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	must(err)
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, nil
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}
	c.NotBefore = now.Add(-300 * day)
}

var theWorld = sync.OnceValue(func() *world {
	w := &world{}
	w.root = issue(nil, "Root", ecKey(), asCA)
	w.ca = issue(w.root, "Issuing CA", ecKey(), asCA)
	w.signer = issue(w.ca, "ТЕСТОВ ТЕСТ", rsaKey(2048), func(c *x509.Certificate) {
		c.Subject.SerialNumber = "IIN900101300018"
		c.Subject.Organization = []string{`ЖШС "Тест"`}
		c.Subject.OrganizationalUnit = []string{"BIN123456789021"}
	})
	w.tsa = issue(w.ca, "TIME-STAMPING AUTHORITY", ecKey(), asTSA)
	w.responder = issue(w.ca, "OCSP RESPONDER", ecKey(), func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		c.KeyUsage = x509.KeyUsageDigitalSignature
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
		c.NotBefore = now.Add(-300 * day)
	})
	w.expired = issue(w.ca, "Expired", ecKey(), func(c *x509.Certificate) { c.NotAfter = now.Add(-5 * day) })
	w.old = issue(w.ca, "Short key", rsaKey(1024), nil)
	w.authentication = issue(w.ca, "Authentication", ecKey(), func(c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	})
	other := issue(nil, "Other root", ecKey(), asCA)
	w.stranger = issue(other, "Stranger", ecKey(), nil)
	return w
})

// sign makes a CAdES B signature over a document; change may alter what is made.
func (e *entity) sign(t testing.TB, content string, change func(*cms.Template)) []byte {
	t.Helper()
	template := cms.Template{
		Content: []byte(content), Certificate: e.cert.Raw, Chain: [][]byte{e.issuer.cert.Raw}, SigningTime: now.Add(-10 * day),
	}
	if change != nil {
		change(&template)
	}
	der, err := cms.Sign(template, e.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// status answers an OCSP question about e; change may alter the answer.
func (e *entity) status(produced time.Time, change func(*ocsp.Response)) []byte {
	w := theWorld()
	template := ocsp.Response{
		Status: ocsp.Good, SerialNumber: e.x509.SerialNumber, ThisUpdate: produced,
		Certificate: w.responder.x509, IssuerHash: crypto.SHA1,
	}
	if change != nil {
		change(&template)
	}
	der, err := ocsp.CreateResponse(e.issuer.x509, w.responder.x509, template, w.responder.key)
	must(err)
	hash := crypto.SHA256
	if template.SignatureAlgorithm == x509.ECDSAWithSHA1 {
		hash = crypto.SHA1
	}
	return w.responder.redated(der, produced, hash)
}

// redated gives an answer of e's another producedAt: x/crypto/ocsp writes that of
// the clock, which may have gone far beyond now by then.
func (e *entity) redated(answer []byte, produced time.Time, hash crypto.Hash) []byte {
	var outer struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type  asn1.ObjectIdentifier
			Basic []byte
		} `asn1:"explicit,tag:0"`
	}
	var basic struct {
		Data         asn1.RawValue
		Algorithm    pkix.AlgorithmIdentifier
		Signature    asn1.BitString
		Certificates asn1.RawValue
	}
	_, err := asn1.Unmarshal(answer, &outer)
	must(err)
	_, err = asn1.Unmarshal(outer.Bytes.Basic, &basic)
	must(err)
	var responder asn1.RawValue
	rest, err := asn1.Unmarshal(basic.Data.Bytes, &responder)
	must(err)
	at, err := asn1.MarshalWithParams(produced.UTC(), "generalized")
	must(err)
	copy(rest, at) // of one length; basic.Data.FullBytes has the same memory
	h := hash.New()
	h.Write(basic.Data.FullBytes)
	value, err := e.key.Sign(rand.Reader, h.Sum(nil), hash)
	must(err)
	basic.Signature = asn1.BitString{Bytes: value, BitLength: 8 * len(value)}
	outer.Bytes.Basic, err = asn1.Marshal(basic)
	must(err)
	answer, err = asn1.Marshal(outer)
	must(err)
	return answer
}

func revokedAt(at time.Time) func(*ocsp.Response) {
	return func(r *ocsp.Response) {
		r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, at, ocsp.KeyCompromise
	}
}

// crl lists certificates that e revoked.
func (e *entity) crl(issued time.Time, revoked ...x509.RevocationListEntry) []byte {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: nextSerial(), ThisUpdate: issued, NextUpdate: issued.Add(7 * day), RevokedCertificateEntries: revoked,
	}, e.x509, e.key)
	must(err)
	return der
}

type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Hash      []byte
	}
	Serial *big.Int
	Time   time.Time `asn1:"generalized"`
}

// stamp makes a time-stamp token over bytes.
func (e *entity) stamp(t testing.TB, over []byte, at time.Time) []byte {
	t.Helper()
	sum := sha256.Sum256(over)
	info := tstInfo{Version: 1, Policy: asn1.ObjectIdentifier{1, 2, 3, 4}, Serial: nextSerial(), Time: at}
	info.Imprint.Algorithm.Algorithm = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	info.Imprint.Hash = sum[:]
	content, err := asn1.Marshal(info)
	must(err)
	token, err := cms.Sign(cms.Template{
		Content: content, ContentType: cms.OIDTSTInfo, Certificate: e.cert.Raw,
		Chain: [][]byte{e.issuer.cert.Raw}, SigningTime: at,
	}, e.key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// withTimestamp makes a level T signature of a level B one.
func withTimestamp(t testing.TB, message []byte, tsa *entity, at time.Time) []byte {
	t.Helper()
	m, err := cms.Parse(message)
	if err != nil {
		t.Fatal(err)
	}
	return withToken(t, message, tsa.stamp(t, m.Signers[0].Signature, at))
}

func withToken(t testing.TB, message, token []byte) []byte {
	t.Helper()
	out, err := cms.AddUnsignedAttribute(message, 0, cms.Attribute{Type: cms.OIDSignatureTimestamp, Values: [][]byte{token}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
