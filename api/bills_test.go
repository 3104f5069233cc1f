package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// The rooms' part in orders and refunds: what reached them is noted as text.

func (r *rooms) bill(c access.Caller, k idempotency.Key, asked []byte) (*dossier.Order, error) {
	return &sampleTransaction().Orders[0], r.note(c, k, asked)
}

func (r *rooms) Order(_ context.Context, c access.Caller, id uuid.UUID) (*dossier.Order, error) {
	return r.bill(c, idempotency.Key{}, []byte(id.String()))
}

func (r *rooms) Orders(_ context.Context, c access.Caller, f dossier.OrderFilter) ([]dossier.Order, string, error) {
	o, err := r.bill(c, idempotency.Key{}, fmt.Append(nil, f))
	return []dossier.Order{*o}, o.ID.String(), err
}

func (r *rooms) CancelOrder(_ context.Context, c access.Caller, k idempotency.Key, id uuid.UUID) (*dossier.Order, error) {
	return r.bill(c, k, []byte("cancel "+id.String()))
}

func (r *rooms) PresentOrder(_ context.Context, c access.Caller, k idempotency.Key, id uuid.UUID, gateway string) (*dossier.Order, error) {
	return r.bill(c, k, []byte("present "+id.String()+" at "+gateway))
}

func (r *rooms) UseAdvance(_ context.Context, c access.Caller, k idempotency.Key, id uuid.UUID, amount money.Tiyn) (*dossier.Order, error) {
	return r.bill(c, k, fmt.Append(nil, "use ", int64(amount), " for ", id))
}

func (r *rooms) refund(c access.Caller, k idempotency.Key, asked []byte) (*dossier.Refund, error) {
	return &dossier.Refund{
		ID: uuid.MustParse("019aa5c0-0000-7000-8000-000000000004"), State: "asked", CreatedAt: start, PayerBIN: firmBIN, Amount: 7, Credit: 2,
		Lines: []dossier.RefundLine{{Identifier: "26112100000000113", Amount: 5}}, Gateway: "pshep", Payment: "PAY-1", Reason: "paid twice",
		Due: kz.DayOf(start), AskedBy: "window",
	}, r.note(c, k, asked)
}

func (r *rooms) AskRefund(_ context.Context, c access.Caller, k idempotency.Key, q dossier.RefundRequest) (*dossier.Refund, error) {
	asked, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return r.refund(c, k, asked)
}

func (r *rooms) ApproveRefund(_ context.Context, c access.Caller, k idempotency.Key, id uuid.UUID, note string) (*dossier.Refund, error) {
	return r.refund(c, k, []byte("approve "+id.String()+note))
}

func (r *rooms) RejectRefund(_ context.Context, c access.Caller, k idempotency.Key, id uuid.UUID, note string) (*dossier.Refund, error) {
	return r.refund(c, k, []byte("reject "+id.String()+": "+note))
}

func (r *rooms) Refund(_ context.Context, c access.Caller, id uuid.UUID) (*dossier.Refund, error) {
	return r.refund(c, idempotency.Key{}, []byte(id.String()))
}

func (r *rooms) Refunds(_ context.Context, c access.Caller, f dossier.OrderFilter) ([]dossier.Refund, string, error) {
	one, err := r.refund(c, idempotency.Key{}, fmt.Append(nil, f))
	return []dossier.Refund{*one}, "", err
}

func TestBills(t *testing.T) {
	h := newHouse(t)
	window := h.client(clientOf(access.SingleWindow), access.SingleWindow)
	controller := h.client(clientOf(access.TreasuryController), access.TreasuryController)
	const id = "019aa5c0-0000-7000-8000-000000000003"
	none := "00000000-0000-0000-0000-000000000000"
	for _, c := range []struct {
		operation, bearer, path string
		status                  int
		reached                 string
	}{
		{"createOrder", window, somewhere + "/orders?payer_bin=160440007161", 201, "160440007161"},
		{"listOrders", window, "/v1/orders?state=paid&payer_bin=160440007161&limit=5&after=" + id, 200,
			"{" + none + " " + none + " paid 160440007161 " + id + " 5}"},
		{"getOrder", window, "", 200, id},
		{"cancelOrder", window, "", 200, "cancel " + id},
		{"presentOrder", window, "", 200, "present " + id + " at "},
		{"presentOrder", window, someOrder + "/presentation?gateway=epay", 200, "present " + id + " at epay"},
		{"useAdvance", window, "", 200, "use 100 for " + id},
		{"askRefund", window, "", 201, `{"Order":"` + id + `","Lines":[],"Credit":5,"Gateway":"","Payment":"","Reason":"paid twice"}`},
		{"listRefunds", window, "/v1/refunds?order_id=" + id, 200, "{" + none + " " + id + "    0}"},
		{"getRefund", window, "", 200, "019aa5c0-0000-7000-8000-000000000004"},
		{"approveRefund", controller, "", 200, "approve 019aa5c0-0000-7000-8000-000000000004"},
		{"rejectRefund", controller, "", 200, "reject 019aa5c0-0000-7000-8000-000000000004: not due"},
	} {
		t.Run(c.operation, func(t *testing.T) {
			r := good(t, c.operation, c.bearer)
			if c.path != "" {
				r.path = c.path
			}
			a := h.do(r)
			if a.status != c.status || string(h.rooms.body) != c.reached {
				t.Errorf("%d %s; %q reached the room, want %q", a.status, a.body, h.rooms.body, c.reached)
			}
		})
	}
	refusals := map[string]sent{
		"a state that is none":     {method: "GET", path: "/v1/orders?state=reconciled"},
		"a cursor that is none":    {method: "GET", path: "/v1/refunds?after=1"},
		"too many":                 {method: "GET", path: "/v1/orders?limit=100000"},
		"a line without an amount": {method: "POST", path: "/v1/refunds", contentType: jsonType, body: `{"order_id":"` + id + `","reason":"r","lines":[{"identifier":"26112100000000113"}]}`},
		"a negative amount":        {method: "POST", path: someOrder + "/advance", contentType: jsonType, body: `{"amount_tiyn":-1}`},
		"no reason":                {method: "POST", path: "/v1/refunds", contentType: jsonType, body: `{"order_id":"` + id + `"}`},
	}
	for name, r := range refusals {
		t.Run(name, func(t *testing.T) {
			r.bearer, r.headers = window, map[string]string{idempotencyHeader: "key"}
			if r.method == http.MethodGet {
				r.headers = nil
			}
			if a := h.do(r); a.status != http.StatusBadRequest {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	h.do(good(t, "approveRefund", window)).want(http.StatusForbidden, fault.RoleDenied)
	h.do(good(t, "askRefund", controller)).want(http.StatusForbidden, fault.RoleDenied)
}
