package dossier

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/assess"
	"github.com/senim-kz/senim/payments/charge/told"
)

// ToldCharges is what became of the charges of one request: all that are not
// named here were stored.
type ToldCharges struct {
	Stored  int             `json:"stored"`
	Known   []int           `json:"known"`   // told before, by index
	Refused []ChargeRefusal `json:"refused"` // by index
}

// ChargeRefusal says why a charge was not stored.
type ChargeRefusal struct {
	Index int        `json:"index"`
	Code  fault.Code `json:"code"`
	At    string     `json:"at"` // where in the charge
}

// TellCharges stores what a state body says that transactions owe, up to
// told.AtOnceMax charges at once. Each has its own outcome: one that is refused
// spoils no other. Errors: idempotency codes, input_too_big,
// bad_argument if there is none.
func (s *Service) TellCharges(ctx context.Context, caller access.Caller, key idempotency.Key, charges []told.Charge) (*ToldCharges, error) {
	switch {
	case len(charges) == 0:
		return nil, fault.New(fault.BadArgument, "/charges", "there is no charge")
	case len(charges) > told.AtOnceMax:
		return nil, fault.New(fault.InputTooBig, "/charges", "%d charges at once; at most %d", len(charges), told.AtOnceMax)
	}
	answer, err := idempotency.Once(ctx, s.keys, caller.ID, key, "tell charges", func(ctx context.Context, c *idempotency.Claim) (*ToldCharges, error) {
		var answer *ToldCharges
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			known, err := existing(ctx, tx, charges)
			if err != nil {
				return err
			}
			outcomes, err := s.payments.TellCharges(ctx, tx, caller.ID, known, charges)
			if err != nil {
				return err
			}
			answer = answerOf(outcomes)
			return s.audit(ctx, tx, caller, c, fmt.Sprintf("%d charges", len(charges)), "tell charges", answer)
		})
		return answer, err
	})
	if err != nil {
		return nil, fmt.Errorf("tell charges: %w", err)
	}
	return answer, nil
}

func answerOf(outcomes []told.Outcome) *ToldCharges {
	answer := &ToldCharges{Known: []int{}, Refused: []ChargeRefusal{}}
	for i, o := range outcomes {
		switch refusal := fault.Of(o.Err); {
		case refusal != nil:
			answer.Refused = append(answer.Refused, ChargeRefusal{i, refusal.Code, refusal.At})
		case o.Known:
			answer.Known = append(answer.Known, i)
		default:
			answer.Stored++
		}
	}
	return answer
}

// existing says which of the charges' transactions there are.
func existing(ctx context.Context, tx pgx.Tx, charges []told.Charge) (map[uuid.UUID]bool, error) {
	var ids []uuid.UUID
	var times []time.Time // of opening: they keep the query to its months
	known := make(map[uuid.UUID]bool)
	for _, c := range charges {
		if _, seen := known[c.Transaction]; !seen && c.Transaction.Version() == 7 {
			known[c.Transaction] = false
			ids, times = append(ids, c.Transaction), append(times, recordedAt(c.Transaction))
		}
	}
	rows, err := tx.Query(ctx, `
		select d.id from unnest($1::uuid[], $2::timestamptz[]) as t (id, at) join dossier d on d.id = t.id and d.recorded_at = t.at
		 where d.recorded_at = any ($2)`, ids, times)
	if err != nil {
		return nil, fmt.Errorf("look for transactions: %w", postgres.Classify(err))
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("look for transactions: %w", postgres.Classify(err))
	}
	for _, id := range found {
		known[id] = true
	}
	return known, nil
}

// AssessCharges computes what a declaration would owe; it stores nothing.
// Errors: not_available without a tariff, and those of assess.Assess.
func (s *Service) AssessCharges(r assess.Request) (*assess.Assessment, error) {
	return s.payments.AssessCharges(r)
}

// Charges returns what a transaction owes and why: by its order if there is
// one, otherwise by its declaration and by what state bodies told so far.
// Errors: transaction_not_found, and those of the declaration.
func (s *Service) Charges(ctx context.Context, caller access.Caller, transaction uuid.UUID) ([]charge.Charge, error) {
	t, err := s.find(ctx, caller, transaction)
	if err != nil {
		return nil, err
	}
	orders, err := s.payments.OrdersOf(ctx, s.pool, t.ID)
	if err != nil {
		return nil, err
	}
	if len(orders) > 0 {
		return orders[len(orders)-1].Charges, nil
	}
	charges, err := s.charges(ctx, t)
	if err != nil && !fault.Is(err, fault.DocumentMissing) {
		return nil, err
	}
	others, err := s.payments.ChargesTold(ctx, s.pool, t.ID)
	if err != nil {
		return nil, err
	}
	return append(charges, others...), nil
}
