package pkcs12

import (
	"hash"
	"math/big"
	"unicode/utf16"

	"github.com/senim-kz/senim/pki/algo"
)

// purpose is the ID byte of RFC 7292 §B.3.
type purpose byte

const (
	forKey purpose = iota + 1
	forIV
	forMAC
)

// bmpPassword writes a password as UCS-2 with its end (RFC 7292 §B.1). Characters
// beyond the Basic Multilingual Plane become surrogates, as Java's do.
func bmpPassword(password string) []byte {
	units := append(utf16.Encode([]rune(password)), 0)
	out := make([]byte, 0, 2*len(units))
	for _, u := range units {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

// derive makes size bytes out of a password (RFC 7292 §B.2).
func derive(d *algo.Digest, password, salt []byte, iterations int, id purpose, size int) []byte {
	h := d.New()
	v := h.BlockSize()
	diversifier := make([]byte, v)
	for i := range diversifier {
		diversifier[i] = byte(id)
	}
	input := append(stretch(salt, v), stretch(password, v)...)
	var out []byte
	for {
		a := digestOf(h, diversifier, input)
		for range iterations - 1 {
			a = digestOf(h, a)
		}
		out = append(out, a...)
		if len(out) >= size {
			return out[:size]
		}
		addTo(input, stretch(a, v)[:v], v)
	}
}

// digestOf digests the parts one after the other; the result is not shared.
func digestOf(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// stretch repeats b up to a multiple of v bytes; nothing stays nothing.
func stretch(b []byte, v int) []byte {
	size := (len(b) + v - 1) / v * v
	out := make([]byte, 0, size+len(b))
	for len(out) < size {
		out = append(out, b...)
	}
	return out[:size]
}

// addTo adds b+1 to each block of v bytes of input, as numbers modulo 2^(8v)
// (step 6C).
func addTo(input, b []byte, v int) {
	step := new(big.Int).SetBytes(b)
	step.Add(step, big.NewInt(1))
	modulus := new(big.Int).Lsh(big.NewInt(1), uint(8*v))
	var block big.Int
	for i := 0; i < len(input); i += v {
		block.SetBytes(input[i : i+v])
		block.Add(&block, step).Mod(&block, modulus)
		block.FillBytes(input[i : i+v])
	}
}
