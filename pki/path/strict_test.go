package path

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// What RFC 5280 §4 demands of CAs counts only on request.
func TestStrict(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	bare := func(c *x509.Certificate) { c.Subject = pkix.Name{} }
	for _, tt := range []struct {
		name string
		leaf []change
		ok   bool
	}{
		{"nothing odd", nil, true},
		{"serial of 21 bytes", []change{func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 161) }}, false},
		{"may sign certificates", []change{usage(x509.KeyUsageCertSign)}, false},
		{"CA with plain basic constraints", []change{extension(cert.OIDBasicConstraints, false, 0x30, 3, 1, 1, 0xff)}, false},
		{"no names at all", []change{bare}, false},
		{"malformed host", []change{func(c *x509.Certificate) { c.DNSNames = []string{"a_b.kz"} }}, false},
		{"constraints of a leaf", []change{extension(cert.OIDNameConstraints, true, 0x30, 7, 0xa0, 5, 0x30, 3, 0x82, 1, 'a')}, false},
		{"critical key identifier", []change{func(c *x509.Certificate) { c.SubjectKeyId = nil }, extension(cert.OIDSubjectKeyID, true, 4, 1, 1)}, false},
		{"plain policy constraints", []change{extension(cert.OIDPolicyConstraints, false, 0x30, 3, 0x81, 1, 0)}, false},
	} {
		leaf := issue(t, root, "leaf", 3, tt.leaf...)
		r := Request{Leaf: leaf.Certificate, Anchors: store(t, root), At: now}
		if _, err := Build(r); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		r.Strict = true
		if _, err := Build(r); (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.ProfileBroken) {
			t.Errorf("%s, strict: %v", tt.name, err)
		}
	}
	old := issue(t, nil, "old root", 0, ca, validity(-3600e9*2, -3600e9))
	r := Request{Leaf: issue(t, old, "leaf", 3).Certificate, Anchors: store(t, old), At: now, Strict: true}
	if _, err := Build(r); !fault.Is(err, fault.CertificateExpired) {
		t.Errorf("expired anchor: %v", err)
	}
}

func TestHosts(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	leaf := issue(t, root, "common.kz", 3, func(c *x509.Certificate) {
		c.DNSNames = []string{"a.kz", "*.b.kz"}
		c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1).To4(), net.ParseIP("fd00::1")}
	})
	for host, ok := range map[string]bool{
		"a.kz": true, "A.KZ.": true, "x.b.kz": true, "b.kz": false, "x.y.b.kz": false, "*.b.kz": false, "common.kz": false,
		"10.0.0.1": true, "10.0.0.2": false, "fd00::1": true, "": true, "a kz": false,
	} {
		_, err := Build(Request{Leaf: leaf.Certificate, Anchors: store(t, root), At: now, Host: host})
		if (err == nil) != ok {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// Policies of an anchor count on request.
func TestAnchorPolicies(t *testing.T) {
	root := issue(t, nil, "root", 0, ca, policies(t, 1), requireExplicit(0))
	for number, ok := range map[int]bool{1: true, 2: false} {
		r := Request{Leaf: issue(t, root, "leaf", 3, policies(t, number)).Certificate, Anchors: store(t, root), At: now}
		if _, err := Build(r); err != nil {
			t.Errorf("%d: %v", number, err)
		}
		r.AnchorPolicies = true
		if _, err := Build(r); (err == nil) != ok {
			t.Errorf("%d, with the anchor's: %v", number, err)
		}
	}
}
