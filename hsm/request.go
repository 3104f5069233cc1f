package hsm

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	stdasn1 "encoding/asn1"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// CertificateRequest makes a PKCS #10 request for the key (RFC 2986), which signs it.
// The subject is the DER of a Name. GOST keys sign with the hash function of their own
// algorithm (RFC 9215 §2.2, and Kazakhstan's likewise).
func (k *Key) CertificateRequest(ctx context.Context, subject []byte) ([]byte, error) {
	if public, is := k.public.(*gost.PublicKey); is {
		return k.requestGOST(ctx, subject, public)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject}, boundKey{k, ctx})
	if err != nil && fault.Of(err) == nil {
		err = fault.Wrap(err, fault.HSMKeyUnsupported, "", "request a certificate for a key of kind %s", AlgorithmOf(k.public))
	}
	return der, err
}

// boundKey is a key for a library that hands no context on.
type boundKey struct {
	*Key
	ctx context.Context
}

func (b boundKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return b.SignContext(b.ctx, digest, opts)
}

func (k *Key) requestGOST(ctx context.Context, subject []byte, public *gost.PublicKey) ([]byte, error) {
	var name stdasn1.RawValue
	if rest, err := stdasn1.Unmarshal(subject, &name); err != nil || len(rest) > 0 || name.Tag != stdasn1.TagSequence {
		return nil, fault.New(fault.BadArgument, "", "the subject is no Name")
	}
	var info cryptobyte.Builder
	info.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Uint64(0) // v1
		b.AddBytes(subject)
		b.AddBytes(public.Marshal())
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(*cryptobyte.Builder) {}) // no attributes
	})
	tbs, err := info.Bytes()
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "encode the request")
	}
	algorithm := public.Algorithm().Algorithm()
	digest := algorithm.Digest.New()
	digest.Write(tbs)
	signature, err := k.SignContext(ctx, digest.Sum(nil), algorithm)
	if err != nil {
		return nil, err
	}
	var request cryptobyte.Builder
	request.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(algorithm.OID) })
		b.AddASN1BitString(signature)
	})
	return request.Bytes()
}
