package shep

import (
	"bytes"
	"encoding/asn1"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/kz"
	channel "github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/internal/shep/sheptest"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/xmldsig"
)

const (
	windowBIN   = "141040004756"
	gatewayBIN  = "260140990701"
	registerBIN = "260140990602"
	orgBIN      = "260140990018"
)

// stage is the stand-in behind HTTP and a client of it.
type stage struct {
	ca      *sheptest.CA
	gateway *Gateway
	url     string
	window  xmldsig.Key
}

func oids(list ...asn1.ObjectIdentifier) []asn1.ObjectIdentifier { return list }

func newStage(t *testing.T) stage {
	ca := sheptest.NewCA(t, "CA")
	g, err := New(Config{
		Gateway:  ca.Issue(sheptest.Holder{Name: "gateway", BIN: gatewayBIN, Roles: oids(cert.OIDRoleOrganization, cert.OIDRoleGateway)}),
		Register: ca.Issue(sheptest.Holder{Name: "register", BIN: registerBIN, Roles: oids(cert.OIDRoleOrganization)}),
		Client:   channel.Peer{Trust: ca.Trust(), Role: cert.OIDRoleSingleWindow},
		Now:      sheptest.Clock,
	}, State{Organisations: map[kz.BIN]Organisation{orgBIN: organisation(t)}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	window := ca.Issue(sheptest.Holder{Name: "window", BIN: windowBIN, Roles: oids(cert.OIDRoleOrganization, cert.OIDRoleSingleWindow)})
	return stage{ca, g, server.URL, window}
}

func organisation(t *testing.T) Organisation {
	t.Helper()
	since, err := kz.ParseDay("2026-01-12")
	if err != nil {
		t.Fatal(err)
	}
	return Organisation{
		BIN: orgBIN, NameRU: `ТОО «А & <Б>»`, NameKK: "«А» ЖШС", RegisteredOn: since,
		Head: &Head{IIN: "850101400001", Surname: "СЫНАҚОВА", Name: "АЙША", Since: since},
	}
}

func (s stage) client(t *testing.T, key xmldsig.Key, timeout time.Duration) *channel.Client {
	t.Helper()
	poster, err := fetch.New(fetch.Config{AllowedHosts: []string{strings.TrimPrefix(s.url, "http://")}, AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(poster.Close)
	c, err := channel.NewClient(channel.ClientConfig{
		URL: s.url + "/", Poster: poster, Key: key, Sender: channel.Sender{ID: "senim"}, Timeout: timeout,
		Opener: channel.Opener{Peer: channel.Peer{Trust: s.ca.Trust(), Role: cert.OIDRoleGateway}, Now: sheptest.Clock},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func lookUp(requestor, bin string) string {
	return `<g:Request xmlns:g="` + gbdulSpace + `"><RequestorBIN>` + requestor + `</RequestorBIN><BIN>` + bin + `</BIN></g:Request>`
}

func seal(t *testing.T, document string, key xmldsig.Key) channel.Data {
	t.Helper()
	data, err := channel.SealPayload(document, key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGatewayChecksItsCallers(t *testing.T) {
	s := newStage(t)
	other := s.ca.Issue(sheptest.Holder{Name: "other", BIN: orgBIN, Roles: oids(cert.OIDRoleOrganization, cert.OIDRoleSingleWindow)})
	noRole := s.ca.Issue(sheptest.Holder{Name: "no role", BIN: windowBIN, Roles: oids(cert.OIDRoleOrganization)})
	rogue := sheptest.NewCA(t, "rogue CA").Issue(sheptest.Holder{Name: "rogue", BIN: windowBIN, Roles: oids(cert.OIDRoleOrganization, cert.OIDRoleSingleWindow)})
	good := seal(t, lookUp(windowBIN, orgBIN), s.window)
	for name, c := range map[string]struct {
		key     xmldsig.Key
		service string
		data    channel.Data
		want    channel.StatusCode // "" means a SOAP fault
	}{
		"a good look-up":          {s.window, "GbdulInfoByBin_v2", good, channel.StatusOK},
		"of one that is not":      {s.window, "GbdulInfoByBin_v2", seal(t, lookUp(windowBIN, gatewayBIN), s.window), channel.StatusBusiness},
		"another service":         {s.window, "GbdulInfoByBin_v1", good, channel.StatusInvalidRequest},
		"without the role":        {noRole, "GbdulInfoByBin_v2", good, ""},
		"of another CA":           {rogue, "GbdulInfoByBin_v2", good, ""},
		"payload unsigned":        {s.window, "GbdulInfoByBin_v2", channel.Data{Text: lookUp(windowBIN, orgBIN)}, channel.StatusBadData},
		"payload changed":         {s.window, "GbdulInfoByBin_v2", channel.Data{Text: strings.Replace(good.Text, orgBIN, gatewayBIN, 1)}, channel.StatusBadData},
		"payload of another CA":   {s.window, "GbdulInfoByBin_v2", seal(t, lookUp(windowBIN, orgBIN), rogue), channel.StatusBadData},
		"payload of another kind": {s.window, "GbdulInfoByBin_v2", seal(t, `<Request/>`, s.window), channel.StatusBadData},
		"no payload":              {s.window, "GbdulInfoByBin_v2", channel.Data{}, channel.StatusBadData},
		"requestor is not signer": {s.window, "GbdulInfoByBin_v2", seal(t, lookUp(orgBIN, orgBIN), s.window), channel.StatusBadData},
		"signer is not sender":    {s.window, "GbdulInfoByBin_v2", seal(t, lookUp(orgBIN, orgBIN), other), channel.StatusBadData},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := s.client(t, c.key, time.Minute).Send(t.Context(), channel.Request{ServiceID: c.service, Data: c.data})
			if c.want == "" {
				if !fault.Is(err, fault.ShepFault) {
					t.Errorf("err = %v", err)
				}
				return
			}
			if err != nil || reply.Status.Code != c.want || reply.Data.Empty() == (c.want == channel.StatusOK) {
				t.Errorf("%+v, %v", reply, err)
			}
		})
	}
}

func TestGatewayRefusesWhatIsNotSOAP(t *testing.T) {
	s := newStage(t)
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
	}{
		"GET":           {"GET", "/", "", "", http.StatusMethodNotAllowed},
		"another path":  {"POST", "/other", "text/xml", "<a/>", http.StatusNotFound},
		"JSON":          {"POST", "/", "application/json", "{}", http.StatusInternalServerError},
		"not XML":       {"POST", "/", "text/xml; charset=utf-8", "hello", http.StatusInternalServerError},
		"empty":         {"POST", "/", "text/xml", "", http.StatusInternalServerError},
		"huge":          {"POST", "/", "text/xml", strings.Repeat("x", channel.MessageMaxBytes+1), http.StatusInternalServerError},
		"fault unknown": {"POST", "/control/faults", "", `{"fault":"meteor"}`, http.StatusBadRequest},
		"fault slow":    {"POST", "/control/faults", "", `{"fault":"slow","delay_ms":3600000}`, http.StatusBadRequest},
		"field unknown": {"POST", "/control/faults", "", `{"faults":"slow"}`, http.StatusBadRequest},
		"no JSON":       {"POST", "/control/faults", "", `fault`, http.StatusBadRequest},
		"order huge":    {"PUT", "/control/organisations", "", `{"bin":"` + strings.Repeat("1", controlMaxBytes) + `"}`, http.StatusBadRequest},
		"no BIN":        {"PUT", "/control/organisations", "", `{"name_ru":"x"}`, http.StatusBadRequest},
		"no date":       {"PUT", "/control/organisations", "", `{"bin":"260140990206"}`, http.StatusBadRequest},
		"a good order":  {"PUT", "/control/organisations", "", `{"bin":"260140990206","registered_on":"2026-01-01"}`, http.StatusNoContent},
		"fault mended":  {"POST", "/control/faults", "", `{"fault":""}`, http.StatusNoContent},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", c.contentType)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != c.status {
				t.Errorf("status %d, %v: %s", answer.StatusCode, err, text)
			}
		})
	}
}

func TestFaultsStrikeAsOrdered(t *testing.T) {
	s := newStage(t)
	good := channel.Request{ServiceID: "GbdulInfoByBin_v2", Data: seal(t, lookUp(windowBIN, orgBIN), s.window)}
	order := func(body string) {
		t.Helper()
		answer, err := http.Post(s.url+"/control/faults", "application/json", strings.NewReader(body))
		if err != nil || answer.StatusCode != http.StatusNoContent {
			t.Fatalf("order %s: %v", body, err)
		}
		answer.Body.Close()
	}
	for _, c := range []struct {
		order  string
		reason fault.Code
	}{
		{`{"fault":"slow","delay_ms":1,"times":1}`, ""},
		{`{"fault":"http_500","times":1}`, fault.XMLMalformed},
		{`{"fault":"soap_fault","times":1}`, fault.ShepFault},
		{`{"fault":"bad_envelope_signature","times":1}`, fault.XMLDigestMismatch},
		{`{"fault":"wrong_correlation","times":1}`, fault.ShepCorrelation},
	} {
		order(c.order)
		if _, err := s.client(t, s.window, time.Minute).Send(t.Context(), good); sheptest.Reason(err) != c.reason {
			t.Errorf("%s: %v, want %q", c.order, err, c.reason)
		}
		if _, err := s.client(t, s.window, time.Minute).Send(t.Context(), good); err != nil {
			t.Errorf("after %s: %v", c.order, err)
		}
	}
	for _, c := range []struct {
		order  string
		status channel.StatusCode
		empty  bool
	}{
		{`{"fault":"scse001","times":1}`, channel.StatusBusiness, true},
		{`{"fault":"scse003","times":1}`, channel.StatusUnhandled, true},
		{`{"fault":"empty_data","times":1}`, channel.StatusOK, true},
		{`{"fault":"bad_payload_signature","times":1}`, channel.StatusOK, false},
	} {
		order(c.order)
		reply, err := s.client(t, s.window, time.Minute).Send(t.Context(), good)
		if err != nil || reply.Status.Code != c.status || reply.Data.Empty() != c.empty {
			t.Errorf("%s: %+v, %v", c.order, reply, err)
		}
	}
	order(`{"fault":"soap_fault","times":2}`)
	for i, want := range []fault.Code{fault.ShepFault, fault.ShepFault, ""} {
		if _, err := s.client(t, s.window, time.Minute).Send(t.Context(), good); fault.CodeOf(err) != want {
			t.Errorf("request %d: %v, want %q", i, err, want)
		}
	}
	// These strike until they are mended: who leaves so soon may have done so before
	// the gateway has its request. They are the last, lest it then take another's fault.
	for _, hangs := range []string{`{"fault":"timeout"}`, `{"fault":"slow","delay_ms":60000}`} {
		order(hangs)
		if _, err := s.client(t, s.window, 50*time.Millisecond).Send(t.Context(), good); sheptest.Reason(err) != fault.PeerDown {
			t.Errorf("%s: %v", hangs, err)
		}
		order(`{}`)
		if _, err := s.client(t, s.window, time.Minute).Send(t.Context(), good); err != nil {
			t.Errorf("after %s: %v", hangs, err)
		}
	}
}

func TestStateIsKept(t *testing.T) {
	s := newStage(t)
	text, err := json.Marshal(s.gateway.State())
	if err != nil {
		t.Fatal(err)
	}
	var state State
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	again, err := New(s.gateway.config, state)
	if err != nil {
		t.Fatal(err)
	}
	got, want := again.State().Organisations[orgBIN], s.gateway.State().Organisations[orgBIN]
	if *got.Head != *want.Head || got.response() != want.response() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := New(s.gateway.config, State{Organisations: map[kz.BIN]Organisation{"x": {BIN: "x"}}}); !fault.Is(err, fault.BINInvalid) {
		t.Errorf("a damaged state: %v", err)
	}
	if _, err := New(Config{}, State{}); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("no configuration: %v", err)
	}
}

func TestGatewayServesManyAtOnce(t *testing.T) {
	s := newStage(t)
	client := s.client(t, s.window, time.Minute)
	good := channel.Request{ServiceID: "GbdulInfoByBin_v2", Data: seal(t, lookUp(windowBIN, orgBIN), s.window)}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := client.Send(t.Context(), good); err != nil {
				t.Error(err)
			}
			if err := s.gateway.SetFault(Fault{}); err != nil {
				t.Error(err)
			}
			s.gateway.State()
		})
	}
	group.Wait()
}

var sharedRegistry = filepath.Join("..", "..", "..", "..", "shared", "data", "registry")

func shared(t *testing.T, name ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{sharedRegistry}, name...)...))
	if os.IsNotExist(err) {
		t.Skipf("the shared data are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The payload that names another organisation as requestor than the one that
// signed it is the negative sample the register's side must refuse.
func TestSampleRequests(t *testing.T) {
	anchors, err := cert.ParseBundle(shared(t, "samples", "certs", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := trust.New(anchors...)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, time.November, 21, 18, 0, 0, 0, time.UTC) }
	s := newStage(t)
	c := s.gateway.config
	c.Client = channel.Peer{Trust: channel.Chain{Anchors: store, Revocation: sheptest.NothingRevoked}.Validate, Role: cert.OIDRoleOrganization}
	c.Now = now
	g, err := New(c, s.gateway.State())
	if err != nil {
		t.Fatal(err)
	}
	g.server.Opener.Window = 48 * time.Hour
	for name, want := range map[string]channel.StatusCode{
		"gbdul_request.soap.signed.xml":                 channel.StatusOK,
		"negative/requestor_bin_not_in_certificate.xml": channel.StatusBadData,
	} {
		e, err := g.server.Opener.Open(t.Context(), shared(t, "samples", filepath.FromSlash(name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if response, err := g.serve(t.Context(), e); err != nil || response.Status.Code != want {
			t.Errorf("%s: %+v, %v", name, response.Status, err)
		}
	}
}

// What both sides write is valid by the state's own schemas.
func TestMessagesAreValidBySchema(t *testing.T) {
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed (apt-get install libxml2-utils)")
	}
	shared(t, "INDEX.md")
	validate := func(name, schema string, message []byte) {
		t.Helper()
		command := exec.Command(program, "--noout", "--nonet", "--schema", filepath.Join(sharedRegistry, schema), "-")
		command.Stdin = bytes.NewReader(message)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, message)
		}
	}
	s := newStage(t)
	o := organisation(t)
	liquidated := o
	liquidated.RegStatus, liquidated.LiquidatedOn, liquidated.Successor = "2", o.RegisteredOn, windowBIN
	branch := o
	branch.OrgForm, branch.HeadOrganisation, branch.TaxInactive = "2", windowBIN, true
	for name, one := range map[string]Organisation{"active": o, "liquidated": liquidated, "branch": branch} {
		validate(name, "gbdul-xsd/GbdulInfoByBin_v2.xsd", []byte(seal(t, one.response(), s.window).Text))
	}
	validate("request", "gbdul-xsd/GbdulInfoByBin_v2.xsd", []byte(seal(t, lookUp(windowBIN, orgBIN), s.window).Text))

	reply, err := s.client(t, s.window, time.Minute).Send(t.Context(), channel.Request{
		ServiceID: "GbdulInfoByBin_v2", RouteID: "r", Properties: []channel.Property{{Key: "k", Value: "v"}},
		Data: seal(t, lookUp(windowBIN, orgBIN), s.window),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"request envelope": reply.Exchange.Request, "answer envelope": reply.Exchange.Answer} {
		d, err := xmldsig.Parse(raw, xmldsig.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		message, err := xmldsig.Method{}.CanonicalElement(d.Root.Elements()[1].Elements()[0])
		if err != nil {
			t.Fatal(err)
		}
		validate(name, "shep-xsd-merged/SyncChannel_v10_Types.xsd", message)
	}
}
