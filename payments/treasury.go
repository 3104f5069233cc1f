package payments

import (
	"context"
	"fmt"
	"io"
	"time"

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
	// IIK is the account that statements are of; empty is order.TreasuryIIK.
	IIK string
	// Gateway names the clearing account; empty is ПШЭП's, gateway.NamePSHEP.
	Gateway string
}

func (t Treasury) account() string {
	if t.IIK == "" {
		return order.TreasuryIIK
	}
	return t.IIK
}

func (t Treasury) accounts() reconcile.Accounts {
	name := t.Gateway
	if name == "" {
		name = gateway.NamePSHEP
	}
	return reconcile.Accounts{Clearing: ledger.Clearing(name), Treasury: ledger.Treasury(t.account())}
}

// ImportStatement stores a statement file of the treasury. The same file again
// gives the first import and changes nothing.
func (t Treasury) ImportStatement(ctx context.Context, name string, r io.Reader, o statement.Options) (*statement.Import, error) {
	return statement.Read(ctx, t.Pool, statement.Source{Name: name, Reader: r, Account: t.account(), Options: o, At: t.Now()})
}

// Reconcile matches the statement lines of a day with the orders. It may run
// any number of times.
func (t Treasury) Reconcile(ctx context.Context, day kz.Day) (result *reconcile.Result, err error) {
	err = postgres.InTx(ctx, t.Pool, func(tx pgx.Tx) error {
		result, err = reconcile.Run(ctx, tx, t.accounts(), day, t.Now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reconcile %s: %w", day, ledger.Refusal(err))
	}
	return result, nil
}

// VerifyLedger checks the whole book as it stands at one moment. What it finds
// is in the Verification, and the error is fault.LedgerInconsistent.
func (t Treasury) VerifyLedger(ctx context.Context) (v *ledger.Verification, err error) {
	moment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, t.Pool, moment, func(tx pgx.Tx) error {
		v, err = ledger.Verify(ctx, tx)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("verify the ledger: %w", postgres.Classify(err))
	}
	return v, nil
}
