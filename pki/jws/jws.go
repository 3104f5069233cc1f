package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"

	// The digests that the algorithms below name.
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/senim-kz/senim/internal/fault"
)

// compactSizeMax bounds a compact JWS before it is parsed: a receipt has
// about 2 KiB.
const compactSizeMax = 64 << 10

// Key signs under one key identifier.
type Key struct {
	signer    crypto.Signer
	public    jose.JSONWebKey
	algorithm jose.SignatureAlgorithm
	hash      crypto.Hash
}

// NewKey wraps a signer. Its identifier is the RFC 7638 thumbprint of the
// public key, so the same key has the same identifier on every node. Errors:
// algorithm_unsupported for a key other than P-256, P-384 or RSA.
func NewKey(signer crypto.Signer) (*Key, error) {
	k := &Key{signer: signer}
	switch pub := signer.Public().(type) {
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			k.algorithm, k.hash = jose.ES256, crypto.SHA256
		case elliptic.P384():
			k.algorithm, k.hash = jose.ES384, crypto.SHA384
		}
	case *rsa.PublicKey:
		k.algorithm, k.hash = jose.RS256, crypto.SHA256
	}
	if k.algorithm == "" {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "no JWS algorithm for a %T", signer.Public())
	}
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
	h := o.key.hash.New()
	h.Write(payload)
	signature, err := o.key.signer.Sign(rand.Reader, h.Sum(nil), o.key.hash)
	if err != nil {
		return nil, err
	}
	pub, isEC := o.key.signer.Public().(*ecdsa.PublicKey)
	if !isEC {
		return signature, nil
	}
	return fixedWidth(signature, (pub.Curve.Params().BitSize+7)/8)
}

// fixedWidth turns the ASN.1 form that a crypto.Signer gives into r ‖ s, each
// of the curve's size (RFC 7518 §3.4).
func fixedWidth(signature []byte, size int) ([]byte, error) {
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &rs); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("signer gave no ECDSA-Sig-Value")
	}
	if rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.BitLen() > size*8 || rs.S.BitLen() > size*8 {
		return nil, fmt.Errorf("signer gave an ECDSA-Sig-Value out of range")
	}
	out := make([]byte, 2*size)
	rs.R.FillBytes(out[:size])
	rs.S.FillBytes(out[size:])
	return out, nil
}
