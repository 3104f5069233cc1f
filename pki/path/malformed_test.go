package path

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// An extension that cannot be read refuses a path that needs it, and no other.
func TestMalformedExtensions(t *testing.T) {
	plain := issue(t, nil, "root", 0, ca)
	limiting := issue(t, nil, "root", 0, ca, func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"kz"}, true
	})
	broken := []byte{5, 0}
	for _, tt := range []struct {
		name  string
		root  *entity
		leaf  change
		terms func(*Request)
		want  fault.Code
	}{
		{"key usage", plain, extension(cert.OIDKeyUsage, false, broken...), nil, fault.ExtensionMalformed},
		{"purposes", plain, extension(cert.OIDExtKeyUsage, false, broken...), nil, fault.ExtensionMalformed},
		{"mappings", plain, extension(cert.OIDPolicyMappings, false, broken...), nil, fault.ExtensionMalformed},
		{"critical distribution points", plain, extension(cert.OIDCRLPoints, true, broken...), nil, fault.ExtensionMalformed},
		{"distribution points", plain, extension(cert.OIDCRLPoints, false, broken...), nil, ""},
		{"access", plain, extension(cert.OIDAuthorityInfoAccess, false, broken...), nil, ""},
		{"access, strict", plain, extension(cert.OIDAuthorityInfoAccess, false, broken...), func(r *Request) { r.Strict = true }, fault.ProfileBroken},
		{"names", plain, extension(cert.OIDSubjectAltName, false, broken...), nil, ""},
		{"names under constraints", limiting, extension(cert.OIDSubjectAltName, false, broken...), nil, fault.ExtensionMalformed},
		{"names for a host", plain, extension(cert.OIDSubjectAltName, false, broken...), func(r *Request) { r.Host = "a.kz" }, fault.ExtensionMalformed},
		{"policies", plain, extension(cert.OIDCertificatePolicies, false, broken...), nil, ""},
		{"policies, one demanded", plain, extension(cert.OIDCertificatePolicies, false, broken...), func(r *Request) { r.Policies.Explicit = true }, fault.PolicyNotAccepted},
	} {
		template := []change{func(c *x509.Certificate) { c.KeyUsage, c.ExtKeyUsage, c.DNSNames = 0, nil, nil }, tt.leaf}
		r := Request{Leaf: issue(t, tt.root, "leaf", 3, template...).Certificate, Anchors: store(t, tt.root), At: now}
		if tt.terms != nil {
			tt.terms(&r)
		}
		if _, err := Build(r); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// The qualifier of a critical policies extension must be known (§4.2.1.4).
func TestPolicyQualifierOfAnother(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	value := []byte{0x30, 16, 0x30, 14, 6, 2, 0x2a, 3, 0x30, 8, 0x30, 6, 6, 2, 0x2a, 4, 5, 0}
	for critical, want := range map[bool]fault.Code{true: fault.CriticalExtensionUnknown, false: ""} {
		leaf := issue(t, root, "leaf", 3, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: cert.OIDCertificatePolicies, Critical: critical, Value: value})
		})
		if _, err := Build(Request{Leaf: leaf.Certificate, Anchors: store(t, root), At: now}); fault.CodeOf(err) != want {
			t.Errorf("critical %v: %v", critical, err)
		}
	}
}
