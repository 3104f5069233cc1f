package gost341194

// SBox is a set of substitution boxes, made ready for the cipher.
type SBox struct {
	name string
	// table[i][b] is the round function of byte i of its argument: both nibbles
	// substituted, put in their place and rotated left by 11 bits.
	table [4][256]uint32
}

// Name is the name of the parameter set in RFC 4357.
func (s *SBox) Name() string { return s.name }

// The substitution boxes of RFC 4357 §11.2. Row 0 acts on the least significant
// nibble: K_1 in the RFC's table.
var (
	TestParam = newSBox("id-GostR3411-94-TestParamSet", [8][16]uint8{
		{4, 10, 9, 2, 13, 8, 0, 14, 6, 11, 1, 12, 7, 15, 5, 3},
		{14, 11, 4, 12, 6, 13, 15, 10, 2, 3, 8, 1, 0, 7, 5, 9},
		{5, 8, 1, 13, 10, 3, 4, 2, 14, 15, 12, 7, 6, 0, 9, 11},
		{7, 13, 10, 1, 0, 8, 9, 15, 14, 4, 6, 12, 11, 2, 5, 3},
		{6, 12, 7, 1, 5, 15, 13, 8, 4, 10, 9, 14, 0, 3, 11, 2},
		{4, 11, 10, 0, 7, 2, 1, 13, 3, 6, 8, 5, 9, 12, 15, 14},
		{13, 11, 4, 1, 3, 15, 5, 9, 0, 10, 14, 7, 6, 8, 2, 12},
		{1, 15, 13, 0, 5, 7, 10, 4, 9, 2, 3, 14, 6, 11, 8, 12},
	})
	CryptoPro = newSBox("id-GostR3411-94-CryptoProParamSet", [8][16]uint8{
		{10, 4, 5, 6, 8, 1, 3, 7, 13, 12, 14, 0, 9, 2, 11, 15},
		{5, 15, 4, 0, 2, 13, 11, 9, 1, 7, 6, 3, 12, 14, 10, 8},
		{7, 15, 12, 14, 9, 4, 1, 0, 3, 11, 5, 2, 6, 10, 8, 13},
		{4, 10, 7, 12, 0, 15, 2, 8, 14, 1, 6, 5, 13, 11, 9, 3},
		{7, 6, 4, 11, 9, 12, 2, 10, 1, 8, 0, 14, 15, 13, 3, 5},
		{7, 6, 2, 4, 13, 9, 15, 0, 10, 1, 5, 11, 8, 14, 12, 3},
		{13, 14, 4, 1, 7, 0, 5, 10, 3, 12, 8, 15, 6, 2, 9, 11},
		{1, 3, 10, 9, 5, 11, 4, 15, 8, 6, 7, 14, 13, 0, 2, 12},
	})
)

func newSBox(name string, rows [8][16]uint8) *SBox {
	s := &SBox{name: name}
	for i := range s.table {
		for b := range 256 {
			x := uint32(rows[2*i+1][b>>4])<<4 | uint32(rows[2*i][b&15])
			x <<= 8 * i
			s.table[i][b] = x<<11 | x>>21
		}
	}
	return s
}
