package verifier

import (
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier/facts"
)

// Judge validates every signature in the facts at a time, under a policy, with
// the given trust anchors. It is pure: it asks nobody, reads no clock, and the
// same arguments give the same report.
//
// For each signature it runs the basic process (EN 319 102-1 §5.3) at the
// validation time, and where its outcome depends on time alone and a valid
// signature time-stamp proves that the signature is older, once more at that
// time (§5.5). Without a signature the report is INDETERMINATE.
func Judge(f *facts.Facts, p Policy, anchors *trust.Store, at time.Time) *Report {
	return new(Session).Judge(f, p, anchors, at)
}

// Judge is the function of that name.
func (s *Session) Judge(f *facts.Facts, p Policy, anchors *trust.Store, at time.Time) *Report {
	j := s.newJudgement(f, p, anchors, at.UTC().Truncate(time.Second)) // the report says seconds, and must give itself again
	r := &Report{
		File: f.Document.Name, Format: f.Document.Format, SHA256: f.Document.SHA256,
		Policy: p.Name, ValidationTime: formatTime(j.at),
		Signatures: []SignatureReport{},
	}
	for i := range f.Signatures {
		r.Signatures = append(r.Signatures, j.signature(&f.Signatures[i]))
	}
	r.Indication, r.SubIndication = overall(r.Signatures)
	r.complete(f)
	return r
}

// overall is the verdict on a document: passed only if every signature is, and
// else the worst one's.
func overall(signatures []SignatureReport) (Indication, SubIndication) {
	if len(signatures) == 0 {
		return Indeterminate, ""
	}
	for _, worst := range []Indication{TotalFailed, Indeterminate} {
		for _, s := range signatures {
			if s.Indication == worst {
				return s.Indication, s.SubIndication
			}
		}
	}
	return TotalPassed, ""
}

// judgement is what the blocks of one validation share.
type judgement struct {
	session *Session
	facts   *facts.Facts
	policy  Policy
	anchors *trust.Store
	at      time.Time

	certificates map[string]*cert.Certificate // by ID; those that parse
	pool         []*cert.Certificate          // the same, in the order of the facts
	certified    map[question]certification
	statuses     map[statusQuestion]certificateStatus
}

func (s *Session) newJudgement(f *facts.Facts, p Policy, anchors *trust.Store, at time.Time) *judgement {
	j := &judgement{
		session: s, facts: f, policy: p, anchors: anchors, at: at, certificates: map[string]*cert.Certificate{},
		certified: map[question]certification{}, statuses: map[statusQuestion]certificateStatus{},
	}
	for _, c := range f.Certificates {
		if parsed, err := s.parse(c.Raw); err == nil {
			j.certificates[c.ID] = parsed
			j.pool = append(j.pool, parsed)
		}
	}
	return j
}

// outcome is the result of the basic process on one signature.
type outcome struct {
	status   Status // "" is passed
	sub      SubIndication
	blocks   []*block
	skipped  []string // names of blocks that did not run
	signer   *cert.Certificate
	path     []*cert.Certificate
	evidence []string
}

// add runs on the tree: a block that decides nothing yet leaves the outcome.
func (o *outcome) add(b *block) bool {
	o.blocks = append(o.blocks, b)
	if o.status == "" && !b.passed() {
		o.status, o.sub = b.status, b.sub
	}
	return b.passed()
}

// basic is the basic signature validation process (§5.3). The certificate's
// result is only remembered until the cryptography is checked: a broken
// signature is reported before a missing path.
func (j *judgement) basic(s *facts.Signature, use usage, at time.Time) *outcome {
	o := &outcome{}
	order := []string{blockFormat, blockIdentification, blockContext, blockCertificate, blockCryptographic, blockAcceptance}
	stop := func() *outcome { o.skipped = order[len(o.blocks):]; return o }

	if !o.add(checkFormat(s)) {
		return stop()
	}
	candidate, identification := identify(s)
	if identification.passed() {
		if o.signer = j.certificates[candidate.Certificate]; o.signer == nil { // facts from elsewhere may name rubbish
			identification.doubt("signing_certificate_readable", NoSigningCertificate, finding(fault.CertificateUnreadable, candidate.Certificate))
		}
	}
	if !o.add(identification) {
		return stop()
	}
	o.add(initialise(s, j.policy))
	path := j.validateCertificate(o.signer, use, at)
	o.path, o.evidence = path.certificates, slices.Clone(path.evidence) // the answer is shared
	cryptographic := checkCryptography(s, candidate)
	if cryptographic.passed() {
		o.add(path.block)
		o.add(cryptographic)
		o.add(accept(s, o.signer, j.policy, use))
		return o
	}
	// The cryptography decides, and stands in the tree where it belongs.
	o.status, o.sub = cryptographic.status, cryptographic.sub
	o.blocks = append(o.blocks, path.block, cryptographic)
	return stop()
}

// liftable are the outcomes that another time may change (§5.5.4: the process
// goes on only with these).
var liftable = map[SubIndication]bool{
	RevokedNoPOE: true, RevokedCANoPOE: true, OutOfBoundsNoPOE: true, OutOfBoundsNotRevoked: true, TryLater: true,
}

// signature validates one signature with time (§5.5).
func (j *judgement) signature(s *facts.Signature) SignatureReport {
	r := SignatureReport{
		ID: s.ID, Level: level(s),
		Algorithms:  Algorithms{Digest: s.DigestAlgorithm.Name, Signature: s.SignatureAlgorithm.Name},
		ClaimedTime: formatOptional(s.ClaimedTime),
		Timestamps:  []TimestampReport{}, Path: []string{}, Chain: []string{}, Evidence: []string{},
		Errors: []Message{}, Warnings: []Message{}, Signer: SignerReport{Roles: []string{}},
	}
	best, stamps := j.bestSignatureTime(s, &r)
	o := j.basic(s, forSigning, j.at)
	r.take(o, stamps)
	final := j.withTime(s, o, best, &r)
	r.Indication, r.SubIndication = totalOf(final)
	r.BestSignatureTime = formatTime(best)
	r.describe(final)
	return r
}

// bestSignatureTime validates the signature time-stamps and gives the earliest
// time that a valid one proves; the validation time if none does (§5.5.4 2).
func (j *judgement) bestSignatureTime(s *facts.Signature, r *SignatureReport) (time.Time, []*outcome) {
	best := j.at
	var outcomes []*outcome
	for i := range s.Timestamps {
		t := &s.Timestamps[i]
		report, o := j.timestamp(t)
		r.Timestamps = append(r.Timestamps, report)
		if report.Indication == Passed && t.Time.Before(best) {
			best = t.Time.UTC()
		}
		if report.Indication != Passed {
			r.Warnings = append(r.Warnings, messageOf(facts.Finding{Code: fault.TimestampInvalid, At: t.ID, Detail: string(report.SubIndication)}))
		}
		outcomes = append(outcomes, o)
	}
	return best, outcomes
}

// withTime goes on from the basic outcome at the best signature time, if that
// may change it. A certificate that was not valid yet at the latest time at
// which the signature can have been made is a proof against it.
func (j *judgement) withTime(s *facts.Signature, o *outcome, best time.Time, r *SignatureReport) *outcome {
	b := &block{name: blockTime}
	defer func() { r.Constraints = append(r.Constraints, b.constraint()) }()
	b.pass("best_signature_time", formatTime(best))
	if o.status != "" && !liftable[o.sub] {
		b.status, b.sub = o.status, o.sub
		return o
	}
	if o.signer != nil && best.Before(o.signer.NotBefore) {
		b.fail("certificate_issued_before_signature", NotYetValid, finding(fault.CertificateNotYetValid, formatTime(o.signer.NotBefore)))
		r.Errors = append(r.Errors, b.errors...)
		return &outcome{status: b.status, sub: b.sub, signer: o.signer, path: o.path, evidence: o.evidence}
	}
	if o.status == "" || !best.Before(j.at) {
		b.status, b.sub = o.status, o.sub
		return o
	}
	again := j.basic(s, forSigning, best)
	r.Errors = []Message{} // what held against it at the validation time is judged anew
	for _, done := range again.blocks {
		b.constraints = append(b.constraints, done.constraint())
		r.Errors = append(r.Errors, done.errors...)
	}
	b.status, b.sub = again.status, again.sub
	return again
}

// take puts the tree, the errors and the warnings of the basic process into
// the report.
func (r *SignatureReport) take(o *outcome, stamps []*outcome) {
	for _, b := range o.blocks {
		r.Constraints = append(r.Constraints, b.constraint())
		r.Errors = append(r.Errors, b.errors...)
		r.Warnings = append(r.Warnings, b.warnings...)
	}
	for _, name := range o.skipped {
		r.Constraints = append(r.Constraints, notRun(name))
	}
	for i, t := range r.Timestamps {
		status := StatusPassed
		if stamps[i].status != "" {
			status = stamps[i].status
		}
		r.Constraints = append(r.Constraints, Constraint{Name: blockTimestamp, Status: status, SubIndication: stamps[i].sub, Detail: t.ID})
		r.Evidence = append(r.Evidence, stamps[i].evidence...)
	}
}

// describe says who signed, by which path, on what evidence.
func (r *SignatureReport) describe(o *outcome) {
	for _, c := range o.path {
		id := facts.Digest(c.Raw)
		r.Path, r.Chain = append(r.Path, c.Subject.String()), append(r.Chain, id)
		r.Evidence = append(r.Evidence, id)
	}
	r.Evidence = append(r.Evidence, o.evidence...)
	slices.Sort(r.Evidence)
	r.Evidence = slices.Compact(r.Evidence)
	c := o.signer
	if c == nil {
		return
	}
	holder := c.Holder()
	r.Signer = SignerReport{
		Subject: c.Subject.String(), CommonName: holder.CommonName, Organization: holder.Organization,
		IIN: holder.IIN.Digits(), BIN: string(holder.BIN), Roles: []string{},
		Serial: c.SerialHex(), Issuer: c.Issuer.String(), IssuerName: c.Issuer.First(oidCommonName),
		NotBefore: formatTime(c.NotBefore), NotAfter: formatTime(c.NotAfter),
		Certificate: facts.Digest(c.Raw),
	}
	for _, role := range holder.Roles {
		r.Signer.Roles = append(r.Signer.Roles, role.OID.String())
	}
}

// totalOf turns the outcome of a process into the verdict on a signature.
func totalOf(o *outcome) (Indication, SubIndication) {
	switch o.status {
	case "":
		return TotalPassed, ""
	case StatusFailed:
		return TotalFailed, o.sub
	}
	return Indeterminate, o.sub
}

// level recognises the baseline level of EN 319 122-1 from what the signature
// carries: CMS without a protected reference to its certificate, B with one, T
// with a signature time-stamp that belongs to it. Higher levels are not
// recognised yet.
func level(s *facts.Signature) string {
	if len(s.References) == 0 {
		return "CMS"
	}
	for _, t := range s.Timestamps {
		if t.ImprintIntact && t.Token != nil && slices.ContainsFunc(t.Token.Candidates, func(c facts.Candidate) bool { return c.Verified }) {
			return "T"
		}
	}
	return "B"
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func formatOptional(t *time.Time) string {
	if t == nil {
		return ""
	}
	return formatTime(*t)
}
