package revocation

import (
	"context"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Checker finds the status of certificates: from what is given first, as
// documents embed it, then from what the store holds and, over the network, from
// the OCSP responder that the certificate names, then from its CRL. CA
// certificates often name a CRL only, as those of NUC RK do.
type Checker struct {
	Store *Store // nil: offline

	// OCSPURL is asked instead of the addresses in certificates; "" leaves it
	// to them.
	OCSPURL string

	// Given is information that the caller has: answers and CRLs from a
	// message, from files, from a record. What is about other certificates
	// is passed over.
	Given []Information

	// Signers may sign CRLs besides the issuers on the path.
	Signers Signers
}

// Attempt is a piece of information that did not help, and why.
type Attempt struct {
	Kind   Kind
	Source string
	Err    error
}

// Result is the outcome for one certificate. A peer that did not answer is an
// attempt in it, not an error: other results stay usable.
type Result struct {
	Evidence *Evidence   // what decides; nil if nothing usable was found
	Usable   []*Evidence // all that was weighed, in the order of its sources
	Attempts []Attempt
}

// Check looks the subject up.
func (c *Checker) Check(ctx context.Context, s Subject, rules Rules) *Result {
	r := &Result{}
	var lists []Information
	for _, info := range c.Given {
		if info.Kind == CRL {
			lists = append(lists, info)
			continue
		}
		e, err := Check(info, s, rules)
		r.note(info, e, err)
	}
	e, failed := CheckCRLs(ctx, lists, s, c.Signers, rules)
	for _, f := range failed {
		r.note(Information{Kind: f.Kind, Source: f.Source}, nil, f.Err)
	}
	if e != nil {
		r.note(e.Information, e, nil)
	}
	if !r.decide(rules) {
		c.checkOnline(ctx, r, lists, s, rules)
	}
	return r
}

// beside are the codes of information that is about something else.
var beside = map[fault.Code]bool{fault.OCSPOtherCertificate: true, fault.CRLOtherIssuer: true, fault.CRLOutOfScope: true}

// note adds one piece of information to the result.
func (r *Result) note(info Information, e *Evidence, err error) {
	switch {
	case err == nil:
		r.Usable = append(r.Usable, e)
		if e.Status == Unknown {
			r.fail(info, fault.New(fault.RevocationUnknown, "", "the responder does not know the certificate"))
		}
	case beside[fault.CodeOf(err)] && info.Source == Given:
	default:
		r.fail(info, err)
	}
}

// decide weighs what was found, and reports whether it tells.
func (r *Result) decide(rules Rules) bool {
	r.Evidence = Decide(r.Usable, rules.At)
	if r.Evidence != nil && r.Evidence.Status == Unknown {
		r.Evidence = nil
	}
	return r.Evidence != nil
}

func (r *Result) fail(info Information, err error) {
	r.Attempts = append(r.Attempts, Attempt{Kind: info.Kind, Source: info.Source, Err: err})
}

// serversMax bounds how many addresses of each kind are asked.
const serversMax = 3

// checkOnline asks the responder, then gets CRLs; lists given before may
// complete what is downloaded.
func (c *Checker) checkOnline(ctx context.Context, r *Result, lists []Information, s Subject, rules Rules) {
	if c.Store == nil {
		return
	}
	servers, points, deltas := s.Certificate.OCSPServers, listURLs(s.Certificate.CRLPoints), listURLs(s.Certificate.FreshestCRL)
	if c.OCSPURL != "" {
		servers = []string{c.OCSPURL}
	}
	if len(servers)+len(points) == 0 {
		r.fail(Information{Kind: OCSP}, fault.New(fault.RevocationUnknown, "", "the certificate names no source of revocation information"))
	}
	// CRLs are for when no responder answers: one that answers wrongly, or does
	// not know the certificate, must not be outvoted by a CRL in which such a
	// certificate cannot stand.
	if c.askResponders(ctx, r, servers, s, rules) {
		return
	}
	// A delta is small, and worth nothing without its base: it comes first, so
	// that the first base that arrives is judged with it.
	for _, url := range append(deltas, points...) {
		info, err := c.Store.Download(ctx, url, s.Issuer)
		if err != nil {
			r.fail(Information{Kind: CRL, Source: url}, err)
			continue
		}
		lists = append(lists, info)
		e, failed := CheckCRLs(ctx, lists, s, c.Signers, rules)
		if e != nil {
			r.note(e.Information, e, nil)
			r.decide(rules)
			return
		}
		for _, f := range failed {
			if f.Source == url && !fault.Is(f.Err, fault.CRLIncomplete) {
				r.fail(info, f.Err)
			}
		}
	}
}

// askResponders tries responders until the status is known, and reports whether
// any of them answered.
func (c *Checker) askResponders(ctx context.Context, r *Result, urls []string, s Subject, rules Rules) (answered bool) {
	for _, url := range urls[:min(len(urls), serversMax)] {
		info, err := c.Store.Ask(ctx, url, s, rules)
		if err != nil {
			r.fail(Information{Kind: OCSP, Source: url}, err)
			continue
		}
		e, err := Check(info, s, rules)
		r.note(info, e, err)
		// One that says that it cannot serve now is as good as down.
		answered = answered || err == nil || fault.CodeOf(err).Class() != fault.RetryLater
		if r.decide(rules) {
			break
		}
	}
	return answered
}

// listURLs are the addresses of distribution points, at most serversMax.
func listURLs(points []cert.DistributionPoint) []string {
	var urls []string
	for _, p := range points {
		for _, name := range p.Full {
			if name.Kind == cert.URIName && len(urls) < serversMax {
				urls = append(urls, string(name.Value))
			}
		}
	}
	return urls
}

// TryLater reports whether the status is unknown for a reason that may pass: a
// peer that is down, busy, or answers wrongly.
func (r *Result) TryLater() bool {
	if r.Evidence != nil {
		return false
	}
	for _, a := range r.Attempts {
		if fault.CodeOf(a.Err).Class() == fault.RetryLater {
			return true
		}
	}
	return false
}

// Verdict is nil if the certificate was not revoked at the time, else
// certificate_revoked or revocation_unknown; the latter wraps the first
// reason that may pass, or the first at all.
func (r *Result) Verdict(rules Rules) error {
	switch {
	case r.Evidence == nil:
		return r.unknown()
	case r.Evidence.RevokedBy(rules.At):
		return fault.New(fault.CertificateRevoked, "", "%s since %s", r.Evidence.Reason, r.Evidence.RevokedAt.Format(time.RFC3339))
	}
	return nil
}

func (r *Result) unknown() error {
	var cause error
	for _, a := range r.Attempts {
		if cause == nil || fault.CodeOf(cause).Class() != fault.RetryLater && fault.CodeOf(a.Err).Class() == fault.RetryLater {
			cause = a.Err
		}
	}
	if cause == nil {
		return fault.New(fault.RevocationUnknown, "", "no information")
	}
	return fault.Wrap(cause, fault.RevocationUnknown, "", "%d attempts", len(r.Attempts))
}
