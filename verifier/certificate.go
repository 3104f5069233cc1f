package verifier

import (
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier/facts"
)

// usage is what a signature's certificate must be good for.
type usage int

const (
	forSigning usage = iota
	forTimestamping
)

var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// certification is the outcome of X.509 certificate validation.
type certification struct {
	*block
	certificates []*cert.Certificate // leaf first; empty if no path to an anchor was found
	evidence     []string            // IDs of the revocation information that decided
	revokedAt    time.Time           // of the first certificate found revoked
	weak         []weakness          // if only algorithms stand against the path
}

// pathReasons are the standard's names for the reasons of pki/path. Any other
// reason is a rule of RFC 5280 that the path breaks.
var pathReasons = map[fault.Code]SubIndication{
	fault.ChainNotFound:          NoCertificateChain,
	fault.CertificateExpired:     OutOfBoundsNoPOE,
	fault.CertificateNotYetValid: OutOfBoundsNoPOE,
	fault.AlgorithmUnsupported:   CryptoConstraintsNoPOE,
}

func reasonOf(err error) SubIndication {
	if sub, known := pathReasons[fault.CodeOf(err)]; known {
		return sub
	}
	return CertificateChainFailure
}

// question is what certify depends on besides the judgement.
type question struct {
	leaf *cert.Certificate
	use  usage
	moment
}

// validateCertificate is X.509 certificate validation (§5.2.6) at a time: a path
// to an anchor, the revocation status of everything below the anchor, and the
// policy's constraints on the certificates.
//
// A revoked certificate is reported before one outside its validity, and both
// before what is only unknown.
//
// Each question is answered once per judgement: hundreds of signers, or tokens,
// of one certificate cost one search. Where something was proven since, the
// answer may be another.
func (j *judgement) validateCertificate(leaf *cert.Certificate, use usage, c moment) certification {
	if c.proofs != nil {
		return j.certify(leaf, use, c)
	}
	key := question{leaf, use, c}
	for i := range j.certified {
		if j.certified[i].question == key {
			return j.certified[i].certification
		}
	}
	found := j.certify(leaf, use, c)
	if len(j.certified) < certifiedMax {
		j.certified = append(j.certified, certifiedBefore{key, found})
	}
	return found
}

// certifiedMax bounds the answers that are kept: more than the signers and
// authorities of one document, and few enough to be looked through.
const certifiedMax = 64

func (j *judgement) certify(leaf *cert.Certificate, use usage, at moment) certification {
	c := certification{block: j.arena.block(blockCertificate)}
	found, err := j.session.build(leaf, j.pool, j.anchors, at.at)
	outOfBounds := reasonOf(err) == OutOfBoundsNoPOE
	if err != nil && !outOfBounds {
		c.doubt("prospective_certificate_chain", reasonOf(err), facts.FindingOf(err))
		if !leaf.Covers(at.at) { // decides nothing here, and explains much
			c.warn("validity_period", finding(validityCode(leaf, at.at), validityOf(leaf)))
		}
		return c
	}
	c.certificates = found.Certificates
	c.constraints = make([]Constraint, 0, 8)
	// A signer that is an anchor is trusted as it is: its own validity is no part
	// of path validation (RFC 5280 §6.1.1 d).
	outOfBounds = outOfBounds && len(found.Certificates) > 1
	c.pass("prospective_certificate_chain", found.Certificates[len(found.Certificates)-1].Subject.First(oidCommonName))
	j.judgePath(&c, use, at, outOfBounds, err)
	j.checkSigner(c.block, leaf, use)
	j.checkPathAlgorithms(c.block, &c.weak, c.certificates, at)
	return c
}

// judgePath looks at the status and the validity of every certificate below the
// anchor (§5.2.6.4, steps 3 and 4).
func (j *judgement) judgePath(c *certification, use usage, at moment, outOfBounds bool, timeError error) {
	var unknown []certificateStatus
	leafGood := false
	for i, issued := range c.certificates[:len(c.certificates)-1] {
		level := j.policy.Revocation.demand(use, i > 0)
		if level == Ignore {
			continue
		}
		if needsNoStatus(issued) {
			c.pass("revocation_not_provided", issued.SerialHex())
			leafGood = leafGood || i == 0
			continue
		}
		status := j.statusOf(issued, c.certificates[i+1], at)
		switch {
		case status.weak != nil:
			c.apply(level, "revocation_algorithm", status.sub, status.unknown)
			if level == Fail {
				until, _, _ := j.until(*status.weak)
				c.weak = append(c.weak, weakness{status.weak.material, until})
			}
		case status.answer == nil && level == Fail:
			unknown = append(unknown, status)
		case status.answer == nil:
			c.apply(level, "revocation_status_known", status.sub, status.unknown)
		default:
			j.judgeStatus(c, status, issued, i, at.at)
			leafGood = leafGood || i == 0 && !status.revokedBy(at.at)
		}
	}
	if outOfBounds {
		sub := OutOfBoundsNoPOE
		if leafGood && !c.certificates[0].Covers(at.at) {
			sub = OutOfBoundsNotRevoked
		}
		c.doubt("validity_period", sub, facts.FindingOf(timeError))
	}
	for _, status := range unknown {
		c.doubt("revocation_status_known", status.sub, status.unknown)
	}
}

var (
	oidNoRevocationAvailable = asn1.ObjectIdentifier{2, 5, 29, 56}
	oidValidityAssured       = asn1.ObjectIdentifier{0, 4, 0, 194121, 2, 1}
)

// needsNoStatus reports a certificate whose CA says that it gives no revocation
// information about it: noRevAvail (RFC 9608), or the validity-assured short-term
// certificates of EN 319 412-1 §5.2. Neither may be a CA's.
func needsNoStatus(c *cert.Certificate) bool {
	if c.IsCA {
		return false
	}
	for i := range c.Extensions {
		if oid := c.Extensions[i].OID; oid.Equal(oidNoRevocationAvailable) || oid.Equal(oidValidityAssured) {
			return true
		}
	}
	return false
}

// demand is how much the status of a certificate matters.
func (r *RevocationRules) demand(use usage, ca bool) Level {
	switch {
	case use == forTimestamping && ca:
		return r.TimestampCA
	case use == forTimestamping:
		return r.Timestamp
	case ca:
		return r.CA
	}
	return r.Signer
}

// judgeStatus notes what is known about a certificate.
func (j *judgement) judgeStatus(c *certification, status certificateStatus, issued *cert.Certificate, depth int, at time.Time) {
	const name = "certificate_not_revoked"
	c.evidence = append(c.evidence, status.answer.id)
	since := status.answer.RevokedAt
	switch {
	case status.revokedBy(at) && status.onHold():
		c.doubt("certificate_not_on_hold", TryLater, finding(fault.CertificateRevoked, issued.SerialHex()+": on hold since "+formatTime(since)))
	case status.revokedBy(at):
		sub := RevokedNoPOE
		if depth > 0 {
			sub = RevokedCANoPOE
		}
		if c.revokedAt.IsZero() {
			c.revokedAt = since
		}
		c.doubt(name, sub, finding(fault.CertificateRevoked, issued.SerialHex()+": since "+formatTime(since)))
	case !since.IsZero():
		c.pass(name, issued.SerialHex()+": revoked only on "+formatTime(since))
	default:
		c.pass(name, status.answer.asOf)
	}
}

// checkPathAlgorithms holds the algorithms of the certificates below the anchor
// against the policy: the digest in each signature, and the key that made it.
// The leaf's own key is held in signature acceptance.
func (j *judgement) checkPathAlgorithms(b *block, weak *[]weakness, certificates []*cert.Certificate, at moment) {
	before := len(b.errors)
	for i, issued := range certificates[:len(certificates)-1] {
		u, err := j.certificateUse(issued, certificates[i+1])
		if err != nil {
			b.doubt("certificate_algorithm", CryptoConstraintsNoPOE, facts.FindingOf(err))
			continue
		}
		j.checkUse(b, weak, "certificate_algorithm", u, at)
	}
	if len(b.errors) == before && len(certificates) > 1 {
		b.pass("certificate_algorithm", "")
	}
}

// certificateUse is the use of algorithms in a certificate's signature.
func (j *judgement) certificateUse(issued, issuer *cert.Certificate) (algorithmUse, error) {
	row, err := algo.SignatureByIdentifier(issued.SignatureAlgorithm, nil)
	if err != nil {
		return algorithmUse{}, err
	}
	return algorithmUse{forCertificate, facts.Object{Kind: facts.CertificateObject, ID: j.id(issued)}, row.Digest, keyOf(issuer)}, nil
}

// validityCode names the side on which a time lies outside a validity period.
func validityCode(c *cert.Certificate, at time.Time) fault.Code {
	if at.Before(c.NotBefore) {
		return fault.CertificateNotYetValid
	}
	return fault.CertificateExpired
}

func validityOf(c *cert.Certificate) string {
	return fmt.Sprintf("%s … %s", formatTime(c.NotBefore), formatTime(c.NotAfter))
}
