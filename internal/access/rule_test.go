package access

import (
	"slices"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

func TestRulesAreWhole(t *testing.T) {
	for name, r := range rules {
		switch r.Door {
		case Open, SignedMessage, Timestamps:
			if len(r.Roles) != 0 || r.Scope != "" {
				t.Errorf("%s: anybody may call it, yet it names roles or a scope", name)
			}
		case Callers:
			if len(r.Roles) == 0 {
				t.Errorf("%s: nobody may call it", name)
			}
			for _, role := range r.Roles {
				if !slices.Contains(Roles(), role) {
					t.Errorf("%s: unknown role %q", name, role)
				}
			}
		default:
			t.Errorf("%s: no door", name)
		}
	}
}

func TestAdmit(t *testing.T) {
	rule := Rule{Door: Callers, Scope: OrdersWrite, Roles: []Role{SingleWindow, Trader}}
	for name, c := range map[string]struct {
		rule   Rule
		caller Caller
		want   fault.Code
	}{
		"role and scope":              {rule, Caller{Role: Trader, Scopes: []Scope{OrdersWrite}}, ""},
		"role without scope":          {rule, Caller{Role: Trader, Scopes: []Scope{DocumentsWrite}}, fault.ScopeDenied},
		"scope without role":          {rule, Caller{Role: Auditor, Scopes: []Scope{OrdersWrite}}, fault.RoleDenied},
		"nobody":                      {rule, Caller{}, fault.RoleDenied},
		"open to all":                 {Rule{Door: Open}, Caller{}, ""},
		"signed message":              {Rule{Door: SignedMessage}, Caller{}, ""},
		"no rule":                     {RuleOf("noSuchOperation"), Caller{Role: SingleWindow, Scopes: ScopesOf(SingleWindow)}, fault.RoleDenied},
		"closed though the role fits": {Rule{Roles: []Role{Trader}}, Caller{Role: Trader}, fault.RoleDenied},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fault.CodeOf(c.rule.Admit(c.caller)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRuleOfGivesACopy(t *testing.T) {
	RuleOf("getTransaction").Roles[0] = "intruder"
	if slices.Contains(RuleOf("getTransaction").Roles, "intruder") {
		t.Error("the table can be changed from outside")
	}
}

func TestScopesOf(t *testing.T) {
	for role, want := range map[Role][]Scope{
		Auditor:            {MandatesRead, MetricsRead, OrdersRead, ReconciliationsRead, RefundsRead, ReportsRead, SignaturesRead, TransactionsRead, WebhooksRead},
		Trader:             {ChargesRead, DocumentsWrite, MandatesRead, MandatesWrite, OrdersRead, OrdersWrite, RefundsRead, SignaturesRead, SignaturesWrite, TransactionsRead, TransactionsWrite, WebhooksRead, WebhooksWrite},
		TreasuryController: {MandatesRead, MandatesWrite, OrdersRead, ReconciliationsApprove, ReconciliationsRead, ReconciliationsWrite, RefundsApprove, RefundsRead, ReportsRead, SignaturesRead, TransactionsRead, WebhooksRead, WebhooksWrite},
		PaymentGateway:     {PaymentsWrite},
		"intruder":         nil,
	} {
		if got := ScopesOf(role); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", role, got, want)
		}
	}
}
