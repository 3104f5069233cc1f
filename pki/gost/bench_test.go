package gost

import (
	"crypto/rand"
	"testing"
)

// The rows of docs/performance.md that are one function; package bench compares
// them with gost-engine.

func BenchmarkVerify(b *testing.B) {
	for _, a := range []*Algorithm{SignatureKZ2015x512, SignatureKZ2004, SignatureKZ2015x256} {
		s := benchmarkSigned(b, a)
		table := s.key.point.Precompute()
		b.Run(s.key.curve.name+"/new", func(b *testing.B) {
			for b.Loop() {
				if err := a.Verify(s.key, s.digest, s.signature); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.key.curve.name+"/cached", func(b *testing.B) {
			for b.Loop() {
				if err := s.key.verify(table, a.Layout, s.digest, s.signature); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.key.curve.name+"/parse", func(b *testing.B) {
			spki := s.key.Marshal()
			for b.Loop() {
				if _, err := ParsePublicKey(spki); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.key.curve.name+"/table", func(b *testing.B) {
			for b.Loop() {
				s.key.point.Precompute()
			}
		})
	}
}

func benchmarkSigned(b *testing.B, a *Algorithm) signedDigest {
	b.Helper()
	c, err := CurveByOID(a.Key.curves[0])
	if err != nil {
		b.Fatal(err)
	}
	key, err := GenerateKey(rand.Reader, a.Key, c)
	if err != nil {
		b.Fatal(err)
	}
	digest := digestOf(c.Size(), "benchmark")
	signature, err := key.Sign(nil, digest, a)
	if err != nil {
		b.Fatal(err)
	}
	return signedDigest{a, &key.public, digest, signature}
}

func BenchmarkSign(b *testing.B) {
	c := tc26A512
	key, err := GenerateKey(rand.Reader, KZ2015x512, c)
	if err != nil {
		b.Fatal(err)
	}
	digest := digestOf(c.Size(), "benchmark")
	for b.Loop() {
		if _, err := key.Sign(rand.Reader, digest, nil); err != nil {
			b.Fatal(err)
		}
	}
}
