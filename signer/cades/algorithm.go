package cades

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/gost"
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

// digestIdentifier is how a digest is written beside a signature of a key. Under
// a key of Russia's GOST its digests go by Russia's identifiers, without
// parameters (RFC 9215 §2.2): nobody there knows Kazakhstan's.
func digestIdentifier(public crypto.PublicKey, d *algo.Digest) algo.Identifier {
	key, ok := public.(*gost.PublicKey)
	if !ok || key.Algorithm().Algorithm().Layout == gost.LayoutKZ {
		return d.Identifier()
	}
	named, err := key.Digest()
	if err != nil {
		return d.Identifier()
	}
	return algo.Identifier{OID: named.OIDs[0]}
}
