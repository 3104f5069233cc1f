package registry_test

import (
	"encoding/asn1"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/kz"
	sandbox "github.com/senim-kz/senim/internal/sandbox/shep"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/internal/shep/sheptest"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/registry"
	"github.com/senim-kz/senim/registry/authority"
	"github.com/senim-kz/senim/registry/gbdul"
)

const (
	windowBIN   kz.BIN = "141040004756"
	gatewayBIN         = "260140990701"
	registerBIN kz.BIN = "260140990602"
	orgBIN      kz.BIN = "260140990018"
	headIIN     kz.IIN = "850101400001"
	otherIIN    kz.IIN = "050101500000"
	purpose            = "transaction 1: identify the signer"
)

type scene struct {
	ca      *sheptest.CA
	gateway *sandbox.Gateway
	service *registry.Service
}

func oids(list ...asn1.ObjectIdentifier) []asn1.ObjectIdentifier { return list }

func newScene(t *testing.T) scene {
	ca := sheptest.NewCA(t, "CA")
	window := ca.Issue(sheptest.Holder{Name: "window", BIN: windowBIN.String(), Roles: oids(cert.OIDRoleOrganization, cert.OIDRoleSingleWindow)})
	gateway, err := sandbox.New(sandbox.Config{
		Gateway:  ca.Issue(sheptest.Holder{Name: "gateway", BIN: gatewayBIN, Roles: oids(cert.OIDRoleOrganization, cert.OIDRoleGateway)}),
		Register: ca.Issue(sheptest.Holder{Name: "register", BIN: registerBIN.String(), Roles: oids(cert.OIDRoleOrganization)}),
		Client:   shep.Peer{Trust: ca.Trust(), Role: cert.OIDRoleSingleWindow},
		Now:      sheptest.Clock,
	}, sandbox.State{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	client, err := fetch.New(fetch.Config{AllowedHosts: []string{strings.TrimPrefix(server.URL, "http://")}, AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	channel, err := shep.NewClient(shep.ClientConfig{
		URL: server.URL + "/", Poster: client, Key: window, Sender: shep.Sender{ID: "senim"},
		Opener: shep.Opener{Peer: shep.Peer{Trust: ca.Trust(), Role: cert.OIDRoleGateway}, Now: sheptest.Clock}, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	register, err := gbdul.New(gbdul.Config{
		Channel: channel, Key: window, Requestor: windowBIN, Now: sheptest.Clock,
		Reader: gbdul.Reader{Signer: shep.Peer{Trust: ca.Trust(), Role: cert.OIDRoleOrganization, BIN: registerBIN}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return scene{ca, gateway, registry.New(register)}
}

func (s scene) person(iin kz.IIN, bin kz.BIN, roles ...asn1.ObjectIdentifier) *cert.Certificate {
	return s.ca.Issue(sheptest.Holder{Name: "person", IIN: iin.Digits(), BIN: bin.String(), Roles: roles}).Certificate
}

func (s scene) put(t *testing.T, change func(*sandbox.Organisation)) {
	t.Helper()
	since, err := kz.ParseDay("2026-01-12")
	if err != nil {
		t.Fatal(err)
	}
	o := sandbox.Organisation{
		BIN: orgBIN, NameRU: "ТОО «Учебное»", NameKK: "«Оқу» ЖШС", RegisteredOn: since,
		Head: &sandbox.Head{IIN: headIIN, Surname: "СЫНАҚОВА", Name: "АЙША", Since: since},
	}
	if change != nil {
		change(&o)
	}
	if err := s.gateway.Put(o); err != nil {
		t.Fatal(err)
	}
}

func TestIdentify(t *testing.T) {
	s := newScene(t)
	head := s.person(headIIN, orgBIN, cert.OIDRoleOrganization, cert.OIDRoleCEO)
	yesterday := kz.DayOf(sheptest.Now).AddDays(-1)
	for name, c := range map[string]struct {
		signer  *cert.Certificate
		record  func(*sandbox.Organisation)
		reason  fault.Code
		outcome string // "" means that no register may be asked
	}{
		"the head":      {head, nil, "", "found"},
		"an employee":   {s.person(otherIIN, orgBIN, cert.OIDRoleOrganization, cert.OIDRoleEmployee), nil, fault.SignerNotHead, "found"},
		"a former head": {s.person(otherIIN, orgBIN, cert.OIDRoleOrganization, cert.OIDRoleCEO), nil, fault.SignerNotHead, "found"},
		"an individual": {s.person(headIIN, "", cert.OIDRoleIndividual), nil, fault.SignerBINMissing, ""},
		"a system":      {s.person("", orgBIN, cert.OIDRoleOrganization, cert.OIDRoleSystem), nil, fault.SignerIINMissing, ""},
		"not found":     {s.person(headIIN, "260140990206", cert.OIDRoleOrganization, cert.OIDRoleCEO), nil, fault.OrganisationNotFound, "not_found"},
		"head removed":  {head, func(o *sandbox.Organisation) { o.Head.Until = yesterday }, fault.HeadRemoved, "found"},
		"liquidated":    {head, func(o *sandbox.Organisation) { o.RegStatus, o.LiquidatedOn = "2", yesterday }, fault.OrganisationLiquidated, "found"},
		"inactive":      {head, func(o *sandbox.Organisation) { o.TaxInactive = true }, fault.OrganisationInactive, "found"},
		"branch":        {head, func(o *sandbox.Organisation) { o.OrgForm = "2" }, fault.OrganisationBranch, "found"},
		"a status that nobody explained": {head, func(o *sandbox.Organisation) { o.RegStatus = "55" },
			fault.OrganisationStatusUnknown, "found"},
	} {
		t.Run(name, func(t *testing.T) {
			s.put(t, c.record)
			got, err := s.service.Identify(t.Context(), c.signer, sheptest.Now, purpose)
			if err != nil {
				t.Fatal(err)
			}
			if d := got.Decision; d.Allowed != (c.reason == "") || d.Reason != c.reason || (d.Allowed && d.Ground != authority.HeadOfOrganisation) {
				t.Errorf("decision %+v, want reason %q", d, c.reason)
			}
			if asked := got.Audit != nil; asked != (c.outcome != "") || asked != (len(got.Evidence) == 2) {
				t.Fatalf("audit %+v, %d pieces of evidence", got.Audit, len(got.Evidence))
			}
			if got.Audit != nil && (got.Audit.Outcome != c.outcome || got.Audit.Purpose != purpose || got.Audit.Subject != got.BIN || got.Audit.MessageID == "") {
				t.Errorf("audit %+v", got.Audit)
			}
		})
	}
}

// A failure leaves no decision, and still the evidence and the note of it.
func TestIdentifyFailsClosed(t *testing.T) {
	s := newScene(t)
	s.put(t, nil)
	head := s.person(headIIN, orgBIN, cert.OIDRoleOrganization, cert.OIDRoleCEO)
	for name, outcome := range map[sandbox.FaultName]fault.Code{
		sandbox.BadPayloadSignature: fault.XMLDigestMismatch,
		sandbox.SOAPFault:           fault.ShepFault,
		sandbox.UnhandledError:      fault.ShepTechnical,
	} {
		if err := s.gateway.SetFault(sandbox.Fault{Name: name, Times: 1}); err != nil {
			t.Fatal(err)
		}
		got, err := s.service.Identify(t.Context(), head, sheptest.Now, purpose)
		if err == nil || fault.CodeOf(err).Class() != fault.RetryLater {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Decision.Allowed || got.Organisation != nil || len(got.Evidence) != 2 || got.Audit.Outcome != string(outcome) {
			t.Errorf("%s: %+v, audit %+v", name, got.Decision, got.Audit)
		}
		if strings.Contains(err.Error(), headIIN.Digits()) {
			t.Errorf("%s: the error names the person: %v", name, err)
		}
	}
	if _, err := s.service.Identify(t.Context(), head, sheptest.Now, " "); !fault.Is(err, fault.RegisterPurpose) {
		t.Errorf("no purpose: %v", err)
	}
}

// What is kept can be judged again, offline, from the messages alone.
func TestEvidenceStandsAlone(t *testing.T) {
	s := newScene(t)
	s.put(t, nil)
	got, err := s.service.Identify(t.Context(), s.person(headIIN, orgBIN, cert.OIDRoleOrganization, cert.OIDRoleCEO), sheptest.Now, purpose)
	if err != nil {
		t.Fatal(err)
	}
	opener := shep.Opener{Peer: shep.Peer{Trust: s.ca.Trust(), Role: cert.OIDRoleGateway}, Now: sheptest.Clock}
	e, err := opener.Open(t.Context(), got.Evidence[1].Raw)
	if err != nil {
		t.Fatal(err)
	}
	reader := gbdul.Reader{Signer: shep.Peer{Trust: s.ca.Trust(), Role: cert.OIDRoleOrganization, BIN: registerBIN}}
	o, _, err := reader.Read(t.Context(), e.Response.Data, sheptest.Now)
	if err != nil {
		t.Fatal(err)
	}
	if *o.Head != *got.Organisation.Head || o.BIN != got.Organisation.BIN {
		t.Errorf("read again: %+v", o)
	}
	if text, err := json.Marshal(got); err != nil || !strings.Contains(string(text), `"ground":"head_of_organisation"`) {
		t.Errorf("JSON %s, %v", text, err)
	}
}
