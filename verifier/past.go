package verifier

import (
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/verifier/facts"
)

// pastPathsMax bounds the paths that past certificate validation tries.
const pastPathsMax = 8

// extractProofs goes through the tokens from the newest to the oldest (§5.6.3.4,
// step 5): each that passes, at the validation time or by past signature
// validation, proves what it covers, and so may lift what stood against older
// ones.
func (h *hearing) extractProofs() {
	if len(h.stamps) == 0 {
		return
	}
	h.past, h.proven = h.arena.block(blockLongTerm), newProofs(h.at)
	for _, s := range newestFirst(h.stamps) {
		if s.isOpen() && s.signer != nil {
			h.liftStamp(s, h.proven)
			h.lifts = true
		}
		if s.passed {
			h.proven.extract(s.Timestamp, h.object)
			h.past.pass(blockPOE, s.ID)
		}
	}
}

// isOpen reports a token against which stands what proofs may lift.
func (s *stamp) isOpen() bool {
	return !s.passed && s.status == StatusIndeterminate && liftable[s.sub]
}

// validateWithArchivalData is the validation process for signatures with
// long-term and archival data (§5.6.3): with the proofs of all tokens, what the
// process with time left open against the signature may be lifted.
func (h *hearing) validateWithArchivalData() {
	if h.past == nil || h.status == "" && !h.lifts {
		return
	}
	b := h.past
	h.archival, h.best = b, h.proven.lowest(h.object)
	switch {
	case h.status == "":
		return
	case h.status != StatusIndeterminate || !liftable[h.sub] || h.basic.signer == nil:
		b.status, b.sub = h.status, h.sub
		return
	}
	h.liftSignature(b, h.proven)
	h.status, h.sub = b.status, b.sub
}

// liftStamp tries past signature validation on a token (§5.6.3.4, step 5).
func (h *hearing) liftStamp(s *stamp, proven *proofs) {
	s.past = h.arena.block(blockPastSig)
	if !h.pastSignature(s.past, s.outcome, s.object(), forTimestamping, proven) {
		s.past.status, s.past.sub = s.status, s.sub
		return
	}
	// Algorithms are held against the time at which the token is proven to have
	// existed.
	c := moment{at: h.at, proofs: proven, now: h.at}
	imprint := h.checkImprint(s.Timestamp, s.object(), c)
	accepted := h.accept(s.Token, s.object(), s.signer, forTimestamping, c, "")
	s.past.nest(imprint.block)
	s.past.nest(accepted.block)
	s.passed = s.past.passed()
	if !s.passed {
		s.sub = s.past.sub
	}
}

// liftSignature tries past signature validation on the signature, and then its
// acceptance at the earliest time at which it is proven to have existed
// (§5.6.3.4, steps 6 and 7).
func (h *hearing) liftSignature(b *block, proven *proofs) {
	past := h.arena.block(blockPastSig)
	ok := h.pastSignature(past, h.last, h.object, forSigning, proven)
	if !ok && past.passed() {
		past.status, past.sub = h.status, h.sub
	}
	b.nest(past)
	if !ok {
		return
	}
	accepted := h.accept(h.Signature, h.object, h.basic.signer, forSigning, moment{at: h.at, proofs: proven, now: h.at}, h.level)
	b.nest(accepted.block)
	if b.passed() {
		h.checkTimes(b)
	}
}

// pastSignature is past signature validation (§5.6.2.4): whether the proofs lift
// what the outcome leaves open. It decides the block only where it proves the
// signature wrong.
func (h *hearing) pastSignature(b *block, o *outcome, object facts.Object, use usage, proven *proofs) bool {
	lowest := proven.lowest(object)
	b.pass("proof_of_existence", formatTime(lowest))
	if o.sub == CryptoConstraintsNoPOE {
		if len(o.weak) == 0 {
			return false // an algorithm that this program lacks: no time helps
		}
		if h.liftAlgorithms(b, o, proven) && o.isOnly(CryptoConstraintsNoPOE) {
			return true
		}
	}
	control, ok := h.pastCertificate(b, o, use, proven)
	if !ok {
		return false
	}
	switch {
	case lowest.After(control):
		b.inform("proof_of_existence_at_control_time", formatTime(control))
		return false
	case lowest.Before(o.signer.NotBefore):
		b.fail("certificate_issued_before_signature", NotYetValid, finding(fault.CertificateNotYetValid, formatTime(o.signer.NotBefore)))
		return false
	case lowest.After(o.signer.NotAfter):
		b.inform("proof_of_existence_before_expiry", formatTime(o.signer.NotAfter))
		return false
	}
	return true
}

// isOnly reports whether nothing but one sub-indication stands in the outcome:
// the first of several is reported, and lifting it lifts no other.
func (o *outcome) isOnly(sub SubIndication) bool {
	for _, b := range o.blocks {
		for i := range b.constraints {
			if other := b.constraints[i].SubIndication; other != "" && other != sub {
				return false
			}
		}
	}
	return true
}

// liftAlgorithms reports whether everything that uses an algorithm no longer good
// enough is proven to be older (§5.6.2.4.4, step 3).
func (h *hearing) liftAlgorithms(b *block, o *outcome, proven *proofs) bool {
	for _, w := range o.weak {
		if at := proven.lowest(w.material); !w.liftedBy(at) {
			b.inform("algorithm_good_enough_when_proven", fmt.Sprintf("%s %s: proven at %s", w.material.Kind, w.material.ID, formatTime(at)))
			return false
		}
	}
	b.pass("algorithm_good_enough_when_proven", "")
	return true
}

// pastCertificate is past certificate validation (§5.6.2.1): a path that was
// valid at some time, and the control time to which validation time sliding
// leads on it.
func (h *hearing) pastCertificate(into *block, o *outcome, use usage, proven *proofs) (control time.Time, ok bool) {
	b := h.arena.block(blockPastCert)
	defer func() { into.constraints = append(into.constraints, b.constraint()) }()
	paths := h.session.request(o.signer, h.pool, h.anchors).Prospective()
	for i, p := range paths {
		if p.Anchor == nil || i == pastPathsMax {
			continue
		}
		attempt := h.arena.block(blockSliding)
		if control, ok = h.pastPath(attempt, p, use, proven); ok {
			h.checkSigner(attempt, o.signer, use)
			ok = attempt.passed()
		}
		if ok {
			b.nest(attempt)
			b.pass("control_time", formatTime(control))
			return control, true
		}
		b.constraints = append(b.constraints, attempt.constraint())
		if b.status == "" {
			b.status, b.sub = statusOr(attempt.status, StatusIndeterminate), attempt.sub
		}
	}
	if b.status == "" {
		b.status, b.sub = StatusIndeterminate, NoCertificateChain
	}
	return time.Time{}, false
}

func statusOr(s, fallback Status) Status {
	if s == "" {
		return fallback
	}
	return s
}

// pastPath validates a path at a time that lies in the validity of all its
// certificates and slides along it.
func (h *hearing) pastPath(b *block, p *path.Path, use usage, proven *proofs) (control time.Time, ok bool) {
	from, until := intersection(p.Certificates[:len(p.Certificates)-1])
	if until.Before(from) {
		b.doubt("validity_periods_overlap", CertificateChainFailure, finding(fault.CertificateExpired, ""))
		return time.Time{}, false
	}
	if err := p.Validate(until, 0); err != nil {
		b.doubt("prospective_certificate_chain", reasonOf(err), facts.FindingOf(err))
		return time.Time{}, false
	}
	return h.slide(b, p.Certificates, use, proven)
}

// intersection is the time in which all certificates are valid.
func intersection(certificates []*cert.Certificate) (from, until time.Time) {
	until = distantFuture
	for _, c := range certificates {
		if c.NotBefore.After(from) {
			from = c.NotBefore
		}
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return from, until
}

// slide is validation time sliding (§5.6.2.2): from the certificate that the
// anchor issued down to the leaf, the control time moves back to when each was
// revoked, to when its status was last known, or to when its algorithms were last
// good enough.
//
// "Last known" is the end of the time for which the information is fresh, at any
// moment of which X.509 validation accepts it. The standard says its issuance,
// which taken by the letter no archive time-stamp survives: what it protects is
// always older than itself.
func (h *hearing) slide(b *block, certificates []*cert.Certificate, use usage, proven *proofs) (control time.Time, ok bool) {
	control = h.at
	for i := len(certificates) - 2; i >= 0; i-- {
		issued, issuer := certificates[i], certificates[i+1]
		object := facts.Object{Kind: facts.CertificateObject, ID: h.id(issued)}
		if proven.lowest(object).After(control) {
			b.doubt("certificate_existed", NoPOE, finding(fault.ProofOfExistenceMissing, issued.SerialHex()+": not proven at "+formatTime(control)))
			return control, false
		}
		level := h.policy.Revocation.demand(use, i > 0)
		if level != Ignore && !needsNoStatus(issued) {
			a := h.provenStatus(issued, issuer, control, proven)
			if a == nil && level == Fail {
				b.doubt("revocation_information_existed", NoPOE, finding(fault.ProofOfExistenceMissing, issued.SerialHex()+": no status proven at "+formatTime(control)))
				return control, false
			}
			if a != nil {
				control = h.slideBack(control, a)
				if control, ok = h.slideAlgorithm(b, control, a.use()); !ok {
					return control, false
				}
			}
		}
		u, err := h.certificateUse(issued, issuer)
		if err != nil {
			b.doubt("certificate_algorithm", CryptoConstraintsNoPOE, facts.FindingOf(err))
			return control, false
		}
		if control, ok = h.slideAlgorithm(b, control, u); !ok {
			return control, false
		}
		b.pass("control_time_after", issued.SerialHex()+": "+formatTime(control))
	}
	return control, true
}

// provenStatus finds the information about a certificate that existed at the
// control time, by what is proven, and was issued before.
func (h *hearing) provenStatus(issued, issuer *cert.Certificate, control time.Time, proven *proofs) *answer {
	list, _ := h.answers(issued, issuer, control)
	usable := make([]*answer, 0, usualAnswers)
	for _, a := range list {
		existed := proven.lowest(a.material())
		switch {
		case a.ThisUpdate.After(control), existed.After(control), a.saysNothing(issued):
		case h.policy.Revocation.ResponderNotExpired == Fail && a.Signer != issuer && existed.After(a.Signer.NotAfter):
		default:
			usable = append(usable, a)
		}
	}
	return decide(usable, control)
}

// slideBack moves the control time to what the information leaves of it.
func (h *hearing) slideBack(control time.Time, a *answer) time.Time {
	f := h.policy.Revocation.Freshness
	switch {
	case a.Status == revocation.Revoked:
		return earlier(control, a.RevokedAt)
	case f.Level != Fail || a.isFresh(f, control):
		return control
	}
	return earlier(control, a.freshUntil(f))
}

// slideAlgorithm moves the control time to when the algorithms were last good
// enough.
func (h *hearing) slideAlgorithm(b *block, control time.Time, u algorithmUse) (time.Time, bool) {
	if h.policy.Cryptography.Level != Fail {
		return control, true
	}
	until, ever, name := h.until(u)
	if !ever {
		b.doubt("algorithm", CryptoConstraintsNoPOE, finding(fault.AlgorithmForbidden, name))
		return control, false
	}
	if !control.Before(until) {
		control = until.Add(-time.Second)
	}
	return control, true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
