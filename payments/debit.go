package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// DebitState says how far a debit is.
type DebitState string

// The states of a debit.
const (
	DebitReserved DebitState = "reserved" // ordered; it counts against the limits
	DebitExecuted DebitState = "executed"
	DebitFailed   DebitState = "failed" // it counts no more
)

// Debit is money taken, or about to be, from a payer's account for its order.
type Debit struct {
	ID          uuid.UUID
	Mandate     uuid.UUID
	Order       uuid.UUID
	Transaction uuid.UUID
	Amount      money.Tiyn
	State       DebitState
	Reason      fault.Code // of a failure
}

// DebitRequest asks that what an order owes be taken under a mandate.
type DebitRequest struct {
	Order   uuid.UUID
	Mandate uuid.UUID
	By      string
}

// Debit takes what an order owes from its payer's account. First the amount is
// reserved under the mandate's lock, so that debits at the same time never
// exceed its limits; then the gateway is asked. What came of it is told by a
// fact, in the answer or later. While the answer is not there the reservation
// stands, and the same request goes on with the same debit: the gateway
// carries it out once. A debit that the gateway refuses has failed: its
// reservation is free, and the transaction's subscribers are told.
//
// Errors: mandate_not_found, mandate_state_forbids, mandate_out_of_time,
// mandate_limit_exceeded, payer_differs, debit_under_way, order_state_forbids,
// order_expired, the codes of the gateway.
func (s *Service) Debit(ctx context.Context, r DebitRequest) (*Debit, error) {
	var o *order.Order
	var m *Mandate
	var d *Debit
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) (err error) {
		// The order before the mandate, always: debits of a mandate wait for each
		// other with nothing that another one needs.
		if o, err = order.Lock(ctx, tx, r.Order); err != nil {
			return err
		}
		if m, err = s.mandate(ctx, tx, r.Mandate, "FOR UPDATE"); err != nil {
			return err
		}
		d, err = s.reserve(ctx, tx, o, m, r.By)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("debit under a mandate: %w", err)
	}
	port, err := s.portOf(m.Gateway)
	if err != nil {
		return nil, err
	}
	debtor, ok := port.(gateway.Debtor)
	if !ok {
		return nil, fault.New(fault.NotAvailable, "/gateway", "%s takes no debits any more", port.Name())
	}
	answer, err := debtor.Debit(ctx, gateway.DebitOrder{ID: d.ID, Order: o.ID, Mandate: m.ID, Payer: m.Payer, Account: m.Account, Amount: d.Amount})
	if err != nil {
		err = fmt.Errorf("order the debit: %w", s.keepFailed(ctx, o, "debit.failed", err))
		if fault.Is(err, fault.GatewayRefused) {
			err = errors.Join(err, s.endDebit(ctx, d.ID, o.ID, DebitFailed, fault.GatewayRefused))
		}
		return nil, err
	}
	if err := s.learn(ctx, port, o, answer); err != nil {
		return nil, err
	}
	return debitOf(ctx, s.config.Pool, d.ID)
}

// reserve finds the debit of the order that is under way under this mandate,
// or makes one. Order and mandate are locked.
func (s *Service) reserve(ctx context.Context, tx pgx.Tx, o *order.Order, m *Mandate, by string) (*Debit, error) {
	under, err := debitsOf(ctx, tx, `order_id = $1 AND state = 'reserved'`, o.ID)
	if err != nil {
		return nil, err
	}
	if len(under) > 0 {
		if under[0].Mandate != m.ID {
			return nil, fault.New(fault.DebitUnderWay, "", "debit %s under another mandate", under[0].ID)
		}
		return &under[0], nil
	}
	if err := s.debitable(o, m); err != nil {
		return nil, err
	}
	now := s.config.Now().UTC().Truncate(time.Microsecond)
	month, err := monthOf(kz.DayOf(now))
	if err != nil {
		return nil, err
	}
	d := &Debit{ID: postgres.NewID(now), Mandate: m.ID, Order: o.ID, Transaction: o.Transaction, Amount: o.Owed(), State: DebitReserved}
	var taken money.Tiyn
	err = tx.QueryRow(ctx, `SELECT coalesce(sum(amount), 0)::bigint FROM payment_debit WHERE mandate_id = $1 AND month = $2 AND state <> 'failed'`,
		m.ID, month).Scan(&taken)
	if err != nil {
		return nil, fmt.Errorf("add up a mandate's debits: %w", postgres.Classify(err))
	}
	switch {
	case d.Amount > m.DebitMax:
		return nil, fault.New(fault.MandateLimit, "/debit_max_tiyn", "%s, and one debit is at most %s", d.Amount, m.DebitMax)
	case d.Amount > m.MonthMax-taken:
		return nil, fault.New(fault.MandateLimit, "/month_max_tiyn", "%s, and of the month's %s there are %s left", d.Amount, m.MonthMax, m.MonthMax-taken)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO payment_debit (id, recorded_at, mandate_id, order_id, transaction_id, amount, month, state, ordered_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'reserved', $8)`, d.ID, now, m.ID, o.ID, o.Transaction, int64(d.Amount), month, by)
	if err != nil {
		return nil, fmt.Errorf("reserve a debit: %w", postgres.Classify(err))
	}
	if err := publish(ctx, tx, o, EventDebitOrdered, now, debited(d)); err != nil {
		return nil, err
	}
	// The order may not have been watched: then this debit's end would show by a
	// message of the gateway alone.
	if err := s.watch(ctx, tx, o.ID, m.Gateway); err != nil {
		return nil, err
	}
	return d, outbox.Audit(ctx, tx, outbox.AuditRecord{Actor: by, Action: "debit.order", Object: d.ID.String(), Outcome: string(d.State), At: now})
}

// debitable says whether an order may be debited under a mandate now.
func (s *Service) debitable(o *order.Order, m *Mandate) error {
	today := kz.DayOf(s.config.Now())
	switch {
	case m.State != MandateActive:
		return fault.New(fault.MandateState, "", "the mandate is %s", m.State)
	case today.Before(m.ValidFrom) || today.After(m.ValidTo):
		return fault.New(fault.MandateExpired, "", "it is valid from %s to %s", m.ValidFrom, m.ValidTo)
	case m.Payer != o.Payer:
		return fault.New(fault.PayerDiffers, "/mandate_id", "the mandate is of another payer")
	case o.State != order.Presented && o.State != order.Pending && o.State != order.PartiallyPaid:
		return fault.New(fault.OrderState, "", "an order that is %s cannot be debited", o.State)
	case o.Gateway != m.Gateway:
		return fault.New(fault.OrderState, "", "the order is presented at %s, the mandate is for %s", o.Gateway, m.Gateway)
	case s.late(o):
		return expired(o)
	}
	return nil
}

// monthOf is the first day of a day's month.
func monthOf(d kz.Day) (kz.Day, error) { return kz.ParseDay(d.String()[:len("2006-01-")] + "01") }

// settleDebits ends the debits that facts tell the end of. It comes after the
// facts were taken, and again with every poll: a kill between the two delays
// it.
func (s *Service) settleDebits(ctx context.Context, facts ...gateway.Fact) error {
	for _, f := range facts {
		id, err := uuid.Parse(f.Original)
		if err != nil {
			continue // it refers to something of the gateway's, or to nothing
		}
		switch f.Kind {
		case gateway.Captured:
			err = s.endDebit(ctx, id, f.Order, DebitExecuted, "")
		case gateway.Failed:
			err = s.endDebit(ctx, id, f.Order, DebitFailed, fault.DebitFailed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// giveUpDebits frees what is reserved for debits of an order whose end its
// gateway has not told of, asked long after the order's time. The transaction's
// subscribers are told with the reason: if it is carried out all the same, its
// fact is judged like any other, and the debit counts again.
func (s *Service) giveUpDebits(ctx context.Context, o *order.Order) error {
	if !s.longOver(o) {
		return nil
	}
	under, err := debitsOf(ctx, s.config.Pool, `order_id = $1 AND state = 'reserved'`, o.ID)
	for i := range under {
		err = errors.Join(err, s.endDebit(ctx, under[i].ID, o.ID, DebitFailed, fault.DebitUnanswered))
	}
	return err
}

// endDebit moves a reserved debit of an order, if there is one by this id; and
// one that was given up, if it was executed after all.
func (s *Service) endDebit(ctx context.Context, id, orderID uuid.UUID, to DebitState, reason fault.Code) error {
	err := postgres.InTx(context.WithoutCancel(ctx), s.config.Pool, func(tx pgx.Tx) error {
		now := s.config.Now()
		tag, err := tx.Exec(ctx, `UPDATE payment_debit SET state = $3, reason = $4, ended_at = $5
			 WHERE id = $1 AND order_id = $2 AND (state = 'reserved' OR reason = $6 AND $3 = 'executed')`,
			id, orderID, string(to), string(reason), now, string(fault.DebitUnanswered))
		if err != nil || tag.RowsAffected() == 0 {
			return postgres.Classify(err)
		}
		d, err := debitOf(ctx, tx, id)
		if err != nil {
			return err
		}
		kind := EventDebitExecuted
		if to == DebitFailed {
			kind = EventDebitFailed
		}
		return outbox.Publish(ctx, tx, outbox.Event{Transaction: d.Transaction, Type: kind, At: now, Data: debited(d)})
	})
	if err != nil {
		return fmt.Errorf("end a debit: %w", err)
	}
	return nil
}

// debitUnderWay says whether the end of a debit of an order is not known.
func debitUnderWay(ctx context.Context, q postgres.Querier, orderID uuid.UUID) (bool, error) {
	under, err := debitsOf(ctx, q, `order_id = $1 AND state = 'reserved'`, orderID)
	return len(under) > 0, err
}

func debitOf(ctx context.Context, q postgres.Querier, id uuid.UUID) (*Debit, error) {
	all, err := debitsOf(ctx, q, `id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fault.New(fault.Internal, "", "debit %s is gone", id)
	}
	return &all[0], nil
}

func debitsOf(ctx context.Context, q postgres.Querier, where string, id uuid.UUID) ([]Debit, error) {
	rows, err := q.Query(ctx, `SELECT id, mandate_id, order_id, transaction_id, amount, state, reason FROM payment_debit WHERE `+where, id)
	if err != nil {
		return nil, fmt.Errorf("read debits: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Debit])
	if err != nil {
		return nil, fmt.Errorf("read debits: %w", postgres.Classify(err))
	}
	return all, nil
}

// Debited is the data of the events of debits.
type Debited struct {
	Debit   uuid.UUID  `json:"debit_id"`
	Mandate uuid.UUID  `json:"mandate_id"`
	Order   uuid.UUID  `json:"order_id"`
	Amount  money.Tiyn `json:"amount_tiyn"`
	Reason  fault.Code `json:"reason,omitempty"` // of a failure
}

// The events of debits.
const (
	EventDebitOrdered  = "debit.ordered"
	EventDebitExecuted = "debit.executed"
	EventDebitFailed   = "debit.failed" // the reservation is free
)

func debited(d *Debit) Debited {
	return Debited{Debit: d.ID, Mandate: d.Mandate, Order: d.Order, Amount: d.Amount, Reason: d.Reason}
}
