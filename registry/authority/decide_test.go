package authority

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/registry/gbdul"
)

const (
	headIIN  kz.IIN = "850101400001"
	otherIIN kz.IIN = "050101500000"
	orgBIN   kz.BIN = "260140990018"
	otherBIN kz.BIN = "260140990206"
)

// signedAt is late on 20 November in UTC and already the 21st in Almaty.
var signedAt = time.Date(2026, time.November, 20, 20, 0, 0, 0, time.UTC)

func day(t testing.TB, text string) kz.Day {
	t.Helper()
	d, err := kz.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func head() Signer {
	return Signer{IIN: headIIN, BIN: orgBIN, Roles: []string{"ORGANIZATION", RoleHead}}
}

func active(t testing.TB) *gbdul.Organisation {
	return &gbdul.Organisation{
		BIN: orgBIN, Kind: gbdul.Entity, State: gbdul.Active, StateCode: "1",
		Head: &gbdul.Head{IIN: headIIN, Since: day(t, "2026-01-12")},
	}
}

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		signer func(*Signer)
		org    func(*gbdul.Organisation)
		reason fault.Code
	}{
		"the head":                     {nil, nil, ""},
		"an individual":                {func(s *Signer) { s.BIN, s.Roles = "", []string{"INDIVIDUAL"} }, nil, fault.SignerBINMissing},
		"a system":                     {func(s *Signer) { s.IIN = "" }, nil, fault.SignerIINMissing},
		"an individual's certificate":  {func(s *Signer) { s.Roles = []string{"INDIVIDUAL"} }, nil, fault.SignerRoleMismatch},
		"a system's certificate":       {func(s *Signer) { s.Roles = []string{"INFORMATION_SYSTEM"} }, nil, fault.SignerRoleMismatch},
		"no role":                      {func(s *Signer) { s.Roles = nil }, nil, fault.SignerRoleMismatch},
		"an employee":                  {func(s *Signer) { s.IIN, s.Roles = otherIIN, []string{"ORGANIZATION", "EMPLOYEE"} }, nil, fault.SignerNotHead},
		"who may sign, without record": {func(s *Signer) { s.IIN, s.Roles = otherIIN, []string{"CAN_SIGN"} }, nil, fault.SignerNotHead},
		"the former head":              {func(s *Signer) { s.IIN = otherIIN }, nil, fault.SignerNotHead},
		"the head as an employee":      {func(s *Signer) { s.Roles = []string{"EMPLOYEE"} }, nil, fault.SignerRoleMismatch},
		"another organisation":         {nil, func(o *gbdul.Organisation) { o.BIN = otherBIN }, fault.OrganisationOther},
		"liquidated":                   {nil, func(o *gbdul.Organisation) { o.State = gbdul.Liquidated }, fault.OrganisationLiquidated},
		"liquidated that day":          {nil, func(o *gbdul.Organisation) { o.LiquidatedOn = day(t, "2026-11-21") }, fault.OrganisationLiquidated},
		"liquidated the day after":     {nil, func(o *gbdul.Organisation) { o.LiquidatedOn = day(t, "2026-11-22") }, ""},
		"liquidated, code unknown": {nil, func(o *gbdul.Organisation) { o.State, o.LiquidatedOn = gbdul.Unknown, day(t, "2026-11-01") },
			fault.OrganisationLiquidated},
		"status unknown":           {nil, func(o *gbdul.Organisation) { o.State = gbdul.Unknown }, fault.OrganisationStatusUnknown},
		"suspended":                {nil, func(o *gbdul.Organisation) { o.State = gbdul.Suspended }, fault.OrganisationInactive},
		"inactive for tax":         {nil, func(o *gbdul.Organisation) { o.TaxInactive = true }, fault.OrganisationInactive},
		"a branch":                 {nil, func(o *gbdul.Organisation) { o.Kind = gbdul.Branch }, fault.OrganisationBranch},
		"a representative office":  {nil, func(o *gbdul.Organisation) { o.Kind = gbdul.Representative }, fault.OrganisationBranch},
		"an unknown kind":          {nil, func(o *gbdul.Organisation) { o.Kind = gbdul.KindUnknown }, fault.OrganisationBranch},
		"no head":                  {nil, func(o *gbdul.Organisation) { o.Head = nil }, fault.HeadUnknown},
		"a head without IIN":       {nil, func(o *gbdul.Organisation) { o.Head.IIN = "" }, fault.HeadUnknown},
		"removed that day":         {nil, func(o *gbdul.Organisation) { o.Head.Until = day(t, "2026-11-21") }, fault.HeadRemoved},
		"removed the day after":    {nil, func(o *gbdul.Organisation) { o.Head.Until = day(t, "2026-11-22") }, ""},
		"appointed that day":       {nil, func(o *gbdul.Organisation) { o.Head.Since = day(t, "2026-11-21") }, ""},
		"appointed the day after":  {nil, func(o *gbdul.Organisation) { o.Head.Since = day(t, "2026-11-22") }, fault.HeadNotYet},
		"appointed, no date known": {nil, func(o *gbdul.Organisation) { o.Head.Since = kz.Day{} }, ""},
		"the organisation comes first": {func(s *Signer) { s.IIN = otherIIN }, func(o *gbdul.Organisation) { o.State = gbdul.Liquidated },
			fault.OrganisationLiquidated},
	} {
		t.Run(name, func(t *testing.T) {
			signer, org := head(), active(t)
			if c.signer != nil {
				c.signer(&signer)
			}
			if c.org != nil {
				c.org(org)
			}
			want := Decision{Reason: c.reason, On: day(t, "2026-11-21")}
			if c.reason == "" {
				want.Allowed, want.Ground = true, HeadOfOrganisation
			}
			if got := Decide(signer, org, signedAt); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	if got := Decide(head(), nil, signedAt); got.Allowed || got.Reason != fault.OrganisationNotFound {
		t.Errorf("not found: %+v", got)
	}
}

func TestClaimsNeedNoRegister(t *testing.T) {
	if d := Claims(head(), signedAt); d.Allowed || d.Reason != "" {
		t.Errorf("claims alone allow nothing and refuse nothing here: %+v", d)
	}
	if d := Claims(Signer{IIN: headIIN, Roles: []string{"INDIVIDUAL"}}, signedAt); d.Reason != fault.SignerBINMissing {
		t.Errorf("got %+v", d)
	}
}

// Nobody but the head, whatever else is true, and never without a word why not.
func TestOnlyTheHeadIsEverAllowed(t *testing.T) {
	pick := func(r *rapid.T, name string, from ...string) string { return rapid.SampledFrom(from).Draw(r, name) }
	rapid.Check(t, func(r *rapid.T) {
		o := active(t)
		o.BIN = kz.BIN(pick(r, "bin", string(orgBIN), string(otherBIN)))
		o.State = gbdul.State(pick(r, "state", "", "active", "suspended", "liquidated"))
		o.Kind = gbdul.Kind(pick(r, "kind", "", "entity", "branch"))
		o.TaxInactive = rapid.Bool().Draw(r, "inactive")
		o.Head.IIN = kz.IIN(pick(r, "head", "", string(headIIN), string(otherIIN)))
		s := head()
		s.IIN = kz.IIN(pick(r, "signer", "", string(headIIN), string(otherIIN)))
		s.Roles = []string{pick(r, "role", "CEO", "EMPLOYEE", "INDIVIDUAL")}
		d := Decide(s, o, signedAt)
		if d.Allowed == (d.Reason != "") || d.Allowed != (d.Ground != "") {
			r.Fatalf("half a decision: %+v", d)
		}
		if d.Allowed && (s.IIN == "" || s.IIN != o.Head.IIN || s.BIN != o.BIN || o.State != gbdul.Active || o.TaxInactive || o.Kind != gbdul.Entity) {
			r.Fatalf("allowed: %+v for %+v", s, o)
		}
	})
}
