package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/pki/algo/internal/p256verify"
)

func encodePair(r, s *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	return b.BytesOrPanic()
}

// TestPreparedKeysVerifyAlike holds prepared keys to what crypto/ecdsa says, of
// signatures that hold, of changed ones, and of numbers at the edges.
func TestPreparedKeysVerifyAlike(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	Prepare(key.Public())
	Prepare(key.Public())
	if p256TableOf(&key.PublicKey) == nil || p256TableOf(&other.PublicKey) != nil {
		t.Fatal("not the key that was prepared")
	}
	n := key.Params().N
	edges := []*big.Int{
		big.NewInt(-1), new(big.Int), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(n, big.NewInt(1)), n, new(big.Int).Add(n, big.NewInt(1)),
		new(big.Int).Lsh(big.NewInt(1), 256), key.X,
	}
	digests := []*Digest{SHA1, SHA256, SHA384, SHA512}
	rapid.Check(t, func(rt *rapid.T) {
		digest := rapid.SampledFrom(digests).Draw(rt, "digest").Sum([]byte(rapid.String().Draw(rt, "message")))
		raw, err := key.Sign(rand.Reader, digest, crypto.Hash(0))
		if err != nil {
			rt.Fatal(err)
		}
		if !verifyECDSA(&key.PublicKey, digest, raw) {
			rt.Fatal("a good signature does not hold")
		}
		r, s, _ := readPair(raw)
		for _, sig := range [][]byte{
			raw, append(raw[:len(raw):len(raw)], 0), raw[1:], nil,
			encodePair(s, r),
			encodePair(r, new(big.Int).Sub(n, s)), // holds too: ECDSA's signatures are malleable
			encodePair(new(big.Int).Add(r, n), s),
			encodePair(rapid.SampledFrom(edges).Draw(rt, "r"), rapid.SampledFrom(edges).Draw(rt, "s")),
			encodePair(r, rapid.SampledFrom(edges).Draw(rt, "s alone")),
			encodePair(rapid.SampledFrom(edges).Draw(rt, "r alone"), s),
		} {
			if got, want := verifyECDSA(&key.PublicKey, digest, sig), ecdsa.VerifyASN1(&key.PublicKey, digest, sig); got != want {
				rt.Errorf("%x: %v, and crypto/ecdsa says %v", sig, got, want)
			}
		}
		digest[rapid.IntRange(0, min(len(digest), 32)-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if verifyECDSA(&key.PublicKey, digest, raw) {
			rt.Error("it holds over another digest")
		}
	})
	// The digest that is zero, and one of which u1·G = -u2·Q.
	zero := make([]byte, 32)
	raw, err := key.Sign(rand.Reader, zero, crypto.Hash(0))
	if err != nil || !verifyECDSA(&key.PublicKey, zero, raw) {
		t.Errorf("over zero: %v", err)
	}
	e := new(big.Int).Mul(key.D, big.NewInt(5)) // e + r·d = 0 for r = 5: the sum is the point at infinity
	e.Sub(n, e.Mod(e, n))
	if sig := encodePair(big.NewInt(5), big.NewInt(7)); verifyECDSA(&key.PublicKey, e.FillBytes(zero), sig) {
		t.Error("the point at infinity verifies")
	}
}

// Project Wycheproof's signatures on P-256, each with a table of its key: among their
// numbers are those at which sums meet, and an x above the order.
func TestWycheproofByTables(t *testing.T) {
	files, err := filepath.Glob("../../../shared/data/validation/wycheproof/ecdsa_secp256r1_*_test.json.gz")
	if err != nil || len(files) == 0 {
		t.Skip("no ../shared/data here")
	}
	step := 1
	if testing.Short() {
		step = 10
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			checked := 0
			for i, g := range readGroups(t, file) {
				if i%step != 0 {
					continue
				}
				algorithm, pub := g.algorithm(t)
				name := p256Name(pub.(*ecdsa.PublicKey))
				table, ok := p256verify.New(name[:p256Bytes], name[p256Bytes:])
				if !ok {
					t.Fatal("no table")
				}
				for _, v := range g.Tests {
					sig := unhexed(t, v.Sig)
					r, s, readable := readPair(sig)
					if g.Type == "EcdsaP1363Verify" {
						readable = len(sig) == 2*p256Bytes
						r, s = new(big.Int).SetBytes(sig[:len(sig)/2]), new(big.Int).SetBytes(sig[len(sig)/2:])
					}
					if !readable {
						continue // refused before a table is asked
					}
					checked++
					if verifyP256(table, algorithm.Digest.Sum(unhexed(t, v.Msg)), r, s) != (v.Result == "valid") {
						t.Errorf("%d (%s): not %s", v.ID, v.Comment, v.Result)
					}
				}
			}
			if checked < 50/step {
				t.Errorf("only %d vectors", checked)
			}
		})
	}
}

func TestPrepareLeavesOtherKeysAlone(t *testing.T) {
	Prepare(nil)
	Prepare(&ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}) // not on the curve
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	Prepare(key.Public())
	if p256TableOf(&key.PublicKey) != nil || p256TableOf(&ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}) != nil {
		t.Error("a table of a key that has none")
	}
}
