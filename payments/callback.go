package payments

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
)

// callbackBytesMax bounds a message of the gateway; one takes some 10 KiB.
const callbackBytesMax = 256 << 10

// clockBehind is how far behind ours the clock of a bank may be.
const clockBehind = 5 * time.Minute

// States of a fact.
const (
	factReceived  = "received"
	factPosted    = "posted"
	factException = "exception"
)

// AcceptCallback takes a message of the gateway and returns the answer to it.
// A fact that was told before gets the same receipt and changes nothing;
// another fact under the same reference is refused with
// fault.CallbackConflict. Once it returns a reply, the fact will be judged and
// posted whatever happens to this process.
func (s *Service) AcceptCallback(ctx context.Context, raw []byte) (reply []byte, err error) {
	if len(raw) > callbackBytesMax {
		return nil, fault.New(fault.InputTooBig, "", "a message of more than %d bytes", callbackBytesMax)
	}
	callback, err := s.config.Gateway.Open(ctx, raw)
	if err != nil {
		return nil, s.auditRefusal(ctx, raw, fmt.Errorf("accept a message of the gateway: %w", err))
	}
	var receivedAt time.Time
	err = postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		receivedAt, err = s.receive(ctx, tx, callback)
		return err
	})
	if err != nil {
		return nil, s.auditRefusal(ctx, raw, fmt.Errorf("accept payment %s: %w", callback.Fact.Reference, err))
	}
	return s.config.Gateway.Reply(callback, gateway.Receipt{Reference: callback.Fact.Reference, ReceivedAt: receivedAt})
}

// audited are the refusals that an auditor wants to see: somebody else may
// have spoken in the gateway's name, or the gateway contradicts itself.
var audited = map[fault.Code]bool{
	fault.CallbackUnauthentic: true, fault.CallbackMalformed: true, fault.CallbackConflict: true,
}

// auditRefusal records a refused message by its digest and returns the
// refusal.
func (s *Service) auditRefusal(ctx context.Context, raw []byte, refusal error) error {
	code := fault.CodeOf(refusal)
	if !audited[code] {
		return refusal
	}
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		return outbox.Audit(ctx, tx, outbox.AuditRecord{
			Actor: "gateway:" + s.config.Gateway.Name(), Action: "payment.callback",
			Object: "sha256:" + evidence.DigestOf(raw).String(), Outcome: string(code), At: s.config.Now(),
		})
	})
	return errors.Join(refusal, err)
}

// receive claims the reference of the fact and, if it is new, stores the fact
// with its message and its job. It returns when the fact was first received.
func (s *Service) receive(ctx context.Context, tx pgx.Tx, c *gateway.Callback) (time.Time, error) {
	f := c.Fact
	now := s.config.Now().UTC().Truncate(time.Microsecond)
	content := contentOf(f)
	tag, err := tx.Exec(ctx, `
		INSERT INTO gateway_reference (gateway, reference, recorded_at, content) VALUES ($1, $2, $3, $4)
		ON CONFLICT (gateway, reference) DO NOTHING`, s.config.Gateway.Name(), f.Reference, now, content[:])
	if err != nil {
		return time.Time{}, fmt.Errorf("claim the reference: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() == 0 {
		return s.receivedBefore(ctx, tx, f.Reference, content)
	}
	o, err := order.Get(ctx, tx, f.Order)
	if err != nil && !fault.Is(err, fault.OrderNotFound) {
		return time.Time{}, err
	}
	reason := judge(f, o) // o is nil if there is no such order
	if err := s.store(ctx, tx, c, reason, now); err != nil {
		return time.Time{}, err
	}
	if o != nil {
		if err := s.tell(ctx, tx, o, c, reason, now); err != nil {
			return time.Time{}, err
		}
	}
	if reason != "" {
		return now, nil
	}
	return now, s.config.Jobs.Insert(ctx, tx, PostArgs{Gateway: s.config.Gateway.Name(), Reference: f.Reference}, nil)
}

// receivedBefore tells a repeated fact from another one under its reference.
func (s *Service) receivedBefore(ctx context.Context, tx pgx.Tx, reference string, content [sha256.Size]byte) (at time.Time, err error) {
	var same bool
	err = tx.QueryRow(ctx, `SELECT recorded_at, content = $3 FROM gateway_reference WHERE gateway = $1 AND reference = $2`,
		s.config.Gateway.Name(), reference, content[:]).Scan(&at, &same)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the reference: %w", postgres.Classify(err))
	}
	if !same {
		return time.Time{}, fault.New(fault.CallbackConflict, "/PaymentFact/Reference", "another fact was told under this reference")
	}
	return at, nil
}

// store keeps the message and the fact.
func (s *Service) store(ctx context.Context, tx pgx.Tx, c *gateway.Callback, reason fault.Code, now time.Time) error {
	digest, err := evidence.Put(ctx, tx, "gateway.fact", c.Raw)
	if err != nil {
		return err
	}
	state := factReceived
	if reason != "" {
		state = factException
	}
	f := c.Fact
	_, err = tx.Exec(ctx, `
		INSERT INTO gateway_fact (gateway, reference, recorded_at, order_id, payer_bin, amount, bank_bic, paid_at, message, state, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		s.config.Gateway.Name(), f.Reference, now, f.Order, string(f.Payer), int64(f.Amount), f.BankBIC, f.PaidAt,
		digest[:], state, string(reason))
	if err != nil {
		return fmt.Errorf("store the fact: %w", postgres.Classify(err))
	}
	return nil
}

// tell puts the message into the evidence of the order's transaction and
// publishes what was received.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, o *order.Order, c *gateway.Callback, reason fault.Code, now time.Time) error {
	if err := keep(ctx, tx, o.Transaction, "payment.received", now, "gateway.fact", c.Raw); err != nil {
		return err
	}
	data := paymentOf(s.config.Gateway.Name(), c.Fact)
	if err := publish(ctx, tx, o, EventReceived, now, data); err != nil {
		return err
	}
	if reason == "" {
		return nil
	}
	data.Reason = reason
	return publish(ctx, tx, o, EventException, now, data)
}

func paymentOf(name string, f gateway.Fact) Payment {
	return Payment{Order: f.Order, Gateway: name, Reference: f.Reference, Amount: f.Amount, BankBIC: f.BankBIC, PaidAt: f.PaidAt}
}

// judge says whether a fact fits its order: "" or the reason why not. The
// order is nil if it is not ours.
func judge(f gateway.Fact, o *order.Order) fault.Code {
	if o == nil {
		return fault.UnknownOrder
	}
	switch {
	case f.Kind != gateway.Captured:
		return fault.NotAvailable // only money is posted yet
	case o.State == order.Paid:
		return fault.OrderPaidAlready
	case !o.State.Takes():
		return fault.OrderState
	case f.Amount != o.Total:
		return fault.AmountDiffers
	case f.Payer != o.Payer:
		return fault.PayerDiffers
	case f.PaidAt.After(o.ExpiresAt):
		return fault.PaidTooLate
	case f.PaidAt.Before(o.CreatedAt.Add(-clockBehind)):
		return fault.PaidTooEarly
	}
	return ""
}

// contentOf is the digest of what makes two facts the same: all of it, and
// nothing of the message that carried it.
func contentOf(f gateway.Fact) [sha256.Size]byte {
	h := sha256.New()
	for _, s := range []string{
		string(f.Kind), f.Reference, f.Original, f.Order.String(), string(f.Payer), f.BankBIC, f.Amount.String(), f.PaidAt.UTC().Format(time.RFC3339Nano),
	} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return [sha256.Size]byte(h.Sum(nil))
}
