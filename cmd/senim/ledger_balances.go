package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
)

func (p *program) ledgerBalances() *cobra.Command {
	var where place
	var day, at, account string
	var asJSON bool
	c := &cobra.Command{
		Use:   "balances",
		Short: "The trial balance, as of any business day or instant",
		Long: `Prints the debits, the credits and the balance of every account. With --day it
counts what belongs to that business day and to those before it; with --at,
what stood in the book before that instant. Both together say what the balance
of a day was believed to be.

Exit 0; 1 the book could not be read; 64 wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			moment, err := readMoment(day, at, account)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			t, err := p.openTreasury(c.Context(), &where)
			if err != nil {
				return err
			}
			defer t.Pool.Close()
			balances, err := t.Balances(c.Context(), moment)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(struct {
					Balances []ledger.Balance `json:"balances"`
				}{balances})
			}
			return p.showBalances(balances)
		},
	}
	where.flags(c)
	c.Flags().StringVar(&day, "day", "", "the last business day that counts, like 2006-01-02")
	c.Flags().StringVar(&at, "at", "", "what was recorded before this instant (RFC 3339)")
	c.Flags().StringVar(&account, "account", "", "this account only")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func readMoment(day, at, account string) (m ledger.Moment, err error) {
	m.Account = ledger.Account(account)
	if day != "" {
		if m.Day, err = kz.ParseDay(day); err != nil {
			return m, err
		}
	}
	if at != "" {
		if m.Recorded, err = time.Parse(time.RFC3339, at); err != nil {
			return m, fault.Wrap(err, fault.BadArgument, "--at", "not a time like 2006-01-02T15:04:05Z")
		}
	}
	return m, nil
}

// showBalances ends with the sum, which is zero in a book that is whole.
func (p *program) showBalances(balances []ledger.Balance) error {
	var total money.Tiyn
	for _, b := range balances {
		fmt.Fprintf(p.stdout, "%s\t%s\t%s\t%s\n", b.Account, b.Debits, b.Credits, b.Balance)
		var err error
		if total, err = total.Add(b.Balance); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.stdout, "\t\t\t%s\n", total)
	return nil
}
