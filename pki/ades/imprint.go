package ades

import (
	"bytes"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/cms"
)

// ArchiveInputV3 gives what the imprint of an archive-time-stamp-v3 is over
// (EN 319 122-1 §5.5.3): the type of the content, the digest of the content by
// the imprint's own algorithm, the fields of the SignerInfo from version to
// signature as they are encoded, and the hash index.
func ArchiveInputV3(m *cms.Message, s *cms.Signer, contentDigest []byte, index *HashIndex) []byte {
	return slices.Concat(marshalOID(m.ContentType), contentDigest, s.Fields(), index.Raw)
}

// ArchiveInputV2 gives what the imprint of an archive-time-stamp-v2 is over
// (TS 101 733 §6.4.1), in two parts: between them goes the content if the message
// is detached, and nothing if it is attached, since the first part holds it then.
// skip says which unsigned attributes came later than the time-stamp, itself
// included.
func ArchiveInputV2(m *cms.Message, s *cms.Signer, skip func(cms.Attribute) bool) (before, after []byte) {
	after = slices.Concat(m.CertificateSet(), m.RevocationSet(), s.Fields())
	var attributes cryptobyte.Builder
	some := false
	attributes.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
		for _, a := range s.UnsignedAttributes {
			if !skip(a) {
				some = true
				b.AddBytes(a.Raw)
			}
		}
	})
	if some {
		after = append(after, attributes.BytesOrPanic()...)
	}
	return m.EncapsulatedContentInfo(), after
}

// CAdESCInputs gives what the imprint of a CAdES-C-time-stamp may be over
// (EN 319 122-1 §A.1.5.2): the signature value, the signature time-stamps and the
// complete references; first in the standard's order, then, where it differs, in
// the order in which the message has them, as some producers do.
func CAdESCInputs(s *cms.Signer) [][]byte {
	types := []asn1.ObjectIdentifier{cms.OIDSignatureTimestamp, cms.OIDCertificateRefs, cms.OIDRevocationRefs}
	inputs := [][]byte{}
	for _, bodies := range attributeBodies(s, types) {
		inputs = append(inputs, slices.Concat(s.Signature, bodies))
	}
	return inputs
}

// ReferencesInputs gives what the imprint of time-stamped-certs-crls-references
// may be over (EN 319 122-1 §A.1.5.1): the complete references, in those orders.
func ReferencesInputs(s *cms.Signer) [][]byte {
	return attributeBodies(s, []asn1.ObjectIdentifier{cms.OIDCertificateRefs, cms.OIDRevocationRefs})
}

// attributeBodies gives the type and the set of values of each attribute of the
// types, without the header of the attribute (§A.1.5: "without the type or length
// encoding"), in the order of the types and in the order sent.
func attributeBodies(s *cms.Signer, types []asn1.ObjectIdentifier) [][]byte {
	var standard, sent []byte
	for _, oid := range types {
		for _, a := range s.Unsigned(oid) {
			standard = append(standard, body(a)...)
		}
	}
	for _, a := range s.UnsignedAttributes {
		if slices.ContainsFunc(types, a.Type.Equal) {
			sent = append(sent, body(a)...)
		}
	}
	if bytes.Equal(standard, sent) {
		return [][]byte{standard}
	}
	return [][]byte{standard, sent}
}

func body(a cms.Attribute) []byte {
	raw, inner := cryptobyte.String(a.Raw), cryptobyte.String(nil)
	raw.ReadASN1(&inner, cbasn1.SEQUENCE) // holds: it was read so before
	return inner
}
