package cades

import (
	"context"
	"crypto"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
)

// Options say how to sign. The zero value makes an attached signature with
// SHA-256 that claims no time.
type Options struct {
	Detached    bool
	SigningTime time.Time
	Digest      *algo.Digest
}

// Sign makes a CAdES baseline B signature in DER: signed attributes
// content-type, message-digest, signing-time and signing-certificate-v2
// (EN 319 122-1 §6.3). chain is the signer's certificate and then the path to
// its root, which may be left out; all of it is carried.
//
// The key may be anywhere, and gives its public half by Public. A key that does
// not belong to the certificate, or whose answer does not verify, is refused.
func Sign(ctx context.Context, content []byte, key crypto.Signer, chain []*cert.Certificate, o Options) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(err, fault.Cancelled, "", "sign")
	}
	if len(chain) == 0 {
		return nil, fault.New(fault.BadArgument, "/chain", "no signer's certificate")
	}
	template := cms.Template{
		Content:     content,
		Detached:    o.Detached,
		Certificate: chain[0].Raw,
		Digest:      o.Digest,
		SigningTime: o.SigningTime,
	}
	for _, c := range chain[1:] {
		template.Chain = append(template.Chain, c.Raw)
	}
	return cms.Sign(template, key)
}

// SignatureValue gives the value of a message's signer: what a signature
// time-stamp is over (EN 319 122-1 §5.3).
func SignatureValue(message []byte, signer int) ([]byte, error) {
	m, err := cms.Parse(message)
	if err != nil {
		return nil, err
	}
	if signer < 0 || signer >= len(m.Signers) {
		return nil, fault.New(fault.BadArgument, "/signerInfos", "no signer %d of %d", signer, len(m.Signers))
	}
	return m.Signers[signer].Signature, nil
}
