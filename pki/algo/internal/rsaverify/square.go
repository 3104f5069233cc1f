package rsaverify

import "math/bits"

// square sets x to x²/R mod m.
func (r *reducer) square(x []uint64) {
	product := r.t[:2*len(x)]
	r.t[2*len(x)] = 0
	if hasADX {
		squareRows(product, x)
	} else {
		squareInto(product, x, r.scratch)
	}
	r.reduce(x)
}

// halvedMin is the number of limbs from which halving pays where it does not lead
// to square16.
const halvedMin = 48

// squareInto sets t to x² in the way that is fastest in Go. scratch is twice as
// long as t.
func squareInto(t, x, scratch []uint64) {
	switch k := len(x); {
	case k == 16:
		square16((*[32]uint64)(t), (*[16]uint64)(x))
	case k%32 == 0, k%2 == 0 && k >= halvedMin:
		squareHalves(t, x, scratch)
	default:
		squareRows(t, x)
	}
}

// squareHalves sets t to x² by Karatsuba's identity: with x = a + b·B, B² standing
// for a whole x, it is a² + (a² + b² − (a−b)²)·B + b²·B², three squares of half
// the length instead of four.
func squareHalves(t, x, scratch []uint64) {
	k, half := len(x), len(x)/2
	a, b := x[:half], x[half:]
	square, middle, scratch := scratch[:k], scratch[k:2*k], scratch[2*k:]
	squareInto(t[:k], a, scratch)
	squareInto(t[k:], b, scratch)
	difference := middle[:half]
	if subtract(difference, a, b) == 1 {
		subtract(difference, b, a)
	}
	squareInto(square, difference, scratch)

	// The middle is 2ab: not negative, and a limb longer than a².
	carry := add(middle, t[:k], t[k:])
	carry -= subtract(middle, middle, square)
	inner := t[half : half+k]
	carry += add(inner, inner, middle)
	for i := half + k; carry > 0; i++ { // ends before t does: x² fits
		t[i], carry = bits.Add64(t[i], carry, 0)
	}
}

// squareRows sets t to x². Products of different limbs occur
// twice in a square, so they are computed once and doubled. In Go two rows at
// once are faster, with ADX one after the other.
func squareRows(t, x []uint64) {
	clear(t)
	k := len(x)
	i := 0
	for ; !hasADX && i+2 < k; i += 2 {
		// Rows i and i+1 share x[i+2:]; what is left is x[i]·x[i+1].
		h, l := bits.Mul64(x[i], x[i+1])
		var c uint64
		t[2*i+1], c = bits.Add64(t[2*i+1], l, 0)
		t[i+k], t[i+k+1] = addPair(t[2*i+2:i+k], x[i+2:], x[i], x[i+1], h+c)
	}
	for ; i < k-1; i++ {
		t[i+k] = addMul(t[2*i+1:i+k], x[i+1:], x[i])
	}
	var shifted, carry, c uint64
	for i, limb := range x {
		hi, lo := bits.Mul64(limb, limb)
		a, b := t[2*i], t[2*i+1]
		t[2*i], c = bits.Add64(a<<1|shifted, lo, carry)
		t[2*i+1], carry = bits.Add64(b<<1|a>>63, hi, c)
		shifted = b >> 63
	}
}
