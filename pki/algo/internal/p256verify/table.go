package p256verify

import (
	"crypto/elliptic"
	"encoding/hex"
	"sync"
)

const (
	// Size is the length in bytes of a coordinate and of a scalar.
	Size = 32
	// width is the length in bits of a digit of a scalar, digits how many there are
	// with what is carried out of the last whole one: 26 · 10 > 256. A bit less is
	// half the table and one more addition of eight points; a bit more is twice the
	// table, and no faster once it has left the cache.
	width  = 10
	digits = 26
	// half is the number of multiples kept for each digit: a greater one is one of
	// them from above, subtracted.
	half = 1 << (width - 1)
)

// Table has the multiples j·2^(10i)·Q of a point Q, for every digit i of a scalar,
// and j up to 512, at [i][j-1].
type Table [digits][half]affine

var curveB = mustElement("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")

// baseTable is of the base point.
var baseTable = sync.OnceValue(func() *Table {
	g := elliptic.P256().Params()
	t, _ := New(g.Gx.FillBytes(make([]byte, Size)), g.Gy.FillBytes(make([]byte, Size)))
	return t
})

// mustElement reads a constant.
func mustElement(digits string) element {
	raw, _ := hex.DecodeString(digits)
	x, _ := fromBytes(raw)
	return x
}

// New makes the table of a point, given by its coordinates, most significant byte
// first. It is false for what is no point of the curve.
func New(x, y []byte) (*Table, bool) {
	if len(x) != Size || len(y) != Size {
		return nil, false
	}
	var base affine
	var okX, okY bool
	base.x, okX = fromBytes(x)
	base.y, okY = fromBytes(y)
	if !okX || !okY || !base.onCurve() {
		return nil, false
	}
	t := new(Table)
	row := make([]jacobian, half+1)
	points := make([]affine, half+1)
	for i := range t {
		row[0] = jacobian{base.x, base.y, one}
		for j := 1; j < half; j++ {
			row[j] = row[j-1]
			row[j].add(&base)
		}
		row[half] = row[half-1]
		row[half].double() // the first of the next row
		normalise(row, points)
		copy(t[i][:], points)
		base = points[half]
	}
	return t, true
}

// term is a point of a table, or its opposite.
type term struct {
	point    *affine
	negative uint64 // all ones for the opposite
}

// terms gives what k·Q is the sum of, by digits from −511 to 512, and how many those
// are.
func (t *Table) terms(k *scalar, into []term) (n int) {
	limbs := [5]uint64{k[0], k[1], k[2], k[3]} // the last is zero
	carry := 0
	for i := range t {
		limb, bit := width*i/64, width*i%64
		window := limbs[limb]>>bit | limbs[limb+1]<<(64-bit) // a shift by 64 gives zero
		digit := int(window&(1<<width-1)) + carry
		carry = (half - digit) >> 63 & 1
		digit -= carry << width
		// Signs are as good as random: a branch would be foretold wrong half the time.
		negative := digit >> 63
		if digit != 0 {
			into[n] = term{&t[i][(digit^negative)-negative-1], uint64(negative)}
			n++
		}
	}
	return n // the last digit has 6 bits: nothing is carried out of it
}

// fetch copies the points. One half of each comes first: so the processor asks for
// the next before the memory has brought the last, and the other half comes along.
func fetch(terms []term, into []affine) {
	for i, term := range terms {
		into[i].x = term.point.x
	}
	for i, term := range terms {
		y, minus := &term.point.y, element{}
		sub(&minus, &minus, y)
		for j := range minus {
			into[i].y[j] = y[j] ^ term.negative&(y[j]^minus[j])
		}
	}
}
