package path

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

type change = func(*x509.Certificate)

func with(oid asn1.ObjectIdentifier, value []byte) change { return extension(oid, true, value...) }

// policies writes certificate policies; 0 stands for anyPolicy.
func policies(t testing.TB, numbers ...int) change {
	var list []struct{ OID asn1.ObjectIdentifier }
	for _, n := range numbers {
		list = append(list, struct{ OID asn1.ObjectIdentifier }{policyOID(n)})
	}
	return with(cert.OIDCertificatePolicies, marshal(t, list))
}

func policyOID(n int) asn1.ObjectIdentifier {
	if n == 0 {
		return anyPolicy
	}
	return asn1.ObjectIdentifier{1, 2, n}
}

// mappings writes pairs: issuer's policy, subject's policy.
func mappings(t testing.TB, pairs ...[2]int) change {
	var list [][]asn1.ObjectIdentifier
	for _, p := range pairs {
		list = append(list, []asn1.ObjectIdentifier{policyOID(p[0]), policyOID(p[1])})
	}
	return with(cert.OIDPolicyMappings, marshal(t, list))
}

func inhibitAny(n byte) change { return with(cert.OIDInhibitAnyPolicy, []byte{2, 1, n}) }
func requireExplicit(n byte) change {
	return with(cert.OIDPolicyConstraints, []byte{0x30, 3, 0x80, 1, n})
}
func inhibitMapping(n byte) change {
	return with(cert.OIDPolicyConstraints, []byte{0x30, 3, 0x81, 1, n})
}

// line issues a chain: root, a CA for each list of changes but the last, leaf.
func line(t testing.TB, levels ...[]change) Request {
	t.Helper()
	root := issue(t, nil, "root", 0, ca)
	above := root
	r := Request{Anchors: store(t, root), At: now}
	for i, changes := range levels {
		if i == len(levels)-1 {
			r.Leaf = issue(t, above, "leaf", 3, changes...).Certificate
			return r
		}
		above = issue(t, above, fmt.Sprint("ca", i), 1+i%2, append(changes, ca)...)
		r.Intermediates = append(r.Intermediates, above.Certificate)
	}
	return r
}

func TestPolicies(t *testing.T) {
	demand := func(numbers ...int) PolicyDemand {
		d := PolicyDemand{Explicit: true}
		for _, n := range numbers {
			d.Initial = append(d.Initial, policyOID(n))
		}
		return d
	}
	c := func(changes ...change) []change { return changes }
	tests := []struct {
		name   string
		chain  Request
		demand PolicyDemand
		want   []int
		code   fault.Code
	}{
		{"none, none demanded", line(t, c(), c()), PolicyDemand{}, nil, ""},
		{"none, one demanded", line(t, c(), c()), PolicyDemand{Explicit: true}, nil, fault.PolicyNotAccepted},
		{"one all along", line(t, c(policies(t, 1)), c(policies(t, 1))), demand(1), []int{1}, ""},
		{"another demanded", line(t, c(policies(t, 1)), c(policies(t, 1))), demand(2), nil, fault.PolicyNotAccepted},
		{"another preferred", line(t, c(policies(t, 1)), c(policies(t, 1))), PolicyDemand{Initial: []asn1.ObjectIdentifier{policyOID(2)}}, nil, ""},
		{"of two, one", line(t, c(policies(t, 1, 2)), c(policies(t, 2, 3))), demand(), []int{2}, ""},
		{"the CA knows none", line(t, c(), c(policies(t, 1))), demand(1), nil, fault.PolicyNotAccepted},
		{"any at the CA", line(t, c(policies(t, 0)), c(policies(t, 1))), demand(1), []int{1}, ""},
		{"any at the leaf", line(t, c(policies(t, 1)), c(policies(t, 0))), demand(1), []int{1}, ""},
		{"any all along, one demanded", line(t, c(policies(t, 0)), c(policies(t, 0))), demand(7), []int{7}, ""},
		{"any all along", line(t, c(policies(t, 0)), c(policies(t, 0))), demand(), []int{0}, ""},
		{"any inhibited by the user", line(t, c(policies(t, 0)), c(policies(t, 1))), PolicyDemand{Explicit: true, InhibitAny: true}, nil, fault.PolicyNotAccepted},
		{"any inhibited by the CA", line(t, c(policies(t, 1), inhibitAny(0)), c(policies(t, 0))), demand(), nil, fault.PolicyNotAccepted},
		{"any inhibited one later", line(t, c(policies(t, 1), inhibitAny(1)), c(policies(t, 0)), c(policies(t, 0))), demand(), nil, fault.PolicyNotAccepted},
		{"any not inhibited yet", line(t, c(policies(t, 1), inhibitAny(1)), c(policies(t, 0)), c(policies(t, 1))), demand(), []int{1}, ""},
		{"required by the CA", line(t, c(requireExplicit(0)), c()), PolicyDemand{}, nil, fault.PolicyNotAccepted},
		{"required further down", line(t, c(requireExplicit(3)), c(), c()), PolicyDemand{}, nil, ""},
		{"required right there", line(t, c(requireExplicit(2)), c(), c()), PolicyDemand{}, nil, fault.PolicyNotAccepted},
		{"mapped", line(t, c(policies(t, 1), mappings(t, [2]int{1, 5})), c(policies(t, 5))), demand(1), []int{1}, ""},
		{"mapped, and the leaf has the CA's", line(t, c(policies(t, 1), mappings(t, [2]int{1, 5})), c(policies(t, 1))), demand(), nil, fault.PolicyNotAccepted},
		{"mapped to two", line(t, c(policies(t, 1), mappings(t, [2]int{1, 5}, [2]int{1, 6})), c(policies(t, 6))), demand(1), []int{1}, ""},
		{"two mapped to one", line(t, c(policies(t, 1, 2), mappings(t, [2]int{1, 5}, [2]int{2, 5})), c(policies(t, 5))), demand(), []int{1, 2}, ""},
		{"mapped out of any", line(t, c(policies(t, 0), mappings(t, [2]int{1, 5})), c(policies(t, 5))), demand(1), []int{1}, ""},
		{"mapping inhibited by the user", line(t, c(policies(t, 1), mappings(t, [2]int{1, 5})), c(policies(t, 5))), PolicyDemand{Explicit: true, InhibitMapping: true}, nil, fault.PolicyNotAccepted},
		{"mapping inhibited by the CA", line(t, c(policies(t, 1), inhibitMapping(0)), c(policies(t, 1), mappings(t, [2]int{1, 5})), c(policies(t, 5))), demand(), nil, fault.PolicyNotAccepted},
		{"any mapped", line(t, c(policies(t, 1), mappings(t, [2]int{0, 5})), c(policies(t, 5))), PolicyDemand{}, nil, fault.PolicyNotAccepted},
		{"mapped to any", line(t, c(policies(t, 1), mappings(t, [2]int{1, 0})), c(policies(t, 5))), PolicyDemand{}, nil, fault.PolicyNotAccepted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.chain
			r.Policies = tt.demand
			p, err := Build(r)
			if fault.CodeOf(err) != tt.code {
				t.Fatalf("%v, want %s", err, tt.code)
			}
			var want []asn1.ObjectIdentifier
			for _, n := range tt.want {
				want = append(want, policyOID(n))
			}
			if err == nil && !slices.EqualFunc(p.Policies, want, asn1.ObjectIdentifier.Equal) {
				t.Errorf("policies %v, want %v", p.Policies, want)
			}
		})
	}
}

// Every CA maps each of n policies to each of n: a tree would have n^depth
// nodes.
func TestPoliciesThatWouldExplode(t *testing.T) {
	const n, depth = 16, 12
	var numbers []int
	var pairs [][2]int
	for i := 1; i <= n; i++ {
		numbers = append(numbers, i)
		for j := 1; j <= n; j++ {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	levels := make([][]change, depth)
	for i := range levels {
		levels[i] = []change{policies(t, numbers...), mappings(t, pairs...)}
	}
	r := line(t, append(levels, []change{policies(t, 1)})...)
	r.Policies.Explicit = true
	if p, err := Build(r); err != nil || len(p.Policies) != n {
		t.Errorf("%v, %v", p.Policies, err)
	}
	g := newPolicyGraph(PolicyDemand{}, 1)
	g.nodes = policyNodesMax
	if err := g.certificate(r.Leaf, 0); !fault.Is(err, fault.PolicyTreeTooBig) && err != nil {
		t.Error(err)
	}
	g.nodes++
	if err := g.certificate(r.Leaf, 0); !fault.Is(err, fault.PolicyTreeTooBig) {
		t.Errorf("%d nodes: %v", g.nodes, err)
	}
}

func TestPurpose(t *testing.T) {
	eku := func(usages ...x509.ExtKeyUsage) change {
		return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
	}
	for _, tt := range []struct {
		name     string
		ca, leaf []change
		want     fault.Code
	}{
		{"nothing said", nil, nil, ""},
		{"said by both", []change{eku(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)}, []change{eku(x509.ExtKeyUsageClientAuth)}, ""},
		{"any", []change{eku(x509.ExtKeyUsageAny)}, []change{eku(x509.ExtKeyUsageAny)}, ""},
		{"not the leaf", nil, []change{eku(x509.ExtKeyUsageServerAuth)}, fault.PurposeForbidden},
		{"not the CA", []change{eku(x509.ExtKeyUsageServerAuth)}, []change{eku(x509.ExtKeyUsageClientAuth)}, fault.PurposeForbidden},
	} {
		r := line(t, tt.ca, tt.leaf)
		r.Purpose = cert.OIDUsageClientAuth
		if _, err := Build(r); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// What an anchor's certificate forbids holds, unless the anchor is bare.
func TestAnchors(t *testing.T) {
	for name, root := range map[string]*entity{
		"path length": issue(t, nil, "root", 0, ca, maxPath(0)),
		"usage":       issue(t, nil, "root", 0, ca, usage(x509.KeyUsageCRLSign)),
		"names":       issue(t, nil, "root", 0, ca, with(cert.OIDNameConstraints, []byte{0x30, 8, 0xa1, 6, 0x30, 4, 0xa4, 2, 0x30, 0})),
		"no CA":       issue(t, nil, "root", 0),
	} {
		if root == nil {
			continue
		}
		sub := issue(t, root, "sub", 1, ca)
		leaf := issue(t, sub, "leaf", 3)
		r := Request{Leaf: leaf.Certificate, Intermediates: certificates(sub), Anchors: store(t, root), At: now}
		if _, err := Build(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
		r.BareAnchors = true
		if _, err := Build(r); err != nil {
			t.Errorf("%s, bare: %v", name, err)
		}
	}
}

// A message full of look-alikes, and a chain without end.
func TestSearchIsBounded(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	sub := issue(t, root, "sub", 1, ca)
	leaf := issue(t, sub, "leaf", 3)
	many := make([]*cert.Certificate, 0, 10_001)
	template := issue(t, root, "sub", 2, ca)
	for i := range 10_000 {
		c := *template.Certificate
		c.Raw = fmt.Append(nil, i)
		many = append(many, &c)
	}
	r := Request{Leaf: leaf.Certificate, Intermediates: many, Anchors: store(t, root), At: now}
	if _, err := Build(r); !fault.Is(err, fault.PathSearchLimit) {
		t.Errorf("10 000 candidates: %v", err)
	}
	r.Intermediates = append(many, sub.Certificate) // the key identifier finds it
	if _, err := Build(r); err != nil {
		t.Errorf("the right one behind 10 000: %v", err)
	}
	// Look-alikes that issue themselves, signed with what nobody here can check:
	// each may have issued each.
	strange := issue(t, nil, "strange", 2, ca)
	many = many[:0]
	for i := range 2_000 {
		c := *strange.Certificate
		c.Raw, c.RawSPKI = fmt.Append(nil, "s", i), fmt.Append(nil, i)
		c.SignatureAlgorithm = algo.Identifier{OID: asn1.ObjectIdentifier{1, 2, 3, 4}}
		many = append(many, &c)
	}
	r = Request{Leaf: many[0], Intermediates: many[1:], Anchors: store(t, root), At: now}
	if p, err := Build(r); !fault.Is(err, fault.PathSearchLimit) || len(p.Certificates) > lengthMax {
		t.Errorf("look-alikes of a strange algorithm: %v", err)
	}
	levels := make([][]change, 101)
	deep := line(t, levels...)
	if p, err := Build(deep); !fault.Is(err, fault.PathTooLong) || len(p.Certificates) != lengthMax {
		t.Errorf("100 deep: %v", err)
	}
}

func TestLikeNamesChain(t *testing.T) {
	root := issue(t, nil, "Root  CA", 0, ca)
	twin := *root
	other := *root.x509
	other.RawSubject = nil
	other.Subject = pkix.Name{CommonName: "root ca"}
	twin.x509 = &other
	leaf := issue(t, &twin, "leaf", 3)
	if p, err := Build(Request{Leaf: leaf.Certificate, Anchors: store(t, root), At: now}); err != nil || len(p.Certificates) != 2 {
		t.Errorf("%v", err)
	}
}
