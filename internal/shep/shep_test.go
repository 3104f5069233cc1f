package shep_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/internal/shep/sheptest"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/xmldsig"
)

const (
	windowBIN  = "141040004756"
	gatewayBIN = "260140990701"
	otherBIN   = "260140990206"
)

// world is both ends of an exchange.
type world struct {
	ca              *sheptest.CA
	client, gateway xmldsig.Key
}

func newWorld(t testing.TB) world {
	ca := sheptest.NewCA(t, "CA")
	return world{
		ca:      ca,
		client:  ca.Issue(sheptest.Holder{Name: "window", BIN: windowBIN, Roles: roles(cert.OIDRoleOrganization, cert.OIDRoleSingleWindow)}),
		gateway: ca.Issue(sheptest.Holder{Name: "gateway", BIN: gatewayBIN, Roles: roles(cert.OIDRoleOrganization, cert.OIDRoleGateway)}),
	}
}

func roles(oids ...asn1.ObjectIdentifier) []asn1.ObjectIdentifier { return oids }

func (w world) opener(role asn1.ObjectIdentifier) shep.Opener {
	return shep.Opener{Peer: shep.Peer{Trust: w.ca.Trust(), Role: role}, Now: sheptest.Clock}
}

// fromClient and fromGateway open what each side sends.
func (w world) fromClient() shep.Opener  { return w.opener(cert.OIDRoleSingleWindow) }
func (w world) fromGateway() shep.Opener { return w.opener(cert.OIDRoleGateway) }

var request = shep.Request{
	MessageID: "m-1", ServiceID: "GbdulInfoByBin_v2", Date: sheptest.Now, RouteID: "r",
	Sender:     shep.Sender{ID: "senim", Password: "<secret&>"},
	Properties: []shep.Property{{Key: "k", Value: "a<b>&\"қ"}},
	Data:       shep.Data{Text: `<a b="1">&amp;</a>` + "\r\n"},
}

func sealed(t testing.TB, r shep.Request, k xmldsig.Key) []byte {
	t.Helper()
	raw, err := shep.SealRequest(r, k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRequestTravels(t *testing.T) {
	w := newWorld(t)
	raw := sealed(t, request, w.client)
	e, err := w.fromClient().Open(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	got := *e.Request
	if got.MessageID != "m-1" || got.ServiceID != request.ServiceID || !got.Date.Equal(request.Date) || got.RouteID != "r" ||
		got.Sender != request.Sender || len(got.Properties) != 1 || got.Properties[0] != request.Properties[0] || got.Data.Text != request.Data.Text {
		t.Errorf("got %+v", got)
	}
	if e.Response != nil || e.Signer.Holder().BIN != windowBIN {
		t.Errorf("envelope %+v", e)
	}
	if strings.Contains(request.Sender.Password.String(), "secret") {
		t.Error("the password prints")
	}
}

func TestObjectTravels(t *testing.T) {
	w := newWorld(t)
	d, err := xmldsig.Parse([]byte(`<data xmlns:cs="urn:cs" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="cs:Request"><iin>1</iin></data>`), xmldsig.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := shep.SealResponse(shep.Response{
		MessageID: "m-2", CorrelationID: "m-1", Date: sheptest.Now, Status: shep.Status{Code: shep.StatusOK, Message: "ok"},
		SessionID: "{s}", Data: shep.Data{Object: d.Root},
	}, w.gateway)
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.fromGateway().Open(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Response.Result()
	if err != nil || data.Object.Child("", "iin").Text() != "1" || e.Response.CorrelationID != "m-1" || e.Response.SessionID != "{s}" {
		t.Errorf("%+v, %v", e.Response, err)
	}
}

// Everything that is not exactly the peer's message, now, is refused.
func TestOpenRefuses(t *testing.T) {
	w := newWorld(t)
	good := string(sealed(t, request, w.client))
	rogue := sheptest.NewCA(t, "rogue CA").Issue(sheptest.Holder{Name: "rogue", BIN: windowBIN, Roles: roles(cert.OIDRoleSingleWindow)})
	body := good[strings.Index(good, "<soap:Body"):strings.Index(good, "</soap:Envelope>")]
	fake := strings.Replace(strings.Replace(body, "m-1", "m-2", 1), "wsu:Id=\"id-", "wsu:Id=\"fake-", 1)
	security := good[strings.Index(good, "<wsse:Security"):strings.Index(good, "</soap:Header>")]
	replace := func(old, new string) []byte {
		if !strings.Contains(good, old) {
			t.Fatalf("%q does not occur", old)
		}
		return []byte(strings.Replace(good, old, new, 1))
	}
	at := func(r shep.Request, date time.Time) shep.Request { r.Date = date; return r }
	withPeer := func(change func(*shep.Peer)) shep.Opener {
		o := w.fromClient()
		change(&o.Peer)
		return o
	}
	for name, c := range map[string]struct {
		raw    []byte
		opener shep.Opener
		code   fault.Code
	}{
		"body tampered":         {replace("m-1", "m-2"), w.fromClient(), fault.XMLDigestMismatch},
		"unsigned":              {replace(security, ""), w.fromClient(), fault.XMLSignatureMissing},
		"no header":             {[]byte(strings.Replace(string(replace(security, "")), "<soap:Header></soap:Header>", "", 1)), w.fromClient(), fault.XMLSignatureMissing},
		"empty security":        {replace(security, strings.SplitAfter(security, ">")[0]+"</wsse:Security>"), w.fromClient(), fault.XMLSignatureMissing},
		"signed body in header": {replace(security+"</soap:Header>"+body, security+body+"</soap:Header>"+fake), w.fromClient(), fault.XMLSignatureReference},
		"signed body beside":    {replace(body, fake+body), w.fromClient(), fault.ShepMessage},
		"second security":       {replace(security, security+"<wsse:Security xmlns:wsse=\""+xmldsig.WSSESpace+"\"></wsse:Security>"), w.fromClient(), fault.ShepMessage},
		"security not first":    {replace("<soap:Header>", "<soap:Header><x></x>"), w.fromClient(), fault.ShepMessage},
		"not mandatory":         {replace(`soap:mustUnderstand="1"`, `soap:mustUnderstand="0"`), w.fromClient(), fault.ShepMessage},
		"another mandatory":     {replace("</soap:Header>", `<x soap:mustUnderstand="1"></x></soap:Header>`), w.fromClient(), fault.ShepMessage},
		"SOAP 1.2":              {[]byte(strings.ReplaceAll(good, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")), w.fromClient(), fault.ShepMessage},
		"DOCTYPE":               {replace("<soap:Envelope", "<!DOCTYPE x><soap:Envelope"), w.fromClient(), fault.XMLDoctype},
		"untrusted CA":          {sealed(t, request, rogue), w.fromClient(), fault.ChainNotFound},
		"another role":          {sealed(t, request, w.gateway), w.fromClient(), fault.ShepPeerRole},
		"another BIN":           {[]byte(good), withPeer(func(p *shep.Peer) { p.BIN = otherBIN }), fault.ShepPeerBIN},
		"no BIN": {sealed(t, request, w.ca.Issue(sheptest.Holder{Name: "nobody", Roles: roles(cert.OIDRoleSingleWindow)})),
			w.fromClient(), fault.ShepPeerBIN},
		"not for signing": {sealed(t, request, w.ca.Issue(sheptest.Holder{Name: "enc", BIN: windowBIN, Roles: roles(cert.OIDRoleSingleWindow), KeyUsage: 1 << 2})),
			w.fromClient(), fault.ShepPeerUsage},
		"revocation not configured": {[]byte(good), withPeer(func(p *shep.Peer) { p.Trust = shep.Chain{Anchors: w.ca.Store()}.Validate }), fault.ConfigUnsafe},
		"revoked": {[]byte(good), withPeer(func(p *shep.Peer) {
			p.Trust = shep.Chain{Anchors: w.ca.Store(), Revocation: func(context.Context, *path.Path, time.Time) error {
				return fault.New(fault.CertificateRevoked, "", "test")
			}}.Validate
		}), fault.CertificateRevoked},
		"expired": {[]byte(good), shep.Opener{Peer: w.fromClient().Peer, Window: 1e18, Now: func() time.Time { return sheptest.Now.AddDate(2, 0, 0) }},
			fault.CertificateExpired},
		"trust not configured": {[]byte(good), withPeer(func(p *shep.Peer) { p.Trust = nil }), fault.ConfigUnsafe},
		"role not configured":  {[]byte(good), withPeer(func(p *shep.Peer) { p.Role = nil }), fault.ConfigUnsafe},
		"too old":              {sealed(t, at(request, sheptest.Now.Add(-6*time.Minute)), w.client), w.fromClient(), fault.ShepStale},
		"from the future":      {sealed(t, at(request, sheptest.Now.Add(6*time.Minute)), w.client), w.fromClient(), fault.ShepStale},
		"too big":              {[]byte(good), shep.Opener{Now: sheptest.Clock, MaxBytes: 100}, fault.InputTooBig},
		"empty":                {nil, w.fromClient(), fault.InputEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := c.opener.Open(t.Context(), c.raw); !fault.Is(err, c.code) || e != nil {
				t.Errorf("err = %v, want %s", err, c.code)
			}
		})
	}
}

// A body that is signed and yet no message of the channel.
func TestOpenRefusesSignedNonsense(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]string{
		"empty":             ``,
		"two messages":      `<t:SendMessage/><t:SendMessage/>`,
		"another operation": `<t:DeleteEverything/>`,
		"empty request":     `<t:SendMessage/>`,
		"qualified inside":  `<t:SendMessage><t:request/></t:SendMessage>`,
		"no messageId":      strings.Replace(requestBody, "<messageId>1</messageId>", "", 1),
		"two messageIds":    strings.Replace(requestBody, "<messageId>1</messageId>", "<messageId>1</messageId><messageId>2</messageId>", 1),
		"empty messageId":   strings.Replace(requestBody, "<messageId>1<", "<messageId> <", 1),
		"nested messageId":  strings.Replace(requestBody, "<messageId>1<", "<messageId><x/>1<", 1),
		"long messageId":    strings.Replace(requestBody, "<messageId>1<", "<messageId>"+strings.Repeat("1", 2000)+"<", 1),
		"date without zone": strings.Replace(requestBody, "12:00:00Z", "12:00:00", 1),
		"no date":           strings.Replace(requestBody, "2026-11-21T12:00:00Z", "soon", 1),
		"two data":          strings.Replace(requestBody, "<data>x</data>", "<data>x</data><data>y</data>", 1),
		"something else":    strings.Replace(requestBody, "<data>x</data>", "<other>x</other>", 1),
		"too many properties": strings.Replace(requestBody, "</sender>",
			"</sender>"+strings.Repeat("<properties><key>k</key><value>v</value></properties>", 65), 1),
		"long key": strings.Replace(requestBody, "</sender>",
			"</sender><properties><key>"+strings.Repeat("k", 31)+"</key><value>v</value></properties>", 1),
	} {
		text := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><w:Security xmlns:w="` + xmldsig.WSSESpace +
			`" s:mustUnderstand="1"/></s:Header><s:Body xmlns:u="` + xmldsig.WSUSpace + `" xmlns:t="http://bip.bee.kz/SyncChannel/v10/Types" u:Id="b">` +
			body + `</s:Body></s:Envelope>`
		d, err := xmldsig.Parse([]byte(text), xmldsig.Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		if err := xmldsig.Sign(d, xmldsig.WSSecurity(), w.client, d.Root.Elements()[0].Elements()[0], d.Root.Elements()[1]); err != nil {
			t.Fatal(name, err)
		}
		raw, err := xmldsig.Method{}.Canonical(d)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := w.fromClient().Open(t.Context(), raw); !fault.Is(err, fault.ShepMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const requestBody = `<t:SendMessage><request><requestInfo><messageId>1</messageId><serviceId>s</serviceId><messageDate>2026-11-21T12:00:00Z</messageDate>` +
	`<sender><senderId>s</senderId></sender></requestInfo><requestData><data>x</data></requestData></request></t:SendMessage>`

func TestSealRefusesWhatTheSchemaForbids(t *testing.T) {
	w := newWorld(t)
	change := func(f func(*shep.Request)) shep.Request { r := request; f(&r); return r }
	for name, r := range map[string]shep.Request{
		"no message id": change(func(r *shep.Request) { r.MessageID = "" }),
		"no service":    change(func(r *shep.Request) { r.ServiceID = "" }),
		"no sender":     change(func(r *shep.Request) { r.Sender.ID = "" }),
		"long key":      change(func(r *shep.Request) { r.Properties = []shep.Property{{Key: strings.Repeat("k", 31)}} }),
		"long value":    change(func(r *shep.Request) { r.Properties = []shep.Property{{Key: "k", Value: strings.Repeat("v", 501)}} }),
	} {
		if _, err := shep.SealRequest(r, w.client); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := shep.SealRequest(change(func(r *shep.Request) { r.RouteID = "\x00" }), w.client); !fault.Is(err, fault.XMLMalformed) {
		t.Errorf("a character that XML lacks: %v", err)
	}
}

func TestPayload(t *testing.T) {
	w := newWorld(t)
	peer := w.fromClient().Peer
	data, err := shep.SealPayload(`<g:Request xmlns:g="urn:g"><BIN>1</BIN></g:Request>`, w.client)
	if err != nil {
		t.Fatal(err)
	}
	p, err := shep.OpenPayload(t.Context(), data, peer, sheptest.Now)
	if err != nil || p.Root.Child("", "BIN").Text() != "1" || p.Signer.Holder().BIN != windowBIN {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, c := range map[string]struct {
		data shep.Data
		peer shep.Peer
		code fault.Code
	}{
		"changed":     {shep.Data{Text: strings.Replace(data.Text, ">1<", ">2<", 1)}, peer, fault.XMLDigestMismatch},
		"unsigned":    {shep.Data{Text: `<a/>`}, peer, fault.XMLSignatureMissing},
		"not XML":     {shep.Data{Text: `hello`}, peer, fault.XMLMalformed},
		"another BIN": {data, shep.Peer{Trust: peer.Trust, Role: peer.Role, BIN: otherBIN}, fault.ShepPeerBIN},
		"an object":   {shep.Data{Object: p.Root}, peer, fault.NotAvailable},
	} {
		if _, err := shep.OpenPayload(t.Context(), c.data, c.peer, sheptest.Now); !fault.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestResultTellsCodesApart(t *testing.T) {
	full := shep.Data{Text: "x"}
	for code, want := range map[shep.StatusCode]fault.Code{
		"SCSS001": "", "SCSE001": fault.ShepBusiness, "SCSE002": fault.ShepBusiness, "404": fault.ShepBusiness,
		"SCSE003": fault.ShepTechnical, "FAULT015": fault.ShepTechnical, "FAULT-015": fault.ShepTechnical,
		"SBF-VE-8": fault.ShepGateway, "SBF-AD-1": fault.ShepGateway, "VAL-R-004": fault.ShepGateway,
		"SCSS002": fault.ShepTechnical, "": fault.ShepTechnical, "scss001": fault.ShepTechnical,
	} {
		r := shep.Response{Status: shep.Status{Code: code}, Data: full}
		if _, err := r.Result(); fault.CodeOf(err) != want {
			t.Errorf("%q: %v, want %q", code, err, want)
		}
	}
	for _, empty := range []shep.Data{{}, {Text: " \n"}} {
		r := shep.Response{Status: shep.Status{Code: shep.StatusOK}, Data: empty}
		if _, err := r.Result(); !fault.Is(err, fault.ShepDataMissing) {
			t.Errorf("%q: %v", empty.Text, err)
		}
	}
}

func TestFaultIsReadAndBounded(t *testing.T) {
	w := newWorld(t)
	open := func(raw []byte) *shep.SOAPFault {
		_, err := w.fromGateway().Open(t.Context(), raw)
		var f *shep.SOAPFault
		if !fault.Is(err, fault.ShepFault) || !errors.As(err, &f) {
			t.Fatalf("err = %v", err)
		}
		return f
	}
	f := open(shep.WriteFault(shep.ErrorInfo{Code: "FAULT015", Message: "a < b", Date: sheptest.Now}))
	if len(f.Errors) != 1 || f.Errors[0].Code != "FAULT015" || f.Errors[0].Message != "a < b" || !f.Errors[0].Date.Equal(sheptest.Now) {
		t.Errorf("fault %+v", f)
	}
	const depth = 40
	nested := `<errorCode>X</errorCode><errorMessage>` + strings.Repeat("ү", 1000) + `</errorMessage>`
	chain := strings.Repeat(nested+"<subError>", depth) + nested + strings.Repeat("</subError>", depth)
	f = open([]byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><detail>` +
		`<t:SendMessageFault1_SendMessageFault xmlns:t="http://bip.bee.kz/SyncChannel/v10/Types">` + chain +
		`</t:SendMessageFault1_SendMessageFault></detail></s:Fault></s:Body></s:Envelope>`))
	if len(f.Errors) != 8 || len(f.Errors[7].Message) > 500 || strings.Contains(f.Error(), "X") {
		t.Errorf("%d errors: %v", len(f.Errors), f)
	}
}

// poster answers with what the test says.
type poster func(ctx context.Context, header http.Header, body []byte) (int, []byte, error)

func (p poster) Post(ctx context.Context, _ string, header http.Header, body []byte, _ int64) (int, []byte, error) {
	return p(ctx, header, body)
}

func (w world) newClient(t testing.TB, p shep.Poster) *shep.Client {
	t.Helper()
	c, err := shep.NewClient(shep.ClientConfig{
		URL: "http://gateway/", Poster: p, Key: w.client, Sender: shep.Sender{ID: "senim"}, Opener: w.fromGateway(), Timeout: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientRefusesAnswers(t *testing.T) {
	w := newWorld(t)
	server := shep.Server{Key: w.gateway, Opener: w.fromClient(), Serve: func(context.Context, *shep.Envelope) (shep.Response, error) {
		return shep.Response{Status: shep.Status{Code: shep.StatusOK}, Data: shep.Data{Text: "x"}}, nil
	}}
	answer := func(t *testing.T, raw []byte) []byte {
		reply, _, err := server.Answer(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	first := sealed(t, request, w.client)
	for name, c := range map[string]struct {
		post     poster
		code     fault.Code
		answered bool
	}{
		"a good answer": {func(_ context.Context, h http.Header, raw []byte) (int, []byte, error) {
			if h["SOAPAction"][0] != `""` || h.Get("Content-Type") != "text/xml; charset=utf-8" {
				t.Errorf("header %v", h)
			}
			return 200, answer(t, raw), nil
		}, "", true},
		"to another message": {func(context.Context, http.Header, []byte) (int, []byte, error) { return 200, answer(t, first), nil }, fault.ShepCorrelation, true},
		"our own request":    {func(_ context.Context, _ http.Header, raw []byte) (int, []byte, error) { return 200, raw, nil }, fault.ShepPeerRole, true},
		"a request of theirs": {func(context.Context, http.Header, []byte) (int, []byte, error) {
			return 200, sealed(t, request, w.gateway), nil
		}, fault.ShepMessage, true},
		"no connection": {func(context.Context, http.Header, []byte) (int, []byte, error) {
			return 0, nil, fault.New(fault.PeerDown, "", "refused")
		}, fault.PeerDown, false},
		"no answer in time": {func(ctx context.Context, _ http.Header, _ []byte) (int, []byte, error) {
			<-ctx.Done()
			return 0, nil, ctx.Err()
		}, fault.PeerDown, false},
		"HTTP 503":      {func(context.Context, http.Header, []byte) (int, []byte, error) { return 503, []byte("busy"), nil }, fault.PeerDown, true},
		"HTTP 302":      {func(context.Context, http.Header, []byte) (int, []byte, error) { return 302, nil, nil }, fault.PeerAnswer, false},
		"HTTP 500 page": {func(context.Context, http.Header, []byte) (int, []byte, error) { return 500, []byte("<html>oops"), nil }, fault.XMLMalformed, true},
		"HTTP 500 fault": {func(context.Context, http.Header, []byte) (int, []byte, error) {
			return 500, shep.WriteFault(shep.ErrorInfo{Code: "FAULT015"}), nil
		}, fault.ShepFault, true},
		"HTTP 500 empty": {func(context.Context, http.Header, []byte) (int, []byte, error) { return 500, nil, nil }, fault.PeerDown, false},
		"empty answer":   {func(context.Context, http.Header, []byte) (int, []byte, error) { return 200, nil, nil }, fault.InputEmpty, false},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := w.newClient(t, c.post).Send(t.Context(), shep.Request{ServiceID: "s", Data: shep.Data{Text: "q"}})
			if sheptest.Reason(err) != c.code {
				t.Fatalf("err = %v, want %q", err, c.code)
			}
			if class := fault.CodeOf(err).Class(); err != nil && class != fault.RetryLater && class != fault.Fatal {
				t.Errorf("%v: the asker is blamed for the answer", err)
			}
			if reply == nil || reply.Exchange.MessageID == "" || len(reply.Exchange.Request) == 0 || (len(reply.Exchange.Answer) > 0) != c.answered {
				t.Errorf("the evidence is not whole: %+v", reply)
			}
			if (reply.Signer != nil) != (err == nil) || (reply.Status.Code != "") != (err == nil) {
				t.Errorf("an answer that was refused is filled in: %+v", reply.Response)
			}
		})
	}
}

func TestNewClientNamesWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	whole := shep.ClientConfig{URL: "http://g/", Poster: poster(nil), Key: w.client, Sender: shep.Sender{ID: "s"}, Opener: w.fromGateway()}
	for name, change := range map[string]func(*shep.ClientConfig){
		"URL": func(c *shep.ClientConfig) { c.URL = "" }, "key": func(c *shep.ClientConfig) { c.Key = xmldsig.Key{} },
		"sender": func(c *shep.ClientConfig) { c.Sender.ID = "" }, "clock": func(c *shep.ClientConfig) { c.Opener.Now = nil },
	} {
		c := whole
		change(&c)
		if _, err := shep.NewClient(c); !fault.Is(err, fault.ConfigBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole.Opener.Peer.Trust = nil
	if _, err := shep.NewClient(whole); !fault.Is(err, fault.ConfigUnsafe) {
		t.Errorf("no trust: %v", err)
	}
}

func TestServerSpeaksHTTP(t *testing.T) {
	w := newWorld(t)
	server := shep.Server{Key: w.gateway, Opener: w.fromClient(), Serve: func(_ context.Context, e *shep.Envelope) (shep.Response, error) {
		if e.Request.ServiceID != request.ServiceID {
			return shep.Response{}, errors.New("a failure of ours")
		}
		return shep.Response{Status: shep.Status{Code: shep.StatusOK}, Data: shep.Data{Text: "answer"}}, nil
	}}
	ask := func(media string, raw []byte) (*shep.Envelope, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(raw))
		r.Header.Set("Content-Type", media)
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, r)
		if answer.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
			t.Errorf("header %v", answer.Header())
		}
		return w.fromGateway().Open(t.Context(), answer.Body.Bytes())
	}
	e, err := ask("text/xml; charset=utf-8", sealed(t, request, w.client))
	if err != nil || e.Response.CorrelationID != request.MessageID || e.Response.Data.Text != "answer" {
		t.Errorf("%+v, %v", e, err)
	}
	another := request
	another.ServiceID = "another"
	reply, err := shep.SealResponse(shep.Response{MessageID: "1", Date: sheptest.Now, Status: shep.Status{Code: "x"}}, w.client)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		media string
		raw   []byte
		code  shep.StatusCode
	}{
		"not XML media":     {"application/xml", sealed(t, request, w.client), shep.StatusInvalidRequest},
		"not a message":     {"text/xml", []byte("x"), shep.StatusInvalidRequest},
		"a response":        {"text/xml", reply, shep.StatusInvalidRequest},
		"too big":           {"text/xml", make([]byte, shep.MessageMaxBytes+1), shep.StatusInvalidRequest},
		"a failure of ours": {"text/xml", sealed(t, another, w.client), shep.StatusUnavailable},
	} {
		_, err := ask(c.media, c.raw)
		var f *shep.SOAPFault
		if !errors.As(err, &f) || f.Errors[0].Code != string(c.code) || strings.Contains(f.Errors[0].Message, "ours") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	f.Add(sealed(f, request, w.client))
	f.Add(shep.WriteFault(shep.ErrorInfo{Code: "FAULT015", Date: sheptest.Now}))
	f.Add([]byte(requestBody))
	opener := w.fromClient()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if e, err := opener.Open(context.Background(), raw); err == nil && (e.Signer == nil || (e.Request == nil) == (e.Response == nil)) {
			t.Fatalf("half an envelope: %+v", e)
		}
	})
}
