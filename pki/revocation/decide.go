package revocation

import "time"

// Decide chooses among all usable evidence about one certificate what holds for
// a time; the choice does not depend on its order. It is nil for none, and may be
// evidence that the status is Unknown.
//
// In this order:
//
//  1. a revocation for good, by the time judged: the earliest, since CRL and
//     OCSP of NUC RK differ by hours;
//  2. a hold that lasted over the time judged: it began by then, and was in force
//     when the evidence was made, then or later. That it was lifted afterwards does
//     not undo it;
//  3. a revocation for good after the time judged, which means: not yet;
//  4. otherwise the newest, because a hold may be lifted; at one moment a hold
//     before anything else. An OCSP answer "unknown" that no newer OCSP answer
//     takes back outvotes every "good" of a CRL: who was never certified stands on
//     no CRL (RFC 6960 §2.2).
func Decide(found []*Evidence, at time.Time) *Evidence {
	var best *Evidence
	silenced := isUnknownByOCSP(found, at)
	for _, e := range found {
		if silenced && e.Status == Good {
			continue
		}
		if best == nil || e.outweighs(best, at) {
			best = e
		}
	}
	return best
}

// The classes of evidence for a time, as Decide lists them.
const (
	saysNow = iota
	revokedLater
	heldThen
	revokedThen
)

func (e *Evidence) class(at time.Time) int {
	switch {
	case e.final() && !e.RevokedAt.After(at):
		return revokedThen
	case e.final():
		return revokedLater
	case e.RevokedBy(at) && !e.ThisUpdate.Before(at):
		return heldThen
	}
	return saysNow
}

// final reports whether the certificate was revoked for good.
func (e *Evidence) final() bool { return e.Status == Revoked && e.Reason != CertificateHold }

// severity orders statuses of one moment: whatever speaks against the
// certificate holds.
var severity = map[Status]int{Good: 0, Unknown: 1, Revoked: 2}

// outweighs reports whether e decides against other.
func (e *Evidence) outweighs(other *Evidence, at time.Time) bool {
	a, b := e.class(at), other.class(at)
	switch {
	case a != b:
		return a > b
	case a == revokedThen && !e.RevokedAt.Equal(other.RevokedAt):
		return e.RevokedAt.Before(other.RevokedAt)
	case a == saysNow && (e.Status == Unknown) != (other.Status == Unknown) && (e.Status == Revoked || other.Status == Revoked):
		return e.Status == Revoked // a hold is known of, whatever a responder does not know
	case !e.ThisUpdate.Equal(other.ThisUpdate):
		return e.ThisUpdate.After(other.ThisUpdate)
	}
	if e.Status != other.Status {
		return severity[e.Status] > severity[other.Status]
	}
	return e.RevokedAt.Before(other.RevokedAt)
}

// isUnknownByOCSP reports whether the newest OCSP answer is that the responder
// does not know the certificate.
func isUnknownByOCSP(found []*Evidence, at time.Time) bool {
	var newest *Evidence
	for _, e := range found {
		if e.Kind == OCSP && e.class(at) == saysNow && (newest == nil || e.ThisUpdate.After(newest.ThisUpdate) ||
			e.ThisUpdate.Equal(newest.ThisUpdate) && severity[e.Status] > severity[newest.Status]) {
			newest = e
		}
	}
	return newest != nil && newest.Status == Unknown
}
