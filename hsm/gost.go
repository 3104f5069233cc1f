package hsm

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// GOSTMechanism says by which numbers a module knows one kind of GOST R 34.10
// key. PKCS#11 has numbers for the keys of 2001 only; those of 2012 (Kazakhstan's
// 2015 series) are each vendor's own, as is the way they write a signature.
//
// No obtainable token has these keys: this is proven by the scripted token of
// hsmtest, and by no hardware.
type GOSTMechanism struct {
	// Key is the kind of key: which country's, which series, which size.
	Key *gost.KeyAlgorithm
	// KeyType is the CKK_… of such keys, Sign the CKM_… that signs a digest.
	KeyType, Sign uint
	// Parameters is the attribute that holds the curve's object identifier as
	// DER; zero means CKA_GOSTR3410_PARAMS.
	Parameters uint
	// Layout is how C_Sign writes a signature; zero means gost.LayoutRU.
	Layout gost.Layout
}

func (m GOSTMechanism) parameters() uint {
	if m.Parameters == 0 {
		return pkcs11.CKA_GOSTR3410_PARAMS
	}
	return m.Parameters
}

func (m GOSTMechanism) layout() gost.Layout {
	if m.Layout == 0 {
		return gost.LayoutRU
	}
	return m.Layout
}

// gostPublicKey reads a public key by the rows for its type: CKA_VALUE is X‖Y,
// least significant byte first. Kinds of key with one type are told apart by the
// size of the point and, where it differs, by the curve.
func (o objects) gostPublicKey(handle pkcs11.ObjectHandle, keyType uint64) (crypto.PublicKey, error) {
	var refusal error = fault.New(fault.HSMKeyUnsupported, "", "keys of type %#x are not configured", keyType)
	for _, row := range o.gost {
		if uint64(row.KeyType) != keyType {
			continue
		}
		values, err := o.values(handle, pkcs11.CKA_VALUE, row.parameters())
		if err != nil {
			return nil, err
		}
		if len(values[0]) != 2*row.Key.Size {
			refusal = fault.New(fault.HSMKeyUnsupported, "", "keys of type %#x with points of %d bytes are not configured", keyType, len(values[0]))
			continue
		}
		public, err := row.publicKey(values[0], values[1])
		if err == nil {
			return public, nil
		}
		refusal = err
	}
	return nil, refusal
}

// publicKey makes the key of a point and the parameters.
func (m GOSTMechanism) publicKey(point, parameters []byte) (*gost.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(parameters, &oid); err != nil || len(rest) > 0 {
		return nil, fault.New(fault.HSMKeyUnsupported, "", "the key's parameters are no object identifier")
	}
	curve, err := gost.CurveByOID(oid)
	if err != nil {
		return nil, fault.Wrap(err, fault.HSMKeyUnsupported, "", "the key's curve")
	}
	public, err := gost.NewPublicKey(m.Key, curve, point)
	switch {
	case fault.Is(err, fault.AlgorithmUnsupported):
		return nil, fault.Wrap(err, fault.HSMKeyUnsupported, "", "the key's curve")
	case err != nil:
		return nil, fault.Wrap(err, fault.HSMKeyUnsafe, "", "the token's point")
	}
	return public, nil
}

type gostScheme struct {
	row       GOSTMechanism
	half      int // of a signature, and the size of a digest
	mechanism *pkcs11.Mechanism
}

func (s gostScheme) operation(digest []byte, opts crypto.SignerOpts) (operation, error) {
	if opts.HashFunc() != 0 || len(digest) != s.half {
		return operation{}, fault.New(fault.BadArgument, "", "the key signs digests of %d bytes, of its own hash function", s.half)
	}
	if a, ok := opts.(*gost.Algorithm); ok && a.Key != s.row.Key {
		return operation{}, fault.New(fault.BadArgument, "", "the key is of another algorithm than %s", a.Name)
	}
	return operation{s.mechanism, bytes.Clone(digest)}, nil
}

func (s gostScheme) size() int { return 2 * s.half }

// encode writes the signature as the key's own algorithm does. The two layouts
// are each other's bytes in reverse: r‖s from the least significant byte on, and
// s‖r from the most significant.
func (s gostScheme) encode(raw []byte) ([]byte, error) {
	if len(raw) != s.size() {
		return nil, fault.New(fault.HSMFailed, "", "the token returned a GOST signature of %d bytes", len(raw))
	}
	if s.row.layout() != s.row.Key.Algorithm().Layout {
		slices.Reverse(raw)
	}
	return raw, nil
}
