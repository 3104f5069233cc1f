package p256verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/algo/internal/p256verify"
)

// BenchmarkVerify compares a verification with crypto/ecdsa's, of 64 signatures in
// turn. Both alternate, so that what else the machine does falls on both; the metrics
// are medians, and "ratio" is crypto/ecdsa's time to ours. "cold" touches 1 MB of
// other memory before each, as a server does that has other work between them.
//
//	go test -run - -bench Verify -benchtime 3000x ./pki/algo/internal/p256verify
//	go test -run - -bench Verify -benchtime 3000x -tags purego ./pki/algo/internal/p256verify
func BenchmarkVerify(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	table, ok := p256verify.New(key.X.FillBytes(make([]byte, p256verify.Size)), key.Y.FillBytes(make([]byte, p256verify.Size)))
	if !ok {
		b.Fatal("no table")
	}
	type signature struct {
		digest, rRaw, sRaw []byte
		r, s               *big.Int
	}
	var signatures [64]signature
	for i := range signatures {
		digest := sha256.Sum256([]byte{byte(i)})
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		signatures[i] = signature{digest[:], r.FillBytes(make([]byte, p256verify.Size)), s.FillBytes(make([]byte, p256verify.Size)), r, s}
	}
	verifications := []func(s signature) bool{
		func(s signature) bool { return table.Verify(s.digest, s.rRaw, s.sRaw) },
		func(s signature) bool { return ecdsa.Verify(&key.PublicKey, s.digest, s.r, s.s) },
	}
	for name, other := range map[string][]byte{"hot": nil, "cold": make([]byte, 1<<20)} {
		b.Run(name, func(b *testing.B) {
			var times [2][]float64
			for i := 0; b.Loop(); i++ {
				for j, verify := range verifications {
					for k := 0; k < len(other); k += 64 {
						other[k]++
					}
					start := time.Now()
					ok := verify(signatures[i%len(signatures)])
					times[j] = append(times[j], float64(time.Since(start).Nanoseconds()))
					if !ok {
						b.Fatal("refused")
					}
				}
			}
			slices.Sort(times[0])
			slices.Sort(times[1])
			ours, theirs := times[0][len(times[0])/2], times[1][len(times[1])/2]
			b.ReportMetric(ours, "ns/senim")
			b.ReportMetric(theirs, "ns/crypto-ecdsa")
			b.ReportMetric(theirs/ours, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}
