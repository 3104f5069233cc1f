//go:build !amd64 || purego

package p256verify

// add sets p to p + q.
func (p *jacobian) add(q *affine) { p.addGo(q) }

// sumOfPoints is what its name says.
func sumOfPoints(points []affine) jacobian { return sumOneByOne(points) }
