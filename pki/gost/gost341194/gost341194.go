package gost341194

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// Sizes in bytes.
const (
	Size      = 32
	BlockSize = 32
)

// New returns a hash over the given substitution boxes.
func New(s *SBox) hash.Hash { return &digest{sbox: s} }

// Sum returns the digest of data.
func Sum(s *SBox, data []byte) [Size]byte {
	d := digest{sbox: s}
	d.update(data)
	return d.final()
}

// digest is the state of RFC 5831 §6. Every 256-bit number is held with its
// least significant word first.
type digest struct {
	sbox  *SBox
	h     [4]uint64 // H, the chaining value
	sigma [4]uint64 // Σ, the sum of the blocks modulo 2^256
	count uint64    // bytes hashed in whole blocks

	tail [BlockSize]byte // the unfinished block
	fill int             // bytes of it in use
}

var _ hash.Hash = (*digest)(nil)

func (d *digest) Size() int      { return Size }
func (d *digest) BlockSize() int { return BlockSize }
func (d *digest) Reset()         { *d = digest{sbox: d.sbox} }

func (d *digest) Write(p []byte) (int, error) {
	d.update(p)
	return len(p), nil
}

func (d *digest) Sum(in []byte) []byte {
	last := *d // the caller may go on writing
	sum := last.final()
	return append(in, sum[:]...)
}

func (d *digest) update(p []byte) {
	if d.fill > 0 {
		k := copy(d.tail[d.fill:], p)
		d.fill += k
		p = p[k:]
		if d.fill < BlockSize {
			return
		}
		d.block(&d.tail)
		d.count += BlockSize
		d.fill = 0
	}
	for len(p) >= BlockSize {
		d.block((*[BlockSize]byte)(p))
		d.count += BlockSize
		p = p[BlockSize:]
	}
	d.fill = copy(d.tail[:], p)
}

// final pads the rest with zeros (there is no padding block when nothing is
// left), then takes in the length in bits and the sum.
func (d *digest) final() [Size]byte {
	size := d.count + uint64(d.fill)
	if d.fill > 0 {
		clear(d.tail[d.fill:])
		d.block(&d.tail)
	}
	length := [4]uint64{size << 3, size >> 61}
	step(d.sbox, &d.h, &length)
	step(d.sbox, &d.h, &d.sigma)

	var out [Size]byte
	for i, w := range d.h {
		binary.LittleEndian.PutUint64(out[8*i:], w)
	}
	return out
}

func (d *digest) block(p *[BlockSize]byte) {
	var m [4]uint64
	var carry uint64
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(p[8*i:])
		d.sigma[i], carry = bits.Add64(d.sigma[i], m[i], carry)
	}
	step(d.sbox, &d.h, &m)
}
