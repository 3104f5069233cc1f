package ades

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// Reference is a reference by digest in complete-certificate-references or
// complete-revocation-references (EN 319 122-1 §A.1.1.1, §A.1.2.1). What the
// references say beside the digest is passed over: the digest alone decides.
type Reference struct {
	Algorithm algo.Identifier
	Hash      []byte
}

// ReadCertificateReferences reads CompleteCertificateRefs, a SEQUENCE OF
// OtherCertID.
func ReadCertificateReferences(value []byte) ([]Reference, error) {
	const name = "complete-certificate-references"
	s := cryptobyte.String(value)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, malformed(name, "not a SEQUENCE OF OtherCertID")
	}
	var out []Reference
	for !list.Empty() {
		var id cryptobyte.String
		if !list.ReadASN1(&id, cbasn1.SEQUENCE) {
			return nil, malformed(name, "element %d is not an OtherCertID", len(out))
		}
		r, ok := readOtherHash(&id)
		if !ok {
			return nil, malformed(name, "element %d has no digest", len(out))
		}
		if len(out) == valuesMax {
			return nil, fault.New(fault.CMSLimit, "/unsignedAttrs/"+name, "more than %d", valuesMax)
		}
		out = append(out, r)
	}
	return out, nil
}

// readOtherHash reads OtherHash: a bare OCTET STRING is SHA-1, else the
// algorithm stands before the value (RFC 5126 §5.8.1).
func readOtherHash(s *cryptobyte.String) (Reference, bool) {
	r := Reference{Algorithm: algo.Identifier{OID: algo.SHA1.OID}}
	if s.PeekASN1Tag(cbasn1.OCTET_STRING) {
		return r, s.ReadASN1Bytes(&r.Hash, cbasn1.OCTET_STRING)
	}
	var pair cryptobyte.String
	var ok bool
	if !s.ReadASN1(&pair, cbasn1.SEQUENCE) {
		return r, false
	}
	r.Algorithm, ok = algo.ReadIdentifier(&pair)
	return r, ok && pair.ReadASN1Bytes(&r.Hash, cbasn1.OCTET_STRING) && pair.Empty()
}

// ReadRevocationReferences reads CompleteRevocationRefs, a SEQUENCE OF CrlOcspRef
// (RFC 5126 §6.2.2).
func ReadRevocationReferences(value []byte) (crls, ocsps []Reference, err error) {
	const name = "complete-revocation-references"
	s := cryptobyte.String(value)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, nil, malformed(name, "not a SEQUENCE OF CrlOcspRef")
	}
	for count := 0; !list.Empty(); count++ {
		var ref cryptobyte.String
		if !list.ReadASN1(&ref, cbasn1.SEQUENCE) {
			return nil, nil, malformed(name, "element %d is not a CrlOcspRef", count)
		}
		for n, into := range []*[]Reference{&crls, &ocsps} {
			var field cryptobyte.String
			var present bool
			if !ref.ReadOptionalASN1(&field, &present, explicit(uint8(n))) {
				return nil, nil, malformed(name, "element %d, field [%d]", count, n)
			}
			if present && !readListID(field, n, into) {
				return nil, nil, malformed(name, "element %d, field [%d] is not a list of references", count, n)
			}
		}
		var other cryptobyte.String
		var present bool
		if !ref.ReadOptionalASN1(&other, &present, explicit(2)) || !ref.Empty() {
			return nil, nil, malformed(name, "element %d, something follows the last field", count)
		}
		if len(crls)+len(ocsps) > valuesMax || count == valuesMax {
			return nil, nil, fault.New(fault.CMSLimit, "/unsignedAttrs/"+name, "more than %d", valuesMax)
		}
	}
	return crls, ocsps, nil
}

// readListID reads CRLListID (0) or OcspListID (1): a SEQUENCE around a SEQUENCE
// OF CrlValidatedID, which begins with the digest, or of OcspResponsesID, which
// may end with one.
func readListID(field cryptobyte.String, kind int, into *[]Reference) bool {
	var outer, list cryptobyte.String
	if !field.ReadASN1(&outer, cbasn1.SEQUENCE) || !field.Empty() || !outer.ReadASN1(&list, cbasn1.SEQUENCE) || !outer.Empty() {
		return false
	}
	for !list.Empty() {
		var id cryptobyte.String
		if !list.ReadASN1(&id, cbasn1.SEQUENCE) || len(*into) > valuesMax {
			return false
		}
		if kind == 1 {
			if !id.SkipASN1(cbasn1.SEQUENCE) { // OcspIdentifier
				return false
			}
			if id.Empty() {
				continue // named by responder and time alone
			}
		}
		r, ok := readOtherHash(&id)
		if !ok {
			return false
		}
		*into = append(*into, r)
	}
	return true
}

// SignaturePolicy is a signature-policy-identifier (EN 319 122-1 §5.2.9).
type SignaturePolicy struct {
	Implied   bool // the policy follows from the content or the circumstances
	ID        asn1.ObjectIdentifier
	Algorithm algo.Identifier
	Hash      []byte
	URI       string // where the signer says that the policy can be got; "" if nowhere
}

// ReadSignaturePolicy reads SignaturePolicy.
func ReadSignaturePolicy(value []byte) (SignaturePolicy, error) {
	var p SignaturePolicy
	s := cryptobyte.String(value)
	if s.PeekASN1Tag(cbasn1.NULL) {
		p.Implied = true
		if !s.SkipASN1(cbasn1.NULL) || !s.Empty() {
			return p, policyMalformed("something follows NULL")
		}
		return p, nil
	}
	var body, hash, qualifiers cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() || !body.ReadASN1ObjectIdentifier(&p.ID) {
		return p, policyMalformed("not a SignaturePolicyId")
	}
	if body.Empty() {
		return p, nil // the digest was mandatory once; who left it out named the policy still
	}
	var ok bool
	if !body.ReadASN1(&hash, cbasn1.SEQUENCE) {
		return p, policyMalformed("no digest")
	}
	if p.Algorithm, ok = algo.ReadIdentifier(&hash); !ok || !hash.ReadASN1Bytes(&p.Hash, cbasn1.OCTET_STRING) || !hash.Empty() {
		return p, policyMalformed("the digest is malformed")
	}
	if body.Empty() {
		return p, nil
	}
	if !body.ReadASN1(&qualifiers, cbasn1.SEQUENCE) || !body.Empty() {
		return p, policyMalformed("the qualifiers are malformed")
	}
	for !qualifiers.Empty() {
		var qualifier, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !qualifiers.ReadASN1(&qualifier, cbasn1.SEQUENCE) || !qualifier.ReadASN1ObjectIdentifier(&oid) {
			return p, policyMalformed("a qualifier is malformed")
		}
		if oid.Equal(oidURI) && qualifier.ReadASN1(&value, cbasn1.IA5String) {
			p.URI = string(value)
		}
	}
	return p, nil
}

func policyMalformed(what string) error {
	return fault.New(fault.AttributeMalformed, "/signedAttrs/signature-policy-identifier", "%s", what)
}
