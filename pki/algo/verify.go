package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// Verify checks sig over a digest of the message, in the encoding of X.509,
// CMS, OCSP and RFC 3161: for ECDSA an ASN.1 SEQUENCE of r and s.
//
// The refusals: signature_invalid, algorithm_key_mismatch for a key of another
// kind, algorithm_unsupported for a nil key (an algorithm the table lacks).
func (s *Signature) Verify(pub crypto.PublicKey, digest, sig []byte) error {
	if pub == nil {
		return fault.New(fault.AlgorithmUnsupported, "", "the key's algorithm")
	}
	if len(digest) != s.Digest.Size() {
		return fault.New(fault.AlgorithmMismatch, "", "a digest of %d bytes for %s", len(digest), s.Name)
	}
	if s.scheme == ecdsaScheme {
		key, ok := pub.(*ecdsa.PublicKey)
		if !ok {
			return s.keyMismatch(pub)
		}
		if !ecdsa.VerifyASN1(key, digest, sig) {
			return fault.New(fault.SignatureInvalid, "", "%s", s.Name)
		}
		return nil
	}
	key, ok := pub.(*rsa.PublicKey)
	if !ok {
		return s.keyMismatch(pub)
	}
	return s.verifyRSA(key, digest, sig)
}

func (s *Signature) keyMismatch(pub crypto.PublicKey) error {
	k, ok := KeyOf(pub)
	if !ok {
		return fault.New(fault.AlgorithmUnsupported, "", "a key of type %T", pub)
	}
	return fault.New(fault.AlgorithmKeyMismatch, "", "%s with a key of %s", s.Name, k.Name)
}

func (s *Signature) verifyRSA(key *rsa.PublicKey, digest, sig []byte) error {
	if bits := key.N.BitLen(); bits < rsaBitsMin || bits > rsaBitsMax {
		return fault.New(fault.AlgorithmUnsupported, "", "RSA of %d bits", bits)
	}
	var err error
	if s.scheme == rsaPSS {
		err = rsa.VerifyPSS(key, s.Digest.Hash, digest, sig, &rsa.PSSOptions{SaltLength: s.saltLength})
	} else {
		err = rsa.VerifyPKCS1v15(key, s.Digest.Hash, digest, sig)
	}
	if err != nil {
		return fault.New(fault.SignatureInvalid, "", "%s", s.Name)
	}
	return nil
}

// VerifyMessage is Verify over the message itself.
func (s *Signature) VerifyMessage(pub crypto.PublicKey, message, sig []byte) error {
	return s.Verify(pub, s.Digest.Sum(message), sig)
}

// VerifySigned checks a signature whose algorithm is all in its identifier, as
// in certificates, CRLs and OCSP responses.
func VerifySigned(pub crypto.PublicKey, id Identifier, message, sig []byte) error {
	s, err := SignatureByIdentifier(id, nil)
	if err != nil {
		return err
	}
	return s.VerifyMessage(pub, message, sig)
}

// VerifyRaw is Verify for the encoding of XML-DSig and JWS, which differs for
// ECDSA alone: r and s as big-endian numbers of the curve's length, one after
// the other (RFC 9231 §2.3.6, RFC 7518 §3.4).
func (s *Signature) VerifyRaw(pub crypto.PublicKey, digest, sig []byte) error {
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok || s.scheme != ecdsaScheme {
		return s.Verify(pub, digest, sig)
	}
	size := fieldSize(key)
	if len(sig) != 2*size {
		return fault.New(fault.SignatureInvalid, "", "%d bytes of r and s, want %d", len(sig), 2*size)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(sig[:size]))
		b.AddASN1BigInt(new(big.Int).SetBytes(sig[size:]))
	})
	return s.Verify(pub, digest, b.BytesOrPanic())
}

// RawECDSA turns the ASN.1 signature of a crypto.Signer into r and s of the
// curve's length, as XML-DSig and JWS carry them.
func RawECDSA(pub *ecdsa.PublicKey, sig []byte) ([]byte, error) {
	s := cryptobyte.String(sig)
	var body cryptobyte.String
	var r, t big.Int
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() ||
		!body.ReadASN1Integer(&r) || !body.ReadASN1Integer(&t) || !body.Empty() {
		return nil, fault.New(fault.SignatureInvalid, "", "not an ECDSA signature")
	}
	size := fieldSize(pub)
	if r.Sign() <= 0 || t.Sign() <= 0 || r.BitLen() > 8*size || t.BitLen() > 8*size {
		return nil, fault.New(fault.SignatureInvalid, "", "r or s does not fit the curve")
	}
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	t.FillBytes(out[size:])
	return out, nil
}

func fieldSize(pub *ecdsa.PublicKey) int { return (pub.Params().BitSize + 7) / 8 }
