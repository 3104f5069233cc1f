package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits of an RSA key. Below the minimum crypto/rsa does not compute; above
// the maximum one verification takes so long that a message could stall us.
const (
	rsaBitsMin = 1024
	rsaBitsMax = 16384
)

// curve is an elliptic curve of the table (RFC 5480 §2.1.1.1).
type curve struct {
	name  string
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
}

var curves = []curve{
	{"P-256", asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
	{"P-384", asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
	{"P-521", asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
}

// Key describes a public key for reports and policies.
type Key struct {
	Name  string // "RSA", "ECDSA"
	Curve string // "P-256"; "" for RSA
	Bits  int    // length of the modulus, or of the curve's field
}

// KeyOf describes a public key of the table; ok is false for any other.
func KeyOf(pub crypto.PublicKey) (k Key, ok bool) {
	switch p := pub.(type) {
	case *rsa.PublicKey:
		return Key{Name: "RSA", Bits: p.N.BitLen()}, true
	case *ecdsa.PublicKey:
		params := p.Params()
		return Key{Name: "ECDSA", Curve: params.Name, Bits: params.BitSize}, true
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
		return parseRSAKey(key)
	case id.OID.Equal(oidECPublicKey):
		return parseECKey(id.Parameters, key)
	}
	return nil, unsupportedOID(id.OID)
}

// parseRSAKey reads RSAPublicKey (RFC 8017 §A.1.1).
func parseRSAKey(der []byte) (crypto.PublicKey, error) {
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

// parseECKey reads a named curve and an uncompressed point (RFC 5480 §2.2).
func parseECKey(params, point []byte) (crypto.PublicKey, error) {
	s := cryptobyte.String(params)
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) || !s.Empty() {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "an elliptic curve that is not named")
	}
	for _, c := range curves {
		if !c.oid.Equal(oid) {
			continue
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(c.curve, point)
		if err != nil {
			return nil, fault.New(fault.PublicKeyInvalid, "", "not an uncompressed point on %s", c.name)
		}
		return pub, nil
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "the elliptic curve %s", oid)
}
