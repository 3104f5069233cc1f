package dossier

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// Refund of money of an order to its payer.
type Refund struct {
	ID          uuid.UUID    `json:"id"`
	State       string       `json:"state"`
	CreatedAt   time.Time    `json:"created_at"`
	Order       uuid.UUID    `json:"order_id"`
	Transaction uuid.UUID    `json:"transaction_id"`
	PayerBIN    kz.BIN       `json:"payer_bin"`
	Amount      money.Tiyn   `json:"amount_tiyn"`
	Lines       []RefundLine `json:"lines"`
	Credit      money.Tiyn   `json:"credit_tiyn"`
	Gateway     string       `json:"gateway"`
	Payment     string       `json:"payment"`
	Reason      string       `json:"reason"`
	Due         kz.Day       `json:"due"`
	AskedBy     string       `json:"asked_by"`
	DecidedBy   string       `json:"decided_by,omitempty"`
	DecidedAt   *time.Time   `json:"decided_at,omitempty"`
	Note        string       `json:"note,omitempty"`
	EndedAt     *time.Time   `json:"ended_at,omitempty"`
	Reference   string       `json:"reference,omitempty"`
	Failure     string       `json:"failure,omitempty"`
}

// RefundLine is what of a refund is of one line.
type RefundLine struct {
	Identifier string     `json:"identifier"`
	Amount     money.Tiyn `json:"amount_tiyn"`
}

// RefundRequest asks for a refund.
type RefundRequest struct {
	Order   uuid.UUID
	Lines   []RefundLine
	Credit  money.Tiyn
	Gateway string
	Payment string
	Reason  string
}

// AskRefund asks that money of an order goes back to its payer; another
// person decides. Errors: idempotency codes, payment_identifier_invalid,
// bad_argument, the codes of payments.
func (s *Service) AskRefund(ctx context.Context, caller access.Caller, key idempotency.Key, r RefundRequest) (*Refund, error) {
	asked := payments.RefundRequest{
		Order: r.Order, Lines: map[order.Identifier]money.Tiyn{}, Credit: r.Credit, Gateway: r.Gateway, Payment: r.Payment, Reason: r.Reason, By: caller.ID,
	}
	for _, l := range r.Lines {
		identifier, err := order.ParseIdentifier(l.Identifier)
		if err != nil {
			return nil, err
		}
		if _, twice := asked.Lines[identifier]; twice {
			return nil, fault.New(fault.BadArgument, "/lines", "line %s is there twice", identifier)
		}
		asked.Lines[identifier] = l.Amount
	}
	key, err := over(key, asked)
	if err != nil {
		return nil, err
	}
	return s.refundOnce(ctx, caller, key, "ask for refund", func(ctx context.Context, tx pgx.Tx) (*order.Refund, error) {
		return s.payments.AskRefund(ctx, tx, asked)
	})
}

// ApproveRefund orders a refund that another caller has asked for. Errors:
// idempotency codes, refund_not_found, refund_state_forbids,
// two_persons_required, refund_exceeds_paid.
func (s *Service) ApproveRefund(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, note string) (*Refund, error) {
	return s.decideRefund(ctx, caller, key, "approve refund", payments.Decision{Refund: id, By: caller.ID, Note: note}, s.payments.ApproveRefund)
}

// RejectRefund ends a refund that another caller has asked for. Errors: as
// ApproveRefund, and bad_argument without a note.
func (s *Service) RejectRefund(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, note string) (*Refund, error) {
	return s.decideRefund(ctx, caller, key, "reject refund", payments.Decision{Refund: id, By: caller.ID, Note: note}, s.payments.RejectRefund)
}

func (s *Service) decideRefund(ctx context.Context, caller access.Caller, key idempotency.Key, action string, d payments.Decision,
	decide func(context.Context, pgx.Tx, payments.Decision) (*order.Refund, error)) (*Refund, error) {
	key, err := over(key, d)
	if err != nil {
		return nil, err
	}
	return s.refundOnce(ctx, caller, key, action, func(ctx context.Context, tx pgx.Tx) (*order.Refund, error) { return decide(ctx, tx, d) })
}

// refundOnce runs one use case of a refund under a key, in one transaction
// with its audit and its answer.
func (s *Service) refundOnce(ctx context.Context, caller access.Caller, key idempotency.Key, action string,
	work func(context.Context, pgx.Tx) (*order.Refund, error)) (*Refund, error) {
	return idempotency.Once(ctx, s.keys, caller.ID, key, action, func(ctx context.Context, c *idempotency.Claim) (*Refund, error) {
		var shown *Refund
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			r, err := work(ctx, tx)
			if err != nil {
				return err
			}
			all, err := showRefunds(ctx, tx, []order.Refund{*r})
			if err != nil {
				return err
			}
			shown = &all[0]
			return s.audit(ctx, tx, caller, c, r.ID.String(), action, shown)
		})
		if err != nil {
			return nil, err
		}
		return shown, nil
	})
}

// Refund returns one refund. Errors: refund_not_found, also for one that a
// trader is not paid.
func (s *Service) Refund(ctx context.Context, caller access.Caller, id uuid.UUID) (*Refund, error) {
	r, err := s.payments.Refund(ctx, s.pool, id)
	if err != nil {
		return nil, err
	}
	if caller.Role == access.Trader && (caller.BIN == "" || caller.BIN != r.Payer) {
		return nil, fault.New(fault.RefundNotFound, "/id", "no refund %s for this caller", id)
	}
	all, err := showRefunds(ctx, s.pool, []order.Refund{*r})
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// Refunds returns a page of refunds, the latest first, and the cursor of the
// next; "" after the last. Errors: bin_invalid, bad_argument.
func (s *Service) Refunds(ctx context.Context, caller access.Caller, f OrderFilter) (page []Refund, next string, err error) {
	asked, err := s.filter(caller, f)
	if err != nil {
		return nil, "", err
	}
	refunds, next, err := s.payments.Refunds(ctx, asked)
	if err != nil {
		return nil, "", err
	}
	page, err = showRefunds(ctx, s.pool, refunds)
	return page, next, err
}

// showRefunds shows refunds with the identifiers of their lines, which one
// statement reads for all of them.
func showRefunds(ctx context.Context, q postgres.Querier, refunds []order.Refund) ([]Refund, error) {
	orders := make([]uuid.UUID, len(refunds))
	for i := range refunds {
		orders[i] = refunds[i].Order
	}
	identifiers, err := order.Identifiers(ctx, q, orders)
	if err != nil {
		return nil, err
	}
	shown := make([]Refund, len(refunds))
	for i := range refunds {
		shown[i] = refundOf(&refunds[i], identifiers[refunds[i].Order])
	}
	return shown, nil
}

func refundOf(r *order.Refund, identifiers []order.Identifier) Refund {
	shown := Refund{
		ID: r.ID, State: string(r.State), CreatedAt: r.CreatedAt, Order: r.Order, Transaction: r.Transaction, PayerBIN: r.Payer,
		Amount: r.Amount, Lines: []RefundLine{}, Credit: r.Credit, Gateway: r.Gateway, Payment: r.Payment, Reason: r.Reason, Due: r.Due,
		AskedBy: r.AskedBy, DecidedBy: r.DecidedBy, Note: r.Note, Reference: r.Reference, Failure: string(r.Failure),
	}
	for i, amount := range r.Lines {
		if amount > 0 {
			shown.Lines = append(shown.Lines, RefundLine{Identifier: string(identifiers[i]), Amount: amount})
		}
	}
	if !r.DecidedAt.IsZero() {
		shown.DecidedAt = &r.DecidedAt
	}
	if !r.EndedAt.IsZero() {
		shown.EndedAt = &r.EndedAt
	}
	return shown
}
