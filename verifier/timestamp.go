package verifier

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier/facts"
)

// stamp is one token of a signature with what became of it.
type stamp struct {
	*facts.Timestamp
	*outcome // at the validation time

	now    bool   // it passed at the validation time
	passed bool   // it passed, then or by past signature validation
	past   *block // past signature validation, if it ran
}

// object names the token among the proofs of existence.
func (s *stamp) object() facts.Object {
	return facts.Object{Kind: facts.TimestampObject, ID: s.ID}
}

// stampsOf validates the tokens of a signature at the validation time (§5.4).
func (j *judgement) stampsOf(s *facts.Signature) []*stamp {
	if len(s.Timestamps) == 0 {
		return nil
	}
	stamps := make([]*stamp, len(s.Timestamps))
	for i := range s.Timestamps {
		t := &s.Timestamps[i]
		o := j.timestamp(t, j.present())
		stamps[i] = &stamp{Timestamp: t, outcome: o, now: o.status == "", passed: o.status == ""}
	}
	return stamps
}

// timestamp is the validation process for time-stamps (§5.4): what the token is
// over, then its own signature by the basic process.
func (j *judgement) timestamp(t *facts.Timestamp, c moment) *outcome {
	format := j.arena.block(blockFormat)
	for _, d := range t.Defects {
		format.fail("token_rules", FormatFailure, d)
	}
	if t.Token == nil || t.Time == nil {
		format.fail("token_rules", FormatFailure, finding(fault.TimestampInvalid, "unreadable token"))
	}
	if !format.passed() {
		o := &outcome{}
		o.add(format)
		return o
	}
	object := facts.Object{Kind: facts.TimestampObject, ID: t.ID}
	imprint := j.checkImprint(t, object, c)
	o := j.basic(t.Token, object, forTimestamping, c, "")
	o.weak = append(o.weak, imprint.weak...)
	o.blocks = slices.Insert(o.blocks, 0, imprint.block)
	if imprint.status == StatusFailed || imprint.status != "" && o.status == "" {
		o.status, o.sub = imprint.status, imprint.sub
	}
	if o.status == StatusIndeterminate && imprint.status == StatusIndeterminate && imprint.sub != CryptoConstraintsNoPOE {
		o.sub = imprint.sub
	}
	o.evidence = append(slices.Clip(o.evidence), facts.Digest(t.Raw))
	for _, c := range o.path {
		o.evidence = append(o.evidence, j.id(c))
	}
	return o
}

// checkImprint holds the imprint against what the token is over, and the time
// against the one of validation: a token from the future proves nothing yet.
func (j *judgement) checkImprint(t *facts.Timestamp, object facts.Object, c moment) acceptance {
	b := acceptance{block: j.arena.block(blockImprint)}
	switch {
	case len(t.ImprintComputed) == 0 && !t.ImprintIntact:
		code := fault.Code(t.ImprintCode)
		if code == "" {
			code = fault.AlgorithmUnsupported
		}
		sub := CryptoConstraintsNoPOE
		if code != fault.AlgorithmUnsupported {
			sub = SignedDataNotFound
		}
		b.doubt("imprint_intact", sub, finding(code, t.ImprintName))
	case !t.ImprintIntact:
		b.fail("imprint_intact", HashFailure, finding(fault.TimestampImprintMismatch, string(t.Kind)))
	default:
		b.pass("imprint_intact", t.ImprintName)
	}
	j.checkUse(b.block, &b.weak, "imprint_algorithm", algorithmUse{purpose: forToken, material: object, digest: digestNamed(t.ImprintName)}, c)
	if h := t.HashIndex; h != nil {
		if !h.Complete() {
			b.fail("archive_index", FormatFailure, finding(fault.ArchiveIndexMismatch, fmt.Sprintf("%d certificates, %d revocation values, %d attributes", h.Certificates.Unknown, h.Revocations.Unknown, h.UnsignedAttributes.Unknown)))
		}
		j.checkUse(b.block, &b.weak, "archive_index_algorithm", algorithmUse{purpose: forToken, material: object, digest: digestNamed(h.Algorithm)}, c)
	}
	if t.AuthorityDiffers {
		b.apply(j.policy.Timestamps.AuthorityName, "authority_name", SigConstraintsFailure, finding(fault.TimestampSignerMismatch, "the authority named is not the signer"))
	}
	j.policy.Timestamps.Policies.judge(b.block, "time_stamp_policy", SigConstraintsFailure, finding(fault.TimestampPolicyRefused, t.Policy), func(oid string) bool { return t.Policy == oid })
	if t.Time.After(j.at.Add(clockSkew)) {
		b.doubt("generation_time", SigConstraintsFailure, finding(fault.TimestampInvalid, fmt.Sprintf("%s is after the validation time", formatTime(*t.Time))))
	}
	return b
}

// newestFirst orders tokens for the long-term process (§5.6.3.4, step 5): what
// was made last protects what was made before.
func newestFirst(stamps []*stamp) []*stamp {
	ordered := slices.Clone(stamps)
	slices.SortStableFunc(ordered, func(a, b *stamp) int {
		if c := cmp.Compare(rank(b), rank(a)); c != 0 && (a.Time == nil || b.Time == nil || a.Time.Equal(*b.Time)) {
			return c
		}
		switch {
		case a.Time == nil || b.Time == nil:
			return cmp.Compare(rank(b), rank(a))
		}
		return b.Time.Compare(*a.Time)
	})
	return ordered
}

// rank is the order in which kinds of tokens are made.
func rank(s *stamp) int {
	switch {
	case s.Kind == facts.ContentTimestamp:
		return 0
	case s.Kind == facts.SignatureTimestamp:
		return 1
	case s.Kind.IsArchive():
		return 3
	}
	return 2
}

// checkOrder holds the times of the tokens that passed against the order in
// which they must have been made (§5.5.4, step 5).
func checkOrder(stamps []*stamp) (f facts.Finding, ok bool) {
	for _, a := range stamps {
		for _, b := range stamps {
			if a.passed && b.passed && rank(a) < rank(b) && a.Time.After(*b.Time) {
				return finding(fault.TimestampOrder, fmt.Sprintf("%s: %s, %s: %s", a.Kind, formatTime(*a.Time), b.Kind, formatTime(*b.Time))), false
			}
		}
	}
	return facts.Finding{}, true
}

// latestContentTime is the latest time before which the signature cannot have
// been made: zero if no valid content time-stamp says so.
func latestContentTime(stamps []*stamp) (latest time.Time) {
	for _, s := range stamps {
		if s.Kind == facts.ContentTimestamp && s.now && s.Time.After(latest) {
			latest = s.Time.UTC()
		}
	}
	return latest
}

// report is the verdict on the token.
func (s *stamp) report(session *Session) TimestampReport {
	r := TimestampReport{ID: s.ID, Kind: string(s.Kind), Time: formatOptional(s.Time), Constraints: make([]Constraint, 0, len(s.blocks)+len(s.skipped)+1)}
	for _, b := range s.blocks {
		r.Constraints = append(r.Constraints, b.constraint())
	}
	for _, name := range s.skipped {
		r.Constraints = append(r.Constraints, notRun(name))
	}
	if s.past != nil {
		r.Constraints = append(r.Constraints, s.past.constraint())
	}
	if s.signer != nil {
		d := session.described(s.signer)
		r.Authority, r.AuthorityName = d.subject, d.commonName
	}
	switch {
	case s.passed:
		r.Indication = Passed
	case s.status == StatusFailed:
		r.Indication, r.SubIndication = Failed, s.sub
	default:
		r.Indication, r.SubIndication = Indeterminate, s.sub
	}
	return r
}
