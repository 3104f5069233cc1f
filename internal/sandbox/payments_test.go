package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	channel "github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/pki/cert"
)

// The way of a payment: a bill in, a click at the bank, a signed message back.
func TestAPaymentIsToldToTheService(t *testing.T) {
	s := start(t, t.TempDir())
	adapter := paymentAdapter(t, s)
	facts, failures := make(chan gateway.Fact, 1), make(chan error, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			failures <- err
			return
		}
		callback, err := adapter.Open(r.Context(), raw)
		if err != nil {
			failures <- err
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		reply, err := adapter.Reply(callback, gateway.Receipt{Reference: callback.Fact.Reference, ReceivedAt: time.Now()})
		if err != nil {
			failures <- err
		}
		channel.WriteXML(w, http.StatusOK, reply)
		facts <- callback.Fact
	}))
	t.Cleanup(receiver.Close)

	bill := aBill(t)
	registration, err := adapter.Register(t.Context(), bill)
	if err != nil {
		t.Fatal(err)
	}
	if want := s.URLs().Bank + bill.Order.String(); registration.PaymentURL != want {
		t.Fatalf("the payer is sent to %s, not to %s", registration.PaymentURL, want)
	}
	if err := s.Payments().SetFault(pshep.Fault{Name: pshep.BadSignature, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if status := send(t, http.MethodPost, registration.PaymentURL, ""); status != http.StatusOK {
		t.Fatalf("the bank's page: %d", status)
	}
	if err := s.Connect(receiver.URL + "/v1/gateway"); err != nil {
		t.Fatal(err)
	}
	if err := <-failures; !fault.Is(err, fault.CallbackUnauthentic) {
		t.Errorf("the message with a wrong signature: %v", err)
	}
	if fact := <-facts; fact.Order != bill.Order || fact.Amount != bill.Amount || fact.Payer != bill.Payer {
		t.Errorf("told %+v", fact)
	}
	if err := s.Connect("nowhere"); !fault.Is(err, fault.BadArgument) {
		t.Errorf("an address that is none: %v", err)
	}
}

func paymentAdapter(t *testing.T, s *sandbox.Sandbox) *gateway.PSHEP {
	t.Helper()
	key, trusted := service(t, s, nca.SingleWindow, sandbox.SingleWindow)
	peer := channel.Peer{Trust: trusted, Role: cert.OIDRolePaymentGateway, BIN: sandbox.PaymentGateway.BIN}
	opener := channel.Opener{Peer: peer, Now: time.Now}
	sender, err := channel.NewClient(channel.ClientConfig{
		URL: s.URLs().PSHEP, Poster: client(t, s), Key: key, Sender: channel.Sender{ID: "senim"}, Opener: opener,
	})
	if err != nil {
		t.Fatal(err)
	}
	adapter, err := gateway.NewPSHEP(gateway.PSHEPConfig{Client: sender, ServiceID: pshep.ServiceID, Account: pshep.ClientID, Key: key, Opener: opener, Gateway: peer})
	if err != nil {
		t.Fatal(err)
	}
	return adapter
}

func aBill(t *testing.T) gateway.Bill {
	t.Helper()
	now := time.Now()
	identifier, err := order.NewIdentifier(kz.DayOf(now), 1)
	if err != nil {
		t.Fatal(err)
	}
	const amount = 20_000_00
	return gateway.Bill{
		Order: uuid.New(), Number: 1, Payer: sandbox.CompanyBIN, Amount: amount, Owed: amount, ExpiresAt: now.Add(time.Hour).UTC().Truncate(time.Second),
		Lines: []order.Line{{
			Identifier: identifier, Kind: charge.CustomsFee, BudgetCode: "106201", PurposeCode: "911", Amount: amount,
			Requisites: order.Treasury("6009", sandbox.Gateway.BIN, "УГД (стенд)"),
		}},
	}
}
