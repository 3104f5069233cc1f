package cert

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"testing"
)

func TestPurposesAndKinds(t *testing.T) {
	const (
		sign = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
		auth = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	)
	policy := func(last int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2, last} }
	treasury := func(last int) asn1.ObjectIdentifier { return append(slices.Clone(OIDRoleTreasury), last) }
	for _, tt := range []struct {
		name     string
		usage    x509.KeyUsage
		eku      []asn1.ObjectIdentifier
		policies []asn1.ObjectIdentifier
		purposes []Purpose
		kind     HolderKind
		treasury bool
	}{
		{"RSA, signature", sign, []asn1.ObjectIdentifier{OIDRoleIndividual}, []asn1.ObjectIdentifier{policy(3)}, []Purpose{PurposeSign}, Individual, false},
		{"RSA, authentication", auth, []asn1.ObjectIdentifier{OIDRoleOrganization, OIDRoleCEO}, []asn1.ObjectIdentifier{policy(2)}, []Purpose{PurposeAuthenticate}, LegalEntity, false},
		{"GOST 2015", sign | x509.KeyUsageKeyAgreement, []asn1.ObjectIdentifier{OIDRoleOrganization}, []asn1.ObjectIdentifier{{1, 2, 398, 3, 3, 2}}, []Purpose{PurposeSign, PurposeAuthenticate}, LegalEntity, false},
		{"the Single Window", sign, []asn1.ObjectIdentifier{OIDRoleOrganization, OIDRoleSingleWindow}, nil, []Purpose{PurposeSign}, System, false},
		{"the payment gateway", sign, []asn1.ObjectIdentifier{OIDRolePaymentGateway}, nil, []Purpose{PurposeSign}, System, false},
		{"ШЭП", sign, []asn1.ObjectIdentifier{OIDRoleGateway}, nil, []Purpose{PurposeSign}, System, false},
		{"K2 by role", sign, []asn1.ObjectIdentifier{OIDRoleOrganization, OIDRoleTreasury}, nil, []Purpose{PurposeSign}, LegalEntity, true},
		{"K2 by policy", sign, nil, []asn1.ObjectIdentifier{treasury(3)}, []Purpose{PurposeAuthenticate}, "", true},
		{"policy alone", sign, nil, []asn1.ObjectIdentifier{policy(1)}, []Purpose{PurposeSign}, LegalEntity, false},
		{"time-stamping", x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, []asn1.ObjectIdentifier{OIDUsageTimeStamping}, nil, nil, "", false},
		{"neither", x509.KeyUsageKeyEncipherment, nil, nil, nil, "", false},
	} {
		template := signerTemplate()
		template.KeyUsage, template.ExtKeyUsage, template.UnknownExtKeyUsage = tt.usage, nil, tt.eku
		template.PolicyIdentifiers, template.Policies = nil, nil
		for _, oid := range tt.policies {
			parts := make([]uint64, len(oid))
			for i, n := range oid {
				parts[i] = uint64(n)
			}
			p, err := x509.OIDFromInts(parts)
			if err != nil {
				t.Fatal(err)
			}
			template.Policies = append(template.Policies, p)
		}
		template.Subject.ExtraNames = append(template.Subject.ExtraNames, atv(oidBusinessCategory, "KS1234"), atv(oidDomainComponent, "ROLE01"), atv(oidDomainComponent, "gov"))
		c, err := Parse(issue(t, template))
		if err != nil {
			t.Fatal(err)
		}
		h := c.Holder()
		if !slices.Equal(h.Purposes, tt.purposes) || h.Kind != tt.kind || (h.Treasury != nil) != tt.treasury {
			t.Errorf("%s: %v %q %+v", tt.name, h.Purposes, h.Kind, h.Treasury)
		}
		if h.Treasury != nil && (h.Treasury.Client != "KS1234" || !slices.Equal(h.Treasury.Roles, []string{"ROLE01"})) {
			t.Errorf("%s: %+v", tt.name, h.Treasury)
		}
	}
}

// Names of others are added to the register's, and never replace them.
func TestVocabulary(t *testing.T) {
	template := signerTemplate()
	template.UnknownExtKeyUsage = []asn1.ObjectIdentifier{OIDRoleCEO, {1, 2, 398, 3, 99, 1}}
	c, err := Parse(issue(t, template))
	if err != nil {
		t.Fatal(err)
	}
	var v Vocabulary
	v.Add(Vocabulary{Roles: map[string]string{"1.2.398.3.99.1": "TELLER"}, Policies: map[string]string{"1.2.398.3.99.2": "BANK"}})
	if err := v.Check(); err != nil {
		t.Error(err)
	}
	if h := c.HolderBy(v); len(h.Roles) != 2 || h.Roles[0].Name != "CEO" || h.Roles[1].Name != "TELLER" {
		t.Errorf("%+v", h.Roles)
	}
	if h := c.Holder(); len(h.Roles) != 1 {
		t.Errorf("%+v", h.Roles)
	}
	if v.PolicyName(asn1.ObjectIdentifier{1, 2, 398, 3, 99, 2}) != "BANK" || v.PolicyName(asn1.ObjectIdentifier{1, 2}) != "" {
		t.Error("policies")
	}
}

func TestParseOID(t *testing.T) {
	for text, ok := range map[string]bool{
		"1.2.398": true, "2.999": true, "0.0": true, "": false, "1": false, "1.40": false, "3.1": false, "1..2": false, "1.02": false,
		"1.+2": false, "1.-2": false, "1.2.x": false, "1.2.99999999999": false,
	} {
		if oid, err := ParseOID(text); (err == nil) != ok || ok && oid.String() != text {
			t.Errorf("%q: %v, %v", text, oid, err)
		}
	}
}
