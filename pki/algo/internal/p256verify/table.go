package p256verify

import (
	"crypto/elliptic"
	"encoding/hex"
	"sync"
)

const (
	// Size is the length in bytes of a coordinate and of a scalar.
	Size = 32
	// half is the number of multiples kept for each byte of a scalar: a greater
	// digit is one of them from above, subtracted.
	half = 128
)

// Table has the multiples j·256^i·Q of a point Q, for every byte i of a scalar,
// and j up to 128, at [i][j-1]; and 256^32·Q for what is carried out of the last.
type Table struct {
	points [Size][half]affine
	carry  affine
}

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
	for i := range t.points {
		row[0] = jacobian{base.x, base.y, one}
		for j := 1; j < half; j++ {
			row[j] = row[j-1]
			row[j].add(&base)
		}
		row[half] = row[half-1]
		row[half].double() // 256 times the first
		normalise(row, points)
		copy(t.points[i][:], points)
		base = points[half]
	}
	t.carry = base
	return t, true
}

// XIs reports whether u1·G + u2·Q is not infinity and its x is r or, where that is
// below the prime too, r plus the order, given as next; next is nil where it is
// not. All are most significant byte first, the scalars below the order.
func (t *Table) XIs(u1, u2, r, next []byte) bool {
	var sum jacobian
	baseTable().addTo(&sum, u1)
	t.addTo(&sum, u2)
	if sum.z.isZero() {
		return false
	}
	var zz element
	sqr(&zz, &sum.z)
	for _, candidate := range [][]byte{r, next} {
		if candidate == nil {
			continue
		}
		// x·Z² = X, without a division.
		if x, ok := fromBytes(candidate); ok {
			mul(&x, &x, &zz)
			if x == sum.x {
				return true
			}
		}
	}
	return false
}

// addTo adds k·Q to a sum, by digits from −127 to 128.
func (t *Table) addTo(sum *jacobian, k []byte) {
	carry := 0
	for i := range t.points {
		digit := int(k[Size-1-i]) + carry
		carry = 0
		if digit > half {
			digit -= 256
			carry = 1
		}
		switch {
		case digit > 0:
			sum.add(&t.points[i][digit-1])
		case digit < 0:
			sum.subtract(&t.points[i][-digit-1])
		}
	}
	if carry != 0 {
		sum.add(&t.carry)
	}
}
