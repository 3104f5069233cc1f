package cades

import (
	"bytes"
	"context"
	"encoding/asn1"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
)

// signedContent is what the signatures are over: the message's own content, or
// the document given beside a detached one. A document beside an attached
// message must be its content.
func (m *Message) signedContent(ctx context.Context, document Source) (*content, error) {
	switch {
	case m.content == nil && document == nil:
		return nil, fault.New(fault.ContentMissing, "", "the signature is detached; what it is over was not given")
	case m.content == nil:
		return whole(document), nil
	case document == nil:
		return m.content, nil
	}
	own, err := m.content.digestsOf(ctx, algo.SHA256)
	if err != nil {
		return nil, err
	}
	other, err := whole(document).digestsOf(ctx, algo.SHA256)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(own[algo.SHA256], other[algo.SHA256]) {
		return nil, fault.New(fault.ContentConflict, "", "the message carries another content than was given")
	}
	return m.content, nil
}

// oldArchives are attributes whose proof covers SignedData.certificates and crls
// as they are.
var oldArchives = []asn1.ObjectIdentifier{
	cms.OIDArchiveTimestampV1, cms.OIDArchiveTimestampV2, cms.OIDLongTermValidation,
	cms.OIDEvidenceRecordInternal, cms.OIDEvidenceRecordExternal,
}

// checkOpenEnded refuses a message to which nothing can be added without breaking
// what proves one of its signatures.
func checkOpenEnded(view *cms.Message) error {
	for i, s := range view.Signers {
		for _, old := range oldArchives {
			if len(s.Unsigned(old)) > 0 {
				return fault.New(fault.NotAvailable, at(i, "/unsignedAttrs/"+old.String()),
					"an older kind of archive time-stamp or evidence record, which more certificates or revocation information would break")
			}
		}
	}
	return nil
}

// checkSigner makes sure that a signature holds, and gives the certificate that
// made it: value, content and the protected reference to the certificate, if
// there is one. A signature without signed attributes is no CAdES and is not
// raised.
func checkSigner(view *cms.Message, s *cms.Signer, sums map[*algo.Digest][]byte, candidates []*cert.Certificate) (*cert.Certificate, error) {
	if !s.HasSignedAttributes() {
		return nil, fault.New(fault.AttributeMissing, "/signedAttrs", "a signature without signed attributes is not CAdES")
	}
	digest, err := s.Digest()
	if err != nil {
		return nil, err
	}
	if err := view.VerifyContent(s, sums[digest]); err != nil {
		return nil, err
	}
	c, err := signerCertificate(s, candidates)
	if err != nil {
		return nil, err
	}
	if err := c.KeyError(); err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), "", "use the signer's key")
	}
	_, err = s.VerifySignature(c.PublicKey, sums[digest])
	return c, err
}

// signerCertificate finds the certificate that the signer's identifier and
// every signing-certificate attribute name.
func signerCertificate(s *cms.Signer, candidates []*cert.Certificate) (*cert.Certificate, error) {
	references, err := s.CertificateReferences()
	if err != nil {
		return nil, err
	}
	named := false
	for _, c := range candidates {
		if !s.Identifier.Names(c) {
			continue
		}
		named = true
		matches := true
		for _, list := range references {
			same, err := list[0].MatchesDigest(c)
			if err != nil {
				return nil, err
			}
			matches = matches && same && list[0].MatchesIssuerSerial(c)
		}
		if matches {
			return c, nil
		}
	}
	if named {
		return nil, fault.New(fault.SignerReferenceMismatch, "/signedAttrs/signingCertificate", "it names another certificate")
	}
	return nil, fault.New(fault.SignerCertificateMissing, "", "neither in the message nor given")
}

// stamp is a time-stamp that holds as far as its message goes: imprint,
// signature, and a certificate for the purpose. Its path is not looked at yet.
type stamp struct {
	token  *tsp.Token
	signer *cert.Certificate
	at     time.Time
}

// checkStamp verifies a token over data.
func checkStamp(raw, data []byte, candidates []*cert.Certificate) (*stamp, error) {
	token, err := tsp.ParseToken(raw)
	if err != nil {
		return nil, err
	}
	if err := token.CheckImprint(data); err != nil {
		return nil, err
	}
	return verifiedStamp(token, candidates)
}

func verifiedStamp(token *tsp.Token, candidates []*cert.Certificate) (*stamp, error) {
	signer, err := token.VerifySignature(candidates...)
	if err != nil {
		return nil, err
	}
	if err := tsp.CheckAuthority(signer); err != nil {
		return nil, err
	}
	return &stamp{token, signer, token.Time}, nil
}

// values are all values of a signer's unsigned attributes of a type, in order.
func values(s *cms.Signer, kind asn1.ObjectIdentifier) [][]byte {
	var found [][]byte
	for _, a := range s.Unsigned(kind) {
		found = append(found, a.Values...)
	}
	return found
}
