package cert

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

// Each oddity is read by Parse and named, and refused where it is not allowed.
func TestOddities(t *testing.T) {
	extension := func(oid asn1.ObjectIdentifier, value ...byte) []byte {
		template := signerTemplate()
		template.ExtraExtensions = []pkix.Extension{{Id: oid, Value: value}}
		return issue(t, template)
	}
	long := signerTemplate()
	long.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 20*8)
	tests := map[Tolerance][]byte{
		OddSerial:             issue(t, long),
		OddParameters:         withOuterNull(t, issue(t, signerTemplate())),
		OddExtensionEncoding:  extension(OIDCertificatePolicies, 0x30, 0x81, 0x06, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03),
		OddEmptyAltNames:      extension(OIDSubjectAltName, 0x30, 0),
		OddEmptyNoCheck:       extension(OIDOCSPNoCheck),
		OddEmptySubtrees:      extension(OIDNameConstraints, 0x30, 9, 0xa0, 5, 0x30, 3, 0x82, 1, 'a', 0xa1, 0),
		OddMalformedExtension: extension(OIDCertificatePolicies, 0x30, 0x02, 0x05, 0x00),
	}
	for _, o := range Oddities {
		der, ok := tests[o.Tolerance]
		if !ok {
			t.Errorf("%s: no test", o.Name)
			continue
		}
		c, err := Parse(der)
		if err != nil || c.Tolerated != o.Tolerance || !slices.Equal(c.Tolerated.Names(), []string{o.Name}) {
			t.Errorf("%s: %v", o.Name, err)
		}
		if _, err := ParseTolerating(der, TolerateAll&^o.Tolerance); err == nil {
			// An oddity inside an extension makes it malformed, which is tolerated by itself.
			c, _ := ParseTolerating(der, TolerateAll&^o.Tolerance)
			if c.Tolerated&OddMalformedExtension == 0 {
				t.Errorf("%s: read though not allowed", o.Name)
			}
		}
		if _, err := ParseTolerating(der, 0); !fault.Is(err, fault.CertificateUnreadable) {
			t.Errorf("%s, nothing allowed: %v", o.Name, err)
		}
	}
	if c, err := ParseTolerating(issue(t, signerTemplate()), 0); err != nil || c.Tolerated != 0 {
		t.Errorf("nothing odd: %v", err)
	}
}

// withOuterNull gives the algorithm beside an ECDSA signature a NULL that the
// signed one lacks.
func withOuterNull(t *testing.T, der []byte) []byte {
	t.Helper()
	var c struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		t.Fatal(err)
	}
	c.Algorithm.Parameters = asn1.NullRawValue
	out, err := asn1.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A critical extension that cannot be read counts as one that nobody knows, and
// nothing of it stays.
func TestMalformedExtension(t *testing.T) {
	template := signerTemplate()
	template.PolicyIdentifiers, template.Policies = nil, nil
	template.ExtraExtensions = []pkix.Extension{
		{Id: OIDCertificatePolicies, Critical: true, Value: []byte{0x30, 8, 0x30, 4, 6, 2, 0x2a, 3, 5, 0}}, // a policy, and a NULL
		{Id: OIDFreshestCRL, Value: []byte{5, 0}},
	}
	c, err := Parse(issue(t, template))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Policies) != 0 || len(c.Malformed) != 2 || !c.IsMalformed(OIDFreshestCRL) || c.IsMalformed(OIDKeyUsage) ||
		len(c.UnhandledCritical) != 1 || !c.UnhandledCritical[0].Equal(OIDCertificatePolicies) {
		t.Errorf("%v %v %v", c.Policies, c.Malformed, c.UnhandledCritical)
	}
}

// RFC 5280 §4.2.1.4: who does not know a qualifier of a critical extension must
// reject it. A policy comes once.
func TestPolicyQualifiers(t *testing.T) {
	qualified := func(oid asn1.ObjectIdentifier) []byte {
		der, err := asn1.Marshal([]struct {
			Policy     asn1.ObjectIdentifier
			Qualifiers []struct {
				OID   asn1.ObjectIdentifier
				Value string `asn1:"ia5"`
			}
		}{{asn1.ObjectIdentifier{1, 2, 3}, []struct {
			OID   asn1.ObjectIdentifier
			Value string `asn1:"ia5"`
		}{{oid, "http://cps.kz"}}}})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, tt := range []struct {
		name               string
		value              []byte
		critical           bool
		unknown, malformed bool
	}{
		{"CPS", qualified(oidQualifierCPS), true, false, false},
		{"another, critical", qualified(asn1.ObjectIdentifier{1, 2, 3, 4}), true, true, false},
		{"another", qualified(asn1.ObjectIdentifier{1, 2, 3, 4}), false, false, false},
		{"twice", []byte{0x30, 12, 0x30, 4, 6, 2, 0x2a, 3, 0x30, 4, 6, 2, 0x2a, 3}, false, false, true},
		{"no qualifier in the list", []byte{0x30, 8, 0x30, 6, 6, 2, 0x2a, 3, 0x30, 0}, false, false, true},
	} {
		template := signerTemplate()
		template.PolicyIdentifiers, template.Policies = nil, nil
		template.ExtraExtensions = []pkix.Extension{{Id: OIDCertificatePolicies, Critical: tt.critical, Value: tt.value}}
		c, err := Parse(issue(t, template))
		if err != nil || (len(c.UnhandledCritical) > 0) != tt.unknown || c.IsMalformed(OIDCertificatePolicies) != tt.malformed {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !bytes.Contains(c.Raw, tt.value) {
			t.Errorf("%s: the bytes are not kept", tt.name)
		}
	}
}
