package access

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits of what a client may register.
const (
	keySetSizeMax      = 64 << 10 // bytes of JSON
	keysMax            = 8        // two are in use while keys rotate
	keyIDLengthMax     = 128
	rsaBitsMin         = 2048
	rsaBitsMax         = 8192 // a larger key only makes us work
	certificateSizeMax = 64 << 10
)

// assertionAlgorithms are the signatures a client's assertion may carry. Only
// public-key ones: with HS* the service would hold the client's secret, and
// "none" proves nothing (RFC 8725 §3.2).
var assertionAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

// algorithmsOf lists which of them a key can make; the key decides, never the
// message (RFC 8725 §3.1).
func algorithmsOf(key any) []jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= rsaBitsMin && bits <= rsaBitsMax && k.E >= 1<<16+1 && k.E&1 == 1 {
			return []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}

// parseKeySet reads a client's JWK set (RFC 7517 §5) and returns it with
// nothing in it but public signature keys, each with its own kid. Errors:
// client_key_invalid.
func parseKeySet(raw []byte) (*jose.JSONWebKeySet, error) {
	if len(raw) > keySetSizeMax {
		return nil, fault.New(fault.ClientKeyInvalid, "", "the JWK set has more than %d bytes", keySetSizeMax)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		// The cause is dropped: it could quote key material.
		return nil, fault.New(fault.ClientKeyInvalid, "", "not a JWK set")
	}
	if len(set.Keys) == 0 || len(set.Keys) > keysMax {
		return nil, fault.New(fault.ClientKeyInvalid, "/keys", "%d keys, want 1 to %d", len(set.Keys), keysMax)
	}
	seen := make(map[string]bool)
	public := &jose.JSONWebKeySet{}
	for i, k := range set.Keys {
		at := fmt.Sprintf("/keys/%d", i)
		allowed := algorithmsOf(k.Key)
		switch {
		case !k.IsPublic():
			return nil, fault.New(fault.ClientKeyInvalid, at, "not a public key; a private key must never be sent")
		case !k.Valid() || len(allowed) == 0:
			return nil, fault.New(fault.ClientKeyInvalid, at, "neither RSA of %d to %d bits, P-256, P-384 nor Ed25519", rsaBitsMin, rsaBitsMax)
		case k.Use != "" && k.Use != "sig":
			return nil, fault.New(fault.ClientKeyInvalid, at+"/use", "not a signature key")
		case k.Algorithm != "" && !slices.Contains(allowed, jose.SignatureAlgorithm(k.Algorithm)):
			return nil, fault.New(fault.ClientKeyInvalid, at+"/alg", "the key cannot make this signature")
		case k.KeyID == "" || len(k.KeyID) > keyIDLengthMax || seen[k.KeyID]:
			return nil, fault.New(fault.ClientKeyInvalid, at+"/kid", "missing, longer than %d characters or there twice", keyIDLengthMax)
		}
		seen[k.KeyID] = true
		public.Keys = append(public.Keys, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: k.Algorithm, Use: "sig"})
	}
	return public, nil
}

// certificateDigest reads a client certificate, PEM or DER, and returns the
// SHA-256 it is known by. Errors: client_key_invalid; GOST and Ed25519 keys
// are refused because no TLS stack in use presents them.
func certificateDigest(raw []byte) ([]byte, error) {
	if len(raw) > certificateSizeMax {
		return nil, fault.New(fault.ClientKeyInvalid, "", "the certificate has more than %d bytes", certificateSizeMax)
	}
	if block, _ := pem.Decode(raw); block != nil && block.Type == "CERTIFICATE" {
		raw = block.Bytes
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, fault.New(fault.ClientKeyInvalid, "", "not an X.509 certificate")
	}
	if !usableForTLS(c) {
		return nil, fault.New(fault.ClientKeyInvalid, "", "a client certificate must have an RSA or an ECDSA key")
	}
	digest := sha256.Sum256(c.Raw)
	return digest[:], nil
}

func usableForTLS(c *x509.Certificate) bool {
	switch c.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		return len(algorithmsOf(c.PublicKey)) > 0
	}
	return false
}
