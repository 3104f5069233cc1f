package epay

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
)

// The statuses of a transaction that the stand-in knows.
const (
	statusAuth   = "AUTH"
	statusCharge = "CHARGE"
	statusCancel = "CANCEL"
	statusFailed = "FAILED"
	statusRefund = "REFUND"
)

var invoicePattern = regexp.MustCompile(`^[0-9]{6,15}$`)

// makeInvoice makes a page, or finds the one that it made.
func (g *Gateway) makeInvoice(r *http.Request, t token) reply {
	var q struct {
		InvoiceID string      `json:"invoice_id"`
		Amount    json.Number `json:"amount"`
		Currency  string      `json:"currency"`
		PostLink  string      `json:"post_link"`
	}
	if json.NewDecoder(r.Body).Decode(&q) != nil || q.InvoiceID != t.Invoice {
		return refuse("not the invoice that the token is for")
	}
	amount, err := money.Parse(q.Amount.String())
	if err != nil || amount <= 0 || q.Currency != "KZT" || !invoicePattern.MatchString(q.InvoiceID) {
		return refuse("a field is wrong")
	}
	for _, other := range g.register.Invoices {
		if other.Number != q.InvoiceID && tail(other.Number) == tail(q.InvoiceID) {
			return refuse("the last six digits are taken")
		}
	}
	known := g.register.Invoices[q.InvoiceID]
	if known == nil {
		known = &invoice{Number: q.InvoiceID, SecretHash: t.SecretHash, Amount: amount, PostLink: q.PostLink, Refunds: map[string]string{}}
		g.register.Invoices[q.InvoiceID] = known
	}
	if known.Amount != amount {
		return refuse("the invoice has another amount")
	}
	return reply{http.StatusOK, map[string]string{"invoice_id": q.InvoiceID, "invoice_url": g.config.BaseURL + pathPay + q.InvoiceID}}
}

func tail(number string) string { return number[max(0, len(number)-6):] }

// status tells of the last attempt to pay.
func (g *Gateway) status(r *http.Request, t token) reply {
	number := r.PathValue("invoice")
	i := g.register.Invoices[number]
	if i == nil || i.Status == "" || t.Invoice != number {
		return reply{http.StatusOK, map[string]any{"resultCode": "102", "resultMessage": "Invoice not found"}}
	}
	return reply{http.StatusOK, map[string]any{"resultCode": "100", "resultMessage": "SUCCESS", "transaction": map[string]any{
		"id": i.ID, "createdDate": i.Created.Format(time.RFC3339Nano), "invoiceID": i.Number, "amount": json.Number(i.Taken.String()),
		"currency": "KZT", "terminal": Terminal, "statusName": i.Status, "cardMask": "440043...0001", "cardType": "VISA",
	}}}
}

// find returns the invoice of an operation, if the token is for it.
func (g *Gateway) find(r *http.Request, t token) *invoice {
	if i := g.register.Invoices[t.Invoice]; i != nil && i.ID != "" && i.ID == r.PathValue("id") {
		return i
	}
	return nil
}

func (g *Gateway) charge(r *http.Request, t token) reply {
	var q struct {
		Amount json.Number `json:"amount"`
	}
	i := g.find(r, t)
	if i == nil || i.Status != statusAuth || json.NewDecoder(r.Body).Decode(&q) != nil {
		return refuse("Invalid transaction status")
	}
	amount, err := money.Parse(q.Amount.String())
	if err != nil || amount <= 0 || amount > i.Taken {
		return refuse("the amount is wrong")
	}
	i.Status, i.Taken = statusCharge, amount
	g.tell(i)
	return reply{http.StatusOK, nil}
}

func (g *Gateway) cancel(r *http.Request, t token) reply {
	i := g.find(r, t)
	if i == nil || i.Status != statusAuth {
		return refuse("Transaction cannot be cancelled")
	}
	i.Status = statusCancel
	return reply{http.StatusOK, nil}
}

// refund gives money back, once for each external id.
func (g *Gateway) refund(r *http.Request, t token) reply {
	i := g.find(r, t)
	if i == nil || i.Status != statusCharge && i.Status != statusRefund {
		return refuse("Invalid transaction status")
	}
	id := r.URL.Query().Get("externalID")
	amount, err := money.Parse(r.URL.Query().Get("amount"))
	if err != nil || amount <= 0 || id == "" {
		return refuse("the amount is wrong")
	}
	if before, done := i.Refunds[id]; done {
		if before != amount.String() {
			return refuse("another refund has this external id")
		}
		return reply{http.StatusOK, nil}
	}
	left := i.Taken
	for _, text := range i.Refunds {
		if returned, err := money.Parse(text); err == nil {
			left -= returned
		}
	}
	if amount > left {
		return refuse("more than is left")
	}
	i.Refunds[id], i.Status = amount.String(), statusRefund
	return reply{http.StatusOK, nil}
}

// Act is what a payer does on the page.
type Act struct {
	Name    ActName `json:"act"`
	Invoice string  `json:"invoice"`
}

// ActName names an act.
type ActName string

// The acts.
const (
	Pay  ActName = "pay"  // the card is charged at once
	Hold ActName = "hold" // the money is held
	Fail ActName = "fail" // the card is declined
)

// Do carries an act out and sends the postLink.
func (g *Gateway) Do(a Act) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.register.Invoices[a.Invoice]
	status := map[ActName]string{Pay: statusCharge, Hold: statusAuth, Fail: statusFailed}[a.Name]
	switch {
	case i == nil:
		return fault.New(fault.OrderNotFound, "/invoice", "no such invoice")
	case status == "":
		return fault.New(fault.BadArgument, "/act", "no such act")
	case i.Status != "" && i.Status != statusFailed && i.Status != statusCancel:
		return fault.New(fault.OrderState, "", "the invoice is %s", i.Status)
	}
	i.Status, i.ID, i.Taken = status, uuid.NewString(), i.Amount
	i.Created = g.config.Now().UTC().Truncate(time.Millisecond)
	g.tell(i)
	g.stir()
	return g.save()
}

// tell queues the postLink of an invoice's status. The caller holds the lock.
func (g *Gateway) tell(i *invoice) {
	struck := g.faults.Strike(postLinks)
	if struck == NoPostLink {
		return
	}
	amount, secret := i.Taken, i.SecretHash
	switch struck {
	case OtherAmount:
		amount++
	case WrongSecret:
		secret = strings.Repeat("0", len(secret))
	}
	code, reason := "ok", "success"
	if i.Status == statusFailed {
		code, reason = "error", "declined"
	}
	body, err := json.Marshal(map[string]any{
		"id": i.ID, "dateTime": i.Created.Format(time.RFC3339Nano), "invoiceId": i.Number, "amount": json.Number(amount.String()),
		"currency": "KZT", "terminal": Terminal, "code": code, "reason": reason, "cardMask": "440043...0001", "secret_hash": secret,
	})
	if err != nil {
		return // a map of strings can be written
	}
	g.register.Links = append(g.register.Links, &link{Invoice: i.Number, Body: body})
	if struck == DuplicatePostLink {
		g.register.Links = append(g.register.Links, &link{Invoice: i.Number, Body: body})
	}
}
