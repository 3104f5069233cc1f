package authority

import (
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/registry/gbdul"
)

// RoleHead is the role of an organisation's first head in a certificate, by
// the name that pki/cert gives it: the CAs number the same roles differently.
const RoleHead = "CEO"

// organisationRoles are those that a CA gives to people of an organisation. An
// information system's is not among them: a system does not sign for anybody.
var organisationRoles = []string{RoleHead, "ORGANIZATION", "CAN_SIGN", "CAN_SIGN_FINANCIAL", "HR", "EMPLOYEE"}

// Signer is what a validated certificate claims about its holder.
type Signer struct {
	IIN   kz.IIN
	BIN   kz.BIN
	Roles []string // names, as pki/cert gives them
}

// Ground is why somebody may act.
type Ground string

// HeadOfOrganisation: the register names the signer as head, in office on the
// day of the act.
const HeadOfOrganisation Ground = "head_of_organisation"

// Decision says whether the signer may act; a refusal says why.
type Decision struct {
	Allowed bool       `json:"allowed"`
	Ground  Ground     `json:"ground,omitempty"`
	Reason  fault.Code `json:"reason,omitempty"`
	On      kz.Day     `json:"on"` // the day it holds for
}

// facts of one case.
type facts struct {
	signer       Signer
	organisation *gbdul.Organisation
	day          kz.Day
}

// rule refuses with its reason when it applies.
type rule struct {
	reason  fault.Code
	applies func(facts) bool
}

// claims are the rules that need no register.
var claims = []rule{
	{fault.SignerBINMissing, func(f facts) bool { return f.signer.BIN == "" }},
	{fault.SignerIINMissing, func(f facts) bool { return f.signer.IIN == "" }},
	{fault.SignerRoleMismatch, func(f facts) bool { return !f.signer.forOrganisation() }},
}

// records are the rules over the register's record, in the order in which
// their reasons matter: what is wrong with the organisation comes before what
// is wrong with the person.
var records = []rule{
	{fault.OrganisationNotFound, func(f facts) bool { return f.organisation == nil }},
	{fault.OrganisationOther, func(f facts) bool { return f.organisation.BIN != f.signer.BIN }},
	{fault.OrganisationLiquidated, func(f facts) bool {
		return f.organisation.State == gbdul.Liquidated || reached(f.organisation.LiquidatedOn, f.day)
	}},
	{fault.OrganisationStatusUnknown, func(f facts) bool { return f.organisation.State == gbdul.Unknown }},
	{fault.OrganisationInactive, func(f facts) bool {
		return f.organisation.State != gbdul.Active || f.organisation.TaxInactive
	}},
	// The head of a branch acts under the entity's power of attorney (Civil Code
	// of the RK, art. 43), so a branch needs a mandate like anybody else.
	{fault.OrganisationBranch, func(f facts) bool { return f.organisation.Kind != gbdul.Entity }},
	{fault.HeadUnknown, func(f facts) bool {
		return f.organisation.Head == nil || f.organisation.Head.IIN == ""
	}},
	{fault.SignerNotHead, func(f facts) bool { return f.organisation.Head.IIN != f.signer.IIN }},
	{fault.HeadRemoved, func(f facts) bool { return reached(f.organisation.Head.Until, f.day) }},
	{fault.HeadNotYet, func(f facts) bool { return f.organisation.Head.Since.After(f.day) }},
	// A head who signs with an employee's certificate acts as an employee.
	{fault.SignerRoleMismatch, func(f facts) bool { return !slices.Contains(f.signer.Roles, RoleHead) }},
}

// reached reports whether a date is set and not later than the day.
func reached(date, day kz.Day) bool { return !date.IsZero() && !date.After(day) }

func (s Signer) forOrganisation() bool {
	return slices.ContainsFunc(s.Roles, func(role string) bool { return slices.Contains(organisationRoles, role) })
}

// Claims decides from the certificate alone: a refusal means that no look-up
// is needed, and none may be made (its purpose would be missing). A Decision
// without a Reason is not an allowance yet.
func Claims(s Signer, at time.Time) Decision {
	return refuse(claims, facts{signer: s, day: kz.DayOf(at)})
}

// Decide holds the signer against the register's record at the time of the
// act. A nil organisation is one that the register does not have.
func Decide(s Signer, o *gbdul.Organisation, at time.Time) Decision {
	f := facts{signer: s, organisation: o, day: kz.DayOf(at)}
	for _, rules := range [][]rule{claims, records} {
		if d := refuse(rules, f); d.Reason != "" {
			return d
		}
	}
	return Decision{Allowed: true, Ground: HeadOfOrganisation, On: f.day}
}

func refuse(rules []rule, f facts) Decision {
	for _, r := range rules {
		if r.applies(f) {
			return Decision{Reason: r.reason, On: f.day}
		}
	}
	return Decision{On: f.day}
}
