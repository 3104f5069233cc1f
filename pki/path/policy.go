package path

import (
	"encoding/asn1"
	"maps"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// policyNodesMax bounds the nodes of one graph. Real paths have a handful; a
// thousand policies in every certificate of a long path stay below it.
const policyNodesMax = 1 << 16

// anyPolicy of RFC 5280 §4.2.1.4.
var anyPolicy = asn1.ObjectIdentifier{2, 5, 29, 32, 0}

// policyGraph is the valid_policy_tree of RFC 5280 §6.1 with its counters.
//
// In the tree, nodes of one depth and policy differ in nothing but where they
// hang. Here they are one node with several parents, which keeps the size
// linear where the tree would grow exponentially with the length of the path.
type policyGraph struct {
	initial map[string]asn1.ObjectIdentifier // nil: any policy
	level   policyLevel                      // the deepest; empty when the tree is NULL
	nodes   int

	explicit, mapping, inhibitAny int // the counters of §6.1.2
}

// policyLevel holds the nodes of one depth by policy.
type policyLevel map[string]*policyNode

type policyNode struct {
	policy   asn1.ObjectIdentifier
	parents  []*policyNode
	expected []asn1.ObjectIdentifier
}

func isAny(oid asn1.ObjectIdentifier) bool { return oid.Equal(anyPolicy) }

// newPolicyGraph starts for a path of n certificates below the anchor.
func newPolicyGraph(d PolicyDemand, n int) *policyGraph {
	start := func(inhibited bool) int {
		if inhibited {
			return 0
		}
		return n + 1
	}
	g := &policyGraph{
		explicit: start(d.Explicit), mapping: start(d.InhibitMapping), inhibitAny: start(d.InhibitAny),
		level: policyLevel{},
	}
	g.limit(d.Initial)
	g.add(g.level, anyPolicy, nil)
	return g
}

// limit takes the policies that a user or an anchor accepts; an empty list, or
// one with anyPolicy, accepts all.
func (g *policyGraph) limit(accepted []asn1.ObjectIdentifier) {
	if len(accepted) == 0 || slices.ContainsFunc(accepted, isAny) {
		return
	}
	both := make(map[string]asn1.ObjectIdentifier)
	for _, oid := range accepted {
		if key := oid.String(); g.initial == nil || g.initial[key] != nil {
			both[key] = oid
		}
	}
	g.initial = both
}

// terms takes the policies and flags that an anchor is trusted with (RFC 5937
// §3.1: the intersection, and whichever flag is set).
func (g *policyGraph) terms(t *trust.Terms) {
	g.limit(t.Policies)
	for _, flag := range []struct {
		set     bool
		counter *int
	}{{t.ExplicitPolicy, &g.explicit}, {t.InhibitMapping, &g.mapping}, {t.InhibitAnyPolicy, &g.inhibitAny}} {
		if flag.set {
			*flag.counter = 0
		}
	}
}

func (g *policyGraph) add(level policyLevel, policy asn1.ObjectIdentifier, parents []*policyNode) *policyNode {
	n := &policyNode{policy: policy, parents: parents, expected: []asn1.ObjectIdentifier{policy}}
	level[policy.String()] = n
	g.nodes++
	return n
}

// anchor processes the anchor's certificate. One without policies limits none.
func (g *policyGraph) anchor(c *cert.Certificate, i int) error {
	if len(c.Policies) > 0 {
		return g.certificate(c, i)
	}
	g.constrain(c)
	return nil
}

// certificate processes certificate i of the path, 0 being the leaf: §6.1.3 d-f
// and, for a CA, §6.1.4 a-b and h-j.
func (g *policyGraph) certificate(c *cert.Certificate, i int) error {
	g.descend(c, i > 0)
	switch {
	case g.nodes > policyNodesMax:
		return fault.New(fault.PolicyTreeTooBig, place(i), "more than %d nodes", policyNodesMax)
	case g.explicit == 0 && len(g.level) == 0:
		return fault.New(fault.PolicyNotAccepted, place(i), "a policy is required, and none is left")
	case i == 0:
		return nil
	}
	if err := g.applyMappings(c, i); err != nil {
		return err
	}
	if !c.SelfIssued() {
		for _, counter := range []*int{&g.explicit, &g.mapping, &g.inhibitAny} {
			*counter = max(*counter-1, 0)
		}
	}
	g.constrain(c)
	return nil
}

func (g *policyGraph) constrain(c *cert.Certificate) {
	lower(&g.explicit, c.RequireExplicitPolicy)
	lower(&g.mapping, c.InhibitPolicyMapping)
	lower(&g.inhibitAny, c.InhibitAnyPolicy)
}

func lower(counter *int, to cert.SkipCerts) {
	if to != nil {
		*counter = min(*counter, *to)
	}
}

// descend builds the next level (§6.1.3 d, e). Nodes left without children need
// no pruning: whoever looks at the graph comes from below.
func (g *policyGraph) descend(c *cert.Certificate, isCA bool) {
	if len(g.level) == 0 || len(c.Policies) == 0 {
		g.level = nil
		return
	}
	next := policyLevel{}
	defer func() { g.level = next }()
	expecting := make(map[string][]*policyNode)
	var order []asn1.ObjectIdentifier
	for _, n := range g.level {
		for _, oid := range n.expected {
			key := oid.String()
			if expecting[key] == nil {
				order = append(order, oid)
			}
			expecting[key] = append(expecting[key], n)
		}
	}
	above := g.level[anyPolicy.String()]
	hasAny := false
	for _, oid := range c.Policies {
		switch parents := expecting[oid.String()]; {
		case isAny(oid):
			hasAny = true
		case len(parents) > 0:
			g.add(next, oid, parents)
		case above != nil:
			g.add(next, oid, []*policyNode{above})
		}
	}
	if !hasAny || g.inhibitAny == 0 && !(isCA && c.SelfIssued()) {
		return
	}
	for _, oid := range order {
		if next[oid.String()] == nil {
			g.add(next, oid, expecting[oid.String()])
		}
	}
}

// applyMappings is §6.1.4 a and b.
func (g *policyGraph) applyMappings(c *cert.Certificate, i int) error {
	mapped := make(map[string][]asn1.ObjectIdentifier)
	var order []asn1.ObjectIdentifier
	for _, m := range c.PolicyMappings {
		if isAny(m.Issuer) || isAny(m.Subject) {
			return fault.New(fault.PolicyNotAccepted, place(i), "anyPolicy is mapped")
		}
		key := m.Issuer.String()
		if mapped[key] == nil {
			order = append(order, m.Issuer)
		}
		mapped[key] = append(mapped[key], m.Subject)
	}
	for _, oid := range order {
		key := oid.String()
		node, found := g.level[key]
		if g.mapping == 0 {
			delete(g.level, key)
			continue
		}
		if !found {
			above := g.level[anyPolicy.String()]
			if above == nil {
				continue
			}
			node = g.add(g.level, oid, above.parents)
		}
		node.expected = mapped[key]
	}
	return nil
}

// wrapUp is §6.1.5 a, b and g; the result is the user-constrained policy set.
func (g *policyGraph) wrapUp(leaf *cert.Certificate) ([]asn1.ObjectIdentifier, error) {
	g.explicit = max(g.explicit-1, 0)
	if leaf.RequireExplicitPolicy != nil && *leaf.RequireExplicitPolicy == 0 {
		g.explicit = 0
	}
	set := g.intersection()
	if g.explicit == 0 && len(set) == 0 {
		return nil, fault.New(fault.PolicyNotAccepted, place(0), "a policy is required, and the path is valid for none of those accepted")
	}
	if set == nil {
		set = []asn1.ObjectIdentifier{}
	}
	return set, nil
}

// intersection lists the policies of the anchor's domain that reach the leaf
// and that the user accepts (§6.1.5 g). Such a policy is one whose parent is
// anyPolicy; an anyPolicy that reaches the leaf itself stands for all others.
func (g *policyGraph) intersection() []asn1.ObjectIdentifier {
	set := make(map[string]asn1.ObjectIdentifier)
	accept := func(oid asn1.ObjectIdentifier) {
		if key := oid.String(); g.initial == nil || g.initial[key] != nil {
			set[key] = oid
		}
	}
	visited := make(map[*policyNode]bool)
	var climb func(n *policyNode)
	climb = func(n *policyNode) {
		if visited[n] {
			return
		}
		visited[n] = true
		if len(n.parents) == 0 || isAny(n.parents[0].policy) {
			accept(n.policy)
			return
		}
		for _, p := range n.parents {
			climb(p)
		}
	}
	for key, n := range g.level {
		if key != anyPolicy.String() {
			climb(n)
		}
	}
	if g.level[anyPolicy.String()] != nil {
		if g.initial == nil {
			set[anyPolicy.String()] = anyPolicy
		}
		maps.Copy(set, g.initial)
	}
	var out []asn1.ObjectIdentifier
	for _, oid := range set {
		out = append(out, oid)
	}
	slices.SortFunc(out, slices.Compare[asn1.ObjectIdentifier])
	return out
}
