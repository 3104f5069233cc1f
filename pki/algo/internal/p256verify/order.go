package p256verify

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// scalar is a number below 2^256, least significant limb first.
type scalar [4]uint64

var (
	// order is n, that of the base point.
	order = scalar{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}
	// orderSquare is 2^512 mod n: Montgomery's product with it is one by 2^256.
	orderSquare = scalar{0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620}
)

// orderInverse is −1/n modulo 2^64.
const orderInverse = 0xccd1c8aaee00bc4f

// scalarOf reads 32 bytes, most significant first.
func scalarOf(b []byte) (x scalar) {
	_ = b[31]
	for i := range x {
		x[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return x
}

func (x *scalar) isZero() bool { return x[0]|x[1]|x[2]|x[3] == 0 }

// add and minus give x + y and x − y modulo 2^256, and what is carried or borrowed.
func (x *scalar) add(y *scalar) (sum scalar, carry uint64) {
	for i := range sum {
		sum[i], carry = bits.Add64(x[i], y[i], carry)
	}
	return sum, carry
}

func (x *scalar) minus(y *scalar) (difference scalar, borrow uint64) {
	for i := range difference {
		difference[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}
	return difference, borrow
}

// addProduct adds x·y to z, and returns the limb that is carried out.
func (z *scalar) addProduct(x *scalar, y uint64) (carry uint64) {
	for i := range z {
		h, l := bits.Mul64(x[i], y)
		l, c := bits.Add64(l, carry, 0)
		h += c
		z[i], c = bits.Add64(z[i], l, 0)
		carry = h + c
	}
	return carry
}

// mulOrder is x·y/2^256 mod n, for y below n (Montgomery's product).
func mulOrder(x, y *scalar) scalar {
	var t scalar
	var top uint64
	for _, limb := range x {
		carry := t.addProduct(y, limb)
		high, c := bits.Add64(top, carry, 0)
		carry = t.addProduct(&order, t[0]*orderInverse) // makes t[0] zero
		high, over := bits.Add64(high, carry, 0)
		t, top = scalar{t[1], t[2], t[3], high}, c+over
	}
	if d, borrow := t.minus(&order); borrow == 0 || top != 0 {
		return d
	}
	return t
}

// inverseOrder is 1/s mod n for s from 1 to n − 1, by Euclid's algorithm in Lehmer's
// way: the quotients of many steps are found from the leading limbs, and the steps
// then done at once.
//
// After t steps two of Euclid's remainders are left, a > b, and numbers a' and b'
// with b ≡ (−1)^t·b'·s and a ≡ −(−1)^t·a'·s. What is kept positive like this never
// exceeds n.
func inverseOrder(s *scalar) scalar {
	a, b := order, *s
	a1, b1 := scalar{}, scalar{1}
	odd := false // t
	for limbs := len(a); ; {
		for limbs > 1 && a[limbs-1] == 0 {
			limbs--
		}
		m, last := steps(&a, &b, limbs)
		if m.v0 == 0 && !last {
			break
		}
		odd = odd != m.odd
		a1, b1 = sumOf(m.u0, &a1, m.v0, &b1), sumOf(m.u1, &a1, m.v1, &b1)
		if last {
			if odd {
				b1, _ = order.minus(&b1)
			}
			return b1
		}
		if m.odd {
			a, b = differenceOf(m.v0, &b, m.u0, &a, limbs), differenceOf(m.u1, &a, m.v1, &b, limbs)
		} else {
			a, b = differenceOf(m.u0, &a, m.v0, &b, limbs), differenceOf(m.v1, &b, m.u1, &a, limbs)
		}
	}
	// A quotient has half a limb or more: of numbers that are not chosen for it, not
	// one in millions meets one.
	var raw [Size]byte
	w := new(big.Int).ModInverse(new(big.Int).SetBytes(s.bytes(&raw)), new(big.Int).SetBytes(order.bytes(new([Size]byte))))
	return scalarOf(w.FillBytes(raw[:]))
}

// matrix has what some of Euclid's steps make of two numbers a and b, but for the
// sign: u0·a − v0·b and v1·b − u1·a, or, after an odd number of steps, the opposite.
type matrix struct {
	u0, v0, u1, v1 uint64
	odd            bool
}

// steps does as many as the leading 64 bits of a, and those of b that stand with
// them, tell for certain. When a has one limb that is all of them: last is true, and
// the second number is 1.
//
// With x = u·a − v·b of the leading bits only, that of whole numbers differs from it
// by less than v units of the last bit, for v ≥ u. A quotient is therefore right if
// the new remainder y is at least its v, and less than the one before by both
// their v (Collins).
func steps(a, b *scalar, limbs int) (m matrix, last bool) {
	u0, v0, u1, v1 := uint64(1), uint64(0), uint64(0), uint64(1)
	odd := false
	x, y := a[limbs-1], b[limbs-1]
	last = limbs == 1
	if !last {
		shift := bits.LeadingZeros64(x)
		x = x<<shift | a[limbs-2]>>(64-shift)
		y = y<<shift | b[limbs-2]>>(64-shift)
	}
	for y > 1 {
		q := x / y
		r := x % y
		u, v := u0+q*u1, v0+q*v1
		if !last && (r < v || y-r < v1+v) {
			break
		}
		x, y = y, r
		u0, v0, u1, v1 = u1, v1, u, v
		odd = !odd
	}
	return matrix{u0, v0, u1, v1, odd}, last
}

// sumOf is u·x + v·y, which is below 2^256.
func sumOf(u uint64, x *scalar, v uint64, y *scalar) (z scalar) {
	z.addProduct(x, u)
	z.addProduct(y, v)
	return z
}

// differenceOf is u·x − v·y, which is not negative and has at most so many limbs.
func differenceOf(u uint64, x *scalar, v uint64, y *scalar, limbs int) (z scalar) {
	var carryX, carryY, borrow uint64
	for i := range limbs {
		h, l := bits.Mul64(u, x[i])
		l, c := bits.Add64(l, carryX, 0)
		carryX = h + c
		h, k := bits.Mul64(v, y[i])
		k, c = bits.Add64(k, carryY, 0)
		carryY = h + c
		z[i], borrow = bits.Sub64(l, k, borrow)
	}
	return z
}

// bytes is the number, most significant byte first.
func (x *scalar) bytes(into *[Size]byte) []byte {
	for i, limb := range x {
		binary.BigEndian.PutUint64(into[24-8*i:], limb)
	}
	return into[:]
}
