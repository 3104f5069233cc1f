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
// For each signature it runs the validation process for basic signatures (EN 319
// 102-1 §5.3), the one with time (§5.5), and, where that leaves what proofs of
// existence may lift, the one with long-term and archival data (§5.6). Without a
// signature the report is INDETERMINATE.
func Judge(f *facts.Facts, p Policy, anchors *trust.Store, at time.Time) *Report {
	return new(Session).Judge(f, p, anchors, at)
}

// Judge is the function of that name.
func (s *Session) Judge(f *facts.Facts, p Policy, anchors *trust.Store, at time.Time) *Report {
	j := s.newJudgement(f, &p, anchors, at.UTC().Truncate(time.Second)) // the report says seconds, and must give itself again
	r := &Report{
		File: f.Document.Name, Format: f.Document.Format, SHA256: f.Document.SHA256,
		Policy: p.Name, ValidationTime: j.atText,
		Signatures: make([]SignatureReport, 0, len(f.Signatures)),
	}
	for i := range f.Signatures {
		r.Signatures = append(r.Signatures, j.signature(&f.Signatures[i], 0))
	}
	r.Indication, r.SubIndication = overall(r.Signatures)
	r.complete(f, j.ids)
	return r
}

// overall is the verdict on a document: passed only if every signature is, and
// else the worst one's.
func overall(signatures []SignatureReport) (Indication, SubIndication) {
	if len(signatures) == 0 {
		return Indeterminate, ""
	}
	for _, worst := range []Indication{TotalFailed, Indeterminate} {
		for i := range signatures {
			if signatures[i].Indication == worst {
				return worst, signatures[i].SubIndication
			}
		}
	}
	return TotalPassed, ""
}

// judgement is what the blocks of one validation share.
type judgement struct {
	session *Session
	facts   *facts.Facts
	policy  *Policy
	anchors *trust.Store
	at      time.Time

	pool      []*cert.Certificate // those of the facts that parse, in their order
	ids       map[*cert.Certificate]string
	byID      map[string]*cert.Certificate
	certified []certifiedBefore

	arena  arena
	atText string
}

// certifiedBefore is a question about a certificate with its answer.
type certifiedBefore struct {
	question
	certification
}

func (s *Session) newJudgement(f *facts.Facts, p *Policy, anchors *trust.Store, at time.Time) *judgement {
	j := &judgement{
		session: s, facts: f, policy: p, anchors: anchors, at: at, atText: formatTime(at),
		ids:  make(map[*cert.Certificate]string, len(f.Certificates)),
		byID: make(map[string]*cert.Certificate, len(f.Certificates)),
		pool: make([]*cert.Certificate, 0, len(f.Certificates)),
	}
	for i := range f.Certificates {
		c := &f.Certificates[i]
		if parsed, err := s.parse(c.Raw); err == nil {
			j.byID[c.ID], j.ids[parsed] = parsed, c.ID
			j.pool = append(j.pool, parsed)
		}
	}
	return j
}

// timeText is a time for the report. Most are the validation time.
func (j *judgement) timeText(t time.Time) string {
	if t.Equal(j.at) {
		return j.atText
	}
	return formatTime(t)
}

// id is the certificate's in the facts, if it is there: an anchor need not be.
func (j *judgement) id(c *cert.Certificate) string {
	id, known := j.ids[c]
	if !known {
		id = j.session.parsed(c.Raw).id
		j.ids[c] = id
	}
	return id
}

// present is the moment of what is judged at the validation time with nothing
// proven.
func (j *judgement) present() moment { return moment{at: j.at, now: j.at} }

// outcome is the result of a process on one signature.
type outcome struct {
	status    Status // "" is passed
	sub       SubIndication
	blocks    []*block
	skipped   []string // names of blocks that did not run
	signer    *cert.Certificate
	path      []*cert.Certificate
	evidence  []string
	revokedAt time.Time
	weak      []weakness
}

// add runs on the tree: a block that decides nothing yet leaves the outcome.
func (o *outcome) add(b *block) bool {
	o.blocks = append(o.blocks, b)
	if o.status == "" && !b.passed() {
		o.status, o.sub = b.status, b.sub
	}
	return b.passed()
}

// order is that of the blocks of the basic process.
var order = []string{blockFormat, blockIdentification, blockContext, blockCertificate, blockCryptographic, blockAcceptance}

// basic is the validation process for basic signatures (§5.3). The certificate's
// result is only remembered until the cryptography is checked: a broken
// signature is reported before a missing path. object names the signature among
// the proofs of existence.
func (j *judgement) basic(s *facts.Signature, object facts.Object, use usage, c moment, level string) *outcome {
	o := &outcome{blocks: make([]*block, 0, len(order)+1)}
	stop := func() *outcome { o.skipped = order[len(o.blocks):]; return o }

	if !o.add(j.checkFormat(s)) {
		return stop()
	}
	candidate, identification := j.identify(s, use)
	if candidate != nil {
		if o.signer = j.byID[candidate.Certificate]; o.signer == nil { // facts from elsewhere may name rubbish
			identification.doubt("signing_certificate_readable", NoSigningCertificate, finding(fault.CertificateUnreadable, candidate.Certificate))
		}
	}
	if !o.add(identification) {
		return stop()
	}
	if !o.add(j.initialise(s)) {
		return stop()
	}
	path := j.validateCertificate(o.signer, use, c)
	o.path, o.evidence, o.revokedAt = path.certificates, path.evidence, path.revokedAt
	cryptographic := j.checkCryptography(s, candidate)
	if !cryptographic.passed() {
		// The cryptography decides, and the path stands in the tree where it belongs.
		o.status, o.sub = cryptographic.status, cryptographic.sub
		o.blocks = append(o.blocks, path.block, cryptographic)
		return stop()
	}
	o.add(path.block)
	o.add(cryptographic)
	accepted := j.accept(s, object, o.signer, use, c, level)
	o.add(accepted.block)
	o.weak = slices.Concat(path.weak, accepted.weak)
	return o
}

// proveLate is the part of the basic process that needs a time before which the
// signature cannot have been made (§5.3.4, steps 4 and 6): the time of a valid
// content time-stamp. What was wrong already then is not for want of a proof.
func (j *judgement) proveLate(o *outcome, after time.Time) {
	if after.IsZero() || o.status != StatusIndeterminate {
		return
	}
	b := j.arena.block(blockBasic)
	const name = "signature_made_after"
	switch {
	case o.sub == RevokedNoPOE && after.After(o.revokedAt):
		b.fail(name, RevokedFailure, finding(fault.CertificateRevoked, formatTime(after)))
	case (o.sub == OutOfBoundsNoPOE || o.sub == OutOfBoundsNotRevoked) && after.After(o.signer.NotAfter):
		b.fail(name, Expired, finding(fault.CertificateExpired, formatTime(after)))
	case o.sub == CryptoConstraintsNoPOE && slices.ContainsFunc(o.weak, func(w weakness) bool { return !w.liftedBy(after) }):
		b.doubt(name, CryptoConstraintsFailure, finding(fault.AlgorithmForbidden, formatTime(after)))
	default:
		return
	}
	o.blocks = append(o.blocks, b)
	o.status, o.sub = b.status, b.sub
}

// totalOf turns the outcome of a process into the verdict on a signature.
func totalOf(status Status, sub SubIndication) (Indication, SubIndication) {
	switch status {
	case "":
		return TotalPassed, ""
	case StatusFailed:
		return TotalFailed, sub
	}
	return Indeterminate, sub
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func formatOptional(t *time.Time) string {
	if t == nil {
		return ""
	}
	return formatTime(*t)
}
