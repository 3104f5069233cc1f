//go:build !amd64 || purego

package rsaverify

// hasADX: see the other file.
const hasADX = false

// addMul adds x·y to z and returns the limb that is carried out. The slices are
// of one length.
func addMul(z, x []uint64, y uint64) (carry uint64) { return addMulGo(z, x, y, 0) }
