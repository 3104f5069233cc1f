package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/payments/money"
)

// Paying is what the handlers ask of the ways to pay an order: part of Dossier.
type Paying interface {
	IssueQR(ctx context.Context, caller access.Caller, id uuid.UUID) (*dossier.QR, error)
	CaptureOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, amount money.Tiyn) (*dossier.Order, error)
	DebitOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id, mandate uuid.UUID) (*dossier.Debit, error)

	GiveMandate(ctx context.Context, caller access.Caller, key idempotency.Key, signed []byte) (*dossier.Mandate, error)
	Mandate(ctx context.Context, caller access.Caller, id uuid.UUID) (*dossier.Mandate, error)
	Mandates(ctx context.Context, caller access.Caller, payerBIN string) ([]dossier.Mandate, error)
	MoveMandate(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, to string) (*dossier.Mandate, error)
}

func (h handlers) IssueQR(ctx context.Context, r IssueQRRequestObject) (IssueQRResponseObject, error) {
	ctx, c := enter(ctx)
	q, err := h.rooms.Dossier.IssueQR(ctx, c.caller, r.ID)
	if err != nil {
		return nil, err
	}
	return IssueQR201JSONResponse{ID: q.ID, OrderID: q.Order, Payload: q.Payload, AmountTiyn: int64(q.Amount), ExpiresAt: q.ExpiresAt}, nil
}

func (h handlers) CaptureOrder(ctx context.Context, r CaptureOrderRequestObject) (CaptureOrderResponseObject, error) {
	ctx, c := enter(ctx)
	o, err := h.rooms.Dossier.CaptureOrder(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, money.Tiyn(value(r.Body.AmountTiyn)))
	if err != nil {
		return nil, err
	}
	return CaptureOrder200JSONResponse(renderOrder(*o)), nil
}

func (h handlers) DebitOrder(ctx context.Context, r DebitOrderRequestObject) (DebitOrderResponseObject, error) {
	ctx, c := enter(ctx)
	d, err := h.rooms.Dossier.DebitOrder(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, r.Body.MandateID)
	if err != nil {
		return nil, err
	}
	return DebitOrder201JSONResponse{
		ID: d.ID, MandateID: d.Mandate, OrderID: d.Order, AmountTiyn: int64(d.Amount), State: DebitState(d.State), Reason: optional(string(d.Reason)),
	}, nil
}

func (h handlers) GiveMandate(ctx context.Context, r GiveMandateRequestObject) (GiveMandateResponseObject, error) {
	ctx, c := enter(ctx)
	m, err := h.rooms.Dossier.GiveMandate(ctx, c.caller, c.key(r.Params.IdempotencyKey), c.body)
	if err != nil {
		return nil, err
	}
	return GiveMandate201JSONResponse{
		Body:    renderMandate(*m),
		Headers: GiveMandate201ResponseHeaders{Location: "/v1/mandates/" + m.ID.String()},
	}, nil
}

func (h handlers) ListMandates(ctx context.Context, r ListMandatesRequestObject) (ListMandatesResponseObject, error) {
	ctx, c := enter(ctx)
	all, err := h.rooms.Dossier.Mandates(ctx, c.caller, value(r.Params.PayerBIN))
	if err != nil {
		return nil, err
	}
	return ListMandates200JSONResponse{Mandates: each(all, renderMandate)}, nil
}

func (h handlers) GetMandate(ctx context.Context, r GetMandateRequestObject) (GetMandateResponseObject, error) {
	ctx, c := enter(ctx)
	m, err := h.rooms.Dossier.Mandate(ctx, c.caller, r.ID)
	if err != nil {
		return nil, err
	}
	return GetMandate200JSONResponse(renderMandate(*m)), nil
}

func (h handlers) RevokeMandate(ctx context.Context, r RevokeMandateRequestObject) (RevokeMandateResponseObject, error) {
	m, err := h.moveMandate(ctx, r.Params.IdempotencyKey, r.ID, "revoked")
	if err != nil {
		return nil, err
	}
	return RevokeMandate200JSONResponse(*m), nil
}

func (h handlers) SuspendMandate(ctx context.Context, r SuspendMandateRequestObject) (SuspendMandateResponseObject, error) {
	m, err := h.moveMandate(ctx, r.Params.IdempotencyKey, r.ID, "suspended")
	if err != nil {
		return nil, err
	}
	return SuspendMandate200JSONResponse(*m), nil
}

func (h handlers) ResumeMandate(ctx context.Context, r ResumeMandateRequestObject) (ResumeMandateResponseObject, error) {
	m, err := h.moveMandate(ctx, r.Params.IdempotencyKey, r.ID, "active")
	if err != nil {
		return nil, err
	}
	return ResumeMandate200JSONResponse(*m), nil
}

func (h handlers) moveMandate(ctx context.Context, key string, id uuid.UUID, to string) (*Mandate, error) {
	ctx, c := enter(ctx)
	m, err := h.rooms.Dossier.MoveMandate(ctx, c.caller, c.key(key), id, to)
	if err != nil {
		return nil, err
	}
	rendered := renderMandate(*m)
	return &rendered, nil
}

// AcceptCardCallback takes a postLink of ePay. Which gateway it is, the route
// says.
func (h handlers) AcceptCardCallback(ctx context.Context, _ AcceptCardCallbackRequestObject) (AcceptCardCallbackResponseObject, error) {
	ctx, c := enter(ctx)
	reply, err := h.rooms.Gateway.AcceptCallbackOf(ctx, cardGateway, c.body)
	if err != nil {
		return nil, err
	}
	var receipt AcceptCardCallback200JSONResponse
	if err := json.NewDecoder(bytes.NewReader(reply)).Decode(&receipt); err != nil {
		return nil, fmt.Errorf("read the gateway's receipt: %w", err)
	}
	return receipt, nil
}

// cardGateway is the gateway behind /v1/gateways/epay.
const cardGateway = "epay"

func renderMandate(m dossier.Mandate) Mandate {
	return Mandate{
		ID: m.ID, State: MandateState(m.State), CreatedAt: m.CreatedAt, PayerBIN: m.PayerBIN.String(), Account: m.Account, Gateway: m.Gateway,
		DebitMaxTiyn: int64(m.DebitMax), MonthMaxTiyn: int64(m.MonthMax), ValidFrom: m.ValidFrom, ValidTo: m.ValidTo, DocumentSha256: m.Document,
	}
}
