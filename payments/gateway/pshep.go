package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// NamePSHEP is the name of this gateway in the ledger.
const NamePSHEP = "pshep"

// ClockAhead is how far ahead of ours the clock of a bank may be.
const ClockAhead = 5 * time.Minute

// PSHEPConfig is what the adapter needs; all of it is required but Control.
type PSHEPConfig struct {
	Client    *shep.Client // to the gateway's endpoint
	ServiceID string       // of the gateway at ШЭП
	Account   string       // ours: what the gateway sends must be for it
	Key       xmldsig.Key  // ours: signs what we state
	// Opener opens the envelopes that the gateway sends: whoever carries them
	// is its Peer.
	Opener shep.Opener
	// Gateway is who must have signed what an envelope carries. Its role is
	// ПШЭП's, 1.2.398.3.3.4.1.2.6.95, whatever is given here.
	Gateway shep.Peer
	// Control of BINs in messages; the zero value is the full one.
	Control kz.Control
}

// PSHEP is the adapter to ПШЭП.
type PSHEP struct {
	config PSHEPConfig
	server shep.Server
}

var (
	_ Port     = (*PSHEP)(nil)
	_ Capturer = (*PSHEP)(nil)
	_ QRIssuer = (*PSHEP)(nil)
	_ Debtor   = (*PSHEP)(nil)
)

// NewPSHEP makes the adapter.
func NewPSHEP(c PSHEPConfig) (*PSHEP, error) {
	switch {
	case c.Client == nil || c.ServiceID == "" || c.Account == "" || c.Opener.Now == nil || c.Gateway.Trust == nil:
		return nil, fault.New(fault.ConfigBad, "gateway", "the client, the service, our account, the clock and the trust in the gateway are required")
	case c.Key.Signer == nil || c.Key.Certificate == nil:
		return nil, fault.New(fault.ConfigBad, "gateway", "a key and its certificate are required")
	}
	c.Gateway.Role = cert.OIDRolePaymentGateway
	return &PSHEP{config: c, server: shep.Server{Key: c.Key, Opener: c.Opener}}, nil
}

// Name of the gateway in the ledger.
func (g *PSHEP) Name() string { return NamePSHEP }

// Register sends the bill and checks the signed answer.
func (g *PSHEP) Register(ctx context.Context, b Bill) (*Registration, error) {
	answer, exchange, err := g.ask(ctx, EncodeBill(b))
	if err != nil {
		return nil, fmt.Errorf("register the bill: %w", err)
	}
	id, reference, paymentURL, err := DecodeRegistration(answer)
	switch {
	case err != nil:
		err = fault.Wrap(err, fault.GatewayAnswer, "", "read the answer to the bill")
	case id != b.Order:
		err = fault.New(fault.GatewayAnswer, "/"+registrationElement+"/Order", "the answer is of another order")
	default:
		err = CheckPaymentURL("/"+registrationElement+"/PaymentURL", paymentURL)
	}
	if err != nil {
		return nil, WithExchange(err, exchange)
	}
	return &Registration{Reference: reference, PaymentURL: paymentURL, Exchange: exchange}, nil
}

// Status asks for the report of an order's bill.
func (g *PSHEP) Status(ctx context.Context, order uuid.UUID) (*Answer, error) {
	return g.report(ctx, order, EncodeQuery(order), "ask for the status")
}

// Refund orders a refund.
func (g *PSHEP) Refund(ctx context.Context, r RefundOrder) (*Answer, error) {
	return g.report(ctx, r.Order, EncodeRefund(r), "order the refund")
}

// Cancel withdraws the bill of an order.
func (g *PSHEP) Cancel(ctx context.Context, order uuid.UUID) (*Answer, error) {
	return g.report(ctx, order, EncodeCancel(order), "withdraw the bill")
}

// Capture asks for money that is held.
func (g *PSHEP) Capture(ctx context.Context, c CaptureOrder) (*Answer, error) {
	return g.report(ctx, c.Order, EncodeCapture(c), "capture the held money")
}

// Debit asks for money from the account of who gave a mandate.
func (g *PSHEP) Debit(ctx context.Context, d DebitOrder) (*Answer, error) {
	return g.report(ctx, d.Order, EncodeDebit(d), "order the debit")
}

// IssueQR asks for a code to scan.
func (g *PSHEP) IssueQR(ctx context.Context, q QRRequest) (*QR, error) {
	answer, exchange, err := g.ask(ctx, EncodeQRRequest(q))
	if err != nil {
		return nil, fmt.Errorf("ask for a QR code: %w", err)
	}
	id, payload, err := DecodeQR(answer)
	if err == nil && id != q.ID {
		err = fault.New(fault.GatewayAnswer, "/"+qrElement+"/QR", "the answer is of another code")
	}
	if err != nil {
		return nil, WithExchange(fault.Wrap(err, fault.GatewayAnswer, "", "read the QR code"), exchange)
	}
	return &QR{Payload: payload, Exchange: exchange}, nil
}

// report sends a document and reads the report of the order that answers it.
func (g *PSHEP) report(ctx context.Context, order uuid.UUID, document, act string) (*Answer, error) {
	answer, exchange, err := g.ask(ctx, document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	id, facts, err := DecodeReport(answer, g.config.Control)
	switch {
	case err != nil:
		err = fault.Wrap(err, fault.GatewayAnswer, "", "%s: read the report", act)
	case id != order:
		err = fault.New(fault.GatewayAnswer, "/"+reportElement+"/Order", "the report is of another order")
	default:
		err = g.notAhead(facts)
	}
	if err != nil {
		return nil, WithExchange(err, exchange)
	}
	return &Answer{Facts: facts, Exchange: exchange}, nil
}

// ask sends a signed document and returns the signed one that answers it.
func (g *PSHEP) ask(ctx context.Context, document string) (*xmldsig.Element, Exchange, error) {
	id := uuid.NewString()
	data, err := SealMessage(Header{ID: id, To: g.config.ServiceID, At: g.config.Opener.Now()}, document, g.config.Key)
	if err != nil {
		return nil, Exchange{}, err
	}
	reply, err := g.config.Client.Send(ctx, shep.Request{MessageID: id, ServiceID: g.config.ServiceID, Data: data})
	var exchange Exchange
	if reply != nil {
		exchange = Exchange{Sent: reply.Exchange.Request, Received: reply.Exchange.Answer}
	}
	if err != nil {
		return nil, exchange, WithExchange(err, exchange)
	}
	result, err := reply.Result()
	if fault.Is(err, fault.ShepBusiness) {
		err = fault.Wrap(err, fault.GatewayRefused, "", "the gateway's answer")
	}
	if err != nil {
		return nil, exchange, WithExchange(err, exchange)
	}
	answer, err := OpenMessage(ctx, result, g.config.Gateway, Header{
		ID: reply.MessageID, InReplyTo: id, To: g.config.Account, At: g.config.Opener.Now(),
	})
	if err != nil {
		if !slices.Contains(passing, fault.CodeOf(err)) {
			err = fault.Wrap(err, fault.GatewayAnswer, "", "verify the answer")
		}
		return nil, exchange, WithExchange(err, exchange)
	}
	return answer, exchange, nil
}

// notAhead refuses facts that lie in the future.
func (g *PSHEP) notAhead(facts []Fact) error {
	latest := g.config.Opener.Now().Add(ClockAhead)
	for _, f := range facts {
		if f.PaidAt.After(latest) {
			return fault.New(fault.GatewayAnswer, "/"+reportElement, "a fact lies in the future")
		}
	}
	return nil
}

// CheckPaymentURL lets a payer be sent only to a page over TLS, or to one on
// this very machine as the sandbox's is. at is where the address stood.
func CheckPaymentURL(at, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return fault.New(fault.GatewayAnswer, at, "not an absolute URL")
	}
	if u.Scheme == "https" {
		return nil
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && address.IsLoopback()) {
		return nil
	}
	return fault.New(fault.GatewayAnswer, at, "the payment page is not behind TLS")
}

// Open authenticates a message of the gateway: the envelope by its carrier,
// the fact by the gateway itself.
func (g *PSHEP) Open(ctx context.Context, raw []byte) (*Callback, error) {
	envelope, err := g.config.Opener.Open(ctx, raw)
	if err != nil {
		return nil, unauthentic(err, "open the envelope")
	}
	if envelope.Request == nil {
		return nil, fault.New(fault.CallbackUnauthentic, "", "an answer where a message must be")
	}
	now := g.config.Opener.Now()
	told, err := OpenMessage(ctx, envelope.Request.Data, g.config.Gateway, Header{ID: envelope.Request.MessageID, To: g.config.Account, At: now})
	if err != nil {
		return nil, unauthentic(err, "verify the fact")
	}
	fact, err := DecodeTold(told, g.config.Control)
	if err != nil {
		return nil, fmt.Errorf("read the fact: %w", err)
	}
	if fact.PaidAt.After(now.Add(ClockAhead)) {
		return nil, fault.New(fault.CallbackMalformed, "/"+factElement+"/PaidAt", "the payment lies in the future")
	}
	return &Callback{Fact: fact, Raw: raw, Message: envelope.Request}, nil
}

// passing are the failures that are not the sender's: our own, or of a peer
// that the sender's certificate must be asked about. The gateway sends again.
var passing = []fault.Code{fault.Cancelled, fault.PeerDown, fault.Internal, fault.ConfigUnsafe}

// unauthentic gives one code to all that a forger can get wrong, so that
// nobody learns from it what to try next.
func unauthentic(err error, act string) error {
	if slices.Contains(passing, fault.CodeOf(err)) {
		return fmt.Errorf("%s: %w", act, err)
	}
	return fault.Wrap(err, fault.CallbackUnauthentic, "", "%s", act)
}

// Reply seals the receipt as the answer to the message that the callback came
// in.
func (g *PSHEP) Reply(c *Callback, r Receipt) ([]byte, error) {
	request, ok := c.Message.(*shep.Request)
	if !ok {
		return nil, fault.New(fault.Internal, "", "the callback was not opened by this adapter")
	}
	id := uuid.NewString()
	data, err := SealMessage(Header{ID: id, InReplyTo: request.MessageID, To: request.Sender.ID, At: g.config.Opener.Now()}, EncodeReceipt(r), g.config.Key)
	if err != nil {
		return nil, fmt.Errorf("sign the receipt: %w", err)
	}
	reply, err := g.server.Seal(shep.Response{MessageID: id, Status: shep.Status{Code: shep.StatusOK}, Data: data}, request)
	if err != nil {
		return nil, fmt.Errorf("seal the receipt: %w", err)
	}
	return reply, nil
}
