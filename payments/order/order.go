package order

import (
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

// linesMax bounds an order. A bill has a line per kind of payment, so even one
// for several bodies has a few.
const linesMax = 64

// Order is the bill of one transaction.
//
// What was received is on the lines or credited to the payer's advance (EAEU
// kind 9070), to the tiyn. What was refunded is not owed again.
type Order struct {
	ID          uuid.UUID
	Transaction uuid.UUID
	CreatedAt   time.Time
	ExpiresAt   time.Time
	Declarant   kz.BIN // whose debt it is
	Payer       kz.BIN // who pays it: the declarant or its broker
	Declaration string // number of the goods declaration; empty if there is none yet
	Total       money.Tiyn
	State       State

	// Where it was presented last; empty until it is.
	Gateway       string
	Registration  string // the gateway's own reference of the bill
	PaymentURL    string
	Presentations int // how often it was presented

	Credited       money.Tiyn // paid beyond the debt
	Tolerated      money.Tiyn // owed and let go
	RefundedCredit money.Tiyn // paid back of what was credited
	Refunding      money.Tiyn // ordered to be paid back, not executed

	Lines   []Line          // by position
	Charges []charge.Charge // what the lines are made of; LockAll does not read them
}

// Line is what is paid under one identifier to one budget code.
type Line struct {
	Identifier  Identifier
	Kind        charge.Kind
	BudgetCode  charge.BudgetCode
	PurposeCode charge.PurposeCode
	Requisites  Requisites
	Amount      money.Tiyn
	Paid        money.Tiyn // received on it
	Refunded    money.Tiyn // of that, paid back
	Matched     money.Tiyn // of that, found in the treasury's statements; LockAll does not read it
	State       LineState
}

// lineKey is what charges share that are paid in one line.
type lineKey struct {
	kind    charge.Kind
	budget  charge.BudgetCode
	purpose charge.PurposeCode
	office  charge.RevenueOffice
}

func keyOf(c charge.Charge) lineKey {
	return lineKey{c.Kind, c.BudgetCode, c.PurposeCode, c.RevenueOffice}
}

// draw makes the lines of an order out of its charges: those of one kind,
// budget code, purpose and office are one line, in the order in which they
// first come. A charge of nothing is kept and makes no line. The lines have no
// identifiers yet.
func draw(charges []charge.Charge, book Book) ([]Line, money.Tiyn, error) {
	var lines []Line
	var total money.Tiyn
	at := make(map[lineKey]int)
	for _, c := range charges {
		if err := checkCharge(c); err != nil {
			return nil, 0, err
		}
		requisites, ok := book[c.RevenueOffice]
		if !ok {
			return nil, 0, fault.New(fault.RevenueOfficeUnknown, c.Path, "no requisites of the office %.8q", string(c.RevenueOffice))
		}
		if c.Amount == 0 {
			continue
		}
		i, seen := at[keyOf(c)]
		if !seen {
			i = len(lines)
			at[keyOf(c)] = i
			lines = append(lines, Line{
				Kind: c.Kind, BudgetCode: c.BudgetCode, PurposeCode: c.PurposeCode, Requisites: requisites, State: LineOwed,
			})
		}
		var err error
		if lines[i].Amount, err = lines[i].Amount.Add(c.Amount); err != nil {
			return nil, 0, fault.Wrap(err, fault.AmountOverflow, c.Path, "add up a line")
		}
		if total, err = total.Add(c.Amount); err != nil {
			return nil, 0, fault.Wrap(err, fault.AmountOverflow, c.Path, "add up the order")
		}
	}
	if len(lines) == 0 {
		return nil, 0, fault.New(fault.OrderEmpty, "", "every charge is zero")
	}
	if len(lines) > linesMax {
		return nil, 0, fault.New(fault.OrderInvalid, "", "more than %d lines", linesMax)
	}
	return lines, total, nil
}

func checkCharge(c charge.Charge) error {
	switch {
	case c.Amount < 0:
		return fault.New(fault.OrderInvalid, c.Path, "a negative charge")
	case !budgetPattern.MatchString(string(c.BudgetCode)):
		return fault.New(fault.OrderInvalid, c.Path, "the budget code is not six digits")
	case !purposePattern.MatchString(string(c.PurposeCode)):
		return fault.New(fault.OrderInvalid, c.Path, "the purpose code is not three digits")
	}
	return nil
}
