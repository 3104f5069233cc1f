package gost

import (
	"crypto/hmac"
	"hash"
	"slices"

	"github.com/senim-kz/senim/pki/gost/streebog"
)

// nonces is the generator of RFC 6979 §3.2, steps b to h, over HMAC with Streebog
// of the curve's size. The digest e enters reduced modulo q, as bits2octets asks;
// extra is the additional data of §3.6.
type nonces struct {
	curve *Curve
	hash  func() hash.Hash
	shift int // the bits by which q is shorter than its bytes
	k, v  []byte
	again bool
}

func newNonces(c *Curve, d, e, extra []byte) *nonces {
	n := &nonces{curve: c, hash: streebog.New512, shift: 8*c.size - c.q.BitLen()}
	if c.size == streebog.Size256 {
		n.hash = streebog.New256
	}
	n.k = make([]byte, c.size)
	n.v = slices.Repeat([]byte{1}, c.size)
	// The RFC writes numbers with the most significant byte first.
	seed := slices.Concat(d, e)
	slices.Reverse(seed[:c.size])
	slices.Reverse(seed[c.size:])
	seed = append(seed, extra...)
	n.update(0, seed)
	n.update(1, seed)
	return n
}

// update is steps d to g: K = HMAC_K(V ‖ tag ‖ seed), V = HMAC_K(V).
func (n *nonces) update(tag byte, seed []byte) {
	n.k = n.mac(n.v, []byte{tag}, seed)
	n.v = n.mac(n.v)
}

func (n *nonces) mac(parts ...[]byte) []byte {
	h := hmac.New(n.hash, n.k)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// next is step h: the next candidate between 0 and q, least significant byte first.
func (n *nonces) next() []byte {
	for {
		if n.again {
			n.update(0, nil)
		}
		n.again = true
		n.v = n.mac(n.v) // as long as q, so one block makes T
		k := slices.Clone(n.v)
		slices.Reverse(k)
		n.shiftRight(k)
		if n.curve.isScalar(k) {
			return k
		}
	}
}

// shiftRight is bits2int of RFC 6979 §2.3.2 for a string of q's length in bytes:
// the leftmost bits are kept.
func (n *nonces) shiftRight(k []byte) {
	for i := range k {
		w := uint16(k[i])
		if i+1 < len(k) {
			w |= uint16(k[i+1]) << 8
		}
		k[i] = byte(w >> n.shift)
	}
}
