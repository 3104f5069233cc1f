//go:build !purego

package p256verify

import "golang.org/x/sys/cpu"

//go:generate go run ./generate

// hasADX: MULX, ADCX and ADOX are there, as on every server since 2015.
var hasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

// addADX sets p to p + q. It is false, and p as it was, where both have one x or p
// is infinity, whose coordinates are all zero.
//
//go:noescape
func addADX(p *jacobian, q *affine) (done bool)

// add sets p to p + q.
func (p *jacobian) add(q *affine) {
	if !hasADX || !addADX(p, q) {
		p.addGo(q)
	}
}
