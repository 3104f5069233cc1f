package p256verify

import "math/bits"

// element is a number x of the field of p = 2^256 − 2^224 + 2^192 + 2^96 − 1, kept
// as x·2^256 mod p (Montgomery's form), least significant limb first. It is always
// below p, so that a number has one form.
type element [4]uint64

// p by limbs. One of them is zero, and −1/p is 1 modulo 2^64: reduction takes one
// product a limb.
const (
	p0 = 1<<64 - 1
	p1 = 1<<32 - 1
	p3 = 1<<64 - 1<<32 + 1
)

var (
	one = element{1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe} // 2^256 mod p
	// square is 2^512 mod p, which brings a number into the form.
	square = element{0x0000000000000003, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}
)

// fromBytes reads 32 bytes, most significant first, of a number below p.
func fromBytes(b []byte) (x element, ok bool) {
	x = element(scalarOf(b))
	return x, x.enter()
}

// enter brings a number into the form. It is false for one that is not below p.
func (x *element) enter() bool {
	if _, borrow := subP(x, 0); borrow == 0 {
		return false
	}
	mul(x, x, &square)
	return true
}

func (x *element) isZero() bool { return x[0]|x[1]|x[2]|x[3] == 0 }

// subP is the number of five limbs that x and top make, less p.
func subP(x *element, top uint64) (d element, borrow uint64) {
	d[0], borrow = bits.Sub64(x[0], p0, 0)
	d[1], borrow = bits.Sub64(x[1], p1, borrow)
	d[2], borrow = bits.Sub64(x[2], 0, borrow)
	d[3], borrow = bits.Sub64(x[3], p3, borrow)
	_, borrow = bits.Sub64(top, 0, borrow)
	return d, borrow
}

// sub sets z to x − y.
func sub(z, x, y *element) {
	var b, c uint64
	t0, b := bits.Sub64(x[0], y[0], 0)
	t1, b := bits.Sub64(x[1], y[1], b)
	t2, b := bits.Sub64(x[2], y[2], b)
	t3, b := bits.Sub64(x[3], y[3], b)
	back := -b // all ones if it is negative: then p is added
	z[0], c = bits.Add64(t0, back, 0)
	z[1], c = bits.Add64(t1, back&p1, c)
	z[2], c = bits.Add64(t2, 0, c)
	z[3], _ = bits.Add64(t3, back&p3, c)
}

// double sets z to 2x.
func double(z, x *element) {
	t := element{x[0] << 1, x[1]<<1 | x[0]>>63, x[2]<<1 | x[1]>>63, x[3]<<1 | x[2]>>63}
	d, borrow := subP(&t, x[3]>>63)
	if borrow == 0 {
		t = d
	}
	*z = t
}

// fold takes the lowest limb m away by adding m·p, which is m·(2^256 − 2^224 +
// 2^192 + 2^96) − m, and moves the rest down by a limb.
func fold(m, t1, t2, t3, t4, t5 uint64) (r0, r1, r2, r3, r4 uint64) {
	low, b := bits.Sub64(m, m<<32, 0) // m·p3
	high := m - m>>32 - b
	var c uint64
	r0, c = bits.Add64(t1, m<<32, 0)
	r1, c = bits.Add64(t2, m>>32, c)
	r2, c = bits.Add64(t3, low, c)
	r3, c = bits.Add64(t4, high, c)
	return r0, r1, r2, r3, t5 + c
}

// mul sets z to x·y: a row of products for each limb of x, and after each the
// lowest limb folded away. It is written out because calls cost more than rows.
func mul(z, x, y *element) {
	var c, t5 uint64
	y0, y1, y2, y3 := y[0], y[1], y[2], y[3]

	h0, t0 := bits.Mul64(x[0], y0)
	h1, t1 := bits.Mul64(x[0], y1)
	h2, t2 := bits.Mul64(x[0], y2)
	t4, t3 := bits.Mul64(x[0], y3)
	t1, c = bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, h1, c)
	t3, c = bits.Add64(t3, h2, c)
	t4 += c
	t0, t1, t2, t3, t4 = fold(t0, t1, t2, t3, t4, 0)

	h0, l0 := bits.Mul64(x[1], y0)
	h1, l1 := bits.Mul64(x[1], y1)
	h2, l2 := bits.Mul64(x[1], y2)
	h3, l3 := bits.Mul64(x[1], y3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, l1, c)
	t2, c = bits.Add64(t2, l2, c)
	t3, c = bits.Add64(t3, l3, c)
	t4, t5 = bits.Add64(t4, h3, c)
	t0, t1, t2, t3, t4 = fold(t0, t1, t2, t3, t4, t5)

	h0, l0 = bits.Mul64(x[2], y0)
	h1, l1 = bits.Mul64(x[2], y1)
	h2, l2 = bits.Mul64(x[2], y2)
	h3, l3 = bits.Mul64(x[2], y3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, l1, c)
	t2, c = bits.Add64(t2, l2, c)
	t3, c = bits.Add64(t3, l3, c)
	t4, t5 = bits.Add64(t4, h3, c)
	t0, t1, t2, t3, t4 = fold(t0, t1, t2, t3, t4, t5)

	h0, l0 = bits.Mul64(x[3], y0)
	h1, l1 = bits.Mul64(x[3], y1)
	h2, l2 = bits.Mul64(x[3], y2)
	h3, l3 = bits.Mul64(x[3], y3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, l1, c)
	t2, c = bits.Add64(t2, l2, c)
	t3, c = bits.Add64(t3, l3, c)
	t4, t5 = bits.Add64(t4, h3, c)
	t0, t1, t2, t3, t4 = fold(t0, t1, t2, t3, t4, t5)
	reduce(z, t0, t1, t2, t3, t4)
}

// reduce sets z to a number below 2p, less p if that is not negative.
func reduce(z *element, t0, t1, t2, t3, t4 uint64) {
	var b uint64
	d0, b := bits.Sub64(t0, p0, 0)
	d1, b := bits.Sub64(t1, p1, b)
	d2, b := bits.Sub64(t2, 0, b)
	d3, b := bits.Sub64(t3, p3, b)
	_, b = bits.Sub64(t4, 0, b)
	keep := -b
	z[0] = d0 ^ keep&(d0^t0)
	z[1] = d1 ^ keep&(d1^t1)
	z[2] = d2 ^ keep&(d2^t2)
	z[3] = d3 ^ keep&(d3^t3)
}

// sqr sets z to x²: the products of different limbs once, doubled, and the squares.
func sqr(z, x *element) {
	var c uint64
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	t2, t1 := bits.Mul64(x0, x1)
	h, l := bits.Mul64(x0, x2)
	t2, c = bits.Add64(t2, l, 0)
	t4, t3 := bits.Mul64(x0, x3)
	t3, c = bits.Add64(t3, h, c)
	t4 += c
	h, l = bits.Mul64(x1, x2)
	t3, c = bits.Add64(t3, l, 0)
	t4, c = bits.Add64(t4, h, c)
	t5 := c
	h, l = bits.Mul64(x1, x3)
	t4, c = bits.Add64(t4, l, 0)
	t5, c = bits.Add64(t5, h, c)
	t6 := c
	h, l = bits.Mul64(x2, x3)
	t5, c = bits.Add64(t5, l, 0)
	t6 += h + c

	t7 := t6 >> 63
	t6 = t6<<1 | t5>>63
	t5 = t5<<1 | t4>>63
	t4 = t4<<1 | t3>>63
	t3 = t3<<1 | t2>>63
	t2 = t2<<1 | t1>>63
	t1 <<= 1

	h, t0 := bits.Mul64(x0, x0)
	t1, c = bits.Add64(t1, h, 0)
	h, l = bits.Mul64(x1, x1)
	t2, c = bits.Add64(t2, l, c)
	t3, c = bits.Add64(t3, h, c)
	h, l = bits.Mul64(x2, x2)
	t4, c = bits.Add64(t4, l, c)
	t5, c = bits.Add64(t5, h, c)
	h, l = bits.Mul64(x3, x3)
	t6, c = bits.Add64(t6, l, c)
	t7 += h + c

	// The lower four limbs are folded away first, the upper four added then.
	t0, t1, t2, t3, c = fold(t0, t1, t2, t3, 0, 0)
	t0, t1, t2, t3, c = fold(t0, t1, t2, t3, c, 0)
	t0, t1, t2, t3, c = fold(t0, t1, t2, t3, c, 0)
	t0, t1, t2, t3, _ = fold(t0, t1, t2, t3, c, 0)
	t0, c = bits.Add64(t0, t4, 0)
	t1, c = bits.Add64(t1, t5, c)
	t2, c = bits.Add64(t2, t6, c)
	t3, c = bits.Add64(t3, t7, c)
	reduce(z, t0, t1, t2, t3, c)
}

// invert sets z to 1/x = x^(p−2), for x other than zero (Fermat). Only tables need it.
func invert(z, x *element) {
	exponent := [4]uint64{p0 - 2, p1, 0, p3}
	t := one
	for bit := 255; bit >= 0; bit-- {
		sqr(&t, &t)
		if exponent[bit/64]>>(bit%64)&1 != 0 {
			mul(&t, &t, x)
		}
	}
	*z = t
}
