package cert

import (
	"encoding/asn1"
	"math"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// NameConstraints are the subtrees in which all names below a CA must lie, or
// must not (RFC 5280 §4.2.1.10).
type NameConstraints struct {
	Permitted, Excluded []Subtree
}

// Subtree is a GeneralSubtree.
type Subtree struct {
	Base GeneralName
	// Bounded says that minimum or maximum are set, which RFC 5280 forbids:
	// nobody can say which names such a subtree has.
	Bounded bool
}

func (c *Certificate) parseNameConstraints(s cryptobyte.String) bool {
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() || body.Empty() {
		return false
	}
	nc := &NameConstraints{}
	if !c.readSubtrees(&body, 0, &nc.Permitted) || !c.readSubtrees(&body, 1, &nc.Excluded) || !body.Empty() {
		return false
	}
	if len(nc.Permitted)+len(nc.Excluded) == 0 { // nothing, or everything: who knows what was meant
		return false
	}
	c.NameConstraints = nc
	return true
}

func (c *Certificate) readSubtrees(s *cryptobyte.String, tag uint8, out *[]Subtree) bool {
	var list cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&list, &present, context(tag).Constructed()) {
		return false
	}
	if !present {
		return true
	}
	if list.Empty() && !c.tolerate(OddEmptySubtrees) {
		return false
	}
	for !list.Empty() {
		var body, rest cryptobyte.String
		var minimum, maximum bool
		if len(*out) == listMax || !list.ReadASN1(&body, cbasn1.SEQUENCE) {
			return false
		}
		base, ok := readGeneralName(&body)
		if !ok || !body.ReadOptionalASN1(&rest, &minimum, context(0)) || !body.ReadOptionalASN1(&rest, &maximum, context(1)) || !body.Empty() {
			return false
		}
		*out = append(*out, Subtree{Base: base, Bounded: minimum || maximum})
	}
	return true
}

// PolicyMapping says that below the CA, Subject stands for what is Issuer above
// it (RFC 5280 §4.2.1.5).
type PolicyMapping struct {
	Issuer, Subject asn1.ObjectIdentifier
}

func (c *Certificate) parsePolicyMappings(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var pair cryptobyte.String
		var m PolicyMapping
		if len(c.PolicyMappings) == listMax || !list.ReadASN1(&pair, cbasn1.SEQUENCE) ||
			!pair.ReadASN1ObjectIdentifier(&m.Issuer) || !pair.ReadASN1ObjectIdentifier(&m.Subject) || !pair.Empty() {
			return false
		}
		c.PolicyMappings = append(c.PolicyMappings, m)
	}
	return true
}

// SkipCerts is a number of certificates that may follow before a constraint on
// policies holds; nil if the constraint is absent.
type SkipCerts *int

// readSkipCerts reads the content of an INTEGER that is not negative. Numbers
// beyond any path are all the same.
func readSkipCerts(content []byte) (SkipCerts, bool) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	der, err := b.Bytes()
	s := cryptobyte.String(der)
	var n big.Int
	if err != nil || !s.ReadASN1Integer(&n) || n.Sign() < 0 {
		return nil, false
	}
	skip := math.MaxInt32
	if n.IsInt64() && n.Int64() < math.MaxInt32 {
		skip = int(n.Int64())
	}
	return &skip, true
}

// parsePolicyConstraints reads RFC 5280 §4.2.1.11.
func (c *Certificate) parsePolicyConstraints(s cryptobyte.String) bool {
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() || body.Empty() {
		return false
	}
	for tag, out := range []*SkipCerts{&c.RequireExplicitPolicy, &c.InhibitPolicyMapping} {
		var content cryptobyte.String
		var present, ok bool
		if !body.ReadOptionalASN1(&content, &present, context(uint8(tag))) {
			return false
		}
		if !present {
			continue
		}
		if *out, ok = readSkipCerts(content); !ok {
			return false
		}
	}
	return body.Empty()
}

// parseInhibitAnyPolicy reads RFC 5280 §4.2.1.14.
func (c *Certificate) parseInhibitAnyPolicy(s cryptobyte.String) bool {
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.INTEGER) || !s.Empty() {
		return false
	}
	var ok bool
	c.InhibitAnyPolicy, ok = readSkipCerts(content)
	return ok
}
