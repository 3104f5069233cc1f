package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"sync"
	"sync/atomic"

	"filippo.io/nistec"
)

const (
	p256Bytes = 32
	// preparedMax bounds the tables: each takes 0.8 MB.
	preparedMax = 32
)

// p256Table has the multiples j·256^i·Q of a public key Q, at [i][j-1]. With it a
// multiple of Q is the sum of 32 points, where it takes 256 doublings otherwise.
// Only public values are multiplied, so nothing here needs constant time; the
// points are added by nistec, which is what crypto/ecdsa computes with.
type p256Table [p256Bytes][255]nistec.P256Point

// prepared has the tables by the point, as X and Y.
var (
	prepared      sync.Map // [64]byte to *p256Table
	preparedCount atomic.Int32
)

func p256Name(key *ecdsa.PublicKey) (name [2 * p256Bytes]byte) {
	key.X.FillBytes(name[:p256Bytes])
	key.Y.FillBytes(name[p256Bytes:])
	return name
}

// Prepare makes verifications with a key on P-256 faster, for as long as the
// program runs: for the few keys that it signs with itself, and verifies each of
// their signatures. Other keys it leaves as they are. No result depends on it.
func Prepare(pub crypto.PublicKey) {
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return
	}
	raw, err := key.Bytes() // fails if the point is not on the curve
	if err != nil {
		return
	}
	name := p256Name(key)
	if _, done := prepared.Load(name); done || preparedCount.Add(1) > preparedMax {
		return
	}
	base, err := nistec.NewP256Point().SetBytes(raw)
	if err != nil {
		return
	}
	table := new(p256Table)
	for i := range table {
		row := &table[i]
		row[0].Set(base)
		for j := 1; j < len(row); j++ {
			row[j].Add(&row[j-1], base)
		}
		base.Add(&row[len(row)-1], base)
	}
	prepared.Store(name, table)
}

// p256TableOf is nil for a key that was not prepared.
func p256TableOf(key *ecdsa.PublicKey) *p256Table {
	if preparedCount.Load() == 0 || key.Curve != elliptic.P256() || key.X.Sign() < 0 || key.Y.Sign() < 0 ||
		key.X.BitLen() > 8*p256Bytes || key.Y.BitLen() > 8*p256Bytes {
		return nil
	}
	table, there := prepared.Load(p256Name(key))
	if !there {
		return nil
	}
	return table.(*p256Table)
}

// verify checks r and s over a digest (FIPS 186-5 §6.4.2).
func (t *p256Table) verify(digest []byte, r, s *big.Int) bool {
	n := elliptic.P256().Params().N
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return false
	}
	w := new(big.Int).ModInverse(s, n)
	u1 := new(big.Int).Mul(leftmost(digest, n), w)
	u2 := w.Mul(r, w)
	var scalar [p256Bytes]byte
	sum, err := nistec.NewP256Point().ScalarBaseMult(u1.Mod(u1, n).FillBytes(scalar[:]))
	if err != nil {
		return false
	}
	u2.Mod(u2, n).FillBytes(scalar[:])
	for i := range t {
		if digit := scalar[p256Bytes-1-i]; digit > 0 {
			sum.Add(sum, &t[i][digit-1])
		}
	}
	x, err := sum.BytesX() // fails for the point at infinity
	if err != nil {
		return false
	}
	v := new(big.Int).SetBytes(x)
	return v.Mod(v, n).Cmp(r) == 0
}
