package money

import (
	"github.com/govalues/decimal"

	"github.com/senim-kz/senim/internal/fault"
)

// Rate is a decimal factor of an amount: a percentage, tenge per unit, an
// exchange rate.
type Rate = decimal.Decimal

// rateScaleMax is the finest rate taken: tariffs have at most four digits
// after the point and the National Bank's rates two, so six leave room.
const rateScaleMax = 6

// Rounding is a named rule that brings an exact amount to payable units. The
// name is stored with what was computed, so that it can be computed again.
type Rounding string

// The rounding rules.
const (
	// HalfUpTiyn rounds to the nearest tiyn and a half away from zero: the
	// customary rule for a payment computed line by line.
	HalfUpTiyn Rounding = "half_up_tiyn"
	// HalfUpTenge rounds to the nearest whole tenge, a half away from zero.
	HalfUpTenge Rounding = "half_up_tenge"
	// DownTiyn drops what is finer than a tiyn.
	DownTiyn Rounding = "down_tiyn"
)

// roundings gives each rule its scale in tenge and the act at that scale.
var roundings = map[Rounding]struct {
	scale int
	round func(d decimal.Decimal, scale int) (decimal.Decimal, error)
}{
	HalfUpTiyn:  {2, halfUp},
	HalfUpTenge: {0, halfUp},
	DownTiyn:    {2, func(d decimal.Decimal, scale int) (decimal.Decimal, error) { return d.Trunc(scale), nil }},
}

// halfUp adds half a unit of the scale with d's own sign and drops the rest.
// The library's own Round takes a half to the even neighbour.
func halfUp(d decimal.Decimal, scale int) (decimal.Decimal, error) {
	half, err := decimal.New(5, scale+1)
	if err != nil {
		return decimal.Decimal{}, err
	}
	// AddExact, because a sum of more than nineteen digits would be rounded.
	sum, err := d.AddExact(half.CopySign(d), max(d.Scale(), scale+1))
	if err != nil {
		return decimal.Decimal{}, err
	}
	return sum.Trunc(scale), nil
}

// ParseRate reads a non-negative decimal such as "5", "6.5" or "0.40" with at
// most six digits after the point.
func ParseRate(s string) (Rate, error) {
	if len(s) == 0 || len(s) > textMax || s[0] == '.' || s[len(s)-1] == '.' {
		return Rate{}, fault.New(fault.RateInvalid, "", "not a rate like 6.5")
	}
	for _, r := range s {
		if (r < '0' || r > '9') && r != '.' { // the library would take signs and exponents too
			return Rate{}, fault.New(fault.RateInvalid, "", "not a rate like 6.5")
		}
	}
	rate, err := decimal.Parse(s)
	if err != nil || rate.Scale() > rateScaleMax {
		return Rate{}, fault.New(fault.RateInvalid, "", "not a rate like 6.5 with at most %d digits after the point", rateScaleMax)
	}
	return rate, nil
}

// Tenge is the amount as a decimal number of tenge.
func (a Tiyn) Tenge() Rate { return decimal.MustNew(int64(a), 2) } // nineteen digits and the scale 2 always fit

// Percent returns rate per cent of the base, rounded once, at the end.
func Percent(base Tiyn, rate Rate, rule Rounding) (Tiyn, error) {
	// The amount in tenge has scale 2, a hundredth of it scale 4.
	return apply(base, 4, rate, rule)
}

// Times returns the amount per unit times a quantity, rounded once.
func Times(perUnit Tiyn, quantity Rate, rule Rounding) (Tiyn, error) {
	return apply(perUnit, 2, quantity, rule)
}

// apply multiplies the amount, read at the given scale, by the factor. The
// product is exact or refused: nothing is rounded but by the named rule.
func apply(amount Tiyn, scale int, factor Rate, rule Rounding) (Tiyn, error) {
	r, ok := roundings[rule]
	if !ok {
		return 0, fault.New(fault.BadArgument, "", "unknown rounding rule %.40q", string(rule))
	}
	base, err := decimal.New(int64(amount), scale)
	if err != nil {
		return 0, fault.Wrap(err, fault.AmountOverflow, "", "read the base")
	}
	exact, err := base.MulExact(factor, scale+factor.Scale())
	if err != nil {
		return 0, fault.Wrap(err, fault.AmountOverflow, "", "multiply by the rate")
	}
	rounded, err := r.round(exact, r.scale)
	if err != nil {
		return 0, fault.Wrap(err, fault.AmountOverflow, "", "round by %s", rule)
	}
	whole, fraction, ok := rounded.Int64(2)
	if !ok || whole > maxWhole || whole < -maxWhole {
		return 0, fault.New(fault.AmountOverflow, "", "the product does not fit in 64 bits")
	}
	return Tiyn(whole*100 + fraction), nil
}

// maxWhole is the greatest number of tenge whose tiyn fit in 64 bits whatever
// the fraction.
const maxWhole = (1<<63-1)/100 - 1
