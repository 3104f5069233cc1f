//go:build !purego

package rsaverify

import "golang.org/x/sys/cpu"

//go:generate go run ./generate

// hasADX: MULX, ADCX and ADOX are there, as on every server since 2015.
var hasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

//go:noescape
func addMulADX(z, x *uint64, blocks int, y uint64) (carry uint64)

// addMul adds x·y to z and returns the limb that is carried out. The slices are
// of one length.
func addMul(z, x []uint64, y uint64) (carry uint64) {
	if blocks := len(x) / 8; hasADX && blocks > 0 {
		z = z[:len(x)] // the assembly checks no bounds
		carry = addMulADX(&z[0], &x[0], blocks, y)
		z, x = z[8*blocks:], x[8*blocks:]
	}
	return addMulGo(z, x, y, carry)
}
