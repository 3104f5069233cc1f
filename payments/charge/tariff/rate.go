package tariff

import (
	"regexp"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
)

// Form says how a rate becomes an amount.
type Form uint8

// The forms of a rate.
const (
	AdValorem Form = iota + 1 // "15%" of the base
	Specific                  // "0.36 EUR/kg"
	AtLeast                   // "10% min 0.5 EUR/kg": ad valorem, but not less than the specific part
	Plus                      // "10% + 0.2 EUR/kg": both
	Share                     // "75% of rate": so much of what the ordinary measure gives; preferences only
)

// Rate is what a measure charges.
type Rate struct {
	Form     Form
	Percent  money.Rate // of the base, or of the ordinary measure
	Amount   money.Rate // per unit, in the currency
	Currency string     // ISO 4217
	Unit     Unit
	Text     string // as the tariff writes it
}

// Unit is what a specific rate counts.
type Unit string

// Units that every consignment has. All others are supplementary units, which
// an item states with its quantity.
const (
	Kilogram    Unit = "kg"          // net weight
	PerItem     Unit = "item"        // one for each commodity line
	Declaration Unit = "declaration" // one for the whole declaration
)

// units are those a rate may name: the three above and the supplementary units
// of the nomenclature that rates are set in.
var units = []Unit{Kilogram, PerItem, Declaration, "l", "l100", "pcs", "pair", "m", "m2", "m3", "cm3", "g", "ct"}

// rateText is the grammar of a rate.
var rateText = regexp.MustCompile(`^(?:([0-9.]+)%(?: (of rate)$| (min|\+) |$))?(?:([0-9.]+) ([A-Z]{3})/([a-z0-9]+))?$`)

// ParseRate reads a rate as the files write it; see Form.
func ParseRate(s string) (Rate, error) {
	m := rateText.FindStringSubmatch(s)
	if m == nil || s == "" {
		return Rate{}, fault.New(fault.RateInvalid, "", "not a rate like 15%%, 0.36 EUR/kg, 10%% min 0.5 EUR/kg")
	}
	percent, of, joint, amount, currency, unit := m[1], m[2], m[3], m[4], m[5], m[6]
	r := Rate{Currency: currency, Unit: Unit(unit), Text: s}
	switch {
	case of != "" && amount == "":
		r.Form = Share
	case joint == "min" && amount != "":
		r.Form = AtLeast
	case joint == "+" && amount != "":
		r.Form = Plus
	case joint == "" && amount != "" && percent == "":
		r.Form = Specific
	case joint == "" && of == "" && amount == "":
		r.Form = AdValorem
	default:
		return Rate{}, fault.New(fault.RateInvalid, "", "the rate is cut short")
	}
	var err error
	if percent != "" {
		if r.Percent, err = money.ParseRate(percent); err != nil {
			return Rate{}, err
		}
	}
	if amount == "" {
		return r, nil
	}
	if r.Amount, err = money.ParseRate(amount); err != nil {
		return Rate{}, err
	}
	if !slices.Contains(units, r.Unit) {
		return Rate{}, fault.New(fault.RateInvalid, "", "the unit %.16q is not known", unit)
	}
	return r, nil
}

// HasSpecific reports whether the rate has a part per unit.
func (r Rate) HasSpecific() bool { return r.Form == Specific || r.Form == AtLeast || r.Form == Plus }

// SpecificText is the part per unit, "0.5 EUR/kg".
func (r Rate) SpecificText() string {
	return strings.Join([]string{r.Amount.String(), " ", r.Currency, "/", string(r.Unit)}, "")
}
