package dossier

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/reconcile"
)

// Day returns the result of a day as the last run left it; of a closed day, as
// it was closed.
func (s *Service) Day(ctx context.Context, day kz.Day) (*Reconciliation, error) {
	result, err := s.payments.Treasury().ReconciliationOf(ctx, day)
	if err != nil {
		return nil, err
	}
	return ReconciliationOf(result), nil
}

// ProposeDay asks for a day to be closed. It needs no key: proposing again
// changes who has proposed. Errors: day_not_over, day_closed, day_earlier_open.
func (s *Service) ProposeDay(ctx context.Context, caller access.Caller, day kz.Day) (*Reconciliation, error) {
	return s.onDay(ctx, caller, day, "propose to close the day", s.payments.Treasury().ProposeDay)
}

// CloseDay closes a day that another caller has proposed. Errors: those of
// ProposeDay, day_not_proposed, two_persons_required.
func (s *Service) CloseDay(ctx context.Context, caller access.Caller, day kz.Day) (*Reconciliation, error) {
	return s.onDay(ctx, caller, day, "close the day", s.payments.Treasury().CloseDay)
}

func (s *Service) onDay(ctx context.Context, caller access.Caller, day kz.Day, action string,
	do func(context.Context, kz.Day, string) (*reconcile.Result, error)) (*Reconciliation, error) {
	result, err := do(ctx, day, caller.ID)
	if err != nil {
		return nil, err
	}
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		return outbox.Audit(ctx, tx, outbox.AuditRecord{Actor: caller.ID, Action: action, Object: day.String(), Outcome: "done", At: s.now()})
	})
	if err != nil {
		return nil, err
	}
	return ReconciliationOf(result), nil
}

// ExceptionFilter chooses cases; a zero field chooses all.
type ExceptionFilter struct {
	State, Reason, Owner string
	Day                  kz.Day
	Cursor               string // of the page before
	Limit                int
}

// Exceptions returns a page of cases by their days, and the cursor of the next;
// "" after the last. Errors: bad_argument.
func (s *Service) Exceptions(ctx context.Context, f ExceptionFilter) (page []reconcile.Case, next string, err error) {
	asked := reconcile.Filter{State: reconcile.CaseState(f.State), Reason: fault.Code(f.Reason), Owner: f.Owner, Day: f.Day, Limit: f.Limit}
	if f.Cursor != "" {
		id, err := uuid.Parse(f.Cursor)
		if err != nil {
			return nil, "", fault.New(fault.BadArgument, "/after", "not a cursor")
		}
		if asked.After, err = s.payments.Treasury().Case(ctx, id); err != nil {
			return nil, "", err
		}
	}
	if asked.Limit <= 0 || asked.Limit > reconcile.PageMax {
		asked.Limit = reconcile.PageMax
	}
	if page, err = s.payments.Treasury().Cases(ctx, asked); err != nil {
		return nil, "", err
	}
	if len(page) == asked.Limit {
		next = page[len(page)-1].ID.String()
	}
	return page, next, nil
}

// Exception returns one case with what persons did and said about it. Errors:
// case_unknown.
func (s *Service) Exception(ctx context.Context, id uuid.UUID) (*reconcile.Case, error) {
	return s.payments.Treasury().Case(ctx, id)
}

// Decided says what was decided, and of how many cases.
type Decided struct {
	Act   string `json:"act"`
	Cases int    `json:"cases"`
}

// Decide does what a caller decides of some cases: of all or of none. Errors:
// idempotency codes, bad_argument, case_unknown, case_state_forbids,
// case_resolution_invalid, case_target_invalid, two_persons_required.
func (s *Service) Decide(ctx context.Context, caller access.Caller, key idempotency.Key, d reconcile.Decision) (*Decided, error) {
	d.Person = caller.ID
	key, err := over(key, d)
	if err != nil {
		return nil, err
	}
	action := string(d.Act) + " exceptions"
	return idempotency.Once(ctx, s.keys, caller.ID, key, action, func(ctx context.Context, c *idempotency.Claim) (*Decided, error) {
		shown := &Decided{Act: string(d.Act), Cases: len(d.Cases)}
		err := s.payments.Treasury().DecideCases(ctx, d, func(tx pgx.Tx) error {
			return s.audit(ctx, tx, caller, c, casesOf(d), action, shown)
		})
		if err != nil {
			return nil, err
		}
		return shown, nil
	})
}

// casesOf names what was decided on in an audit record: the first case and how
// many there are; each has its note.
func casesOf(d reconcile.Decision) string {
	if len(d.Cases) == 0 {
		return ""
	}
	return strings.TrimSuffix(fmt.Sprintf("%s and %d more", d.Cases[0], len(d.Cases)-1), " and 0 more")
}
