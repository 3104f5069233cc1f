//go:build !purego

package p256verify

import "golang.org/x/sys/cpu"

// hasIFMA: products of 52 bits in vectors of eight are there, as on Intel's servers
// since 2021 and AMD's since 2022.
var hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA

const (
	lanes    = 8
	limbBits = 52
)

// vector is a number in each lane, by limbs of 52 bits, least significant first, in
// Montgomery's form for 2^260: below 2p, so that a number may have two forms.
type vector [5][lanes]uint64

// jacobians is a point in each lane.
type jacobians struct{ x, y, z vector }

// startIFMA sets X and Y of p to those of the eight points at q.
//
//go:noescape
func startIFMA(p *jacobians, q *affine)

// addAffineIFMA adds the points at q, for the lanes of the mask. Where both have one
// x, Z is zero from then on.
//
//go:noescape
func addAffineIFMA(p *jacobians, q *affine, mask uint64)

// addPermutedIFMA adds to each lane's point that of the lane which q names. Where both
// have one x, or a Z is zero, Z is zero.
//
//go:noescape
func addPermutedIFMA(p *jacobians, q *[lanes]uint64)

// oneLanes is one, 2^260 mod p, in each lane.
var oneLanes = func() (v vector) {
	for i, limb := range [len(v)]uint64{0x10, 0xf000000000000, 0xfffffffffffff, 0xffeffffffffff, 0xfffff} {
		for lane := range lanes {
			v[i][lane] = limb
		}
	}
	return v
}()

// pairings make of eight sums one: those of two lanes, of four, of all.
var pairings = [...][lanes]uint64{
	{4, 5, 6, 7, 0, 1, 2, 3},
	{2, 3, 0, 1, 6, 7, 4, 5},
	{1, 0, 3, 2, 5, 4, 7, 6},
}

// sumOfPoints is what its name says.
func sumOfPoints(points []affine) jacobian {
	if hasIFMA && len(points) >= lanes {
		if sum, ok := sumLanes(points); ok {
			return sum
		}
	}
	return sumOneByOne(points)
}

// sumLanes adds eight points or more: eight sums at a time, and then those. It is
// false where two sums met that have one x, as those of scalars that nobody chose for
// it never do.
func sumLanes(points []affine) (sum jacobian, ok bool) {
	p := jacobians{z: oneLanes}
	_ = points[lanes-1] // the assembly checks no bounds
	startIFMA(&p, &points[0])
	for rest := points[lanes:]; len(rest) > 0; {
		n := min(len(rest), lanes)
		addAffineIFMA(&p, &rest[0], 1<<n-1)
		rest = rest[n:]
	}
	for i := range pairings {
		addPermutedIFMA(&p, &pairings[i])
	}
	// Read in an element's form these are 16X, 16Y and 16Z, and the point that has
	// 16Z for its Z has 16²·X and 16³·Y.
	sum = jacobian{p.x.element(0), p.y.element(0), p.z.element(0)}
	for range 4 {
		double(&sum.x, &sum.x)
		double(&sum.y, &sum.y)
		double(&sum.y, &sum.y)
	}
	return sum, !sum.z.isZero()
}

// element is a lane's number, below p. It is still in the form for 2^260.
func (v *vector) element(lane int) (x element) {
	var t [len(x) + 1]uint64
	for i := range v {
		limb, bit := limbBits*i/64, limbBits*i%64
		t[limb] |= v[i][lane] << bit
		if bit > 64-limbBits {
			t[limb+1] = v[i][lane] >> (64 - bit)
		}
	}
	reduce(&x, t[0], t[1], t[2], t[3], t[4])
	return x
}
