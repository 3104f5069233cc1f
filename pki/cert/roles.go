package cert

import "encoding/asn1"

// Role is a role or privilege that NUC RK, or a CA under the same root, gives
// the holder through an extended key usage. It is a claim of the day of issue.
type Role struct {
	OID  asn1.ObjectIdentifier
	Name string
}

// Roles that decisions depend on.
var (
	OIDRoleIndividual   = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 1}
	OIDRoleOrganization = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2}
	OIDRoleCEO          = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 1}
	OIDRoleCanSign      = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 2}
	OIDRoleEmployee     = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 5}
	OIDRoleTreasury     = asn1.ObjectIdentifier{1, 2, 398, 5, 19, 1, 2, 2, 1} // K2, and the arc of its policies
	OIDRoleSystem       = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 6}

	// Registered information systems of the state.
	OIDRoleGateway        = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 6, 8}  // ШЭП
	OIDRoleSingleWindow   = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 6, 27} // Е-окно
	OIDRolePaymentGateway = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 6, 95} // ПШЭП
)

// roleNames names the roles of the official register of OIDs.
var roleNames = map[string]string{
	"1.2.398.3.3.4.1.1":   "INDIVIDUAL",
	"1.2.398.3.3.4.1.1.1": "INDIVIDUAL_SYSTEM",
	"1.2.398.3.3.4.1.2":   "ORGANIZATION",
	"1.2.398.3.3.4.1.2.1": "CEO",
	"1.2.398.3.3.4.1.2.2": "CAN_SIGN",
	"1.2.398.3.3.4.1.2.3": "CAN_SIGN_FINANCIAL",
	"1.2.398.3.3.4.1.2.4": "HR",
	"1.2.398.3.3.4.1.2.5": "EMPLOYEE",
	"1.2.398.3.3.4.1.2.6": "INFORMATION_SYSTEM",

	"1.2.398.3.3.4.1.2.6.5":  "TRUSTED_THIRD_PARTY",
	"1.2.398.3.3.4.1.2.6.8":  "EGOV_GATEWAY",
	"1.2.398.3.3.4.1.2.6.18": "ASTANA_1",
	"1.2.398.3.3.4.1.2.6.25": "TAX_INTEGRATION_BUS",
	"1.2.398.3.3.4.1.2.6.27": "SINGLE_WINDOW",
	"1.2.398.3.3.4.1.2.6.28": "ELECTRONIC_INVOICES",
	"1.2.398.3.3.4.1.2.6.91": "KEDEN",
	"1.2.398.3.3.4.1.2.6.95": "PAYMENT_GATEWAY",

	"1.2.398.3.3.4.2":      "NCA_PRIVILEGES",
	"1.2.398.3.3.4.2.1":    "NCA_ADMIN",
	"1.2.398.3.3.4.2.2":    "NCA_MANAGER",
	"1.2.398.3.3.4.2.3":    "NCA_OPERATOR",
	"1.2.398.3.3.4.3":      "IDENTIFICATION",
	"1.2.398.3.3.4.3.1":    "IDENTIFICATION_CON",
	"1.2.398.3.3.4.3.2":    "IDENTIFICATION_REMOTE",
	"1.2.398.3.3.4.3.2.1":  "IDENTIFICATION_REMOTE_DIGITAL_ID",
	"1.2.398.3.3.4.3.2.2":  "IDENTIFICATION_REMOTE_AI_PLATFORM",
	"1.2.398.5.19.1.2.2.1": "TREASURY_CLIENT",
	"1.2.398.3.17.3.1":     "INDIVIDUAL", // BTS Digital CA
	"1.2.398.3.17.3.2":     "ORGANIZATION",
	"1.2.398.3.17.3.3":     "CEO",
	"1.2.398.3.17.3.4":     "CAN_SIGN",
	"1.2.398.3.17.3.5":     "CAN_SIGN_FINANCIAL",
	"1.2.398.3.17.3.6":     "HR",
	"1.2.398.3.17.3.7":     "EMPLOYEE",
	"1.2.398.3.2.3.1":      "PRESIDENTIAL_ARCHIVE", // CA of the state bodies
	"1.2.398.3.2.3.2":      "CENTRAL_STATE_ARCHIVE",
	"1.2.398.3.2.3.3":      "DEPARTMENTAL_ARCHIVE",
	"1.2.398.3.2.3.4":      "CIVIL_SERVANT",
}

// policyNames names NUC RK's certificate policies.
var policyNames = map[string]string{
	"1.2.398.3.1.2":     "ROOT_CA",
	"1.2.398.3.3.1.1":   "NUC_RK_REGULATIONS", // of the CAs until 2025
	"1.2.398.3.3.2":     "NUC_RK",
	"1.2.398.3.3.2.1":   "LEGAL_ENTITY_SIGNATURE",
	"1.2.398.3.3.2.2":   "LEGAL_ENTITY_AUTHENTICATION",
	"1.2.398.3.3.2.3":   "INDIVIDUAL_SIGNATURE",
	"1.2.398.3.3.2.4":   "INDIVIDUAL_AUTHENTICATION",
	"1.2.398.3.3.2.5":   "SSL",
	"1.2.398.3.3.2.6.1": "TSA_GOST_2004",
	"1.2.398.3.3.2.6.2": "TSA_RSA_SHA256",
	"1.2.398.3.3.2.6.3": "TSA_GOSTGT",
	"1.2.398.3.3.2.6.4": "TSA_GOST_2015_512",
	"2.5.29.32.0":       "ANY_POLICY",

	"1.2.398.5.19.1.2.2.1.1": "TREASURY_REGULATIONS", // of the treasury's system K2
	"1.2.398.5.19.1.2.2.1.2": "TREASURY_SIGNATURE",
	"1.2.398.5.19.1.2.2.1.3": "TREASURY_AUTHENTICATION",
}

// PolicyName names a certificate policy, "" if it is not one of NUC RK's.
func PolicyName(oid asn1.ObjectIdentifier) string { return policyNames[oid.String()] }

// rolesOf keeps the extended key usages that are roles: those of the register
// and of the vocabulary, and any information system by its number.
func rolesOf(usages []asn1.ObjectIdentifier, v Vocabulary) []Role {
	var roles []Role
	for _, oid := range usages {
		name := roleNames[oid.String()]
		switch {
		case name != "":
		case isSystemRole(oid):
			name = "INFORMATION_SYSTEM"
		default:
			name = v.Roles[oid.String()]
		}
		if name != "" {
			roles = append(roles, Role{OID: oid, Name: name})
		}
	}
	return roles
}

// isSystemRole reports whether the identifier is that of one information system.
func isSystemRole(oid asn1.ObjectIdentifier) bool {
	n := len(OIDRoleSystem)
	return len(oid) > n && oid[:n].Equal(OIDRoleSystem)
}
