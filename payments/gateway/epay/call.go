package epay

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

// scope is what the bank's description has merchants ask for.
const scope = "webapi usermanagement email_send verification statement statistics payment"

// operation is one request that moves something; each has a token of its own.
type operation struct {
	invoice string
	amount  money.Tiyn
	path    string // below the root, with its query
	body    any    // JSON; nil sends none
}

// operate carries an operation out and reads the answer into out, unless it is
// nil.
func (a *Adapter) operate(ctx context.Context, o operation, out any) (gateway.Exchange, error) {
	token, err := a.token(ctx, o.invoice, o.amount)
	if err != nil {
		return gateway.Exchange{}, err
	}
	var body []byte
	if o.body != nil {
		if body, err = json.Marshal(o.body); err != nil {
			return gateway.Exchange{}, fmt.Errorf("write the request: %w", err)
		}
	}
	x := gateway.Exchange{Sent: append([]byte("POST "+o.path+"\n\n"), body...)}
	header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Accept": {"application/json"}}
	status, answer, err := a.config.Caller.Post(ctx, a.config.APIURL+o.path, header, body, answerMax)
	if err != nil {
		return x, gateway.WithExchange(fmt.Errorf("ask ePay: %w", err), x)
	}
	x.Received = answer
	if err := statusError(status); err != nil {
		return x, gateway.WithExchange(err, x)
	}
	if out != nil && json.Unmarshal(answer, out) != nil {
		return x, gateway.WithExchange(fault.New(fault.GatewayAnswer, "", "the answer is not the JSON that was expected"), x)
	}
	return x, nil
}

// check asks how an invoice stands; nil is that nobody has tried to pay it.
func (a *Adapter) check(ctx context.Context, invoice string) (*transaction, gateway.Exchange, error) {
	token, err := a.token(ctx, invoice, 0)
	if err != nil {
		return nil, gateway.Exchange{}, err
	}
	path := "/check-status/payment/transaction/" + invoice
	x := gateway.Exchange{Sent: []byte("GET " + path + "\n\n")}
	header := http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}}
	status, body, err := a.config.Caller.Get(ctx, a.config.APIURL+path, header, answerMax)
	if err != nil {
		return nil, x, gateway.WithExchange(fmt.Errorf("ask ePay for the status: %w", err), x)
	}
	x.Received = body
	t, err := a.readStatus(status, body, invoice)
	return t, x, gateway.WithExchange(err, x)
}

func (a *Adapter) readStatus(status int, body []byte, invoice string) (*transaction, error) {
	var answer statusAnswer
	// A question about an unknown invoice may be answered with 400 or 404 and
	// the code; without a code the status alone counts.
	if err := json.Unmarshal(body, &answer); err != nil || answer.ResultCode == "" {
		if err := statusError(status); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.GatewayAnswer, "", "the status is not the JSON that was expected")
	}
	switch code := codesOf[answer.ResultCode]; {
	case answer.ResultCode == resultUnknown, answer.ResultCode == resultRejected && answer.Transaction == nil:
		return nil, nil
	case code != "":
		return nil, fault.New(code, "/resultCode", "ePay answered %.8q", answer.ResultCode)
	case answer.ResultCode != resultFound && answer.ResultCode != resultRejected, answer.Transaction == nil:
		return nil, fault.New(fault.GatewayAnswer, "/resultCode", "ePay answered %.8q", answer.ResultCode)
	}
	return answer.Transaction, answer.Transaction.read(invoice, a.config.Terminal)
}

// token asks for the token of one operation. It is never kept: neither the
// token nor the request, which holds the client's secret, is evidence.
func (a *Adapter) token(ctx context.Context, invoice string, amount money.Tiyn) (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope}, "client_id": {a.config.ClientID}, "client_secret": {string(a.config.Secret)},
		"invoiceID": {invoice}, "secret_hash": {a.secret(invoice)}, "amount": {amount.String()}, "currency": {currency},
		"terminal": {a.config.Terminal}, "postLink": {a.config.PostLink}, "failurePostLink": {a.config.PostLink},
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	status, body, err := a.config.Caller.Post(ctx, a.config.OAuthURL, header, []byte(form.Encode()), answerMax)
	if err != nil {
		return "", fmt.Errorf("ask ePay for a token: %w", err)
	}
	switch {
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return "", fault.New(fault.PeerDown, "oauth2", "HTTP status %d", status)
	case status != http.StatusOK:
		return "", fault.New(fault.GatewayDenied, "oauth2", "HTTP status %d", status)
	}
	var t tokenAnswer
	if err := json.Unmarshal(body, &t); err != nil || t.AccessToken == "" || !strings.EqualFold(t.TokenType, "Bearer") || strings.ContainsAny(t.AccessToken, " \r\n") {
		return "", fault.New(fault.GatewayAnswer, "oauth2", "no token in the answer")
	}
	return t.AccessToken, nil
}

// statusError is what an HTTP status means: what the bank does not want it
// says with 400 and the like, and means it.
func statusError(status int) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.New(fault.GatewayDenied, "", "HTTP status %d", status)
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= http.StatusInternalServerError:
		return fault.New(fault.PeerDown, "", "HTTP status %d", status)
	case status >= 400:
		return fault.New(fault.GatewayRefused, "", "HTTP status %d", status)
	}
	return fault.New(fault.GatewayAnswer, "", "HTTP status %d", status)
}
