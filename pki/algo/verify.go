package algo

import (
	"bytes"
	"context"
	"crypto"
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo/internal/rsaverify"
	"github.com/senim-kz/senim/pki/gost"
)

// tables keeps precomputed tables of GOST keys that are met often. No result
// depends on it; it only grows while BuildTables runs.
var tables = gost.NewCache(gost.Limits{})

// BuildTables makes verifications with GOST keys that come again and again,
// those of authorities, several times faster, until the context ends. A program
// that runs for long has one goroutine of it.
func BuildTables(ctx context.Context) { tables.Run(ctx) }

// Verify checks sig over a digest of the message, in the encoding of X.509,
// CMS, OCSP and RFC 3161: for ECDSA and DSA an ASN.1 SEQUENCE of r and s, for
// GOST the layout that the algorithm has.
//
// The refusals: signature_invalid; algorithm_key_mismatch for a key of another
// kind; algorithm_unsupported for a nil key (an algorithm the table lacks);
// algorithm_mismatch for a digest of another length, and for Ed25519, which
// signs the message: VerifyMessage checks it.
func (s *Signature) Verify(pub crypto.PublicKey, digest, sig []byte) error {
	if pub == nil {
		return fault.New(fault.AlgorithmUnsupported, "", "the key's algorithm")
	}
	if s.SignsMessage() {
		return fault.New(fault.AlgorithmMismatch, "", "%s signs the message, not a digest of it", s.Name)
	}
	if len(digest) != s.Digest.Size() {
		return fault.New(fault.AlgorithmMismatch, "", "a digest of %d bytes for %s", len(digest), s.Name)
	}
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if s.scheme == rsaPKCS1 || s.scheme == rsaPSS {
			return s.verifyRSA(key, digest, sig)
		}
	case *PSSPublicKey:
		if key.allows(s) {
			return s.verifyRSA(key.RSA, digest, sig)
		}
	case *ecdsa.PublicKey:
		if s.scheme == ecdsaScheme {
			return s.verdict(verifyECDSA(key, digest, sig))
		}
	case *dsa.PublicKey:
		if s.scheme == dsaScheme {
			r, t, ok := readPair(sig)
			return s.verdict(ok && verifyDSA(key, digest, r, t))
		}
	case *gost.PublicKey:
		if s.scheme == gostScheme {
			return tables.Verify(s.gost, key, digest, sig)
		}
	}
	return s.keyMismatch(pub)
}

func (s *Signature) verdict(right bool) error {
	if right {
		return nil
	}
	return fault.New(fault.SignatureInvalid, "", "%s", s.Name)
}

func (s *Signature) keyMismatch(pub crypto.PublicKey) error {
	k, ok := KeyOf(pub)
	if !ok {
		return fault.New(fault.AlgorithmUnsupported, "", "a key of type %T", pub)
	}
	return fault.New(fault.AlgorithmKeyMismatch, "", "%s with a key of %s", s.Name, k.Name)
}

func verifyECDSA(key *ecdsa.PublicKey, digest, sig []byte) bool {
	own, ok := key.Curve.(*brainpool)
	table := p256TableOf(key)
	if !ok && table == nil {
		return ecdsa.VerifyASN1(key, digest, sig)
	}
	r, s, readable := readPair(sig)
	switch {
	case !readable:
		return false
	case table != nil:
		return verifyP256(table, digest, r, s)
	}
	return own.verify(key, digest, r, s)
}

// verifyRSA computes the public operation itself: that is several times faster
// than crypto/rsa for the keys of authorities, and takes every salt of PSS.
func (s *Signature) verifyRSA(key *rsa.PublicKey, digest, sig []byte) error {
	if bits := key.N.BitLen(); bits < rsaBitsMin || bits > rsaBitsMax {
		return fault.New(fault.AlgorithmUnsupported, "", "RSA of %d bits", bits)
	}
	if key.E < 3 || key.E > 1<<31-1 {
		return s.verdict(false)
	}
	em, ok := rsaverify.Public(key.N, uint32(key.E), sig)
	switch {
	case !ok:
		return s.verdict(false)
	case s.scheme == rsaPSS:
		return s.verdict(s.pss.verify(s.Digest, digest, em, key.N.BitLen()))
	}
	return s.verdict(isPKCS1(s.Digest, digest, em))
}

// isPKCS1 compares with EMSA-PKCS1-v1_5-ENCODE (RFC 8017 §9.2): a signature is held
// against the one message that it can be of; nothing in it is parsed, so that there
// is no room for more than that.
func isPKCS1(d *Digest, digest, em []byte) bool {
	padding := len(em) - len(d.info) - len(digest) - 3
	if d.info == nil || padding < 8 || em[0] != 0 || em[1] != 1 {
		return false
	}
	for _, b := range em[2 : 2+padding] {
		if b != 0xff {
			return false
		}
	}
	info, ok := bytes.CutPrefix(em[2+padding:], zero)
	rest, prefixed := bytes.CutPrefix(info, d.info)
	return ok && prefixed && bytes.Equal(rest, digest)
}

var zero = []byte{0}

// digestInfo is what stands before the digest in a DigestInfo (RFC 8017 §A.2.4).
func digestInfo(oid asn1.ObjectIdentifier, size int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		Identifier{OID: oid, Parameters: null}.AddTo(b)
		b.AddASN1OctetString(make([]byte, size))
	})
	info := b.BytesOrPanic()
	return info[:len(info)-size]
}

// VerifyMessage is Verify over the message itself.
func (s *Signature) VerifyMessage(pub crypto.PublicKey, message, sig []byte) error {
	if s.SignsMessage() {
		return s.verifyEd25519(pub, message, sig)
	}
	d, err := s.digestUnder(pub)
	if err != nil {
		return err
	}
	return s.Verify(pub, d.Sum(message), sig)
}

func (s *Signature) verifyEd25519(pub crypto.PublicKey, message, sig []byte) error {
	switch key := pub.(type) {
	case nil:
		return fault.New(fault.AlgorithmUnsupported, "", "the key's algorithm")
	case ed25519.PublicKey:
		return s.verdict(len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, sig))
	}
	return s.keyMismatch(pub)
}

// digestUnder is the digest of s under a key. The parameters of a GOST key name
// one too; it must be the same, but that a key of GOST R 34.10-2001 may choose
// another S-box.
func (s *Signature) digestUnder(pub crypto.PublicKey) (*Digest, error) {
	key, ok := pub.(*gost.PublicKey)
	if !ok || s.gost == nil || key.Algorithm() != s.gost.Key {
		return s.Digest, nil
	}
	named, err := key.Digest()
	if err != nil {
		return nil, err
	}
	d := digestOfGOST(named)
	if d != s.Digest && !s.takesTestParameters(d) {
		return nil, fault.New(fault.AlgorithmMismatch, "", "%s with a key for %s", s.Name, d.Name)
	}
	return d, nil
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
// ECDSA and DSA alone: r and s as big-endian numbers of the order's length, one
// after the other (RFC 9231 §2.3.6, XML Signature §6.4.1, RFC 7518 §3.4).
func (s *Signature) VerifyRaw(pub crypto.PublicKey, digest, sig []byte) error {
	size := pairSize(pub)
	if size == 0 || s.scheme != ecdsaScheme && s.scheme != dsaScheme {
		return s.Verify(pub, digest, sig)
	}
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

// VerifyRawMessage is VerifyRaw over the message itself.
func (s *Signature) VerifyRawMessage(pub crypto.PublicKey, message, sig []byte) error {
	if pairSize(pub) == 0 {
		return s.VerifyMessage(pub, message, sig)
	}
	return s.VerifyRaw(pub, s.Digest.Sum(message), sig)
}

// pairSize is the length of r and of s, or 0 for a key whose signatures are not
// such pairs.
func pairSize(pub crypto.PublicKey) int {
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		return (key.Params().N.BitLen() + 7) / 8
	case *dsa.PublicKey:
		return (key.Q.BitLen() + 7) / 8
	}
	return 0
}

// readPair reads an ASN.1 SEQUENCE of r and s, strictly: one signature has one
// encoding.
func readPair(sig []byte) (r, s *big.Int, ok bool) {
	input := cryptobyte.String(sig)
	var body cryptobyte.String
	r, s = new(big.Int), new(big.Int)
	ok = input.ReadASN1(&body, cbasn1.SEQUENCE) && input.Empty() &&
		body.ReadASN1Integer(r) && body.ReadASN1Integer(s) && body.Empty() &&
		r.Sign() > 0 && s.Sign() > 0
	return r, s, ok
}

// RawECDSA turns the ASN.1 signature of a crypto.Signer into r and s of the
// order's length, as XML-DSig and JWS carry them.
func RawECDSA(pub *ecdsa.PublicKey, sig []byte) ([]byte, error) {
	r, s, ok := readPair(sig)
	if !ok {
		return nil, fault.New(fault.SignatureInvalid, "", "not an ECDSA signature")
	}
	size := pairSize(pub)
	if r.BitLen() > 8*size || s.BitLen() > 8*size {
		return nil, fault.New(fault.SignatureInvalid, "", "r or s does not fit the curve")
	}
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}
