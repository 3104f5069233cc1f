//go:build !purego

package p256verify

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestOlderProcessors sums as where the instructions are missing, and starts with
// those that came last.
func TestOlderProcessors(t *testing.T) {
	defer func(adx, ifma bool) { hasADX, hasIFMA = adx, ifma }(hasADX, hasIFMA)
	for _, without := range []*bool{&hasIFMA, &hasADX} {
		*without = false
		sumsHold(t)
	}
}

// set puts a number of the form for 2^256 in a lane, plus p where that is wanted:
// then it has its second form.
func (v *vector) set(lane int, x *element, second bool) {
	n := number(x)
	n.Lsh(n, 260).Mod(n, params.P)
	if second {
		n.Add(n, params.P)
	}
	for i := range v {
		limb := new(big.Int).And(new(big.Int).Rsh(n, uint(limbBits*i)), big.NewInt(1<<limbBits-1))
		v[i][lane] = limb.Uint64()
	}
}

// check holds a lane to a number, and to what the package says of a number's form.
func (v *vector) check(t rapid.TB, name string, lane int, want *element) {
	t.Helper()
	n := new(big.Int)
	for i := len(v) - 1; i >= 0; i-- {
		n.Add(n.Lsh(n, limbBits), new(big.Int).SetUint64(v[i][lane]))
		if v[i][lane]>>limbBits != 0 {
			t.Errorf("%s, lane %d: a limb of more than %d bits", name, lane, limbBits)
		}
	}
	if n.Cmp(new(big.Int).Lsh(params.P, 1)) >= 0 {
		t.Errorf("%s, lane %d: %x is not below 2p", name, lane, n)
	}
	x := v.element(lane)
	sixteen := *want
	for range 4 {
		double(&sixteen, &sixteen)
	}
	if x != sixteen {
		t.Errorf("%s, lane %d: %x, want %x", name, lane, x, sixteen)
	}
}

func (p *jacobians) set(rt *rapid.T, lane int, q *jacobian) {
	p.x.set(lane, &q.x, rapid.Bool().Draw(rt, "second X"))
	p.y.set(lane, &q.y, rapid.Bool().Draw(rt, "second Y"))
	p.z.set(lane, &q.z, rapid.Bool().Draw(rt, "second Z"))
}

func (p *jacobians) check(t rapid.TB, lane int, want *jacobian) {
	t.Helper()
	p.x.check(t, "X", lane, &want.x)
	p.y.check(t, "Y", lane, &want.y)
	p.z.check(t, "Z", lane, &want.z)
}

func drawJacobian(rt *rapid.T) jacobian {
	return jacobian{limbs.Draw(rt, "X"), limbs.Draw(rt, "Y"), limbs.Draw(rt, "Z")}
}

// TestAddAffineInLanes holds each lane to addGo, where that takes no special case.
func TestAddAffineInLanes(t *testing.T) {
	if !hasIFMA {
		t.Skip("the processor has no AVX-512 IFMA")
	}
	rapid.Check(t, func(rt *rapid.T) {
		var p jacobians
		var want [lanes]jacobian
		var q [lanes]affine
		for lane := range lanes {
			want[lane] = drawJacobian(rt)
			q[lane] = affine{limbs.Draw(rt, "x"), limbs.Draw(rt, "y")}
			p.set(rt, lane, &want[lane])
		}
		before := want
		mask := rapid.Uint64Range(0, 1<<lanes-1).Draw(rt, "mask")
		addAffineIFMA(&p, &q[0], mask)
		for lane := range lanes {
			if mask>>lane&1 != 0 {
				want[lane].addGo(&q[lane])
			}
			var x element
			sqr(&x, &before[lane].z)
			mul(&x, &x, &q[lane].x)
			if special := x == before[lane].x || before[lane].z.isZero(); special && mask>>lane&1 != 0 {
				p.z.check(rt, "Z of a special case", lane, &element{})
			} else {
				p.check(rt, lane, &want[lane])
			}
		}
		startIFMA(&p, &q[0])
		for lane := range lanes {
			p.x.check(rt, "x", lane, &q[lane].x)
			p.y.check(rt, "y", lane, &q[lane].y)
		}
	})
}

// TestAddPermuted holds each lane to the formulas, which hold for any numbers.
func TestAddPermuted(t *testing.T) {
	if !hasIFMA {
		t.Skip("the processor has no AVX-512 IFMA")
	}
	rapid.Check(t, func(rt *rapid.T) {
		var p jacobians
		var before [lanes]jacobian
		for lane := range lanes {
			before[lane] = drawJacobian(rt)
			p.set(rt, lane, &before[lane])
		}
		for i := range pairings {
			sum := p
			addPermutedIFMA(&sum, &pairings[i])
			for lane := range lanes {
				want := sumOfTwo(before[lane], before[pairings[i][lane]])
				sum.check(rt, lane, &want)
			}
		}
	})
}

// sumOfTwo is the chord's third point, with Z = Z1·Z2·h.
func sumOfTwo(p, q jacobian) (sum jacobian) {
	var p2, q2, x, y, h, s, hh, hhh, v element
	sqr(&p2, &p.z)
	sqr(&q2, &q.z)
	mul(&x, &p.x, &q2)
	mul(&h, &q.x, &p2)
	sub(&h, &h, &x)
	mul(&y, &p.y, &q2)
	mul(&y, &y, &q.z)
	mul(&s, &q.y, &p2)
	mul(&s, &s, &p.z)
	sub(&s, &s, &y)
	sqr(&hh, &h)
	mul(&hhh, &hh, &h)
	mul(&v, &hh, &x)
	sqr(&sum.x, &s)
	sub(&sum.x, &sum.x, &hhh)
	sub(&sum.x, &sum.x, &v)
	sub(&sum.x, &sum.x, &v)
	sub(&v, &v, &sum.x)
	mul(&v, &v, &s)
	mul(&hhh, &hhh, &y)
	sub(&sum.y, &v, &hhh)
	mul(&sum.z, &p.z, &q.z)
	mul(&sum.z, &sum.z, &h)
	return sum
}

// TestSumLanes takes any eight points and more of a table, some of which meet.
func TestSumLanes(t *testing.T) {
	if !hasIFMA {
		t.Skip("the processor has no AVX-512 IFMA")
	}
	table := baseTable()
	rapid.Check(t, func(rt *rapid.T) {
		// Of few points, so that they meet often, or of all.
		rows, columns := digits-1, half-1
		if rapid.Bool().Draw(rt, "few") {
			rows, columns = 0, 9
		}
		points := make([]affine, rapid.IntRange(lanes, 2*digits).Draw(rt, "how many"))
		for i := range points {
			points[i] = table[rapid.IntRange(0, rows).Draw(rt, "row")][rapid.IntRange(0, columns).Draw(rt, "column")]
		}
		want := sumOneByOne(points)
		got, ok := sumLanes(points)
		if !ok {
			got = sumOfPoints(points) // as it is told, so it goes on
		}
		if got.z.isZero() || want.z.isZero() {
			if got != want {
				rt.Errorf("%x, want %x", got, want)
			}
			return
		}
		var a, b [1]affine
		normalise([]jacobian{got}, a[:])
		normalise([]jacobian{want}, b[:])
		if a != b {
			rt.Errorf("%x, want %x", a, b)
		}
	})
}
