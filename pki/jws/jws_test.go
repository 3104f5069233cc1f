package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/senim-kz/senim/internal/fault"
)

const typ = "test+jws"

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"ES256": p256, "ES384": p384, "RS256": r}
}

func TestSignedIsVerifiedByUsAndByGoJose(t *testing.T) {
	for alg, signer := range keys(t) {
		t.Run(alg, func(t *testing.T) {
			key, err := NewKey(signer)
			if err != nil {
				t.Fatal(err)
			}
			if key.PublicJWK().Algorithm != alg {
				t.Errorf("algorithm %s", key.PublicJWK().Algorithm)
			}
			compact, err := key.Sign(typ, []byte(`{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.PublicJWK()}}
			payload, err := Verify(compact, typ, set)
			if err != nil || string(payload) != `{"a":1}` {
				t.Errorf("Verify: %s, %v", payload, err)
			}
			object, err := jose.ParseSigned(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := object.Verify(signer.Public()); err != nil {
				t.Errorf("go-jose with the bare key: %v", err)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	signers := keys(t)
	key, _ := NewKey(signers["ES256"])
	other, _ := NewKey(signers["ES384"])
	compact, err := key.Sign(typ, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.PublicJWK()}}
	crossed := key.PublicJWK()
	crossed.Algorithm = "RS256"
	parts := strings.Split(compact, ".")
	flipped := []byte(parts[2])
	flipped[3] ^= 1
	for name, c := range map[string]struct {
		compact, typ string
		set          jose.JSONWebKeySet
	}{
		"empty":             {"", typ, set},
		"not a JWS":         {"a.b.c", typ, set},
		"another type":      {compact, "other", set},
		"unknown key":       {compact, typ, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{other.PublicJWK()}}},
		"key for other alg": {compact, typ, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{crossed}}},
		"payload changed":   {parts[0] + ".eQ." + parts[2], typ, set},
		"signature changed": {parts[0] + "." + parts[1] + "." + string(flipped), typ, set},
		"alg none":          {"eyJhbGciOiJub25lIn0.eQ.", typ, set},
		"too long":          {compact + strings.Repeat("A", compactSizeMax), typ, set},
	} {
		t.Run(name, func(t *testing.T) {
			if payload, err := Verify(c.compact, c.typ, c.set); !fault.Is(err, fault.JWSInvalid) {
				t.Errorf("payload %q, error %v", payload, err)
			}
		})
	}
}

func TestNewKeyRefusesOtherKeys(t *testing.T) {
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	if _, err := NewKey(private); !fault.Is(err, fault.AlgorithmUnsupported) {
		t.Errorf("got %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.eQ.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, compact string) {
		if _, err := Verify(compact, typ, jose.JSONWebKeySet{}); err == nil {
			t.Error("verified without a key")
		}
	})
}
