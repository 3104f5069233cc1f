package cades

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/gost"
)

// oidEd25519 is id-Ed25519 (RFC 8410 §3).
var oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}

func isEd25519(public crypto.PublicKey) bool {
	_, is := public.(ed25519.PublicKey)
	return is
}

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
	case isEd25519(public):
		digest = algo.SHA512
		algorithm, err = algo.SignatureByIdentifier(algo.Identifier{OID: oidEd25519}, digest)
	default:
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
