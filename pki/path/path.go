package path

import (
	"bytes"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// Path is a chain of certificates, leaf first. Complete paths end with the
// anchor's certificate; a leaf that is itself an anchor is a path of one.
type Path struct {
	Certificates []*cert.Certificate
	Anchor       *trust.Anchor // nil if the chain reaches none
}

// Request is what a path is wanted for.
type Request struct {
	Leaf          *cert.Certificate
	Intermediates []*cert.Certificate // candidates, trusted for nothing
	Anchors       *trust.Store
	At            time.Time

	// Usage lists key usages of which the leaf must allow at least one; 0
	// demands none.
	Usage cert.KeyUsage
}

// Build finds a path that is valid at the time. Where none is, it returns the
// path that comes nearest together with the reason that it fails: one to an
// anchor if there is any, else the longest chain and chain_not_found. Reasons
// of time (certificate_expired, certificate_not_yet_valid) are given only if
// everything else about that path is right.
func Build(r Request) (*Path, error) {
	var nearest *Path
	var reason error
	for _, p := range Prospective(r.Leaf, r.Intermediates, r.Anchors) {
		err := p.Validate(r.At, r.Usage)
		if err == nil {
			return p, nil
		}
		if nearest == nil || isTime(err) && !isTime(reason) {
			nearest, reason = p, err
		}
	}
	return nearest, reason
}

func isTime(err error) bool {
	return fault.Is(err, fault.CertificateExpired) || fault.Is(err, fault.CertificateNotYetValid)
}

// place points at a certificate of the path, the leaf being 0.
func place(i int) string { return fmt.Sprintf("path/%d", i) }

// Validate checks the path at a time, from the anchor down to the leaf. Of the
// anchor, its validity period is not checked (RFC 5280 §6.1.1 d takes its name
// and key alone); but an anchor that is a certificate of version 3 must be a
// CA, allowed to sign certificates, and its path length holds, as RFC 5937
// asks: nobody who trusts a person's certificate means to make them an issuer.
func (p *Path) Validate(at time.Time, usage cert.KeyUsage) error {
	if p.Anchor == nil {
		return fault.New(fault.ChainNotFound, place(len(p.Certificates)-1), "no anchor issued it")
	}
	last := len(p.Certificates) - 1
	for i := last; i > 0; i-- {
		if err := p.checkIssuer(i); err != nil {
			return err
		}
		if err := p.checkIssued(i - 1); err != nil {
			return err
		}
	}
	leaf := p.Certificates[0]
	if last == 0 {
		if err := checkExtensions(leaf, 0); err != nil {
			return err
		}
	}
	if usage != 0 && !allowsAny(leaf, usage) {
		return fault.New(fault.KeyUsageForbidden, place(0), "none of the usages wanted")
	}
	return p.checkTimes(at)
}

// allowsAny reports whether the certificate allows one of the usages.
func allowsAny(c *cert.Certificate, usages cert.KeyUsage) bool {
	for bit := cert.KeyUsageDigitalSignature; bit <= cert.KeyUsageDecipherOnly; bit <<= 1 {
		if usages&bit != 0 && c.Allows(bit) {
			return true
		}
	}
	return false
}

// checkIssuer checks that certificate i may issue the one below it (RFC 5280
// §6.1.4 k-n).
func (p *Path) checkIssuer(i int) error {
	c := p.Certificates[i]
	anchor := i == len(p.Certificates)-1
	switch {
	case !c.IsCA && !(anchor && c.Version < 3):
		return fault.New(fault.NotACA, place(i), "basic constraints do not say CA")
	case !c.Allows(cert.KeyUsageCertSign):
		return fault.New(fault.KeyUsageForbidden, place(i), "the key may not sign certificates")
	case c.MaxPathLen >= 0 && p.intermediatesBelow(i) > c.MaxPathLen:
		return fault.New(fault.PathTooLong, place(i), "%d CAs follow, %d are allowed", p.intermediatesBelow(i), c.MaxPathLen)
	}
	return nil
}

// intermediatesBelow counts the CAs between certificate i and the leaf,
// self-issued ones excepted (RFC 5280 §4.2.1.9).
func (p *Path) intermediatesBelow(i int) int {
	n := 0
	for _, c := range p.Certificates[1:i] {
		if !c.SelfIssued() {
			n++
		}
	}
	return n
}

// checkIssued checks certificate i against the one above it.
func (p *Path) checkIssued(i int) error {
	c, issuer := p.Certificates[i], p.Certificates[i+1]
	if !bytes.Equal(c.RawIssuer, issuer.RawSubject) {
		return fault.New(fault.ChainBroken, place(i), "its issuer is not the subject above it")
	}
	if err := c.VerifySignedBy(issuer); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), place(i), "check the certificate's signature")
	}
	return checkExtensions(c, i)
}

// constraining are extensions that change which paths are valid. They are
// refused even where they are not critical: they ought to be, and passing over
// them would accept what the CA excluded.
var constraining = map[string]fault.Code{
	cert.OIDNameConstraints.String():   fault.NameConstraintsNotSupported,
	cert.OIDPolicyConstraints.String(): fault.PolicyNotSupported,
	cert.OIDInhibitAnyPolicy.String():  fault.PolicyNotSupported,
}

// constrainingIfCritical have no effect as long as no policy is demanded,
// unless the CA insists that they be processed.
var constrainingIfCritical = map[string]fault.Code{
	cert.OIDPolicyMappings.String():      fault.PolicyNotSupported,
	cert.OIDCertificatePolicies.String(): fault.PolicyNotSupported,
}

// checkExtensions refuses what the package would have to process and cannot.
func checkExtensions(c *cert.Certificate, i int) error {
	for _, e := range c.Extensions {
		code, refused := constraining[e.OID.String()]
		if !refused && e.Critical {
			code, refused = constrainingIfCritical[e.OID.String()]
		}
		if refused {
			return fault.New(code, place(i), "extension %s", e.OID)
		}
	}
	if len(c.UnhandledCritical) > 0 {
		return fault.New(fault.CriticalExtensionUnknown, place(i), "extension %s", c.UnhandledCritical[0])
	}
	return nil
}

// checkTimes checks the validity periods of all but the anchor.
func (p *Path) checkTimes(at time.Time) error {
	for i := max(len(p.Certificates)-2, 0); i >= 0; i-- {
		c := p.Certificates[i]
		if at.Before(c.NotBefore) {
			return fault.New(fault.CertificateNotYetValid, place(i), "valid from %s", c.NotBefore.Format(time.RFC3339))
		}
		if at.After(c.NotAfter) {
			return fault.New(fault.CertificateExpired, place(i), "valid until %s", c.NotAfter.Format(time.RFC3339))
		}
	}
	return nil
}
