package verifier

import (
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

// checkFormat is format checking (§5.2.2): what RFC 5652 and EN 319 122-1 say a
// message must be.
func (j *judgement) checkFormat(s *facts.Signature) *block {
	b := j.arena.block(blockFormat)
	for _, d := range s.Defects {
		b.fail("format_rules", FormatFailure, d)
	}
	for _, f := range s.Findings {
		b.warn("format_advice", f)
	}
	if b.passed() {
		b.pass("format_rules", "")
	}
	return b
}

// identify is identification of the signing certificate (§5.2.3). A protected
// reference decides if there is one; else the certificate that the format's own
// identifier names, and among several of one name the one whose key made the
// value. Which of them may sign is not asked here. Without a reference nothing
// protects the choice, and the policy says whether it may stand.
func (j *judgement) identify(s *facts.Signature, use usage) (*facts.Candidate, *block) {
	b := j.arena.block(blockIdentification)
	if len(s.Candidates) == 0 {
		b.doubt("signing_certificate_found", NoSigningCertificate, finding(fault.SignerCertificateMissing, "no certificate that the signature names was found"))
		return nil, b
	}
	chosen := choose(s)
	if chosen == nil {
		b.doubt("reference_matches", NoSigningCertificate, finding(fault.SignerReferenceMismatch, "the protected reference names none of the certificates found"))
		return nil, b
	}
	b.pass("signing_certificate_found", chosen.Certificate)
	switch {
	case len(s.References) > 0:
		b.pass("reference_matches", "")
	case s.ReferenceDefect == nil:
		b.apply(j.referenceDemanded(use), "reference_present", NoSigningCertificate, finding(fault.SignerReferenceAbsent, ""))
	}
	if chosen.IssuerSerialDiffer {
		b.apply(j.policy.Signature.IssuerSerial, "reference_issuer_serial_matches", NoSigningCertificate, finding(fault.SignerReferenceMismatch, "the reference's digest matches, its issuer and serial number do not"))
	}
	if !chosen.Named {
		b.doubt("identifier_matches", NoSigningCertificate, finding(fault.SignerReferenceMismatch, "the signer identifier names another certificate than the protected reference"))
	}
	return chosen, b
}

func choose(s *facts.Signature) *facts.Candidate {
	var chosen *facts.Candidate
	for i := range s.Candidates {
		c := &s.Candidates[i]
		if len(s.References) > 0 && !c.Referenced {
			continue
		}
		if chosen == nil || !chosen.Verified && c.Verified {
			chosen = c
		}
	}
	return chosen
}

// unjudged are the attributes that carry more than is looked at here.
var unjudged = map[string]string{
	cms.OIDEvidenceRecordInternal.String(): "internal evidence-record",
	cms.OIDEvidenceRecordExternal.String(): "external evidence-record",
}

// initialise is validation context initialisation (§5.2.4): the policy is the
// one that was asked for; one that the signature names is not processed. What
// the signature carries beyond is named, and never counted.
func (j *judgement) initialise(s *facts.Signature) *block {
	b := j.arena.block(blockContext)
	b.pass("validation_policy", j.policy.Name)
	if p := s.Policy; p != nil && !p.Implied {
		f := finding(fault.AttributeNotJudged, p.OID)
		sub := PolicyNotAvailable
		if p.Defect != nil {
			f, sub = *p.Defect, PolicyProcessingError
		}
		b.apply(j.policy.Signature.SignaturePolicy, "signature_policy_available", sub, f)
	}
	for i := range s.UnsignedAttributes {
		if name, ok := unjudged[s.UnsignedAttributes[i].OID]; ok {
			b.warn("attribute_judged", finding(fault.LongTermNotJudged, name))
		}
	}
	return b
}

// checkCryptography is cryptographic verification (§5.2.7): the data is there,
// intact, and the value holds with the signing certificate's key. An algorithm
// that this program lacks leaves the verdict open: it proves nothing.
func (j *judgement) checkCryptography(s *facts.Signature, signer *facts.Candidate) *block {
	b := j.arena.block(blockCryptographic)
	for i := range s.Covers {
		c := &s.Covers[i]
		switch {
		case !c.Found:
			b.doubt("signed_data_found", SignedDataNotFound, finding(fault.ContentMissing, c.Name))
		case c.Code != "":
			b.doubt("signed_data_intact", CryptoConstraintsNoPOE, finding(c.Code, c.Algorithm))
		case !c.Intact:
			b.fail("signed_data_intact", HashFailure, finding(fault.DigestMismatch, c.Name))
		default:
			b.pass("signed_data_intact", c.Name)
		}
	}
	if !b.passed() {
		return b
	}
	const name = "signature_value"
	switch {
	case signer.Verified:
		b.pass(name, s.SignatureAlgorithm.Name)
		if signer.Form == string(cms.OverDER) {
			b.apply(j.policy.Signature.AttributesInDER, "attributes_in_der", SigConstraintsFailure, finding(fault.AttributesNotDER, ""))
		}
	case signer.Code == fault.AlgorithmUnsupported:
		b.doubt(name, CryptoConstraintsNoPOE, finding(signer.Code, s.SignatureAlgorithm.Name))
	default:
		b.fail(name, SigCryptoFailure, finding(signer.Code, s.SignatureAlgorithm.Name))
	}
	return b
}

// acceptance is signature acceptance validation (§5.2.8) with the algorithms
// that stand against the signature.
type acceptance struct {
	*block
	weak []weakness
}

// accept is signature acceptance validation (§5.2.8): the policy's constraints
// on the signature itself and on its algorithms.
func (j *judgement) accept(s *facts.Signature, object facts.Object, signer *cert.Certificate, use usage, c moment, level string) acceptance {
	a := acceptance{block: j.arena.block(blockAcceptance)}
	a.constraints = make([]Constraint, 0, 6)
	j.checkReference(a.block, s)
	if use == forSigning {
		j.checkAttributes(a.block, s, signer, level)
	}
	j.checkSignatureAlgorithms(&a, s, object, signer, use, c)
	return a
}

// referenceDemanded is what the policy makes of a signature without the
// signing-certificate attribute.
func (j *judgement) referenceDemanded(use usage) Level {
	if use == forTimestamping {
		return j.policy.Timestamps.SigningCertificateReference
	}
	return j.policy.Signature.SigningCertificateReference
}

// checkReference refuses a signing-certificate attribute that cannot be used.
func (j *judgement) checkReference(b *block, s *facts.Signature) {
	const name = "signing_certificate_reference"
	switch {
	case s.ReferenceDefect != nil:
		b.doubt(name, SigConstraintsFailure, *s.ReferenceDefect)
	case len(s.References) > 0:
		b.pass(name, "")
	}
}

// checkAttributes holds the level and the claimed time against the policy.
func (j *judgement) checkAttributes(b *block, s *facts.Signature, signer *cert.Certificate, level string) {
	r := &j.policy.Signature
	if level != "" {
		r.Levels.judge(b, "signature_level", SigConstraintsFailure, finding(fault.SignatureLevelRefused, level), func(wanted string) bool { return wanted == level })
	}
	switch {
	case s.ClaimedTime == nil:
		b.apply(r.SigningTime, "signing_time", SigConstraintsFailure, finding(fault.SigningTimeMissing, ""))
	case !signer.Covers(*s.ClaimedTime):
		b.apply(r.SigningTimeInValidity, "signing_time_in_validity", SigConstraintsFailure, finding(fault.SigningTimeOutside, formatTime(*s.ClaimedTime)))
	}
}

// checkSignatureAlgorithms holds the algorithms of the signature against the
// policy: its digest, its value's algorithm, and the signing key. The digest of a
// reference only picks among certificates that are checked on their own:
// ESSCertID is SHA-1 by definition (RFC 2634).
func (j *judgement) checkSignatureAlgorithms(a *acceptance, s *facts.Signature, object facts.Object, signer *cert.Certificate, use usage, c moment) {
	purpose := forSignature
	if use == forTimestamping {
		purpose = forToken
	}
	before := len(a.constraints)
	j.checkUse(a.block, &a.weak, "digest_algorithm", algorithmUse{purpose, object, digestNamed(s.DigestAlgorithm.Name), keyOf(signer)}, c)
	for _, list := range s.References {
		if list[0].Version > 1 && list[0].Algorithm.Name != s.DigestAlgorithm.Name {
			j.checkUse(a.block, &a.weak, "reference_digest_algorithm", algorithmUse{purpose: purpose, material: object, digest: digestNamed(list[0].Algorithm.Name)}, c)
		}
	}
	if len(a.constraints) == before {
		a.pass("cryptographic_constraints", s.SignatureAlgorithm.Name)
	}
}

// unknownDigest is in no policy.
var unknownDigest = &algo.Digest{Name: "an algorithm that is not known"}

func digestNamed(name string) *algo.Digest {
	if d, err := algo.DigestByName(name); err == nil {
		return d
	}
	return unknownDigest
}
