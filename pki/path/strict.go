package path

import (
	"encoding/asn1"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// profileRule is something that RFC 5280 §4 demands of a certificate.
type profileRule struct {
	broken func(c *cert.Certificate) bool
	what   string
}

// profile lists what conforming CAs must do. Path validation does not depend on
// any of it, and many real CAs break one or the other; who wants such
// certificates refused asks for it.
var profile = []profileRule{
	{func(c *cert.Certificate) bool { return c.Serial.Sign() <= 0 || c.Serial.BitLen() > 160 }, "the serial number is not positive and of at most 20 bytes (§4.1.2.2)"},
	{func(c *cert.Certificate) bool { return c.IsCA && len(c.Subject.RDNs) == 0 }, "a CA without a subject (§4.1.2.6)"},
	{func(c *cert.Certificate) bool { return len(c.Issuer.RDNs) == 0 }, "no issuer (§4.1.2.4)"},
	{critical(cert.OIDAuthorityKeyID), "the authority key identifier is critical (§4.2.1.1)"},
	{func(c *cert.Certificate) bool { return !c.SelfIssued() && len(c.AuthorityKeyID) == 0 }, "no authority key identifier (§4.2.1.1)"},
	{critical(cert.OIDSubjectKeyID), "the subject key identifier is critical (§4.2.1.2)"},
	{func(c *cert.Certificate) bool { return c.IsCA && len(c.SubjectKeyID) == 0 }, "a CA without a subject key identifier (§4.2.1.2)"},
	{func(c *cert.Certificate) bool { return !c.IsCA && c.KeyUsage&cert.KeyUsageCertSign != 0 }, "no CA, and its key may sign certificates (§4.2.1.9)"},
	{func(c *cert.Certificate) bool { return c.IsCA && notCritical(c, cert.OIDBasicConstraints) }, "the basic constraints of a CA are not critical (§4.2.1.9)"},
	{func(c *cert.Certificate) bool { return !c.IsCA && c.MaxPathLen >= 0 }, "a path length, and no CA (§4.2.1.9)"},
	{func(c *cert.Certificate) bool {
		return len(c.Subject.RDNs) == 0 && notCritical(c, cert.OIDSubjectAltName)
	}, "no subject, and the alternative names are not critical (§4.2.1.6)"},
	{func(c *cert.Certificate) bool { return len(c.Subject.RDNs) == 0 && len(c.AltNames) == 0 }, "no subject and no alternative names (§4.1.2.6)"},
	{malformedNames, "an alternative name is not in the form it must have (§4.2.1.6)"},
	{func(c *cert.Certificate) bool { return notCritical(c, cert.OIDNameConstraints) }, "name constraints are not critical (§4.2.1.10)"},
	{func(c *cert.Certificate) bool { return c.NameConstraints != nil && !c.IsCA }, "name constraints, and no CA (§4.2.1.10)"},
	{func(c *cert.Certificate) bool { return len(c.Malformed) > 0 }, "an extension is malformed (§4.2)"},
	{malformedConstraints, "name constraints are empty, or one is not in the form it must have (§4.2.1.10)"},
	{func(c *cert.Certificate) bool { return notCritical(c, cert.OIDPolicyConstraints) }, "policy constraints are not critical (§4.2.1.11)"},
	{func(c *cert.Certificate) bool { return notCritical(c, cert.OIDInhibitAnyPolicy) }, "the inhibition of anyPolicy is not critical (§4.2.1.14)"},
	{critical(cert.OIDAuthorityInfoAccess), "authority information access is critical (§4.2.2.1)"},
}

func critical(oid asn1.ObjectIdentifier) func(*cert.Certificate) bool {
	return func(c *cert.Certificate) bool {
		e, present := c.Extension(oid)
		return present && e.Critical
	}
}

func notCritical(c *cert.Certificate, oid asn1.ObjectIdentifier) bool {
	e, present := c.Extension(oid)
	return present && !e.Critical
}

// checkProfile holds certificate i against the profile; certificates of version
// 1 have nothing to hold.
func checkProfile(c *cert.Certificate, i int) error {
	if c.Version < 3 {
		return nil
	}
	for _, rule := range profile {
		if rule.broken(c) {
			return fault.New(fault.ProfileBroken, place(i), "%s", rule.what)
		}
	}
	return nil
}

func malformedNames(c *cert.Certificate) bool {
	for _, n := range c.AltNames {
		host := strings.TrimPrefix(string(n.Value), "*.")
		switch n.Kind {
		case cert.DNSName:
			if !isHost(host) || strings.Contains(host, "_") {
				return true
			}
		case cert.IPAddress:
			if len(n.Value) != 4 && len(n.Value) != 16 {
				return true
			}
		case cert.EmailName:
			if _, ok := matchEmail(n.Value, nil, false); !ok {
				return true
			}
		}
	}
	return false
}

func malformedConstraints(c *cert.Certificate) bool {
	nc := c.NameConstraints
	if nc == nil {
		return false
	}
	for _, list := range [][]cert.Subtree{nc.Permitted, nc.Excluded} {
		for _, s := range list {
			if s.Bounded || s.Base.Kind == cert.DNSName && len(s.Base.Value) > 0 && !isHost(string(s.Base.Value)) {
				return true
			}
		}
	}
	return len(nc.Permitted)+len(nc.Excluded) == 0
}
