package epay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
)

// secret is what a postLink about an invoice must hold: derived from the
// client's secret, so that nothing that opens a door is kept. When the client's
// secret changes, postLinks of invoices under way no longer fit and the status
// is found by asking.
func (a *Adapter) secret(invoice string) string {
	h := hmac.New(sha256.New, a.config.Secret)
	h.Write([]byte("senim postLink " + invoice))
	return hex.EncodeToString(h.Sum(nil))
}

// Open takes a postLink for what it is, a reason to ask. What is asked is the
// status of the invoice; the fact is what the answer says, whatever the
// postLink does. A postLink that ePay itself does not confirm is refused like
// one with a wrong secret.
func (a *Adapter) Open(ctx context.Context, raw []byte) (*gateway.Callback, error) {
	var p postLink
	if len(raw) > postLinkMax || json.Unmarshal(raw, &p) != nil || !invoicePattern.MatchString(p.InvoiceID) {
		return nil, fault.New(fault.CallbackUnauthentic, "", "not a postLink")
	}
	if subtle.ConstantTimeCompare([]byte(p.SecretHash), []byte(a.secret(p.InvoiceID))) != 1 {
		return nil, fault.New(fault.CallbackUnauthentic, "", "the secret is not that of the invoice")
	}
	order, err := a.orderOf(ctx, p.InvoiceID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.CallbackUnauthentic, "", "the invoice is not ours")
	}
	if err != nil {
		return nil, err
	}
	t, x, err := a.check(ctx, p.InvoiceID)
	if err != nil {
		return nil, fmt.Errorf("ask about a postLink: %w", err)
	}
	if t == nil {
		return nil, fault.New(fault.CallbackUnauthentic, "", "ePay knows of no attempt to pay the invoice")
	}
	fact, err := a.fact(order, t)
	if err != nil {
		return nil, err
	}
	return &gateway.Callback{Fact: fact, Raw: raw, Asked: x}, nil
}

// Reply is all that ePay wants: that it need not send again.
func (a *Adapter) Reply(_ *gateway.Callback, r gateway.Receipt) ([]byte, error) {
	return json.Marshal(struct {
		Status     string    `json:"status"`
		Reference  string    `json:"reference"`
		ReceivedAt time.Time `json:"received_at"`
	}{"ok", r.Reference, r.ReceivedAt.UTC()})
}
