package cert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// name writes a Name with one attribute in each relative name.
func name(t *testing.T, tag int, values ...string) Name {
	t.Helper()
	var seq []asn1.RawValue
	for _, v := range values {
		attribute, err := asn1.Marshal(struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}{oidCommonName, asn1.RawValue{Tag: tag, Bytes: []byte(v)}})
		if err != nil {
			t.Fatal(err)
		}
		seq = append(seq, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: attribute})
	}
	der, err := asn1.Marshal(seq)
	if err != nil {
		t.Fatal(err)
	}
	n, err := ParseName(der)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNamesAreComparedByRFC5280(t *testing.T) {
	const utf8, printable = asn1.TagUTF8String, asn1.TagPrintableString
	tests := []struct {
		a, b Name
		want bool
	}{
		{name(t, utf8, "Senim"), name(t, printable, "Senim"), true},
		{name(t, utf8, "Senim  CA "), name(t, utf8, " senim ca"), true},
		{name(t, utf8, "СЕНІМ"), name(t, utf8, "сенім"), true},
		{name(t, utf8, "Straße"), name(t, utf8, "STRASSE"), true},
		{name(t, utf8, "é"), name(t, utf8, "e\u0301"), true}, // NFKC
		{name(t, utf8, "a\u00adb"), name(t, utf8, "ab"), true},
		{name(t, utf8, "Senim"), name(t, utf8, "Senin"), false},
		{name(t, utf8, "a", "b"), name(t, utf8, "b", "a"), false},
		{name(t, utf8, "a", "b"), name(t, utf8, "a"), false},
		{name(t, utf8, "a b"), name(t, utf8, "ab"), false},
		{name(t, utf8), name(t, utf8), true},
	}
	for i, tt := range tests {
		if got := tt.a.Equal(tt.b); got != tt.want || (tt.a.Key() == tt.b.Key()) != tt.want {
			t.Errorf("%d: %s, %s: %v", i, tt.a, tt.b, got)
		}
	}
	if base := name(t, utf8, "A"); !name(t, utf8, "a", "b").Within(base) || base.Within(name(t, utf8, "a", "b")) || !base.Within(Name{}) {
		t.Error("subtrees")
	}
	if below := name(t, utf8, "a").Below(name(t, utf8, "b").RDNs[0]); !below.Equal(name(t, utf8, "a", "b")) {
		t.Error("a name below another")
	}
}

func TestConstrainingExtensions(t *testing.T) {
	read := func(oid asn1.ObjectIdentifier, value ...byte) (*Certificate, error) {
		template := signerTemplate()
		template.ExtraExtensions = []pkix.Extension{{Id: oid, Critical: true, Value: value}}
		return Parse(issue(t, template))
	}
	c, err := read(OIDNameConstraints, 0x30, 17, 0xa0, 5, 0x30, 3, 0x82, 1, 'a', 0xa1, 8, 0x30, 6, 0x81, 1, 'b', 0x81, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if nc := c.NameConstraints; len(c.UnhandledCritical) > 0 || len(nc.Permitted) != 1 || nc.Permitted[0].Base.Kind != DNSName || nc.Permitted[0].Bounded ||
		len(nc.Excluded) != 1 || string(nc.Excluded[0].Base.Value) != "b" || !nc.Excluded[0].Bounded {
		t.Errorf("%+v", c.NameConstraints)
	}
	if c, err = read(OIDPolicyMappings, 0x30, 8, 0x30, 6, 6, 1, 0x2a, 6, 1, 0x2b); err != nil || c.PolicyMappings[0].Subject.String() != "1.3" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = read(OIDPolicyConstraints, 0x30, 6, 0x80, 1, 0, 0x81, 1, 3); err != nil || *c.RequireExplicitPolicy != 0 || *c.InhibitPolicyMapping != 3 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = read(OIDInhibitAnyPolicy, 2, 9, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0); err != nil || *c.InhibitAnyPolicy < 1<<20 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = read(OIDSubjectAltName, 0x30, 0); err != nil || len(c.AltNames) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for i, tt := range []struct {
		oid   asn1.ObjectIdentifier
		value []byte
	}{
		{OIDNameConstraints, []byte{0x30, 0}},
		{OIDNameConstraints, []byte{0x30, 11, 0xa0, 5, 0x30, 3, 0x82, 1, 'a', 0xa1, 2, 0x30, 0}},
		{OIDNameConstraints, []byte{0x30, 7, 0xa0, 5, 0x30, 3, 0x89, 1, 'a'}},
		{OIDNameConstraints, []byte{0x30, 7, 0xa0, 5, 0x30, 3, 0x82, 1, 0xff}},
		{OIDPolicyMappings, []byte{0x30, 0}},
		{OIDPolicyMappings, []byte{0x30, 5, 0x30, 3, 6, 1, 0x2a}},
		{OIDPolicyConstraints, []byte{0x30, 0}},
		{OIDPolicyConstraints, []byte{0x30, 3, 0x80, 1, 0xff}},
		{OIDInhibitAnyPolicy, []byte{2, 1, 0x80}},
		{OIDCRLPoints, []byte{0x30, 6, 0x30, 4, 0xa0, 2, 0xa0, 0}},
		{OIDCRLPoints, []byte{0x30, 6, 0x30, 4, 0x81, 2, 0, 0}},
		{OIDSubjectAltName, []byte{0x30, 2, 0x89, 0}},
	} {
		c, err := read(tt.oid, tt.value...)
		if err != nil || !c.IsMalformed(tt.oid) || c.Tolerated&OddMalformedExtension == 0 {
			t.Errorf("%d: not malformed: %v", i, err)
		}
	}
}
