package tsp

import (
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// requestSizeMax bounds a request: an imprint and some numbers.
const requestSizeMax = 64 << 10

// ParseRequest reads a TimeStampReq (RFC 3161 §2.4.1). A digest that is not
// known, an imprint of another length than its digest's and an extension of any
// kind (none is standard) are refused by their own codes: algorithm_unsupported,
// timestamp_unreadable and timestamp_extension_unknown. An object identifier whose
// numbers are too large for anything that we know (2.25 begins with a UUID) is that
// of an unknown thing, and not malformed.
func ParseRequest(der []byte) (*Request, error) {
	if len(der) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "no request")
	}
	if len(der) > requestSizeMax {
		return nil, fault.New(fault.InputTooBig, "", "a request of %d bytes, at most %d", len(der), requestSizeMax)
	}
	input := cryptobyte.String(der)
	var body, element, imprint cryptobyte.String
	var version int
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() || !body.ReadASN1Integer(&version) || version != 1 {
		return nil, unreadable("not a TimeStampReq of version 1")
	}
	r := &Request{}
	var id algo.Identifier
	var ok bool
	if !body.ReadASN1Element(&element, cbasn1.SEQUENCE) {
		return nil, unreadable("the imprint is malformed")
	}
	r.RawImprint = element
	element.ReadASN1(&imprint, cbasn1.SEQUENCE)
	parts := imprint
	if id, ok = algo.ReadIdentifier(&imprint); !ok && hasLargeOID(parts) {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "a digest by an identifier of large numbers")
	}
	if !ok || !imprint.ReadASN1Bytes(&r.Imprint, cbasn1.OCTET_STRING) || !imprint.Empty() {
		return nil, unreadable("the imprint is malformed")
	}
	if err := r.parseOptions(&body); err != nil {
		return nil, err
	}
	var err error
	if r.Digest, err = algo.DigestByIdentifier(id); err != nil {
		return nil, err
	}
	if len(r.Imprint) != r.Digest.Size() {
		return nil, unreadable("an imprint of %d bytes for %s", len(r.Imprint), r.Digest.Name)
	}
	return r, nil
}

// parseOptions reads the optional fields in their order.
func (r *Request) parseOptions(body *cryptobyte.String) error {
	options := *body
	if body.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) && !body.ReadASN1ObjectIdentifier(&r.Policy) {
		if isLargeOID(options) {
			return fault.New(fault.TSAPolicyUnaccepted, "", "an identifier of large numbers")
		}
		return unreadable("the policy is malformed")
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) {
		r.Nonce, r.RawNonce = new(big.Int), *body
		if !body.ReadASN1Integer(r.Nonce) || r.Nonce.BitLen() > 8*nonceMax {
			return unreadable("the nonce is malformed, or longer than %d bytes", nonceMax)
		}
		r.RawNonce = r.RawNonce[:len(r.RawNonce)-len(*body)]
	}
	if body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&r.CertReq) {
		return unreadable("certReq is malformed")
	}
	var list cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&list, &present, explicit(0)) || !body.Empty() || present && list.Empty() {
		return unreadable("malformed end")
	}
	extensions, err := cert.ReadExtensions(list)
	if err != nil && hasLargeOID(list) {
		return fault.New(fault.TimestampExtensionUnknown, "", "an identifier of large numbers")
	}
	if err != nil {
		return fault.Wrap(err, fault.TimestampUnreadable, "", "read extensions")
	}
	for _, e := range extensions {
		return fault.New(fault.TimestampExtensionUnknown, "", "extension %s", e.OID)
	}
	return nil
}

// hasLargeOID reports whether one of the SEQUENCEs that s begins with begins with an
// object identifier of large numbers.
func hasLargeOID(s cryptobyte.String) bool {
	var body cryptobyte.String
	for s.PeekASN1Tag(cbasn1.SEQUENCE) && s.ReadASN1(&body, cbasn1.SEQUENCE) {
		if isLargeOID(body) {
			return true
		}
	}
	return false
}

// isLargeOID reports whether s begins with an object identifier that is well-formed
// (X.690 §8.19) and has a number of more than 31 bits, which no identifier of ours
// has and cryptobyte does not read.
func isLargeOID(s cryptobyte.String) bool {
	var content cryptobyte.String
	var oid asn1.ObjectIdentifier
	element := s
	if !s.ReadASN1(&content, cbasn1.OBJECT_IDENTIFIER) || content.Empty() || content[len(content)-1]&0x80 != 0 {
		return false
	}
	begins := true // of a number, which has no leading zeros
	for _, octet := range content {
		if begins && octet == 0x80 {
			return false
		}
		begins = octet&0x80 == 0
	}
	return !element.ReadASN1ObjectIdentifier(&oid)
}
