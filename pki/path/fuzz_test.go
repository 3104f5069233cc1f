package path

import (
	"encoding/asn1"
	"testing"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// FuzzBuild takes two certificates, an issuer and a leaf, that may say anything:
// whatever they are, the search ends, and a path that is accepted ends at the
// anchor.
func FuzzBuild(f *testing.F) {
	root := issue(f, nil, "root", 0, ca)
	sub := issue(f, root, "sub", 1, ca, policies(f, 1, 2), mappings(f, [2]int{1, 2}))
	leaf := issue(f, sub, "leaf", 3, policies(f, 2))
	cross := issue(f, sub, "root", 0, ca)
	f.Add(sub.Raw, leaf.Raw, uint8(0))
	f.Add(cross.Raw, root.Raw, uint8(7))
	f.Add(leaf.Raw, sub.Raw, uint8(8))
	anchors := store(f, root)
	f.Fuzz(func(t *testing.T, issuer, leaf []byte, flags uint8) {
		l, err := cert.Parse(leaf)
		if err != nil {
			return
		}
		r := Request{Leaf: l, Anchors: anchors, At: now, Strict: flags&8 != 0}
		r.Policies = PolicyDemand{Explicit: flags&1 != 0, InhibitMapping: flags&2 != 0, InhibitAny: flags&4 != 0}
		if i, err := cert.Parse(issuer); err == nil {
			r.Intermediates = []*cert.Certificate{i, i, root.Certificate}
		}
		p, err := Build(r)
		if p == nil || len(p.Certificates) > lengthMax {
			t.Fatal("no path, or one that is too long")
		}
		if err != nil {
			return
		}
		if _, ok := anchors.Anchor(p.Certificates[len(p.Certificates)-1]); !ok || p.Anchor == nil {
			t.Error("accepted, and it ends at no anchor")
		}
	})
}

// FuzzPolicies makes a line of certificates whose policies and mappings are
// taken from the bytes: the graph stays within its bound, and what it accepts is
// what was asked for.
func FuzzPolicies(f *testing.F) {
	f.Add([]byte{0x11, 0x12, 0x21, 0x00, 0x13, 0x31}, uint8(1))
	f.Add([]byte{0xff, 0xf0, 0x0f, 0x10, 0x01}, uint8(7))
	f.Fuzz(func(t *testing.T, script []byte, flags uint8) {
		const length = 8
		if len(script) > 1<<12 {
			return
		}
		chain := make([]*cert.Certificate, length)
		for i := range chain {
			chain[i] = &cert.Certificate{RawIssuer: []byte{byte(i)}, RawSubject: []byte{byte(i + 1)}}
		}
		for i, b := range script {
			c := chain[i%length]
			from, to := policyOID(int(b>>4)), policyOID(int(b&15))
			c.Policies = append(c.Policies, from)
			c.PolicyMappings = append(c.PolicyMappings, cert.PolicyMapping{Issuer: from, Subject: to})
		}
		wanted := []asn1.ObjectIdentifier{policyOID(1), policyOID(2)}
		g := newPolicyGraph(PolicyDemand{Initial: wanted, Explicit: flags&1 != 0, InhibitMapping: flags&2 != 0, InhibitAny: flags&4 != 0}, length)
		for i := length - 1; i >= 0; i-- {
			if g.certificate(chain[i], i) != nil {
				return
			}
		}
		set, err := g.wrapUp(chain[0])
		if g.nodes > policyNodesMax || err == nil && flags&1 != 0 && len(set) == 0 {
			t.Errorf("%d nodes, %v, %v", g.nodes, set, err)
		}
		for _, oid := range set {
			if !oid.Equal(wanted[0]) && !oid.Equal(wanted[1]) {
				t.Errorf("%s was not asked for", oid)
			}
		}
	})
}

// FuzzTerms holds paths to an anchor whose terms are text of the operator's.
func FuzzTerms(f *testing.F) {
	root := issue(f, nil, "root", 0, ca)
	leaf := issue(f, root, "leaf", 3)
	f.Add(`{"purposes": ["sign"]}`)
	f.Add(`{"permitted_names": ["ip:10.0.0.0/8", "dns:kz"], "max_path_length": 0}`)
	fingerprint := hexFingerprint(root.Certificate)
	f.Fuzz(func(t *testing.T, terms string) {
		list, err := trust.ParseAuthorities([]byte(`{"authorities": [{"name": "x", "certificates": ["` + fingerprint + `"], "terms": ` + terms + `}]}`))
		if err != nil {
			return
		}
		anchors, err := trust.NewOnTerms([]*cert.Certificate{root.Certificate}, list)
		if err != nil {
			return
		}
		if p, err := Build(Request{Leaf: leaf.Certificate, Anchors: anchors, At: now}); err == nil && p.Anchor == nil {
			t.Error("accepted without an anchor")
		}
	})
}
