package assess

import (
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/money"
)

// rounding is the rule of every line.
const rounding = money.HalfUpTiyn

// basis is what an ad valorem rate is taken of.
type basis struct {
	value money.Tiyn
	added []term
	total money.Tiyn

	declared money.Rate      // the value as declared,
	exchange *money.Exchange // if that was in another currency
}

// term is a charge that stands in the base of another.
type term struct {
	kind   charge.Kind
	amount money.Tiyn
}

func newBasis(kind charge.Kind, value money.Tiyn, before []Line) (basis, error) {
	b := basis{value: value, total: value}
	for _, l := range before {
		if !slices.Contains(charge.Included(kind), l.Kind) {
			continue
		}
		var err error
		if b.total, err = b.total.Add(l.Amount); err != nil {
			return basis{}, err
		}
		b.added = append(b.added, term{l.Kind, l.Amount})
	}
	return b, nil
}

// result is a computed rate with its parts, for the explanation.
type result struct {
	amount   money.Tiyn
	percent  money.Tiyn // the ad valorem part
	specific money.Tiyn // the part per unit
	whole    money.Tiyn // what a preference is a share of
	quantity string     // "" if the rate has no part per unit
	exchange *money.Exchange
}

func (a *assessor) compute(r tariff.Rate, item Item, base money.Tiyn) (result, error) {
	var out result
	var err error
	if r.Form != tariff.Specific {
		if out.percent, err = money.Percent(base, r.Percent, rounding); err != nil {
			return result{}, err
		}
	}
	if r.HasSpecific() {
		if err := a.specific(&out, r, item); err != nil {
			return result{}, err
		}
	}
	switch r.Form {
	case tariff.AdValorem:
		out.amount = out.percent
	case tariff.Specific:
		out.amount = out.specific
	case tariff.AtLeast:
		out.amount = max(out.percent, out.specific)
	case tariff.Plus:
		if out.amount, err = out.percent.Add(out.specific); err != nil {
			return result{}, err
		}
	default: // a share has an ordinary rate, which is of another form
		return result{}, fault.New(fault.Internal, "", "the rate %q computes nothing by itself", r.Text)
	}
	return out, nil
}

// specific computes the part per unit. Goods that a rate counts have a
// quantity: nothing would come out as nothing owed.
func (a *assessor) specific(out *result, r tariff.Rate, item Item) error {
	quantity := money.Rate{}.One()
	switch r.Unit {
	case tariff.PerItem, tariff.Declaration:
	case tariff.Kilogram:
		quantity = item.NetWeight
	default:
		if item.Unit != r.Unit {
			return fault.New(fault.QuantityMissing, "", "the rate counts in %s", r.Unit)
		}
		quantity = item.Quantity
	}
	if !quantity.IsPos() {
		return fault.New(fault.QuantityMissing, "", "the rate counts in %s", r.Unit)
	}
	out.quantity = quantity.String()
	var err error
	if r.Currency == money.Currency {
		out.specific, err = money.Multiply(r.Amount, quantity, rounding)
		return err
	}
	x, err := a.lock.Of(r.Currency)
	if err != nil {
		return err
	}
	out.exchange = &x
	out.specific, err = x.ConvertTimes(r.Amount, quantity, rounding)
	return err
}
