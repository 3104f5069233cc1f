package algo

import (
	"crypto"
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo/internal/rsaverify"
	"github.com/senim-kz/senim/pki/gost"
)

// Limits of an RSA key. Shorter ones can be factored by anybody, and crypto/rsa
// refuses them too; above the maximum one verification takes so long that a
// message could stall us.
const (
	rsaBitsMin = 1024
	rsaBitsMax = rsaverify.BitsMax
)

// curve is an elliptic curve of the table (RFC 5480 §2.1.1.1, RFC 5639).
type curve struct {
	name  string
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
}

var curves = slices.Concat([]curve{
	{"P-224", asn1.ObjectIdentifier{1, 3, 132, 0, 33}, elliptic.P224()},
	{"P-256", asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
	{"P-384", asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
	{"P-521", asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
}, brainpools)

// PSSPublicKey is an RSA key that its certificate keeps for RSASSA-PSS (RFC 4055
// §1.2), perhaps with one digest, one mask and a least length of salt.
type PSSPublicKey struct {
	RSA *rsa.PublicKey

	parameters *Signature // nil: any
}

// Equal reports whether x is the same key; what it may be used with does not
// count.
func (k *PSSPublicKey) Equal(x crypto.PublicKey) bool {
	other, ok := x.(*PSSPublicKey)
	return ok && k.RSA.Equal(other.RSA)
}

// allows holds a signature's parameters against the key's (RFC 4055 §3.3).
func (k *PSSPublicKey) allows(s *Signature) bool {
	p := k.parameters
	return s.scheme == rsaPSS && (p == nil || s.Digest == p.Digest && s.pss.mgf == p.pss.mgf && s.pss.saltLength >= p.pss.saltLength)
}

// Key describes a public key for reports and policies.
type Key struct {
	Name  string // "RSA", "ECDSA", "DSA", "Ed25519", or a GOST standard: "GOST 34.310-2004"
	Curve string // "P-256"; "" for RSA and DSA
	Bits  int    // length of the modulus, or of the curve's field
	GOST  bool   // of GOST's family, Kazakhstan's or Russia's
}

// KeyOf describes a public key of the table; ok is false for any other.
func KeyOf(pub crypto.PublicKey) (k Key, ok bool) {
	switch p := pub.(type) {
	case *rsa.PublicKey:
		return Key{Name: "RSA", Bits: p.N.BitLen()}, true
	case *PSSPublicKey:
		return Key{Name: "RSA", Bits: p.RSA.N.BitLen()}, true
	case *ecdsa.PublicKey:
		params := p.Params()
		return Key{Name: "ECDSA", Curve: params.Name, Bits: params.BitSize}, true
	case *dsa.PublicKey:
		return Key{Name: "DSA", Bits: p.P.BitLen()}, true
	case ed25519.PublicKey:
		return Key{Name: "Ed25519", Curve: "Ed25519", Bits: 255}, true
	case *gost.PublicKey:
		return Key{Name: p.Algorithm().Name, Curve: p.Curve().Name(), Bits: p.Curve().Bits(), GOST: true}, true
	}
	return Key{}, false
}

// ParsePublicKey reads a SubjectPublicKeyInfo. An algorithm, curve or size
// that the table lacks is algorithm_unsupported, a broken key
// public_key_invalid.
func ParsePublicKey(spki []byte) (crypto.PublicKey, error) {
	s := cryptobyte.String(spki)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, fault.New(fault.PublicKeyInvalid, "", "not a SubjectPublicKeyInfo")
	}
	id, ok := ReadIdentifier(&body)
	var key []byte
	if !ok || !body.ReadASN1BitStringAsBytes(&key) || !body.Empty() {
		return nil, fault.New(fault.PublicKeyInvalid, "", "not a SubjectPublicKeyInfo")
	}
	switch {
	case id.OID.Equal(oidRSA):
		if !id.emptyParameters() {
			return nil, fault.New(fault.PublicKeyInvalid, "", "rsaEncryption with parameters")
		}
		return asKey(parseRSAKey(key))
	case id.OID.Equal(oidPSS):
		return asKey(parsePSSKey(id.Parameters, key))
	case id.OID.Equal(oidECPublicKey):
		return asKey(parseECKey(id.Parameters, key))
	case id.OID.Equal(oidDSA):
		return asKey(parseDSAKey(id.Parameters, key))
	case id.OID.Equal(oidEd25519):
		if len(id.Parameters) > 0 || len(key) != ed25519.PublicKeySize {
			return nil, fault.New(fault.PublicKeyInvalid, "", "not a key of Ed25519 (RFC 8410 §3, §4)")
		}
		return ed25519.PublicKey(key), nil
	}
	if _, err := gost.KeyAlgorithmByOID(id.OID); err != nil {
		return nil, unsupportedOID(id.OID)
	}
	pub, err := gost.ParsePublicKey(spki)
	if fault.Is(err, fault.EncodingInvalid) {
		err = fault.Wrap(err, fault.PublicKeyInvalid, "", "read a key of GOST")
	}
	return asKey(pub, err)
}

// asKey keeps a nil pointer from becoming a public key that is not nil.
func asKey[K any](pub *K, err error) (crypto.PublicKey, error) {
	if err != nil {
		return nil, err
	}
	return pub, nil
}

// parseRSAKey reads RSAPublicKey (RFC 8017 §A.1.1).
func parseRSAKey(der []byte) (*rsa.PublicKey, error) {
	s := cryptobyte.String(der)
	var body cryptobyte.String
	n := new(big.Int)
	var e int
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() || !body.ReadASN1Integer(n) {
		return nil, fault.New(fault.PublicKeyInvalid, "", "not an RSAPublicKey")
	}
	if n.Sign() <= 0 || n.Bit(0) == 0 {
		return nil, fault.New(fault.PublicKeyInvalid, "", "the RSA modulus is not a positive odd number")
	}
	if bits := n.BitLen(); bits < rsaBitsMin || bits > rsaBitsMax {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "RSA of %d bits, not %d to %d", bits, rsaBitsMin, rsaBitsMax)
	}
	// crypto/rsa holds the exponent in 31 bits; larger ones only slow
	// verification down.
	if !body.ReadASN1Integer(&e) || !body.Empty() || e < 3 || e%2 == 0 || e > 1<<31-1 {
		return nil, fault.New(fault.PublicKeyInvalid, "", "the RSA exponent is not an odd number from 3 to 2^31-1")
	}
	return &rsa.PublicKey{N: n, E: e}, nil
}

// parsePSSKey reads an RSAPublicKey whose identifier is that of RSASSA-PSS, with
// or without parameters (RFC 4055 §1.2, §3.1).
func parsePSSKey(params, der []byte) (*PSSPublicKey, error) {
	key, err := parseRSAKey(der)
	if err != nil {
		return nil, err
	}
	if len(params) == 0 {
		return &PSSPublicKey{RSA: key}, nil
	}
	only, err := parsePSS(params)
	if err != nil {
		return nil, err
	}
	return &PSSPublicKey{key, only}, nil
}

// parseECKey reads a named curve and an uncompressed point (RFC 5480 §2.2).
func parseECKey(params, point []byte) (*ecdsa.PublicKey, error) {
	s := cryptobyte.String(params)
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) || !s.Empty() {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "an elliptic curve that is not named")
	}
	for _, c := range curves {
		if !c.oid.Equal(oid) {
			continue
		}
		if own, ok := c.curve.(*brainpool); ok {
			return own.parsePoint(point)
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(c.curve, point)
		if err != nil {
			return nil, fault.New(fault.PublicKeyInvalid, "", "not an uncompressed point on %s", c.name)
		}
		return pub, nil
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "the elliptic curve %s", oid)
}
