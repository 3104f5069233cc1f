package gost

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost/streebog"
)

// pairs are every kind of key on every curve it has.
func pairs(t testing.TB) (out []*PrivateKey) {
	t.Helper()
	for _, a := range keyAlgorithms {
		for _, oid := range a.curves {
			c, err := CurveByOID(oid)
			if err != nil {
				t.Fatal(err)
			}
			key, err := GenerateKey(rand.Reader, a, c)
			if err != nil {
				t.Fatal(err)
			}
			key.public.curveOID = oid
			out = append(out, key)
		}
	}
	return out
}

func digestOf(size int, text string) []byte {
	if size == streebog.Size256 {
		sum := streebog.Sum256([]byte(text))
		return sum[:]
	}
	sum := streebog.Sum512([]byte(text))
	return sum[:]
}

func TestSignVerify(t *testing.T) {
	for _, key := range pairs(t) {
		public := key.Public().(*PublicKey)
		a := public.Algorithm().Algorithm()
		digest := digestOf(public.Curve().Size(), "to sign")
		signature, err := key.Sign(rand.Reader, digest, a)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Verify(public, digest, signature); err != nil {
			t.Errorf("%s on %s: %v", a.Name, public.Curve().Name(), err)
		}
		again, err := key.Sign(rand.Reader, digest, crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(signature, again) {
			t.Errorf("%s: randomness does not reach the nonce", a.Name)
		}
		for i := range signature {
			broken := slices.Clone(signature)
			broken[i] ^= 1
			if i%16 == 0 && a.Verify(public, digest, broken) == nil {
				t.Errorf("%s: byte %d does not count", a.Name, i)
			}
		}
	}
}

// TestDeterministicNonce pins RFC 6979 over HMAC-Streebog: the nonce follows
// from key and digest alone, so the signature may never change. RFC 6979
// prints none for these hash functions; the values were computed independently,
// with gost-engine's hash and integers of another language.
func TestDeterministicNonce(t *testing.T) {
	for _, test := range []struct {
		algorithm *Algorithm
		curve     string
		signature string
	}{
		{SignatureKZ2004, "KZ 2004-A", "2327b98da298e68e890c33454b234cf3ef6781ae86f11541350b8140044a5650cca89c5b229d4e4cad8c6c705f2038bd17d4090cb088ee842441e6cd2fc2a855"},
		{SignatureKZ2015x512, "KZ 2015-512-A", "6ce187e32adca9b89c6807a4932ceb4207385422231f60ab9bd612e9fffd90b8c5db3c38b9d2435ae7d374e98a0e14d2b6230b2a3c35a0d70624a4d6d3eafa959b2f04b68406e4c6b39b1e4a13096f427e083b9af5b78c66eed6b12a05d83ef12091cb78d9e66f6b48344b4ce7510f82b1f3bd155e92928308235e441c8f3a0d"},
		{SignatureRU2012x512, "id-tc26-gost-3410-2012-512-paramSetC", "052b85471ee576cf2edaf90d7f6af4053be5b0e127a64a2f29e03dd29b6f3e93cc256976b2f95e7f77b2112823c8bd2a9246f5065c15928f464bb601fd87ed9a0a93ae1275050f75e21d3f68e42037f998f0e9020c09afc086c18dc437efe59fdf2cc45178d07c75d6f21615ff7a1201f4bcb920b151e7b65ff099dd57d8cd11"},
	} {
		c, err := CurveByName(test.curve)
		if err != nil {
			t.Fatal(err)
		}
		d := make([]byte, c.Size())
		for i := range d {
			d[i] = byte(i + 1)
		}
		d[len(d)-1] = 1 // below every q
		key, err := NewPrivateKey(test.algorithm.Key, c, d)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := key.Sign(nil, digestOf(c.Size(), "to sign"), test.algorithm)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(signature); got != test.signature {
			t.Errorf("%s: %s, want %s", test.algorithm.Name, got, test.signature)
		}
	}
}

func TestSignRefusals(t *testing.T) {
	key, err := GenerateKey(rand.Reader, KZ2015x512, tc26A512)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 64)
	for _, test := range []struct {
		name   string
		random io.Reader
		digest []byte
		opts   crypto.SignerOpts
		want   fault.Code
	}{
		{"short digest", nil, digest[:32], nil, fault.AlgorithmMismatch},
		{"SHA-512", nil, digest, crypto.SHA512, fault.AlgorithmMismatch},
		{"another algorithm", nil, digest, SignatureRU2012x512, fault.AlgorithmKeyMismatch},
		{"no randomness", iotestError{}, digest, nil, fault.Internal},
	} {
		if _, err := key.Sign(test.random, test.digest, test.opts); !fault.Is(err, test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := GenerateKey(iotestError{}, KZ2015x512, tc26A512); !fault.Is(err, fault.Internal) {
		t.Errorf("a key without randomness: %v", err)
	}
	q := little(tc26A512.q, 64)
	for name, d := range map[string][]byte{"0": make([]byte, 64), "q": q, "short": q[:63], "2^512-1": slices.Repeat([]byte{0xff}, 64)} {
		if _, err := NewPrivateKey(KZ2015x512, tc26A512, d); !fault.Is(err, fault.EncodingInvalid) {
			t.Errorf("d = %s: %v", name, err)
		}
	}
}

type iotestError struct{}

func (iotestError) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestIsScalar(t *testing.T) {
	for _, c := range curves {
		for _, test := range []struct {
			add  int64
			want bool
		}{{-2, true}, {-1, true}, {0, false}, {1, false}, {256, false}} {
			n := new(big.Int).Add(c.q, big.NewInt(test.add))
			if got := c.isScalar(little(n, c.size)); got != test.want {
				t.Errorf("%s: q%+d is a scalar: %v", c.name, test.add, got)
			}
		}
	}
}

func TestPKCS8RoundTrip(t *testing.T) {
	for _, key := range pairs(t) {
		encoded, err := key.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePrivateKey(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !back.Equal(key) || !bytes.Equal(back.d, key.d) {
			t.Errorf("%s: another key comes back", key.public.algorithm.Name)
		}
		if again, _ := back.Marshal(); !bytes.Equal(again, encoded) {
			t.Errorf("%s: the encoding changes", key.public.algorithm.Name)
		}
	}
}

// TestPKCS8Integer meets numbers with leading zeros and a set top bit.
func TestPKCS8Integer(t *testing.T) {
	for _, top := range []byte{0, 1, 0x7f, 0x80, 0xfe} {
		d := make([]byte, 32)
		d[0], d[31] = 5, top
		key, err := NewPrivateKey(KZ2004, cryptoProA, d)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := key.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePrivateKey(encoded)
		if err != nil || !bytes.Equal(back.d, d) {
			t.Errorf("top byte %#x: %v", top, err)
		}
	}
}

func TestPKCS8Refusals(t *testing.T) {
	// No number of chance: the rest of one may happen to be a DER INTEGER.
	key, err := NewPrivateKey(KZ2015x256, tc26A256, slices.Repeat([]byte{5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	with := func(inner []byte) []byte {
		var b cryptobyte.Builder
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			key.public.addIdentifier(b)
			b.AddASN1OctetString(inner)
		})
		return b.BytesOrPanic()
	}
	good := with(key.d)
	if _, err := ParsePrivateKey(good); err != nil {
		t.Fatalf("d itself: %v", err)
	}
	for name, in := range map[string][]byte{
		"empty":          nil,
		"no number":      with(nil),
		"short":          with(key.d[1:]),
		"masked":         with(slices.Repeat(key.d, 2)),
		"zero":           with(make([]byte, 32)),
		"short octets":   with(append([]byte{4, 31}, key.d[1:]...)),
		"negative":       with([]byte{2, 1, 0xff}),
		"long integer":   with(append([]byte{2, 34, 1}, make([]byte, 33)...)),
		"trailing":       append(slices.Clone(good), 0),
		"trailing inner": with(append([]byte{4, 32}, make([]byte, 33)...)),
		"a public key":   key.public.Marshal(),
	} {
		if _, err := ParsePrivateKey(in); !fault.Is(err, fault.EncodingInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEnginePrivateKeys reads the keys that gost-engine wrote and compares them
// with the certificates beside.
func TestEnginePrivateKeys(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(sharedFile(t, "gost", "openssl-gost-engine"), "*", "*.key.pem"))
	if len(paths) != 28 {
		t.Errorf("%d keys", len(paths))
	}
	for _, path := range paths {
		key, err := ParsePrivateKey(readPEM(t, path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		data, err := os.ReadFile(strings.TrimSuffix(path, ".key.pem") + ".cer")
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(data)
		if err != nil {
			t.Fatal(err)
		}
		public, err := ParsePublicKey(certificate.RawSubjectPublicKeyInfo)
		if err != nil || !public.Equal(key.Public()) {
			t.Errorf("%s is not the key of its certificate (%v)", path, err)
		}
		if !bytes.Equal(public.Marshal(), certificate.RawSubjectPublicKeyInfo) {
			t.Errorf("%s: the public key is written otherwise", path)
		}
	}
	paths, _ = filepath.Glob(filepath.Join(sharedFile(t, "gost", "gost-engine-etalon"), "*.pem"))
	for _, path := range paths {
		if _, err := ParsePrivateKey(readPEM(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func readPEM(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	return block.Bytes
}

// TestKazakhPrivateKeys makes the points of the national authority's test keys.
func TestKazakhPrivateKeys(t *testing.T) {
	var keys []struct {
		File, KeyAlg string
		D            hexBytes `json:"d"`
		X            hexBytes `json:"Qx"`
		Y            hexBytes `json:"Qy"`

		// What pki/pkcs12 checks.
		Password, Alias, Subject, Issuer, Serial, NotBefore, NotAfter, IssuedBy, CertSigOK, EKU, Params any

		Order    any `json:"d_order"`
		InnerTag any
	}
	readShared(t, &keys, "nuc-rk", "p12-keys.json")
	found := 0
	for _, k := range keys {
		a := KZ2015x512
		switch k.KeyAlg {
		case KZ2004.OID.String():
			a = KZ2004
		case a.OID.String():
		case "1.2.840.113549.1.1.1": // RSA
			continue
		default:
			t.Errorf("%s: key algorithm %s", k.File, k.KeyAlg)
			continue
		}
		c, _ := CurveByOID(a.curves[0])
		d := little(new(big.Int).SetBytes(k.D), c.size)
		key, err := NewPrivateKey(a, c, d)
		if err != nil {
			t.Errorf("%s: %v", k.File, err)
			continue
		}
		slices.Reverse(k.X)
		slices.Reverse(k.Y)
		if !bytes.Equal(key.public.xy, slices.Concat(k.X, k.Y)) {
			t.Errorf("%s: another point", k.File)
		}
		found++
	}
	if found == 0 {
		t.Error("no GOST keys")
	}
}
