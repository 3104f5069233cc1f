package epay

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

const (
	currency     = "KZT"
	answerMax    = 64 << 10
	postLinkMax  = 64 << 10
	expireMaxDay = 30
)

// invoiceRequest asks for a page.
type invoiceRequest struct {
	ShopID          string      `json:"shop_id"`
	AccountID       string      `json:"account_id"`
	InvoiceID       string      `json:"invoice_id"`
	Amount          json.Number `json:"amount"`
	Currency        string      `json:"currency"`
	Language        string      `json:"language"`
	Description     string      `json:"description"`
	ExpirePeriod    string      `json:"expire_period"`
	PostLink        string      `json:"post_link"`
	FailurePostLink string      `json:"failure_post_link"`
	BackLink        string      `json:"back_link"`
	FailureBackLink string      `json:"failure_back_link"`
}

type invoiceAnswer struct {
	InvoiceID  string `json:"invoice_id"`
	InvoiceURL string `json:"invoice_url"`
}

type chargeRequest struct {
	Amount json.Number `json:"amount"`
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
}

// statusAnswer is the answer to a question about an invoice.
type statusAnswer struct {
	ResultCode    string       `json:"resultCode"`
	ResultMessage string       `json:"resultMessage"`
	Transaction   *transaction `json:"transaction"`
}

// The codes of that answer.
const (
	resultFound    = "100"
	resultRejected = "101"
	resultUnknown  = "102" // nobody has tried to pay
)

// codesOf are what the other codes are to us.
var codesOf = map[string]fault.Code{
	"103": fault.PeerDown, "107": fault.PeerDown, // an error; later
	"104": fault.GatewayDenied, "109": fault.GatewayDenied, // the terminal is not in the token, or not the client's
}

// transaction is the last attempt to pay an invoice.
type transaction struct {
	ID        string      `json:"id"`
	Created   string      `json:"createdDate"`
	InvoiceID string      `json:"invoiceID"`
	Amount    json.Number `json:"amount"`
	Currency  string      `json:"currency"`
	Terminal  string      `json:"terminal"`
	Status    string      `json:"statusName"`

	amount money.Tiyn
	at     time.Time
}

// The statuses of a transaction.
const (
	statusAuth   = "AUTH"
	statusCharge = "CHARGE"
)

// kinds are what the statuses are as facts. A refund leaves the payment
// executed: what went back is known from the refunds' own answers.
var kinds = map[string]gateway.FactKind{
	"NEW": gateway.Pending, "FINGERPRINT": gateway.Pending,
	statusAuth: gateway.Authorised, statusCharge: gateway.Captured, "REFUND": gateway.Captured,
	"CANCEL": gateway.Failed, "CANCEL_OLD": gateway.Failed, "REJECT": gateway.Failed, "FAILED": gateway.Failed, "3D": gateway.Failed,
}

// released are the statuses that let held money go.
var released = map[string]bool{"CANCEL": true, "CANCEL_OLD": true}

var transactionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,47}$`)

// suffixes tell the facts of one transaction apart; the payment has its number.
var suffixes = map[gateway.FactKind]string{
	gateway.Pending: ".new", gateway.Authorised: ".auth", gateway.Captured: "", gateway.Failed: ".end",
}

func reference(transaction string, kind gateway.FactKind) string { return transaction + suffixes[kind] }

// read checks what a transaction says of itself.
func (t *transaction) read(invoice, terminal string) (err error) {
	const at = "/transaction"
	switch {
	case !transactionPattern.MatchString(t.ID):
		return fault.New(fault.GatewayAnswer, at+"/id", "not an identifier")
	case t.InvoiceID != invoice:
		return fault.New(fault.GatewayAnswer, at+"/invoiceID", "the answer is of another invoice")
	case t.Currency != currency:
		return fault.New(fault.GatewayAnswer, at+"/currency", "not in tenge")
	case t.Terminal != "" && t.Terminal != terminal:
		return fault.New(fault.GatewayAnswer, at+"/terminal", "of another terminal")
	case kinds[t.Status] == "":
		return fault.New(fault.GatewayAnswer, at+"/statusName", "not a known status")
	}
	if t.amount, err = money.Parse(t.Amount.String()); err != nil || t.amount <= 0 {
		return fault.New(fault.GatewayAnswer, at+"/amount", "not a positive amount")
	}
	if t.at, err = time.Parse(time.RFC3339Nano, t.Created); err != nil {
		return fault.New(fault.GatewayAnswer, at+"/createdDate", "not a date and time with a zone")
	}
	t.at = t.at.UTC().Truncate(time.Microsecond)
	return nil
}

// fact is a transaction as a fact of an order.
func (a *Adapter) fact(order uuid.UUID, t *transaction) (gateway.Fact, error) {
	if t.at.After(a.config.Now().Add(gateway.ClockAhead)) {
		return gateway.Fact{}, fault.New(fault.GatewayAnswer, "/transaction/createdDate", "the payment lies in the future")
	}
	kind := kinds[t.Status]
	f := gateway.Fact{
		Kind: kind, Reference: reference(t.ID, kind), Order: order, BankBIC: a.config.BankBIC, Amount: t.amount, PaidAt: t.at,
	}
	if released[t.Status] {
		f.Original = reference(t.ID, gateway.Authorised)
	}
	return f, nil
}

// postLink is what ePay sends when somebody has paid or failed to.
type postLink struct {
	InvoiceID  string `json:"invoiceId"`
	SecretHash string `json:"secret_hash"`
}

func number(amount money.Tiyn) json.Number { return json.Number(amount.String()) }

// period is how long a page lives, in whole days as ePay counts them; it must
// not outlive the order by more than it must.
func period(left time.Duration) string {
	days := int(left / (24 * time.Hour))
	return fmt.Sprintf("%dd", min(max(days, 1), expireMaxDay))
}
