package path

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// storeOnTerms trusts the root on terms written as in a trust folder.
func storeOnTerms(t *testing.T, root *entity, terms string) *trust.Store {
	t.Helper()
	list, err := trust.ParseAuthorities(fmt.Appendf(nil, `{"authorities": [{"name": "x", "certificates": ["%s"], "terms": %s}]}`, hexFingerprint(root.Certificate), terms))
	if err != nil {
		t.Fatal(err)
	}
	s, err := trust.NewOnTerms([]*cert.Certificate{root.Certificate}, list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hexFingerprint(c *cert.Certificate) string {
	f := c.Fingerprint()
	return hex.EncodeToString(f[:])
}

// A path holds on the terms of its anchor: purposes and time, RFC 5914's path
// controls with RFC 5937's intersection.
func TestTermsOfAnchors(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	sub := issue(t, root, "sub", 1, ca, policies(t, 1, 2))
	leaf := issue(t, sub, "leaf", 3, policies(t, 1), usage(x509.KeyUsageDigitalSignature), func(c *x509.Certificate) { c.DNSNames = []string{"a.kz"} })
	stamper := issue(t, sub, "stamper", 3, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping} })
	policy := func(n int) string { return policyOID(n).String() }
	for _, tt := range []struct {
		terms string
		leaf  *entity
		wants func(*Request)
		want  fault.Code
	}{
		{`{"purposes": ["sign"]}`, leaf, nil, ""},
		{`{"purposes": ["sign"]}`, stamper, nil, fault.AnchorRestricted},
		{`{"purposes": ["timestamp"]}`, stamper, nil, ""},
		{`{"purposes": ["timestamp"]}`, leaf, nil, fault.AnchorRestricted},
		{`{"purposes": ["server"]}`, leaf, func(r *Request) { r.Wanted = trust.ForServers }, ""},
		{`{"from": "2026-11-21T12:00:00Z", "until": "2026-11-21T12:00:00Z"}`, leaf, nil, ""},
		{`{"until": "2026-11-21T11:59:59Z"}`, leaf, nil, fault.AnchorRestricted},
		{`{"from": "2026-11-21T12:00:01Z"}`, leaf, nil, fault.AnchorRestricted},
		{`{"max_path_length": 1}`, leaf, nil, ""},
		{`{"max_path_length": 0}`, leaf, nil, fault.PathTooLong},
		{`{"permitted_names": ["dns:kz"]}`, leaf, nil, ""},
		{`{"permitted_names": ["dns:ru"]}`, leaf, nil, fault.NameForbidden},
		{`{"excluded_names": ["dns:a.kz"]}`, leaf, nil, fault.NameForbidden},
		{`{"policies": ["` + policy(1) + `"], "explicit_policy": true}`, leaf, nil, ""},
		{`{"policies": ["` + policy(2) + `"], "explicit_policy": true}`, leaf, nil, fault.PolicyNotAccepted},
		{`{"policies": ["` + policy(1) + `"]}`, leaf, func(r *Request) {
			r.Policies = PolicyDemand{Initial: []asn1.ObjectIdentifier{policyOID(2)}, Explicit: true}
		}, fault.PolicyNotAccepted},
	} {
		r := Request{Leaf: tt.leaf.Certificate, Intermediates: []*cert.Certificate{sub.Certificate}, Anchors: storeOnTerms(t, root, tt.terms), At: now}
		if tt.wants != nil {
			tt.wants(&r)
		}
		if _, err := Build(r); fault.CodeOf(err) != tt.want {
			t.Errorf("%s for %s: %v, want %q", tt.terms, tt.leaf.Subject, err, tt.want)
		}
	}
	// An anchor that is itself the leaf has nothing below it.
	r := Request{Leaf: root.Certificate, Anchors: storeOnTerms(t, root, `{"max_path_length": 0, "permitted_names": ["dns:ru"]}`), At: now}
	if _, err := Build(r); err != nil {
		t.Error(err)
	}
	// The time is that of the judgement, not of the clock.
	r = Request{Leaf: leaf.Certificate, Intermediates: []*cert.Certificate{sub.Certificate}, Anchors: storeOnTerms(t, root, `{"until": "2026-11-21T11:30:00Z"}`), At: now.Add(-45 * time.Minute)}
	if _, err := Build(r); err != nil {
		t.Error(err)
	}
}

// Purposes have the names of usages, but for any.
func TestPurposesAreUsages(t *testing.T) {
	for _, p := range trust.Purposes {
		var r Request
		if err := r.For(string(p)); err != nil || r.Wanted != p {
			t.Errorf("%s: %v", p, err)
		}
	}
	if len(UsageNames()) != len(trust.Purposes)+1 {
		t.Errorf("%v, %v", UsageNames(), trust.Purposes)
	}
}
