package tariff

import (
	"math"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

// Tariff is one version of the integrated tariff. It may be used by any number
// of goroutines.
type Tariff struct {
	Version string // as the file names itself
	Source  string // where the data come from, as the file says
	Digest  string // SHA-256 of the file, in hex

	commodities map[charge.CommodityCode][]Commodity
	measures    map[slot][]Measure
	members     map[member][]interval
	budget      map[account][]BudgetCode
	gaps        []Gap
	count       int
}

// slot is where measures are found: by kind and code prefix.
type slot struct {
	kind   charge.Kind
	digits uint64
	length int
}

type member struct{ group, country string }

type account struct {
	kind      charge.Kind
	authority string
}

// Texts is a text in the three languages.
type Texts struct{ KK, RU, EN string }

// In returns the text of a language.
func (t Texts) In(l fault.Language) string {
	switch l {
	case fault.Kazakh:
		return t.KK
	case fault.Russian:
		return t.RU
	}
	return t.EN
}

// Validity is the days that something is in force, both included.
type Validity struct {
	From kz.Day
	To   kz.Day // the zero Day: until further notice

	interval
}

// interval is a validity for comparing: seconds of the first days' starts.
type interval struct{ from, to int64 }

func newValidity(from, to kz.Day) Validity {
	v := Validity{From: from, To: to, interval: interval{from.Start().Unix(), math.MaxInt64}}
	if !to.IsZero() {
		v.to = to.Start().Unix()
	}
	return v
}

func (i interval) holds(at int64) bool          { return i.from <= at && at <= i.to }
func (i interval) overlaps(other interval) bool { return i.from <= other.to && other.from <= i.to }

// Commodity is a ten-digit code of the nomenclature.
type Commodity struct {
	Code charge.CommodityCode
	Unit Unit // supplementary unit; "" if it has none
	Name Texts
	Validity
}

// Permit is the kind of a non-tariff measure: Document names what is needed,
// Authority who gives it. It is no payment.
const Permit charge.Kind = "NT"

// Measure is one row of the tariff.
type Measure struct {
	ID         string
	Kind       charge.Kind
	Prefix     string // of the commodity code; "" is all goods
	Origin     string // a country, a group with "@", or "" for any
	Procedure  string // two digits, or "" for any
	Preference string // the preference that must be claimed, or ""
	ValueFrom  money.Tiyn
	Rate       Rate
	Authority  string // of a state body's fee and of a permit
	Document   string // of a permit: its code
	Name       Texts  // of a state body's fee and of a permit
	Ground     string // the act that sets it
	Line       int    // of the imported file
	Validity
}

// BudgetCode is where a kind's money goes.
type BudgetCode struct {
	Code    charge.BudgetCode
	Purpose charge.PurposeCode
	Ground  string
	Validity
}

// Gap is where the nomenclature has goods and a required kind has no ordinary
// measure for any origin: an import then is refused, so better know it before.
type Gap struct {
	Code     charge.CommodityCode
	Kind     charge.Kind
	From, To kz.Day // the zero To: for good
}

// Gaps lists what the import found missing, by code.
func (t *Tariff) Gaps() []Gap { return t.gaps }

// Measures counts the tariff's measures.
func (t *Tariff) Measures() int { return t.count }

// View is the tariff on one day.
type View struct {
	Day    kz.Day
	tariff *Tariff
	at     int64
}

// On looks at a day.
func (t *Tariff) On(day kz.Day) View { return View{Day: day, tariff: t, at: day.Start().Unix()} }

// Goods are what measures are looked up for; View.Goods makes them.
type Goods struct {
	Commodity *Commodity
	digits    uint64

	Origin     string
	Procedure  string
	Preference string
	Value      money.Tiyn // customs value that a table by value is entered with
}

// Goods checks that the code exists on the day.
func (v View) Goods(code charge.CommodityCode, origin, procedure, preference string, value money.Tiyn) (Goods, error) {
	known := v.tariff.commodities[code]
	for i := range known {
		if known[i].holds(v.at) {
			return Goods{&known[i], number(string(code)), origin, procedure, preference, value}, nil
		}
	}
	return Goods{}, fault.New(fault.CommodityUnknown, "", "%.10q is not in the nomenclature of %s", string(code), v.Day)
}

// prefixes are the lengths that a measure's prefix may have, longest first:
// the levels of the nomenclature, and 0 for all goods.
var prefixes = [...]int{10, 9, 8, 6, 4, 2, 0}

// powers[n] takes the last n digits of a ten-digit code off.
var powers = [...]uint64{1, 10, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

// Measure returns the measure of a kind that the goods meet, or nil. Where the
// goods claim a preference it is only among those that name it; clear
// g.Preference for the ordinary one. It allocates nothing.
func (v View) Measure(kind charge.Kind, g Goods) *Measure {
	for _, length := range prefixes {
		var best *Measure
		all := v.tariff.measures[slot{kind, g.digits / powers[10-length], length}]
		for i := range all {
			if m := &all[i]; v.meets(m, g) && (best == nil || m.before(best)) {
				best = m
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// Append adds to dst the winning measure of every authority and document of a
// kind: state bodies' fees and permits, of which goods can meet several. It
// allocates only if dst has no room.
func (v View) Append(dst []*Measure, kind charge.Kind, g Goods) []*Measure {
	start := len(dst)
	for _, length := range prefixes {
		all := v.tariff.measures[slot{kind, g.digits / powers[10-length], length}]
		for i := range all {
			if m := &all[i]; v.meets(m, g) {
				dst = settle(dst, start, m)
			}
		}
	}
	return dst
}

// settle puts the measure among the winners, unless a better one of the same
// authority and document is there.
func settle(dst []*Measure, start int, m *Measure) []*Measure {
	for i, other := range dst[start:] {
		if other.Authority == m.Authority && other.Document == m.Document {
			if len(m.Prefix) == len(other.Prefix) && m.before(other) {
				dst[start+i] = m
			}
			return dst
		}
	}
	return append(dst, m)
}

func (v View) meets(m *Measure, g Goods) bool {
	return m.holds(v.at) &&
		(m.Procedure == "" || m.Procedure == g.Procedure) &&
		m.Preference == g.Preference &&
		m.ValueFrom <= g.Value &&
		(m.Origin == "" || m.Origin == g.Origin || v.belongs(m.Origin, g.Origin))
}

// belongs reports whether the country is in the group on the day.
func (v View) belongs(group, country string) bool {
	if group[0] != '@' {
		return false
	}
	for _, i := range v.tariff.members[member{group, country}] {
		if i.holds(v.at) {
			return true
		}
	}
	return false
}

// before orders two measures of one prefix that both apply. Import has made
// sure that no two are equal.
func (m *Measure) before(other *Measure) bool {
	switch a, b := m.near(), other.near(); {
	case a != b:
		return a > b
	case (m.Procedure != "") != (other.Procedure != ""):
		return m.Procedure != ""
	}
	return m.ValueFrom > other.ValueFrom
}

// near says how closely the measure names the origin.
func (m *Measure) near() int {
	switch {
	case m.Origin == "":
		return 0
	case m.Origin[0] == '@':
		return 1
	}
	return 2
}

// BudgetCode returns where the money of a kind goes on the day: by the tariff's
// own rows, else by charge.BudgetCodeOn. authority is "" but for state bodies'
// fees.
func (v View) BudgetCode(kind charge.Kind, authority string) (BudgetCode, error) {
	for _, b := range v.tariff.budget[account{kind, authority}] {
		if b.holds(v.at) {
			return b, nil
		}
	}
	code, err := charge.BudgetCodeOn(kind, v.Day)
	if err != nil {
		return BudgetCode{}, err
	}
	return BudgetCode{Code: code, Purpose: charge.TaxObligation}, nil
}

// number reads digits; the caller knows that they are.
func number(digits string) uint64 {
	var n uint64
	for _, d := range []byte(digits) {
		n = n*10 + uint64(d-'0')
	}
	return n
}
