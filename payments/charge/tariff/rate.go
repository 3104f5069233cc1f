package tariff

import (
	"regexp"

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

// units are those a rate may name, as people read them: the three above and
// the supplementary units of the nomenclature that rates are set in.
var units = map[Unit]Texts{
	Kilogram:    {KK: "кг", RU: "кг", EN: "kg"},
	PerItem:     {KK: "тауар", RU: "товар", EN: "item"},
	Declaration: {KK: "декларация", RU: "декларация", EN: "declaration"},
	"l":         {KK: "л", RU: "л", EN: "l"},
	"l100":      {KK: "л 100% спирт", RU: "л 100% спирта", EN: "l of pure alcohol"},
	"pcs":       {KK: "дана", RU: "шт.", EN: "pcs"},
	"pair":      {KK: "жұп", RU: "пар", EN: "pairs"},
	"m":         {KK: "м", RU: "м", EN: "m"},
	"m2":        {KK: "м²", RU: "м²", EN: "m²"},
	"m3":        {KK: "м³", RU: "м³", EN: "m³"},
	"cm3":       {KK: "см³", RU: "см³", EN: "cm³"},
	"g":         {KK: "г", RU: "г", EN: "g"},
	"ct":        {KK: "карат", RU: "карат", EN: "carats"},
}

// Name of the unit for people.
func (u Unit) Name() Texts { return units[u] }

func (u Unit) known() bool { return units[u] != (Texts{}) }

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
	if !r.Unit.known() {
		return Rate{}, fault.New(fault.RateInvalid, "", "the unit %.16q is not known", unit)
	}
	return r, nil
}

// HasSpecific reports whether the rate has a part per unit.
func (r Rate) HasSpecific() bool { return r.Form == Specific || r.Form == AtLeast || r.Form == Plus }
