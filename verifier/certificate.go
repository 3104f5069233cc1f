package verifier

import (
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/tsp"
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
}

// pathReasons are the standard's names for the reasons of pki/path. Any other
// reason is a rule of RFC 5280 that the path breaks.
var pathReasons = map[fault.Code]SubIndication{
	fault.ChainNotFound:          NoCertificateChain,
	fault.CertificateExpired:     OutOfBoundsNoPOE,
	fault.CertificateNotYetValid: OutOfBoundsNoPOE,
	fault.AlgorithmUnsupported:   CryptoConstraintsNoPOE,
}

// validateCertificate is X.509 certificate validation (§5.2.6) at a time: a path
// to an anchor, the revocation status of everything below the anchor, and the
// policy's constraints on the certificates.
//
// A revoked certificate is reported before one outside its validity, and both
// before what is only unknown.
//
// Each question is answered once per judgement: hundreds of signers, or tokens,
// of one certificate cost one search.
func (j *judgement) validateCertificate(leaf *cert.Certificate, use usage, at time.Time) certification {
	key := question{leaf, use, at}
	c, known := j.certified[key]
	if !known {
		c = j.certify(leaf, use, at)
		j.certified[key] = c
	}
	return c
}

// question is what certify depends on besides the judgement.
type question struct {
	leaf *cert.Certificate
	use  usage
	at   time.Time
}

func (j *judgement) certify(leaf *cert.Certificate, use usage, at time.Time) certification {
	c := certification{block: &block{name: blockCertificate}}
	request := j.session.request(leaf, j.pool, j.anchors)
	request.At = at
	found, err := path.Build(request)
	code := fault.CodeOf(err)
	outOfBounds := pathReasons[code] == OutOfBoundsNoPOE
	if err != nil && !outOfBounds {
		sub, known := pathReasons[code]
		if !known {
			sub = CertificateChainFailure
		}
		c.doubt("path_valid", sub, facts.FindingOf(err))
		if !leaf.Covers(at) { // decides nothing here, and explains much
			c.warn("validity_period", finding(validityCode(leaf, at), fmt.Sprintf("%s … %s", formatTime(leaf.NotBefore), formatTime(leaf.NotAfter))))
		}
		return c
	}
	c.certificates = found.Certificates
	if !outOfBounds {
		c.pass("path_valid", fmt.Sprintf("%d certificates", len(found.Certificates)))
	}
	unknown := j.checkRevocation(&c, at)
	if outOfBounds {
		c.doubt("validity_period", OutOfBoundsNoPOE, facts.FindingOf(err))
	}
	if unknown != nil {
		c.doubt("revocation_known", TryLater, *unknown)
	}
	j.checkUse(c.block, leaf, use)
	for i, issued := range c.certificates[:len(c.certificates)-1] {
		j.policy.Cryptography.checkCertificate(c.block, issued, c.certificates[i+1])
	}
	return c
}

// validityCode names the side on which a time lies outside a validity period.
func validityCode(c *cert.Certificate, at time.Time) fault.Code {
	if at.Before(c.NotBefore) {
		return fault.CertificateNotYetValid
	}
	return fault.CertificateExpired
}

// checkRevocation looks up every certificate below the anchor. A revocation
// before the time is noted in the block; what could not be found out is
// returned.
func (j *judgement) checkRevocation(c *certification, at time.Time) (unknown *facts.Finding) {
	const name = "not_revoked"
	for i, issued := range c.certificates[:len(c.certificates)-1] {
		status := j.statusOf(issued, c.certificates[i+1], at)
		switch {
		case status.unknown != nil:
			if unknown == nil {
				unknown = status.unknown
			}
		case status.revoked && status.onHold:
			c.doubt(name, TryLater, finding(fault.CertificateRevoked, fmt.Sprintf("%s: on hold since %s", issued.SerialHex(), formatTime(status.since))))
		case status.revoked:
			sub := RevokedNoPOE
			if i > 0 {
				sub = RevokedCANoPOE
			}
			c.doubt(name, sub, finding(fault.CertificateRevoked, fmt.Sprintf("%s: since %s", issued.SerialHex(), formatTime(status.since))))
		case !status.since.IsZero():
			c.pass(name, fmt.Sprintf("%s: revoked only on %s", issued.SerialHex(), formatTime(status.since)))
		default:
			c.pass(name, fmt.Sprintf("%s: as of %s", issued.SerialHex(), formatTime(status.asOf)))
		}
		if status.evidence != "" {
			c.evidence = append(c.evidence, status.evidence)
		}
	}
	return unknown
}

// checkUse holds the leaf against what it was used for.
func (j *judgement) checkUse(b *block, leaf *cert.Certificate, use usage) {
	if use == forTimestamping {
		if err := tsp.CheckAuthority(leaf); err != nil {
			b.doubt("extended_key_usage", ChainConstraintsFailure, facts.FindingOf(err))
			return
		}
		b.pass("extended_key_usage", "timeStamping")
		return
	}
	const signing = cert.KeyUsageDigitalSignature | cert.KeyUsageNonRepudiation
	if leaf.KeyUsage&signing != signing {
		b.apply(j.policy.SigningKeyUsage, "key_usage", ChainConstraintsFailure, finding(fault.KeyUsageNotSigning, "digitalSignature and nonRepudiation are not both set"))
		return
	}
	b.pass("key_usage", "digitalSignature, nonRepudiation")
}

// checkCertificate holds the algorithms of one certificate below the anchor
// against the policy: the digest in its signature, and its issuer's key. The
// leaf's own key is held in signature acceptance.
func (c Cryptography) checkCertificate(b *block, issued, issuer *cert.Certificate) {
	row, err := algo.SignatureByIdentifier(issued.SignatureAlgorithm, nil)
	if err != nil {
		b.doubt("certificate_algorithm", CryptoConstraintsNoPOE, facts.FindingOf(err))
		return
	}
	if !c.allowsDigest(row.Digest.Name) {
		b.doubt("certificate_algorithm", CryptoConstraintsNoPOE, finding(fault.AlgorithmForbidden, row.Name))
	}
	c.checkKey(b, issuer)
}
