package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// compactSizeMax bounds a compact JWS before it is parsed: a receipt has
// about 2 KiB.
const compactSizeMax = 64 << 10

// Key signs under one key identifier.
type Key struct {
	signer    crypto.Signer
	public    jose.JSONWebKey
	algorithm jose.SignatureAlgorithm
	digest    *algo.Digest
}

// digestOf is the digest that JWS ties to a key (RFC 7518 §3.3, §3.4).
func digestOf(pub crypto.PublicKey) (*algo.Digest, bool) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			return algo.SHA256, true
		case elliptic.P384():
			return algo.SHA384, true
		}
	case *rsa.PublicKey:
		return algo.SHA256, true
	}
	return nil, false
}

// NewKey wraps a signer. Its identifier is the RFC 7638 thumbprint of the
// public key, so the same key has the same identifier on every node. Errors:
// algorithm_unsupported for a key other than P-256, P-384 or RSA.
func NewKey(signer crypto.Signer) (*Key, error) {
	digest, ok := digestOf(signer.Public())
	if !ok {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "no JWS algorithm for a %T", signer.Public())
	}
	algorithm, err := algo.SignatureFor(signer.Public(), digest)
	if err != nil {
		return nil, fmt.Errorf("choose JWS algorithm: %w", err)
	}
	k := &Key{signer: signer, algorithm: jose.SignatureAlgorithm(algorithm.JWA), digest: digest}
	k.public = jose.JSONWebKey{Key: signer.Public(), Algorithm: string(k.algorithm), Use: "sig"}
	thumbprint, err := k.public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("identify key: %w", err)
	}
	k.public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return k, nil
}

// ID of the key, as "kid" carries it.
func (k *Key) ID() string { return k.public.KeyID }

// PublicJWK is the key as a JWK set publishes it.
func (k *Key) PublicJWK() jose.JSONWebKey { return k.public }

// Sign makes a compact JWS with the given "typ".
func (k *Key) Sign(typ string, payload []byte) (string, error) {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: opaque{k}}, options)
	if err != nil {
		return "", fmt.Errorf("prepare JWS: %w", err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign JWS: %w", err)
	}
	return object.CompactSerialize()
}

// Verify checks a compact JWS against a set of keys and returns its payload.
// The algorithm is the one that the key found by "kid" is for. Errors:
// jws_invalid, with what was wrong.
func Verify(compact, typ string, keys jose.JSONWebKeySet) ([]byte, error) {
	if len(compact) > compactSizeMax {
		return nil, fault.New(fault.JWSInvalid, "", "longer than %d bytes", compactSizeMax)
	}
	object, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.RS256})
	if err != nil {
		return nil, fault.Wrap(err, fault.JWSInvalid, "", "not a compact JWS")
	}
	header := object.Signatures[0].Protected
	if got, _ := header.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return nil, fault.New(fault.JWSInvalid, "/typ", "is %q, not %q", got, typ)
	}
	found := keys.Key(header.KeyID)
	if len(found) != 1 {
		return nil, fault.New(fault.JWSInvalid, "/kid", "no such key")
	}
	if found[0].Algorithm != header.Algorithm {
		return nil, fault.New(fault.JWSInvalid, "/alg", "the key is for %s", found[0].Algorithm)
	}
	payload, err := object.Verify(found[0])
	if err != nil {
		return nil, fault.Wrap(err, fault.JWSInvalid, "/signature", "does not verify")
	}
	return payload, nil
}

// opaque lets go-jose sign with a crypto.Signer.
type opaque struct{ key *Key }

func (o opaque) Public() *jose.JSONWebKey { return &o.key.public }

func (o opaque) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{o.key.algorithm}
}

func (o opaque) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	signature, err := o.key.signer.Sign(rand.Reader, o.key.digest.Sum(payload), o.key.digest.Hash)
	if err != nil {
		return nil, err
	}
	if pub, isEC := o.key.signer.Public().(*ecdsa.PublicKey); isEC {
		return algo.RawECDSA(pub, signature) // r ‖ s (RFC 7518 §3.4)
	}
	return signature, nil
}
