package hsm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

const (
	rsaBitsMin = 2048
	rsaBitsMax = 8192
)

// curves lists the curves by the names of hsm; the OIDs are in CKA_EC_PARAMS as
// DER (RFC 5480 §2.1.1.1).
var curves = []struct {
	algorithm Algorithm
	curve     elliptic.Curve
	params    []byte
}{
	{P256, elliptic.P256(), []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}},
	{P384, elliptic.P384(), []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}},
}

// publicKey reads the public key that belongs to a private key: the public key
// object with the same CKA_ID (the same label where the key has no ID), or else
// the certificate, since cards often hold no public key object.
func (o objects) publicKey(id []byte, label string) (crypto.PublicKey, error) {
	by := pkcs11.NewAttribute(pkcs11.CKA_ID, id)
	if len(id) == 0 {
		by = pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)
	}
	found, err := o.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), by)
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		return nil, fault.New(fault.HSMKeyAmbiguous, "", "%d public keys with this name", len(found))
	}
	if len(found) == 1 {
		return o.readPublicKey(found[0])
	}
	certificates, err := o.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), by)
	if err != nil {
		return nil, err
	}
	if len(certificates) == 0 {
		return nil, fault.New(fault.HSMKeyMissing, "", "the token holds neither the public key nor a certificate of this private key")
	}
	return o.readCertifiedKey(certificates[0])
}

func (o objects) readCertifiedKey(certificate pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	values, err := o.values(certificate, pkcs11.CKA_VALUE)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(values[0])
	if err != nil {
		return nil, fault.Wrap(err, fault.HSMKeyUnsupported, "", "parse the key's certificate")
	}
	return certifiedKey(parsed)
}

// certifiedKey is the public key of a certificate, if it is of a kind that signs
// here.
func certifiedKey(parsed *x509.Certificate) (crypto.PublicKey, error) {
	switch public := parsed.PublicKey.(type) {
	case *rsa.PublicKey:
		return public, checkRSA(public)
	case *ecdsa.PublicKey:
		return public, checkCurve(public.Curve)
	case ed25519.PublicKey:
		return public, nil
	}
	// crypto/x509 knows no GOST.
	public, err := gost.ParsePublicKey(parsed.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, fault.Wrap(err, fault.HSMKeyUnsupported, "", "the certificate's key")
	}
	return public, nil
}

func (o objects) readPublicKey(handle pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	values, err := o.values(handle, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return nil, err
	}
	switch keyType := ulong(values[0]); keyType {
	case pkcs11.CKK_RSA:
		values, err := o.values(handle, pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
		if err != nil {
			return nil, err
		}
		return parseRSA(values[0], values[1])
	case pkcs11.CKK_EC:
		values, err := o.values(handle, pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
		if err != nil {
			return nil, err
		}
		return parseEC(values[0], values[1])
	case ckkECEdwards:
		values, err := o.values(handle, pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
		if err != nil {
			return nil, err
		}
		return parseEd25519(values[0], values[1])
	default:
		return o.gostPublicKey(handle, keyType)
	}
}

// ulong reads a CK_ULONG, which has the machine's own size and order.
func ulong(b []byte) uint64 {
	switch len(b) {
	case 4:
		return uint64(binary.NativeEndian.Uint32(b))
	case 8:
		return binary.NativeEndian.Uint64(b)
	}
	return ^uint64(0)
}

func parseRSA(modulus, exponent []byte) (*rsa.PublicKey, error) {
	e := new(big.Int).SetBytes(exponent)
	if !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, fault.New(fault.HSMKeyUnsupported, "", "the public exponent exceeds 31 bits")
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}
	return public, checkRSA(public)
}

func checkRSA(public *rsa.PublicKey) error {
	if bits := public.N.BitLen(); bits < rsaBitsMin || bits > rsaBitsMax || public.E < 3 || public.E%2 == 0 {
		return fault.New(fault.HSMKeyUnsupported, "", "an RSA key of %d bits with exponent %d", bits, public.E)
	}
	return nil
}

func checkCurve(curve elliptic.Curve) error {
	for _, row := range curves {
		if row.curve == curve {
			return nil
		}
	}
	return fault.New(fault.HSMKeyUnsupported, "", "the curve is neither P-256 nor P-384")
}

// parseEC reads CKA_EC_POINT: a DER OCTET STRING around the uncompressed point
// (PKCS#11 v2.40 mechanisms §2.3.3). Some modules give the bare point, which no
// OCTET STRING can be mistaken for, since it begins with 0x04 too but has
// another length.
func parseEC(params, point []byte) (*ecdsa.PublicKey, error) {
	for _, row := range curves {
		if !bytes.Equal(row.params, params) {
			continue
		}
		size := 1 + 2*((row.curve.Params().BitSize+7)/8)
		if len(point) != size {
			s := cryptobyte.String(point)
			var inner cryptobyte.String
			if !s.ReadASN1(&inner, asn1.OCTET_STRING) || !s.Empty() || len(inner) != size {
				return nil, fault.New(fault.HSMKeyUnsupported, "", "the token gives no uncompressed point of its curve")
			}
			point = inner
		}
		public, err := ecdsa.ParseUncompressedPublicKey(row.curve, point)
		if err != nil {
			return nil, fault.Wrap(err, fault.HSMKeyUnsafe, "", "the token's point is not on its curve")
		}
		return public, nil
	}
	return nil, fault.New(fault.HSMKeyUnsupported, "", "the curve is neither P-256 nor P-384")
}

// edwards25519 names the curve as CKA_EC_PARAMS does: by the PrintableString of
// PKCS#11 v3.0 (SoftHSM), or by the OID of RFC 8410.
var edwards25519 = [][]byte{
	append([]byte{0x13, 0x0c}, "edwards25519"...),
	{0x06, 0x03, 0x2b, 0x65, 0x70},
}

// parseEd25519 reads CKA_EC_POINT: 32 bytes, in a DER OCTET STRING or bare.
func parseEd25519(params, point []byte) (ed25519.PublicKey, error) {
	known := slices.ContainsFunc(edwards25519, func(name []byte) bool { return bytes.Equal(name, params) })
	if !known {
		return nil, fault.New(fault.HSMKeyUnsupported, "", "the Edwards curve is not edwards25519")
	}
	if s := cryptobyte.String(point); len(point) != ed25519.PublicKeySize {
		var inner cryptobyte.String
		if !s.ReadASN1(&inner, asn1.OCTET_STRING) || !s.Empty() || len(inner) != ed25519.PublicKeySize {
			return nil, fault.New(fault.HSMKeyUnsupported, "", "the token gives no point of its curve")
		}
		point = inner
	}
	return bytes.Clone(point), nil
}
