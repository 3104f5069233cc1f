package pshep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments/gateway"
)

// answerBytesMax bounds what the service answers.
const answerBytesMax = 256 << 10

// Run tells the service of payments until ctx ends; then it returns nil.
func (g *Gateway) Run(ctx context.Context) error {
	ticker := time.NewTicker(g.config.Retry)
	defer ticker.Stop()
	for {
		// A payment that could not be told stays for the next round.
		_ = g.Deliver(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-g.wake:
		case <-ticker.C:
		}
	}
}

// Deliver tries once to tell of each payment that the service has not been
// told of, and returns why it failed for some.
func (g *Gateway) Deliver(ctx context.Context) error {
	g.mu.Lock()
	target := g.callback
	var waiting []*payment
	for _, p := range g.register.Payments {
		if !p.Told {
			waiting = append(waiting, p)
		}
	}
	g.mu.Unlock()
	if target == "" {
		return nil
	}
	var failures []error
	for _, p := range waiting {
		told, err := g.attempt(ctx, target, p)
		if err != nil {
			failures = append(failures, fmt.Errorf("tell of %s: %w", p.Fact.Reference, err))
		}
		g.mu.Lock()
		p.Attempts++
		p.Told = told
		err = g.save()
		g.mu.Unlock()
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// attempt tells of a payment once, or as the fault of the moment says. told is
// true when nothing is left to do.
func (g *Gateway) attempt(ctx context.Context, target string, p *payment) (told bool, err error) {
	struck := g.faults.Strike(callbacks)
	switch struck {
	case NoCallback:
		return true, nil
	case LateCallback:
		return false, nil
	case DuplicateCallback:
		if err := g.tell(ctx, target, p, struck); err != nil {
			return false, err
		}
	}
	if err := g.tell(ctx, target, p, struck); err != nil {
		return false, err
	}
	return true, nil
}

// tell sends one message and checks the signed receipt.
func (g *Gateway) tell(ctx context.Context, target string, p *payment, struck FaultName) error {
	id := uuid.NewString()
	message, err := g.message(id, p, struck)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "SOAPAction": {`""`}}
	status, answer, err := g.config.Poster.Post(ctx, target, header, message, answerBytesMax)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fault.New(fault.PeerAnswer, "", "HTTP status %d", status)
	}
	envelope, err := g.server.Opener.Open(ctx, answer)
	if err != nil {
		return err
	}
	if envelope.Response == nil {
		return fault.New(fault.PeerAnswer, "", "the answer is a request")
	}
	data, err := envelope.Response.Result()
	if err != nil {
		return err
	}
	document, err := gateway.OpenMessage(ctx, data, g.config.Service, gateway.Header{
		ID: envelope.Response.MessageID, InReplyTo: id, To: ServiceID, At: g.config.Now(),
	})
	if err != nil {
		return err
	}
	receipt, err := gateway.DecodeReceipt(document)
	if err != nil {
		return err
	}
	if receipt.Reference != p.Fact.Reference {
		return fault.New(fault.PeerAnswer, "", "the receipt is of another payment")
	}
	return nil
}

// message seals a fact, wrongly if the fault says so.
func (g *Gateway) message(id string, p *payment, struck FaultName) ([]byte, error) {
	f, header := p.Fact, gateway.Header{ID: id, To: ClientID, At: g.config.Now()}
	switch struck {
	case WrongAmount:
		f.Amount--
	case OtherReceiver:
		header.To = "another"
	case StaleDocument:
		header.At = header.At.Add(-time.Hour)
	}
	text := gateway.EncodeFact(f)
	if p.QR != "" {
		text = gateway.EncodeQRStatus(p.QR, f)
	}
	data, err := gateway.SealMessage(header, text, g.config.Key)
	if err != nil {
		return nil, fmt.Errorf("sign the fact: %w", err)
	}
	if struck == BadSignature {
		data.Text = strings.Replace(data.Text, "</Amount>", "0</Amount>", 1)
	}
	raw, err := shep.SealRequest(shep.Request{
		MessageID: id, ServiceID: serviceID, Date: g.config.Now(), Sender: shep.Sender{ID: ServiceID}, Data: data,
	}, g.config.Key)
	if err != nil {
		return nil, fmt.Errorf("seal the fact: %w", err)
	}
	switch struck {
	case BadEnvelope:
		raw = bytes.Replace(raw, []byte("</messageId>"), []byte("0</messageId>"), 1)
	case NoSignature:
		before, rest, _ := bytes.Cut(raw, []byte("<soap:Header>"))
		_, after, _ := bytes.Cut(rest, []byte("</soap:Header>"))
		raw = append(before, after...)
	}
	return raw, nil
}
