package revocation

import (
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Subject is the certificate asked about, with the one that issued it.
type Subject struct {
	Certificate, Issuer *cert.Certificate
}

// Kind is the protocol of revocation information.
type Kind string

// The kinds.
const (
	OCSP Kind = "ocsp"
	CRL  Kind = "crl"
)

// Information is revocation information as it came: raw, not yet believed.
type Information struct {
	Kind    Kind
	Raw     []byte    // nil for a list that a Store holds in a file: see Bytes
	Source  string    // the URL it was fetched from, or Given
	Fetched time.Time // by our clock; zero if it was not fetched
	Nonce   []byte    // what our request asked the answer to repeat; nil if it was not ours

	list   *List     // as a Store has parsed it; nil otherwise
	answer *verified // as a Store has verified it; nil otherwise
}

// Bytes are the raw bytes, read back where they are in a file.
func (i Information) Bytes() ([]byte, error) {
	if i.Raw == nil && i.list != nil {
		return i.list.raw()
	}
	return i.Raw, nil
}

// Readable reports why it cannot be read; nil if it can.
func (i Information) Readable() error {
	switch {
	case i.list != nil || i.answer != nil:
		return nil
	case i.Kind == CRL:
		_, err := ParseList(i.Raw)
		return err
	}
	_, err := ParseResponse(i.Raw)
	return err
}

// Given is the source of information that the caller had already.
const Given = "given"

// Status of a certificate.
type Status string

// The statuses.
const (
	Good    Status = "good"
	Revoked Status = "revoked"
	Unknown Status = "unknown" // the responder does not know the certificate
)

// Reason is a CRLReason (RFC 5280 §5.3.1).
type Reason int

// The reasons that matter to a rule; String names all.
const (
	Unspecified     Reason = 0
	CertificateHold Reason = 6
	RemoveFromCRL   Reason = 8
)

var reasonNames = [...]string{
	"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
	"certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise",
}

// String names the reason as RFC 5280 does.
func (r Reason) String() string {
	if r >= 0 && int(r) < len(reasonNames) && reasonNames[r] != "" {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", int(r))
}

// Evidence is what verified information says about one certificate.
type Evidence struct {
	Information
	With   []Information // further lists that it took: deltas, and those of other reasons
	Status Status

	// By their clock.
	ProducedAt time.Time // OCSP; zero for a CRL
	ThisUpdate time.Time
	NextUpdate time.Time // zero if the information sets none
	// RetainedFrom is since when it tells of certificates that have expired: an
	// archive cutoff (RFC 6960 §4.4.4) or expiredCertsOnCRL (X.509 §9.5.2.8).
	// Zero if it says nothing of it.
	RetainedFrom time.Time

	RevokedAt time.Time // Revoked only
	Reason    Reason    // Revoked only

	Signer        *cert.Certificate // who signed the information
	Algorithm     algo.Identifier   // with what
	SignerNoCheck bool              // a delegated responder that needs no check of its own
}

// RevokedBy reports whether the certificate was revoked at the time.
func (e *Evidence) RevokedBy(at time.Time) bool {
	return e.Status == Revoked && !e.RevokedAt.After(at)
}

// Rules are the times that information is held against.
type Rules struct {
	// At is the time for which the status is wanted. Information must not
	// have run out before it.
	At time.Time
	// Now is the time of validation: nothing may be dated after it. Zero
	// means At. They differ where a time-stamp proves an earlier time.
	Now time.Time
	// MaxAge is how long before At the information may have been made. Zero
	// leaves it to nextUpdate, and to MaxAgeDefault where there is none: NUC
	// RK's OCSP sets none.
	MaxAge time.Duration
	// Skew is how far the clocks of others may be off, both ways. Zero
	// allows nothing.
	Skew time.Duration
	// Algorithms says whether a signature with that key and algorithm is good
	// enough; nil allows all. Good news must pass it. A revocation counts
	// however it is signed: who could forge it could do no worse than that.
	Algorithms func(signer *cert.Certificate, id algo.Identifier) error
	// Strict refuses CRLs that were not issued as RFC 5280 §5.2.3 demands: with
	// a number, in an extension that is not critical.
	Strict bool
}

// MaxAgeDefault is for information that does not say when the next is due. An
// answer of OCSP is made on demand, so a day is generous.
const MaxAgeDefault = 24 * time.Hour

func (r Rules) now() time.Time {
	if r.Now.IsZero() {
		return r.At
	}
	return r.Now
}

// check holds evidence about a certificate against the rules. That it was
// revoked for good does not become less true with age, so age is no objection to
// it; a hold may have been lifted since.
func (r Rules) check(e *Evidence, about *cert.Certificate) error {
	latest := e.ThisUpdate
	if e.ProducedAt.After(latest) {
		latest = e.ProducedAt
	}
	if latest.After(r.now().Add(r.Skew)) {
		return fault.New(fault.RevocationFromFuture, "", "made %s", latest.Format(time.RFC3339))
	}
	if !e.NextUpdate.IsZero() && e.NextUpdate.Before(e.ThisUpdate) {
		return fault.New(fault.RevocationStale, "", "nextUpdate lies before thisUpdate")
	}
	if e.final() {
		return nil
	}
	if err := r.checkAge(e); err != nil {
		return err
	}
	// Who issued a certificate need not speak of it once it has expired (RFC 5280
	// §3.3), so that it is not listed then says nothing about the time before. A
	// subject may be a name and a number alone, without validity.
	if !about.NotAfter.IsZero() && e.Status == Good && e.ThisUpdate.After(about.NotAfter.Add(r.Skew)) && (e.RetainedFrom.IsZero() || e.RetainedFrom.After(about.NotAfter)) {
		return fault.New(fault.RevocationStale, "", "made %s, after the certificate had expired", e.ThisUpdate.Format(time.RFC3339))
	}
	return nil
}

// checkAge refuses what had run out, or was too old, at the time judged.
func (r Rules) checkAge(e *Evidence) error {
	if !e.NextUpdate.IsZero() && e.NextUpdate.Before(r.At.Add(-r.Skew)) {
		return fault.New(fault.RevocationStale, "", "the next was due %s", e.NextUpdate.Format(time.RFC3339))
	}
	age := r.MaxAge
	if age == 0 && e.NextUpdate.IsZero() {
		age = MaxAgeDefault
	}
	if age > 0 && e.ThisUpdate.Before(r.At.Add(-age-r.Skew)) {
		return fault.New(fault.RevocationStale, "", "made %s, more than %s before", e.ThisUpdate.Format(time.RFC3339), age)
	}
	return nil
}

// checkAlgorithm asks the caller's cryptographic policy about good news.
func (r Rules) checkAlgorithm(status Status, signer *cert.Certificate, id algo.Identifier) error {
	if r.Algorithms == nil || status == Revoked {
		return nil
	}
	if err := r.Algorithms(signer, id); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "", "hold the signature of revocation information against the policy")
	}
	return nil
}

// Check verifies one piece of information about the subject.
func Check(info Information, s Subject, rules Rules) (*Evidence, error) {
	switch info.Kind {
	case OCSP:
		return CheckOCSP(info, s, rules)
	case CRL:
		return CheckCRL(info, s, rules)
	}
	return nil, fault.New(fault.NotAvailable, "", "revocation information of kind %q", info.Kind)
}
