package gost

import (
	"math/big"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
)

// Verify checks a signature over a digest, both of exactly the curve's size. Most
// callers know an [Algorithm], whose Verify gives the layout. A wrong signature
// is signature_invalid.
func (k *PublicKey) Verify(layout Layout, digest, signature []byte) error {
	return k.verify(k.point, layout, digest, signature)
}

// verify is RFC 7091 §6.2 with an arithmetic of the key.
func (k *PublicKey) verify(with verifier, layout Layout, digest, signature []byte) error {
	size, q := k.curve.size, k.curve.q
	if len(digest) != size {
		return fault.New(fault.AlgorithmMismatch, "", "a digest of %d bytes under a key of %d", len(digest), size)
	}
	r, s, err := k.curve.split(layout, signature)
	if err != nil {
		return err
	}
	// Step 1: both numbers lie between 0 and q.
	nr, ns := new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)
	if nr.Sign() == 0 || ns.Sign() == 0 || nr.Cmp(q) >= 0 || ns.Cmp(q) >= 0 {
		return wrongSignature("r or s is out of range")
	}
	// Steps 3 to 5: v = 1/e, z1 = s·v, z2 = −r·v modulo q.
	v := digestNumber(digest, q)
	v.ModInverse(v, q)
	z1 := ns.Mul(ns, v)
	z1.Mod(z1, q)
	z2 := new(big.Int).Mul(nr, v)
	z2.Mod(z2, q).Sub(q, z2) // not 0: neither r nor v is

	// Steps 6 and 7: C = z1·G + z2·Q has x ≡ r.
	slices.Reverse(r)
	if !with.Verify(little(z1, size), little(z2, size), r) {
		return wrongSignature("it is not of this key over this digest")
	}
	return nil
}

// split returns fresh copies of r and s, most significant byte first.
func (c *Curve) split(layout Layout, signature []byte) (r, s []byte, err error) {
	if len(signature) != 2*c.size {
		return nil, nil, wrongSignature("its length is wrong")
	}
	first, second := slices.Clone(signature[:c.size]), slices.Clone(signature[c.size:])
	switch layout {
	case LayoutKZ:
		slices.Reverse(first)
		slices.Reverse(second)
		return first, second, nil
	case LayoutRU:
		return second, first, nil
	}
	return nil, nil, fault.New(fault.BadArgument, "", "layout %d", layout)
}

// join is the reverse of split; it takes r and s least significant byte first.
func join(layout Layout, r, s []byte) []byte {
	if layout == LayoutKZ {
		return slices.Concat(r, s)
	}
	out := slices.Concat(r, s)
	slices.Reverse(out) // s‖r, each reversed
	return out
}

// digestNumber is e of RFC 7091 §6.1, step 2: the digest as a number, least
// significant byte first, modulo q, and 1 where that is 0.
func digestNumber(digest []byte, q *big.Int) *big.Int {
	b := slices.Clone(digest)
	slices.Reverse(b)
	e := new(big.Int).SetBytes(b)
	if e.Mod(e, q); e.Sign() == 0 {
		e.SetInt64(1)
	}
	return e
}

// little writes n with the least significant byte first.
func little(n *big.Int, size int) []byte {
	b := n.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

func wrongSignature(why string) error {
	return fault.New(fault.SignatureInvalid, "", "a GOST signature: %s", why)
}
