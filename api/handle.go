package api

import (
	"bytes"
	"context"
	"io"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/payments"
)

// Dossier is what the handlers ask of the transaction record; it is
// *dossier.Service. An interface, so that the mapping can be tested without
// the peers of a whole transaction.
type Dossier interface {
	Open(ctx context.Context, caller access.Caller, key idempotency.Key, r dossier.OpenRequest) (*dossier.Transaction, error)
	Show(ctx context.Context, caller access.Caller, id uuid.UUID) (*dossier.Transaction, error)
	SubmitDocument(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, signed []byte) (*dossier.Document, error)
	CreateOrder(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, payer string) (*dossier.Order, error)
	Bills
	Paying
	Owed
	ImportStatement(ctx context.Context, caller access.Caller, key idempotency.Key, name string, r io.Reader) (*dossier.StatementImport, error)
	Reconciliations
	Reporting
}

// Gateway takes what payment gateways tell; it is *payments.Service.
type Gateway interface {
	AcceptCallback(ctx context.Context, raw []byte) (reply []byte, err error)
	AcceptCallbackOf(ctx context.Context, gateway string, raw []byte) (reply []byte, err error)
	Take(ctx context.Context, told payments.Told) (*payments.Outcome, error)
}

// handlers implement the generated interface: each calls one use case and maps
// the answer.
type handlers struct{ *Server }

var _ StrictServerInterface = handlers{}

func (h handlers) OpenTransaction(ctx context.Context, r OpenTransactionRequestObject) (OpenTransactionResponseObject, error) {
	ctx, c := enter(ctx)
	t, err := h.rooms.Dossier.Open(ctx, c.caller, c.key(r.Params.IdempotencyKey), dossier.OpenRequest{
		Reference: r.Body.Reference, DeclarantBIN: r.Body.DeclarantBIN,
	})
	if err != nil {
		return nil, err
	}
	return OpenTransaction201JSONResponse{
		Body:    renderTransaction(t),
		Headers: OpenTransaction201ResponseHeaders{Location: "/v1/transactions/" + t.ID.String()},
	}, nil
}

func (h handlers) GetTransaction(ctx context.Context, r GetTransactionRequestObject) (GetTransactionResponseObject, error) {
	ctx, c := enter(ctx)
	t, err := h.rooms.Dossier.Show(ctx, c.caller, r.ID)
	if err != nil {
		return nil, err
	}
	return GetTransaction200JSONResponse(renderTransaction(t)), nil
}

func (h handlers) SubmitDocument(ctx context.Context, r SubmitDocumentRequestObject) (SubmitDocumentResponseObject, error) {
	ctx, c := enter(ctx)
	d, err := h.rooms.Dossier.SubmitDocument(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, c.body)
	if err != nil {
		return nil, err
	}
	return SubmitDocument201JSONResponse(renderDocument(*d)), nil
}

func (h handlers) CreateOrder(ctx context.Context, r CreateOrderRequestObject) (CreateOrderResponseObject, error) {
	ctx, c := enter(ctx)
	o, err := h.rooms.Dossier.CreateOrder(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.ID, value(r.Params.PayerBIN))
	if err != nil {
		return nil, err
	}
	return CreateOrder201JSONResponse(renderOrder(*o)), nil
}

func (h handlers) AcceptGatewayCallback(ctx context.Context, _ AcceptGatewayCallbackRequestObject) (AcceptGatewayCallbackResponseObject, error) {
	ctx, c := enter(ctx)
	reply, err := h.rooms.Gateway.AcceptCallback(ctx, c.body)
	if err != nil {
		return nil, err
	}
	return AcceptGatewayCallback200TextXMLResponse{Body: bytes.NewReader(reply), ContentLength: int64(len(reply))}, nil
}

func (h handlers) ImportStatement(ctx context.Context, r ImportStatementRequestObject) (ImportStatementResponseObject, error) {
	ctx, c := enter(ctx)
	i, err := h.rooms.Dossier.ImportStatement(ctx, c.caller, c.key(r.Params.IdempotencyKey), r.Params.Name, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	return ImportStatement201JSONResponse(renderImport(i)), nil
}
