package pshep

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// serve answers one request. What the gateway does not want is refused as
// business data; a request that nobody can read or believe gets a SOAP fault.
func (g *Gateway) serve(ctx context.Context, e *shep.Envelope) (shep.Response, error) {
	document, err := gateway.OpenMessage(ctx, e.Request.Data, g.config.Service, gateway.Header{
		ID: e.Request.MessageID, To: ServiceID, At: g.config.Now(),
	})
	if err != nil {
		return shep.Response{}, fmt.Errorf("verify the request: %w", err)
	}
	if g.faults.Strike(documents) == Refuse {
		return refusal("refused as ordered"), nil
	}
	answer, err := g.answer(document)
	if err != nil {
		return refusal(err.Error()), nil
	}
	if err := g.keep(); err != nil {
		return shep.Response{}, err
	}
	if g.faults.Strike(answers) == CallbackFirst {
		// What cannot be told now is told again by Run.
		_ = g.Deliver(ctx)
	}
	id := uuid.NewString()
	data, err := gateway.SealMessage(gateway.Header{ID: id, InReplyTo: e.Request.MessageID, To: e.Request.Sender.ID, At: g.config.Now()}, answer, g.config.Key)
	if err != nil {
		return shep.Response{}, fmt.Errorf("sign the answer: %w", err)
	}
	return shep.Response{MessageID: id, Status: shep.Status{Code: shep.StatusOK}, Data: data}, nil
}

// refusal is a business refusal; the message has at most 250 characters.
func refusal(message string) shep.Response {
	if runes := []rune(message); len(runes) > 200 {
		message = string(runes[:200])
	}
	return shep.Response{Status: shep.Status{Code: shep.StatusBadData, Message: message}}
}

// answer carries out the document of a request and writes the answer's.
func (g *Gateway) answer(document *xmldsig.Element) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	handlers := map[string]func(*xmldsig.Element) (string, error){
		"RegisterBill": g.registerBill, "QueryBill": g.queryBill, "CancelBill": g.cancelBill, "OrderRefund": g.orderRefund,
		"CaptureHold": g.captureHold, "DebitAccount": g.debitAccount, "RequestQR": g.requestQR,
	}
	handler := handlers[document.Local]
	if handler == nil {
		return "", fault.New(fault.CallbackMalformed, "", "no such request")
	}
	return handler(document)
}

// keep saves what a request has changed.
func (g *Gateway) keep() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.save()
}

// registerBill takes a bill. The same bill again gets the same reference. The
// order's next bill takes its place: the time is another, what is paid stays
// paid. Any other bill of the order is refused.
func (g *Gateway) registerBill(document *xmldsig.Element) (string, error) {
	b, err := gateway.DecodeBill(document, g.config.Control)
	if err != nil {
		return "", err
	}
	id := b.Order.String()
	known := g.register.Bills[id]
	fresh := known == nil || b.Number == known.Bill.Number+1
	if known == nil {
		known = &bill{Reference: fmt.Sprintf("BILL-%06d", len(g.register.Bills)+1), Bill: b}
		g.register.Bills[id] = known
	}
	if b.Number == known.Bill.Number+1 {
		first, _, _ := strings.Cut(known.Reference, ".")
		known.Reference = fmt.Sprintf("%s.%d", first, b.Number)
		known.Bill.Number, known.Bill.Owed, known.Bill.ExpiresAt, known.Cancelled = b.Number, b.Owed, b.ExpiresAt, false
	}
	if b.Number != known.Bill.Number || !known.Bill.ExpiresAt.Equal(b.ExpiresAt) || !reflect.DeepEqual(known.Bill.Lines, b.Lines) || known.Bill.Payer != b.Payer {
		return "", fault.New(fault.GatewayRefused, "", "another bill of this order is registered")
	}
	if fresh {
		known.Elsewhere = max(0, b.Amount-b.Owed-g.paid(b.Order))
	}
	return gateway.EncodeRegistration(b.Order, known.Reference, g.config.BaseURL+pathPay+id), nil
}

func (g *Gateway) queryBill(document *xmldsig.Element) (string, error) {
	id, err := gateway.DecodeQuery(document)
	if err != nil {
		return "", err
	}
	if _, err := g.bill(id); err != nil {
		return "", err
	}
	return gateway.EncodeReport(id, g.facts(id)), nil
}

// cancelBill withdraws a bill that nothing has been paid of, and lets go what
// is held for it.
func (g *Gateway) cancelBill(document *xmldsig.Element) (string, error) {
	id, err := gateway.DecodeCancel(document)
	if err != nil {
		return "", err
	}
	b, err := g.bill(id)
	if err != nil {
		return "", err
	}
	if g.paid(id) > 0 {
		return "", fault.New(fault.GatewayRefused, "", "the bill is paid")
	}
	b.Cancelled = true
	for _, hold := range g.holds(id) {
		g.add(gateway.Fact{Kind: gateway.Failed, Order: id, Amount: hold.Amount, Original: hold.Reference}, "")
	}
	return gateway.EncodeReport(id, g.facts(id)), nil
}

// orderRefund gives money of a payment back, once for each id.
func (g *Gateway) orderRefund(document *xmldsig.Element) (string, error) {
	r, err := gateway.DecodeRefund(document)
	if err != nil {
		return "", err
	}
	if g.register.Done[r.ID] {
		return gateway.EncodeReport(r.Order, g.facts(r.Order)), nil
	}
	if left := g.left(r.Payment); left < r.Amount {
		return "", fault.New(fault.GatewayRefused, "", "of that payment %s can be given back", left)
	}
	kind := gateway.Refunded
	if g.faults.Strike(refunds) == RefundFails {
		kind = gateway.RefundFailed
	}
	g.register.Done[r.ID] = true
	p := g.add(gateway.Fact{Kind: kind, Order: r.Order, Amount: r.Amount, Original: r.ID.String()}, "")
	p.Of = r.Payment
	return gateway.EncodeReport(r.Order, g.facts(r.Order)), nil
}

func (g *Gateway) captureHold(document *xmldsig.Element) (string, error) {
	c, err := gateway.DecodeCapture(document)
	if err != nil {
		return "", err
	}
	if err := g.capture(c.Order, c.Authorisation, c.Amount); err != nil {
		return "", err
	}
	return gateway.EncodeReport(c.Order, g.facts(c.Order)), nil
}

// debitAccount takes money of an account that any mandate is good for: the
// sandbox's bank trusts the service. Each id is carried out once.
func (g *Gateway) debitAccount(document *xmldsig.Element) (string, error) {
	d, err := gateway.DecodeDebit(document, g.config.Control)
	if err != nil {
		return "", err
	}
	b, err := g.bill(d.Order)
	if err != nil {
		return "", err
	}
	if g.register.Done[d.ID] {
		return gateway.EncodeReport(d.Order, g.facts(d.Order)), nil
	}
	if b.Cancelled || d.Payer != b.Bill.Payer {
		return "", fault.New(fault.GatewayRefused, "", "the bill is withdrawn, or another's")
	}
	kind := gateway.Captured
	if g.faults.Strike(debits) == DebitFails {
		kind = gateway.Failed
	}
	g.register.Done[d.ID] = true
	g.add(gateway.Fact{Kind: kind, Order: d.Order, Amount: d.Amount, Original: d.ID.String()}, "")
	return gateway.EncodeReport(d.Order, g.facts(d.Order)), nil
}

// requestQR makes a code; the same id again gets the same.
func (g *Gateway) requestQR(document *xmldsig.Element) (string, error) {
	q, err := gateway.DecodeQRRequest(document)
	if err != nil {
		return "", err
	}
	if _, err := g.bill(q.Order); err != nil {
		return "", err
	}
	id := q.ID.String()
	if g.register.Codes[id] == nil {
		g.register.Codes[id] = &code{Request: q, Status: gateway.QRNew}
	}
	return gateway.EncodeQR(q.ID, g.config.BaseURL+pathQR+id), nil
}
