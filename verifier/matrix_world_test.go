package verifier_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/verifier/facts"
)

// party is a name with a key and a certificate: a CA, a signer, an authority.
type party struct {
	name   string
	key    crypto.Signer
	digest *algo.Digest
	cert   *cert.Certificate
	issuer *party
}

// term is a validity.
type term struct{ from, until time.Time }

// profile is what a certificate is for.
type profile int

const (
	aCA profile = iota
	aSigner
	anAuthority
	aResponder
)

// keysOf makes keys of an algorithm; the digest goes with it.
var keysOf = map[string]struct {
	digest *algo.Digest
	make   func() (crypto.Signer, error)
}{
	"RSA-2048": {algo.SHA256, func() (crypto.Signer, error) { return rsaKey(2048), nil }},
	"P-256":    {algo.SHA256, func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
	"Ed25519": {algo.SHA512, func() (crypto.Signer, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
	"GOST-512": {algo.Streebog512, func() (crypto.Signer, error) {
		curve, err := gost.CurveByOID(asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2, 1})
		if err != nil {
			return nil, err
		}
		return gost.GenerateKey(rand.Reader, gost.KZ2015x512, curve)
	}},
}

// newParty certifies a new key.
func newParty(issuer *party, name, algorithm string, p profile, t term) *party {
	kind := keysOf[algorithm]
	key, err := kind.make()
	must(err)
	n := &party{name: name, key: key, digest: kind.digest, issuer: issuer}
	by := issuer
	if by == nil {
		by = n
	}
	raw := by.seal(func(b *cryptobyte.Builder, id []byte) {
		b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
		b.AddASN1BigInt(nextSerial())
		b.AddBytes(id)
		addName(b, by.name)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(t.from); b.AddASN1GeneralizedTime(t.until) })
		addName(b, name)
		b.AddBytes(spkiOf(key.Public()))
		b.AddASN1(explicitTag(3), func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, p.extensions) })
	})
	n.cert, err = cert.Parse(raw)
	must(err)
	return n
}

func explicitTag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func addName(b *cryptobyte.Builder, name string) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 4, 3})
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
			})
		})
	})
}

func addExtension(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

func (p profile) extensions(b *cryptobyte.Builder) {
	usage := map[profile][]byte{aCA: {3, 2, 1, 6}, aSigner: {3, 2, 6, 0xc0}, anAuthority: {3, 2, 7, 0x80}, aResponder: {3, 2, 7, 0x80}}[p]
	addExtension(b, cert.OIDKeyUsage, true, func(b *cryptobyte.Builder) { b.AddBytes(usage) })
	if p == aCA {
		addExtension(b, cert.OIDBasicConstraints, true, func(b *cryptobyte.Builder) { b.AddBytes([]byte{0x30, 3, 1, 1, 0xff}) })
	}
	purpose := map[profile]asn1.ObjectIdentifier{anAuthority: cert.OIDUsageTimeStamping, aResponder: cert.OIDUsageOCSPSigning}[p]
	if purpose != nil {
		addExtension(b, cert.OIDExtKeyUsage, true, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(purpose) })
		})
	}
	if p == aResponder {
		addExtension(b, cert.OIDOCSPNoCheck, false, func(b *cryptobyte.Builder) { b.AddASN1NULL() })
	}
}

func spkiOf(pub crypto.PublicKey) []byte {
	if key, ok := pub.(*gost.PublicKey); ok {
		return key.Marshal()
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	must(err)
	return spki
}

// seal signs what write makes, given the identifier of the algorithm.
func (p *party) seal(write func(b *cryptobyte.Builder, id []byte), after ...func(*cryptobyte.Builder)) []byte {
	row, err := algo.SignatureFor(p.key.Public(), p.digest)
	must(err)
	var id, tbs, out cryptobyte.Builder
	row.Identifier().AddTo(&id)
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { write(b, id.BytesOrPanic()) })
	message := tbs.BytesOrPanic()
	input, opts := p.digest.Sum(message), row.SignerOpts()
	if _, pure := p.key.(ed25519.PrivateKey); pure {
		input, opts = message, crypto.Hash(0)
	}
	value, err := p.key.Sign(rand.Reader, input, opts)
	must(err)
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(message)
		b.AddBytes(id.BytesOrPanic())
		b.AddASN1BitString(value)
		for _, more := range after {
			more(b)
		}
	})
	return out.BytesOrPanic()
}

// standing is what is said of a certificate.
type standing struct {
	revoked time.Time // zero: good
	hold    bool
}

// answerAbout is an OCSP answer by a responder.
func (p *party) answerAbout(about *party, at, next time.Time, s standing) []byte {
	name, key := sha1.Sum(about.issuer.cert.RawSubject), sha1.Sum(about.issuer.cert.KeyBits())
	return p.seal(func(b *cryptobyte.Builder, _ []byte) {
		b.AddASN1(explicitTag(1), func(b *cryptobyte.Builder) { addName(b, p.name) })
		b.AddASN1GeneralizedTime(at)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26})
						b.AddASN1NULL()
					})
					b.AddASN1OctetString(name[:])
					b.AddASN1OctetString(key[:])
					b.AddASN1BigInt(about.cert.Serial)
				})
				if s.revoked.IsZero() || s.revoked.After(at) {
					b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
				} else {
					b.AddASN1(explicitTag(1), func(b *cryptobyte.Builder) {
						b.AddASN1GeneralizedTime(s.revoked)
						b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(s.reason()) })
					})
				}
				b.AddASN1GeneralizedTime(at)
				b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(next) })
			})
		})
	}, func(b *cryptobyte.Builder) {
		b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(p.cert.Raw) })
		})
	})
}

func (s standing) reason() int64 {
	if s.hold {
		return 6
	}
	return 1
}

// listOf is a CRL of a CA with one certificate, if it was revoked by then. keeps
// says since when expired certificates stay in it.
func (p *party) listOf(about *party, at, next time.Time, s standing, keeps time.Time) []byte {
	return p.seal(func(b *cryptobyte.Builder, id []byte) {
		b.AddASN1Int64(1)
		b.AddBytes(id)
		addName(b, p.name)
		b.AddASN1GeneralizedTime(at)
		b.AddASN1GeneralizedTime(next)
		if !s.revoked.IsZero() && !s.revoked.After(at) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1BigInt(about.cert.Serial)
					b.AddASN1GeneralizedTime(s.revoked)
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						addExtension(b, asn1.ObjectIdentifier{2, 5, 29, 21}, false, func(b *cryptobyte.Builder) { b.AddASN1Enum(s.reason()) })
					})
				})
			})
		}
		b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addExtension(b, asn1.ObjectIdentifier{2, 5, 29, 20}, false, func(b *cryptobyte.Builder) { b.AddASN1Int64(at.Unix()) })
				if !keeps.IsZero() {
					addExtension(b, asn1.ObjectIdentifier{2, 5, 29, 60}, false, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(keeps) })
				}
			})
		})
	})
}

// signatureBy is a signature as a reader would have found it.
func (p *party) signatureBy(id string, verified bool) facts.Signature {
	row, err := algo.SignatureFor(p.key.Public(), p.digest)
	must(err)
	return facts.Signature{
		ID: id, At: "/" + id, Value: []byte(id), SignedBytes: []byte(id),
		DigestAlgorithm: facts.Algorithm{Name: p.digest.Name}, SignatureAlgorithm: facts.Algorithm{Name: row.Name},
		Covers:     []facts.Covered{{Name: "content", Algorithm: p.digest.Name, Found: true, Intact: true}},
		References: [][]facts.Reference{{{Version: 2, Algorithm: facts.Algorithm{Name: p.digest.Name}}}},
		Candidates: []facts.Candidate{{
			Certificate: facts.Digest(p.cert.Raw), Named: true, Referenced: true, Verified: verified, Code: "signature_invalid",
		}},
	}
}

// tokenBy is a time-stamp as a reader would have found it.
func (p *party) tokenBy(id string, kind facts.TimestampKind, at time.Time, intact, verified bool, covers ...facts.Object) facts.Timestamp {
	token := p.signatureBy("token of "+id, verified)
	if !intact {
		covers = nil
	}
	return facts.Timestamp{
		ID: id, Kind: kind, Raw: []byte(id), Time: &at, ImprintName: p.digest.Name,
		ImprintComputed: []byte{1}, ImprintIntact: intact, Covers: covers, Token: &token, Defects: []facts.Finding{},
	}
}

func object(kind facts.ObjectKind, raw []byte) facts.Object {
	return facts.Object{Kind: kind, ID: facts.Digest(raw)}
}
