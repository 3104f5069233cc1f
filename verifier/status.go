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

// answer is verified revocation information about one certificate.
type answer struct {
	*revocation.Evidence
	id        string          // of the raw object in the facts
	algorithm *algo.Signature // with which it is signed, nil if the table lacks it
	key       algo.Key        // of its signer
	asOf      string          // for the report
}

// newAnswer keeps of evidence what the process asks for, and not the bytes: a
// session remembers answers, and a CRL of NUC RK has 21 MiB.
func newAnswer(e *revocation.Evidence, id string, about *cert.Certificate) *answer {
	kept := *e
	kept.Information, kept.With = revocation.Information{Kind: e.Kind}, nil
	a := &answer{Evidence: &kept, id: id, asOf: about.SerialHex() + ": as of " + formatTime(e.ThisUpdate)}
	if row, err := algo.SignatureByIdentifier(e.Algorithm, nil); err == nil {
		a.algorithm = row
	}
	a.key = keyOf(e.Signer)
	return a
}

// material names the information among the proofs of existence.
func (a *answer) material() facts.Object {
	return facts.Object{Kind: facts.RevocationObject, ID: a.id}
}

func (a *answer) use() algorithmUse {
	u := algorithmUse{purpose: forRevocation, material: a.material(), digest: unknownDigest, key: a.key}
	if a.algorithm != nil {
		u.digest = a.algorithm.Digest
	}
	return u
}

// freshUntil is the revocation freshness checker (§5.2.5) turned round: until
// when the information is fresh. By its own dates where the policy sets no age,
// and a day where there are none: NUC RK's OCSP has no nextUpdate.
func (a *answer) freshUntil(f Freshness) time.Time {
	switch {
	case f.MaxAge > 0:
		return a.ThisUpdate.Add(f.MaxAge)
	case a.NextUpdate.IsZero():
		return a.ThisUpdate.Add(revocation.MaxAgeDefault)
	}
	return a.NextUpdate
}

// isFresh is the revocation freshness checker.
func (a *answer) isFresh(f Freshness, at time.Time) bool {
	return !at.After(a.freshUntil(f).Add(clockSkew))
}

// saysNothing reports good news that is none, from after the certificate's
// expiry, when a CA need not say any more (RFC 5280 §3.3), unless it says that it
// does.
func (a *answer) saysNothing(about *cert.Certificate) bool {
	return a.Status == revocation.Good && a.ThisUpdate.After(about.NotAfter) && (a.RetainedFrom.IsZero() || a.RetainedFrom.After(about.NotAfter))
}

// usualAnswers is how many answers about a certificate need no memory of their
// own.
const usualAnswers = 4

// decide chooses among usable answers as revocation.Decide does; nil if nothing
// can be said, be it that the authority does not know the certificate.
func decide(usable []*answer, at time.Time) *answer {
	evidence := make([]*revocation.Evidence, 0, usualAnswers)
	for _, a := range usable {
		evidence = append(evidence, a.Evidence)
	}
	chosen := revocation.Decide(evidence, at)
	for _, a := range usable {
		if a.Evidence == chosen && chosen.Status != revocation.Unknown {
			return a
		}
	}
	return nil
}

// answers lists what is known about a certificate, whatever its date. Lists that
// tell something only together (deltas, lists of some reasons) are taken
// together as they were at a time.
//
// What could not be used is said by its first reason that is about the
// certificate.
func (j *judgement) answers(issued, issuer *cert.Certificate, at time.Time) (list []*answer, reason error) {
	incomplete := false
	for i := range j.facts.Revocations {
		a := j.session.answer(&j.facts.Revocations[i], issued, issuer)
		if a.err == nil {
			list = append(list, a.answer)
			continue
		}
		incomplete = incomplete || a.code == fault.CRLIncomplete
		if reason == nil && !beside[a.code] {
			reason = a.err
		}
	}
	if !incomplete {
		return list, reason
	}
	joint, err := j.jointly(issued, issuer, at)
	if joint != nil {
		list, reason = append(list, joint), nil
	} else if err != nil {
		reason = weightier(nil, err)
	}
	return list, reason
}

// jointly takes all CRLs together.
func (j *judgement) jointly(issued, issuer *cert.Certificate, at time.Time) (*answer, error) {
	var lists []revocation.Information
	ids := map[*byte]string{}
	for i := range j.facts.Revocations {
		if r := &j.facts.Revocations[i]; r.Kind == facts.CRL && len(r.Raw) > 0 {
			lists = append(lists, information(*r))
			ids[&r.Raw[0]] = r.ID
		}
	}
	rules := revocation.Rules{At: at, Now: j.at, MaxAge: j.policy.Revocation.Freshness.MaxAge, Skew: clockSkew}
	subject := revocation.Subject{Certificate: issued, Issuer: issuer}
	e, failed := revocation.CheckCRLs(context.Background(), lists, subject, revocation.Signers{}, rules)
	if e != nil {
		return newAnswer(e, ids[&e.Raw[0]], issued), nil
	}
	var reason error
	for _, f := range failed {
		reason = weightier(reason, f.Err)
	}
	return nil, reason
}

// certificateStatus is what the revocation information says about a
// certificate at a time.
type certificateStatus struct {
	answer *answer // what decides; nil if nothing can be said

	// Why nothing can be said, and the standard's word for it.
	sub     SubIndication
	unknown facts.Finding

	weak *algorithmUse // the answer is signed with what is not good enough
}

// revokedBy reports whether the certificate was revoked at a time.
func (s certificateStatus) revokedBy(at time.Time) bool {
	return s.answer != nil && s.answer.RevokedBy(at)
}

// onHold reports a revocation that may be lifted.
func (s certificateStatus) onHold() bool {
	return s.answer != nil && s.answer.Reason == revocation.CertificateHold
}

// statusOf finds the status of a certificate at a time (§5.2.6.4, the part about
// revocation): the answer that weighs most of those that are about the
// certificate, not from the future, and signed by who could sign then.
func (j *judgement) statusOf(issued, issuer *cert.Certificate, c moment) certificateStatus {
	list, reason := j.answers(issued, issuer, c.at)
	var late, stale, weak *answer
	usable := make([]*answer, 0, usualAnswers)
	for _, a := range list {
		switch {
		case a.ThisUpdate.After(j.at.Add(clockSkew)):
			reason = weightier(reason, fault.New(fault.RevocationStale, "", "%s: dated %s, after the validation time", issued.SerialHex(), formatTime(a.ThisUpdate)))
		case a.Status == revocation.Unknown:
			reason = weightier(reason, fault.New(fault.RevocationUnknown, "", "%s: the responder does not know it", issued.SerialHex()))
			usable = append(usable, a)
		case a.saysNothing(issued):
			stale = newer(stale, a)
		case j.policy.Revocation.ResponderNotExpired == Fail && a.Signer != issuer && a.Status == revocation.Good && c.of(a.material()).After(a.Signer.NotAfter):
			late = newer(late, a)
		case a.Status == revocation.Good && !j.allowsUse(a.use(), c):
			weak = newer(weak, a)
		default:
			usable = append(usable, a)
		}
	}
	best := decide(usable, c.at)
	switch {
	case best != nil:
		return j.fresh(best, issued, c.at)
	case weak != nil:
		u := weak.use()
		return certificateStatus{sub: CryptoConstraintsNoPOE, weak: &u, unknown: finding(fault.AlgorithmForbidden, issued.SerialHex()+": the revocation information is not signed well enough")}
	case late != nil:
		return certificateStatus{sub: RevocationOutOfBounds, unknown: finding(fault.RevocationSignerExpired, fmt.Sprintf("%s: its certificate expired on %s", issued.SerialHex(), formatTime(late.Signer.NotAfter)))}
	case stale != nil:
		return certificateStatus{sub: TryLater, unknown: finding(fault.RevocationStale, fmt.Sprintf("%s: it had expired by %s", issued.SerialHex(), formatTime(stale.ThisUpdate)))}
	}
	return j.whyUnknown(issued, reason)
}

func newer(a, b *answer) *answer {
	if a == nil || b.ThisUpdate.After(a.ThisUpdate) {
		return b
	}
	return a
}

// fresh holds good news against the freshness constraint. Bad news needs no
// such care.
func (j *judgement) fresh(a *answer, issued *cert.Certificate, at time.Time) certificateStatus {
	f := j.policy.Revocation.Freshness
	if a.Status == revocation.Revoked || f.Level != Fail || a.isFresh(f, at) {
		return certificateStatus{answer: a}
	}
	return certificateStatus{sub: TryLater, unknown: finding(fault.RevocationStale, fmt.Sprintf("%s: good until %s", issued.SerialHex(), formatTime(a.freshUntil(f))))}
}

// whyUnknown says what is missing about a certificate. Who was asked in vain may
// answer later; what is there and cannot be used will not become better.
func (j *judgement) whyUnknown(c *cert.Certificate, reason error) certificateStatus {
	id := j.id(c)
	for i := len(j.facts.Gaps) - 1; i >= 0; i-- {
		if gap := &j.facts.Gaps[i]; gap.Certificate == id && gap.Kind != "issuer" {
			f := finding(fault.RevocationUnknown, fmt.Sprintf("%s: %s", c.SerialHex(), gap.Code))
			f.At = gap.Source
			return certificateStatus{sub: TryLater, unknown: f}
		}
	}
	if reason == nil {
		return certificateStatus{sub: TryLater, unknown: finding(fault.RevocationUnknown, c.SerialHex()+": no information")}
	}
	s := certificateStatus{sub: TryLater, unknown: facts.FindingOf(reason)}
	if unacceptable[fault.CodeOf(reason)] {
		s.sub = CertificateChainFailure
	}
	return s
}

// information is a revocation fact as pki/revocation takes it.
func information(r facts.Revocation) revocation.Information {
	source := r.Source
	if source == "" {
		source = revocation.Given
	}
	return revocation.Information{Kind: revocation.Kind(r.Kind), Raw: r.Raw, Source: source, Nonce: r.Nonce}
}

// unacceptable are reasons of information about the certificate that does not get
// better with time: it is not genuine, or not from who may give it.
var unacceptable = map[fault.Code]bool{
	fault.SignatureInvalid: true, fault.OCSPResponderNotAuthorised: true, fault.OCSPNonceMismatch: true, fault.CRLSignerNotTrusted: true,
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
