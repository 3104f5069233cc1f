package verifier

import (
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

// checkFormat is format checking (§5.2.2): what RFC 5652 and EN 319 122-1 say a
// message must be.
func checkFormat(s *facts.Signature) *block {
	b := &block{name: blockFormat}
	for _, d := range s.Defects {
		b.fail("format_rules", FormatFailure, d)
	}
	if b.passed() {
		b.pass("format_rules", "")
	}
	return b
}

// identify is identification of the signing certificate (§5.2.3). A protected
// reference decides if there is one; else the certificate that the format's own
// identifier names, and among several of one name the one whose key made the
// value. Which of them may sign is not asked here.
func identify(s *facts.Signature) (*facts.Candidate, *block) {
	b := &block{name: blockIdentification}
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
	if len(s.References) > 0 {
		b.pass("reference_matches", "")
	}
	if chosen.IssuerSerialDiffer {
		b.warn("reference_issuer_serial_matches", finding(fault.SignerReferenceMismatch, "the reference's digest matches, its issuer and serial number do not"))
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
var unjudged = map[string]struct {
	name string
	code fault.Code
}{
	cms.OIDSignaturePolicy.String():        {"signature-policy-identifier", fault.AttributeNotJudged},
	cms.OIDContentTimestamp.String():       {"content-time-stamp", fault.AttributeNotJudged},
	cms.OIDCounterSignature.String():       {"countersignature", fault.AttributeNotJudged},
	cms.OIDCertificateRefs.String():        {"complete-certificate-references", fault.LongTermNotJudged},
	cms.OIDRevocationRefs.String():         {"complete-revocation-references", fault.LongTermNotJudged},
	cms.OIDCertificateValues.String():      {"certificate-values", fault.LongTermNotJudged},
	cms.OIDRevocationValues.String():       {"revocation-values", fault.LongTermNotJudged},
	cms.OIDCAdESCTimestamp.String():        {"CAdES-C-time-stamp", fault.LongTermNotJudged},
	cms.OIDReferencesTimestamp.String():    {"time-stamped-certs-crls-references", fault.LongTermNotJudged},
	cms.OIDArchiveTimestampV1.String():     {"archive-time-stamp (version 1)", fault.LongTermNotJudged},
	cms.OIDArchiveTimestampV2.String():     {"archive-time-stamp-v2", fault.LongTermNotJudged},
	cms.OIDArchiveTimestampV3.String():     {"archive-time-stamp-v3", fault.LongTermNotJudged},
	cms.OIDLongTermValidation.String():     {"long-term-validation", fault.LongTermNotJudged},
	cms.OIDEvidenceRecordInternal.String(): {"internal evidence-record", fault.LongTermNotJudged},
	cms.OIDEvidenceRecordExternal.String(): {"external evidence-record", fault.LongTermNotJudged},
}

// initialise is validation context initialisation (§5.2.4): the policy is the
// one that was asked for. What the signature carries beyond it is named, and
// never counted.
func initialise(s *facts.Signature, p Policy) *block {
	b := &block{name: blockContext}
	b.pass("validation_policy", p.Name)
	for _, set := range [][]facts.Attribute{s.SignedAttributes, s.UnsignedAttributes} {
		for _, a := range set {
			if u, ok := unjudged[a.OID]; ok {
				b.warn("attribute_judged", finding(u.code, u.name))
			}
		}
	}
	return b
}

// checkCryptography is cryptographic verification (§5.2.7): the data is there,
// intact, and the value holds with the signing certificate's key. An algorithm
// that this program lacks leaves the verdict open: it proves nothing.
func checkCryptography(s *facts.Signature, signer *facts.Candidate) *block {
	b := &block{name: blockCryptographic}
	for _, c := range s.Covers {
		switch {
		case !c.Found:
			b.doubt("signed_data_found", SignedDataNotFound, finding(fault.ContentMissing, c.Name))
		case c.Code != "":
			b.doubt("signed_data_intact", CryptoConstraintsNoPOE, finding(c.Code, c.Algorithm))
		case !c.Intact:
			b.fail("signed_data_intact", HashFailure, finding(fault.DigestMismatch, c.Name))
		default:
			b.pass("signed_data_intact", c.Name+" "+c.Algorithm)
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
			b.warn("attributes_in_der", finding(fault.AttributesNotDER, ""))
		}
	case signer.Code == fault.AlgorithmUnsupported:
		b.doubt(name, CryptoConstraintsNoPOE, finding(signer.Code, s.SignatureAlgorithm.Name))
	default:
		b.fail(name, SigCryptoFailure, finding(signer.Code, s.SignatureAlgorithm.Name))
	}
	return b
}

// accept is signature acceptance validation (§5.2.8): the policy's constraints
// on the signature itself and on its algorithms. A time-stamp token must refer
// to its certificate whatever the policy (RFC 3161 §2.4.2).
func accept(s *facts.Signature, signer *cert.Certificate, p Policy, use usage) *block {
	b := &block{name: blockAcceptance}
	const reference = "signing_certificate_reference"
	if use == forTimestamping {
		p.SigningCertificateReference = Fail
	}
	switch {
	case s.ReferenceDefect != nil:
		b.doubt(reference, SigConstraintsFailure, *s.ReferenceDefect)
	case len(s.References) == 0:
		b.apply(p.SigningCertificateReference, reference, SigConstraintsFailure, finding(fault.SignerReferenceAbsent, ""))
	default:
		b.pass(reference, "")
	}
	used := []string{s.DigestAlgorithm.Name}
	for _, list := range s.References {
		used = append(used, list[0].Algorithm.Name)
	}
	for i, name := range used {
		// The digest of a reference only picks among certificates that are
		// checked on their own: ESSCertID is SHA-1 by definition (RFC 2634).
		if i > 0 && s.References[i-1][0].Version == 1 {
			continue
		}
		if !p.Cryptography.allowsDigest(name) {
			b.doubt("digest_algorithm", CryptoConstraintsNoPOE, finding(fault.AlgorithmForbidden, name))
		}
	}
	p.Cryptography.checkKey(b, signer)
	if b.passed() {
		b.pass("cryptographic_constraints", fmt.Sprintf("%s, %s", s.DigestAlgorithm.Name, s.SignatureAlgorithm.Name))
	}
	return b
}
