package path

import (
	"encoding/asn1"
	"maps"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// need is what a certificate is wanted for by name.
type need struct {
	keyUsage cert.KeyUsage         // one of these
	purpose  asn1.ObjectIdentifier // where the certificate limits its purposes
	leaf     func(*cert.Certificate) error
}

// usages by name. NUC RK's GOST certificates serve signing and authentication
// by key usage alone; their extended key usages are roles.
var usages = map[string]need{
	"any":          {},
	"sign":         {keyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageNonRepudiation},
	"authenticate": {keyUsage: cert.KeyUsageDigitalSignature, purpose: cert.OIDUsageClientAuth},
	"ca":           {keyUsage: cert.KeyUsageCertSign, leaf: isCA},
	"timestamp":    {keyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageNonRepudiation, purpose: cert.OIDUsageTimeStamping, leaf: stampsTime},
	"ocsp":         {keyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageNonRepudiation, purpose: cert.OIDUsageOCSPSigning, leaf: lists(cert.OIDUsageOCSPSigning)},
	"server":       {keyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageKeyEncipherment | cert.KeyUsageKeyAgreement, purpose: cert.OIDUsageServerAuth},
	"client":       {keyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageKeyAgreement, purpose: cert.OIDUsageClientAuth},
	"email":        {purpose: cert.OIDUsageEmailProtection},
}

// UsageNames lists the names that For takes.
func UsageNames() []string { return slices.Sorted(maps.Keys(usages)) }

// For makes the request one for a usage by name: any, sign, authenticate, ca,
// timestamp, ocsp, server, client or email.
func (r *Request) For(name string) error {
	u, known := usages[name]
	if !known {
		return fault.New(fault.BadArgument, "usage", "%q is none of %s", name, strings.Join(UsageNames(), ", "))
	}
	r.Usage, r.Purpose, r.leaf = u.keyUsage, u.purpose, u.leaf
	r.Wanted = trust.Purpose(name)
	if name == "any" {
		r.Wanted = ""
	}
	return nil
}

func isCA(c *cert.Certificate) error {
	if !c.IsCA {
		return fault.New(fault.NotACA, place(0), "basic constraints do not say CA")
	}
	return nil
}

// lists demands that the certificate name the purpose: silence is not enough
// where a CA delegates its own authority.
func lists(purpose asn1.ObjectIdentifier) func(*cert.Certificate) error {
	return func(c *cert.Certificate) error {
		if !c.HasExtKeyUsage(purpose) {
			return fault.New(fault.PurposeForbidden, place(0), "extended key usage %s is not listed", purpose)
		}
		return nil
	}
}

// stampsTime is RFC 3161 §2.3: the one purpose, and critical.
func stampsTime(c *cert.Certificate) error {
	e, _ := c.Extension(cert.OIDExtKeyUsage)
	if !e.Critical || len(c.ExtKeyUsage) != 1 {
		return fault.New(fault.PurposeForbidden, place(0), "extended key usage is not time-stamping alone, and critical")
	}
	return lists(cert.OIDUsageTimeStamping)(c)
}
