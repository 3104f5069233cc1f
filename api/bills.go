package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/payments/money"
)

// Bills is what the handlers ask of orders and refunds: part of Dossier.
type Bills interface {
	Order(ctx context.Context, caller access.Caller, id uuid.UUID) (*dossier.Order, error)
	Orders(ctx context.Context, caller access.Caller, f dossier.OrderFilter) (page []dossier.Order, next string, err error)
	CancelOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID) (*dossier.Order, error)
	PresentOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, gateway string) (*dossier.Order, error)
	UseAdvance(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, amount money.Tiyn) (*dossier.Order, error)

	AskRefund(ctx context.Context, caller access.Caller, key idempotency.Key, r dossier.RefundRequest) (*dossier.Refund, error)
	ApproveRefund(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, note string) (*dossier.Refund, error)
	RejectRefund(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, note string) (*dossier.Refund, error)
	Refund(ctx context.Context, caller access.Caller, id uuid.UUID) (*dossier.Refund, error)
	Refunds(ctx context.Context, caller access.Caller, f dossier.OrderFilter) (page []dossier.Refund, next string, err error)
}

func (h handlers) ListOrders(ctx context.Context, r ListOrdersRequestObject) (ListOrdersResponseObject, error) {
	ctx, c := enter(ctx)
	page, next, err := h.rooms.Dossier.Orders(ctx, c.caller, dossier.OrderFilter{
		Transaction: value(r.Params.TransactionID), State: string(value(r.Params.State)), PayerBIN: value(r.Params.PayerBIN),
		Cursor: cursor(r.Params.After), Limit: value(r.Params.Limit),
	})
	if err != nil {
		return nil, err
	}
	return ListOrders200JSONResponse{Orders: each(page, renderOrder), Next: nextPage(next)}, nil
}

func (h handlers) GetOrder(ctx context.Context, r GetOrderRequestObject) (GetOrderResponseObject, error) {
	ctx, c := enter(ctx)
	o, err := h.rooms.Dossier.Order(ctx, c.caller, r.ID)
	if err != nil {
		return nil, err
	}
	return GetOrder200JSONResponse(renderOrder(*o)), nil
}

func (h handlers) CancelOrder(ctx context.Context, r CancelOrderRequestObject) (CancelOrderResponseObject, error) {
	ctx, c := enter(ctx)
	o, err := h.rooms.Dossier.CancelOrder(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID)
	if err != nil {
		return nil, err
	}
	return CancelOrder200JSONResponse(renderOrder(*o)), nil
}

func (h handlers) PresentOrder(ctx context.Context, r PresentOrderRequestObject) (PresentOrderResponseObject, error) {
	ctx, c := enter(ctx)
	o, err := h.rooms.Dossier.PresentOrder(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, value(r.Params.Gateway))
	if err != nil {
		return nil, err
	}
	return PresentOrder200JSONResponse(renderOrder(*o)), nil
}

func (h handlers) UseAdvance(ctx context.Context, r UseAdvanceRequestObject) (UseAdvanceResponseObject, error) {
	ctx, c := enter(ctx)
	o, err := h.rooms.Dossier.UseAdvance(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, money.Tiyn(value(r.Body.AmountTiyn)))
	if err != nil {
		return nil, err
	}
	return UseAdvance200JSONResponse(renderOrder(*o)), nil
}

func (h handlers) AskRefund(ctx context.Context, r AskRefundRequestObject) (AskRefundResponseObject, error) {
	ctx, c := enter(ctx)
	refund, err := h.rooms.Dossier.AskRefund(ctx, c.caller, c.key(r.Params.IdempotencyKey), dossier.RefundRequest{
		Order: r.Body.OrderID, Credit: money.Tiyn(value(r.Body.CreditTiyn)), Gateway: value(r.Body.Gateway), Payment: value(r.Body.Payment),
		Reason: r.Body.Reason,
		Lines: each(value(r.Body.Lines), func(l RefundLine) dossier.RefundLine {
			return dossier.RefundLine{Identifier: l.Identifier, Amount: money.Tiyn(l.AmountTiyn)}
		}),
	})
	if err != nil {
		return nil, err
	}
	return AskRefund201JSONResponse{
		Body:    renderRefund(*refund),
		Headers: AskRefund201ResponseHeaders{Location: "/v1/refunds/" + refund.ID.String()},
	}, nil
}

func (h handlers) ListRefunds(ctx context.Context, r ListRefundsRequestObject) (ListRefundsResponseObject, error) {
	ctx, c := enter(ctx)
	page, next, err := h.rooms.Dossier.Refunds(ctx, c.caller, dossier.OrderFilter{
		Transaction: value(r.Params.TransactionID), Order: value(r.Params.OrderID), State: string(value(r.Params.State)),
		PayerBIN: value(r.Params.PayerBIN), Cursor: cursor(r.Params.After), Limit: value(r.Params.Limit),
	})
	if err != nil {
		return nil, err
	}
	return ListRefunds200JSONResponse{Refunds: each(page, renderRefund), Next: nextPage(next)}, nil
}

func (h handlers) GetRefund(ctx context.Context, r GetRefundRequestObject) (GetRefundResponseObject, error) {
	ctx, c := enter(ctx)
	refund, err := h.rooms.Dossier.Refund(ctx, c.caller, r.ID)
	if err != nil {
		return nil, err
	}
	return GetRefund200JSONResponse(renderRefund(*refund)), nil
}

func (h handlers) ApproveRefund(ctx context.Context, r ApproveRefundRequestObject) (ApproveRefundResponseObject, error) {
	ctx, c := enter(ctx)
	refund, err := h.rooms.Dossier.ApproveRefund(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, "")
	if err != nil {
		return nil, err
	}
	return ApproveRefund200JSONResponse(renderRefund(*refund)), nil
}

func (h handlers) RejectRefund(ctx context.Context, r RejectRefundRequestObject) (RejectRefundResponseObject, error) {
	ctx, c := enter(ctx)
	refund, err := h.rooms.Dossier.RejectRefund(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, r.Body.Note)
	if err != nil {
		return nil, err
	}
	return RejectRefund200JSONResponse(renderRefund(*refund)), nil
}

func renderTotals(t dossier.Totals) Totals {
	return Totals{
		OwedTiyn: int64(t.Owed), PaidTiyn: int64(t.Paid), ReconciledTiyn: int64(t.Reconciled),
		ToleratedTiyn: int64(t.Tolerated), CreditedTiyn: int64(t.Credited), RefundedTiyn: int64(t.Refunded),
	}
}

func renderOrder(o dossier.Order) Order {
	return Order{
		ID: o.ID, TransactionID: o.Transaction, State: OrderState(o.State), CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
		DeclarantBIN: o.DeclarantBIN.String(), PayerBIN: o.PayerBIN.String(),
		TotalTiyn: int64(o.Total), OwedTiyn: int64(o.Owed), PaidTiyn: int64(o.Paid), ToleratedTiyn: int64(o.Tolerated),
		CreditedTiyn: int64(o.Credited), RefundingTiyn: int64(o.Refunding), RefundedTiyn: int64(o.Refunded),
		Gateway: optional(o.Gateway), PaymentURL: optional(o.PaymentURL),
		Lines: each(o.Lines, func(l dossier.OrderLine) OrderLine {
			b := l.Beneficiary
			return OrderLine{
				Identifier: l.Identifier, Kind: l.Kind, Name: l.Name, BudgetCode: l.BudgetCode, PurposeCode: l.PurposeCode,
				Beneficiary: Requisites{RevenueOffice: b.RevenueOffice, BIN: b.BIN.String(), Name: b.Name, Bic: b.BIC, Iik: b.IIK, Kbe: b.KBe},
				AmountTiyn:  int64(l.Amount), PaidTiyn: int64(l.Paid), ReconciledTiyn: int64(l.Reconciled), RefundedTiyn: int64(l.Refunded),
				State: l.State,
			}
		}),
	}
}

func renderRefund(r dossier.Refund) Refund {
	return Refund{
		ID: r.ID, State: RefundState(r.State), CreatedAt: r.CreatedAt, OrderID: r.Order, TransactionID: r.Transaction, PayerBIN: r.PayerBIN.String(),
		AmountTiyn: int64(r.Amount), CreditTiyn: int64(r.Credit), Gateway: r.Gateway, Payment: r.Payment, Reason: r.Reason, Due: r.Due,
		Lines: each(r.Lines, func(l dossier.RefundLine) RefundLine {
			return RefundLine{Identifier: l.Identifier, AmountTiyn: int64(l.Amount)}
		}),
		AskedBy: r.AskedBy, DecidedBy: optional(r.DecidedBy), DecidedAt: r.DecidedAt, Note: optional(r.Note),
		EndedAt: r.EndedAt, Reference: optional(r.Reference), Failure: optional(r.Failure),
	}
}

// value is what an optional parameter says, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func cursor(after *uuid.UUID) string {
	if after == nil {
		return ""
	}
	return after.String()
}

func nextPage(next string) *uuid.UUID {
	id, err := uuid.Parse(next)
	if err != nil {
		return nil // after the last page there is none
	}
	return &id
}
