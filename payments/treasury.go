package payments

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
	"github.com/senim-kz/senim/payments/statement"
)

// Treasury does the treasury's work: statements, reconciliation and the check
// of the ledger. It needs the database only, so that the command line does it
// without keys and without the gateway.
type Treasury struct {
	Pool *pgxpool.Pool    // required
	Now  func() time.Time // required
	// Jobs takes the jobs that tell of what was reconciled; required to
	// reconcile. Whoever runs the service works them.
	Jobs Inserter
	// IIK is the account that statements are of; empty is order.TreasuryIIK.
	IIK string
	// Gateway is that of orders which name none; empty is ПШЭП's,
	// gateway.NamePSHEP.
	Gateway string
	// Calendar of business days; nil knows no decreed ones.
	Calendar *kz.Calendar
}

func (t Treasury) account() string {
	if t.IIK == "" {
		return order.TreasuryIIK
	}
	return t.IIK
}

func (t Treasury) reconciliation() reconcile.Config {
	c := reconcile.Config{Treasury: ledger.Treasury(t.account()), Gateway: t.Gateway, Calendar: t.Calendar}
	if c.Gateway == "" {
		c.Gateway = gateway.NamePSHEP
	}
	if c.Calendar == nil {
		c.Calendar = &kz.Calendar{}
	}
	return c
}

// ImportStatement stores a statement file of the treasury. The same file again
// gives the first import and changes nothing.
func (t Treasury) ImportStatement(ctx context.Context, name string, r io.Reader, o statement.Options) (*statement.Import, error) {
	return statement.Read(ctx, t.Pool, statement.Source{Name: name, Reader: r, Account: t.account(), Options: o, At: t.Now()})
}

// Reconcile matches the lines of all open days with the orders and returns the
// result of one of them. It may run any number of times; of a closed day it
// returns what was kept, and runs nothing.
func (t Treasury) Reconcile(ctx context.Context, day kz.Day) (result *reconcile.Result, err error) {
	if result, err = reconcile.ResultOf(ctx, t.Pool, day); err != nil || result.State == reconcile.DayClosed {
		return result, err
	}
	err = t.exclusively(ctx, func(tx pgx.Tx) ([]uuid.UUID, error) {
		outcome, err := reconcile.Run(ctx, tx, t.reconciliation(), t.Now())
		if err != nil {
			return nil, err
		}
		result, err = reconcile.ResultOf(ctx, tx, day)
		if err != nil {
			return nil, err
		}
		return t.follow(ctx, tx, outcome)
	})
	if err != nil {
		return nil, fmt.Errorf("reconcile %s: %w", day, err)
	}
	return result, nil
}

// ReconcileOpen is Reconcile for every open day that has statement lines.
func (t Treasury) ReconcileOpen(ctx context.Context) (results []*reconcile.Result, err error) {
	err = t.exclusively(ctx, func(tx pgx.Tx) ([]uuid.UUID, error) {
		outcome, err := reconcile.Run(ctx, tx, t.reconciliation(), t.Now())
		if err != nil {
			return nil, err
		}
		days, err := reconcile.OpenDays(ctx, tx)
		results = make([]*reconcile.Result, len(days))
		for i := range days {
			if results[i], err = reconcile.ResultOf(ctx, tx, days[i]); err != nil {
				return nil, err
			}
		}
		if err != nil {
			return nil, err
		}
		return t.follow(ctx, tx, outcome)
	})
	if err != nil {
		return nil, fmt.Errorf("reconcile the open days: %w", err)
	}
	return results, nil
}

// ReconciliationOf returns the result of a day as the last run left it, and
// runs nothing.
func (t Treasury) ReconciliationOf(ctx context.Context, day kz.Day) (*reconcile.Result, error) {
	return reconcile.ResultOf(ctx, t.Pool, day)
}

// ProposeDay asks for a day to be closed.
func (t Treasury) ProposeDay(ctx context.Context, day kz.Day, person string) (result *reconcile.Result, err error) {
	err = t.exclusively(ctx, func(tx pgx.Tx) ([]uuid.UUID, error) {
		if err := reconcile.Propose(ctx, tx, day, person, t.Now()); err != nil {
			return nil, err
		}
		result, err = reconcile.ResultOf(ctx, tx, day)
		return nil, err
	})
	return result, err
}

// CloseDay closes a day that somebody else proposed, and the ledger with it:
// what comes later is entered under the first open day.
func (t Treasury) CloseDay(ctx context.Context, day kz.Day, person string) (result *reconcile.Result, err error) {
	err = t.exclusively(ctx, func(tx pgx.Tx) ([]uuid.UUID, error) {
		outcome, r, err := reconcile.Close(ctx, tx, t.reconciliation(), day, person, t.Now())
		if err != nil {
			return nil, err
		}
		result = r
		tell, err := t.follow(ctx, tx, outcome)
		if err != nil {
			return nil, err
		}
		return tell, ledger.Close(ctx, tx, ledger.Closing{LastDay: day, ProposedBy: r.ProposedBy, ClosedBy: person, At: t.Now()})
	})
	if err != nil {
		return nil, fmt.Errorf("close the day %s: %w", day, err)
	}
	return result, nil
}

// Cases lists the cases that a filter chooses, a page at a time.
func (t Treasury) Cases(ctx context.Context, f reconcile.Filter) ([]reconcile.Case, error) {
	return reconcile.Cases(ctx, t.Pool, f)
}

// Case returns one case with its notes.
func (t Treasury) Case(ctx context.Context, id uuid.UUID) (*reconcile.Case, error) {
	return reconcile.GetCase(ctx, t.Pool, id)
}

// DecideCases does what a person decides of some cases, all or none, and, where
// with is not nil, what must be done in the same transaction.
func (t Treasury) DecideCases(ctx context.Context, d reconcile.Decision, with func(pgx.Tx) error) error {
	d.At = t.Now().UTC().Truncate(time.Microsecond)
	return t.exclusively(ctx, func(tx pgx.Tx) ([]uuid.UUID, error) {
		followed, err := reconcile.Decide(ctx, tx, t.reconciliation(), d)
		if err != nil {
			return nil, err
		}
		if err := t.payBack(ctx, tx, followed.PaidBack); err != nil {
			return nil, err
		}
		if with != nil {
			err = with(tx)
		}
		return followed.Matched, err
	})
}

// exclusively runs work that reconciles, in one transaction, and puts the jobs
// that tell of it there.
func (t Treasury) exclusively(ctx context.Context, work func(tx pgx.Tx) (tell []uuid.UUID, err error)) error {
	err := postgres.InTx(ctx, t.Pool, func(tx pgx.Tx) error {
		tell, err := work(tx)
		if err != nil {
			return err
		}
		for _, run := range tell {
			if err := t.Jobs.Insert(ctx, tx, AnnounceArgs{Run: run}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return reconcile.Refusal(ledger.Refusal(err))
	}
	return nil
}

// follow does what follows from a run, and returns what is to be told of.
func (t Treasury) follow(ctx context.Context, tx pgx.Tx, o *reconcile.Outcome) (tell []uuid.UUID, err error) {
	if o.Changed {
		tell = append(tell, o.Run)
	}
	return tell, t.payBack(ctx, tx, o.PaidBack)
}

// Balances are the ledger's as of a moment: the trial balance.
func (t Treasury) Balances(ctx context.Context, m ledger.Moment) ([]ledger.Balance, error) {
	return ledger.BalancesAt(ctx, t.Pool, m)
}
