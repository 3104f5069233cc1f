package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/reconcile"
)

// Reconciliations is what the handlers ask of days and exceptions: part of
// Dossier.
type Reconciliations interface {
	Reconcile(ctx context.Context, caller access.Caller, day kz.Day) (*dossier.Reconciliation, error)
	Day(ctx context.Context, day kz.Day) (*dossier.Reconciliation, error)
	ProposeDay(ctx context.Context, caller access.Caller, day kz.Day) (*dossier.Reconciliation, error)
	CloseDay(ctx context.Context, caller access.Caller, day kz.Day) (*dossier.Reconciliation, error)
	Exception(ctx context.Context, id uuid.UUID) (*reconcile.Case, error)
	Exceptions(ctx context.Context, f dossier.ExceptionFilter) (page []reconcile.Case, next string, err error)
	Decide(ctx context.Context, caller access.Caller, key idempotency.Key, d reconcile.Decision) (*dossier.Decided, error)
}

func (h handlers) Reconcile(ctx context.Context, r ReconcileRequestObject) (ReconcileResponseObject, error) {
	ctx, c := enter(ctx)
	result, err := h.rooms.Dossier.Reconcile(ctx, c.caller, r.Body.Day)
	if err != nil {
		return nil, err
	}
	return Reconcile200JSONResponse(renderReconciliation(result)), nil
}

func (h handlers) GetReconciliation(ctx context.Context, r GetReconciliationRequestObject) (GetReconciliationResponseObject, error) {
	ctx, _ = enter(ctx)
	result, err := h.rooms.Dossier.Day(ctx, r.Day)
	if err != nil {
		return nil, err
	}
	return GetReconciliation200JSONResponse(renderReconciliation(result)), nil
}

func (h handlers) ProposeDay(ctx context.Context, r ProposeDayRequestObject) (ProposeDayResponseObject, error) {
	ctx, c := enter(ctx)
	result, err := h.rooms.Dossier.ProposeDay(ctx, c.caller, r.Day)
	if err != nil {
		return nil, err
	}
	return ProposeDay200JSONResponse(renderReconciliation(result)), nil
}

func (h handlers) CloseDay(ctx context.Context, r CloseDayRequestObject) (CloseDayResponseObject, error) {
	ctx, c := enter(ctx)
	result, err := h.rooms.Dossier.CloseDay(ctx, c.caller, r.Day)
	if err != nil {
		return nil, err
	}
	return CloseDay200JSONResponse(renderReconciliation(result)), nil
}

func (h handlers) ListExceptions(ctx context.Context, r ListExceptionsRequestObject) (ListExceptionsResponseObject, error) {
	ctx, _ = enter(ctx)
	var day kz.Day
	if r.Params.Day != nil {
		var err error
		if day, err = kz.ParseDay(*r.Params.Day); err != nil {
			return nil, fault.Wrap(err, fault.ParameterInvalid, "/query/day", "read the day")
		}
	}
	page, next, err := h.rooms.Dossier.Exceptions(ctx, dossier.ExceptionFilter{
		State: string(value(r.Params.State)), Reason: value(r.Params.Reason), Owner: value(r.Params.Owner), Day: day,
		Cursor: cursor(r.Params.After), Limit: value(r.Params.Limit),
	})
	if err != nil {
		return nil, err
	}
	return ListExceptions200JSONResponse{Exceptions: each(page, renderException), Next: nextPage(next)}, nil
}

func (h handlers) GetException(ctx context.Context, r GetExceptionRequestObject) (GetExceptionResponseObject, error) {
	ctx, _ = enter(ctx)
	e, err := h.rooms.Dossier.Exception(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return GetException200JSONResponse(renderException(*e)), nil
}

func (h handlers) WorkExceptions(ctx context.Context, r WorkExceptionsRequestObject) (WorkExceptionsResponseObject, error) {
	ctx, c := enter(ctx)
	done, err := h.rooms.Dossier.Decide(ctx, c.caller, c.key(r.Params.IdempotencyKey), reconcile.Decision{
		Cases: r.Body.Exceptions, Act: reconcile.Act(r.Body.Act), Owner: value(r.Body.Owner),
		Resolution: reconcile.Resolution(value(r.Body.Resolution)), Target: value(r.Body.Target), Text: value(r.Body.Text),
	})
	if err != nil {
		return nil, err
	}
	return WorkExceptions200JSONResponse{Act: done.Act, Exceptions: done.Cases}, nil
}

func (h handlers) ApproveExceptions(ctx context.Context, r ApproveExceptionsRequestObject) (ApproveExceptionsResponseObject, error) {
	ctx, c := enter(ctx)
	done, err := h.rooms.Dossier.Decide(ctx, c.caller, c.key(r.Params.IdempotencyKey), reconcile.Decision{
		Cases: r.Body.Exceptions, Act: reconcile.Approve, Text: value(r.Body.Text),
	})
	if err != nil {
		return nil, err
	}
	return ApproveExceptions200JSONResponse{Act: done.Act, Exceptions: done.Cases}, nil
}

func (h handlers) RejectExceptions(ctx context.Context, r RejectExceptionsRequestObject) (RejectExceptionsResponseObject, error) {
	ctx, c := enter(ctx)
	done, err := h.rooms.Dossier.Decide(ctx, c.caller, c.key(r.Params.IdempotencyKey), reconcile.Decision{
		Cases: r.Body.Exceptions, Act: reconcile.Reject, Text: value(r.Body.Text),
	})
	if err != nil {
		return nil, err
	}
	return RejectExceptions200JSONResponse{Act: done.Act, Exceptions: done.Cases}, nil
}

func renderReconciliation(r *dossier.Reconciliation) Reconciliation {
	return Reconciliation{
		Day: r.Day, State: r.State, ProposedBy: optional(r.ProposedBy), ClosedBy: optional(r.ClosedBy),
		Lines: r.Lines, Matched: r.Matched, MatchedTiyn: int64(r.Total), Rules: counts(r.Rules),
		ExceptionCount: r.ExceptionCount, Resolved: r.Resolved, Reasons: counts(r.Reasons),
		Exceptions: each(r.Exceptions, func(e dossier.ReconciliationException) ReconciliationException {
			return ReconciliationException{ID: e.ID, Identifier: e.Identifier, AmountTiyn: int64(e.Amount), Code: e.Code, Place: e.Place}
		}),
		Totals: each(r.Totals, func(t reconcile.Total) ControlTotal {
			return ControlTotal{BudgetCode: t.BudgetCode, RevenueOffice: t.Office, Lines: t.Lines, AmountTiyn: int64(t.Amount)}
		}),
	}
}

// counts is never null.
func counts(m map[string]int) map[string]int {
	if m == nil {
		return map[string]int{}
	}
	return m
}

func renderException(e reconcile.Case) Exception {
	out := Exception{
		ID: e.ID, Day: e.Day, Reason: string(e.Reason), AmountTiyn: int64(e.Amount), Identifier: e.Identifier,
		BudgetCode: e.BudgetCode, Payer: maskedPayer(e.Payer), ExpectedBudgetCode: optional(e.ExpectedBudgetCode), OrderID: e.Order, RefundID: e.Refund,
		File: optional(e.File), Place: optional(e.Place), Gateway: optional(e.Gateway), Reference: optional(e.Reference),
		State: ExceptionState(e.State), Owner: e.Owner, Target: optional(e.Target), ProposedBy: optional(e.ProposedBy), ApprovedBy: optional(e.ApprovedBy),
		OpenedAt: e.OpenedAt, ChangedAt: e.ChangedAt,
		Notes: each(e.Notes, func(n reconcile.Note) ExceptionNote {
			return ExceptionNote{At: n.At, Actor: n.Actor, Act: n.Act, Text: n.Text}
		}),
	}
	if e.ExpectedAmount != money.Tiyn(0) {
		expected := int64(e.ExpectedAmount)
		out.ExpectedTiyn = &expected
	}
	if e.Resolution != "" {
		resolution := Resolution(e.Resolution)
		out.Resolution = &resolution
	}
	return out
}

// maskedPayer shows a company's number whole and a person's masked.
func maskedPayer(number string) string {
	if iin, err := kz.ParseIIN(number, kz.FormatOnly); err == nil {
		return iin.String()
	}
	return number
}
