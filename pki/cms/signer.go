package cms

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Signer is one SignerInfo (RFC 5652 §5.3).
type Signer struct {
	Raw                []byte
	Version            int
	Identifier         SignerIdentifier
	DigestAlgorithm    algo.Identifier
	SignatureAlgorithm algo.Identifier
	Signature          []byte

	// SignedAttributes are protected by the signature; nil if the message has
	// none. An empty set is not nil, and is not allowed by §5.3 either.
	SignedAttributes []Attribute
	// UnsignedAttributes are protected by nothing.
	UnsignedAttributes []Attribute

	signedRaw []byte // signedAttrs as sent, with the tag [0]
	signedSet []byte // the same under the tag SET OF
	head      []byte // the fields before unsignedAttrs, as sent
}

// Fields gives the fields from version to signature as sent, one after the
// other: all but the unsigned attributes.
func (s *Signer) Fields() []byte { return s.head }

// ParseSigner reads a SignerInfo that is all of der, as a counter-signature is
// one (RFC 5652 §11.4). at says where it stands.
func ParseSigner(der []byte, at string, l Limits) (*Signer, error) {
	input := cryptobyte.String(der)
	s, err := readSigner(&input, func() string { return at }, l)
	if err != nil {
		return nil, err
	}
	if !input.Empty() {
		return nil, malformed(at, "%d bytes follow the SignerInfo", len(input))
	}
	return s, nil
}

// SignerIdentifier names the signer's certificate in one of two ways: by
// issuer and serial number, or by its subject key identifier.
type SignerIdentifier struct {
	RawIssuer    []byte   // the Name in DER
	Serial       *big.Int // nil if the key identifier is used
	SubjectKeyID []byte
}

// Names reports whether the identifier is that of the certificate. Names are
// compared as bytes: NUC RK mixes string types, and two encodings are two
// issuers.
func (id SignerIdentifier) Names(c *cert.Certificate) bool {
	if id.Serial != nil {
		return c.Serial != nil && id.Serial.Cmp(c.Serial) == 0 && bytes.Equal(id.RawIssuer, c.RawIssuer)
	}
	return len(id.SubjectKeyID) > 0 && bytes.Equal(id.SubjectKeyID, c.SubjectKeyID)
}

// Attribute is one attribute with its values as they were sent.
type Attribute struct {
	Type   asn1.ObjectIdentifier
	Values [][]byte // each a whole DER element
	Raw    []byte   // the Attribute itself; nil in one that is about to be written
}

var (
	tagKeyIdentifier      = cbasn1.Tag(0).ContextSpecific()
	tagSignedAttributes   = cbasn1.Tag(0).ContextSpecific().Constructed()
	tagUnsignedAttributes = cbasn1.Tag(1).ContextSpecific().Constructed()
)

// place says where something stands, and is asked only if that is odd.
type place func() string

func (p place) at(field string) string { return p() + field }

func readSigner(set *cryptobyte.String, where place, l Limits) (*Signer, error) {
	at := where.at
	var raw, info cryptobyte.String
	if !set.ReadASN1Element(&raw, cbasn1.SEQUENCE) {
		return nil, malformed(at(""), "not a SignerInfo")
	}
	s := &Signer{Raw: raw}
	if !raw.ReadASN1(&info, cbasn1.SEQUENCE) {
		return nil, malformed(at(""), "not a SignerInfo")
	}
	fields := []byte(info)
	if !info.ReadASN1Integer(&s.Version) || (s.Version != 1 && s.Version != 3) {
		return nil, malformed(at("/version"), "neither 1 nor 3")
	}
	var ok bool
	if s.Identifier, ok = readIdentifier(&info); !ok {
		return nil, malformed(at("/sid"), "neither issuer and serial number nor key identifier")
	}
	if s.DigestAlgorithm, ok = algo.ReadIdentifier(&info); !ok {
		return nil, malformed(at("/digestAlgorithm"), "not an AlgorithmIdentifier")
	}
	var err error
	if s.SignedAttributes, s.signedRaw, err = readAttributes(&info, tagSignedAttributes, where, "/signedAttrs", l); err != nil {
		return nil, err
	}
	if s.signedRaw != nil {
		s.signedSet = bytes.Clone(s.signedRaw)
		s.signedSet[0] = byte(cbasn1.SET)
	}
	if s.SignatureAlgorithm, ok = algo.ReadIdentifier(&info); !ok {
		return nil, malformed(at("/signatureAlgorithm"), "not an AlgorithmIdentifier")
	}
	if !info.ReadASN1Bytes(&s.Signature, cbasn1.OCTET_STRING) {
		return nil, malformed(at("/signature"), "not an OCTET STRING")
	}
	s.head = fields[:len(fields)-len(info)]
	if s.UnsignedAttributes, _, err = readAttributes(&info, tagUnsignedAttributes, where, "/unsignedAttrs", l); err != nil {
		return nil, err
	}
	if !info.Empty() {
		return nil, malformed(at(""), "%d bytes follow the last field", len(info))
	}
	return s, nil
}

func readIdentifier(info *cryptobyte.String) (SignerIdentifier, bool) {
	var id SignerIdentifier
	if info.PeekASN1Tag(tagKeyIdentifier) {
		return id, info.ReadASN1Bytes(&id.SubjectKeyID, tagKeyIdentifier)
	}
	var pair, issuer cryptobyte.String
	id.Serial = new(big.Int)
	ok := info.ReadASN1(&pair, cbasn1.SEQUENCE) &&
		pair.ReadASN1Element(&issuer, cbasn1.SEQUENCE) &&
		pair.ReadASN1Integer(id.Serial) && pair.Empty()
	id.RawIssuer = issuer
	return id, ok
}

// readAttributes reads an optional SET OF Attribute under an implicit tag, and
// gives the whole element as sent beside it.
func readAttributes(info *cryptobyte.String, tag cbasn1.Tag, where place, field string, l Limits) ([]Attribute, []byte, error) {
	if !info.PeekASN1Tag(tag) {
		return nil, nil, nil
	}
	var raw cryptobyte.String
	if !info.ReadASN1Element(&raw, tag) {
		return nil, nil, malformed(where.at(field), "not a SET OF Attribute")
	}
	whole := []byte(raw)
	var set cryptobyte.String
	if !raw.ReadASN1(&set, tag) {
		return nil, nil, malformed(where.at(field), "not a SET OF Attribute")
	}
	n := min(count(set), l.Attributes)
	attributes, values := make([]Attribute, 0, n), make([][]byte, n)
	for !set.Empty() {
		if len(attributes) == l.Attributes {
			return nil, nil, limit(where.at(field), l.Attributes)
		}
		var first [][]byte // room for the one value that nearly every attribute has
		if len(values) > 0 {
			first, values = values[:0:1], values[1:]
		}
		a, err := readAttribute(&set, first, func() string { return fmt.Sprintf("%s/%d", where.at(field), len(attributes)) }, l)
		if err != nil {
			return nil, nil, err
		}
		attributes = append(attributes, a)
	}
	return attributes, whole, nil
}

// count is the number of elements of a set, as far as it can be read.
func count(set cryptobyte.String) int {
	n := 0
	for ; !set.Empty(); n++ {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadAnyASN1Element(&element, &tag) {
			break
		}
	}
	return n
}

// readAttribute reads an attribute; into is where its values go.
func readAttribute(set *cryptobyte.String, into [][]byte, where place, l Limits) (Attribute, error) {
	var raw, body, values cryptobyte.String
	a := Attribute{Values: into}
	not := func(what string) error { return malformed(where(), "not %s", what) }
	if !set.ReadASN1Element(&raw, cbasn1.SEQUENCE) {
		return a, not("an Attribute")
	}
	a.Raw = raw
	if !raw.ReadASN1(&body, cbasn1.SEQUENCE) || !readOID(&body, &a.Type) ||
		!body.ReadASN1(&values, cbasn1.SET) || !body.Empty() {
		return a, not("a type and a SET of values")
	}
	for !values.Empty() {
		if len(a.Values) == l.AttributeValues {
			return a, limit(where(), l.AttributeValues)
		}
		var value cryptobyte.String
		var tag cbasn1.Tag
		if !values.ReadAnyASN1Element(&value, &tag) {
			return a, not("an attribute value")
		}
		a.Values = append(a.Values, value)
	}
	return a, nil
}

// HasSignedAttributes reports whether the signature is over attributes (§5.4)
// rather than over the content itself.
func (s *Signer) HasSignedAttributes() bool { return s.signedRaw != nil }

// signedAttribute gives the only value of a signed attribute. ok is false if
// the attribute is absent; twice, or with another number of values than one,
// it is refused (§11: "MUST NOT include multiple instances", "a single value").
func (s *Signer) signedAttribute(oid asn1.ObjectIdentifier) (value cryptobyte.String, ok bool, err error) {
	var found *Attribute
	count := 0
	for i := range s.SignedAttributes {
		if a := &s.SignedAttributes[i]; a.Type.Equal(oid) {
			found, count = a, count+1
		}
	}
	switch {
	case count == 0:
		return nil, false, nil
	case count > 1:
		return nil, true, fault.New(fault.AttributeDuplicate, "/signedAttrs/"+oid.String(), "%d instances", count)
	case len(found.Values) != 1:
		return nil, true, fault.New(fault.AttributeMalformed, "/signedAttrs/"+oid.String(), "%d values instead of one", len(found.Values))
	}
	return found.Values[0], true, nil
}

// MessageDigest gives the message-digest attribute (§11.2); nil if absent.
func (s *Signer) MessageDigest() ([]byte, error) {
	value, ok, err := s.signedAttribute(OIDMessageDigest)
	if err != nil || !ok {
		return nil, err
	}
	var digest []byte
	if !value.ReadASN1Bytes(&digest, cbasn1.OCTET_STRING) || !value.Empty() {
		return nil, fault.New(fault.AttributeMalformed, "/signedAttrs/messageDigest", "not an OCTET STRING")
	}
	return digest, nil
}

// ContentType gives the content-type attribute (§11.1); nil if absent.
func (s *Signer) ContentType() (asn1.ObjectIdentifier, error) {
	value, ok, err := s.signedAttribute(OIDContentType)
	if err != nil || !ok {
		return nil, err
	}
	var oid asn1.ObjectIdentifier
	if !readOID(&value, &oid) || !value.Empty() {
		return nil, fault.New(fault.AttributeMalformed, "/signedAttrs/contentType", "not an object identifier")
	}
	return oid, nil
}

// SigningTime gives the time the signer claims (§11.3); the zero time if
// absent. Nothing proves it.
func (s *Signer) SigningTime() (time.Time, error) {
	value, ok, err := s.signedAttribute(OIDSigningTime)
	if err != nil || !ok {
		return time.Time{}, err
	}
	var t time.Time
	read := value.ReadASN1GeneralizedTime
	if value.PeekASN1Tag(cbasn1.UTCTime) {
		read = value.ReadASN1UTCTime
	}
	if !read(&t) || !value.Empty() {
		return time.Time{}, fault.New(fault.AttributeMalformed, "/signedAttrs/signingTime", "not a time in DER")
	}
	return t.UTC(), nil
}

// Unsigned gives the unsigned attributes of a type, in the order sent.
func (s *Signer) Unsigned(oid asn1.ObjectIdentifier) []Attribute {
	var found []Attribute
	for _, a := range s.UnsignedAttributes {
		if a.Type.Equal(oid) {
			found = append(found, a)
		}
	}
	return found
}
