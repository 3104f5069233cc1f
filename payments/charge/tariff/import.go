package tariff

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

// The columns of a CSV file, which are also the keys of a JSON record.
var columns = []string{
	"record", "id", "code", "kind", "origin", "procedure", "preference", "from", "to", "value_from",
	"rate", "unit", "authority", "document", "name_kk", "name_ru", "name_en", "ground",
}

// shapes says of each record which columns it must fill and may fill. All
// others must be empty: a value in the wrong column is a mistake, not a note.
var shapes = map[string]struct {
	must, may string
	take      func(*builder, record) error
}{
	"tariff":    {"id ground", "", (*builder).version},
	"commodity": {"code from name_kk name_ru name_en", "to unit", (*builder).commodity},
	"group":     {"id origin from", "to", (*builder).group},
	"measure": {"id kind from rate ground", "code origin procedure preference to value_from authority name_kk name_ru name_en",
		(*builder).measure},
	"permit": {"id from authority document name_kk name_ru name_en ground", "code origin procedure to", (*builder).permit},
	"budget": {"kind code from ground", "to authority document", (*builder).budgetCode},
}

// formats are the forms of single columns, whatever the record.
var formats = map[string]*regexp.Regexp{
	"id":         regexp.MustCompile(`^[@A-Za-z0-9][A-Za-z0-9._-]{0,31}$`),
	"code":       regexp.MustCompile(`^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{8,10})$`),
	"origin":     regexp.MustCompile(`^([A-Z]{2}|@[A-Z0-9-]{1,16})$`),
	"procedure":  regexp.MustCompile(`^[0-9]{2}$`),
	"preference": regexp.MustCompile(`^[A-Z0-9]{1,8}$`),
	"document":   regexp.MustCompile(`^[0-9A-Z-]{1,16}$`),
	"authority":  regexp.MustCompile(`^[A-Z0-9-]{1,16}$`),
}

// slotMax is how many measures one kind may have at one code prefix: it bounds
// a look-up, and the search for gaps. Two hundred countries and a dozen
// changes of the rate are half of it.
const slotMax = 5000

// conflictsMax bounds how many contradictions one refusal lists.
const conflictsMax = 20

// record is one row of a file: its non-empty values by column.
type record struct {
	line   int
	values map[string]string
}

func (r record) bad(column, format string, args ...any) error {
	return fault.New(fault.TariffMalformed, r.at(column), format, args...)
}

func (r record) at(column string) string { return fmt.Sprintf("line %d, %s", r.line, column) }

// builder collects the records of a file.
type builder struct {
	t   *Tariff
	ids map[string]int // of measures, with their lines
	all []Measure
}

func newBuilder() *builder {
	return &builder{ids: make(map[string]int), t: &Tariff{
		commodities: make(map[charge.CommodityCode][]Commodity),
		measures:    make(map[slot][]Measure),
		members:     make(map[member][]interval),
		budget:      make(map[account][]BudgetCode),
	}}
}

// add checks a record's shape and takes it in.
func (b *builder) add(r record) error {
	shape, ok := shapes[r.values["record"]]
	if !ok {
		return r.bad("record", "%.20q is no kind of record", r.values["record"])
	}
	must, may := strings.Fields(shape.must), strings.Fields(shape.may)
	for _, column := range columns[1:] {
		value := r.values[column]
		switch {
		case value == "" && slices.Contains(must, column):
			return r.bad(column, "a %s must have it", r.values["record"])
		case value != "" && !slices.Contains(must, column) && !slices.Contains(may, column):
			return r.bad(column, "a %s has no such column", r.values["record"])
		case value != "" && formats[column] != nil && !formats[column].MatchString(value):
			return r.bad(column, "the value has not the required form")
		}
	}
	if (b.t.Version == "") != (r.values["record"] == "tariff") {
		return r.bad("record", "the first record, and no other, names the tariff")
	}
	return shape.take(b, r)
}

func (b *builder) version(r record) error {
	b.t.Version, b.t.Source = r.values["id"], r.values["ground"]
	return nil
}

func (b *builder) commodity(r record) error {
	v, err := r.validity()
	if err != nil {
		return err
	}
	code, unit := charge.CommodityCode(r.values["code"]), Unit(r.values["unit"])
	if len(code) != 10 {
		return r.bad("code", "a commodity has ten digits")
	}
	if unit != "" && !unit.known() {
		return r.bad("unit", "the unit is not known")
	}
	for _, other := range b.t.commodities[code] {
		if other.overlaps(v.interval) {
			return fault.New(fault.TariffConflict, r.at("code"), "%s is in the nomenclature already on a day between %s and %s", code, r.values["from"], r.values["to"])
		}
	}
	b.t.commodities[code] = append(b.t.commodities[code], Commodity{code, unit, r.texts(), v})
	return nil
}

func (b *builder) group(r record) error {
	v, err := r.validity()
	if err != nil {
		return err
	}
	key := member{r.values["id"], r.values["origin"]}
	if key.group[0] != '@' || key.country[0] == '@' {
		return r.bad("id", "a group has a name with @ and countries")
	}
	for _, other := range b.t.members[key] {
		if other.overlaps(v.interval) {
			return fault.New(fault.TariffConflict, r.at("origin"), "%s is in %s twice", key.country, key.group)
		}
	}
	b.t.members[key] = append(b.t.members[key], v.interval)
	return nil
}

func (b *builder) measure(r record) error {
	kind := charge.Kind(r.values["kind"])
	if !slices.Contains(charge.Kinds(), kind) {
		return r.bad("kind", "the tariff does not charge kind %.8q", string(kind))
	}
	rate, err := ParseRate(r.values["rate"])
	if err != nil {
		return fault.Wrap(err, fault.TariffMalformed, r.at("rate"), "read the rate")
	}
	if err := r.suits(kind, rate); err != nil {
		return err
	}
	m := Measure{Kind: kind, Rate: rate, Preference: r.values["preference"]}
	if from := r.values["value_from"]; from != "" {
		if m.ValueFrom, err = money.Parse(from); err != nil || m.ValueFrom < 0 {
			return r.bad("value_from", "not a customs value in tenge")
		}
	}
	return b.row(m, r)
}

// suits holds a rate against its kind: what each kind can be computed from.
func (r record) suits(kind charge.Kind, rate Rate) error {
	perDeclaration := rate.HasSpecific() && rate.Unit == Declaration
	switch {
	case kind == charge.CustomsFee && (rate.Form != Specific || (rate.Unit != Declaration && rate.Unit != PerItem)):
		return r.bad("rate", "a customs fee is an amount per declaration or item")
	case kind == charge.CustomsFee && (r.values["code"] != "" || r.values["origin"] != "" || r.values["preference"] != ""):
		return r.bad("kind", "a customs fee is of all goods and origins")
	case kind == charge.StateServiceFee && (rate.Form != Specific || r.values["authority"] == "" || r.values["name_ru"] == "" ||
		r.values["name_kk"] == "" || r.values["name_en"] == ""):
		return r.bad("kind", "a state body's fee is an amount per unit, and names the body and the service in three languages")
	case kind != charge.StateServiceFee && (r.values["authority"] != "" || r.values["name_ru"]+r.values["name_kk"]+r.values["name_en"] != ""):
		return r.bad("authority", "only a state body's fee has an authority and a name")
	case kind != charge.CustomsFee && (perDeclaration || r.values["value_from"] != ""):
		return r.bad("rate", "only a customs fee is by declaration and value")
	case rate.Form == Share && r.values["preference"] == "":
		return r.bad("rate", "only a preference is a share of another rate")
	}
	return nil
}

func (b *builder) permit(r record) error { return b.row(Measure{Kind: Permit}, r) }

// row fills what measures and permits share.
func (b *builder) row(m Measure, r record) (err error) {
	if m.Validity, err = r.validity(); err != nil {
		return err
	}
	if line, twice := b.ids[r.values["id"]]; twice {
		return fault.New(fault.TariffConflict, r.at("id"), "the measure of line %d has the same name", line)
	}
	b.ids[r.values["id"]] = r.line
	m.ID, m.Prefix, m.Origin, m.Procedure = r.values["id"], r.values["code"], r.values["origin"], r.values["procedure"]
	m.Authority, m.Document, m.Name = r.values["authority"], r.values["document"], r.texts()
	m.Ground, m.Line = r.values["ground"], r.line
	b.all = append(b.all, m)
	return nil
}

func (b *builder) budgetCode(r record) error {
	v, err := r.validity()
	if err != nil {
		return err
	}
	kind, purpose := charge.Kind(r.values["kind"]), charge.PurposeCode(cmp.Or(r.values["document"], string(charge.TaxObligation)))
	switch {
	case !slices.Contains(charge.Kinds(), kind):
		return r.bad("kind", "the tariff does not charge kind %.8q", string(kind))
	case len(r.values["code"]) != 6:
		return r.bad("code", "a budget code has six digits")
	case len(purpose) != 3 || strings.Trim(string(purpose), "0123456789") != "":
		return r.bad("document", "a purpose code has three digits")
	case (kind == charge.StateServiceFee) != (r.values["authority"] != ""):
		return r.bad("authority", "a state body's fee, and no other, has one budget code for each body")
	}
	key := account{kind, r.values["authority"]}
	for _, other := range b.t.budget[key] {
		if other.overlaps(v.interval) {
			return fault.New(fault.TariffConflict, r.at("code"), "two budget codes of kind %s", kind)
		}
	}
	b.t.budget[key] = append(b.t.budget[key], BudgetCode{charge.BudgetCode(r.values["code"]), purpose, r.values["ground"], v})
	return nil
}

func (r record) texts() Texts {
	return Texts{KK: r.values["name_kk"], RU: r.values["name_ru"], EN: r.values["name_en"]}
}

func (r record) validity() (Validity, error) {
	from, err := kz.ParseDay(r.values["from"])
	if err != nil {
		return Validity{}, fault.Wrap(err, fault.TariffMalformed, r.at("from"), "read the first day")
	}
	var to kz.Day
	if r.values["to"] != "" {
		if to, err = kz.ParseDay(r.values["to"]); err != nil {
			return Validity{}, fault.Wrap(err, fault.TariffMalformed, r.at("to"), "read the last day")
		}
		if to.Before(from) {
			return Validity{}, r.bad("to", "the last day is before the first")
		}
	}
	return newValidity(from, to), nil
}

// finish holds the records against each other.
func (b *builder) finish() (*Tariff, error) {
	if b.t.Version == "" || len(b.t.commodities) == 0 || len(b.all) == 0 {
		return nil, fault.New(fault.TariffMalformed, "", "a tariff has a name, commodities and measures")
	}
	groups := make(map[string][]member)
	for m := range b.t.members {
		groups[m.group] = append(groups[m.group], m)
	}
	for _, m := range b.all {
		if strings.HasPrefix(m.Origin, "@") && groups[m.Origin] == nil {
			return nil, fault.New(fault.TariffMalformed, fmt.Sprintf("line %d, origin", m.Line), "the group %s has no members", m.Origin)
		}
		key := slot{m.Kind, number(m.Prefix), len(m.Prefix)}
		if len(b.t.measures[key]) == slotMax {
			return nil, fault.New(fault.InputTooBig, fmt.Sprintf("line %d, code", m.Line), "more than %d measures of kind %s at one code", slotMax, m.Kind)
		}
		b.t.measures[key] = append(b.t.measures[key], m)
	}
	b.t.count = len(b.all)
	if err := b.conflicts(groups); err != nil {
		return nil, err
	}
	b.t.findGaps()
	return b.t, nil
}

// conflicts refuses measures of which neither would win. Measures are swept by
// their first day beside those still in force, which are few, because those
// would be conflicts themselves.
func (b *builder) conflicts(groups map[string][]member) error {
	rows := make([]ranked, len(b.all))
	for i := range b.all {
		rows[i] = ranked{b.all[i].rank(), &b.all[i]}
	}
	slices.SortStableFunc(rows, func(x, y ranked) int { return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(x.from, y.from)) })
	var found []string
	var active []ranked
	for _, m := range rows {
		active = slices.DeleteFunc(active, func(a ranked) bool { return a.to < m.from || a.rank != m.rank })
		for _, a := range active {
			if b.shareOrigin(a.Measure, m.Measure, groups) {
				found = append(found, fmt.Sprintf("%s of line %d and %s of line %d", a.ID, a.Line, m.ID, m.Line))
			}
		}
		if len(found) >= conflictsMax {
			break
		}
		active = append(active, m)
	}
	if len(found) > 0 {
		return fault.New(fault.TariffConflict, "", "in force at once for the same goods: %s", strings.Join(found, "; "))
	}
	return nil
}

type ranked struct {
	rank string
	*Measure
}

// rank is equal for measures that only origin and days can tell apart.
func (m *Measure) rank() string {
	return strings.Join([]string{string(m.Kind), m.Prefix, m.Procedure, m.Preference, m.Authority, m.Document, m.ValueFrom.String()}, "|")
}

// shareOrigin reports whether some country meets both measures, which overlap
// in time, at the same nearness.
func (b *builder) shareOrigin(x, y *Measure, groups map[string][]member) bool {
	if x.Origin == y.Origin {
		return true
	}
	if x.near() != 1 || y.near() != 1 {
		return false
	}
	for _, m := range groups[x.Origin] {
		for _, i := range b.t.members[m] {
			for _, j := range b.t.members[member{y.Origin, m.country}] {
				both := interval{max(x.from, y.from), min(x.to, y.to)}
				if i.overlaps(j) && i.overlaps(both) && j.overlaps(both) {
					return true
				}
			}
		}
	}
	return false
}

// required are the kinds that every import must find an ordinary rate of.
var required = []charge.Kind{charge.CustomsFee, charge.ImportDuty, charge.ImportVAT}

// Required reports whether goods without a measure of the kind are refused
// rather than free of it.
func Required(kind charge.Kind) bool { return slices.Contains(required, kind) }

// findGaps walks the days of each commodity along its ordinary measures.
func (t *Tariff) findGaps() {
	for code, spans := range t.commodities {
		for _, kind := range required {
			rates := t.ordinary(kind, code)
			for _, c := range spans {
				t.gaps = append(t.gaps, gaps(c, kind, rates)...)
			}
		}
	}
	slices.SortFunc(t.gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From.String(), b.From.String()))
	})
}

// ordinary lists the measures that hold whatever the origin, procedure and
// value, by their first day.
func (t *Tariff) ordinary(kind charge.Kind, code charge.CommodityCode) []Measure {
	var found []Measure
	for _, length := range prefixes {
		for _, m := range t.measures[slot{kind, number(string(code[:length])), length}] {
			if m.Origin == "" && m.Procedure == "" && m.Preference == "" && m.ValueFrom == 0 {
				found = append(found, m)
			}
		}
	}
	slices.SortFunc(found, func(a, b Measure) int { return cmp.Compare(a.from, b.from) })
	return found
}

// gaps lists the days of c that no measure covers.
func gaps(c Commodity, kind charge.Kind, rates []Measure) []Gap {
	var found []Gap
	next, nextDay := c.from, c.From // the first day not yet covered
	for _, m := range rates {
		if m.to < next {
			continue
		}
		if m.from > c.to {
			break
		}
		if m.from > next {
			found = append(found, Gap{c.Code, kind, nextDay, m.From.AddDays(-1)})
		}
		if m.to == math.MaxInt64 {
			return found
		}
		nextDay = m.To.AddDays(1)
		next = nextDay.Start().Unix()
	}
	if next <= c.to {
		found = append(found, Gap{c.Code, kind, nextDay, c.To})
	}
	return found
}
