package gbdul_test

import (
	"encoding/asn1"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/xmldsig"
	"github.com/senim-kz/senim/registry/gbdul"
)

const (
	windowBIN   kz.BIN = "141040004756"
	gatewayBIN         = "260140990701"
	registerBIN kz.BIN = "260140990602"
	orgBIN      kz.BIN = "260140990018"
	headIIN     kz.IIN = "850101400001"
)

// exchange is the stand-in behind HTTP and a Register that asks it.
type exchange struct {
	ca       *sheptest.CA
	gateway  *sandbox.Gateway
	register *gbdul.Register
}

func oids(list ...asn1.ObjectIdentifier) []asn1.ObjectIdentifier { return list }

func newExchange(t *testing.T) exchange {
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
		Opener:  shep.Opener{Peer: shep.Peer{Trust: ca.Trust(), Role: cert.OIDRoleGateway}, Now: sheptest.Clock},
		Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	register, err := gbdul.New(gbdul.Config{
		Channel: channel, Key: window, Requestor: windowBIN, Now: sheptest.Clock,
		Reader: gbdul.Reader{
			Signer: shep.Peer{Trust: ca.Trust(), Role: cert.OIDRoleOrganization, BIN: registerBIN},
			States: map[string]gbdul.State{"1": gbdul.Active, "2": gbdul.Liquidated},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return exchange{ca, gateway, register}
}

func day(t *testing.T, text string) kz.Day {
	t.Helper()
	d, err := kz.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func active(t *testing.T) sandbox.Organisation {
	return sandbox.Organisation{
		BIN: orgBIN, NameRU: "ТОО «Учебный импортёр»", NameKK: "«Оқу импорттаушы» ЖШС", RegisteredOn: day(t, "2026-01-12"),
		Head: &sandbox.Head{IIN: headIIN, Surname: "СЫНАҚОВА", Name: "АЙША", Since: day(t, "2026-01-12")},
	}
}

func TestOrganisationIsRead(t *testing.T) {
	x := newExchange(t)
	for name, c := range map[string]struct {
		put  func(*sandbox.Organisation)
		want func(*gbdul.Organisation)
	}{
		"active": {func(*sandbox.Organisation) {}, func(*gbdul.Organisation) {}},
		"head removed": {func(o *sandbox.Organisation) { o.Head.Until = day(t, "2026-11-10") },
			func(o *gbdul.Organisation) { o.Head.Until = day(t, "2026-11-10") }},
		"no head":  {func(o *sandbox.Organisation) { o.Head = nil }, func(o *gbdul.Organisation) { o.Head = nil }},
		"inactive": {func(o *sandbox.Organisation) { o.TaxInactive = true }, func(o *gbdul.Organisation) { o.TaxInactive = true }},
		"liquidated": {
			func(o *sandbox.Organisation) {
				o.RegStatus, o.LiquidatedOn, o.Successor = "2", day(t, "2026-10-01"), windowBIN
			},
			func(o *gbdul.Organisation) {
				o.State, o.StateCode, o.LiquidatedOn, o.Successor = gbdul.Liquidated, "2", day(t, "2026-10-01"), windowBIN
			}},
		"status not configured": {func(o *sandbox.Organisation) { o.RegStatus = "77" },
			func(o *gbdul.Organisation) { o.State, o.StateCode = gbdul.Unknown, "77" }},
		"branch": {func(o *sandbox.Organisation) { o.OrgForm, o.HeadOrganisation = "2", windowBIN },
			func(o *gbdul.Organisation) { o.Kind, o.HeadOrganisation = gbdul.Branch, windowBIN }},
		"form not known": {func(o *sandbox.Organisation) { o.OrgForm = "9" }, func(o *gbdul.Organisation) { o.Kind = gbdul.KindUnknown }},
	} {
		t.Run(name, func(t *testing.T) {
			org := active(t)
			c.put(&org)
			if err := x.gateway.Put(org); err != nil {
				t.Fatal(err)
			}
			want := &gbdul.Organisation{
				BIN: orgBIN, NameRU: org.NameRU, NameKK: org.NameKK, Kind: gbdul.Entity, State: gbdul.Active, StateCode: "1",
				RegisteredOn: org.RegisteredOn, Head: &gbdul.Head{IIN: headIIN, Since: day(t, "2026-01-12")},
			}
			c.want(want)
			answer, err := x.register.Organisation(t.Context(), orgBIN)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, answer.Organisation, want)
			if answer.Gateway.Holder().BIN != gatewayBIN || answer.Register.Holder().BIN != registerBIN || len(answer.Exchange.Answer) == 0 {
				t.Errorf("evidence %+v", answer.Exchange.MessageID)
			}
		})
	}
}

func compare(t *testing.T, got, want *gbdul.Organisation) {
	t.Helper()
	if (got.Head == nil) != (want.Head == nil) || (got.Head != nil && *got.Head != *want.Head) {
		t.Errorf("head %+v, want %+v", got.Head, want.Head)
	}
	g, w := *got, *want
	g.Head, w.Head = nil, nil
	if g != w {
		t.Errorf("got %+v\nwant %+v", g, w)
	}
}

func TestNotFoundIsAFinding(t *testing.T) {
	x := newExchange(t)
	answer, err := x.register.Organisation(t.Context(), orgBIN)
	if err != nil || answer.Organisation != nil || answer.Gateway == nil || answer.Register != nil {
		t.Errorf("%+v, %v", answer, err)
	}
}

// Whatever goes wrong on the way is neither "found" nor "not found".
func TestFailuresAreNotFindings(t *testing.T) {
	x := newExchange(t)
	if err := x.gateway.Put(active(t)); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[sandbox.FaultName]fault.Code{
		sandbox.HTTP500:              fault.XMLMalformed,
		sandbox.SOAPFault:            fault.ShepFault,
		sandbox.UnhandledError:       fault.ShepTechnical,
		sandbox.EmptyData:            fault.ShepDataMissing,
		sandbox.BadEnvelopeSignature: fault.XMLDigestMismatch,
		sandbox.BadPayloadSignature:  fault.XMLDigestMismatch,
		sandbox.WrongCorrelation:     fault.ShepCorrelation,
	} {
		t.Run(string(name), func(t *testing.T) {
			if err := x.gateway.SetFault(sandbox.Fault{Name: name, Times: 1}); err != nil {
				t.Fatal(err)
			}
			answer, err := x.register.Organisation(t.Context(), orgBIN)
			if sheptest.Reason(err) != code || fault.CodeOf(err).Class() != fault.RetryLater {
				t.Fatalf("err = %v, want %s", err, code)
			}
			if answer.Organisation != nil || len(answer.Exchange.Request) == 0 || len(answer.Exchange.Answer) == 0 {
				t.Errorf("answer %+v", answer)
			}
			if _, err := x.register.Organisation(t.Context(), orgBIN); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// A good gateway does not vouch for the payload: it must be the register's.
func TestPayloadOfAnotherSignerIsRefused(t *testing.T) {
	x := newExchange(t)
	peer := shep.Peer{Trust: x.ca.Trust(), Role: cert.OIDRoleOrganization, BIN: registerBIN}
	for name, c := range map[string]struct {
		key  xmldsig.Key
		code fault.Code
	}{
		"another organisation": {x.ca.Issue(sheptest.Holder{Name: "window", BIN: windowBIN.String(), Roles: oids(cert.OIDRoleOrganization)}), fault.ShepPeerBIN},
		"another CA": {sheptest.NewCA(t, "rogue CA").Issue(sheptest.Holder{Name: "rogue", BIN: registerBIN.String(), Roles: oids(cert.OIDRoleOrganization)}),
			fault.ChainNotFound},
	} {
		data, err := shep.SealPayload(`<r:Response xmlns:r="`+gbdul.Space+`"/>`, c.key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shep.OpenPayload(t.Context(), data, peer, sheptest.Now); !fault.Is(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	x := newExchange(t)
	other := x.ca.Issue(sheptest.Holder{Name: "other", BIN: orgBIN.String()})
	if _, err := gbdul.New(gbdul.Config{}); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("nothing: %v", err)
	}
	channel := &shep.Client{}
	if _, err := gbdul.New(gbdul.Config{Channel: channel, Now: sheptest.Clock, Key: other, Requestor: windowBIN}); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("another's key: %v", err)
	}
}

// samples are look-ups written for this purpose and signed under a CA of their
// own; they stand beside a checkout, not in it.
func samples(t *testing.T, name ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "shared", "data", "registry", "samples"}, name...)...))
	if os.IsNotExist(err) {
		t.Skipf("the shared data are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sampleNow lies in the validity of the samples' certificates, a day and a
// half after the messages' dates.
var sampleNow = time.Date(2026, time.November, 21, 18, 0, 0, 0, time.UTC)

func sampleTrust(t *testing.T) shep.Trust {
	t.Helper()
	c, err := cert.ParseBundle(samples(t, "certs", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := trust.New(c...)
	if err != nil {
		t.Fatal(err)
	}
	return shep.Chain{Anchors: anchors, Revocation: sheptest.NothingRevoked}.Validate
}

// openSample opens an envelope as its receiver would.
func openSample(t *testing.T, name ...string) (*shep.Envelope, error) {
	t.Helper()
	opener := shep.Opener{
		Peer: shep.Peer{Trust: sampleTrust(t), Role: cert.OIDRoleOrganization},
		Now:  func() time.Time { return sampleNow }, Window: 48 * time.Hour,
	}
	return opener.Open(t.Context(), samples(t, name...))
}

func readSample(t *testing.T, signer kz.BIN, name ...string) (*gbdul.Organisation, error) {
	t.Helper()
	e, err := openSample(t, name...)
	if err != nil {
		return nil, err
	}
	data, err := e.Response.Result()
	if err != nil {
		return nil, err
	}
	reader := gbdul.Reader{Signer: shep.Peer{Trust: sampleTrust(t), Role: cert.OIDRoleOrganization, BIN: signer}}
	o, _, err := reader.Read(t.Context(), data, sampleNow)
	return o, err
}

func TestSamples(t *testing.T) {
	for name, check := range map[string]func(*gbdul.Organisation) bool{
		"active": func(o *gbdul.Organisation) bool {
			return o.State == gbdul.Active && o.Head.IIN == headIIN && o.Head.Until.IsZero()
		},
		"head_removed": func(o *gbdul.Organisation) bool { return o.Head.Until == day(t, "2026-11-10") },
		"inactive_tax": func(o *gbdul.Organisation) bool { return o.TaxInactive },
		"branch":       func(o *gbdul.Organisation) bool { return o.Kind == gbdul.Branch && o.HeadOrganisation == orgBIN },
	} {
		o, err := readSample(t, registerBIN, "gbdul_response_"+name+".soap.signed.xml")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !check(o) || o.ActualOn != day(t, "2026-11-01") {
			t.Errorf("%s: %+v", name, o)
		}
	}
	for name, want := range map[string]shep.StatusCode{"gbdul_response_not_found": shep.StatusBusiness, "sync_response_scse003": shep.StatusUnhandled} {
		if e, err := openSample(t, name+".soap.signed.xml"); err != nil || e.Response.Status.Code != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openSample(t, "sync_fault.soap.xml"); !fault.Is(err, fault.ShepFault) {
		t.Errorf("fault: %v", err)
	}
	for _, name := range []string{"gbdfl_request_iin_kdp", "gbdfl_response_alive", "gbdfl_response_not_found", "kdp_request", "kdp_response_granted", "kdp_response_refused"} {
		if e, err := openSample(t, name+".soap.signed.xml"); err != nil || (e.Request == nil) == (e.Response == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each negative sample is refused, and for its own reason.
func TestNegativeSamples(t *testing.T) {
	envelope := func(t *testing.T, name string) error { _, err := openSample(t, "negative", name); return err }
	payload := func(t *testing.T, name string) error { _, err := readSample(t, "", "negative", name); return err }
	for name, c := range map[string]struct {
		open func(*testing.T, string) error
		code fault.Code
	}{
		"body_tampered_after_signing.xml":                   {envelope, fault.XMLDigestMismatch},
		"xsw_signed_body_moved_to_header.xml":               {envelope, fault.XMLSignatureReference},
		"unsigned_envelope.xml":                             {envelope, fault.XMLSignatureMissing},
		"signed_by_untrusted_ca.xml":                        {envelope, fault.ChainNotFound},
		"dtd_entity.xml":                                    {envelope, fault.XMLDoctype},
		"response_leader_iin_tampered.soap.xml":             {payload, fault.XMLDigestMismatch},
		"response_payload_tampered_envelope_valid.soap.xml": {payload, fault.XMLDigestMismatch},
		"response_payload_untrusted_ca.soap.signed.xml":     {payload, fault.ChainNotFound},
		"scss001_with_empty_data.soap.xml":                  {payload, fault.ShepDataMissing},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.open(t, name)
			if !fault.Is(err, c.code) {
				t.Errorf("err = %v, want %s", err, c.code)
			}
		})
	}
	e, err := openSample(t, "negative", "response_wrong_correlation.soap.signed.xml")
	if err != nil || e.Response.CorrelationID == "6f0c8e9a-1a1d-4f0b-9a44-0d6a3a7e1001" {
		t.Errorf("the answer to another message: %+v, %v", e, err)
	}
}
