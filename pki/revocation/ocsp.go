package revocation

import (
	"bytes"
	"crypto/sha1"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// CheckOCSP verifies an OCSP answer about the subject.
func CheckOCSP(info Information, s Subject, rules Rules) (*Evidence, error) {
	a := info.answer
	if a == nil || !a.isAbout(s) {
		var err error
		if a, err = verifyAnswer(info, s); err != nil {
			return nil, err
		}
	}
	return a.judge(info, rules)
}

// verified is what a responder said about one certificate, verified but not yet
// held against any time.
type verified struct {
	subject   Subject
	evidence  Evidence // without Information
	delegated bool
}

func (a *verified) isAbout(s Subject) bool {
	same := func(x, y *cert.Certificate) bool { return x == y || x.Equal(y) }
	return same(a.subject.Certificate, s.Certificate) && same(a.subject.Issuer, s.Issuer)
}

// verifyAnswer checks all that does not depend on the time judged.
func verifyAnswer(info Information, s Subject) (*verified, error) {
	r, err := ParseResponse(info.Raw)
	if err != nil {
		return nil, err
	}
	said, err := r.about(s)
	if err != nil {
		return nil, err
	}
	signer, err := r.verifiedSigner(s.Issuer)
	if err != nil {
		return nil, err
	}
	if err := r.checkNonce(info.Nonce); err != nil {
		return nil, err
	}
	return &verified{subject: s, delegated: signer != s.Issuer, evidence: Evidence{
		Status:     said.status,
		ProducedAt: r.ProducedAt,
		ThisUpdate: said.thisUpdate, NextUpdate: said.nextUpdate, RetainedFrom: said.archiveCutoff,
		RevokedAt: said.revokedAt, Reason: said.reason,
		Signer: signer, SignerNoCheck: signer.OCSPNoCheck, Algorithm: r.SignatureAlgorithm,
	}}, nil
}

// judge holds the answer against the rules.
func (a *verified) judge(info Information, rules Rules) (*Evidence, error) {
	e := a.evidence
	e.Information = info
	if e.ProducedAt.Before(e.ThisUpdate.Add(-rules.Skew)) {
		return nil, fault.New(fault.RevocationFromFuture, "", "thisUpdate lies after producedAt")
	}
	if e.ProducedAt.Before(a.subject.Certificate.NotBefore.Add(-rules.Skew)) {
		return nil, fault.New(fault.RevocationStale, "", "the answer is older than the certificate")
	}
	if err := rules.check(&e, a.subject.Certificate); err != nil {
		return nil, err
	}
	if err := rules.checkAlgorithm(e.Status, e.Signer, e.Algorithm); err != nil {
		return nil, err
	}
	if a.delegated { // the issuer's signature under the responder's certificate carries it
		if err := rules.checkAlgorithm(e.Status, a.subject.Issuer, e.Signer.SignatureAlgorithm); err != nil {
			return nil, err
		}
	}
	return &e, nil
}

// about finds what the answer says about the subject.
func (r *Response) about(s Subject) (*single, error) {
	var found *single
	for i := range r.singles {
		named, err := r.singles[i].id.names(s)
		if err != nil {
			return nil, err
		}
		if named && (found == nil || severity[r.singles[i].status] > severity[found.status]) {
			found = &r.singles[i]
		}
	}
	if found == nil {
		return nil, fault.New(fault.OCSPOtherCertificate, "", "none of %d answers names the certificate and its issuer", len(r.singles))
	}
	return found, nil
}

// checkNonce compares what was sent with what came back. A responder may leave
// the nonce out (RFC 6960 §4.4.1 lets those answer from a store); then the
// dates alone show that the answer is fresh.
func (r *Response) checkNonce(sent []byte) error {
	if len(sent) == 0 || r.nonce == nil {
		return nil
	}
	// The extension holds an OCTET STRING; some old responders leave its
	// header off.
	if wrapped := append([]byte{0x04, byte(len(sent))}, sent...); !bytes.Equal(r.nonce, wrapped) && !bytes.Equal(r.nonce, sent) {
		return fault.New(fault.OCSPNonceMismatch, "", "the nonce is not the one that was sent")
	}
	return nil
}

// verifiedSigner finds who signed the answer and makes sure of their authority
// (RFC 6960 §4.2.2.2): the issuer of the certificate asked about, or a
// responder that this very issuer certified for the purpose.
func (r *Response) verifiedSigner(issuer *cert.Certificate) (*cert.Certificate, error) {
	if r.isResponder(issuer) {
		if err := r.verify(issuer); err != nil {
			return nil, err
		}
		return issuer, nil
	}
	// Several certificates may have the responder's name: its old and its new one.
	reason := error(fault.New(fault.OCSPResponderNotAuthorised, "", "the responder named is not the issuer, and no certificate of it came along"))
	tried := false
	for _, raw := range r.RawCertificates {
		c, err := cert.Parse(raw)
		if err != nil || !r.isResponder(c) {
			continue
		}
		if err = checkDelegation(c, issuer, r.ProducedAt); err == nil {
			err = r.verify(c)
		}
		if err == nil {
			return c, nil
		}
		if !tried {
			reason, tried = err, true
		}
	}
	return nil, reason
}

// isResponder reports whether the answer names the certificate's holder as its
// responder.
func (r *Response) isResponder(c *cert.Certificate) bool {
	if r.responderKey == nil {
		return r.responderName.Equal(c.Subject)
	}
	sum := sha1.Sum(c.KeyBits()) // the standard's own choice, an identifier and no signature
	return bytes.Equal(r.responderKey, sum[:])
}

func (r *Response) verify(signer *cert.Certificate) error {
	if err := signer.Verify(r.SignatureAlgorithm, r.RawTBS, r.Signature); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "", "check the OCSP answer's signature")
	}
	return nil
}

// checkDelegation makes sure that the issuer made c an OCSP responder, and
// that it was one when the answer was produced.
func checkDelegation(c, issuer *cert.Certificate, producedAt time.Time) error {
	refuse := func(why string) error {
		return fault.New(fault.OCSPResponderNotAuthorised, "", "responder %s: %s", c.SerialHex(), why)
	}
	switch {
	case !bytes.Equal(c.RawIssuer, issuer.RawSubject):
		return refuse("another CA issued it")
	case !c.HasExtKeyUsage(cert.OIDUsageOCSPSigning):
		return refuse("it is not meant for OCSP signing")
	case !c.Allows(cert.KeyUsageDigitalSignature) && !c.Allows(cert.KeyUsageNonRepudiation):
		return refuse("its key may not sign")
	case !c.Covers(producedAt):
		return refuse("it was not valid when the answer was made")
	case len(c.UnhandledCritical) > 0:
		return refuse("it has an unknown critical extension")
	}
	if err := c.VerifySignedBy(issuer); err != nil {
		if fault.Is(err, fault.AlgorithmUnsupported) {
			return fault.Wrap(err, fault.AlgorithmUnsupported, "", "check the responder's certificate")
		}
		return fault.Wrap(err, fault.OCSPResponderNotAuthorised, "", "check the responder's certificate")
	}
	return nil
}
