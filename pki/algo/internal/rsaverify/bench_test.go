package rsaverify_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/algo/internal/rsaverify"
)

// BenchmarkVerify compares the public operation with crypto/rsa's verification,
// which checks besides a padding, in less than a microsecond. Both alternate in
// rounds of a fraction of a millisecond, so that what else the machine does falls
// on both; the metrics are medians, and "ratio" is crypto/rsa's time to ours.
//
//	go test -bench Verify -benchtime 300x ./pki/algo/internal/rsaverify
//	go test -bench Verify -benchtime 300x -tags purego ./pki/algo/internal/rsaverify
func BenchmarkVerify(b *testing.B) {
	for _, bits := range []int{2048, 3072, 4096} {
		b.Run(fmt.Sprint(bits), func(b *testing.B) {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				b.Fatal(err)
			}
			digest := sha256.Sum256([]byte("message"))
			sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
			if err != nil {
				b.Fatal(err)
			}
			ours := func() bool { _, ok := rsaverify.Public(key.N, uint32(key.E), sig); return ok }
			theirs := func() bool { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], sig) == nil }
			var times [2][]float64
			for b.Loop() {
				for i, f := range []func() bool{ours, theirs} {
					start := time.Now()
					ok := f() && f() && f()
					times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/3)
					if !ok {
						b.Fatal("refused")
					}
				}
			}
			slices.Sort(times[0])
			slices.Sort(times[1])
			a, c := times[0][len(times[0])/2], times[1][len(times[1])/2]
			b.ReportMetric(a, "ns/senim")
			b.ReportMetric(c, "ns/crypto-rsa")
			b.ReportMetric(c/a, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}
