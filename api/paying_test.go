package api

import (
	"context"
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

// The rooms' part in ways to pay: what reached them is noted as text.

var mandateID = uuid.MustParse("019aa5c0-0000-7000-8000-000000000005")

func (r *rooms) IssueQR(_ context.Context, c access.Caller, id uuid.UUID) (*dossier.QR, error) {
	return &dossier.QR{ID: mandateID, Order: id, Payload: "qr", Amount: 5, ExpiresAt: start}, r.note(c, idempotency.Key{}, []byte("qr for "+id.String()))
}

func (r *rooms) CaptureOrder(_ context.Context, c access.Caller, k idempotency.Key, id uuid.UUID, amount money.Tiyn) (*dossier.Order, error) {
	return r.bill(c, k, fmt.Append(nil, "capture ", int64(amount), " of ", id))
}

func (r *rooms) DebitOrder(_ context.Context, c access.Caller, k idempotency.Key, id, mandate uuid.UUID) (*dossier.Debit, error) {
	return &dossier.Debit{ID: mandateID, Mandate: mandate, Order: id, Amount: 5, State: "failed", Reason: fault.DebitFailed},
		r.note(c, k, []byte("debit "+id.String()+" under "+mandate.String()))
}

func (r *rooms) mandate(c access.Caller, k idempotency.Key, asked string) (*dossier.Mandate, error) {
	return &dossier.Mandate{
		ID: mandateID, State: "active", CreatedAt: start, PayerBIN: firmBIN, Account: "KZ86125KZT5004100100", Gateway: "pshep",
		DebitMax: 1, MonthMax: 2, ValidFrom: kz.DayOf(start), ValidTo: kz.DayOf(start), Document: "00",
	}, r.note(c, k, []byte(asked))
}

func (r *rooms) GiveMandate(_ context.Context, c access.Caller, k idempotency.Key, signed []byte) (*dossier.Mandate, error) {
	return r.mandate(c, k, "give "+string(signed))
}

func (r *rooms) Mandate(_ context.Context, c access.Caller, id uuid.UUID) (*dossier.Mandate, error) {
	return r.mandate(c, idempotency.Key{}, id.String())
}

func (r *rooms) Mandates(_ context.Context, c access.Caller, payerBIN string) ([]dossier.Mandate, error) {
	m, err := r.mandate(c, idempotency.Key{}, "of "+payerBIN)
	return []dossier.Mandate{*m}, err
}

func (r *rooms) MoveMandate(_ context.Context, c access.Caller, k idempotency.Key, id uuid.UUID, to string) (*dossier.Mandate, error) {
	return r.mandate(c, k, id.String()+" "+to)
}

func TestPaying(t *testing.T) {
	h := newHouse(t)
	window := h.client(clientOf(access.SingleWindow), access.SingleWindow)
	const id = "019aa5c0-0000-7000-8000-000000000003"
	mandate := mandateID.String()
	for _, c := range []struct {
		operation string
		status    int
		reached   string
	}{
		{"issueQR", 201, "qr for " + id},
		{"captureOrder", 200, "capture 100 of " + id},
		{"debitOrder", 201, "debit " + id + " under " + mandate},
		{"giveMandate", 201, "give signed"},
		{"listMandates", 200, "of 160440007161"},
		{"getMandate", 200, mandate},
		{"revokeMandate", 200, mandate + " revoked"},
		{"suspendMandate", 200, mandate + " suspended"},
		{"resumeMandate", 200, mandate + " active"},
		{"acceptCardCallback", 200, `epay {"invoiceId":"100000000001","code":"ok"}`},
	} {
		t.Run(c.operation, func(t *testing.T) {
			bearer := window
			if access.RuleOf(c.operation).Door != access.Callers {
				bearer = ""
			}
			a := h.do(good(t, c.operation, bearer))
			if a.status != c.status || string(h.rooms.body) != c.reached {
				t.Errorf("%d %s; %q reached the room, want %q", a.status, a.body, h.rooms.body, c.reached)
			}
		})
	}
	refusals := map[string]sent{
		"no mandate":         {method: "POST", path: someOrder + "/debit", contentType: jsonType, body: `{}`},
		"a mandate by name":  {method: "POST", path: someOrder + "/debit", contentType: jsonType, body: `{"mandate_id":"mine"}`},
		"a negative capture": {method: "POST", path: someOrder + "/capture", contentType: jsonType, body: `{"amount_tiyn":-1}`},
		"an unknown field":   {method: "POST", path: someOrder + "/capture", contentType: jsonType, body: `{"amount":1}`},
		"a long gateway":     {method: "POST", path: someOrder + "/presentation?gateway=" + fmt.Sprintf("%041d", 0)},
	}
	for name, r := range refusals {
		r.bearer, r.headers = window, map[string]string{idempotencyHeader: "key-2"}
		if a := h.do(r); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := h.do(sent{method: "POST", path: "/v1/gateways/epay/callbacks", contentType: jsonType, body: `{"code":"ok"}`}); a.status != http.StatusBadRequest {
		t.Errorf("a postLink without its invoice: %d %s", a.status, a.body)
	}
}
