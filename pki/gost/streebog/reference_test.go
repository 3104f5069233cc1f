package streebog

import "math/big"

// reference hashes as RFC 6986 writes it: 512-bit numbers as 64 bytes with the
// most significant first, one transformation at a time, nothing merged. It
// shares with the package only the constants, which the examples of the RFC pin.
func reference(message []byte, size int) []byte {
	m := reversed(message)
	var h [64]byte
	if size == Size256 {
		for i := range h {
			h[i] = 1
		}
	}
	n, sigma := new(big.Int), new(big.Int)
	for len(m) >= 64 {
		block := [64]byte(m[len(m)-64:])
		m = m[:len(m)-64]
		h = refG(bytes64(n), h, block)
		n.Add(n, big.NewInt(512))
		sigma.Add(sigma, new(big.Int).SetBytes(block[:]))
	}
	var block [64]byte
	copy(block[64-len(m):], m)
	block[63-len(m)] = 1
	h = refG(bytes64(n), h, block)
	n.Add(n, big.NewInt(int64(8*len(m))))
	sigma.Add(sigma, new(big.Int).SetBytes(block[:]))
	h = refG([64]byte{}, h, bytes64(n))
	h = refG([64]byte{}, h, bytes64(sigma))
	return reversed(h[:size]) // MSB_256 for the short digest
}

func refG(n, h, m [64]byte) [64]byte {
	key, state := refLPS(refX(h, n)), m
	for i := range rounds {
		state = refLPS(refX(state, key))
		var c [64]byte
		for j, w := range rounds[i] {
			new(big.Int).SetUint64(w).FillBytes(c[56-8*j : 64-8*j])
		}
		key = refLPS(refX(key, c))
	}
	return refX(refX(refX(state, key), h), m)
}

func refX(a, b [64]byte) (c [64]byte) {
	for i := range c {
		c[i] = a[i] ^ b[i]
	}
	return c
}

func refLPS(a [64]byte) (out [64]byte) {
	var moved [64]byte
	for i := range 8 {
		for j := range 8 {
			moved[8*i+j] = pi[a[8*j+i]]
		}
	}
	for i := range 8 {
		word := new(big.Int).SetBytes(moved[8*i : 8*i+8])
		var product uint64
		for k := range 64 {
			if word.Bit(63-k) == 1 {
				product ^= linear[k]
			}
		}
		new(big.Int).SetUint64(product).FillBytes(out[8*i : 8*i+8])
	}
	return out
}

func reversed(b []byte) []byte {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return r
}

func bytes64(n *big.Int) (b [64]byte) {
	wrapped := new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 512), big.NewInt(1)))
	wrapped.FillBytes(b[:])
	return b
}
