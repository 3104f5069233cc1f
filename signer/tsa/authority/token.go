package authority

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
)

// encoded are the parts of a token that are alike in all of a unit's: what
// differs is put between them by hand, because encoding all of it anew takes
// longer than to sign it.
type encoded struct {
	infoHead []byte // TSTInfo: version, policy
	accuracy []byte
	name     []byte // tsa

	attributes []byte // SET OF, with a digest of zeros
	digestAt   int    // where that is

	messageHead  []byte // SignedData: version, digestAlgorithms
	certificates []byte // with certReq
	signerHead   []byte // SignerInfo: version, sid, digestAlgorithm
	signerTail   []byte // signatureAlgorithm
}

var (
	contentInfoHead  = der(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(cms.OIDSignedData) })
	encapContentHead = der(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(cms.OIDTSTInfo) })
	granted          = der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
	})
)

// der encodes what cannot fail to be encoded: constants, and what was read as DER.
func der(write func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	write(&b)
	return b.BytesOrPanic()
}

// Tags. Those of cryptobyte are of one byte, as all here are.
const (
	tagExplicit0 = 0xa0
	tagSequence  = 0x30
	tagSet       = 0x31
	tagOctets    = 0x04
	tagInteger   = 0x02
	tagTime      = 0x18 // GeneralizedTime
)

func encode(p *policy, u *unit, chain []*cert.Certificate) (encoded, error) {
	c := u.certificate
	e := encoded{
		infoHead: der(func(b *cryptobyte.Builder) { b.AddASN1Int64(1); b.AddASN1ObjectIdentifier(p.OID) }),
		accuracy: der(func(b *cryptobyte.Builder) { addAccuracy(b, p.Accuracy) }),
		// tsa [0] EXPLICIT GeneralName, directoryName [4] EXPLICIT (RFC 5280 §4.2.1.6).
		name: der(func(b *cryptobyte.Builder) {
			b.AddASN1(tagExplicit0, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(c.RawSubject) })
			})
		}),
		messageHead: der(func(b *cryptobyte.Builder) {
			b.AddASN1Int64(3) // the content is not id-data (RFC 5652 §5.1)
			b.AddASN1(cbasn1.SET, u.algorithm.Digest.IdentifierBeside(c.PublicKey).AddTo)
		}),
		signerHead: der(func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			addIssuerSerial(b, c, false)
			u.algorithm.Digest.IdentifierBeside(c.PublicKey).AddTo(b)
		}),
		signerTail: der(u.algorithm.Identifier().AddTo),
	}
	carried := [][]byte{c.Raw}
	for _, c := range chain {
		carried = append(carried, c.Raw)
	}
	e.certificates = setOf(tagExplicit0, carried)
	digest := make([]byte, u.algorithm.Digest.Size())
	e.attributes = setOf(tagSet, [][]byte{
		attribute(cms.OIDContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(cms.OIDTSTInfo) }),
		attribute(cms.OIDMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) }),
		attribute(cms.OIDSigningCertificateV2, func(b *cryptobyte.Builder) { addCertificateReference(b, c) }),
	})
	// Attributes are in the order of their encodings (X.690 §11.6); their lengths
	// and types differ, so the digest itself changes nothing in it.
	mark := append([]byte{tagOctets, byte(len(digest))}, digest...)
	at := bytes.Index(e.attributes, mark)
	if at < 0 || bytes.Count(e.attributes, mark) != 1 {
		return e, fault.New(fault.Internal, "", "the digest has no place of its own in the signed attributes")
	}
	e.digestAt = at + 2
	return e, nil
}

// addAccuracy writes seconds, millis [0] and micros [1], each only if not zero
// (RFC 3161 §2.4.2).
func addAccuracy(b *cryptobyte.Builder, accuracy time.Duration) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, part := range []struct {
			value int64
			tag   cbasn1.Tag
		}{
			{int64(accuracy / time.Second), cbasn1.INTEGER},
			{int64(accuracy % time.Second / time.Millisecond), cbasn1.Tag(0).ContextSpecific()},
			{int64(accuracy % time.Millisecond / time.Microsecond), cbasn1.Tag(1).ContextSpecific()},
		} {
			if part.value > 0 {
				b.AddASN1Int64WithTag(part.value, part.tag)
			}
		}
	})
}

// addIssuerSerial names a certificate: for the SignerIdentifier by the plain
// Name, for an ESSCertIDv2 by GeneralNames (RFC 5035 §5).
func addIssuerSerial(b *cryptobyte.Builder, c *cert.Certificate, general bool) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if general {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(c.RawIssuer) })
			})
		} else {
			b.AddBytes(c.RawIssuer)
		}
		b.AddASN1BigInt(c.Serial)
	})
}

// addCertificateReference writes SigningCertificateV2 (RFC 5816 §2.2.1) with one
// ESSCertIDv2 by SHA-256, the default that DER leaves out.
func addCertificateReference(b *cryptobyte.Builder, c *cert.Certificate) {
	hash := c.Fingerprint()
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(hash[:])
				addIssuerSerial(b, c, true)
			})
		})
	})
}

func attribute(oid asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddASN1(cbasn1.SET, value)
		})
	})
}

// setOf writes a SET OF under a tag, its elements in DER's order.
func setOf(tag byte, elements [][]byte) []byte {
	slices.SortFunc(elements, bytes.Compare)
	content := bytes.Join(elements, nil)
	return append(appendHeader(nil, tag, len(content)), content...)
}

// appendHeader writes a tag and a length.
func appendHeader(to []byte, tag byte, length int) []byte {
	switch {
	case length < 0x80:
		return append(to, tag, byte(length))
	case length < 0x100:
		return append(to, tag, 0x81, byte(length))
	case length < 0x10000:
		return append(to, tag, 0x82, byte(length>>8), byte(length))
	}
	return append(to, tag, 0x83, byte(length>>16), byte(length>>8), byte(length))
}

// lengthOf is how long an element with that much content is.
func lengthOf(content int) int {
	switch {
	case content < 0x80:
		return 2 + content
	case content < 0x100:
		return 3 + content
	case content < 0x10000:
		return 4 + content
	}
	return 5 + content
}

// info writes the TSTInfo (RFC 3161 §2.4.2).
func (u *unit) info(q *Query, s *Stamp) []byte {
	text := generalizedTime(s.Time)
	content := len(u.infoHead) + len(q.RawImprint) + lengthOf(SerialBytes) + lengthOf(len(text)) + len(u.accuracy) + len(q.RawNonce) + len(u.name)
	out := appendHeader(make([]byte, 0, lengthOf(content)), tagSequence, content)
	out = append(out, u.infoHead...)
	out = append(out, q.RawImprint...)
	out = append(appendHeader(out, tagInteger, SerialBytes), s.Serial[:]...)
	out = append(appendHeader(out, tagTime, len(text)), text...)
	out = append(out, u.accuracy...)
	out = append(out, q.RawNonce...) // ordering is false, which DER leaves out
	return append(out, u.name...)
}

// generalizedTime writes a time to the millisecond, without trailing zeros
// (X.690 §11.7).
func generalizedTime(at time.Time) []byte {
	text := at.AppendFormat(make([]byte, 0, 24), "20060102150405.000")
	text = bytes.TrimRight(text, "0")
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	return append(text, 'Z')
}

// signedAttributes are the attributes of a token over info, as the SET OF that is
// signed.
func (u *unit) signedAttributes(info []byte) []byte {
	out := bytes.Clone(u.attributes)
	copy(out[u.digestAt:], u.algorithm.Digest.Sum(info))
	return out
}

// reply writes the TimeStampResp; token is the part of it that is the token.
func (u *unit) reply(info, attributes, signature []byte, certReq bool) (reply, token []byte) {
	var certificates []byte
	if certReq {
		certificates = u.certificates
	}
	signer := len(u.signerHead) + len(attributes) + len(u.signerTail) + lengthOf(len(signature))
	encap := len(encapContentHead) + lengthOf(lengthOf(len(info)))
	message := len(u.messageHead) + lengthOf(encap) + len(certificates) + lengthOf(lengthOf(signer))
	content := len(contentInfoHead) + lengthOf(lengthOf(message))
	whole := len(granted) + lengthOf(content)

	out := appendHeader(make([]byte, 0, lengthOf(whole)), tagSequence, whole)
	out = append(out, granted...)
	begin := len(out)
	out = append(appendHeader(out, tagSequence, content), contentInfoHead...)
	out = appendHeader(out, tagExplicit0, lengthOf(message))
	out = append(appendHeader(out, tagSequence, message), u.messageHead...)
	out = append(appendHeader(out, tagSequence, encap), encapContentHead...)
	out = appendHeader(out, tagExplicit0, lengthOf(len(info)))
	out = append(appendHeader(out, tagOctets, len(info)), info...)
	out = append(out, certificates...)
	out = appendHeader(out, tagSet, lengthOf(signer))
	out = append(appendHeader(out, tagSequence, signer), u.signerHead...)
	inner := len(out)
	out = append(out, attributes...)
	out[inner] = tagExplicit0 // signedAttrs [0] IMPLICIT
	out = append(out, u.signerTail...)
	out = append(appendHeader(out, tagOctets, len(signature)), signature...)
	return out, out[begin:]
}

// check reads the token as a stranger would, and compares: what we made must be
// what was asked for, and the signature must hold.
func check(u *unit, q *Query, s *Stamp) error {
	token, err := tsp.ParseToken(s.Token)
	if err != nil {
		return fault.Wrap(err, fault.TSATokenBad, "", "read our token")
	}
	digest, err := algo.DigestByIdentifier(token.ImprintAlgorithm)
	switch {
	case err != nil || digest != q.Digest || !bytes.Equal(token.Imprint, q.Imprint):
		return fault.New(fault.TSATokenBad, "", "the imprint is another")
	case !token.Policy.Equal(s.Policy), !token.Time.Equal(s.Time), token.Ordering, token.Accuracy == nil || *token.Accuracy != s.Accuracy:
		return fault.New(fault.TSATokenBad, "", "policy, time, accuracy or ordering is another")
	case !bytes.Equal(token.Serial.Bytes(), s.Serial[:]):
		return fault.New(fault.TSATokenBad, "", "the serial number is another")
	case (token.Nonce == nil) != (q.Nonce == nil) || q.Nonce != nil && token.Nonce.Cmp(q.Nonce) != 0:
		return fault.New(fault.TSATokenBad, "", "the nonce is another")
	}
	if err := token.VerifyBy(u.certificate); err != nil {
		return fault.Wrap(err, fault.TSATokenBad, "", "verify our token")
	}
	return nil
}
