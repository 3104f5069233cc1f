package streebog

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// Sizes in bytes.
const (
	Size256   = 32
	Size512   = 64
	BlockSize = 64
)

// New256 returns a hash with 256 bits of output.
func New256() hash.Hash {
	d := &digest{size: Size256}
	d.Reset()
	return d
}

// New512 returns a hash with 512 bits of output.
func New512() hash.Hash {
	d := &digest{size: Size512}
	d.Reset()
	return d
}

// Sum256 returns the 256-bit digest of data.
func Sum256(data []byte) [Size256]byte {
	d := digest{size: Size256}
	d.Reset()
	d.update(data)
	sum := d.final()
	return [Size256]byte(sum[Size512-Size256:])
}

// Sum512 returns the 512-bit digest of data.
func Sum512(data []byte) [Size512]byte {
	d := digest{size: Size512}
	d.Reset()
	d.update(data)
	return d.final()
}

// digest is the state of RFC 6986 §8. Every 512-bit number is held with its
// least significant word first.
type digest struct {
	h     [8]uint64 // the chaining value
	n     [8]uint64 // bits hashed so far, modulo 2^512
	sigma [8]uint64 // sum of the blocks, modulo 2^512

	tail [BlockSize]byte // the unfinished block
	fill int             // bytes of it in use
	size int
}

var _ hash.Hash = (*digest)(nil)

func (d *digest) Size() int      { return d.size }
func (d *digest) BlockSize() int { return BlockSize }

// Reset sets the chaining value to IV: zero for 512 bits, 0x01 in every byte
// for 256 (RFC 6986 §6.1).
func (d *digest) Reset() {
	var iv uint64
	if d.size == Size256 {
		iv = 0x0101010101010101
	}
	for i := range d.h {
		d.h[i] = iv
	}
	d.n, d.sigma = [8]uint64{}, [8]uint64{}
	d.fill = 0
}

func (d *digest) Write(p []byte) (int, error) {
	d.update(p)
	return len(p), nil
}

func (d *digest) Sum(in []byte) []byte {
	last := *d // the caller may go on writing
	sum := last.final()
	return append(in, sum[Size512-d.size:]...)
}

// update is stage 2 of RFC 6986 §8: whole blocks are compressed as they come.
func (d *digest) update(p []byte) {
	if d.fill > 0 {
		k := copy(d.tail[d.fill:], p)
		d.fill += k
		p = p[k:]
		if d.fill < BlockSize {
			return
		}
		d.block(&d.tail, 8*BlockSize)
		d.fill = 0
	}
	for len(p) >= BlockSize {
		d.block((*[BlockSize]byte)(p), 8*BlockSize)
		p = p[BlockSize:]
	}
	d.fill = copy(d.tail[:], p)
}

// final is stage 3 of RFC 6986 §8: the rest is padded with a one bit, and the
// length and the sum of all blocks are compressed with N = 0.
func (d *digest) final() [Size512]byte {
	d.tail[d.fill] = 1
	clear(d.tail[d.fill+1:])
	d.block(&d.tail, 8*uint64(d.fill))

	var zero [8]uint64
	compress(&d.h, &zero, &d.n)
	compress(&d.h, &zero, &d.sigma)

	var out [Size512]byte
	for i, w := range d.h {
		binary.LittleEndian.PutUint64(out[8*i:], w)
	}
	return out
}

// block compresses one block, of which size bits are message, and counts it.
func (d *digest) block(p *[BlockSize]byte, size uint64) {
	var m [8]uint64
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	compress(&d.h, &d.n, &m)

	var carry uint64
	d.n[0], carry = bits.Add64(d.n[0], size, 0)
	for i := 1; carry != 0 && i < len(d.n); i++ {
		d.n[i], carry = bits.Add64(d.n[i], 0, carry)
	}
	carry = 0
	for i := range m {
		d.sigma[i], carry = bits.Add64(d.sigma[i], m[i], carry)
	}
}
