package tsp

import (
	"bytes"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
)

// Token is a time-stamp token: read, not yet believed.
type Token struct {
	Info
	Raw     []byte // as given
	Message *cms.Message
	Signer  *cms.Signer
}

// tokenLimits bound a token. Real ones have 2 to 8 KiB.
var tokenLimits = cms.Limits{
	Bytes: 1 << 20, Signers: 16, Certificates: 64, RevocationValues: 64,
	DigestAlgorithms: 16, Attributes: 64, AttributeValues: 64,
}

// ParseToken reads a token: a SignedData with TSTInfo inside and exactly one
// signer (RFC 3161 §2.4.2).
func ParseToken(der []byte) (*Token, error) {
	m, err := cms.ParseWithin(der, tokenLimits)
	if err != nil {
		if code := fault.CodeOf(err); code == fault.InputEmpty || code == fault.InputTooBig {
			return nil, err
		}
		return nil, fault.Wrap(err, fault.TimestampUnreadable, "", "read the token's SignedData")
	}
	switch {
	case !m.ContentType.Equal(cms.OIDTSTInfo):
		return nil, unreadable("content of type %s", m.ContentType)
	case m.Detached:
		return nil, unreadable("TSTInfo is missing")
	case len(m.Signers) != 1:
		return nil, unreadable("%d signers, want one", len(m.Signers))
	}
	t := &Token{Raw: der, Message: m, Signer: m.Signers[0]}
	if err := t.Info.parse(m.Content); err != nil {
		return nil, err
	}
	return t, nil
}

// CheckImprint makes sure that the token is over the data.
func (t *Token) CheckImprint(data []byte) error {
	digest, err := algo.DigestByIdentifier(t.ImprintAlgorithm)
	if err != nil {
		return err
	}
	if !bytes.Equal(t.Imprint, digest.Sum(data)) {
		return fault.New(fault.TimestampImprintMismatch, "", "%s", digest.Name)
	}
	return nil
}

// Certificates are those that the token carries, as far as they can be read:
// an odd one that nobody needs must not spoil the token.
func (t *Token) Certificates() []*cert.Certificate {
	var certs []*cert.Certificate
	for _, raw := range t.Message.Certificates {
		if c, err := cert.Parse(raw); err == nil {
			certs = append(certs, c)
		}
	}
	return certs
}

// VerifySignature checks the token's signature and returns the certificate
// that made it, from the token or from others. The certificate is the one that
// both the signer identifier and every signing-certificate attribute name: a
// certificate that somebody put beside it is never looked at.
func (t *Token) VerifySignature(others ...*cert.Certificate) (*cert.Certificate, error) {
	signer, err := t.findSigner(append(t.Certificates(), others...))
	if err != nil {
		return nil, err
	}
	if err := t.verifyBy(signer); err != nil {
		return nil, err
	}
	return signer, nil
}

// VerifyBy checks the token's signature with a certificate that is at hand, which
// must be the one that the token names. It reads no certificate of the token.
func (t *Token) VerifyBy(signer *cert.Certificate) error {
	if _, err := t.findSigner([]*cert.Certificate{signer}); err != nil {
		return err
	}
	return t.verifyBy(signer)
}

func (t *Token) verifyBy(signer *cert.Certificate) error {
	if err := signer.KeyError(); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "", "use the authority's key")
	}
	if _, err := t.Message.Verify(t.Signer, signer.PublicKey, t.Message.Content); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "", "check the token's signature")
	}
	if t.Authority != nil && !bytes.Equal(t.Authority, signer.RawSubject) {
		return fault.New(fault.TimestampSignerMismatch, "", "the authority named is not the signer")
	}
	return nil
}

func (t *Token) findSigner(among []*cert.Certificate) (*cert.Certificate, error) {
	references, err := t.Signer.CertificateReferences()
	if err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), "", "read the token's signing certificate")
	}
	if len(references) == 0 {
		return nil, fault.New(fault.TimestampSignerMismatch, "", "no signing-certificate attribute")
	}
	named := false
	for _, c := range among {
		if !t.Signer.Identifier.Names(c) {
			continue
		}
		named = true
		matches, err := matchesAll(references, c)
		if err != nil {
			return nil, err
		}
		if matches {
			return c, nil
		}
	}
	if named {
		return nil, fault.New(fault.TimestampSignerMismatch, "", "the signing-certificate attribute names another certificate")
	}
	return nil, fault.New(fault.SignerCertificateMissing, "", "the authority's certificate is not in the token")
}

// matchesAll reports whether the first reference of every attribute is to c
// (RFC 5816 §2.2.1 allows both versions side by side).
func matchesAll(references [][]cms.CertificateReference, c *cert.Certificate) (bool, error) {
	for _, list := range references {
		digest, err := list[0].MatchesDigest(c)
		if err != nil || !digest || !list[0].MatchesIssuerSerial(c) {
			return false, err
		}
	}
	return true, nil
}

// CheckAuthority makes sure that a certificate is one of a time-stamping
// authority: RFC 3161 §2.3 wants one extended key usage, timeStamping, marked
// critical; and its key must be for signatures.
func CheckAuthority(c *cert.Certificate) error {
	usage, present := c.Extension(cert.OIDExtKeyUsage)
	switch {
	case !present || !c.HasExtKeyUsage(cert.OIDUsageTimeStamping):
		return fault.New(fault.TimestampSignerForbidden, "", "it is not meant for time-stamps")
	case !usage.Critical:
		return fault.New(fault.TimestampSignerForbidden, "", "its extended key usage is not critical")
	case len(c.ExtKeyUsage) != 1:
		return fault.New(fault.TimestampSignerForbidden, "", "it is meant for %d uses, not for time-stamps alone", len(c.ExtKeyUsage))
	case !c.Allows(cert.KeyUsageDigitalSignature) && !c.Allows(cert.KeyUsageNonRepudiation):
		return fault.New(fault.TimestampSignerForbidden, "", "its key may not sign")
	}
	return nil
}

// Verify checks the whole token over the data and returns the path of its
// authority, valid at the time in the token. On failure of the path alone the
// nearest one is returned beside the error, as path.Build does.
func (t *Token) Verify(data []byte, anchors *trust.Store, others ...*cert.Certificate) (*path.Path, error) {
	if err := t.CheckImprint(data); err != nil {
		return nil, err
	}
	signer, err := t.VerifySignature(others...)
	if err != nil {
		return nil, err
	}
	if err := CheckAuthority(signer); err != nil {
		return nil, err
	}
	return t.path(signer, anchors, others...)
}

// path finds the authority's path at the time in the token.
func (t *Token) path(signer *cert.Certificate, anchors *trust.Store, others ...*cert.Certificate) (*path.Path, error) {
	found, err := path.Build(path.Request{
		Leaf: signer, Intermediates: append(t.Certificates(), others...), Anchors: anchors, At: t.Time,
	})
	if err != nil {
		return found, fault.Wrap(err, fault.CodeOf(err), "", "validate the authority's path")
	}
	return found, nil
}
