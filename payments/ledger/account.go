package ledger

import (
	"strings"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
)

// Account of the book, named by its sort and what it is of: "payer:<BIN>".
type Account string

// Sort of an account: what stands before the first colon of its name.
type Sort string

// The sorts. Nothing else is an account, and Verify says so of what is.
const (
	SortClearing  Sort = "clearing"
	SortPayer     Sort = "payer"
	SortAdvance   Sort = "advance"
	SortBudget    Sort = "budget"
	SortTreasury  Sort = "treasury"
	SortSuspense  Sort = "suspense"
	SortTolerance Sort = "tolerance"
	SortRefunds   Sort = "refunds"
	SortFees      Sort = "fees"
)

// Sorts lists every sort of account.
func Sorts() []Sort {
	return []Sort{SortClearing, SortPayer, SortAdvance, SortBudget, SortTreasury, SortSuspense, SortTolerance, SortRefunds, SortFees}
}

func (s Sort) account(of ...string) Account {
	return Account(string(s) + ":" + strings.Join(of, ":"))
}

// Sort of the account.
func (a Account) Sort() Sort {
	sort, _, _ := strings.Cut(string(a), ":")
	return Sort(sort)
}

// Clearing is the money that a gateway has told of and that the treasury has
// not shown yet.
func Clearing(gateway string) Account { return SortClearing.account(gateway) }

// Payer is the account of a payer: credited with what it pays, debited with
// what that is applied to. It is zero between entries.
func Payer(bin kz.BIN) Account { return SortPayer.account(string(bin)) }

// Advance is a payer's own money at the treasury that is not yet a payment of
// anything, EAEU kind 9070: what it paid too much. Its credit balance is what
// the payer can use or have back.
func Advance(bin kz.BIN) Account { return SortAdvance.account(string(bin)) }

// Budget is the income under a budget code through a revenue office, or
// through another state body by its code.
func Budget(office charge.RevenueOffice, code charge.BudgetCode) Account {
	return SortBudget.account(string(office), string(code))
}

// Treasury is the treasury's account, as its statements show it.
func Treasury(iik string) Account { return SortTreasury.account(iik) }

// Suspense is money that came and that nobody can say yet what for: the reason
// is the code of the exception under which a person decides.
func Suspense(reason string) Account { return SortSuspense.account(reason) }

// Tolerance is what was owed under a budget code and let go, because so little
// was missing.
func Tolerance(code charge.BudgetCode) Account { return SortTolerance.account(string(code)) }

// Refunds is what a gateway was ordered to pay back and has not told of yet.
func Refunds(gateway string) Account { return SortRefunds.account(gateway) }

// Fees is what a gateway keeps for its service.
func Fees(gateway string) Account { return SortFees.account(gateway) }
