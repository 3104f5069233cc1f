package cades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/signer/cades"
	"github.com/senim-kz/senim/signer/tsa"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// keys are made once for the test binary.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	return map[string]crypto.Signer{"RSA": rsaKey, "ECDSA": ecKey, "Ed25519": edKey}
})

var serial atomic.Int64

// authority is a CA whose certificates name http://NAME/ocsp and http://NAME/crl.
type authority struct {
	name      string
	key       crypto.Signer
	cert      *x509.Certificate
	responder crypto.Signer
	answering *x509.Certificate // the delegated responder
}

// world is a public key infrastructure with a clock: it is the Fetcher of those
// who ask it.
type world struct {
	now         time.Time
	authorities map[string]*authority
	stampers    map[string]*cades.Identity
	revoked     map[string]time.Time // by serial
	down        map[string]error     // by address
	asked       []string
}

const year = 365 * 24 * time.Hour

// newWorld has the root "root" and below it "ca", and the time-stamping
// authority "tsa" certified by "ca"; each lives as long as is said.
func newWorld(start time.Time, authorities, stamper time.Duration) *world {
	w := &world{now: start, authorities: map[string]*authority{}, stampers: map[string]*cades.Identity{}, revoked: map[string]time.Time{}, down: map[string]error{}}
	w.addAuthority("root", "", authorities)
	w.addAuthority("ca", "root", authorities)
	w.addStamper("tsa", "ca", stamper)
	return w
}

func (w *world) addAuthority(name, issuer string, life time.Duration) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	a := &authority{name: name, key: key}
	w.authorities[name] = a
	if issuer == "" {
		issuer = name
	}
	a.cert = w.certify(issuer, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: w.now.Add(life), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, key.Public())
	responder, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	a.responder = responder
	a.answering = w.certify(name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name + " responder"}, NotAfter: w.now.Add(life), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}},
	}, responder.Public())
}

func (w *world) addStamper(name, issuer string, life time.Duration) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	must(err)
	c := w.certify(issuer, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: w.now.Add(life), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, key.Public())
	w.stampers[name] = &cades.Identity{Key: key, Certificate: parse(c.Raw), Chain: []*cert.Certificate{parse(w.authorities[issuer].cert.Raw)}}
}

// certify issues a certificate of a template.
func (w *world) certify(issuer string, t *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	a := w.authorities[issuer]
	t.SerialNumber, t.NotBefore = big.NewInt(serial.Add(1)), w.now.Add(-time.Minute)
	parent := a.cert
	if parent == nil { // a root
		parent = t
	} else {
		t.CRLDistributionPoints = []string{"http://" + issuer + "/crl"}
		if !t.IsCA {
			t.OCSPServer = []string{"http://" + issuer + "/ocsp"}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, a.key)
	must(err)
	made, err := x509.ParseCertificate(der)
	must(err)
	return made
}

func parse(der []byte) *cert.Certificate {
	c, err := cert.Parse(der)
	must(err)
	return c
}

// person certifies one of the keys for a year.
func (w *world) person(key string) cades.Identity {
	signer := keys()[key]
	c := w.certify("ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: key}, NotAfter: w.now.Add(year),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
	}, signer.Public())
	return cades.Identity{Key: signer, Certificate: parse(c.Raw)}
}

func (w *world) revoke(c *cert.Certificate) { w.revoked[c.SerialHex()] = w.now }

// Fetch answers as the whole network would.
func (w *world) Fetch(ctx context.Context, url, _ string, body []byte, _ int64) ([]byte, error) {
	w.asked = append(w.asked, url)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := w.down[url]; err != nil {
		return nil, err
	}
	host, service, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	switch {
	case service == "ocsp" && w.authorities[host] != nil:
		return w.answerOCSP(w.authorities[host], body)
	case service == "crl" && w.authorities[host] != nil:
		return w.makeCRL(w.authorities[host])
	case w.stampers[host] != nil:
		return w.stamp(w.stampers[host], body)
	}
	return nil, fault.New(fault.PeerDown, url, "nobody is there")
}

func (w *world) answerOCSP(a *authority, body []byte) ([]byte, error) {
	q, err := ocsp.ParseRequest(body)
	must(err)
	// x/crypto/ocsp would date the answer by the system's clock.
	hash := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, Parameters: asn1.NullRawValue}
	if q.HashAlgorithm == crypto.SHA256 {
		hash.Algorithm = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	}
	type certID struct {
		Hash      pkix.AlgorithmIdentifier
		Name, Key []byte
		Serial    *big.Int
	}
	single := struct {
		ID     certID
		Status asn1.RawValue
		Time   time.Time `asn1:"generalized"`
	}{certID{hash, q.IssuerNameHash, q.IssuerKeyHash, q.SerialNumber}, asn1.RawValue{Class: asn1.ClassContextSpecific}, w.now.UTC()}
	if at, is := w.revoked[fmt.Sprintf("%x", q.SerialNumber)]; is {
		when, err := asn1.MarshalWithParams(at.UTC(), "generalized")
		must(err)
		single.Status = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: when}
	}
	data, err := asn1.Marshal(struct {
		Responder asn1.RawValue
		At        time.Time `asn1:"generalized"`
		Answers   any
	}{asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: a.answering.RawSubject}, w.now.UTC(), []any{single}})
	must(err)
	sum := sha256.Sum256(data)
	value, err := a.responder.Sign(rand.Reader, sum[:], crypto.SHA256)
	must(err)
	basic, err := asn1.Marshal(struct {
		Data      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Value     asn1.BitString
		Certs     []asn1.RawValue `asn1:"explicit,tag:0"`
	}{
		asn1.RawValue{FullBytes: data}, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
		asn1.BitString{Bytes: value, BitLength: 8 * len(value)}, []asn1.RawValue{{FullBytes: a.answering.Raw}},
	})
	must(err)
	type responseBytes struct {
		Kind  asn1.ObjectIdentifier
		Basic []byte
	}
	return asn1.Marshal(struct {
		Status asn1.Enumerated
		Bytes  responseBytes `asn1:"explicit,tag:0"`
	}{0, responseBytes{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}, basic}})
}

func (w *world) makeCRL(a *authority) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(w.now.Unix()), ThisUpdate: w.now, NextUpdate: w.now.Add(24 * time.Hour)}
	for hex, at := range w.revoked {
		n, _ := new(big.Int).SetString(hex, 16)
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: at})
	}
	return x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
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

type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint messageImprint
	Serial  *big.Int
	Time    time.Time `asn1:"generalized"`
	Nonce   *big.Int  `asn1:"optional"`
}

func (w *world) stamp(who *cades.Identity, body []byte) ([]byte, error) {
	var q query
	if _, err := asn1.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	info, err := asn1.Marshal(tstInfo{1, asn1.ObjectIdentifier{1, 2, 3}, q.Imprint, big.NewInt(serial.Add(1)), w.now.UTC(), q.Nonce})
	must(err)
	token, err := cms.Sign(cms.Template{Content: info, ContentType: cms.OIDTSTInfo, Certificate: who.Certificate.Raw, Chain: [][]byte{who.Chain[0].Raw}}, who.Key)
	must(err)
	return asn1.Marshal(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
}

// anchors are the roots of this world.
func (w *world) anchors() *trust.Store {
	var roots []*cert.Certificate
	for _, a := range w.authorities {
		if bytes.Equal(a.cert.RawIssuer, a.cert.RawSubject) {
			roots = append(roots, parse(a.cert.Raw))
		}
	}
	anchors, err := trust.New(roots...)
	must(err)
	return anchors
}

// extender asks the time-stamping authority of a name.
func (w *world) extender(t testing.TB, stamper string) *cades.Extender {
	t.Helper()
	clock := func() time.Time { return w.now }
	client, err := tsa.New(tsa.Config{URL: "http://" + stamper + "/", Fetcher: w, Anchors: w.anchors(), Now: clock})
	must(err)
	return &cades.Extender{
		Stamper: client, Anchors: w.anchors(), Now: clock,
		Certificates: []*cert.Certificate{parse(w.authorities["ca"].cert.Raw)},
		Revocation:   revocation.Checker{Store: revocation.NewStore(revocation.StoreConfig{Fetcher: w, Now: clock})},
	}
}

const text = "declaration"

func document() cades.Source { return strings.NewReader(text) }

// sign makes a message of one signature over the text.
func sign(t testing.TB, who cades.Identity, o cades.Options) *cades.Message {
	t.Helper()
	m, err := cades.Sign(context.Background(), document(), who, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encode(t testing.TB, m *cades.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if n, err := m.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	return b.Bytes()
}

func reopen(t testing.TB, der []byte) *cades.Message {
	t.Helper()
	m, err := cades.Open(bytes.NewReader(der))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
