package rsaverify

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// BitsMax is the largest modulus. It bounds time and memory.
const BitsMax = 16384

// limbsUsual is the length of the longest modulus in common use, 4096 bits, for
// which there is room on the stack.
const limbsUsual = 64

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
	var room [10*limbsUsual + 1]uint64
	limbs := room[:]
	if k > limbsUsual {
		limbs = make([]uint64, 10*k+1)
	}
	take := func(size int) (part []uint64) { part, limbs = limbs[:size], limbs[size:]; return part }
	factor, x, plain := take(k), take(k), take(k)
	r := reducer{m: take(k), t: take(2*k + 1), scratch: take(4 * k)}
	fill(r.m, n)
	fill(plain, s)
	// One division brings s into Montgomery's form.
	s.Lsh(s, uint(64*k))
	s.Rem(s, n)
	fill(factor, s)
	copy(x, factor)

	r.inverse = negativeInverse(r.m[0])
	for bit := bits.Len32(e) - 2; bit >= 0; bit-- {
		r.square(x)
		switch {
		case bit == 0:
			r.multiply(x, plain)
		case e>>bit&1 == 1:
			r.multiply(x, factor)
		}
	}
	em = make([]byte, 8*k)
	for i, limb := range x {
		binary.BigEndian.PutUint64(em[8*(k-1-i):], limb)
	}
	return em[8*k-size:], true
}

// fill writes v into limbs, the least significant first.
func fill(limbs []uint64, v *big.Int) {
	clear(limbs)
	for i, word := range v.Bits() {
		limbs[i*bits.UintSize/64] |= uint64(word) << (i * bits.UintSize % 64)
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

// reducer holds a modulus and room for a product.
type reducer struct {
	m       []uint64
	t       []uint64 // twice as long, and a limb for the last carry
	scratch []uint64 // of squareInto
	inverse uint64   // −1/m[0] modulo 2^64
}

// multiply sets x to x·y/R mod m.
func (r *reducer) multiply(x, y []uint64) {
	clear(r.t)
	k := len(x)
	i := 0
	for ; !hasADX && i+1 < k; i += 2 {
		r.t[i+k], r.t[i+k+1] = addPair(r.t[i:i+k], y, x[i], x[i+1], 0)
	}
	for ; i < k; i++ {
		r.t[i+k] = addMul(r.t[i:i+k], y, x[i])
	}
	r.reduce(x)
}

// reduce sets x to t/R mod m, for t below m·R: in each step a multiple of m is
// added that makes the lowest limb zero, which is then dropped. The sum stays
// below 2·m·R, so at most one subtraction is left. t is overwritten.
func (r *reducer) reduce(x []uint64) {
	t, m := r.t, r.m
	k := len(m)
	var carry, c uint64
	i := 0
	for ; !hasADX && i+1 < k; i += 2 {
		// The second multiple is the one that makes t[i+1] zero after the first.
		first := t[i] * r.inverse
		h, l := bits.Mul64(first, m[0])
		_, c = bits.Add64(l, t[i], 0)
		second := (t[i+1] + first*m[1] + h + c) * r.inverse
		low, high := addPair(t[i:i+k], m, first, second, 0)
		t[i+k], c = bits.Add64(t[i+k], low, carry)
		t[i+k+1], carry = bits.Add64(t[i+k+1], high, c)
	}
	for ; i < k; i++ {
		c = addMul(t[i:i+k], m, t[i]*r.inverse)
		t[i+k], carry = bits.Add64(t[i+k], c, carry)
	}
	high := t[k : 2*k]
	if borrow := subtract(x, high, m); carry < borrow {
		copy(x, high)
	}
}

// addMulGo adds x·y and a carry to z and returns the limb that is carried out. The
// slices are of one length. A carry is added to zero at once, which the compiler turns into
// one instruction; kept in a variable it would cost three.
func addMulGo(z, x []uint64, y, carry uint64) uint64 {
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
