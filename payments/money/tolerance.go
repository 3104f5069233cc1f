package money

import "github.com/senim-kz/senim/internal/fault"

// Outcome says how what was paid compares with what is owed.
type Outcome string

// The outcomes.
const (
	Exact           Outcome = "exact"
	WithinTolerance Outcome = "within_tolerance" // short, and little enough to let the goods go
	Short           Outcome = "short"
	Over            Outcome = "over"
)

// Tolerance is how much may be missing before a payment is short: the goods
// are not to wait for a few tenge of another day's exchange rate. The greater
// of the two holds. The zero Tolerance forgives nothing.
//
// Nothing is tolerated upwards: what is paid beyond the debt is the payer's.
type Tolerance struct {
	Absolute Tiyn
	Percent  Rate // of what is owed, rounded down to the tiyn
}

// Settlement is a payment held against a debt.
type Settlement struct {
	Outcome Outcome
	Missing Tiyn // owed and not paid; also when it is within the tolerance
	Credit  Tiyn // to the payer's advance, EAEU kind 9070
}

// Settle compares. It has no effect: who posts the credit is the caller.
func (t Tolerance) Settle(owed, paid Tiyn) (Settlement, error) {
	if owed < 0 || paid < 0 || t.Absolute < 0 || t.Percent.IsNeg() {
		return Settlement{}, fault.New(fault.BadArgument, "", "a negative debt, payment or tolerance")
	}
	difference := owed - paid // both are not negative: it cannot wrap
	switch {
	case difference == 0:
		return Settlement{Outcome: Exact}, nil
	case difference < 0:
		return Settlement{Outcome: Over, Credit: -difference}, nil
	}
	share, err := Percent(owed, t.Percent, DownTiyn)
	if err != nil {
		return Settlement{}, err
	}
	if difference <= max(t.Absolute, share) {
		return Settlement{Outcome: WithinTolerance, Missing: difference}, nil
	}
	return Settlement{Outcome: Short, Missing: difference}, nil
}
