//go:build !purego

package streebog

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// FuzzVectors compares the vector code with the tables.
func FuzzVectors(f *testing.F) {
	if !hasVectors {
		f.Skip("this CPU lacks AVX-512 VBMI and GFNI")
	}
	f.Add(uint64(0), []byte{})
	f.Add(uint64(1), make([]byte, 192))
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		var in [3][8]uint64
		random := rand.New(rand.NewPCG(seed, 0))
		for i := range in {
			for j := range in[i] {
				if seed != 0 {
					in[i][j] = random.Uint64()
				}
				if at := 64*i + 8*j; at+8 <= len(data) {
					in[i][j] = binary.LittleEndian.Uint64(data[at:])
				}
			}
		}
		h, want := in[0], in[0]
		compressVectors(vectorConstants, &h, &in[1], &in[2])
		compressTables(&want, &in[1], &in[2])
		if h != want {
			t.Errorf("%x, want %x", h, want)
		}
	})
}
