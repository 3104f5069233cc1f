package ades

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// valuesMax bounds the certificates, CRLs or answers in one attribute, and the
// references likewise: a signature with its time-stamps needs some twenty.
const valuesMax = 1024

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func malformed(attribute, format string, args ...any) error {
	return fault.New(fault.AttributeMalformed, "/unsignedAttrs/"+attribute, format, args...)
}

// ReadCertificateValues reads certificate-values (EN 319 122-1 §A.1.1.2): the
// certificates, as sent.
func ReadCertificateValues(value []byte) ([][]byte, error) {
	const name = "certificate-values"
	s := cryptobyte.String(value)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, malformed(name, "not a SEQUENCE OF Certificate")
	}
	return readElements(list, name)
}

// readElements splits a list of SEQUENCEs.
func readElements(list cryptobyte.String, name string) ([][]byte, error) {
	var out [][]byte
	for !list.Empty() {
		var element cryptobyte.String
		if !list.ReadASN1Element(&element, cbasn1.SEQUENCE) {
			return nil, malformed(name, "element %d is not a SEQUENCE", len(out))
		}
		if len(out) == valuesMax {
			return nil, fault.New(fault.CMSLimit, "/unsignedAttrs/"+name, "more than %d", valuesMax)
		}
		out = append(out, element)
	}
	return out, nil
}

// MarshalCertificateValues writes certificate-values.
func MarshalCertificateValues(certificates [][]byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addAll(b, certificates) })
	return b.Bytes()
}

func addAll(b *cryptobyte.Builder, elements [][]byte) {
	for _, e := range elements {
		b.AddBytes(e)
	}
}

// RevocationValues is revocation-values (EN 319 122-1 §A.1.2.2).
type RevocationValues struct {
	CRLs  [][]byte // CertificateLists
	OCSPs [][]byte // BasicOCSPResponses
	Other int      // values of other kinds, passed over
}

// ReadRevocationValues reads revocation-values.
func ReadRevocationValues(value []byte) (RevocationValues, error) {
	const name = "revocation-values"
	var v RevocationValues
	s := cryptobyte.String(value)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return v, malformed(name, "not a SEQUENCE")
	}
	for n, into := range []*[][]byte{&v.CRLs, &v.OCSPs} {
		var wrapped, list cryptobyte.String
		var present bool
		if !body.ReadOptionalASN1(&wrapped, &present, explicit(uint8(n))) {
			return v, malformed(name, "field [%d]", n)
		}
		if !present {
			continue
		}
		if !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() {
			return v, malformed(name, "field [%d] is not a list", n)
		}
		var err error
		if *into, err = readElements(list, name); err != nil {
			return v, err
		}
	}
	var other cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&other, &present, explicit(2)) || !body.Empty() {
		return v, malformed(name, "something follows the last field")
	}
	if present {
		v.Other = 1
	}
	return v, nil
}

// Marshal writes revocation-values. An OCSP answer may be given as a whole
// OCSPResponse, of which the attribute takes the BasicOCSPResponse.
func (v RevocationValues) Marshal() ([]byte, error) {
	answers := make([][]byte, len(v.OCSPs))
	for i, raw := range v.OCSPs {
		var err error
		if answers[i], err = BasicOCSPResponse(raw); err != nil {
			return nil, err
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for n, list := range [][][]byte{v.CRLs, answers} {
			if len(list) == 0 {
				continue
			}
			b.AddASN1(explicit(uint8(n)), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addAll(b, list) })
			})
		}
	})
	return b.Bytes()
}

// BasicOCSPResponse gives the BasicOCSPResponse of an OCSPResponse (RFC 6960
// §4.2.1), or raw itself if it is one.
func BasicOCSPResponse(raw []byte) ([]byte, error) {
	unreadable := func() ([]byte, error) {
		return nil, fault.New(fault.OCSPUnreadable, "", "neither an OCSPResponse of success nor a BasicOCSPResponse")
	}
	s := cryptobyte.String(raw)
	var body, wrapped, bytes, basic cryptobyte.String
	var status int
	var kind asn1.ObjectIdentifier
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return unreadable()
	}
	if !body.PeekASN1Tag(cbasn1.ENUM) {
		return raw, nil
	}
	if !body.ReadASN1Enum(&status) || status != 0 || !body.ReadASN1(&wrapped, explicit(0)) || !body.Empty() ||
		!wrapped.ReadASN1(&bytes, cbasn1.SEQUENCE) || !wrapped.Empty() ||
		!bytes.ReadASN1ObjectIdentifier(&kind) || !bytes.ReadASN1(&basic, cbasn1.OCTET_STRING) || !bytes.Empty() {
		return unreadable()
	}
	return basic, nil
}
