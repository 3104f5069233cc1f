package rsaverify

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// BitsMax is the largest modulus. It keeps the numbers on the stack.
const BitsMax = 16384

const limbsMax = BitsMax / 64

// Public computes sig^e mod n as a number of as many bytes as n has. ok is
// false for a signature that is not such a number below n (RFC 8017 §5.2.2 step
// 1, §8.2.2 step 1), and for a modulus that is even, longer than BitsMax or
// below three, or an exponent that is even or below three: no RSA key has those.
//
// The exponentiation is Montgomery's (Math. Comp. 44, 1985): with R = 2^(64·k)
// above n, the product of a and b is computed as a·b/R mod n, for which no
// division by n is needed. From x = s·R the exponent's bits are worked off from
// the highest; every step keeps the factor R. In the last step, the lowest bit,
// which is always one, s itself is the other factor, so that R falls away.
func Public(n *big.Int, e uint32, sig []byte) (em []byte, ok bool) {
	size := (n.BitLen() + 7) / 8
	s := new(big.Int).SetBytes(sig)
	if n.Sign() <= 0 || n.BitLen() > BitsMax || n.BitLen() < 2 || n.Bit(0) == 0 || e < 3 || e%2 == 0 ||
		len(sig) != size || s.Cmp(n) >= 0 {
		return nil, false
	}
	k := (n.BitLen() + 63) / 64
	var modulus, factor, x, plain [limbsMax]uint64
	m := modulus[:k]
	fill(m, n)
	fill(plain[:k], s)
	// One division brings s into Montgomery's form.
	s.Lsh(s, uint(64*k))
	s.Rem(s, n)
	fill(factor[:k], s)
	copy(x[:k], factor[:k])

	inverse := negativeInverse(m[0])
	for bit := bits.Len32(e) - 2; bit >= 0; bit-- {
		square(x[:k], m, inverse)
		switch {
		case bit == 0:
			multiply(x[:k], plain[:k], m, inverse)
		case e>>bit&1 == 1:
			multiply(x[:k], factor[:k], m, inverse)
		}
	}
	em = make([]byte, 8*k)
	for i, limb := range x[:k] {
		binary.BigEndian.PutUint64(em[8*(k-1-i):], limb)
	}
	return em[8*k-size:], true
}

// fill writes v into limbs, the least significant first.
func fill(limbs []uint64, v *big.Int) {
	var buffer [8 * limbsMax]byte
	b := v.FillBytes(buffer[:8*len(limbs)])
	for i := range limbs {
		limbs[i] = binary.BigEndian.Uint64(b[8*(len(limbs)-1-i):])
	}
}

// negativeInverse is −1/m modulo 2^64 for an odd m. Newton's step doubles the
// number of right bits; m itself is right in three (m² ≡ 1 mod 8).
func negativeInverse(m uint64) uint64 {
	x := m
	for range 5 {
		x *= 2 - m*x
	}
	return -x
}

// square sets x to x²/R mod m.
func square(x, m []uint64, inverse uint64) {
	var t [2*limbsMax + 1]uint64
	k := len(m)
	squareWide(t[:2*k], x)
	reduce(x, t[:2*k+1], m, inverse)
}

// multiply sets x to x·y/R mod m.
func multiply(x, y, m []uint64, inverse uint64) {
	var t [2*limbsMax + 1]uint64
	k := len(m)
	for i, limb := range x {
		t[i+k] = addMul(t[i:i+k], y, limb)
	}
	reduce(x, t[:2*k+1], m, inverse)
}

// squareWide sets t to x². Products of different limbs occur twice, so they are
// computed once and doubled.
func squareWide(t, x []uint64) {
	k := len(x)
	clear(t)
	for i := 0; i < k-1; i++ {
		t[i+k] = addMul(t[2*i+1:i+k], x[i+1:], x[i])
	}
	var shifted, carry uint64
	for i, limb := range x {
		hi, lo := bits.Mul64(limb, limb)
		a, b := t[2*i], t[2*i+1]
		var c uint64
		t[2*i], c = bits.Add64(a<<1|shifted, lo, carry)
		t[2*i+1], carry = bits.Add64(b<<1|a>>63, hi, c)
		shifted = b >> 63
	}
}

// reduce sets x to t/R mod m, for t below m·R: in each step a multiple of m is
// added that makes the lowest limb zero, which is then dropped. The sum stays
// below 2·m·R, so at most one subtraction is left. t has a limb more than the
// product for its carry and is overwritten.
func reduce(x, t, m []uint64, inverse uint64) {
	k := len(m)
	var carry uint64
	for i := range k {
		c := addMul(t[i:i+k], m, t[i]*inverse)
		t[i+k], carry = bits.Add64(t[i+k], c, carry)
	}
	var borrow uint64
	high := t[k : 2*k]
	for i := range k {
		x[i], borrow = bits.Sub64(high[i], m[i], borrow)
	}
	if carry < borrow {
		copy(x, high)
	}
}

// addMul adds x·y to z and returns the limb that is carried out. The slices are
// of one length. A carry is added to zero at once, which the compiler turns into
// one instruction; kept in a variable it would cost three.
func addMul(z, x []uint64, y uint64) (carry uint64) {
	var h, l, c uint64
	for len(x) >= 8 && len(z) >= 8 {
		a, s := (*[8]uint64)(x), (*[8]uint64)(z)
		h, l = bits.Mul64(a[0], y)
		l, c = bits.Add64(l, s[0], 0)
		h, _ = bits.Add64(h, 0, c)
		s[0], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		h, l = bits.Mul64(a[1], y)
		l, c = bits.Add64(l, s[1], 0)
		h, _ = bits.Add64(h, 0, c)
		s[1], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		h, l = bits.Mul64(a[2], y)
		l, c = bits.Add64(l, s[2], 0)
		h, _ = bits.Add64(h, 0, c)
		s[2], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		h, l = bits.Mul64(a[3], y)
		l, c = bits.Add64(l, s[3], 0)
		h, _ = bits.Add64(h, 0, c)
		s[3], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		h, l = bits.Mul64(a[4], y)
		l, c = bits.Add64(l, s[4], 0)
		h, _ = bits.Add64(h, 0, c)
		s[4], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		h, l = bits.Mul64(a[5], y)
		l, c = bits.Add64(l, s[5], 0)
		h, _ = bits.Add64(h, 0, c)
		s[5], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		h, l = bits.Mul64(a[6], y)
		l, c = bits.Add64(l, s[6], 0)
		h, _ = bits.Add64(h, 0, c)
		s[6], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		h, l = bits.Mul64(a[7], y)
		l, c = bits.Add64(l, s[7], 0)
		h, _ = bits.Add64(h, 0, c)
		s[7], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
		x, z = x[8:], z[8:]
	}
	for i := range x {
		h, l = bits.Mul64(x[i], y)
		l, c = bits.Add64(l, z[i], 0)
		h, _ = bits.Add64(h, 0, c)
		z[i], c = bits.Add64(l, carry, 0)
		carry, _ = bits.Add64(h, 0, c)
	}
	return carry
}
