package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

// factBody is a plain fact with every member.
const factBody = `{"kind":"captured","reference":"PAY-1","order_id":"019aa5c0-0000-7000-8000-000000000002","amount_tiyn":123456,` +
	`"paid_at":"2026-11-20T10:00:00+05:00","original":"HOLD-1","payer_bin":"160440007161","bank_bic":"HSBKKZKX"}`

// TestPayingAtOnceIsLikeTheRouter sends the same requests down both ways: the
// answers, the log, what is taken and what is refused must be the same.
func TestPayingAtOnceIsLikeTheRouter(t *testing.T) {
	body := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			changed := strings.Replace(factBody, old, new, 1)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(changed)), int64(len(changed))
		}
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	refused := fault.New(fault.CallbackConflict, "/reference", "another")
	h := newHouse(t)
	token := h.client("bank", access.PaymentGateway)
	for name, tt := range map[string]struct {
		change func(*http.Request)
		err    error
		status int
	}{
		"taken":                 {nil, nil, 201},
		"twice, first and last": {body(`{"kind":"captured",`, `{ "bank_bic" : "HSBKKZKX" , "kind":"captured",`), nil, 400},
		"white space":           {body(`"reference":"PAY-1"`, "\n\t\"reference\" : \"PAY-1\" "), nil, 201},
		"an escape":             {body("PAY-1", `PAY\u002d1`), nil, 201},
		"refused":               {nil, refused, 409},
		"refused in Kazakh":     {header("Accept-Language", "kk"), refused, 409},
		"the database is away":  {nil, fault.New(fault.DatabaseDown, "", "gone"), 503},
		"no key":                {func(r *http.Request) { r.Header.Del(idempotencyHeader) }, nil, 400},
		"a bad key":             {header(idempotencyHeader, "a b"), nil, 400},
		"no caller":             {func(r *http.Request) { r.Header.Del("Authorization") }, nil, 401},
		"a wrong token":         {header("Authorization", "Bearer a.b.c"), nil, 401},
		"another media type":    {header("Content-Type", "text/plain"), nil, 415},
		"a parameter":           {header("Content-Type", "application/json; charset=utf-8"), nil, 201},
		"unknown member":        {body(`"kind"`, `"admin":true,"kind"`), nil, 400},
		"twice":                 {body(`"kind"`, `"reference":"B","kind"`), nil, 400},
		"another case":          {body(`"kind"`, `"Kind"`), nil, 400},
		"missing":               {body(`"amount_tiyn":123456,`, ""), nil, 400},
		"a text for a number":   {body("123456", `"123456"`), nil, 400},
		"a fraction":            {body("123456", "1234.56"), nil, 400},
		"negative":              {body("123456", "-1"), nil, 400},
		"too large":             {body("123456", "1000000000000001"), nil, 400},
		"kind":                  {body("captured", "paid"), nil, 400},
		"reference":             {body("PAY-1", "PAY 1"), nil, 400},
		"order":                 {body("019aa5c0-0000", "019aa5c00000"), nil, 400},
		"payer":                 {body("160440007161", "16044000716"), nil, 400},
		"bank":                  {body("HSBKKZKX", "hsbkkzkx"), nil, 400},
		"time":                  {body("2026-11-20T10", "2026-11-20 10"), nil, 400},
		"the future":            {body("2026-11-20", "2199-11-20"), nil, 400},
		"a reversal of naught":  {body(`"original":"HOLD-1",`, ""), nil, 201},
		"two values":            {body(`"HSBKKZKX"}`, `"HSBKKZKX"} {}`), nil, 400},
		"not whole":             {body(`"HSBKKZKX"}`, `"HSBKKZKX"`), nil, 400},
		"cut off":               {func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) }, nil, 400},
		"too big":               {func(r *http.Request) { r.ContentLength = 1 << 20 }, nil, 413},
		"a panic":               {nil, errPanic, 500},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			h.rooms.take = func(one payments.Told) (*payments.Outcome, error) {
				told = append(told, fmt.Sprintf("%s %s %+v %s", one.Gateway, one.By, one.Fact, one.Key.Value))
				if tt.err == errPanic {
					panic("secret of the house")
				}
				if err := payments.CheckFact(&one.Fact, start.Add(time.Hour)); err != nil {
					return nil, err
				}
				return &payments.Outcome{Gateway: one.Gateway, Reference: one.Fact.Reference, State: payments.FactPosted, ReceivedAt: start}, tt.err
			}
			ask := func(handler http.Handler) *httptest.ResponseRecorder {
				r := good(t, "postPayment", token).request(t)
				r.Header.Set(requestIDHeader, "the-same-for-both")
				if tt.change != nil {
					tt.change(r)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				w.Header().Del("Content-Length") // net/http tells it of either
				return w
			}
			router, atOnce := ask(h.server.engine), ask(h.server.Handler())
			if router.Code != tt.status {
				t.Errorf("%d, want %d: %s", router.Code, tt.status, router.Body)
			}
			if atOnce.Code != router.Code || atOnce.Body.String() != router.Body.String() || !reflect.DeepEqual(atOnce.Header(), router.Header()) {
				t.Errorf("%d %v %s\nthe router says\n%d %v %s", atOnce.Code, atOnce.Header(), atOnce.Body, router.Code, router.Header(), router.Body)
			}
			if len(told) == 2 && told[0] != told[1] {
				t.Errorf("told\n%s\nand by the router\n%s", told[1], told[0])
			}
		})
	}
}

var errPanic = fault.New(fault.Internal, "", "panic")

// FuzzPlainFact: whatever is plain is the same fact to encoding/json.
func FuzzPlainFact(f *testing.F) {
	for _, seed := range []string{factBody, "{}", `{"kind":"failed"}`, strings.ReplaceAll(factBody, ",", " ,\n"), `{"kind":"captured","kind":"failed"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, plain := plainFact(body)
		if !plain {
			return
		}
		var b PaymentFact
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&b); err != nil {
			t.Fatalf("plain, and yet %v: %q", err, body)
		}
		want := gateway.Fact{
			Kind: gateway.FactKind(b.Kind), Reference: b.Reference, Order: b.OrderID, Amount: money.Tiyn(b.AmountTiyn), PaidAt: b.PaidAt,
			Original: valueOf(b.Original), Payer: kz.BIN(valueOf(b.PayerBIN)), BankBIC: valueOf(b.BankBic),
		}
		if !got.PaidAt.Equal(want.PaidAt) {
			t.Errorf("%v, want %v", got.PaidAt, want.PaidAt)
		}
		got.PaidAt, want.PaidAt = time.Time{}, time.Time{}
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// A gateway's client has a rate of its own.
func TestGatewaysHaveTheirOwnRate(t *testing.T) {
	h := newHouse(t, func(_ *Config, _ *Dependencies, a *access.Config) {
		a.Limits.CallerPerSecond, a.Limits.CallerBurst, a.Limits.PaymentPerSecond, a.Limits.PaymentBurst = 1, 1, 1, 3
	})
	token := h.client("bank", access.PaymentGateway)
	for i, want := range []int{201, 201, 201, 429, 429} {
		a := h.do(good(t, "postPayment", token))
		if a.status != want {
			t.Errorf("request %d: %d %s", i+1, a.status, a.body)
		}
		if want == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
}
