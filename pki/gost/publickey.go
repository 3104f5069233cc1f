package gost

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// PublicKey is a point of a curve, of the order of its base point. It cannot
// change, and may be used by several goroutines at once.
type PublicKey struct {
	algorithm *KeyAlgorithm
	curve     *Curve
	curveOID  asn1.ObjectIdentifier // by which the key names the curve
	digestOID asn1.ObjectIdentifier // by which it names the hash function; nil if it does not
	xy        []byte                // X‖Y, least significant byte first
	point     point
}

// NewPublicKey reads a point X‖Y, each least significant byte first. It refuses
// with public_key_invalid what no private key can belong to: a wrong length, a
// coordinate that is not below the field's prime, a point off the curve or
// outside the group of the base point (of small order, for instance).
func NewPublicKey(a *KeyAlgorithm, c *Curve, xy []byte) (*PublicKey, error) {
	i := slices.IndexFunc(a.curves, func(oid asn1.ObjectIdentifier) bool {
		return slices.ContainsFunc(c.oids, oid.Equal)
	})
	if i < 0 {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "%s has no curve %s", a.Name, c.name)
	}
	return newPublicKey(a, c, a.curves[i], nil, xy)
}

func newPublicKey(a *KeyAlgorithm, c *Curve, curveOID, digestOID asn1.ObjectIdentifier, xy []byte) (*PublicKey, error) {
	p, err := c.newKey(xy)
	if err != nil {
		return nil, fault.Wrap(err, fault.PublicKeyInvalid, "", "read a point of %s", c.name)
	}
	return &PublicKey{a, c, curveOID, digestOID, bytes.Clone(xy), p}, nil
}

// ParsePublicKey reads a SubjectPublicKeyInfo of either family (RFC 4491 §2.3.2,
// RFC 9215 §4; Kazakhstan's has the same shape under its own identifiers):
//
//	SEQUENCE {
//	  SEQUENCE { key OID, SEQUENCE { curve OID, hash OID OPTIONAL, cipher OID OPTIONAL } }
//	  BIT STRING { OCTET STRING { X‖Y } } }
//
// An unknown key or curve is algorithm_unsupported, a broken structure
// encoding_invalid, a broken point public_key_invalid.
func ParsePublicKey(spki []byte) (*PublicKey, error) {
	input := cryptobyte.String(spki)
	var body, bits cryptobyte.String
	var unused uint8
	if !input.ReadASN1(&body, der.SEQUENCE) || !input.Empty() {
		return nil, malformed("SubjectPublicKeyInfo")
	}
	id, err := readIdentifier(&body)
	if err != nil {
		return nil, err
	}
	if !body.ReadASN1(&bits, der.BIT_STRING) || !body.Empty() || !bits.ReadUint8(&unused) || unused != 0 {
		return nil, malformed("subjectPublicKey")
	}
	var xy cryptobyte.String
	if !bits.ReadASN1(&xy, der.OCTET_STRING) || !bits.Empty() {
		return nil, malformed("the point in subjectPublicKey")
	}
	return newPublicKey(id.key, id.curve, id.curveOID, id.digestOID, xy)
}

// identifier is the AlgorithmIdentifier of a key, private or public.
type identifier struct {
	key       *KeyAlgorithm
	curve     *Curve
	curveOID  asn1.ObjectIdentifier
	digestOID asn1.ObjectIdentifier
}

func readIdentifier(input *cryptobyte.String) (id identifier, err error) {
	var outer, parameters cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&outer, der.SEQUENCE) || !outer.ReadASN1ObjectIdentifier(&oid) {
		return id, malformed("the key's algorithm")
	}
	if id.key, err = KeyAlgorithmByOID(oid); err != nil {
		return id, err
	}
	if !outer.ReadASN1(&parameters, der.SEQUENCE) || !outer.Empty() ||
		!parameters.ReadASN1ObjectIdentifier(&id.curveOID) {
		return id, malformed("the key's parameters")
	}
	if !slices.ContainsFunc(id.key.curves, id.curveOID.Equal) {
		return id, fault.New(fault.AlgorithmUnsupported, "", "%s has no curve %s", id.key.Name, id.curveOID)
	}
	if id.curve, err = CurveByOID(id.curveOID); err != nil {
		return id, err
	}
	if parameters.Empty() {
		return id, nil
	}
	if !parameters.ReadASN1ObjectIdentifier(&id.digestOID) {
		return id, malformed("the key's hash function")
	}
	if !parameters.Empty() { // the cipher set of RFC 4491 §2.3.2, of no use here
		var cipher asn1.ObjectIdentifier
		if !parameters.ReadASN1ObjectIdentifier(&cipher) || !parameters.Empty() {
			return id, malformed("the key's cipher")
		}
	}
	return id, nil
}

func malformed(what string) error {
	return fault.New(fault.EncodingInvalid, "", "%s is not as RFC 4491 and RFC 9215 write it", what)
}

// addIdentifier writes what readIdentifier reads.
func (k *PublicKey) addIdentifier(b *cryptobyte.Builder) {
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(k.algorithm.OID)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(k.curveOID)
			if k.digestOID != nil {
				b.AddASN1ObjectIdentifier(k.digestOID)
			}
		})
	})
}

// Marshal writes the SubjectPublicKeyInfo.
func (k *PublicKey) Marshal() []byte {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		k.addIdentifier(b)
		b.AddASN1(der.BIT_STRING, func(b *cryptobyte.Builder) {
			b.AddUint8(0)
			b.AddASN1OctetString(k.xy)
		})
	})
	return b.BytesOrPanic() // every part is of a fixed, small size
}

// Algorithm is the kind of key.
func (k *PublicKey) Algorithm() *KeyAlgorithm { return k.algorithm }

// Curve is the curve of the key.
func (k *PublicKey) Curve() *Curve { return k.curve }

// Digest is the hash function that the key's parameters name, or the one of the
// key's algorithm where they name none. The two differ for GOST R 34.11-94,
// whose S-box stands nowhere else.
func (k *PublicKey) Digest() (*Digest, error) {
	if k.digestOID == nil {
		return k.algorithm.Algorithm().Digest, nil
	}
	return DigestByOID(k.digestOID)
}

// Bytes is the point as X‖Y, each least significant byte first.
func (k *PublicKey) Bytes() []byte { return bytes.Clone(k.xy) }

// Equal reports whether x is the same point for the same algorithm; the hash
// function that the parameters name does not count.
func (k *PublicKey) Equal(x crypto.PublicKey) bool {
	other, ok := x.(*PublicKey)
	return ok && k.algorithm == other.algorithm && k.curve == other.curve && bytes.Equal(k.xy, other.xy)
}
