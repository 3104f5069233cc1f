package assess

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/money"
)

// itemsMax is the most goods items that one declaration has.
const itemsMax = 999

// SumOfLines is the rule of the total: rounded lines are added, and the sum is
// not rounded again.
const SumOfLines = "sum_of_rounded_lines"

// Request is a declaration as far as charges depend on it.
type Request struct {
	Registered    kz.Day // the day whose tariff and exchange rates apply
	RevenueOffice charge.RevenueOffice
	Procedure     string // customs procedure, two digits: 40 is release for domestic consumption
	Items         []Item // numbered by their order, from 1
}

// Item is one commodity line.
type Item struct {
	CommodityCode charge.CommodityCode
	CustomsValue  money.Rate  // in Currency
	Currency      string      // ISO 4217; "" is tenge
	NetWeight     money.Rate  // kilograms
	Quantity      money.Rate  // in supplementary units
	Unit          tariff.Unit // of Quantity; "" if there is none
	Origin        string      // ISO 3166-1 alpha-2
	Preference    string      // the preference claimed, or ""
}

// Assessment is what a declaration owes.
type Assessment struct {
	Day           kz.Day
	TariffVersion string
	TariffDigest  string
	Values        []money.Tiyn // customs value of each item in tenge
	Lines         []Line       // of the declaration first, then item by item
	Total         money.Tiyn
	TotalRounding string           // SumOfLines
	Exchanges     []money.Exchange // every rate used, locked to Day
	Permits       []Permit
}

// Line is one charge and why it is owed; Explain says it in words.
type Line struct {
	charge.Charge
	Exchange  *money.Exchange // of a rate in another currency
	Authority string          // of a state body's fee
	Measure   *tariff.Measure // the ground, with its act and validity
	Ordinary  *tariff.Measure // what a preference is a share of
	Budget    tariff.BudgetCode

	basis  basis
	result result
}

// Permit is a document that the goods need.
type Permit struct {
	Item    int
	Measure *tariff.Measure
}

// Charges returns the lines as an order takes them, each with its ground.
func (a *Assessment) Charges() []charge.Charge {
	charges := make([]charge.Charge, len(a.Lines))
	for i := range a.Lines {
		l := &a.Lines[i]
		charges[i] = l.Charge
		charges[i].Ground = &charge.Ground{
			Measure: l.Measure.ID, Tariff: a.TariffVersion, Act: l.Measure.Ground, From: l.Measure.From, To: l.Measure.To,
			Exchanges: l.Exchanges(), Explanation: make(map[string]string, len(fault.Languages())),
		}
		for _, language := range fault.Languages() {
			charges[i].Ground.Explanation[string(language)] = l.Explain(language)
		}
	}
	return charges
}

// Exchanges lists the exchange rates that the line was computed with.
func (l *Line) Exchanges() []money.Exchange {
	exchanges := []money.Exchange{}
	for _, x := range quotes(l) {
		exchanges = append(exchanges, *x)
	}
	return exchanges
}

// Assess computes the charges of a declaration.
func Assess(t *tariff.Tariff, rates *money.Exchanges, r Request) (*Assessment, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	a := &assessor{request: r, view: t.On(r.Registered), lock: rates.Lock(r.Registered), out: &Assessment{
		Day: r.Registered, TariffVersion: t.Version, TariffDigest: t.Digest, TotalRounding: SumOfLines,
		Lines: make([]Line, 0, 1+3*len(r.Items)),
	}}
	if err := a.values(); err != nil {
		return nil, err
	}
	if err := a.fee(); err != nil {
		return nil, err
	}
	for i := range a.request.Items {
		if err := a.item(i); err != nil {
			return nil, err
		}
	}
	for _, l := range a.out.Lines {
		var err error
		if a.out.Total, err = a.out.Total.Add(l.Amount); err != nil {
			return nil, err
		}
	}
	a.out.Exchanges = a.lock.Used()
	return a.out, nil
}

func (r Request) check() error {
	switch {
	case r.Registered.IsZero():
		return fault.New(fault.ItemInvalid, "/registered", "the day of registration is not stated")
	case len(r.Items) == 0 || len(r.Items) > itemsMax:
		return fault.New(fault.ItemInvalid, "/items", "a declaration has 1 to %d items", itemsMax)
	case !letters(r.Procedure, 2, '0', '9'):
		return fault.New(fault.ItemInvalid, "/procedure", "a procedure has two digits")
	}
	for i, item := range r.Items {
		switch {
		case !letters(item.Origin, 2, 'A', 'Z'):
			return fault.New(fault.ItemInvalid, at(i, "origin"), "not a country's two letters")
		case item.CustomsValue.IsNeg() || item.NetWeight.IsNeg() || item.Quantity.IsNeg():
			return fault.New(fault.ItemInvalid, at(i, ""), "a value or quantity is negative")
		case item.Unit == "" && !item.Quantity.IsZero():
			return fault.New(fault.ItemInvalid, at(i, "unit"), "a quantity without its unit")
		}
	}
	return nil
}

func letters(s string, n int, low, high byte) bool {
	return len(s) == n && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < low || b > high })
}

// at points at a field of an item, like a JSON pointer.
func at(index int, field string) string {
	if field != "" {
		field = "/" + field
	}
	return fmt.Sprintf("/items/%d%s", index, field)
}

// assessor holds one assessment under way.
type assessor struct {
	request Request
	view    tariff.View
	lock    *money.Lock
	out     *Assessment
	value   money.Tiyn        // of the whole declaration
	quoted  []*money.Exchange // of each item's customs value; nil in tenge
	room    []*tariff.Measure
}

// values brings the customs values to tenge.
func (a *assessor) values() error {
	for i, item := range a.request.Items {
		value, x, err := a.tenge(item)
		if err != nil {
			return fault.Wrap(err, fault.CodeOf(err), at(i, "customs_value"), "read the customs value")
		}
		if a.value, err = a.value.Add(value); err != nil {
			return err
		}
		a.out.Values = append(a.out.Values, value)
		a.quoted = append(a.quoted, x)
	}
	return nil
}

// tenge returns the customs value and the rate it was converted at, if any.
func (a *assessor) tenge(item Item) (money.Tiyn, *money.Exchange, error) {
	if item.Currency == "" || item.Currency == money.Currency {
		value, err := money.Multiply(item.CustomsValue, money.Rate{}.One(), rounding)
		return value, nil, err
	}
	x, err := a.lock.Of(item.Currency)
	if err != nil {
		return 0, nil, err
	}
	value, err := x.Convert(item.CustomsValue, rounding)
	return value, &x, err
}

func (a *assessor) goods(i int, value money.Tiyn) (tariff.Goods, error) {
	item := a.request.Items[i]
	g, err := a.view.Goods(item.CommodityCode, item.Origin, a.request.Procedure, "", value)
	if err != nil {
		return tariff.Goods{}, fault.Wrap(err, fault.CommodityUnknown, at(i, "commodity_code"), "look the goods up")
	}
	if item.Unit != "" && g.Commodity.Unit != "" && item.Unit != g.Commodity.Unit {
		return tariff.Goods{}, fault.New(fault.ItemInvalid, at(i, "unit"), "the nomenclature counts these goods in %s", g.Commodity.Unit)
	}
	return g, nil
}

// fee charges for the declaration: by the table entered with its whole value,
// once or for each item, as the measure says.
func (a *assessor) fee() error {
	for i := range a.request.Items {
		g, err := a.goods(i, a.value)
		if err != nil {
			return err
		}
		m := a.view.Measure(charge.CustomsFee, g)
		if m == nil {
			return missing(i, charge.CustomsFee, g)
		}
		number := i + 1
		if m.Rate.Unit == tariff.Declaration {
			number = 0
		}
		if err := a.charge(number, i, m, nil, basis{}); err != nil {
			return err
		}
		if number == 0 {
			return nil
		}
	}
	return nil
}

// perItem are the kinds that each item may owe, in the order of computing.
var perItem = []charge.Kind{
	charge.ImportDuty, charge.SpecialDuty, charge.AntiDumpingDuty, charge.CountervailDuty, charge.Excise, charge.ImportVAT,
}

func (a *assessor) item(i int) error {
	value := a.out.Values[i]
	g, err := a.goods(i, value)
	if err != nil {
		return err
	}
	first, preferred := len(a.out.Lines), false
	for _, kind := range perItem {
		m, ordinary, err := a.measures(i, kind, g)
		if err != nil {
			return err
		}
		preferred = preferred || (m != nil && m.Preference != "")
		if m == nil {
			continue
		}
		base, err := newBasis(kind, value, a.out.Lines[first:])
		if err != nil {
			return err
		}
		base.declared, base.exchange = a.request.Items[i].CustomsValue, a.quoted[i]
		if err := a.charge(i+1, i, m, ordinary, base); err != nil {
			return err
		}
	}
	if claimed := a.request.Items[i].Preference; claimed != "" && !preferred {
		return fault.New(fault.PreferenceInapplicable, at(i, "preference"), "no measure grants %.8q to %s of %s", claimed, g.Commodity.Code, g.Origin)
	}
	a.room = a.view.Append(a.room[:0], charge.StateServiceFee, g)
	for _, m := range a.room {
		if err := a.charge(i+1, i, m, nil, basis{}); err != nil {
			return err
		}
	}
	a.room = a.view.Append(a.room[:0], tariff.Permit, g)
	for _, m := range a.room {
		a.out.Permits = append(a.out.Permits, Permit{i + 1, m})
	}
	return nil
}

// measures finds the measure that charges a kind and, for a preference that is
// a share, the ordinary one.
func (a *assessor) measures(i int, kind charge.Kind, g tariff.Goods) (m, ordinary *tariff.Measure, err error) {
	ordinary = a.view.Measure(kind, g)
	if ordinary == nil && tariff.Required(kind) {
		return nil, nil, missing(i, kind, g)
	}
	if claimed := a.request.Items[i].Preference; claimed != "" {
		g.Preference = claimed
		m = a.view.Measure(kind, g)
	}
	switch {
	case m == nil:
		return ordinary, nil, nil
	case m.Rate.Form != tariff.Share:
		return m, nil, nil
	case ordinary == nil: // a share of what is not owed
		return nil, nil, nil
	}
	return m, ordinary, nil
}

func missing(i int, kind charge.Kind, g tariff.Goods) error {
	return fault.New(fault.MeasureMissing, at(i, "commodity_code"), "no measure of kind %s for %s of %s under procedure %s", kind, g.Commodity.Code, g.Origin, g.Procedure)
}

// charge computes one line and adds it. number is that of the item, 0 for the
// declaration.
func (a *assessor) charge(number, i int, m, ordinary *tariff.Measure, b basis) error {
	item := a.request.Items[i]
	budget, err := a.view.BudgetCode(m.Kind, m.Authority)
	if err != nil {
		return fault.Wrap(err, fault.CodeOf(err), at(i, "commodity_code"), "find the budget code")
	}
	result, err := a.compute(cmp.Or(ordinary, m).Rate, item, b.total)
	if err != nil {
		return fault.Wrap(err, fault.CodeOf(err), at(i, ""), "compute kind %s by the measure %s", m.Kind, m.ID)
	}
	if ordinary != nil {
		result.whole = result.amount
		if result.amount, err = money.Percent(result.whole, m.Rate.Percent, rounding); err != nil {
			return err
		}
	}
	l := Line{
		Charge: charge.Charge{
			Kind: m.Kind, BudgetCode: budget.Code, PurposeCode: budget.Purpose, RevenueOffice: a.request.RevenueOffice,
			Item: number, Rate: m.Rate.Text, Rounding: rounding, Amount: result.amount, Path: at(i, ""),
		},
		Authority: m.Authority, Measure: m, Ordinary: ordinary, Budget: budget, Exchange: result.exchange,
	}
	if number > 0 {
		l.CommodityCode = item.CommodityCode
	} else {
		l.Path = ""
	}
	if m.Authority != "" {
		// The fee is the ministry's, and not of the office of the declaration.
		l.RevenueOffice = charge.RevenueOffice(m.Authority)
	}
	if rate := cmp.Or(ordinary, m).Rate; rate.Form != tariff.Specific {
		l.Base = b.total
	}
	l.Quantity = result.quantity
	l.basis, l.result = b, result
	a.out.Lines = append(a.out.Lines, l)
	return nil
}
