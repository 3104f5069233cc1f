package charge

import (
	"cmp"
	"strconv"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// Declaration is what the service takes from a single input document.
type Declaration struct {
	Reference     string        // the declarant's own number
	Issued        kz.Day        // the day whose budget codes apply
	RevenueOffice RevenueOffice //
	Procedure     string        // customs procedure, two digits
	Declarant     Party         // who owes; to be compared with who signed
	Items         []Item
	Charges       []Charge // of the declaration first, then item by item
	Total         money.Tiyn
	// Unchecked is where a charge stands that only the tariff can check: one
	// with a specific or combined rate. It is "" if there is none.
	Unchecked string
}

// FreeCirculation is the customs procedure of release for domestic
// consumption.
const FreeCirculation = "40"

// Party is an organisation of the declaration.
type Party struct {
	BIN  kz.BIN
	Name string
}

// Item is one commodity line.
type Item struct {
	Sequence      int
	CommodityCode CommodityCode
	Description   string
	Origin        string // ISO 3166-1 alpha-2
	CustomsValue  money.Tiyn
	NetWeight     money.Rate // kilograms; zero if not stated
	Quantity      money.Rate // in Unit; zero if not stated
	Unit          string     // supplementary unit, ""
	Preference    string     // the preference claimed, ""
	Path          string
}

// Charge is one payment that the declaration owes.
type Charge struct {
	Kind          Kind
	BudgetCode    BudgetCode
	PurposeCode   PurposeCode
	RevenueOffice RevenueOffice
	Item          int           // sequence of the commodity line, 0 for the declaration itself
	CommodityCode CommodityCode // "" for the declaration itself
	Base          money.Tiyn    // taxed value; 0 if the charge is per unit
	Quantity      string        // units charged; "" if the charge is ad valorem
	Rate          string        // per cent of the base, or tenge per unit
	Rounding      money.Rounding
	Amount        money.Tiyn
	Path          string  // where the document states it
	Ground        *Ground // nil if it was not computed from the tariff
}

// Ground says by what a charge is owed, so that the payer can follow it years
// later without the tariff.
type Ground struct {
	Measure     string            `json:"measure"`        // its id in the tariff
	Tariff      string            `json:"tariff"`         // the tariff's version
	Act         string            `json:"act"`            // the act that sets the measure
	From        kz.Day            `json:"from"`           // in force from,
	To          kz.Day            `json:"to,omitzero"`    // and to; the zero Day: until further notice
	Exchanges   []money.Exchange  `json:"exchanges"`      // the rates of the day of registration that were used
	Note        string            `json:"note,omitempty"` // in the words of who told the charge
	Explanation map[string]string `json:"explanation"`    // the computation in words, by language: kk, ru, en
}

// Read parses a single input document and checks its arithmetic. c is the
// control of the declarant's BIN.
func Read(raw []byte, c kz.Control) (*Declaration, error) {
	root, err := readTree(raw)
	if err != nil {
		return nil, err
	}
	d := &Declaration{
		Reference:     root.only("FunctionalReferenceID").text,
		RevenueOffice: RevenueOffice(root.only("DeclarationOfficeID").text),
		Procedure:     FreeCirculation,
	}
	if p := root.optional("GovernmentProcedure"); p != nil {
		d.Procedure = p.only("CurrentCode").text
	}
	if d.Issued, err = readDay(root.only("IssueDateTime")); err != nil {
		return nil, err
	}
	if d.Declarant, err = readParty(root.only("Declarant"), c); err != nil {
		return nil, err
	}
	if err := d.assess(root); err != nil {
		return nil, err
	}
	return d, nil
}

// assess reads the items and every charge, of the declaration and of each
// item, and adds them up.
func (d *Declaration) assess(root *node) error {
	if err := d.charges(root, Item{}); err != nil {
		return err
	}
	items := root.only("GoodsShipment").children["GovernmentAgencyGoodsItem"]
	if stated := root.only("GoodsItemQuantity"); stated.text != strconv.Itoa(len(items)) {
		return fault.New(fault.DeclarationValue, stated.path, "the declaration has %d items", len(items))
	}
	for i, n := range items {
		item, err := readItem(n, i+1)
		if err != nil {
			return err
		}
		d.Items = append(d.Items, item)
		if err := d.charges(n.only("Commodity"), item); err != nil {
			return err
		}
	}
	for _, c := range d.Charges {
		var err error
		if d.Total, err = d.Total.Add(c.Amount); err != nil {
			return fault.Wrap(err, fault.AmountOverflow, "/Declaration", "add up the charges")
		}
	}
	return nil
}

// charges reads the DutyTaxFee elements of one commodity line, or of the
// declaration itself if item is the zero Item. The fee, the duty and the VAT
// must be stated exactly once where they belong: a line left out would be a
// payment forgiven. A line that is exempt states the rate 0.
func (d *Declaration) charges(parent *node, item Item) error {
	stated := make(map[Kind]*node)
	for _, n := range parent.children["DutyTaxFee"] {
		code := n.only("TypeCode")
		kind := Kind(code.text)
		row, known := kinds[kind]
		if !known || !row.stated || row.perItem != (item.Sequence > 0) {
			return fault.New(fault.PaymentKindUnknown, code.path, "kind %s does not belong here", kind)
		}
		if stated[kind] != nil {
			return fault.New(fault.ChargeRepeated, n.path, "kind %s is stated twice", kind)
		}
		stated[kind] = n
	}
	amounts := make(map[Kind]money.Tiyn)
	for _, kind := range Kinds() { // in this order: a base includes only what stands before it
		row, n := kinds[kind], stated[kind]
		switch {
		case !row.stated || row.perItem != (item.Sequence > 0), n == nil && !row.required:
			continue
		case n == nil:
			return fault.New(fault.ChargeMissing, parent.path+"/DutyTaxFee", "kind %s is not stated", kind)
		}
		base, err := Base(kind, item.CustomsValue, amounts)
		if err != nil {
			return fault.Wrap(err, fault.AmountOverflow, n.path, "add up the base")
		}
		c, err := d.charge(kind, n, item, base)
		if err != nil {
			return err
		}
		amounts[kind] = c.Amount
		d.Charges = append(d.Charges, c)
	}
	return nil
}

// charge reads one DutyTaxFee and, where its own figures allow it, computes it
// again. base is what an ad valorem charge must be computed on.
func (d *Declaration) charge(kind Kind, n *node, item Item, base money.Tiyn) (Charge, error) {
	code, err := BudgetCodeOn(kind, d.Issued)
	if err != nil && kinds[kind].required {
		return Charge{}, fault.Wrap(err, fault.BudgetCodeUnknown, n.path, "find the budget code")
	}
	c := Charge{
		Kind: kind, BudgetCode: code, PurposeCode: TaxObligation, RevenueOffice: d.RevenueOffice,
		Item: item.Sequence, CommodityCode: item.CommodityCode,
		Rate: n.only("TaxRateNumeric").text, Rounding: money.HalfUpTiyn, Path: n.path,
	}
	assessed := n.only("Payment").only("TaxAssessedAmount")
	stated, err := readAmount(assessed)
	if err != nil {
		return Charge{}, err
	}
	quantity := n.optional("SpecificTaxBaseQuantity")
	switch {
	case kinds[kind].adValorem && quantity != nil, code == "":
		// A specific or combined rate, or money that only the tariff's table of
		// budget codes has a place for.
		d.Unchecked = cmp.Or(d.Unchecked, n.path)
		c.Amount = stated
		if quantity != nil {
			c.Quantity = quantity.text
		}
		return c, nil
	case kinds[kind].adValorem:
		c.Amount, err = c.adValorem(n, base)
	default:
		c.Amount, err = c.perUnit(n)
	}
	if err != nil {
		return Charge{}, err
	}
	if stated != c.Amount {
		return Charge{}, fault.New(fault.ChargeMismatch, assessed.path, "stated %s, computed %s", stated, c.Amount)
	}
	return c, nil
}

func (c *Charge) adValorem(n *node, want money.Tiyn) (money.Tiyn, error) {
	stated := n.optional("AdValoremTaxBaseAmount")
	if stated == nil {
		return 0, fault.New(fault.DeclarationMissing, n.path+"/AdValoremTaxBaseAmount", "kind %s is charged ad valorem", c.Kind)
	}
	base, err := readAmount(stated)
	if err != nil {
		return 0, err
	}
	if base != want {
		return 0, fault.New(fault.ChargeBaseMismatch, stated.path, "stated %s, computed %s", base, want)
	}
	c.Base = base
	rate, err := money.ParseRate(c.Rate)
	if err != nil {
		return 0, fault.Wrap(err, fault.DeclarationValue, n.path+"/TaxRateNumeric", "read the rate")
	}
	amount, err := money.Percent(base, rate, c.Rounding)
	if err != nil {
		return 0, fault.Wrap(err, fault.AmountOverflow, n.path, "compute kind %s", c.Kind)
	}
	return amount, nil
}

func (c *Charge) perUnit(n *node) (money.Tiyn, error) {
	if b := n.optional("AdValoremTaxBaseAmount"); b != nil {
		return 0, fault.New(fault.DeclarationUnknown, b.path, "kind %s is charged per unit", c.Kind)
	}
	stated := n.optional("SpecificTaxBaseQuantity")
	if stated == nil {
		return 0, fault.New(fault.DeclarationMissing, n.path+"/SpecificTaxBaseQuantity", "kind %s is charged per unit", c.Kind)
	}
	c.Quantity = stated.text
	quantity, err := money.ParseRate(c.Quantity)
	if err != nil {
		return 0, fault.Wrap(err, fault.DeclarationValue, stated.path, "read the quantity")
	}
	perUnit, err := money.Parse(c.Rate)
	if err != nil {
		return 0, fault.Wrap(err, fault.DeclarationValue, n.path+"/TaxRateNumeric", "read the rate per unit")
	}
	amount, err := money.Times(perUnit, quantity, c.Rounding)
	if err != nil {
		return 0, fault.Wrap(err, fault.AmountOverflow, n.path, "compute kind %s", c.Kind)
	}
	return amount, nil
}

func readItem(n *node, sequence int) (Item, error) {
	if s := n.only("SequenceNumeric"); s.text != strconv.Itoa(sequence) {
		return Item{}, fault.New(fault.DeclarationValue, s.path, "items are not numbered 1, 2, 3 …")
	}
	value, err := readAmount(n.only("CustomsValueAmount"))
	if err != nil {
		return Item{}, err
	}
	commodity := n.only("Commodity")
	item := Item{
		Sequence:      sequence,
		CommodityCode: CommodityCode(commodity.only("Classification").only("ID").text),
		Description:   commodity.only("Description").text,
		Origin:        n.only("Origin").only("CountryCode").text,
		CustomsValue:  value,
		Path:          n.path,
	}
	if claimed := n.optional("DutyRegimeCode"); claimed != nil {
		item.Preference = claimed.text
	}
	if m := n.optional("GoodsMeasure"); m != nil {
		return item, item.measure(m)
	}
	return item, nil
}

func (i *Item) measure(m *node) (err error) {
	weight := m.only("NetNetWeightMeasure")
	if i.NetWeight, err = money.ParseRate(weight.text); err != nil {
		return fault.Wrap(err, fault.DeclarationValue, weight.path, "read the net weight")
	}
	quantity, unit := m.optional("TariffQuantity"), m.optional("TariffQuantityUnitCode")
	switch {
	case (quantity == nil) != (unit == nil):
		return fault.New(fault.DeclarationMissing, m.path, "a quantity and its unit stand together")
	case quantity == nil:
		return nil
	}
	i.Unit = unit.text
	if i.Quantity, err = money.ParseRate(quantity.text); err != nil {
		return fault.Wrap(err, fault.DeclarationValue, quantity.path, "read the quantity")
	}
	return nil
}

func readParty(n *node, c kz.Control) (Party, error) {
	id := n.only("ID")
	bin, err := kz.ParseBIN(id.text, c)
	if err != nil {
		return Party{}, fault.Wrap(err, fault.BINInvalid, id.path, "read the declarant's BIN")
	}
	return Party{BIN: bin, Name: n.only("Name").text}, nil
}

func readDay(n *node) (kz.Day, error) {
	day, err := kz.ParseDay(n.text)
	if err != nil {
		return kz.Day{}, fault.Wrap(err, fault.DeclarationValue, n.path, "read the date")
	}
	return day, nil
}

func readAmount(n *node) (money.Tiyn, error) {
	amount, err := money.Parse(n.text)
	if err != nil {
		return 0, fault.Wrap(err, fault.DeclarationValue, n.path, "read the amount")
	}
	return amount, nil
}
