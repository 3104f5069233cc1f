package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/reconcile"
)

// The rooms' part in reconciliations: what reached them is noted as text.

const someCase = "019aa5c0-0000-7000-8000-000000000007"

func sampleReconciliation(day kz.Day) *dossier.Reconciliation {
	return &dossier.Reconciliation{
		Day: day, State: "open", Lines: 2, Matched: 1, Total: 700, ExceptionCount: 1, Rules: map[string]int{"identifier": 1},
		Exceptions: []dossier.ReconciliationException{{ID: uuid.MustParse(someCase), Identifier: "A", Amount: 5, Code: "match_ambiguous", Place: "line 2"}},
		Totals:     []reconcile.Total{{Day: day, BudgetCode: "106201", Office: "6009", Lines: 1, Amount: 700}},
	}
}

func (r *rooms) Reconcile(_ context.Context, c access.Caller, day kz.Day) (*dossier.Reconciliation, error) {
	return sampleReconciliation(day), r.note(c, idempotency.Key{}, nil)
}

func (r *rooms) Day(_ context.Context, day kz.Day) (*dossier.Reconciliation, error) {
	return sampleReconciliation(day), r.note(access.Caller{}, idempotency.Key{}, []byte(day.String()))
}

func (r *rooms) ProposeDay(_ context.Context, c access.Caller, day kz.Day) (*dossier.Reconciliation, error) {
	return sampleReconciliation(day), r.note(c, idempotency.Key{}, []byte("propose "+day.String()))
}

func (r *rooms) CloseDay(_ context.Context, c access.Caller, day kz.Day) (*dossier.Reconciliation, error) {
	return sampleReconciliation(day), r.note(c, idempotency.Key{}, []byte("close "+day.String()))
}

func sampleCase() reconcile.Case {
	return reconcile.Case{
		ID: uuid.MustParse(someCase), Day: kz.DayOf(start), Reason: fault.AmountDiffers, Amount: 5, Identifier: "26112100000000113", Payer: "860405350017",
		ExpectedAmount: 6, State: reconcile.CaseProposed, Resolution: reconcile.ToAdvance, Target: "160440007161", ProposedBy: "one", OpenedAt: start, ChangedAt: start,
		Notes: []reconcile.Note{{At: start, Actor: "one", Act: "propose", Text: "advance"}},
	}
}

func (r *rooms) Exception(_ context.Context, id uuid.UUID) (*reconcile.Case, error) {
	c := sampleCase()
	return &c, r.note(access.Caller{}, idempotency.Key{}, []byte(id.String()))
}

func (r *rooms) Exceptions(_ context.Context, f dossier.ExceptionFilter) ([]reconcile.Case, string, error) {
	return []reconcile.Case{sampleCase()}, someCase, r.note(access.Caller{}, idempotency.Key{}, fmt.Append(nil, f))
}

func (r *rooms) Decide(_ context.Context, c access.Caller, k idempotency.Key, d reconcile.Decision) (*dossier.Decided, error) {
	return &dossier.Decided{Act: string(d.Act), Cases: len(d.Cases)},
		r.note(c, k, fmt.Append(nil, d.Act, " ", d.Cases, " ", d.Owner, "/", d.Resolution, "/", d.Target, "/", d.Text))
}

func TestReconciliations(t *testing.T) {
	h := newHouse(t)
	operator := h.client(clientOf(access.TreasuryOperator), access.TreasuryOperator)
	controller := h.client(clientOf(access.TreasuryController), access.TreasuryController)
	for _, c := range []struct{ operation, bearer, path, reached string }{
		{"getReconciliation", operator, "", "2026-11-20"},
		{"proposeDay", operator, "", "propose 2026-11-20"},
		{"closeDay", controller, "", "close 2026-11-20"},
		{"listExceptions", operator, "/v1/exceptions?state=open&reason=amount_differs&owner=me&day=2026-11-20&after=" + someCase + "&limit=5",
			"{open amount_differs me 2026-11-20 " + someCase + " 5}"},
		{"getException", operator, "", someCase},
		{"workExceptions", operator, "", "propose [" + someCase + "] /advance/160440007161/why"},
		{"approveExceptions", controller, "", "approve [" + someCase + "] ///so"},
		{"rejectExceptions", controller, "", "reject [" + someCase + "] ///so"},
	} {
		t.Run(c.operation, func(t *testing.T) {
			r := good(t, c.operation, c.bearer)
			if c.path != "" {
				r.path = c.path
			}
			a := h.do(r)
			if a.status != 200 || string(h.rooms.body) != c.reached {
				t.Errorf("%d, reached %q, want %q", a.status, h.rooms.body, c.reached)
			}
		})
	}
	// A person's number is masked, and the page says where the next begins.
	a := h.do(good(t, "listExceptions", operator))
	var page struct {
		Exceptions []struct {
			Payer    string `json:"payer"`
			Expected int64  `json:"expected_tiyn"`
		} `json:"exceptions"`
		Next string `json:"next"`
	}
	if err := json.Unmarshal(a.body, &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Exceptions) != 1 || strings.Contains(string(a.body), "860405350017") || page.Exceptions[0].Expected != 6 || page.Next != someCase {
		t.Errorf("%s", a.body)
	}
	for _, body := range []string{`{"exceptions":[],"act":"comment"}`, `{"exceptions":["` + someCase + `"],"act":"approve"}`, `{"exceptions":["x"],"act":"assign"}`} {
		r := good(t, "workExceptions", operator)
		r.body = body
		h.do(r).want(400, fault.BodyInvalid)
	}
	r := good(t, "getReconciliation", operator)
	r.path = "/v1/reconciliations/yesterday"
	h.do(r).want(400, fault.ParameterInvalid)
}
