package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// operation is one signature as the token is asked for it.
type operation struct {
	mechanism *pkcs11.Mechanism
	input     []byte
	encode    func(raw []byte) ([]byte, error)
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

func operationFor(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (operation, error) {
	hash := opts.HashFunc()
	row, listed := digests[hash]
	if !listed {
		return operation{}, fault.New(fault.BadArgument, "", "signatures over SHA-224, SHA-256, SHA-384 and SHA-512 only, got %v", hash)
	}
	if len(digest) != hash.Size() {
		return operation{}, fault.New(fault.BadArgument, "", "a digest of %d bytes is not one of %v", len(digest), hash)
	}
	switch public := public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return operationPSS(public, digest, hash, pss.SaltLength, row.hash, row.maskHash)
		}
		return operation{
			mechanism: pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil),
			input:     slices.Concat(row.info, digest),
			encode:    rawRSA(public),
		}, nil
	case *ecdsa.PublicKey:
		size := (public.Curve.Params().N.BitLen() + 7) / 8
		return operation{
			mechanism: pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil),
			// The leftmost bits of a digest longer than the group order
			// (FIPS 186-5 §6.4.1): some tokens refuse to cut it themselves.
			input:  digest[:min(len(digest), size)],
			encode: func(raw []byte) ([]byte, error) { return encodeECDSA(raw, public) },
		}, nil
	}
	return operation{}, fault.New(fault.HSMKeyUnsupported, "", "the key is neither RSA nor ECDSA")
}

// operationPSS gives the salt lengths of crypto/rsa their meaning there: "auto"
// is as long as fits (RFC 8017 §9.1.1), "equals hash" is what policies demand.
func operationPSS(public *rsa.PublicKey, digest []byte, hash crypto.Hash, saltLength int, hashNumber, maskNumber uint) (operation, error) {
	saltMax := (public.N.BitLen()-1+7)/8 - 2 - hash.Size()
	switch saltLength {
	case rsa.PSSSaltLengthAuto:
		saltLength = saltMax
	case rsa.PSSSaltLengthEqualsHash:
		saltLength = hash.Size()
	}
	if saltLength < 0 || saltLength > saltMax {
		return operation{}, fault.New(fault.BadArgument, "", "a PSS salt of %d bytes does not fit", saltLength)
	}
	parameters := pkcs11.NewPSSParams(hashNumber, maskNumber, uint(saltLength))
	return operation{
		mechanism: pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, parameters),
		input:     digest,
		encode:    rawRSA(public),
	}, nil
}

func rawRSA(public *rsa.PublicKey) func([]byte) ([]byte, error) {
	return func(raw []byte) ([]byte, error) {
		if len(raw) != public.Size() {
			return nil, fault.New(fault.HSMFailed, "", "the token returned an RSA signature of %d bytes", len(raw))
		}
		return raw, nil
	}
}

// encodeECDSA turns r || s (PKCS#11 v2.40 mechanisms §2.3.1) into the
// Ecdsa-Sig-Value of RFC 5480.
func encodeECDSA(raw []byte, public *ecdsa.PublicKey) ([]byte, error) {
	order := public.Curve.Params().N
	size := (order.BitLen() + 7) / 8
	if len(raw) != 2*size {
		return nil, fault.New(fault.HSMFailed, "", "the token returned an ECDSA signature of %d bytes", len(raw))
	}
	r, s := new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])
	for _, n := range []*big.Int{r, s} {
		if n.Sign() == 0 || n.Cmp(order) >= 0 {
			return nil, fault.New(fault.HSMFailed, "", "the token returned an ECDSA signature outside the group")
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	return b.Bytes()
}
