package gost341194

// step is the step function f(H, M) of RFC 5831 §5: four keys are made from H
// and M, each encrypts a quarter of H, and the result is mixed back into H.
func step(s *SBox, h, m *[4]uint64) {
	var keys [4][8]uint32
	makeKeys(&keys, h, m)
	c := encrypt(s, &keys, h)
	mix(h, m, &c)
}

// c3 is C_3 of RFC 5831 §5.1; C_2 and C_4 are zero.
var c3 = [4]uint64{0xff00ff00ff00ff00, 0x00ff00ff00ff00ff, 0xff0000ff00ffff00, 0xff00ffff000000ff}

// makeKeys is the key generation of RFC 5831 §5.1.
func makeKeys(keys *[4][8]uint32, h, m *[4]uint64) {
	u, v := *h, *m
	for i := range keys {
		if i > 0 {
			u = shiftA(u)
			if i == 2 {
				for j := range u {
					u[j] ^= c3[j]
				}
			}
			v = shiftA(shiftA(v))
		}
		permuteP(&keys[i], u[0]^v[0], u[1]^v[1], u[2]^v[2], u[3]^v[3])
	}
}

// shiftA is A(y4‖y3‖y2‖y1) = (y1 ⊕ y2)‖y4‖y3‖y2.
func shiftA(y [4]uint64) [4]uint64 {
	return [4]uint64{y[1], y[2], y[3], y[0] ^ y[1]}
}

// permuteP is the byte permutation P: byte i+4k of the result is byte 8i+k, so
// that key word k is made of byte k of each of the four words.
func permuteP(key *[8]uint32, w0, w1, w2, w3 uint64) {
	for k := range key {
		shift := 8 * k
		key[k] = uint32(uint8(w0>>shift)) | uint32(uint8(w1>>shift))<<8 |
			uint32(uint8(w2>>shift))<<16 | uint32(uint8(w3>>shift))<<24
	}
}

// schedule is the order of the key words over the 32 rounds of GOST 28147-89
// (RFC 5830 §5): three times forwards, once backwards.
var schedule = [32]uint8{
	0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7,
	0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 0,
}

// encrypt enciphers the four quarters of h, each under its own key, in GOST
// 28147-89's codebook mode. The four are interleaved: one cipher is a chain of
// dependent look-ups and leaves the processor idle.
func encrypt(s *SBox, keys *[4][8]uint32, h *[4]uint64) [4]uint64 {
	a0, b0 := uint32(h[0]), uint32(h[0]>>32)
	a1, b1 := uint32(h[1]), uint32(h[1]>>32)
	a2, b2 := uint32(h[2]), uint32(h[2]>>32)
	a3, b3 := uint32(h[3]), uint32(h[3]>>32)
	t := &s.table
	for i := 0; i < 32; i += 2 {
		k, l := schedule[i]&7, schedule[i+1]&7

		b0 ^= substitute(t, a0+keys[0][k])
		b1 ^= substitute(t, a1+keys[1][k])
		b2 ^= substitute(t, a2+keys[2][k])
		b3 ^= substitute(t, a3+keys[3][k])

		a0 ^= substitute(t, b0+keys[0][l])
		a1 ^= substitute(t, b1+keys[1][l])
		a2 ^= substitute(t, b2+keys[2][l])
		a3 ^= substitute(t, b3+keys[3][l])
	}
	// The last round does not swap its halves, which the unrolled pair has done.
	return [4]uint64{
		uint64(a0)<<32 | uint64(b0), uint64(a1)<<32 | uint64(b1),
		uint64(a2)<<32 | uint64(b2), uint64(a3)<<32 | uint64(b3),
	}
}

func substitute(t *[4][256]uint32, x uint32) uint32 {
	return t[0][uint8(x)] ^ t[1][uint8(x>>8)] ^ t[2][uint8(x>>16)] ^ t[3][x>>24]
}

// mix is the output transformation H = ψ^61(H ⊕ ψ(M ⊕ ψ^12(S))) of RFC 5831
// §5.3.
func mix(h, m, c *[4]uint64) {
	s := *c
	psi4(&s, 3)
	for i := range s {
		s[i] ^= m[i]
	}
	psi(&s)
	for i := range s {
		s[i] ^= h[i]
	}
	psi4(&s, 15)
	psi(&s)
	*h = s
}

// psi is ψ: sixteen 16-bit words move down by one, and
// y1 ⊕ y2 ⊕ y3 ⊕ y4 ⊕ y13 ⊕ y16 comes in on top.
func psi(s *[4]uint64) {
	in := s[0] ^ s[0]>>16 ^ s[0]>>32 ^ s[0]>>48 ^ s[3] ^ s[3]>>48
	s[0] = s[0]>>16 | s[1]<<48
	s[1] = s[1]>>16 | s[2]<<48
	s[2] = s[2]>>16 | s[3]<<48
	s[3] = s[3]>>16 | in<<48
}

// psi4 is ψ^(4·times), four words at once. The word that comes in at step i is
// y[i+16] = t[i] ⊕ y[i+15], where t[i] = y[i] ⊕ y[i+1] ⊕ y[i+2] ⊕ y[i+3] ⊕
// y[i+12] is known four steps ahead; so four of them are the running XOR of
// four t, begun with the last word that came in.
func psi4(s *[4]uint64, times int) {
	w0, w1, w2, w3 := s[0], s[1], s[2], s[3]
	for range times {
		t := w0 ^ (w0>>16 | w1<<48) ^ (w0>>32 | w1<<32) ^ (w0>>48 | w1<<16) ^ w3
		t ^= t << 16
		t ^= t << 32
		t ^= (w3 >> 48) * 0x0001000100010001
		w0, w1, w2, w3 = w1, w2, w3, t
	}
	s[0], s[1], s[2], s[3] = w0, w1, w2, w3
}
