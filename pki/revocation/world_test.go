package revocation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

const shared = "../../../shared/data"

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

type entity struct {
	key  crypto.Signer
	x509 *x509.Certificate
	*cert.Certificate
}

// world is a small PKI: a CA, a leaf, responders of every kind.
type world struct {
	ca, other, leaf                                    *entity
	responder, noCheck, notMeant, expired, foreign, rs *entity
	renamed                                            *entity // a responder of the same name, in other letters
	mute                                               *entity // a CA that may not sign CRLs
}

var testWorld = sync.OnceValue(func() *world {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	serial := int64(0x100)
	issue := func(issuer *entity, name string, change func(*x509.Certificate)) *entity {
		serial++
		var key crypto.Signer
		var err error
		if name == "RSA responder" {
			key, err = rsa.GenerateKey(rand.Reader, 2048)
		} else {
			key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}
		must(err)
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-1000 * time.Hour), NotAfter: now.AddDate(20, 0, 0), OCSPServer: []string{"http://ocsp.example/"}}
		change(template)
		parent, parentKey := template, key
		if issuer != nil {
			parent, parentKey = issuer.x509, issuer.key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		must(err)
		x, err := x509.ParseCertificate(der)
		must(err)
		c, err := cert.Parse(der)
		must(err)
		return &entity{key, x, c}
	}
	ca := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	responder := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }
	w := &world{ca: issue(nil, "CA", ca), other: issue(nil, "other CA", ca)}
	w.leaf = issue(w.ca, "leaf", func(*x509.Certificate) {})
	w.responder = issue(w.ca, "responder", responder)
	w.renamed = issue(w.ca, "  RESPONDER", responder)
	w.rs = issue(w.ca, "RSA responder", responder)
	w.noCheck = issue(w.ca, "responder", func(c *x509.Certificate) {
		responder(c)
		c.ExtraExtensions = []pkix.Extension{{Id: cert.OIDOCSPNoCheck, Value: []byte{5, 0}}}
	})
	w.notMeant = issue(w.ca, "not a responder", func(*x509.Certificate) {})
	w.expired = issue(w.ca, "responder", func(c *x509.Certificate) {
		responder(c)
		c.NotAfter = now.Add(-500 * time.Hour)
	})
	w.foreign = issue(w.other, "foreign responder", responder)
	w.mute = issue(nil, "mute CA", func(c *x509.Certificate) {
		ca(c)
		c.KeyUsage = x509.KeyUsageCertSign
	})
	return w
})

// answer describes an OCSP answer to be made; its zero value with leaf and
// issuer filled in by newAnswer is a good one.
type answer struct {
	signer       *entity
	certificates []*entity
	byKey        bool
	version      int
	produced     time.Time
	nonce        []byte // the extension's value
	extensions   []pkix.Extension
	singles      []singleAnswer
	spoil        func(signature []byte)
}

type singleAnswer struct {
	hash       *algo.Digest
	issuer     *cert.Certificate
	key        []byte // of the issuer
	serial     *big.Int
	status     Status
	revokedAt  time.Time
	reason     int // -1: none
	this, next time.Time
	extensions []pkix.Extension
}

func goodAnswer() *answer {
	w := testWorld()
	return &answer{
		signer: w.responder, certificates: []*entity{w.responder}, produced: now,
		singles: []singleAnswer{goodSingle()},
	}
}

func goodSingle() singleAnswer {
	w := testWorld()
	return singleAnswer{hash: algo.SHA256, issuer: w.ca.Certificate, key: w.ca.KeyBits(), serial: w.leaf.Serial, status: Good, reason: -1, this: now}
}

func addTime(b *cryptobyte.Builder, t time.Time) { b.AddASN1GeneralizedTime(t.UTC()) }

func addExtensions(b *cryptobyte.Builder, tag uint8, list []pkix.Extension) {
	if len(list) == 0 {
		return
	}
	b.AddASN1(explicit(tag), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, e := range list {
				der, err := asn1.Marshal(e)
				if err != nil {
					panic(err)
				}
				b.AddBytes(der)
			}
		})
	})
}

func (s singleAnswer) addTo(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			s.hash.Identifier().AddTo(b)
			b.AddASN1OctetString(s.hash.Sum(s.issuer.RawSubject))
			b.AddASN1OctetString(s.hash.Sum(s.key))
			b.AddASN1BigInt(s.serial)
		})
		switch s.status {
		case Good:
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
		case Unknown:
			b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
		case Revoked:
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				addTime(b, s.revokedAt)
				if s.reason >= 0 {
					b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(s.reason)) })
				}
			})
		}
		addTime(b, s.this)
		if !s.next.IsZero() {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { addTime(b, s.next) })
		}
		addExtensions(b, 1, s.extensions)
	})
}

func (a *answer) basic(t testing.TB) []byte {
	t.Helper()
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if a.version != 0 {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(a.version)) })
		}
		if a.byKey {
			sum := sha1.Sum(a.signer.KeyBits())
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) })
		} else {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) { b.AddBytes(a.signer.RawSubject) })
		}
		addTime(b, a.produced)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, s := range a.singles {
				s.addTo(b)
			}
		})
		extensions := a.extensions
		if a.nonce != nil {
			extensions = append(extensions, pkix.Extension{Id: oidNonce, Value: a.nonce})
		}
		addExtensions(b, 1, extensions)
	})
	data := tbs.BytesOrPanic()
	sig, err := algo.SignatureFor(a.signer.key.Public(), algo.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	value, err := a.signer.key.Sign(rand.Reader, sig.Digest.Sum(data), sig.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	if a.spoil != nil {
		a.spoil(value)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(data)
		sig.Identifier().AddTo(b)
		b.AddASN1BitString(value)
		if len(a.certificates) > 0 {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, c := range a.certificates {
						b.AddBytes(c.Raw)
					}
				})
			})
		}
	})
	return b.BytesOrPanic()
}

func (a *answer) der(t testing.TB) []byte { return successful(a.basic(t)) }

func successful(basic []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasicResponse)
				b.AddASN1OctetString(basic)
			})
		})
	})
	return b.BytesOrPanic()
}

func failed(status int64) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Enum(status) })
	return b.BytesOrPanic()
}

func leafSubject() Subject {
	w := testWorld()
	return Subject{Certificate: w.leaf.Certificate, Issuer: w.ca.Certificate}
}

var rules = Rules{At: now, MaxAge: time.Hour, Skew: time.Minute}
