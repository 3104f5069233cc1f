package verifier_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

// forged is a message that cms.Sign would never make, signed by a key that is
// good: what is wrong with it is only what it says.
type forged struct {
	content     []byte
	contentType asn1.ObjectIdentifier // eContentType
	attributes  [][]byte              // encoded, in this order; nil for none
	value       []byte                // instead of a signature of its own
}

// attribute writes one with a single value.
func attribute(oid asn1.ObjectIdentifier, value []byte) []byte {
	return sequence(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(value) })
	})
}

func sequence(write func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, write)
	der, err := b.Bytes()
	must(err)
	return der
}

func octets(content []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1OctetString(content)
	der, err := b.Bytes()
	must(err)
	return der
}

func oidDER(oid asn1.ObjectIdentifier) []byte {
	der, err := asn1.Marshal(oid)
	must(err)
	return der
}

func wrapped(tag cbasn1.Tag, elements ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(elements...)) })
	der, err := b.Bytes()
	must(err)
	return der
}

// make signs and writes the message.
func (f forged) make(e *entity) []byte {
	explicit := cbasn1.Tag(0).ContextSpecific().Constructed()
	over := f.content
	if f.attributes != nil {
		over = wrapped(cbasn1.SET, f.attributes...)
	}
	if f.value == nil {
		sum := sha256.Sum256(over)
		value, err := e.key.Sign(rand.Reader, sum[:], crypto.SHA256)
		must(err)
		f.value = value
	}
	digest := sequence(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1})
	})
	signature := sequence(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}) // ecdsa-with-SHA256
	})
	info := sequence(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(e.cert.RawIssuer)
			b.AddASN1BigInt(e.cert.Serial)
		})
		b.AddBytes(digest)
		if f.attributes != nil {
			b.AddBytes(wrapped(explicit, f.attributes...))
		}
		b.AddBytes(signature)
		b.AddASN1OctetString(f.value)
	})
	return sequence(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(cms.OIDSignedData)
		b.AddBytes(wrapped(explicit, sequence(func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddBytes(wrapped(cbasn1.SET, digest))
			b.AddBytes(sequence(func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(f.contentType)
				b.AddBytes(wrapped(explicit, octets(f.content)))
			}))
			b.AddBytes(wrapped(explicit, e.cert.Raw, e.issuer.cert.Raw))
			b.AddBytes(wrapped(cbasn1.SET, info))
		})))
	})
}

// reference writes a signing-certificate-v2 attribute that names a certificate.
func reference(certificate []byte) []byte {
	sum := sha256.Sum256(certificate)
	return attribute(cms.OIDSigningCertificateV2, sequence(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) })
		})
	}))
}

// Messages that a good key signed and that break the rules all the same.
func TestHostileMessages(t *testing.T) {
	w := theWorld()
	e := issue(w.ca, "Forger", ecKey(), nil)
	doc := []byte("import declaration")
	sum := sha256.Sum256(doc)
	contentType := attribute(cms.OIDContentType, oidDER(cms.OIDData))
	digest := attribute(cms.OIDMessageDigest, octets(sum[:]))
	good := [][]byte{contentType, digest, reference(e.cert.Raw)}
	stolen := parsed(t, e.sign(t, "a contract", nil)).Signers[0]

	for _, tt := range []struct {
		name       string
		message    forged
		indication verifier.Indication
		sub        verifier.SubIndication
		code       fault.Code
	}{
		{"nothing wrong", forged{content: doc, contentType: cms.OIDData, attributes: good}, verifier.TotalPassed, "", ""},
		{"another content type", forged{content: doc, contentType: asn1.ObjectIdentifier{1, 2, 3}, attributes: good}, verifier.TotalFailed, verifier.FormatFailure, fault.ContentTypeMismatch},
		{"no content type", forged{content: doc, contentType: cms.OIDData, attributes: good[1:]}, verifier.TotalFailed, verifier.FormatFailure, fault.AttributeMissing},
		{"no message digest", forged{content: doc, contentType: cms.OIDData, attributes: [][]byte{contentType, good[2]}}, verifier.TotalFailed, verifier.FormatFailure, fault.AttributeMissing},
		{"two message digests", forged{content: doc, contentType: cms.OIDData, attributes: append(good[:3:3], digest)}, verifier.TotalFailed, verifier.FormatFailure, fault.AttributeDuplicate},
		{"no attributes in the set", forged{content: doc, contentType: cms.OIDData, attributes: [][]byte{}}, verifier.TotalFailed, verifier.FormatFailure, fault.AttributeMissing},
		{"a claimed time that is none", forged{content: doc, contentType: cms.OIDData, attributes: append(good[:3:3], attribute(cms.OIDSigningTime, octets(nil)))}, verifier.TotalFailed, verifier.FormatFailure, fault.AttributeMalformed},
		{"two signing-certificate attributes", forged{content: doc, contentType: cms.OIDData, attributes: append(good[:3:3], good[2])}, verifier.Indeterminate, verifier.SigConstraintsFailure, fault.AttributeDuplicate},
		{"a reference to another certificate", forged{content: doc, contentType: cms.OIDData, attributes: [][]byte{contentType, digest, reference(w.signer.cert.Raw)}}, verifier.Indeterminate, verifier.NoSigningCertificate, fault.SignerReferenceMismatch},
		{"attributes for content", forged{content: stolen.SignedAttributesAsSet(), contentType: cms.OIDData, value: stolen.Signature}, verifier.TotalFailed, verifier.FormatFailure, fault.AttributesAsContent},
		{"time-stamp content without attributes", forged{content: doc, contentType: cms.OIDTSTInfo}, verifier.TotalFailed, verifier.FormatFailure, fault.AttributeMissing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := verdict(t, tt.message.make(e), func(h *hearing) {
				h.policy = "kz-qualified"
				h.OCSPs = [][]byte{e.status(now, nil)}
			})
			s := r.Signatures[0]
			if s.Indication != tt.indication || s.SubIndication != tt.sub {
				t.Errorf("%s/%s, want %s/%s: %v", s.Indication, s.SubIndication, tt.indication, tt.sub, s.Errors)
			}
			if tt.code != "" && !slices.Contains(codesOf(s.Errors), tt.code) {
				t.Errorf("errors %v, want %s", codesOf(s.Errors), tt.code)
			}
		})
	}
}

// What nobody signed cannot lend a signature anything: an unsigned attribute of
// a signed one's type is not read as one.
func TestUnsignedAttributesArePassedOver(t *testing.T) {
	w := theWorld()
	message := w.signer.sign(t, "doc", nil)
	for _, a := range []cms.Attribute{
		{Type: cms.OIDSigningTime, Values: [][]byte{append([]byte{0x17, 13}, "200101000000Z"...)}},
		{Type: cms.OIDMessageDigest, Values: [][]byte{octets(make([]byte, 32))}},
		{Type: cms.OIDSigningCertificateV2, Values: [][]byte{{5, 0}}},
	} {
		var err error
		if message, err = cms.AddUnsignedAttribute(message, 0, a); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := verdict(t, message, nil)
	s := r.Signatures[0]
	if s.Indication != verifier.TotalPassed || s.ClaimedTime != now.Add(-10*day).Format("2006-01-02T15:04:05Z07:00") {
		t.Errorf("%s, claimed time %s", s.Indication, s.ClaimedTime)
	}
}
