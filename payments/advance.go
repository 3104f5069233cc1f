package payments

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// AdvanceOf is what a payer has on its advance (EAEU kind 9070) and nobody has
// asked back or is spending.
func (s *Service) AdvanceOf(ctx context.Context, payer kz.BIN) (money.Tiyn, error) {
	return ledger.Available(ctx, s.config.Pool, ledger.Advance(payer), s.config.Now())
}

// WithdrawBill takes the bill of an order that nothing was paid of from the
// gateway, so that it is not paid twice: UseAdvance follows. If the gateway has
// money of the payer it fails with fault.OrderState. The bill of an order that
// is paid in part stays: what is paid of it beyond the debt is credited to the
// advance, or, once the order is paid, needs a person.
func (s *Service) WithdrawBill(ctx context.Context, id uuid.UUID) error {
	o, err := order.Get(ctx, s.config.Pool, id)
	if err != nil || o.State != order.Presented || s.late(o) {
		return err
	}
	if err := s.withdraw(ctx, o); err != nil {
		return fmt.Errorf("withdraw the order's bill: %w", err)
	}
	return nil
}

// UseAdvance puts money of the payer's advance on one of its orders: amount,
// or as much as is owed and there is if amount is zero. It never pays more
// than is owed. An order whose payer is at the gateway at this moment is not
// paid by the advance too; of one that is presented the bill is withdrawn
// before (WithdrawBill). Errors: order_not_found, order_state_forbids,
// order_expired, amount_invalid, ledger_funds_short.
func (s *Service) UseAdvance(ctx context.Context, tx pgx.Tx, id uuid.UUID, amount money.Tiyn, by string) (*order.Order, error) {
	o, err := order.Lock(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if err := s.checkAdvance(o, amount); err != nil {
		return nil, err
	}
	now := s.config.Now().UTC().Truncate(time.Microsecond)
	account := ledger.Advance(o.Payer)
	if amount == 0 {
		available, err := ledger.Available(ctx, tx, account, now)
		if err != nil {
			return nil, err
		}
		amount = max(min(available, o.Owed()), 1) // of nothing, the hold is refused
	}
	use := postgres.NewID(now)
	key := "advance_use:" + use.String()
	if _, err := ledger.PlaceHold(ctx, tx, ledger.Hold{Key: key, Account: account, Amount: amount, At: now, Until: now.Add(time.Minute)}); err != nil {
		return nil, fmt.Errorf("hold the payer's advance: %w", err)
	}
	if err := ledger.EndHold(ctx, tx, key, ledger.Used, now); err != nil {
		return nil, fmt.Errorf("use the payer's advance: %w", err)
	}
	received, err := o.Receive(amount, s.config.Tolerance)
	if err != nil {
		return nil, err
	}
	entry := ledger.Entry{
		Key: key, Kind: ledger.AdvanceUse, Day: kz.DayOf(now), Transaction: o.Transaction, At: now,
		Postings: []ledger.Posting{{Account: account, Amount: amount}},
	}
	for i, put := range received.Lines {
		if put > 0 {
			entry.Postings = append(entry.Postings, ledger.Posting{Account: budgetOf(o.Lines[i]), Amount: -put})
		}
	}
	if entry, err = s.dated(ctx, tx, entry); err != nil {
		return nil, err
	}
	if _, err := ledger.Post(ctx, tx, entry); err != nil {
		return nil, fmt.Errorf("post the use of the advance: %w", err)
	}
	if err := order.InsertAdvanceUse(ctx, tx, order.AdvanceUse{ID: use, At: now, Amount: amount, Lines: received.Lines, By: by}, o); err != nil {
		return nil, err
	}
	if err := order.SaveAll(ctx, tx, []*order.Order{o}); err != nil {
		return nil, err
	}
	return o, publish(ctx, tx, o, EventAdvanceUsed, now, AdvanceUsed{Order: o.ID, Use: use, Amount: amount, State: o.State})
}

func (s *Service) checkAdvance(o *order.Order, amount money.Tiyn) error {
	switch o.State {
	case order.Draft, order.Presented, order.PartiallyPaid:
	default:
		return fault.New(fault.OrderState, "", "an order that is %s is not paid by an advance", o.State)
	}
	if s.late(o) {
		return expired(o)
	}
	if amount < 0 || amount > o.Owed() {
		return fault.New(fault.AmountInvalid, "/amount_tiyn", "not within the %s that are owed", o.Owed())
	}
	return nil
}
