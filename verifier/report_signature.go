package verifier

import (
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier/facts"
)

// report is the verdict on the signature that was heard.
func (h *hearing) report(depth int) SignatureReport {
	r := SignatureReport{
		ID: h.ID, Level: h.level,
		Algorithms:  Algorithms{Digest: h.DigestAlgorithm.Name, Signature: h.SignatureAlgorithm.Name},
		ClaimedTime: formatOptional(h.ClaimedTime), BestSignatureTime: h.timeText(h.best),
		Timestamps: make([]TimestampReport, 0, len(h.stamps)), Path: []string{}, Chain: []string{}, Evidence: []string{},
		Errors: []Message{}, Warnings: []Message{}, Signer: SignerReport{Roles: []string{}},
		Constraints: make([]Constraint, 0, len(h.basic.blocks)+len(h.stamps)+3),
	}
	h.putBasic(&r)
	h.putTimestamps(&r)
	counters := h.putCounterSignatures(&r, depth)
	for _, b := range []*block{h.time, h.archival} {
		if b != nil {
			r.Constraints = append(r.Constraints, b.constraint())
			r.Warnings = append(r.Warnings, b.warnings...)
			if h.status != "" {
				r.Errors = append(r.Errors, b.errors...)
			}
		}
	}
	if h.status == "" && counters != nil && !counters.passed() {
		h.status, h.sub = counters.status, counters.sub
		r.Errors = append(r.Errors, counters.errors...)
	}
	r.Errors, r.Warnings = distinct(r.Errors), distinct(r.Warnings)
	r.Indication, r.SubIndication = totalOf(h.status, h.sub)
	h.describe(&r)
	return r
}

// putBasic puts the tree, the errors and the warnings of the basic process into
// the report. What stood against the signature at the validation time and was
// lifted is in the tree alone.
func (h *hearing) putBasic(r *SignatureReport) {
	for _, b := range h.basic.blocks {
		r.Constraints = append(r.Constraints, b.constraint())
		if h.status != "" {
			r.Errors = append(r.Errors, b.errors...)
		}
		r.Warnings = append(r.Warnings, b.warnings...)
	}
	for _, name := range h.basic.skipped {
		r.Constraints = append(r.Constraints, notRun(name))
	}
}

func (h *hearing) putTimestamps(r *SignatureReport) {
	for _, s := range h.stamps {
		report := s.report(h.session)
		r.Timestamps = append(r.Timestamps, report)
		status := StatusPassed
		if !s.passed {
			status = s.status
			r.Warnings = append(r.Warnings, messageOf(facts.Finding{Code: fault.TimestampInvalid, At: s.ID, Detail: string(report.SubIndication)}))
		}
		r.Constraints = append(r.Constraints, Constraint{Name: blockTimestamp, Status: status, SubIndication: report.SubIndication, Detail: s.ID})
		r.Evidence = append(r.Evidence, s.evidence...)
	}
}

// putCounterSignatures judges what was signed over this signature. Their
// verdicts are their own; the policy may want all of them valid.
func (h *hearing) putCounterSignatures(r *SignatureReport, depth int) *block {
	if len(h.CounterSignatures) == 0 {
		return nil
	}
	b := h.arena.block(blockCounter)
	if depth == countersMax {
		b.apply(h.policy.Signature.CounterSignatures, "counter_signature_valid", SigConstraintsFailure, finding(fault.CMSLimit, "nested too deep"))
	} else {
		for i := range h.CounterSignatures {
			counter := h.signature(&h.CounterSignatures[i], depth+1)
			r.CounterSignatures = append(r.CounterSignatures, counter)
			if counter.Indication == TotalPassed {
				b.pass("counter_signature_valid", counter.ID)
				continue
			}
			b.apply(h.policy.Signature.CounterSignatures, "counter_signature_valid", SigConstraintsFailure,
				facts.Finding{Code: fault.CounterSignatureInvalid, At: counter.ID, Detail: string(counter.Indication) + " " + string(counter.SubIndication)})
		}
	}
	r.Constraints = append(r.Constraints, b.constraint())
	r.Warnings = append(r.Warnings, b.warnings...)
	return b
}

// describe says who signed, by which path, on what evidence.
func (h *hearing) describe(r *SignatureReport) {
	n := len(h.last.path)
	if n > 0 {
		r.Path, r.Chain = make([]string, n), make([]string, n)
	}
	r.Evidence = slices.Grow(r.Evidence, n+len(h.last.evidence))
	for i, c := range h.last.path {
		r.Path[i], r.Chain[i] = h.session.described(c).subject, h.id(c)
		r.Evidence = append(r.Evidence, r.Chain[i])
	}
	r.Evidence = append(r.Evidence, h.last.evidence...)
	slices.Sort(r.Evidence)
	r.Evidence = slices.Compact(r.Evidence)
	if c := h.basic.signer; c != nil {
		r.Signer = h.session.described(c).signer
		r.Signer.Roles = slices.Clone(r.Signer.Roles)
		r.Signer.Certificate = h.id(c)
	}
}

// description is what reports say of a certificate.
type description struct {
	subject, commonName string
	signer              SignerReport // without the ID
}

func describe(c *cert.Certificate) *description {
	holder := c.Holder()
	d := &description{subject: c.Subject.String(), commonName: c.Subject.First(oidCommonName)}
	d.signer = SignerReport{
		Subject: d.subject, CommonName: holder.CommonName, Organization: holder.Organization,
		IIN: holder.IIN.Digits(), BIN: string(holder.BIN), Roles: make([]string, 0, len(holder.Roles)),
		Serial: c.SerialHex(), Issuer: c.Issuer.String(), IssuerName: c.Issuer.First(oidCommonName),
		NotBefore: formatTime(c.NotBefore), NotAfter: formatTime(c.NotAfter),
	}
	for _, role := range holder.Roles {
		d.signer.Roles = append(d.signer.Roles, role.OID.String())
	}
	return d
}

// distinct drops messages that were said before: a process run again at another
// time repeats what time does not change.
func distinct(list []Message) []Message {
	out := list[:0]
	for _, m := range list {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}
