package money

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// Exchange is a rate of the National Bank: so many tenge for so many units of
// a currency on one day. A charge computed with it carries it whole.
type Exchange struct {
	Currency string // ISO 4217, three letters
	Units    int    // 1, 10, 100, 1000: the Bank quotes weak currencies by more than one
	Tenge    Rate   // tenge for Units of the currency
	Day      kz.Day // the day that the rate is official for
	Source   string // where it was taken from
}

// quotes are the numbers of units that the Bank quotes, with their decimal
// places: a division by them is exact.
var quotes = map[int]int{1: 0, 10: 1, 100: 2, 1000: 3}

// Check refuses a rate that could not have been published.
func (x Exchange) Check() error {
	if !currency(x.Currency) || x.Currency == Currency {
		return fault.New(fault.RateInvalid, "currency", "%.8q is no foreign currency", x.Currency)
	}
	if _, ok := quotes[x.Units]; !ok {
		return fault.New(fault.RateInvalid, "units", "%d is not a number of units that is quoted", x.Units)
	}
	if !x.Tenge.IsPos() || x.Tenge.Scale() > rateScaleMax {
		return fault.New(fault.RateInvalid, "tenge", "the rate is not positive or has more than %d digits after the point", rateScaleMax)
	}
	if x.Day.IsZero() || x.Source == "" {
		return fault.New(fault.RateInvalid, "day", "a rate has a day and a source")
	}
	return nil
}

func currency(s string) bool {
	return len(s) == 3 && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 'A' || b > 'Z' })
}

// Exchanges are the rates of any number of days.
type Exchanges struct {
	rates map[quote]Exchange
}

type quote struct {
	currency string
	day      kz.Day
}

// NewExchanges takes the rates in. The same rate twice is one; two different
// ones for a currency and day are refused.
func NewExchanges(rates ...Exchange) (*Exchanges, error) {
	all := &Exchanges{rates: make(map[quote]Exchange, len(rates))}
	for _, x := range rates {
		if err := all.add(x); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (e *Exchanges) add(x Exchange) error {
	if err := x.Check(); err != nil {
		return err
	}
	key := quote{x.Currency, x.Day}
	if before, twice := e.rates[key]; twice && (before.Units != x.Units || before.Tenge.Cmp(x.Tenge) != 0) {
		return fault.New(fault.RateInvalid, x.Currency, "two rates for %s", x.Day)
	}
	e.rates[key] = x
	return nil
}

// Lock holds the rates of the day on which a declaration was registered. A
// later day's rate cannot be had from it.
type Lock struct {
	day  kz.Day
	from *Exchanges
	used map[string]Exchange
}

// Lock makes the lock of a day. It is for one goroutine.
func (e *Exchanges) Lock(day kz.Day) *Lock {
	return &Lock{day: day, from: e, used: make(map[string]Exchange)}
}

// Day that the rates are of.
func (l *Lock) Day() kz.Day { return l.day }

// Of returns the currency's rate. A day without a rate is refused with
// fault.ExchangeMissing: the Bank sets one for every day, weekends too, so a
// neighbour's rate would be a guess.
func (l *Lock) Of(currency string) (Exchange, error) {
	var found Exchange
	var ok bool
	if l.from != nil {
		found, ok = l.from.rates[quote{currency, l.day}]
	}
	if !ok {
		return Exchange{}, fault.New(fault.ExchangeMissing, "", "no rate of %.8q on %s", currency, l.day)
	}
	l.used[currency] = found
	return found, nil
}

// Used lists the rates that were asked for, by currency: they are stored with
// what was computed.
func (l *Lock) Used() []Exchange {
	used := make([]Exchange, 0, len(l.used))
	for _, x := range l.used {
		used = append(used, x)
	}
	slices.SortFunc(used, func(a, b Exchange) int { return cmp.Compare(a.Currency, b.Currency) })
	return used
}

// Convert returns the tenge of a foreign amount.
func (x Exchange) Convert(amount Rate, rule Rounding) (Tiyn, error) {
	return x.ConvertTimes(amount, decimalOne, rule)
}

// ConvertTimes returns the tenge of an amount per unit times a quantity,
// rounded once: 0.36 EUR a kilogram, 1 250.5 kg, 612.34 tenge a euro.
func (x Exchange) ConvertTimes(perUnit, quantity Rate, rule Rounding) (Tiyn, error) {
	places, ok := quotes[x.Units]
	if !ok {
		return 0, fault.New(fault.RateInvalid, "units", "%d is not a number of units that is quoted", x.Units)
	}
	return product(rule, places, perUnit, quantity, x.Tenge)
}

// Multiply returns tenge per unit times a quantity, rounded once, where the
// price is finer than a tiyn.
func Multiply(perUnit, quantity Rate, rule Rounding) (Tiyn, error) {
	return product(rule, 0, perUnit, quantity)
}

var decimalOne = Rate{}.One()

// product multiplies the factors, divides by ten to the power of places, and
// rounds once. The library's product ends at nineteen digits, which three
// factors can pass; whole numbers of any length cannot.
func product(rule Rounding, places int, factors ...Rate) (Tiyn, error) {
	scale, ok := roundings[rule]
	if !ok {
		return 0, fault.New(fault.BadArgument, "", "unknown rounding rule %.40q", string(rule))
	}
	exact, digits := big.NewInt(1), places
	for _, f := range factors {
		if f.IsNeg() {
			return 0, fault.New(fault.RateInvalid, "", "a factor is negative")
		}
		exact.Mul(exact, new(big.Int).SetUint64(f.Coef()))
		digits += f.Scale()
	}
	// exact is in 10^-digits tenge; the rule's unit is 10^-scale tenge.
	if drop := digits - scale.scale; drop > 0 {
		unit := power(drop)
		if rule != DownTiyn {
			exact.Add(exact, new(big.Int).Rsh(unit, 1)) // a power of ten is even
		}
		exact.Quo(exact, unit)
	} else {
		exact.Mul(exact, power(-drop))
	}
	exact.Mul(exact, power(2-scale.scale))
	if !exact.IsInt64() {
		return 0, fault.New(fault.AmountOverflow, "", "the product does not fit in 64 bits")
	}
	return Tiyn(exact.Int64()), nil
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
