package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Template says what to sign and how.
type Template struct {
	Content []byte
	// ContentDigest is given instead of Content where that is too long to be held: a
	// digest of it by Digest. The message is detached then; WriteAttached puts the
	// content in.
	ContentDigest []byte
	ContentType   asn1.ObjectIdentifier // nil means id-data
	Detached      bool                  // the content is signed and not carried

	Certificate []byte   // the signer's, in DER
	Chain       [][]byte // further certificates to carry, in DER
	// OmitCertificates carries none at all: a time-stamping authority asked
	// without certReq must not send its own (RFC 3161 §2.4.1).
	OmitCertificates bool

	// Digest is for the content and the attributes; nil means the one of a GOST
	// key, and SHA-256 for any other.
	Digest *algo.Digest
	// SigningTime is claimed in an attribute; the zero time claims none.
	SigningTime time.Time
	// SignedAttributes are added to contentType, messageDigest, signingTime and
	// signingCertificateV2, which are always the writer's own.
	SignedAttributes []Attribute

	// Random feeds key types that need it; nil means the system's.
	Random io.Reader
}

// Sign makes a SignedData with one signer, in DER. The key may live anywhere:
// only the digest of the attributes goes to it, to Ed25519 the attributes
// themselves. The result is checked with the certificate's public key before it
// is returned, so a wrong pair, or a token that answers with rubbish, never
// produces a message.
func Sign(t Template, key crypto.Signer) ([]byte, error) {
	if t.ContentType == nil {
		t.ContentType = OIDData
	}
	if t.Random == nil {
		t.Random = rand.Reader
	}
	if t.Digest == nil {
		t.Digest = algo.DigestFor(key.Public())
	}
	if t.ContentDigest != nil {
		if t.Content != nil || len(t.ContentDigest) != t.Digest.Size() {
			return nil, fault.New(fault.BadArgument, "/content", "a digest of %d bytes, and content beside it or another algorithm", len(t.ContentDigest))
		}
		t.Detached = true
	}
	certificate, err := cert.Parse(t.Certificate)
	if err != nil {
		return nil, err
	}
	if err := pair(key, certificate); err != nil {
		return nil, err
	}
	algorithm, err := algo.SignatureFor(key.Public(), t.Digest)
	if err != nil {
		return nil, err
	}
	signed, err := t.signedAttributes()
	if err != nil {
		return nil, err
	}
	value, err := key.Sign(t.Random, algorithm.Input(signed), algorithm.SignerOpts())
	if err != nil {
		return nil, fault.Wrap(err, fault.SigningFailed, "", "the key did not sign")
	}
	if err := algorithm.VerifyMessage(certificate.PublicKey, signed, value); err != nil {
		return nil, fault.Wrap(err, fault.SigningFailed, "", "the key's answer does not verify")
	}
	info, err := t.signerInfo(certificate, signed, algorithm.Identifier(), value)
	if err != nil {
		return nil, err
	}
	return t.message(info)
}

// pair refuses a key that is not the certificate's.
func pair(key crypto.Signer, c *cert.Certificate) error {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || c.PublicKey == nil {
		return fault.New(fault.AlgorithmUnsupported, "/certificate", "no supported public key")
	}
	if !public.Equal(c.PublicKey) {
		return fault.New(fault.KeyCertificateMismatch, "/certificate", "the certificate holds another public key")
	}
	return nil
}

// signedAttributes writes the attributes as the SET OF that is signed.
func (t Template) signedAttributes() ([]byte, error) {
	attributes := make([]Attribute, 0, 4+len(t.SignedAttributes))
	var err error
	add := func(oid asn1.ObjectIdentifier, value []byte, e error) {
		if e != nil && err == nil {
			err = e
		}
		attributes = append(attributes, Attribute{Type: oid, Values: [][]byte{value}})
	}
	value, e := marshal(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(t.ContentType) })
	add(OIDContentType, value, e)
	digest := t.ContentDigest
	if digest == nil {
		digest = t.Digest.Sum(t.Content)
	}
	value, e = marshal(func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) })
	add(OIDMessageDigest, value, e)
	value, e = marshalReference(t.Certificate)
	add(OIDSigningCertificateV2, value, e)
	if !t.SigningTime.IsZero() {
		value, e = marshalTime(t.SigningTime)
		add(OIDSigningTime, value, e)
	}
	if err != nil {
		return nil, err
	}
	for _, a := range t.SignedAttributes {
		for _, own := range attributes {
			if a.Type.Equal(own.Type) {
				return nil, fault.New(fault.AttributeDuplicate, "/signedAttrs/"+a.Type.String(), "given twice")
			}
		}
		attributes = append(attributes, a)
	}
	encoded := make([][]byte, len(attributes))
	for i, a := range attributes {
		if encoded[i], err = a.marshal(); err != nil {
			return nil, err
		}
	}
	return marshalSet(cbasn1.SET, encoded)
}

func marshal(write func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	write(&b)
	return b.Bytes()
}

// marshalTime writes a Time of §11.3: UTCTime through 2049, GeneralizedTime
// after, whole seconds.
func marshalTime(at time.Time) ([]byte, error) {
	at = at.UTC().Truncate(time.Second)
	return marshal(func(b *cryptobyte.Builder) {
		if at.Year() >= 1950 && at.Year() < 2050 {
			b.AddASN1UTCTime(at)
		} else {
			b.AddASN1GeneralizedTime(at)
		}
	})
}

func (t Template) signerInfo(c *cert.Certificate, signed []byte, signature algo.Identifier, value []byte) ([]byte, error) {
	implicit := bytes.Clone(signed)
	implicit[0] = byte(tagSignedAttributes)
	return marshal(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1) // issuerAndSerialNumber, §5.3
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(c.RawIssuer)
				b.AddASN1BigInt(c.Serial)
			})
			t.Digest.Identifier().AddTo(b)
			b.AddBytes(implicit)
			signature.AddTo(b)
			b.AddASN1OctetString(value)
		})
	})
}

// message writes the ContentInfo around one SignerInfo. The version is 3 for
// content other than id-data, else 1 (§5.1).
func (t Template) message(info []byte) ([]byte, error) {
	version := int64(3)
	if t.ContentType.Equal(OIDData) {
		version = 1
	}
	certificates, err := marshalSet(tagCertificates, append([][]byte{t.Certificate}, t.Chain...))
	if err != nil {
		return nil, err
	}
	return marshal(func(b *cryptobyte.Builder) {
		addContentInfo(b, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(version)
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { t.Digest.Identifier().AddTo(b) })
			t.addContent(b)
			if !t.OmitCertificates {
				b.AddBytes(certificates)
			}
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(info) })
		})
	})
}

func (t Template) addContent(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(t.ContentType)
		if !t.Detached {
			b.AddASN1(tagContent, func(b *cryptobyte.Builder) { b.AddASN1OctetString(t.Content) })
		}
	})
}

// WriteAttached writes a detached message in DER with its content inside, of which
// it reads size bytes and never holds them. It does not look whether the content is
// what was signed.
func WriteAttached(w io.Writer, detached []byte, content io.Reader, size int64) error {
	m, err := Parse(detached)
	switch {
	case err != nil:
		return err
	case m.BER || !m.Detached || size < 0:
		return fault.New(fault.BadArgument, "/", "not a detached message in DER, or content of no size")
	}
	before := append(slices.Clone(fieldsBeforeContent(m.head)), contentPrefix(marshalOID(m.ContentType), size)...)
	after := slices.Concat(m.rawCertificates, m.rawRevocation, m.rawSigners)
	before = append(contentInfoHeader(int64(len(before)+len(after))+size), before...)
	if _, err := w.Write(before); err != nil {
		return fault.Wrap(err, fault.Unreadable, "", "write the message")
	}
	if _, err := io.CopyN(w, content, size); err != nil {
		return fault.Wrap(err, fault.Unreadable, "", "write the content")
	}
	if _, err := w.Write(after); err != nil {
		return fault.Wrap(err, fault.Unreadable, "", "write the message")
	}
	return nil
}

func marshalOID(oid asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(oid)
	return b.BytesOrPanic() // an identifier that was read can be written
}
