package cades

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// chooseAlgorithm finds what a key signs with. Ed25519 has SHA-512 beside it,
// whatever was asked for (RFC 8419 §3).
func chooseAlgorithm(public crypto.PublicKey, digest *algo.Digest, pss bool) (*algo.Signature, *algo.Digest, error) {
	_, isRSA := public.(*rsa.PublicKey)
	var algorithm *algo.Signature
	var err error
	switch {
	case pss && !isRSA:
		return nil, nil, fault.New(fault.AlgorithmKeyMismatch, "", "RSASSA-PSS with a key of another kind")
	case pss:
		algorithm, err = algo.PSS(digest)
	default:
		if _, isEd25519 := public.(ed25519.PublicKey); isEd25519 {
			digest = algo.DigestFor(public)
		}
		algorithm, err = algo.SignatureFor(public, digest)
	}
	return algorithm, digest, err
}
