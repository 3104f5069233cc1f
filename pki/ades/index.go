package ades

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
)

// HashIndex is an ats-hash-index (EN 319 122-1 §5.5.2): the digests of the
// certificates, the revocation values and the unsigned attributes that were
// there when an archive time-stamp was made.
type HashIndex struct {
	Version int // 3; 2 and 1 are older forms
	Digest  *algo.Digest
	// The digests: of each CertificateChoices, of each RevocationInfoChoice, and
	// of each value of each unsigned attribute (version 1: of each attribute).
	Certificates, Revocations, UnsignedAttributes [][]byte

	Raw []byte // the value of the attribute, which the imprint is over
}

var hashIndexes = []struct {
	oid     asn1.ObjectIdentifier
	version int
}{{OIDHashIndexV3, 3}, {OIDHashIndexV2, 2}, {OIDHashIndexV1, 1}}

// ReadHashIndex reads the hash index among the unsigned attributes of a token's
// signer. There must be one, with one value (§5.5.2: "shall be an unsigned
// attribute").
func ReadHashIndex(token *cms.Signer) (*HashIndex, error) {
	var value []byte
	version := 0
	for _, known := range hashIndexes {
		for _, a := range token.Unsigned(known.oid) {
			if version != 0 {
				return nil, fault.New(fault.AttributeDuplicate, "/unsignedAttrs/ats-hash-index", "more than one")
			}
			if len(a.Values) != 1 {
				return nil, malformed("ats-hash-index", "%d values instead of one", len(a.Values))
			}
			version, value = known.version, a.Values[0]
		}
	}
	if version == 0 {
		return nil, fault.New(fault.AttributeMissing, "/unsignedAttrs/ats-hash-index", "absent")
	}
	return parseHashIndex(value, version)
}

func parseHashIndex(value []byte, version int) (*HashIndex, error) {
	const name = "ats-hash-index"
	i := &HashIndex{Version: version, Digest: algo.SHA256, Raw: value}
	s := cryptobyte.String(value)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, malformed(name, "not a SEQUENCE")
	}
	// The algorithm is always there in version 3. Before, SHA-256 was the default;
	// the lists are SEQUENCEs too, but an algorithm begins with its identifier.
	peek := body
	var first cryptobyte.String
	if peek.ReadASN1(&first, cbasn1.SEQUENCE) && first.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) {
		id, ok := algo.ReadIdentifier(&body)
		if !ok {
			return nil, malformed(name, "the algorithm is malformed")
		}
		var err error
		if i.Digest, err = algo.DigestByIdentifier(id); err != nil {
			return nil, err
		}
	} else if version == 3 {
		return nil, malformed(name, "no algorithm")
	}
	for _, list := range []*[][]byte{&i.Certificates, &i.Revocations, &i.UnsignedAttributes} {
		var digests cryptobyte.String
		if !body.ReadASN1(&digests, cbasn1.SEQUENCE) {
			return nil, malformed(name, "not three lists of digests")
		}
		for !digests.Empty() {
			var digest []byte
			if !digests.ReadASN1Bytes(&digest, cbasn1.OCTET_STRING) || len(digest) != i.Digest.Size() {
				return nil, malformed(name, "a digest is malformed")
			}
			if len(*list) == indexMax {
				return nil, fault.New(fault.CMSLimit, "/unsignedAttrs/"+name, "more than %d digests", indexMax)
			}
			*list = append(*list, digest)
		}
	}
	if !body.Empty() {
		return nil, malformed(name, "something follows the last list")
	}
	return i, nil
}

// indexMax bounds one list of an index: more than a message may hold of each.
const indexMax = 4096

// NewHashIndex makes an ats-hash-index-v3 of all that a message and one of its
// signers hold now.
func NewHashIndex(d *algo.Digest, m *cms.Message, s *cms.Signer) (*HashIndex, error) {
	i := &HashIndex{Version: 3, Digest: d}
	for _, raw := range m.CertificateChoices {
		i.Certificates = append(i.Certificates, d.Sum(raw))
	}
	for _, raw := range m.RevocationChoices {
		i.Revocations = append(i.Revocations, d.Sum(raw))
	}
	for _, a := range s.UnsignedAttributes {
		for _, value := range a.Values {
			i.UnsignedAttributes = append(i.UnsignedAttributes, attributeValueDigest(d, a.Type, value))
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		d.Identifier().AddTo(b)
		for _, list := range [][][]byte{i.Certificates, i.Revocations, i.UnsignedAttributes} {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, digest := range list {
					b.AddASN1OctetString(digest)
				}
			})
		}
	})
	var err error
	i.Raw, err = b.Bytes()
	return i, err
}

// Attribute gives the index as the unsigned attribute that a token carries.
func (i *HashIndex) Attribute() cms.Attribute {
	return cms.Attribute{Type: OIDHashIndexV3, Values: [][]byte{i.Raw}}
}

// attributeValueDigest is over the type and the value, one after the other
// (§5.5.2).
func attributeValueDigest(d *algo.Digest, oid asn1.ObjectIdentifier, value []byte) []byte {
	h := d.New()
	h.Write(marshalOID(oid))
	h.Write(value)
	return h.Sum(nil)
}

func marshalOID(oid asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(oid)
	return b.BytesOrPanic() // an identifier that was read can be written
}

// Matching is what an index finds in a message.
type Matching struct {
	// Certificates, Revocations and Attributes are what the index lists: elements
	// of the message's own slices of choices, and values of unsigned attributes.
	Certificates, Revocations [][]byte
	Values                    []AttributeValue

	// Of each list: the digests that are of nothing in the message, and the parts
	// of the message that no digest lists.
	UnknownCertificates, UnknownRevocations, UnknownAttributes int
	LaterCertificates, LaterRevocations, LaterAttributes       int
}

// AttributeValue is one value of one unsigned attribute, by position.
type AttributeValue struct{ Attribute, Value int }

// Complete reports whether everything that the index lists is in the message. If
// not, the time-stamp is to be considered invalid (§5.5.2).
func (m Matching) Complete() bool {
	return m.UnknownCertificates+m.UnknownRevocations+m.UnknownAttributes == 0
}

// Match looks for what the index lists. own is the attribute that carries the
// token, which its index cannot list and which is not counted; -1 for none.
func (i *HashIndex) Match(m *cms.Message, s *cms.Signer, own AttributeValue) Matching {
	var r Matching
	r.Certificates, r.UnknownCertificates, r.LaterCertificates = i.match(i.Certificates, m.CertificateChoices)
	r.Revocations, r.UnknownRevocations, r.LaterRevocations = i.match(i.Revocations, m.RevocationChoices)
	listed := newSet(i.UnsignedAttributes)
	for n, a := range s.UnsignedAttributes {
		whole := i.Version == 1 && listed.take(i.Digest.Sum(a.Raw))
		for v, value := range a.Values {
			at := AttributeValue{n, v}
			switch {
			case whole || i.Version != 1 && listed.take(attributeValueDigest(i.Digest, a.Type, value)):
				r.Values = append(r.Values, at)
			case at != own:
				r.LaterAttributes++
			}
		}
	}
	r.UnknownAttributes = listed.untaken()
	return r
}

func (i *HashIndex) match(digests, parts [][]byte) (found [][]byte, unknown, later int) {
	listed := newSet(digests)
	for _, raw := range parts {
		if listed.take(i.Digest.Sum(raw)) {
			found = append(found, raw)
		} else {
			later++
		}
	}
	return found, listed.untaken(), later
}

// digestSet remembers which of its digests were met. The same part twice is met
// by one digest, and two equal digests by one part.
type digestSet map[string]bool

func newSet(digests [][]byte) digestSet {
	s := make(digestSet, len(digests))
	for _, d := range digests {
		s[string(d)] = false
	}
	return s
}

func (s digestSet) take(digest []byte) bool {
	if _, listed := s[string(digest)]; !listed {
		return false
	}
	s[string(digest)] = true
	return true
}

func (s digestSet) untaken() int {
	n := 0
	for _, taken := range s {
		if !taken {
			n++
		}
	}
	return n
}
