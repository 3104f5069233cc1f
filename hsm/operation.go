package hsm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// Numbers of PKCS#11 v3.0 that the binding does not have.
const (
	ckmEDDSA               = 0x1057
	ckmECEdwardsKeyPairGen = 0x1055
	ckkECEdwards           = 0x40
)

// messageBytesMax bounds what Ed25519 signs, which is the message itself and goes
// through the token twice.
const messageBytesMax = 1 << 20

// operation is one signature as the token is asked for it. The input is its own
// copy: a call that does not return in time still reads it.
type operation struct {
	mechanism *pkcs11.Mechanism
	input     []byte
}

// scheme makes the operations of one key, and its signatures of what the token
// returns.
type scheme interface {
	operation(digest []byte, opts crypto.SignerOpts) (operation, error)
	encode(raw []byte) ([]byte, error)
	// size is the most bytes that the token returns.
	size() int
}

// Mechanisms of every signature, which nobody changes.
var (
	signRSA   = pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)
	signECDSA = pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)
	signEdDSA = pkcs11.NewMechanism(ckmEDDSA, nil)
)

// schemeOf chooses the scheme by the kind of key.
func (o objects) schemeOf(public crypto.PublicKey) (scheme, error) {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return rsaScheme{public}, nil
	case *ecdsa.PublicKey:
		return newECDSAScheme(public), nil
	case ed25519.PublicKey:
		return ed25519Scheme{}, nil
	case *gost.PublicKey:
		for _, row := range o.gost {
			if row.Key == public.Algorithm() {
				return gostScheme{row, public.Curve().Size(), pkcs11.NewMechanism(row.Sign, nil)}, nil
			}
		}
	}
	return nil, fault.New(fault.HSMKeyUnsupported, "", "no mechanism is known for keys of this kind")
}

// digests lists the hash functions that are signed: the DigestInfo of RFC 8017
// §9.2 note 1 up to the digest, and PKCS#11's numbers for PSS.
var digests = map[crypto.Hash]struct {
	info     []byte
	hash     uint
	maskHash uint
}{
	crypto.SHA224: {digestInfo(0x04, 28), pkcs11.CKM_SHA224, pkcs11.CKG_MGF1_SHA224},
	crypto.SHA256: {digestInfo(0x01, 32), pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	crypto.SHA384: {digestInfo(0x02, 48), pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {digestInfo(0x03, 64), pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

// digestInfo is SEQUENCE { SEQUENCE { 2.16.840.1.101.3.4.2.arc, NULL }, OCTET STRING of size }.
func digestInfo(arc, size byte) []byte {
	return []byte{0x30, 17 + size, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc, 0x05, 0x00, 0x04, size}
}

// checkDigest wants a hash function that is listed and a digest of its size.
func checkDigest(digest []byte, hash crypto.Hash) error {
	if _, listed := digests[hash]; !listed {
		return fault.New(fault.BadArgument, "", "signatures over SHA-224, SHA-256, SHA-384 and SHA-512 only, got %v", hash)
	}
	if len(digest) != hash.Size() {
		return fault.New(fault.BadArgument, "", "a digest of %d bytes is not one of %v", len(digest), hash)
	}
	return nil
}

type rsaScheme struct{ public *rsa.PublicKey }

func (s rsaScheme) operation(digest []byte, opts crypto.SignerOpts) (operation, error) {
	hash := opts.HashFunc()
	if err := checkDigest(digest, hash); err != nil {
		return operation{}, err
	}
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		return s.pss(digest, hash, pss.SaltLength)
	}
	return operation{signRSA, slices.Concat(digests[hash].info, digest)}, nil
}

// pss gives the salt lengths of crypto/rsa their meaning there: "auto" is as long
// as fits (RFC 8017 §9.1.1), "equals hash" is what policies demand.
func (s rsaScheme) pss(digest []byte, hash crypto.Hash, saltLength int) (operation, error) {
	saltMax := (s.public.N.BitLen()-1+7)/8 - 2 - hash.Size()
	switch saltLength {
	case rsa.PSSSaltLengthAuto:
		saltLength = saltMax
	case rsa.PSSSaltLengthEqualsHash:
		saltLength = hash.Size()
	}
	if saltLength < 0 || saltLength > saltMax {
		return operation{}, fault.New(fault.BadArgument, "", "a PSS salt of %d bytes does not fit", saltLength)
	}
	row := digests[hash]
	parameters := pkcs11.NewPSSParams(row.hash, row.maskHash, uint(saltLength))
	return operation{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, parameters), bytes.Clone(digest)}, nil
}

func (s rsaScheme) size() int { return s.public.Size() }

func (s rsaScheme) encode(raw []byte) ([]byte, error) {
	if len(raw) != s.size() {
		return nil, fault.New(fault.HSMFailed, "", "the token returned an RSA signature of %d bytes", len(raw))
	}
	return raw, nil
}

// ecdsaScheme has the order of the group, as long as a half of a signature.
type ecdsaScheme struct{ order []byte }

func newECDSAScheme(public *ecdsa.PublicKey) ecdsaScheme {
	return ecdsaScheme{public.Params().N.Bytes()}
}

func (s ecdsaScheme) operation(digest []byte, opts crypto.SignerOpts) (operation, error) {
	if err := checkDigest(digest, opts.HashFunc()); err != nil {
		return operation{}, err
	}
	// The leftmost bits of a digest longer than the group order (FIPS 186-5
	// §6.4.1): some tokens refuse to cut it themselves.
	return operation{signECDSA, bytes.Clone(digest[:min(len(digest), len(s.order))])}, nil
}

func (s ecdsaScheme) size() int { return 2 * len(s.order) }

// encode turns r || s (PKCS#11 v2.40 mechanisms §2.3.1) into the Ecdsa-Sig-Value
// of RFC 5480. With P-256 and P-384 every length is one byte. It is written by hand
// because a general encoder takes a good part of the time that is ours in a
// signature.
func (s ecdsaScheme) encode(raw []byte) ([]byte, error) {
	if len(raw) != s.size() {
		return nil, fault.New(fault.HSMFailed, "", "the token returned an ECDSA signature of %d bytes", len(raw))
	}
	der := append(make([]byte, 0, len(raw)+8), 0x30, 0)
	for _, n := range [][]byte{raw[:len(s.order)], raw[len(s.order):]} {
		if bytes.Compare(n, s.order) >= 0 {
			return nil, fault.New(fault.HSMFailed, "", "the token returned an ECDSA signature outside the group")
		}
		n = bytes.TrimLeft(n, "\x00")
		switch {
		case len(n) == 0:
			return nil, fault.New(fault.HSMFailed, "", "the token returned an ECDSA signature that is zero")
		case n[0] < 0x80:
			der = append(der, 0x02, byte(len(n)))
		default: // or it would be negative
			der = append(der, 0x02, byte(len(n)+1), 0)
		}
		der = append(der, n...)
	}
	der[1] = byte(len(der) - 2)
	return der, nil
}

type ed25519Scheme struct{}

// operation wants pure Ed25519 (RFC 8032 §5.1): no hash function before, no
// context.
func (ed25519Scheme) operation(message []byte, opts crypto.SignerOpts) (operation, error) {
	if o, ok := opts.(*ed25519.Options); opts.HashFunc() != 0 || ok && o.Context != "" {
		return operation{}, fault.New(fault.BadArgument, "", "Ed25519 signs the message itself, without a context")
	}
	if len(message) > messageBytesMax {
		return operation{}, fault.New(fault.BadArgument, "", "a message of more than %d bytes", messageBytesMax)
	}
	return operation{signEdDSA, bytes.Clone(message)}, nil
}

func (ed25519Scheme) size() int { return ed25519.SignatureSize }

func (ed25519Scheme) encode(raw []byte) ([]byte, error) {
	if len(raw) != ed25519.SignatureSize {
		return nil, fault.New(fault.HSMFailed, "", "the token returned an Ed25519 signature of %d bytes", len(raw))
	}
	return raw, nil
}
