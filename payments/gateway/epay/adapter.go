package epay

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
)

// Name of this gateway in the ledger.
const Name = "epay"

// DefaultWindow is how long the last six digits of an invoice are not given to
// another: the bank keeps operations open for refunds half a year.
const DefaultWindow = 180 * 24 * time.Hour

// Caller is the HTTP client: *fetch.Client.
type Caller interface {
	Get(ctx context.Context, url string, header http.Header, max int64) (status int, answer []byte, err error)
	Post(ctx context.Context, url string, header http.Header, body []byte, max int64) (status int, answer []byte, err error)
}

// Config of the adapter. All of it is required unless it says otherwise.
type Config struct {
	OAuthURL string // where tokens are asked for, /oauth2/token included
	APIURL   string // the root of the operations
	PostLink string // where ePay tells of payments, and of failures
	BackLink string // where the payer goes afterwards

	ClientID string
	Secret   []byte // the client's
	Terminal string
	BankBIC  string // of the acquirer: the bank that the money comes from

	Caller Caller
	Pool   *pgxpool.Pool
	Now    func() time.Time
	Window time.Duration // zero is DefaultWindow
}

// Adapter is the gateway.
type Adapter struct{ config Config }

var (
	_ gateway.Port     = (*Adapter)(nil)
	_ gateway.Capturer = (*Adapter)(nil)
)

// New checks the configuration.
func New(c Config) (*Adapter, error) {
	for _, address := range []string{c.OAuthURL, c.APIURL, c.PostLink, c.BackLink} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.RawQuery != "" {
			return nil, fault.New(fault.ConfigBad, "gateways.epay", "an address is not an absolute URL")
		}
	}
	switch {
	case c.ClientID == "" || len(c.Secret) == 0 || c.Terminal == "" || c.BankBIC == "":
		return nil, fault.New(fault.ConfigBad, "gateways.epay", "client, secret, terminal and bank are required")
	case c.Caller == nil || c.Pool == nil || c.Now == nil || c.Window < 0:
		return nil, fault.New(fault.ConfigBad, "gateways.epay", "HTTP client, database and clock are required")
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	return &Adapter{config: c}, nil
}

// Name of the gateway in the ledger.
func (a *Adapter) Name() string { return Name }

// Register makes the page where a bill is paid, for what is owed of it. What
// was registered is remembered: the same bill again is not sent. The page of
// the bill before it stays, for ePay withdraws none; who pays both has paid
// twice, and is told apart by the order.
func (a *Adapter) Register(ctx context.Context, b gateway.Bill) (*gateway.Registration, error) {
	invoice, page, err := a.allocate(ctx, b)
	if err != nil {
		return nil, err
	}
	if page != "" {
		return &gateway.Registration{Reference: invoice, PaymentURL: page}, nil
	}
	body := invoiceRequest{
		ShopID: a.config.Terminal, AccountID: b.Order.String(), InvoiceID: invoice, Amount: number(b.Owed), Currency: currency,
		Language: "rus", Description: "Таможенные платежи, счёт " + invoice, ExpirePeriod: period(b.ExpiresAt.Sub(a.config.Now())),
		PostLink: a.config.PostLink, FailurePostLink: a.config.PostLink, BackLink: a.config.BackLink, FailureBackLink: a.config.BackLink,
	}
	var answer invoiceAnswer
	x, err := a.operate(ctx, operation{invoice: invoice, amount: b.Owed, path: "/invoice", body: body}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.InvoiceID != invoice {
		return nil, gateway.WithExchange(fault.New(fault.GatewayAnswer, "/invoice_id", "the answer is of another invoice"), x)
	}
	if err := gateway.CheckPaymentURL("/invoice_url", answer.InvoiceURL); err != nil {
		return nil, gateway.WithExchange(err, x)
	}
	if err := a.remember(ctx, invoice, answer.InvoiceURL); err != nil {
		return nil, err
	}
	return &gateway.Registration{Reference: invoice, PaymentURL: answer.InvoiceURL, Exchange: x}, nil
}

// Status asks how an order's invoices stand, and adds the refunds that were
// executed.
func (a *Adapter) Status(ctx context.Context, order uuid.UUID) (*gateway.Answer, error) {
	answer, _, err := a.standing(ctx, order)
	if err != nil {
		return nil, err
	}
	refunds, err := a.refunded(ctx, order)
	if err != nil {
		return nil, err
	}
	answer.Facts = append(answer.Facts, refunds...)
	return answer, nil
}

// standing asks about every invoice of an order. Of each that somebody has
// tried to pay there is a fact and, in the same place, the transaction.
func (a *Adapter) standing(ctx context.Context, order uuid.UUID) (*gateway.Answer, []*transaction, error) {
	invoices, err := a.invoicesOf(ctx, order)
	if err != nil {
		return nil, nil, err
	}
	answer := &gateway.Answer{}
	var all []*transaction
	for _, invoice := range invoices {
		t, x, err := a.check(ctx, invoice)
		if err != nil {
			return nil, nil, err
		}
		answer.Sent, answer.Received = append(answer.Sent, x.Sent...), append(answer.Received, x.Received...)
		if t == nil {
			continue
		}
		fact, err := a.fact(order, t)
		if err != nil {
			return nil, nil, gateway.WithExchange(err, x)
		}
		answer.Facts, all = append(answer.Facts, fact), append(all, t)
	}
	return answer, all, nil
}

// Cancel lets held money go. Where nothing is held there is nothing that ePay
// could withdraw; who pays the page all the same has paid.
func (a *Adapter) Cancel(ctx context.Context, order uuid.UUID) (*gateway.Answer, error) {
	status, all, err := a.standing(ctx, order)
	if err != nil {
		return nil, err
	}
	var held []*transaction
	for _, t := range all {
		switch {
		case t.Status == statusAuth:
			held = append(held, t)
		case kinds[t.Status] == gateway.Captured:
			return nil, gateway.WithExchange(fault.New(fault.GatewayRefused, "", "the payment is %s", t.Status), status.Exchange)
		}
	}
	if len(held) == 0 {
		return status, nil
	}
	var x gateway.Exchange
	for _, t := range held {
		if x, err = a.operate(ctx, operation{invoice: t.InvoiceID, amount: t.amount, path: "/operation/" + t.ID + "/cancel"}, nil); err != nil {
			return nil, err
		}
	}
	return a.after(ctx, order, x)
}

// Capture takes held money, or a part of it.
func (a *Adapter) Capture(ctx context.Context, c gateway.CaptureOrder) (*gateway.Answer, error) {
	status, all, err := a.standing(ctx, c.Order)
	if err != nil {
		return nil, err
	}
	refuse := func(at, why string) (*gateway.Answer, error) {
		return nil, gateway.WithExchange(fault.New(fault.GatewayRefused, at, "%s", why), status.Exchange)
	}
	for _, t := range all {
		switch {
		case reference(t.ID, gateway.Authorised) != c.Authorisation:
			continue
		case t.Status == statusCharge:
			return status, nil // asked again: it was carried out, and the answer lost
		case t.Status != statusAuth:
			return refuse("", "the money is not held any more")
		case c.Amount > t.amount:
			return refuse("/amount", "more than is held")
		}
		x, err := a.operate(ctx, operation{
			invoice: t.InvoiceID, amount: c.Amount, path: "/operation/" + t.ID + "/charge", body: chargeRequest{Amount: number(c.Amount)},
		}, nil)
		if err != nil {
			return nil, err
		}
		return a.after(ctx, c.Order, x)
	}
	return refuse("", "no such money is held")
}

// Refund gives money of a payment back.
func (a *Adapter) Refund(ctx context.Context, r gateway.RefundOrder) (*gateway.Answer, error) {
	done, err := a.claimRefund(ctx, r)
	if err != nil || done != nil {
		return done, err
	}
	status, all, err := a.standing(ctx, r.Order)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.ID != r.Payment || kinds[t.Status] != gateway.Captured {
			continue
		}
		query := url.Values{"amount": {r.Amount.String()}, "externalID": {r.ID.String()}}
		x, err := a.operate(ctx, operation{invoice: t.InvoiceID, amount: r.Amount, path: "/operation/" + t.ID + "/refund?" + query.Encode()}, nil)
		if err != nil {
			return nil, err
		}
		fact, err := a.executeRefund(ctx, r)
		if err != nil {
			return nil, gateway.WithExchange(err, x)
		}
		return &gateway.Answer{Facts: []gateway.Fact{fact}, Exchange: x}, nil
	}
	return nil, gateway.WithExchange(fault.New(fault.GatewayRefused, "/payment", "no such payment"), status.Exchange)
}

// after is the status after an operation was carried out, with the operation's
// messages.
func (a *Adapter) after(ctx context.Context, order uuid.UUID, x gateway.Exchange) (*gateway.Answer, error) {
	answer, err := a.Status(ctx, order)
	if err != nil {
		return nil, gateway.WithExchange(err, x)
	}
	answer.Exchange = x
	return answer, nil
}
