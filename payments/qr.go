package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// QRLife is how long a code can be scanned: what the country's banks give it.
const QRLife = 20 * time.Minute

// QR is a code that the payer scans to pay an order.
type QR struct {
	ID        uuid.UUID
	Order     uuid.UUID
	Payload   string // to be drawn
	Amount    money.Tiyn
	ExpiresAt time.Time
}

// IssueQR gives an order a code for what is owed. While one lives and the
// amount is the same, it is given again; a dead one is followed by another.
// That a code has died does not undo what was paid by it: the gateway's fact
// names the order and is judged like any other. Errors: order_state_forbids,
// order_expired, not_available, the codes of the gateway.
func (s *Service) IssueQR(ctx context.Context, id uuid.UUID) (*QR, error) {
	var o *order.Order
	var code QR
	var port gateway.Port
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) (err error) {
		if o, port, err = s.lockPayable(ctx, tx, id); err != nil {
			return err
		}
		code, err = s.claimQR(ctx, tx, o, port.Name())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("issue a QR code: %w", err)
	}
	if code.Payload != "" {
		return &code, nil
	}
	issuer, ok := port.(gateway.QRIssuer)
	if !ok {
		return nil, fault.New(fault.NotAvailable, "", "%s makes no QR codes", port.Name())
	}
	made, err := issuer.IssueQR(ctx, gateway.QRRequest{ID: code.ID, Order: id, Amount: code.Amount, ExpiresAt: code.ExpiresAt})
	if err != nil {
		return nil, fmt.Errorf("issue a QR code: %w", s.keepFailed(ctx, o, "qr.failed", err))
	}
	code.Payload = made.Payload
	return &code, postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE payment_qr SET payload = $2 WHERE id = $1`, code.ID, code.Payload)
		if err != nil {
			return fmt.Errorf("keep a QR code: %w", postgres.Classify(err))
		}
		return keep(ctx, tx, o.Transaction, "qr.issued", s.config.Now(), "gateway.exchange", made.Messages()...)
	})
}

// lockPayable locks an order that can be paid now, and returns its gateway.
func (s *Service) lockPayable(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*order.Order, gateway.Port, error) {
	o, err := order.Lock(ctx, tx, id)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case o.State != order.Presented && o.State != order.Pending && o.State != order.PartiallyPaid:
		return nil, nil, fault.New(fault.OrderState, "", "an order that is %s cannot be paid now", o.State)
	case s.late(o):
		return nil, nil, expired(o)
	}
	port, err := s.portOf(o.Gateway)
	return o, port, err
}

// claimQR finds the code that lives, or stores the next one, without its
// payload yet. The order is locked.
func (s *Service) claimQR(ctx context.Context, tx pgx.Tx, o *order.Order, name string) (QR, error) {
	now := s.config.Now().UTC().Truncate(time.Microsecond)
	code := QR{Order: o.ID}
	err := tx.QueryRow(ctx, `
		SELECT id, payload, amount, expires_at FROM payment_qr
		 WHERE order_id = $1 AND gateway = $2 AND expires_at > $3 AND amount = $4 ORDER BY recorded_at DESC LIMIT 1`,
		o.ID, name, now, int64(o.Owed())).Scan(&code.ID, &code.Payload, &code.Amount, &code.ExpiresAt)
	if !errors.Is(err, pgx.ErrNoRows) {
		return code, postgres.Classify(err)
	}
	code.ID, code.Amount, code.ExpiresAt = postgres.NewID(now), o.Owed(), now.Add(QRLife)
	if o.ExpiresAt.Before(code.ExpiresAt) {
		code.ExpiresAt = o.ExpiresAt
	}
	_, err = tx.Exec(ctx, `INSERT INTO payment_qr (id, order_id, gateway, recorded_at, expires_at, amount) VALUES ($1, $2, $3, $4, $5, $6)`,
		code.ID, o.ID, name, now, code.ExpiresAt, int64(code.Amount))
	if err != nil {
		return code, fmt.Errorf("store a QR code: %w", postgres.Classify(err))
	}
	return code, nil
}
