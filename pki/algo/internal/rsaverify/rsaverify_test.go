package rsaverify

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// number is a pseudo-random number of at most so many bits.
func number(r *rand.Rand, bits int) *big.Int {
	b := make([]byte, (bits+7)/8)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	switch r.IntN(8) { // runs of ones and of zeros, where carries go far
	case 0:
		for i := range b {
			b[i] = 0xff
		}
	case 1:
		clear(b[1:])
	case 2:
		clear(b[:len(b)/2])
	}
	n := new(big.Int).SetBytes(b)
	return n.Mod(n, new(big.Int).Lsh(big.NewInt(1), uint(bits)))
}

func modulus(r *rand.Rand, bits int) *big.Int {
	n := number(r, bits)
	return n.SetBit(n.SetBit(n, 0, 1), bits-1, 1)
}

func TestAgainstBig(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	sizes := []int{2, 3, 8, 63, 64, 65, 127, 128, 129, 191, 256, 257, 320, 511, 512, 1023, 1024, 1025, 2047, 2048, 3072, 4096, 4097}
	for _, bits := range sizes {
		for range 40 {
			n := modulus(r, bits)
			if n.Cmp(big.NewInt(3)) < 0 {
				continue
			}
			e := []uint32{3, 5, 7, 17, 257, 65537, 1<<31 - 1, r.Uint32() | 3}[r.IntN(8)]
			s := number(r, bits)
			switch r.IntN(6) {
			case 0:
				s.Sub(n, big.NewInt(1))
			case 1:
				s.SetInt64(0)
			}
			s.Mod(s, n)
			sig := s.FillBytes(make([]byte, (bits+7)/8))
			want := new(big.Int).Exp(s, new(big.Int).SetUint64(uint64(e)), n).FillBytes(make([]byte, (bits+7)/8))
			got, ok := Public(n, e, sig)
			if !ok || !bytes.Equal(got, want) {
				t.Fatalf("%d bits, e = %d: %x^e mod %x = %x, %v, want %x", bits, e, s, n, got, ok, want)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	n := new(big.Int).SetUint64(0xf000_0000_0000_0001)
	sig := []byte{0, 0, 0, 0, 0, 0, 0, 2}
	tests := []struct {
		name string
		n    *big.Int
		e    uint32
		sig  []byte
	}{
		{"no modulus", new(big.Int), 3, nil},
		{"modulus one", big.NewInt(1), 3, []byte{0}},
		{"negative modulus", new(big.Int).Neg(n), 3, sig},
		{"even modulus", new(big.Int).Sub(n, big.NewInt(1)), 3, sig},
		{"giant modulus", new(big.Int).SetBit(big.NewInt(1), BitsMax, 1), 3, append(make([]byte, BitsMax/8), 1)},
		{"exponent 0", n, 0, sig}, {"exponent 1", n, 1, sig}, {"exponent 2", n, 2, sig}, {"exponent 65536", n, 65536, sig},
		{"short signature", n, 3, sig[1:]}, {"no signature", n, 3, nil}, {"long signature", n, 3, append([]byte{0}, sig...)},
		{"signature n", n, 3, n.Bytes()}, {"signature above n", n, 3, bytes.Repeat([]byte{0xff}, 8)},
	}
	for _, tt := range tests {
		if em, ok := Public(tt.n, tt.e, tt.sig); ok {
			t.Errorf("%s: %x", tt.name, em)
		}
	}
	if em, ok := Public(n, 3, sig); !ok || !bytes.Equal(em, []byte{0, 0, 0, 0, 0, 0, 0, 8}) {
		t.Errorf("2³ = %x, %v", em, ok)
	}
}

func FuzzPublic(f *testing.F) {
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint32(65537), []byte{2})
	f.Add(bytes.Repeat([]byte{0xff}, 128), uint32(3), bytes.Repeat([]byte{0xfe}, 128))
	f.Add(append([]byte{0x80}, make([]byte, 63)...), uint32(17), bytes.Repeat([]byte{0x7f}, 64))
	f.Fuzz(func(t *testing.T, modulus []byte, e uint32, signature []byte) {
		if len(modulus) > 520 {
			return
		}
		n := new(big.Int).SetBytes(modulus)
		n.SetBit(n, 0, 1)
		size := (n.BitLen() + 7) / 8
		if len(signature) > size {
			signature = signature[:size]
		}
		signature = append(make([]byte, size-len(signature)), signature...)
		s := new(big.Int).SetBytes(signature)
		e |= 1
		em, ok := Public(n, e, signature)
		if want := s.Cmp(n) < 0 && e >= 3 && n.BitLen() >= 2; ok != want {
			t.Fatalf("accepted: %v", ok)
		}
		if ok && new(big.Int).Exp(s, new(big.Int).SetUint64(uint64(e)), n).Cmp(new(big.Int).SetBytes(em)) != 0 {
			t.Fatalf("%x^%d mod %x is not %x", s, e, n, em)
		}
	})
}

// The assembly, where there is any, against Go.
func TestAddMul(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 71))
	limb := func() uint64 { return []uint64{0, 1, ^uint64(0), 1 << 63, r.Uint64(), r.Uint64()}[r.IntN(6)] }
	for size := range 40 {
		for range 200 {
			z, x, y := make([]uint64, size+1), make([]uint64, size), limb()
			for i := range x {
				z[i], x[i] = limb(), limb()
			}
			z[size] = 0xfeed // beyond the end
			want := slices.Clone(z)
			wantCarry := addMulGo(want[:size], x, y, 0)
			if carry := addMul(z[:size], x, y); carry != wantCarry || !slices.Equal(z, want) {
				t.Fatalf("%d limbs: %x, carry %x, want %x, %x", size, z, carry, want, wantCarry)
			}
		}
	}
}

// Two rows at once against one after the other.
func TestAddPair(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 41))
	limb := func() uint64 { return []uint64{0, 1, ^uint64(0), 1 << 63, r.Uint64(), r.Uint64()}[r.IntN(6)] }
	for size := 1; size < 60; size++ {
		for range 100 {
			z, x, y0, y1 := make([]uint64, size+2), make([]uint64, size), limb(), limb()
			for i := range x {
				z[i], x[i] = limb(), limb()
			}
			c0 := limb() >> 1
			want := slices.Clone(z)
			want[size] = addMulGo(want[:size], x, y0, c0)
			want[size+1] = addMulGo(want[1:size+1], x, y1, 0)
			z[size], z[size+1] = addPair(z[:size], x, y0, y1, c0)
			if !slices.Equal(z, want) {
				t.Fatalf("%d limbs: %x, want %x", size, z, want)
			}
		}
	}
}

// Squares by columns and by halves against squares by rows, with runs of ones
// and zeros, where the carries of the middle go far.
func TestSquareInto(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 61))
	limb := func() uint64 { return []uint64{0, 1, ^uint64(0), 1 << 63, r.Uint64(), r.Uint64()}[r.IntN(6)] }
	for _, size := range []int{1, 2, 15, 16, 17, 31, 32, 33, 48, 50, 64, 96, 128, 256} {
		for range 100 {
			x, got, want := make([]uint64, size), make([]uint64, 2*size), make([]uint64, 2*size)
			for i := range x {
				x[i], got[2*i], got[2*i+1] = limb(), r.Uint64(), r.Uint64()
			}
			squareInto(got, x, make([]uint64, 4*size))
			squareRows(want, x)
			if !slices.Equal(got, want) {
				t.Fatalf("%d limbs: the square of %x is %x, want %x", size, x, got, want)
			}
		}
	}
}
