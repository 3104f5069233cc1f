package algo

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

func TestParsePublicKey(t *testing.T) {
	k := testKeys()
	for _, key := range []crypto.Signer{k.rsa, k.p224, k.p256, k.p384, k.p521} {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePublicKey(der)
		if err != nil {
			t.Fatal(err)
		}
		if !got.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
			t.Errorf("another %T", got)
		}
		if _, err := ParsePublicKey(append(der, 0)); !fault.Is(err, fault.PublicKeyInvalid) {
			t.Errorf("trailing byte: %v", err)
		}
	}
	rsaSPKI := func(n *big.Int, e int64) []byte {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			Identifier{oidRSA, null}.AddTo(b)
			b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
				b.AddUint8(0)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1BigInt(n)
					b.AddASN1Int64(e)
				})
			})
		})
		return b.BytesOrPanic()
	}
	n := k.rsa.N
	huge := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), rsaBitsMax), big.NewInt(1))
	edPub, _, _ := ed25519.GenerateKey(rand.Reader)
	edDER, _ := x509.MarshalPKIXPublicKey(edPub)
	for _, key := range k.gost {
		pub := key.Public().(*gost.PublicKey)
		if got, err := ParsePublicKey(pub.Marshal()); err != nil || !pub.Equal(got) {
			t.Errorf("%s: %v", pub.Algorithm().Name, err)
		}
	}
	gostDER := k.gost[2].Public().(*gost.PublicKey).Marshal()
	p256DER, _ := x509.MarshalPKIXPublicKey(k.p256.Public())
	tests := []struct {
		name string
		der  []byte
		want fault.Code
	}{
		{"empty", nil, fault.PublicKeyInvalid},
		{"even exponent", rsaSPKI(n, 4), fault.PublicKeyInvalid},
		{"exponent 1", rsaSPKI(n, 1), fault.PublicKeyInvalid},
		{"negative exponent", rsaSPKI(n, -3), fault.PublicKeyInvalid},
		{"giant exponent", rsaSPKI(n, 1<<40+1), fault.PublicKeyInvalid},
		{"even modulus", rsaSPKI(new(big.Int).Lsh(n, 1), 65537), fault.PublicKeyInvalid},
		{"negative modulus", rsaSPKI(new(big.Int).Neg(n), 65537), fault.PublicKeyInvalid},
		{"short modulus", rsaSPKI(big.NewInt(15), 65537), fault.AlgorithmUnsupported},
		{"giant modulus", rsaSPKI(huge, 65537), fault.AlgorithmUnsupported},
		{"a short key of Ed25519", append(bytes.Clone(edDER[:1]), append([]byte{edDER[1] - 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x20, 0}, edDER[13:]...)...), fault.PublicKeyInvalid},
		{"a GOST point off the curve", flip(gostDER, len(gostDER)-1), fault.PublicKeyInvalid},
		{"a GOST key without its end", append([]byte{0x30, 0x20}, gostDER[3:35]...), fault.PublicKeyInvalid},
		{"point off the curve", flip(p256DER, len(p256DER)-1), fault.PublicKeyInvalid},
	}
	for _, tt := range tests {
		if _, err := ParsePublicKey(tt.der); !fault.Is(err, tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	k := testKeys()
	for _, key := range []crypto.Signer{k.rsa, k.p256} {
		der, _ := x509.MarshalPKIXPublicKey(key.Public())
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		pub, err := ParsePublicKey(der)
		if (pub == nil) == (err == nil) {
			t.Fatalf("key %v, error %v", pub, err)
		}
		if _, ours := pub.(*gost.PublicKey); err == nil && !ours {
			k, known := KeyOf(pub)
			if !known {
				t.Errorf("a key of type %T", pub)
			}
			// crypto/x509 has neither brainpool nor the identifier of PSS.
			if _, err := x509.ParsePKIXPublicKey(der); err != nil && !strings.HasPrefix(k.Curve, "brainpool") && k.Name != "RSA" {
				t.Errorf("crypto/x509 refuses what we read: %v", err)
			}
		}
	})
}
