package verifier

import (
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier/facts"
)

// timestamp is the time-stamp validation process (§5.4): the token's own
// signature by the basic process, then the imprint, which must be of the
// signature value.
func (j *judgement) timestamp(t *facts.Timestamp) (TimestampReport, *outcome) {
	r := TimestampReport{ID: t.ID, Kind: string(t.Kind), Time: formatOptional(t.Time), Constraints: []Constraint{}}
	format := &block{name: blockFormat}
	for _, d := range t.Defects {
		format.fail("token_rules", FormatFailure, d)
	}
	if t.Token == nil || t.Time == nil {
		format.fail("token_rules", FormatFailure, finding(fault.TimestampInvalid, "unreadable token"))
	}
	if !format.passed() {
		o := &outcome{}
		o.add(format)
		r.close(o)
		return r, o
	}
	o := j.basic(t.Token, forTimestamping, j.at)
	o.add(j.checkImprint(t))
	o.evidence = append(o.evidence, facts.Digest(t.Raw))
	for _, c := range o.path {
		o.evidence = append(o.evidence, facts.Digest(c.Raw))
	}
	if o.signer != nil {
		r.Authority = o.signer.Subject.String()
		r.AuthorityName = o.signer.Subject.First(oidCommonName)
	}
	r.close(o)
	return r, o
}

// checkImprint holds the imprint against what the token is over, and the time
// against the one of validation: a token from the future proves nothing yet.
func (j *judgement) checkImprint(t *facts.Timestamp) *block {
	b := &block{name: "message_imprint"}
	switch {
	case len(t.ImprintComputed) == 0:
		b.doubt("imprint_intact", CryptoConstraintsNoPOE, finding(fault.AlgorithmUnsupported, t.ImprintName))
	case !t.ImprintIntact:
		b.fail("imprint_intact", HashFailure, finding(fault.TimestampImprintMismatch, string(t.Kind)))
	default:
		b.pass("imprint_intact", t.ImprintName)
	}
	if !j.policy.Cryptography.allowsDigest(t.ImprintName) {
		b.doubt("imprint_algorithm", CryptoConstraintsNoPOE, finding(fault.AlgorithmForbidden, t.ImprintName))
	}
	if t.AuthorityDiffers {
		b.doubt("authority_name", SigConstraintsFailure, finding(fault.TimestampSignerMismatch, "the authority named is not the signer"))
	}
	if t.Time.After(j.at.Add(clockSkew)) {
		b.doubt("generation_time", SigConstraintsFailure, finding(fault.TimestampInvalid, fmt.Sprintf("%s is after the validation time", formatTime(*t.Time))))
	}
	return b
}

// close puts an outcome into the report.
func (r *TimestampReport) close(o *outcome) {
	for _, b := range o.blocks {
		r.Constraints = append(r.Constraints, b.constraint())
	}
	for _, name := range o.skipped {
		r.Constraints = append(r.Constraints, notRun(name))
	}
	switch o.status {
	case "":
		r.Indication = Passed
	case StatusFailed:
		r.Indication = Failed
	default:
		r.Indication = Indeterminate
	}
	r.SubIndication = o.sub
}
