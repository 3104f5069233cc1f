package revocation

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Signers says who may sign CRLs besides the issuer that a path has for the
// certificate: another key of that issuer, or another party altogether, as the
// certificate's distribution points allow.
type Signers struct {
	// Candidates whose subject is the list's issuer are tried.
	Candidates []*cert.Certificate
	// Trust validates the path of a candidate that did sign the list. It must
	// end at the anchor of the subject's own path (RFC 5280 §6.3.3 f).
	Trust func(ctx context.Context, signer *cert.Certificate, s Subject) error
}

// signersTried bounds the signatures checked for one list.
const signersTried = 16

// CheckCRL verifies a CRL that the subject's issuer signed and looks the
// subject up in it. A list that says something only together with others (a
// delta, one of some reasons) is crl_incomplete; see CheckCRLs.
func CheckCRL(info Information, s Subject, rules Rules) (*Evidence, error) {
	e, failed := CheckCRLs(context.Background(), []Information{info}, s, Signers{}, rules)
	if e == nil {
		return nil, failed[0].Err
	}
	return e, nil
}

// CheckCRLs finds the status of the subject in CRLs by RFC 5280 §6.3.3: lists
// for all reasons or for some, direct or indirect, with the deltas that
// complete them. If they do not tell, or revocation is not proven and some
// reasons are left open, there is no evidence; why each list did not help is in
// the attempts, one for each list.
func CheckCRLs(ctx context.Context, infos []Information, s Subject, signers Signers, rules Rules) (*Evidence, []Attempt) {
	p := &crlProcess{ctx: ctx, subject: s, signers: signers, rules: rules}
	for _, info := range infos {
		l := &crlInput{info: info}
		if l.list = info.list; l.list == nil {
			l.list, l.err = ParseList(info.Raw)
		}
		if l.err == nil {
			l.err = refuseCritical(l.list.Extensions, processed)
		}
		if l.err == nil && rules.Strict && !l.list.hasPlainNumber() {
			l.err = fault.New(fault.ProfileBroken, "", "no CRL number, or a critical one (RFC 5280 §5.2.3)")
		}
		p.inputs = append(p.inputs, l)
	}
	return p.run()
}

// crlInput is a list with what became of it.
type crlInput struct {
	info   Information
	list   *List
	err    error             // why it is of no use, whatever the distribution point
	signer *cert.Certificate // who signed it, once verified

	looked   bool
	evidence *Evidence // what look found, nil with err

	used    bool
	outside error // why it is not in scope, or not needed
}

type crlProcess struct {
	ctx     context.Context
	subject Subject
	signers Signers
	rules   Rules
	inputs  []*crlInput

	covered cert.Reasons
	result  *Evidence
}

// run looks at every list that is in scope. A revocation for good in any of
// them decides, and a hold that lasted over the time judged, whatever others say:
// CAs drop certificates from their lists once they have expired. Else of two lists
// for the same reasons the newer counts, for a hold may be lifted.
func (p *crlProcess) run() (*Evidence, []Attempt) {
	bases := slices.DeleteFunc(slices.Clone(p.inputs), func(in *crlInput) bool { return in.err != nil || in.list.Base != nil })
	slices.SortStableFunc(bases, func(a, b *crlInput) int { return b.list.ThisUpdate.Compare(a.list.ThisUpdate) })
	var conclusive []*Evidence
	for _, point := range pointsOf(p.subject.Certificate) {
		for _, in := range bases {
			reasons, err := in.list.covers(point, p.subject.Certificate)
			if err != nil {
				in.outside = moreTelling(in.outside, err)
				continue
			}
			e := p.look(in)
			if e == nil {
				continue
			}
			if e.class(p.rules.At) > saysNow {
				conclusive, in.used = append(conclusive, e), true
				continue
			}
			if reasons&^p.covered == 0 {
				in.outside = moreTelling(in.outside, fault.New(fault.CRLOutOfScope, "", "the list adds no reason to what others cover"))
				continue
			}
			in.used = true
			p.covered |= reasons
			p.merge(e)
		}
	}
	if len(conclusive) > 0 {
		p.result = Decide(conclusive, p.rules.At)
	}
	if p.decided() {
		return p.result, p.attempts()
	}
	return nil, p.attempts()
}

// decided reports whether the lists tell: of a hold one does, of none all
// reasons must be covered.
func (p *crlProcess) decided() bool {
	return p.result != nil && (p.result.Status == Revoked || p.covered&cert.AllReasons == cert.AllReasons)
}

// moreTelling prefers the reason that is about the subject.
func moreTelling(kept, next error) error {
	if kept == nil || fault.Is(kept, fault.CRLOtherIssuer) {
		return next
	}
	return kept
}

// look verifies a list and finds the subject in it and in the newest delta that
// completes it, once.
func (p *crlProcess) look(in *crlInput) *Evidence {
	if !in.looked {
		in.looked = true
		in.evidence = p.find(in)
	}
	return in.evidence
}

func (p *crlProcess) find(in *crlInput) *Evidence {
	if in.err = p.verify(in); in.err != nil {
		return nil
	}
	var best *crlInput
	for _, d := range p.inputs {
		if d.err == nil && d.list.completes(in.list) && (best == nil || best.list.Number.Cmp(d.list.Number) < 0) {
			best = d
		}
	}
	if best != nil {
		if e := p.lookInDelta(in, best); e != nil {
			best.used = true
			return e
		}
	}
	e, err := p.evidence(in, in.list)
	if err == nil {
		err = p.check(e, in)
	}
	if in.err = err; err != nil {
		return nil
	}
	return e
}

// lookInDelta takes base and delta together: what the delta says holds, and it
// is as fresh as the delta.
func (p *crlProcess) lookInDelta(base, delta *crlInput) *Evidence {
	if delta.err = p.verify(delta); delta.err != nil {
		return nil
	}
	entry, listed, err := delta.list.find(p.subject.Certificate.Issuer, p.subject.Certificate.Serial)
	var e *Evidence
	if err == nil {
		e, err = p.evidence(base, delta.list)
	}
	if err != nil {
		delta.err = err
		return nil
	}
	switch {
	case listed && entry.Reason == RemoveFromCRL:
		e.Status, e.RevokedAt, e.Reason = Good, time.Time{}, Unspecified
	case listed:
		e.Status, e.RevokedAt, e.Reason = Revoked, entry.RevokedAt, entry.Reason
	}
	e.With = []Information{delta.info}
	if delta.err = p.check(e, base, delta); delta.err != nil {
		return nil
	}
	return e
}

// check holds what lists say against the rules.
func (p *crlProcess) check(e *Evidence, from ...*crlInput) error {
	if err := p.rules.check(e, p.subject.Certificate); err != nil {
		return err
	}
	for _, in := range from {
		if err := p.rules.checkAlgorithm(e.Status, in.signer, in.list.SignatureAlgorithm); err != nil {
			return err
		}
	}
	return nil
}

// evidence is what the base list says, with the dates of another.
func (p *crlProcess) evidence(base *crlInput, dates *List) (*Evidence, error) {
	e := &Evidence{
		Information: base.info, Status: Good,
		ThisUpdate: dates.ThisUpdate, NextUpdate: dates.NextUpdate, RetainedFrom: base.list.ExpiredFrom,
		Signer: base.signer, Algorithm: base.list.SignatureAlgorithm,
	}
	entry, listed, err := base.list.find(p.subject.Certificate.Issuer, p.subject.Certificate.Serial)
	switch {
	case err != nil:
		return nil, err
	case listed && entry.Reason == RemoveFromCRL:
		return nil, crlUnreadable("removeFromCRL in a full list")
	case listed:
		e.Status, e.RevokedAt, e.Reason = Revoked, entry.RevokedAt, entry.Reason
	}
	return e, nil
}

// merge adds what one list says to what those before it said: a hold stays, for
// whichever reasons it is; else all together are good, as of the oldest.
func (p *crlProcess) merge(e *Evidence) {
	switch {
	case p.result == nil || e.Status == Revoked:
		p.result = e
		return
	case p.result.Status == Revoked:
		return
	case e.ThisUpdate.Before(p.result.ThisUpdate):
		p.result.ThisUpdate = e.ThisUpdate
	}
	if p.result.NextUpdate.IsZero() || !e.NextUpdate.IsZero() && e.NextUpdate.Before(p.result.NextUpdate) {
		p.result.NextUpdate = e.NextUpdate
	}
	p.result.With = append(append(p.result.With, e.Information), e.With...)
}

// verify finds who signed the list.
func (p *crlProcess) verify(in *crlInput) error {
	if in.signer != nil {
		return nil
	}
	reason := error(fault.New(fault.CRLOtherIssuer, "", "nobody known under the name of the list's issuer"))
	if issuer := p.subject.Issuer; in.list.Issuer.Equal(issuer.Subject) {
		if reason = in.list.verify(issuer); reason == nil {
			in.signer = issuer
			return nil
		}
	}
	tried := 0
	for _, c := range p.signers.Candidates {
		if tried == signersTried || p.signers.Trust == nil {
			break
		}
		if !in.list.Issuer.Equal(c.Subject) {
			continue
		}
		tried++
		if err := in.list.verify(c); err != nil {
			if fault.Is(reason, fault.CRLOtherIssuer) {
				reason = err
			}
			continue
		}
		if err := p.signers.Trust(p.ctx, c, p.subject); err != nil {
			reason = fault.Wrap(err, fault.CRLSignerNotTrusted, "", "validate the certificate of the CRL's signer")
			continue
		}
		in.signer = c
		return nil
	}
	return reason
}

// verify checks the list's signature with a certificate's key.
func (l *List) verify(signer *cert.Certificate) error {
	if !signer.Allows(cert.KeyUsageCRLSign) {
		return fault.New(fault.KeyUsageForbidden, "", "the key may not sign CRLs")
	}
	if known := l.verifiedBy.Load(); known != nil && bytes.Equal(known.RawSPKI, signer.RawSPKI) {
		return nil
	}
	signed, err := l.signed()
	if err != nil {
		return err
	}
	if err := signer.Verify(l.SignatureAlgorithm, signed, l.Signature); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "", "check the CRL's signature")
	}
	l.verifiedBy.Store(signer)
	return nil
}

func (l *List) hasPlainNumber() bool {
	return slices.ContainsFunc(l.Extensions, func(e cert.Extension) bool { return e.OID.Equal(oidCRLNumber) && !e.Critical })
}

// attempts says of every list that did not help why.
func (p *crlProcess) attempts() []Attempt {
	var out []Attempt
	decided := p.decided()
	for _, in := range p.inputs {
		err := in.err
		switch {
		case err != nil:
		case in.used && decided, in.outside == nil && decided:
			continue
		case in.list.Base != nil:
			err = fault.New(fault.CRLIncomplete, "", "a delta, and no list that it completes")
		case in.used:
			err = fault.New(fault.CRLIncomplete, "", "some reasons for revocation are in other lists")
		default:
			err = in.outside
		}
		out = append(out, Attempt{Kind: CRL, Source: in.info.Source, Err: err})
	}
	return out
}
