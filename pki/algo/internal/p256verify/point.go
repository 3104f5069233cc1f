package p256verify

// affine is a point other than infinity, jacobian the point (X/Z², Y/Z³), and
// infinity where Z is zero: then the others are, too.
type (
	affine   struct{ x, y element }
	jacobian struct{ x, y, z element }
)

// onCurve reports whether y² = x³ − 3x + b.
func (p *affine) onCurve() bool {
	var left, right, t element
	sqr(&left, &p.y)
	sqr(&right, &p.x)
	double(&t, &one)
	sub(&right, &right, &t)
	sub(&right, &right, &one)
	mul(&right, &right, &p.x)
	sub(&left, &left, &right)
	return left == curveB
}

// addGo sets p to p + q, at 8 products and 3 squares.
func (p *jacobian) addGo(q *affine) {
	if p.z.isZero() {
		*p = jacobian{q.x, q.y, one}
		return
	}
	var zz, h, s, hh, hhh, v, t element
	sqr(&zz, &p.z)
	mul(&h, &q.x, &zz)
	sub(&h, &h, &p.x)
	mul(&s, &zz, &p.z)
	mul(&s, &s, &q.y)
	sub(&s, &s, &p.y)
	if h.isZero() { // one x: the points are the same, or opposite
		if s.isZero() {
			p.double()
		} else {
			*p = jacobian{}
		}
		return
	}
	sqr(&hh, &h)
	mul(&hhh, &hh, &h)
	mul(&v, &hh, &p.x)
	sqr(&t, &s)
	sub(&t, &t, &hhh)
	sub(&t, &t, &v)
	sub(&p.x, &t, &v)
	sub(&v, &v, &p.x)
	mul(&v, &v, &s)
	mul(&hhh, &hhh, &p.y)
	sub(&p.y, &v, &hhh)
	mul(&p.z, &p.z, &h)
}

func sumOneByOne(points []affine) (sum jacobian) {
	for i := range points {
		sum.add(&points[i])
	}
	return sum
}

// double sets p to 2p: with S = Y², M = 3(X − Z²)(X + Z²),
//
//	X' = M² − 8XS, Y' = M·(4XS − X') − 8S², Z' = 2YZ
func (p *jacobian) double() {
	var zz, m, s, xs, t element
	sqr(&zz, &p.z)
	sub(&m, &p.x, &zz)
	sub(&t, &element{}, &zz)
	sub(&t, &p.x, &t)
	mul(&m, &m, &t)
	double(&t, &m)
	sub(&m, &element{}, &m)
	sub(&m, &t, &m)
	sqr(&s, &p.y)
	mul(&xs, &p.x, &s)
	double(&xs, &xs)
	double(&xs, &xs)
	mul(&p.z, &p.y, &p.z)
	double(&p.z, &p.z)
	sqr(&p.x, &m)
	double(&t, &xs)
	sub(&p.x, &p.x, &t)
	sub(&xs, &xs, &p.x)
	mul(&p.y, &m, &xs)
	sqr(&s, &s)
	double(&s, &s)
	double(&s, &s)
	double(&s, &s)
	sub(&p.y, &p.y, &s)
}

// normalise turns points other than infinity affine, at one inversion for all
// (Montgomery's trick).
func normalise(points []jacobian, into []affine) {
	products := make([]element, len(points)) // of all Z before
	running := one
	for i := range points {
		products[i] = running
		mul(&running, &running, &points[i].z)
	}
	invert(&running, &running)
	for i := len(points) - 1; i >= 0; i-- {
		var inverse, power element
		mul(&inverse, &running, &products[i])
		mul(&running, &running, &points[i].z)
		sqr(&power, &inverse)
		mul(&into[i].x, &points[i].x, &power)
		mul(&power, &power, &inverse)
		mul(&into[i].y, &points[i].y, &power)
	}
}
