package path

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

func ipRange(t *testing.T, s string) []byte {
	t.Helper()
	p, err := netip.ParsePrefix(s)
	if err != nil {
		t.Fatal(err)
	}
	a := p.Addr().AsSlice()
	mask := make([]byte, len(a))
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return append(a, mask...)
}

func TestNamesInSubtrees(t *testing.T) {
	text := func(s string) []byte { return []byte(s) }
	ip := func(s string) []byte { return netip.MustParseAddr(s).AsSlice() }
	tests := []struct {
		kind                cert.NameKind
		name, base          []byte
		permitted, excluded bool // does the name count as inside, for either purpose
		malformed           bool
	}{
		{cert.DNSName, text("a.example.kz"), text("example.kz"), true, true, false},
		{cert.DNSName, text("EXAMPLE.kz"), text("example.KZ"), true, true, false},
		{cert.DNSName, text("badexample.kz"), text("example.kz"), false, false, false},
		{cert.DNSName, text("example.kz"), text("a.example.kz"), false, false, false},
		{cert.DNSName, text("x.kz"), text(""), true, true, false},
		{cert.DNSName, text("a.example.kz"), text(".example.kz"), true, true, false},
		{cert.DNSName, text("example.kz"), text(".example.kz"), false, false, false},
		{cert.DNSName, text("*.example.kz"), text("example.kz"), true, true, false},
		{cert.DNSName, text("*.example.kz"), text("a.example.kz"), false, true, false},
		{cert.DNSName, text("*.example.kz"), text("b.a.example.kz"), false, false, false},
		{cert.DNSName, text("a..kz"), text("kz"), false, false, true},
		{cert.DNSName, text("a.kz"), text("*.kz"), false, false, true},
		{cert.DNSName, text(""), text("kz"), false, false, true},

		{cert.EmailName, text("a@example.kz"), text("a@EXAMPLE.kz"), true, true, false},
		{cert.EmailName, text("A@example.kz"), text("a@example.kz"), false, true, false},
		{cert.EmailName, text("a@example.kz"), text("example.kz"), true, true, false},
		{cert.EmailName, text("a@b.example.kz"), text("example.kz"), false, false, false},
		{cert.EmailName, text("a@b.example.kz"), text(".example.kz"), true, true, false},
		{cert.EmailName, text("a@example.kz"), text(".example.kz"), false, false, false},
		{cert.EmailName, text(`"a@b"@example.kz`), text("example.kz"), true, true, false},
		{cert.EmailName, text("example.kz"), text("example.kz"), false, false, true},
		{cert.EmailName, text("a@b@example.kz"), text("example.kz"), false, false, true},
		{cert.EmailName, text("a@"), text("example.kz"), false, false, true},

		{cert.URIName, text("http://example.kz/x"), text("example.kz"), true, true, false},
		{cert.URIName, text("http://u:p@a.example.kz:80?x"), text(".example.kz"), true, true, false},
		{cert.URIName, text("http://a.example.kz"), text("example.kz"), false, false, false},
		{cert.URIName, text("http://1.2.3.4/"), text("example.kz"), false, false, true},
		{cert.URIName, text("http://[::1]/"), text("example.kz"), false, false, true},
		{cert.URIName, text("urn:x"), text("example.kz"), false, false, true},

		{cert.IPAddress, ip("10.1.2.3"), ipRange(t, "10.0.0.0/8"), true, true, false},
		{cert.IPAddress, ip("11.1.2.3"), ipRange(t, "10.0.0.0/8"), false, false, false},
		{cert.IPAddress, ip("10.1.2.3"), ipRange(t, "0.0.0.0/0"), true, true, false},
		{cert.IPAddress, ip("fd00::1"), ipRange(t, "fd00::/8"), true, true, false},
		{cert.IPAddress, ip("fd00::1"), ipRange(t, "10.0.0.0/8"), false, false, false},
		{cert.IPAddress, ip("10.1.2.3"), []byte{10, 0, 0, 0, 255, 0, 255, 0}, false, false, true},
		{cert.IPAddress, []byte{1, 2, 3}, ipRange(t, "10.0.0.0/8"), false, false, true},
	}
	for _, tt := range tests {
		for excluded, want := range map[bool]bool{false: tt.permitted, true: tt.excluded} {
			subtree := cert.Subtree{Base: cert.GeneralName{Kind: tt.kind, Value: tt.base}}
			got, err := within(cert.GeneralName{Kind: tt.kind, Value: tt.name}, subtree, excluded)
			if got != want || fault.Is(err, fault.NameForbidden) != tt.malformed {
				t.Errorf("%s %q in %q, excluded %v: %v, %v", tt.kind, tt.name, tt.base, excluded, got, err)
			}
		}
	}
}

// subtrees writes name constraints with one subtree of each sort; nil is none.
func subtrees(t *testing.T, permitted, excluded *asn1.RawValue) change {
	t.Helper()
	type list struct {
		Permitted []struct{ Base asn1.RawValue } `asn1:"optional,tag:0"`
		Excluded  []struct{ Base asn1.RawValue } `asn1:"optional,tag:1"`
	}
	var nc list
	if permitted != nil {
		nc.Permitted = []struct{ Base asn1.RawValue }{{*permitted}}
	}
	if excluded != nil {
		nc.Excluded = []struct{ Base asn1.RawValue }{{*excluded}}
	}
	return with(cert.OIDNameConstraints, marshal(t, nc))
}

func general(kind cert.NameKind, content string) *asn1.RawValue {
	return &asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: int(kind), Bytes: []byte(content),
		IsCompound: kind == cert.OtherName || kind == cert.DirectoryName}
}

func TestNameConstraintsOfPaths(t *testing.T) {
	dns := func(names ...string) change { return func(c *x509.Certificate) { c.DNSNames = names } }
	emailInSubject := func(c *x509.Certificate) {
		c.Subject.ExtraNames = append(c.Subject.ExtraNames, attribute(oidEmailAddress, "a@other.kz"))
	}
	named := func(name string) change { return func(c *x509.Certificate) { c.Subject.CommonName = name } }
	leafName := issue(t, nil, "leaf", 0).RawSubject
	kz := general(cert.DNSName, "kz")
	other := general(cert.OtherName, "\x06\x02\x2a\x03\xa0\x02\x05\x00")
	san := func(g *asn1.RawValue) change { return with(cert.OIDSubjectAltName, marshal(t, []asn1.RawValue{*g})) }
	c := func(changes ...change) []change { return changes }
	tests := []struct {
		name  string
		chain Request
		want  fault.Code
	}{
		{"permitted", line(t, c(subtrees(t, kz, nil)), c(dns("a.kz"))), ""},
		{"outside", line(t, c(subtrees(t, kz, nil)), c(dns("a.kz", "a.org"))), fault.NameForbidden},
		{"excluded", line(t, c(subtrees(t, nil, kz)), c(dns("a.kz"))), fault.NameForbidden},
		{"not excluded", line(t, c(subtrees(t, nil, kz)), c(dns("a.org"))), ""},
		{"permitted and excluded", line(t, c(subtrees(t, kz, general(cert.DNSName, "a.kz"))), c(dns("x.a.kz"))), fault.NameForbidden},
		{"another kind of name", line(t, c(subtrees(t, kz, nil)), c()), ""},
		{"narrowed", line(t, c(subtrees(t, kz, nil)), c(subtrees(t, general(cert.DNSName, "a.kz"), nil)), c(dns("b.kz"))), fault.NameForbidden},
		{"widened in vain", line(t, c(subtrees(t, general(cert.DNSName, "a.kz"), nil)), c(subtrees(t, kz, nil)), c(dns("b.kz"))), fault.NameForbidden},
		{"of the CA itself", line(t, c(subtrees(t, general(cert.DirectoryName, string(leafName)), nil)), c()), ""},
		{"a CA outside", line(t, c(subtrees(t, general(cert.DirectoryName, string(leafName)), nil)), c(), c()), fault.NameForbidden},
		{"mailbox in the subject", line(t, c(subtrees(t, general(cert.EmailName, "example.kz"), nil)), c(emailInSubject)), fault.NameForbidden},
		{"mailbox in the subject beside others", line(t, c(subtrees(t, general(cert.EmailName, "example.kz"), nil)), c(emailInSubject, dns("a.kz"))), fault.NameForbidden},
		{"host for a common name", line(t, c(subtrees(t, kz, nil)), c(named("a.org"))), fault.NameForbidden},
		{"host for a common name beside others", line(t, c(subtrees(t, kz, nil)), c(named("a.org"), dns("a.kz"))), ""},
		{"person for a common name", line(t, c(subtrees(t, kz, nil)), c(named("A. B"))), ""},
		{"unknown kind, no such name", line(t, c(subtrees(t, nil, other)), c()), ""},
		{"unknown kind", line(t, c(subtrees(t, nil, other)), c(san(other))), fault.NameConstraintsNotSupported},
	}
	for _, tt := range tests {
		if _, err := Build(tt.chain); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestTooManyNamesAndConstraints(t *testing.T) {
	var rules nameRules
	nc := &cert.NameConstraints{}
	for range 2048 {
		nc.Excluded = append(nc.Excluded, cert.Subtree{Base: cert.GeneralName{Kind: cert.DNSName, Value: []byte("kz")}})
	}
	rules.add(&cert.Certificate{NameConstraints: nc})
	names := make([]cert.GeneralName, 2048)
	for i := range names {
		names[i] = cert.GeneralName{Kind: cert.DNSName, Value: []byte("a.org")}
	}
	if err := rules.check(&cert.Certificate{AltNames: names}, 0); !fault.Is(err, fault.NameConstraintsTooMany) {
		t.Error(err)
	}
}

func attribute(oid asn1.ObjectIdentifier, value string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: value}
}
