package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"sync"
	"sync/atomic"

	"github.com/senim-kz/senim/pki/algo/internal/p256verify"
)

const (
	p256Bytes = p256verify.Size
	// preparedMax bounds the tables: each takes 830 KB.
	preparedMax = 32
)

// prepared has the tables by the point, as X and Y.
var (
	prepared      sync.Map // [64]byte to *p256verify.Table
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
	if _, err := key.Bytes(); err != nil { // the point is not on the curve
		return
	}
	name := p256Name(key)
	if _, done := prepared.Load(name); done || preparedCount.Add(1) > preparedMax {
		return
	}
	if table, ok := p256verify.New(name[:p256Bytes], name[p256Bytes:]); ok {
		prepared.Store(name, table)
	}
}

// p256TableOf is nil for a key that was not prepared.
func p256TableOf(key *ecdsa.PublicKey) *p256verify.Table {
	if preparedCount.Load() == 0 || key.Curve != elliptic.P256() || key.X.Sign() < 0 || key.Y.Sign() < 0 ||
		key.X.BitLen() > 8*p256Bytes || key.Y.BitLen() > 8*p256Bytes {
		return nil
	}
	table, there := prepared.Load(p256Name(key))
	if !there {
		return nil
	}
	return table.(*p256verify.Table)
}

// verifyP256 checks r and s over a digest with a key's table.
func verifyP256(table *p256verify.Table, digest []byte, r, s *big.Int) bool {
	if r.Sign() <= 0 || s.Sign() <= 0 || r.BitLen() > 8*p256Bytes || s.BitLen() > 8*p256Bytes {
		return false
	}
	var raw [2][p256Bytes]byte
	return table.Verify(digest, r.FillBytes(raw[0][:]), s.FillBytes(raw[1][:]))
}
