package rsaverify_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/senim-kz/senim/pki/algo/internal/rsaverify"
)

// BenchmarkVerify compares the public operation with crypto/rsa's verification.
// The padding, which the latter checks besides, costs below a microsecond.
// Run with -count to have the rows alternate.
func BenchmarkVerify(b *testing.B) {
	for _, bits := range []int{2048, 3072, 4096} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			b.Fatal(err)
		}
		digest := sha256.Sum256([]byte("message"))
		sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%d/senim", bits), func(b *testing.B) {
			for b.Loop() {
				if _, ok := rsaverify.Public(key.N, uint32(key.E), sig); !ok {
					b.Fatal("refused")
				}
			}
		})
		b.Run(fmt.Sprintf("%d/crypto_rsa", bits), func(b *testing.B) {
			for b.Loop() {
				if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
