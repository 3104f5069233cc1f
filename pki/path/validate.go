package path

import (
	"encoding/asn1"
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// validate is RFC 5280 §6.1 over a path at the time of the request. All rules
// but those of time are checked first, from the anchor down.
//
// Of the anchor, its validity period is not checked (§6.1.1 d takes its name
// and key alone); but unless anchors are bare, one that is a certificate of
// version 3 must be a CA, allowed to sign certificates, and its path length and
// name constraints hold, as RFC 5937 asks: nobody who trusts a person's
// certificate means to make them an issuer.
func (r Request) validate(p *Path) error {
	if p.Anchor == nil {
		return p.noAnchor()
	}
	last := len(p.Certificates) - 1
	policies := newPolicyGraph(r.Policies, last)
	var names nameRules
	if t := p.Anchor.Terms; t != nil {
		if err := t.Check(p.Certificates[0], r.Wanted, r.At); err != nil {
			return fault.Wrap(err, fault.AnchorRestricted, place(last), "hold the path against the terms of its anchor")
		}
		if last > 0 && t.MaxPathLength >= 0 && p.intermediatesBelow(last) > t.MaxPathLength {
			return fault.New(fault.PathTooLong, place(last), "%d CAs follow, the anchor is trusted with %d", p.intermediatesBelow(last), t.MaxPathLength)
		}
		policies.terms(t)
		names.limit(t.Names)
	}
	for i := last; i >= 0; i-- {
		c := p.Certificates[i]
		if i < last {
			if err := p.checkIssued(i); err != nil {
				return err
			}
			// Self-issued certificates are exempt, unless they are the last
			// (§6.1.3 b, c).
			if i == 0 || !c.SelfIssued() {
				if err := names.check(c, i); err != nil {
					return err
				}
			}
			if err := policies.certificate(c, i); err != nil {
				return err
			}
		}
		if r.Strict {
			if err := checkProfile(c, i); err != nil {
				return err
			}
		}
		if i < last || i == 0 || !r.BareAnchors {
			if err := checkReadable(c, i, len(names.from) > 0 || i == 0 && r.Host != ""); err != nil {
				return err
			}
		}
		if i < last || i == 0 || r.Strict {
			if err := checkCritical(c, i); err != nil {
				return err
			}
		}
		if i == 0 {
			break
		}
		if i == last && r.AnchorPolicies {
			if err := policies.anchor(c, i); err != nil {
				return err
			}
		}
		if i == last && r.BareAnchors {
			continue
		}
		if err := p.checkIssuer(i); err != nil {
			return err
		}
		names.add(c)
	}
	leaf := p.Certificates[0]
	if r.Usage != 0 && !allowsAny(leaf, r.Usage) {
		return fault.New(fault.KeyUsageForbidden, place(0), "none of the usages wanted")
	}
	if err := r.checkPurpose(p); err != nil {
		return err
	}
	if r.Host != "" {
		if err := checkHost(leaf, r.Host); err != nil {
			return err
		}
	}
	if r.leaf != nil {
		if err := r.leaf(leaf); err != nil {
			return err
		}
	}
	set, err := policies.wrapUp(leaf)
	if err != nil {
		return err
	}
	if err := p.checkTimes(r.At, r.Strict); err != nil {
		return err
	}
	p.Policies = set
	return nil
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

// checkIssued checks certificate i against the one above it (§6.1.3 a).
func (p *Path) checkIssued(i int) error {
	c, issuer := p.Certificates[i], p.Certificates[i+1]
	if !c.IssuedInNameOf(issuer) {
		return fault.New(fault.ChainBroken, place(i), "its issuer is not the subject above it")
	}
	err, known := p.checks[[2]*cert.Certificate{issuer, c}]
	if !known {
		err = c.VerifySignedBy(issuer)
	}
	if err != nil {
		return fault.Wrap(err, fault.CodeOf(err), place(i), "check the certificate's signature")
	}
	return nil
}

// checkCritical refuses critical extensions that nobody here processes (§6.1.4
// o, §6.1.5 f).
func checkCritical(c *cert.Certificate, i int) error {
	if len(c.UnhandledCritical) > 0 {
		return fault.New(fault.CriticalExtensionUnknown, place(i), "extension %s", c.UnhandledCritical[0])
	}
	return nil
}

// needed are the extensions that validation cannot do without if they are there.
// Policies are not among them: without any, the certificate is good for none,
// which is refused where one is demanded.
var needed = []asn1.ObjectIdentifier{
	cert.OIDKeyUsage, cert.OIDExtKeyUsage, cert.OIDBasicConstraints, cert.OIDNameConstraints,
	cert.OIDPolicyMappings, cert.OIDPolicyConstraints, cert.OIDInhibitAnyPolicy,
}

// checkReadable refuses extensions that cannot be read and that are critical or
// needed; names says that alternative names are.
func checkReadable(c *cert.Certificate, i int, names bool) error {
	for _, m := range c.Malformed {
		if m.Critical || names && m.OID.Equal(cert.OIDSubjectAltName) || slices.ContainsFunc(needed, m.OID.Equal) {
			return fault.New(fault.ExtensionMalformed, place(i), "extension %s", m.OID)
		}
	}
	return nil
}

var oidAnyUsage = asn1.ObjectIdentifier{2, 5, 29, 37, 0}

// checkPurpose holds every certificate that limits its purposes against the
// one wanted, the anchor too unless it is bare.
func (r Request) checkPurpose(p *Path) error {
	if r.Purpose == nil {
		return nil
	}
	for i, c := range p.Certificates {
		if i > 0 && i == len(p.Certificates)-1 && r.BareAnchors {
			break
		}
		silent := len(c.ExtKeyUsage) == 0 && !(r.StrictPurpose && i == 0)
		if !silent && !c.HasExtKeyUsage(r.Purpose) && (r.StrictPurpose || !c.HasExtKeyUsage(oidAnyUsage)) {
			return fault.New(fault.PurposeForbidden, place(i), "extended key usage %s is not listed", r.Purpose)
		}
	}
	return nil
}

// checkTimes checks the validity periods of all but the anchor (§6.1.3 a 2), or
// of the anchor as well. They are in whole seconds, and so is the time.
func (p *Path) checkTimes(at time.Time, anchorToo bool) error {
	at = at.Truncate(time.Second)
	last := max(len(p.Certificates)-2, 0)
	if anchorToo {
		last = len(p.Certificates) - 1
	}
	for i := last; i >= 0; i-- {
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
