//go:build !purego

package streebog

import (
	"encoding/binary"

	"golang.org/x/sys/cpu"
)

// hasVectors: the byte permutations of VBMI and the bit matrices of GFNI, on
// 64-byte registers.
var hasVectors = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512GFNI

// vectors are the constants of the vector code, which holds a 512-bit number
// transposed in one register: row b is byte b of its eight words.
//
// S is two look-ups. P moves byte i of word j to byte j of word i: byte j of all
// words after P is, transposed, byte j of every row before it, and one permutation
// gathers those eight bytes and repeats them in all rows. L is linear, so that
// byte b of a product is the sum over j of an 8 by 8 bit matrix times byte j; GFNI
// multiplies all rows by matrices of their own at once. So L and P together are
// eight permutations and eight multiplications, and the result is transposed
// again.
type vectors struct {
	sbox      [256]byte
	gather    [8][64]byte
	matrix    [8][8]uint64
	transpose [64]byte
	rounds    [12][64]byte
}

var vectorConstants = newVectors()

func newVectors() *vectors {
	v := &vectors{sbox: pi}
	for j := range 8 {
		for row := range 8 {
			v.matrix[j][row] = matrixOf(row, j)
			for i := range 8 {
				v.gather[j][8*row+i] = byte(8*i + j)
				v.transpose[8*row+i] = byte(8*i + row)
			}
		}
	}
	for r := range rounds {
		var plain [64]byte
		for i, w := range rounds[r] {
			binary.LittleEndian.PutUint64(plain[8*i:], w)
		}
		for i, from := range v.transpose {
			v.rounds[r][i] = plain[from]
		}
	}
	return v
}

// matrixOf is the matrix that takes byte j of a word to its share in byte row of
// the product: bit k of the byte is row 63−8j−k of the matrix of the standard.
// GF2P8AFFINEQB wants the row of output bit i in byte 7−i.
func matrixOf(row, j int) (m uint64) {
	for i := range 8 {
		for k := range 8 {
			bit := linear[63-8*j-k] >> (8*row + i) & 1
			m |= bit << (8*(7-i) + k)
		}
	}
	return m
}

//go:noescape
func compressVectors(t *vectors, h, n, m *[8]uint64)

func compress(h, n, m *[8]uint64) {
	if hasVectors {
		compressVectors(vectorConstants, h, n, m)
	} else {
		compressTables(h, n, m)
	}
}
