package cert

import (
	"encoding/asn1"
	"strings"
)

// Purpose is what a holder's certificate is for by NUC RK's profile.
type Purpose string

// The purposes.
const (
	PurposeSign         Purpose = "sign"
	PurposeAuthenticate Purpose = "authenticate"
)

// HolderKind is who holds the certificate.
type HolderKind string

// The kinds of holders; "" if the certificate says nothing of NUC RK's.
const (
	Individual  HolderKind = "individual"
	LegalEntity HolderKind = "legal"  // a person who acts for one
	System      HolderKind = "system" // an information system
)

// policyFacts are what the policies for holders say.
var policyFacts = map[string]struct {
	kind    HolderKind
	purpose Purpose
}{
	"1.2.398.3.3.2.1":        {LegalEntity, PurposeSign},
	"1.2.398.3.3.2.2":        {LegalEntity, PurposeAuthenticate},
	"1.2.398.3.3.2.3":        {Individual, PurposeSign},
	"1.2.398.3.3.2.4":        {Individual, PurposeAuthenticate},
	"1.2.398.5.19.1.2.2.1.2": {"", PurposeSign},
	"1.2.398.5.19.1.2.2.1.3": {"", PurposeAuthenticate},
}

// Purposes tells what the certificate is for: by its policy, or, since the CAs
// of 2022 name one policy for all, by its key usage as order No. 1187 reads it:
// digitalSignature with nonRepudiation signs, with keyEncipherment or, for GOST,
// keyAgreement authenticates. A certificate of GOST 2015 does both. CAs, and
// services with a purpose of their own, have none.
func (c *Certificate) Purposes() []Purpose {
	var purposes []Purpose
	for _, oid := range c.Policies {
		if f, ok := policyFacts[oid.String()]; ok {
			purposes = append(purposes, f.purpose)
		}
	}
	if len(purposes) > 0 {
		return purposes
	}
	if c.IsCA || c.HasExtKeyUsage(OIDUsageTimeStamping) || c.HasExtKeyUsage(OIDUsageOCSPSigning) || c.KeyUsage&KeyUsageDigitalSignature == 0 {
		return nil
	}
	if c.KeyUsage&KeyUsageNonRepudiation != 0 {
		purposes = append(purposes, PurposeSign)
	}
	if c.KeyUsage&(KeyUsageKeyEncipherment|KeyUsageKeyAgreement) != 0 {
		purposes = append(purposes, PurposeAuthenticate)
	}
	return purposes
}

// kindOf tells who holds the certificate: by the roles, else by the policy.
func (c *Certificate) kindOf(roles []Role) HolderKind {
	kind := HolderKind("")
	for _, r := range roles {
		switch {
		case r.OID.Equal(OIDRoleSystem), isSystemRole(r.OID), r.Name == "INDIVIDUAL_SYSTEM":
			return System
		case r.OID.Equal(OIDRoleIndividual), r.Name == "INDIVIDUAL":
			kind = Individual
		case r.OID.Equal(OIDRoleOrganization), r.Name == "ORGANIZATION":
			kind = LegalEntity
		}
	}
	for _, oid := range c.Policies {
		if kind == "" {
			kind = policyFacts[oid.String()].kind
		}
	}
	return kind
}

// isTreasury reports whether the certificate is one of the treasury's system K2,
// by a role or a policy: such a certificate is for that system, and nobody else
// may accept it.
func (c *Certificate) isTreasury() bool {
	for _, list := range [][]asn1.ObjectIdentifier{c.ExtKeyUsage, c.Policies} {
		for _, oid := range list {
			if n := len(OIDRoleTreasury); len(oid) >= n && oid[:n].Equal(OIDRoleTreasury) {
				return true
			}
		}
	}
	return false
}

// Attributes of the treasury's certificates.
var (
	oidBusinessCategory = asn1.ObjectIdentifier{2, 5, 4, 15}
	oidDomainComponent  = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
)

// Treasury is what a certificate of the system K2 says besides.
type Treasury struct {
	Client string   // businessCategory: "KS1234"
	Roles  []string // domain components: "ROLE01"
}

func (c *Certificate) treasury() *Treasury {
	if !c.isTreasury() {
		return nil
	}
	t := &Treasury{Client: c.Subject.First(oidBusinessCategory)}
	for _, dc := range c.Subject.values(oidDomainComponent) {
		if strings.HasPrefix(dc, "ROLE") {
			t.Roles = append(t.Roles, dc)
		}
	}
	return t
}
