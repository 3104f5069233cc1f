package tsp

import (
	"bytes"
	"encoding/asn1"
	"io"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// Media types of RFC 3161 §3.4.
const (
	ContentTypeQuery = "application/timestamp-query"
	ContentTypeReply = "application/timestamp-reply"
)

// Request asks for a time-stamp over an imprint (RFC 3161 §2.4.1).
type Request struct {
	Digest  *algo.Digest
	Imprint []byte
	Policy  asn1.ObjectIdentifier // nil leaves it to the authority
	Nonce   *big.Int              // nil sends none
	CertReq bool                  // the token shall carry the authority's certificate

	// RawImprint is the MessageImprint and RawNonce the INTEGER of a request that
	// was read, as they came: a token repeats them byte for byte.
	RawImprint, RawNonce []byte
}

// nonceBytes is the length of our nonces: no two requests ever share one.
const nonceBytes = 16

// NewRequest asks for a time-stamp over data, with a nonce from random and the
// authority's certificate.
func NewRequest(data []byte, digest *algo.Digest, random io.Reader) (*Request, error) {
	nonce := make([]byte, nonceBytes)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "draw a nonce")
	}
	return &Request{Digest: digest, Imprint: digest.Sum(data), Nonce: new(big.Int).SetBytes(nonce), CertReq: true}, nil
}

// Marshal writes the TimeStampReq.
func (r *Request) Marshal() ([]byte, error) {
	if len(r.Imprint) != r.Digest.Size() {
		return nil, fault.New(fault.BadArgument, "", "an imprint of %d bytes for %s", len(r.Imprint), r.Digest.Name)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			// Authorities of old expect NULL where RFC 5754 would leave it out.
			algo.Identifier{OID: r.Digest.OID, Parameters: []byte{0x05, 0x00}}.AddTo(b)
			b.AddASN1OctetString(r.Imprint)
		})
		if len(r.Policy) > 0 {
			b.AddASN1ObjectIdentifier(r.Policy)
		}
		if r.Nonce != nil {
			b.AddASN1BigInt(r.Nonce)
		}
		if r.CertReq {
			b.AddASN1Boolean(true)
		}
	})
	return b.Bytes()
}

// Accept reads the authority's reply to the request and makes sure that its
// token answers this very request. The token's signature is not verified yet.
func (r *Request) Accept(reply []byte) (*Token, error) {
	t, err := ParseReply(reply)
	if err != nil {
		return nil, err
	}
	digest, err := algo.DigestByIdentifier(t.ImprintAlgorithm)
	if err != nil {
		return nil, err
	}
	switch {
	case digest != r.Digest || !bytes.Equal(t.Imprint, r.Imprint):
		return nil, fault.New(fault.TimestampImprintMismatch, "", "the token is over another imprint than was sent")
	case r.Nonce != nil && (t.Nonce == nil || t.Nonce.Cmp(r.Nonce) != 0):
		return nil, fault.New(fault.TimestampNonceMismatch, "", "the nonce is missing or another")
	case len(r.Policy) > 0 && !t.Policy.Equal(r.Policy):
		return nil, fault.New(fault.TimestampPolicyMismatch, "", "%s asked for, %s followed", r.Policy, t.Policy)
	}
	return t, nil
}
