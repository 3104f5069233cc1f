package streebog

// tables merges S, P and L: the byte x in row i of column j of the state
// contributes tables[j][x] to word i of LPS(state). S replaces the byte, P moves
// column j to place j of word i, and L multiplies the word by the matrix, which
// is linear: the product of a word is the XOR of the products of its bytes.
var tables = lpsTables()

func lpsTables() *[8][256]uint64 {
	var t [8][256]uint64
	for j := range t {
		for x := range t[j] {
			for bit := range 8 {
				if pi[x]>>bit&1 == 1 {
					t[j][x] ^= linear[63-8*j-bit]
				}
			}
		}
	}
	return &t
}

// compressTables is the compression function g_N of RFC 6986 §7:
//
//	h = E(LPS(h ⊕ N), m) ⊕ h ⊕ m
//
// where E is twelve rounds of LPSX under round keys K_1 = LPS(h ⊕ N),
// K_{i+1} = LPS(K_i ⊕ C_i), and a last XOR with K_13.
func compressTables(h, n, m *[8]uint64) {
	t := tables
	key, state := *h, *m
	lpsx(t, &key, n)
	for i := range rounds {
		lpsx(t, &state, &key)
		lpsx(t, &key, &rounds[i])
	}
	for i := range h {
		h[i] ^= state[i] ^ key[i] ^ m[i]
	}
}

// lpsx sets z to LPS(z ⊕ k).
func lpsx(t *[8][256]uint64, z, k *[8]uint64) {
	s0, s1, s2, s3 := z[0]^k[0], z[1]^k[1], z[2]^k[2], z[3]^k[3]
	s4, s5, s6, s7 := z[4]^k[4], z[5]^k[5], z[6]^k[6], z[7]^k[7]
	z[0] = t[0][uint8(s0)] ^ t[1][uint8(s1)] ^ t[2][uint8(s2)] ^ t[3][uint8(s3)] ^
		t[4][uint8(s4)] ^ t[5][uint8(s5)] ^ t[6][uint8(s6)] ^ t[7][uint8(s7)]
	z[1] = t[0][uint8(s0>>8)] ^ t[1][uint8(s1>>8)] ^ t[2][uint8(s2>>8)] ^ t[3][uint8(s3>>8)] ^
		t[4][uint8(s4>>8)] ^ t[5][uint8(s5>>8)] ^ t[6][uint8(s6>>8)] ^ t[7][uint8(s7>>8)]
	z[2] = t[0][uint8(s0>>16)] ^ t[1][uint8(s1>>16)] ^ t[2][uint8(s2>>16)] ^ t[3][uint8(s3>>16)] ^
		t[4][uint8(s4>>16)] ^ t[5][uint8(s5>>16)] ^ t[6][uint8(s6>>16)] ^ t[7][uint8(s7>>16)]
	z[3] = t[0][uint8(s0>>24)] ^ t[1][uint8(s1>>24)] ^ t[2][uint8(s2>>24)] ^ t[3][uint8(s3>>24)] ^
		t[4][uint8(s4>>24)] ^ t[5][uint8(s5>>24)] ^ t[6][uint8(s6>>24)] ^ t[7][uint8(s7>>24)]
	z[4] = t[0][uint8(s0>>32)] ^ t[1][uint8(s1>>32)] ^ t[2][uint8(s2>>32)] ^ t[3][uint8(s3>>32)] ^
		t[4][uint8(s4>>32)] ^ t[5][uint8(s5>>32)] ^ t[6][uint8(s6>>32)] ^ t[7][uint8(s7>>32)]
	z[5] = t[0][uint8(s0>>40)] ^ t[1][uint8(s1>>40)] ^ t[2][uint8(s2>>40)] ^ t[3][uint8(s3>>40)] ^
		t[4][uint8(s4>>40)] ^ t[5][uint8(s5>>40)] ^ t[6][uint8(s6>>40)] ^ t[7][uint8(s7>>40)]
	z[6] = t[0][uint8(s0>>48)] ^ t[1][uint8(s1>>48)] ^ t[2][uint8(s2>>48)] ^ t[3][uint8(s3>>48)] ^
		t[4][uint8(s4>>48)] ^ t[5][uint8(s5>>48)] ^ t[6][uint8(s6>>48)] ^ t[7][uint8(s7>>48)]
	z[7] = t[0][s0>>56] ^ t[1][s1>>56] ^ t[2][s2>>56] ^ t[3][s3>>56] ^
		t[4][s4>>56] ^ t[5][s5>>56] ^ t[6][s6>>56] ^ t[7][s7>>56]
}
