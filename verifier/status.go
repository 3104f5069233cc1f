package verifier

import (
	"context"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/verifier/facts"
)

// clockSkew is how far a responder's clock may be off ours. Without it an
// answer fetched for a validation would be from that validation's future.
const clockSkew = 5 * time.Minute

// certificateStatus is what the revocation information says about a
// certificate at a time.
type certificateStatus struct {
	unknown  *facts.Finding // why nothing can be said; the rest is empty then
	revoked  bool           // by the time asked about
	onHold   bool           // revoked, and that may be lifted
	since    time.Time      // revocation, by the time or after it
	asOf     time.Time
	evidence string // the ID of what decides
}

// statusOf finds the status of a certificate at a time, once per judgement:
// signer and time-stamping authority often share their CAs.
func (j *judgement) statusOf(issued, issuer *cert.Certificate, at time.Time) certificateStatus {
	key := statusQuestion{issued, issuer, at}
	status, known := j.statuses[key]
	if !known {
		status = j.findStatus(issued, issuer, at)
		j.statuses[key] = status
	}
	return status
}

// statusQuestion is what findStatus depends on besides the judgement.
type statusQuestion struct {
	issued, issuer *cert.Certificate
	at             time.Time
}

// findStatus looks through the revocation information. Of several usable
// answers a revocation for good decides, then the newest: a hold may be lifted.
func (j *judgement) findStatus(issued, issuer *cert.Certificate, at time.Time) certificateStatus {
	subject := revocation.Subject{Certificate: issued, Issuer: issuer}
	rules := revocation.Rules{At: at, Now: j.at, MaxAge: j.policy.RevocationAge, Skew: clockSkew}
	var best *revocation.Evidence
	var bestID string
	var reason error
	consider := func(e *revocation.Evidence, id string) {
		if err := j.usable(e, issued); err != nil {
			reason = weightier(reason, err)
		} else if best == nil || outweighs(e, best) {
			best, bestID = e, id
		}
	}
	// CRLs are taken together: a delta, or a list of some reasons, tells nothing
	// alone, and what it tells besides another must not be missed.
	var lists []revocation.Information
	ids := make(map[*byte]string)
	for _, r := range j.facts.Revocations {
		info := information(r)
		if info.Kind == revocation.CRL && len(info.Raw) > 0 {
			lists = append(lists, info)
			ids[&info.Raw[0]] = r.ID
			continue
		}
		e, err := revocation.Check(info, subject, rules)
		if err != nil {
			reason = weightier(reason, err)
			continue
		}
		consider(e, r.ID)
	}
	e, failed := revocation.CheckCRLs(context.Background(), lists, subject, revocation.Signers{}, rules)
	for _, f := range failed {
		reason = weightier(reason, f.Err)
	}
	if e != nil {
		consider(e, ids[&e.Raw[0]])
	}
	if best == nil {
		return certificateStatus{unknown: j.whyUnknown(issued, reason)}
	}
	return certificateStatus{
		revoked: best.RevokedBy(at), onHold: best.Reason == revocation.CertificateHold,
		since: best.RevokedAt, asOf: best.ThisUpdate, evidence: bestID,
	}
}

// whyUnknown says what is missing about a certificate: what was there and could
// not be used, or who was asked in vain.
func (j *judgement) whyUnknown(c *cert.Certificate, reason error) *facts.Finding {
	if reason != nil {
		f := facts.FindingOf(reason)
		return &f
	}
	f := finding(fault.RevocationUnknown, c.SerialHex()+": no information")
	id := facts.Digest(c.Raw)
	for _, gap := range j.facts.Gaps {
		if gap.Certificate == id {
			f.At, f.Detail = gap.Source, fmt.Sprintf("%s: %s", c.SerialHex(), gap.Code)
		}
	}
	return &f
}

// information is a revocation fact as pki/revocation takes it.
func information(r facts.Revocation) revocation.Information {
	source := r.Source
	if source == "" {
		source = revocation.Given
	}
	return revocation.Information{Kind: revocation.Kind(r.Kind), Raw: r.Raw, Source: source, Nonce: r.Nonce}
}

// usable refuses good news that is none: from a responder that does not know
// the certificate, from after its expiry, when a CA need not say any more
// (RFC 5280 §3.3), or signed with what the policy does not allow. Bad news needs
// no such care.
func (j *judgement) usable(e *revocation.Evidence, about *cert.Certificate) error {
	switch e.Status {
	case revocation.Revoked:
		return nil
	case revocation.Unknown:
		return fault.New(fault.RevocationUnknown, "", "%s: the responder does not know it", about.SerialHex())
	}
	if e.ThisUpdate.After(about.NotAfter) {
		return fault.New(fault.RevocationStale, "", "%s: it had expired by %s", about.SerialHex(), formatTime(e.ThisUpdate))
	}
	id, err := signatureAlgorithm(e)
	if err != nil {
		return err
	}
	row, err := algo.SignatureByIdentifier(id, nil)
	if err != nil {
		return err
	}
	if key, ok := algo.KeyOf(e.Signer.PublicKey); !ok || !j.policy.Cryptography.allowsKey(key) || !j.policy.Cryptography.allowsDigest(row.Digest.Name) {
		return fault.New(fault.AlgorithmForbidden, "", "the revocation information is signed with %s", row.Name)
	}
	return nil
}

// signatureAlgorithm reads the algorithm of revocation information that has
// been verified.
func signatureAlgorithm(e *revocation.Evidence) (algo.Identifier, error) {
	if e.Kind == revocation.CRL {
		list, err := revocation.ParseList(e.Raw)
		if err != nil {
			return algo.Identifier{}, err
		}
		return list.SignatureAlgorithm, nil
	}
	response, err := revocation.ParseResponse(e.Raw)
	if err != nil {
		return algo.Identifier{}, err
	}
	return response.SignatureAlgorithm, nil
}

func outweighs(e, other *revocation.Evidence) bool {
	if a, b := isFinal(e), isFinal(other); a != b {
		return a
	}
	return e.ThisUpdate.After(other.ThisUpdate)
}

func isFinal(e *revocation.Evidence) bool {
	return e.Status == revocation.Revoked && e.Reason != revocation.CertificateHold
}

// beside are reasons of information that is about something else: they say
// nothing about the certificate.
var beside = map[fault.Code]bool{fault.OCSPOtherCertificate: true, fault.CRLOtherIssuer: true, fault.CRLOutOfScope: true}

// weightier keeps the first reason that says something about the certificate.
func weightier(kept, next error) error {
	if kept == nil && !beside[fault.CodeOf(next)] {
		return next
	}
	return kept
}
