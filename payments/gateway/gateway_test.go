package gateway_test

import (
	"context"
	"encoding/asn1"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/internal/shep/sheptest"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

var orderID = uuid.MustParse("0193a000-0000-7000-8000-000000000001")

func bill(t testing.TB) gateway.Bill {
	t.Helper()
	first, err := order.NewIdentifier(kz.DayOf(sheptest.Now), 1)
	if err != nil {
		t.Fatal(err)
	}
	second, err := order.NewIdentifier(kz.DayOf(sheptest.Now), 2)
	if err != nil {
		t.Fatal(err)
	}
	office := order.Treasury("6009", "010240002599", "УГД <по> району & Ко")
	return gateway.Bill{
		Order: orderID, Number: 1, Payer: "190640017419", Amount: 1500, Owed: 1500, ExpiresAt: sheptest.Now.Add(time.Hour),
		Lines: []order.Line{
			{Identifier: first, Kind: "1010", BudgetCode: "106201", PurposeCode: "911", Requisites: office, Amount: 1000, State: order.LineOwed},
			{Identifier: second, Kind: "2010", BudgetCode: "106104", PurposeCode: "911", Requisites: office, Amount: 500, State: order.LineOwed},
		},
	}
}

func fact() gateway.Fact {
	return gateway.Fact{Kind: gateway.Captured, Reference: "PAY-1", Order: orderID, Payer: "190640017419", BankBIC: "HSBKKZKX", Amount: 1500, PaidAt: sheptest.Now.Add(123456 * time.Microsecond)}
}

func parse(t testing.TB, text string) *xmldsig.Element {
	t.Helper()
	d, err := xmldsig.Parse([]byte(text), xmldsig.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Root
}

func TestMessagesComeBack(t *testing.T) {
	b, err := gateway.DecodeBill(parse(t, gateway.EncodeBill(bill(t))), kz.FormatOnly)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bill(t), b); diff != "" {
		t.Error(diff)
	}
	f, err := gateway.DecodeFact(parse(t, gateway.EncodeFact(fact())), kz.Full)
	if err != nil || f != fact() {
		t.Errorf("%+v, %v", f, err)
	}
	id, reference, page, err := gateway.DecodeRegistration(parse(t, gateway.EncodeRegistration(orderID, "B-1", "https://bank.kz/?a=1&b=2")))
	if err != nil || id != orderID || reference != "B-1" || page != "https://bank.kz/?a=1&b=2" {
		t.Errorf("%s %s %s %v", id, reference, page, err)
	}
	want := gateway.Receipt{Reference: "PAY-1", ReceivedAt: sheptest.Now}
	if r, err := gateway.DecodeReceipt(parse(t, gateway.EncodeReceipt(want))); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestMalformedMessages(t *testing.T) {
	decodeFact := func(e *xmldsig.Element) error { _, err := gateway.DecodeFact(e, kz.Full); return err }
	decodeBill := func(e *xmldsig.Element) error { _, err := gateway.DecodeBill(e, kz.FormatOnly); return err }
	facts, bills := gateway.EncodeFact(fact()), gateway.EncodeBill(bill(t))
	tests := []struct {
		name, text, old, new, at string
		decode                   func(*xmldsig.Element) error
	}{
		{"another message", facts, "PaymentFact", "PaymentFiction", "/PaymentFact", decodeFact},
		{"another namespace", facts, gateway.Namespace, "urn:x", "/PaymentFact", decodeFact},
		{"a field is missing", facts, "<Reference>PAY-1</Reference>", "", "/PaymentFact/Reference", decodeFact},
		{"a field twice", facts, "<BankBIC>", "<Reference>PAY-1</Reference><BankBIC>", "/PaymentFact/Reference", decodeFact},
		{"a field too many", facts, "<BankBIC>", "<Note>x</Note><BankBIC>", "/PaymentFact", decodeFact},
		{"a field of another namespace", facts, "<BankBIC>", `<Note xmlns="urn:x"/><BankBIC>`, "/PaymentFact", decodeFact},
		{"an element in a field", facts, "PAY-1", "<b>PAY-1</b>", "/PaymentFact/Reference", decodeFact},
		{"reference", facts, "PAY-1", "PAY 1", "/PaymentFact/Reference", decodeFact},
		{"long reference", facts, "PAY-1", strings.Repeat("P", 65), "/PaymentFact/Reference", decodeFact},
		{"UUID in braces", facts, orderID.String(), "{" + orderID.String() + "}", "/PaymentFact/Order", decodeFact},
		{"BIN", facts, "190640017419", "190640017418", "/PaymentFact/PayerBIN", decodeFact},
		{"amount zero", facts, "15.00", "0.00", "/PaymentFact/Amount", decodeFact},
		{"amount with white space", facts, "15.00", " 15.00", "/PaymentFact/Amount", decodeFact},
		{"time without a zone", facts, "Z</PaidAt>", "</PaidAt>", "/PaymentFact/PaidAt", decodeFact},
		{"no lines", bills, bills[strings.Index(bills, "<Line>") : strings.LastIndex(bills, "</Line>")+len("</Line>")], "", "/RegisterBill/Line", decodeBill},
		{"lines that make another amount", bills, "<Amount>15.00", "<Amount>15.01", "/RegisterBill/Amount", decodeBill},
		{"lines in another order", bills, "<Position>0", "<Position>1", "/RegisterBill/Line/0/Position", decodeBill},
		{"identifier", bills, "<Identifier>2", "<Identifier>3", "/RegisterBill/Line/0/Identifier", decodeBill},
		{"requisites", bills, "KZ24", "KZ25", "/RegisterBill/Line/0/IIK", decodeBill},
	}
	for _, tt := range tests {
		text := strings.Replace(tt.text, tt.old, tt.new, 1)
		if tt.name == "another message" {
			text = strings.ReplaceAll(tt.text, tt.old, tt.new)
		}
		if text == tt.text {
			t.Errorf("%s: the row changes nothing", tt.name)
			continue
		}
		err := tt.decode(parse(t, text))
		if !fault.Is(err, fault.CallbackMalformed) || fault.Of(err).At != tt.at {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// peer is the other end of Register.
type peer struct {
	ours   xmldsig.Key
	key    xmldsig.Key // of the gateway: signs the envelope of the answer
	trust  shep.Trust
	answer func(b gateway.Bill, to gateway.Header) shep.Response
}

func (p *peer) Post(ctx context.Context, _ string, _ http.Header, body []byte, _ int64) (int, []byte, error) {
	opener := shep.Opener{Peer: shep.Peer{Trust: p.trust, Role: cert.OIDRoleSingleWindow}, Now: sheptest.Clock}
	server := shep.Server{Key: p.key, Opener: opener, Serve: func(ctx context.Context, e *shep.Envelope) (shep.Response, error) {
		document, err := gateway.OpenMessage(ctx, e.Request.Data, opener.Peer, gateway.Header{ID: e.Request.MessageID, To: "PSHEP", At: sheptest.Now})
		if err != nil {
			return shep.Response{}, err
		}
		b, err := gateway.DecodeBill(document, kz.FormatOnly)
		to := gateway.Header{ID: uuid.NewString(), InReplyTo: e.Request.MessageID, To: e.Request.Sender.ID, At: sheptest.Now}
		response := p.answer(b, to)
		response.MessageID = to.ID
		return response, err
	}}
	reply, _, err := server.Answer(ctx, body)
	return http.StatusOK, reply, err
}

func issue(ca *sheptest.CA, name string, role asn1.ObjectIdentifier) xmldsig.Key {
	return ca.Issue(sheptest.Holder{Name: name, BIN: "210340029574", Roles: []asn1.ObjectIdentifier{role}})
}

func adapter(t *testing.T, p *peer) *gateway.PSHEP {
	t.Helper()
	theirs := shep.Peer{Trust: p.trust, Role: cert.OIDRolePaymentGateway}
	opener := shep.Opener{Peer: theirs, Now: sheptest.Clock}
	client, err := shep.NewClient(shep.ClientConfig{URL: "http://gateway", Poster: p, Key: p.ours, Sender: shep.Sender{ID: "senim"}, Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.NewPSHEP(gateway.PSHEPConfig{Client: client, ServiceID: "PSHEP", Account: "senim", Key: p.ours, Opener: opener, Gateway: theirs})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRegister(t *testing.T) {
	ca := sheptest.NewCA(t, "authority")
	ours, theirs := issue(ca, "service", cert.OIDRoleSingleWindow), issue(ca, "gateway", cert.OIDRolePaymentGateway)
	other := issue(ca, "ШЭП", cert.OIDRoleGateway)
	sealed := func(text string, h gateway.Header, key xmldsig.Key) shep.Response {
		data, err := gateway.SealMessage(h, text, key)
		if err != nil {
			t.Fatal(err)
		}
		return shep.Response{Status: shep.Status{Code: shep.StatusOK}, Data: data}
	}
	registered := func(id uuid.UUID, page string, h gateway.Header) shep.Response {
		return sealed(gateway.EncodeRegistration(id, "B-1", page), h, theirs)
	}
	const page = "https://bank.kz/pay/1"
	// changed answers well but for the header.
	changed := func(change func(h *gateway.Header)) func(gateway.Bill, gateway.Header) shep.Response {
		return func(b gateway.Bill, h gateway.Header) shep.Response {
			change(&h)
			return registered(b.Order, page, h)
		}
	}
	type header = gateway.Header
	tests := []struct {
		name   string
		answer func(b gateway.Bill, h header) shep.Response
		code   fault.Code
	}{
		{"good", func(b gateway.Bill, h header) shep.Response { return registered(b.Order, page, h) }, ""},
		{"on this machine", func(b gateway.Bill, h header) shep.Response { return registered(b.Order, "http://127.0.0.1:9/pay", h) }, ""},
		{"another order", func(_ gateway.Bill, h header) shep.Response { return registered(uuid.New(), page, h) }, fault.GatewayAnswer},
		{"page without TLS", func(b gateway.Bill, h header) shep.Response { return registered(b.Order, "http://bank.kz/pay", h) }, fault.GatewayAnswer},
		{"page is a script", func(b gateway.Bill, h header) shep.Response { return registered(b.Order, "javascript:alert(1)", h) }, fault.GatewayAnswer},
		{"page with a user", func(b gateway.Bill, h header) shep.Response { return registered(b.Order, "https://a@bank.kz/", h) }, fault.GatewayAnswer},
		{"another message", func(_ gateway.Bill, h header) shep.Response { return sealed(gateway.EncodeFact(fact()), h, theirs) }, fault.GatewayAnswer},
		{"signed by another system", func(b gateway.Bill, h header) shep.Response {
			return sealed(gateway.EncodeRegistration(b.Order, "B-1", page), h, other)
		}, fault.GatewayAnswer},
		{"not signed", func(b gateway.Bill, _ header) shep.Response {
			return shep.Response{Status: shep.Status{Code: shep.StatusOK}, Data: shep.Data{Text: gateway.EncodeRegistration(b.Order, "B-1", page)}}
		}, fault.GatewayAnswer},
		{"a document without a header", func(b gateway.Bill, _ header) shep.Response {
			data, err := shep.SealPayload(gateway.EncodeRegistration(b.Order, "B-1", page), theirs)
			if err != nil {
				t.Fatal(err)
			}
			return shep.Response{Status: shep.Status{Code: shep.StatusOK}, Data: data}
		}, fault.GatewayAnswer},
		{"of another envelope", changed(func(h *header) { h.ID = uuid.NewString() }), fault.GatewayAnswer},
		{"to another request", changed(func(h *header) { h.InReplyTo = uuid.NewString() }), fault.GatewayAnswer},
		{"to no request", changed(func(h *header) { h.InReplyTo = "" }), fault.GatewayAnswer},
		{"to another receiver", changed(func(h *header) { h.To = "another" }), fault.GatewayAnswer},
		{"signed an hour ago", changed(func(h *header) { h.At = h.At.Add(-time.Hour) }), fault.GatewayAnswer},
		{"signed in the future", changed(func(h *header) { h.At = h.At.Add(time.Hour) }), fault.GatewayAnswer},
		{"refused", func(gateway.Bill, header) shep.Response {
			return shep.Response{Status: shep.Status{Code: shep.StatusBadData, Message: "no"}}
		}, fault.GatewayRefused},
		{"their failure", func(gateway.Bill, header) shep.Response {
			return shep.Response{Status: shep.Status{Code: shep.StatusUnhandled, Message: "oops"}}
		}, fault.ShepTechnical},
	}
	for _, tt := range tests {
		p := &peer{ours: ours, key: theirs, trust: ca.Trust(), answer: tt.answer}
		got, err := adapter(t, p).Register(t.Context(), bill(t))
		if fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.code == "" && (got.Reference != "B-1" || len(got.Sent) == 0 || len(got.Received) == 0) {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if tt.code != "" {
			if x, ok := gateway.ExchangeOf(err); !ok || len(x.Messages()) != 2 {
				t.Errorf("%s: the messages are not beside the error", tt.name)
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := gateway.NewPSHEP(gateway.PSHEPConfig{}); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("nothing configured: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(gateway.EncodeFact(fact()))
	f.Add(gateway.EncodeBill(bill(f)))
	f.Add(gateway.EncodeReceipt(gateway.Receipt{Reference: "P", ReceivedAt: sheptest.Now}))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := xmldsig.Parse([]byte(text), xmldsig.Limits{})
		if err != nil {
			return
		}
		if got, err := gateway.DecodeFact(d.Root, kz.FormatOnly); err == nil {
			again, err := gateway.DecodeFact(parse(t, gateway.EncodeFact(got)), kz.FormatOnly)
			if err != nil || again != got {
				t.Errorf("%+v came back as %+v, %v", got, again, err)
			}
		}
		if got, err := gateway.DecodeBill(d.Root, kz.FormatOnly); err == nil && (got.Amount <= 0 || len(got.Lines) == 0) {
			t.Errorf("took %+v", got)
		}
	})
}
