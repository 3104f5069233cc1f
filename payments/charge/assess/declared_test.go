package assess

import (
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/charge"
)

// beer is the first item of the sample made into goods with a specific duty
// and excise: 300 000.55 tenge of beer, 1000 litres.
func beer(t *testing.T, change ...string) *charge.Declaration {
	t.Helper()
	doc := string(sample.Declaration())
	cut := func(from, to, with string) {
		a := strings.Index(doc, from)
		b := a + strings.Index(doc[a:], to)
		doc = doc[:a] + with + doc[b:]
	}
	cut("<DutyTaxFee>\n          <TypeCode>2010", "</Commodity>", `
		<DutyTaxFee><TypeCode>2010</TypeCode><SpecificTaxBaseQuantity>1000</SpecificTaxBaseQuantity><TaxRateNumeric>10.8</TaxRateNumeric>
			<Payment><TaxAssessedAmount currencyID="KZT">10800.00</TaxAssessedAmount></Payment></DutyTaxFee>
		<DutyTaxFee><TypeCode>4010</TypeCode><SpecificTaxBaseQuantity>1000</SpecificTaxBaseQuantity><TaxRateNumeric>98</TaxRateNumeric>
			<Payment><TaxAssessedAmount currencyID="KZT">98000.00</TaxAssessedAmount></Payment></DutyTaxFee>
		<DutyTaxFee><TypeCode>5060</TypeCode><AdValoremTaxBaseAmount currencyID="KZT">408800.55</AdValoremTaxBaseAmount><TaxRateNumeric>16</TaxRateNumeric>
			<Payment><TaxAssessedAmount currencyID="KZT">65408.09</TaxAssessedAmount></Payment></DutyTaxFee>`)
	for _, r := range [][2]string{
		{"2026-11-20", "2026-08-01"}, {">1245600.37<", ">300000.55<"}, {"8516720000", "2203000100"},
		{"<Origin>", "<GoodsMeasure><NetNetWeightMeasure>1100</NetNetWeightMeasure><TariffQuantity>1000</TariffQuantity><TariffQuantityUnitCode>l</TariffQuantityUnitCode></GoodsMeasure><Origin>"},
	} {
		doc = strings.Replace(doc, r[0], r[1], 1)
	}
	for i := 0; i+1 < len(change); i += 2 {
		if !strings.Contains(doc, change[i]) {
			t.Fatalf("%q changes nothing", change[i])
		}
		doc = strings.Replace(doc, change[i], change[i+1], 1)
	}
	d, err := charge.Read([]byte(doc), kz.Full)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeclared(t *testing.T) {
	s, rates, _ := world(t)
	d := beer(t)
	a, err := Declared(s, rates, d)
	if err != nil {
		t.Fatal(err)
	}
	if a.Total != d.Total || d.Unchecked == "" {
		t.Errorf("assessed %s, stated %s; unchecked %q", a.Total, d.Total, d.Unchecked)
	}
	for i, c := range a.Charges() {
		if c.Path != d.Charges[i].Path || c.BudgetCode == "" || c.Ground.Measure == "" || len(c.Ground.Explanation) != 3 {
			t.Errorf("%+v", c)
		}
	}
	if x := a.Charges()[1].Ground.Exchanges; len(x) != 1 || x[0].Currency != "EUR" || x[0].Day != d.Issued {
		t.Errorf("the duty in euro rests on %+v", x)
	}

	// The whole sample, whose rates are ad valorem.
	plain, err := charge.Read(sample.Declaration(), kz.Full)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := Declared(s, nil, plain); err != nil || a.Total != plain.Total {
		t.Errorf("the sample: %+v, %v", a, err)
	}
}

// A ministry's fee is nobody's to state: it comes with the assessment, for the
// ministry.
func TestDeclaredAddsServiceFees(t *testing.T) {
	s, rates, _ := world(t)
	d := beer(t, "2203000100", "0805102200", "CN", "EG", "<TariffQuantity>1000</TariffQuantity><TariffQuantityUnitCode>l</TariffQuantityUnitCode>", "")
	d.Charges = d.Charges[:0] // what it states is tested elsewhere
	_, err := Declared(s, rates, d)
	if !fault.Is(err, fault.ChargeMissing) {
		t.Fatal(err)
	}
	a, err := Assess(s, rates, RequestOf(d))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range a.Lines {
		if l.Kind != charge.StateServiceFee {
			d.Charges = append(d.Charges, l.Charge)
		}
	}
	b, err := Declared(s, rates, d)
	if err != nil || b.Total != a.Total {
		t.Fatalf("%+v, %v", b, err)
	}
	fees := 0
	for _, c := range b.Charges() {
		if c.Kind == charge.StateServiceFee {
			fees++
			if c.RevenueOffice != "MA-PHYTO" || c.Path != d.Items[0].Path {
				t.Errorf("%+v", c)
			}
		}
	}
	if fees != 1 {
		t.Errorf("%d fees", fees)
	}
}

func TestDeclaredRefuses(t *testing.T) {
	s, rates, _ := world(t)
	const item = "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem/0"
	tests := []struct {
		name   string
		change []string
		code   fault.Code
		at     string
	}{
		{"a duty a tiyn short", []string{">10800.00<", ">10799.99<", ">408800.55<", ">408800.54<"}, fault.ChargeMismatch, item + "/Commodity/DutyTaxFee/0/Payment/TaxAssessedAmount"},
		{"an excise a tiyn more", []string{">98000.00<", ">98000.01<", ">408800.55<", ">408800.56<"}, fault.ChargeMismatch, item + "/Commodity/DutyTaxFee/1/Payment/TaxAssessedAmount"},
		{"less beer", []string{">1000</TariffQuantity>", ">999</TariffQuantity>"}, fault.ChargeMismatch, item + "/Commodity/DutyTaxFee/0/Payment/TaxAssessedAmount"},
		{"no quantity", []string{"<TariffQuantity>1000</TariffQuantity><TariffQuantityUnitCode>l</TariffQuantityUnitCode>", ""}, fault.QuantityMissing, "/items/0"},
		{"no such goods", []string{"2203000100", "2203000101"}, fault.CommodityUnknown, "/items/0/commodity_code"},
		{"a kind that nothing owes", []string{"<TypeCode>4010<", "<TypeCode>2040<"}, fault.ChargeMissing, item + "/DutyTaxFee"},
		{"a fee of another amount", []string{"<TaxRateNumeric>20000<", "<TaxRateNumeric>6000<", ">20000.00<", ">6000.00<"}, fault.ChargeMismatch, "/Declaration/DutyTaxFee/0/Payment/TaxAssessedAmount"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a, err := Declared(s, rates, beer(t, tt.change...)); !fault.Is(err, tt.code) || fault.Of(err).At != tt.at {
				t.Errorf("%v, %v; want %s at %s", a, err, tt.code, tt.at)
			}
		})
	}
	over := beer(t)
	over.Charges = append(over.Charges, charge.Charge{Kind: charge.SpecialDuty, Item: 1, Amount: 1, Path: "/extra"})
	if _, err := Declared(s, rates, over); !fault.Is(err, fault.ChargeMismatch) || fault.Of(err).At != "/extra" {
		t.Errorf("more than is owed: %v", err)
	}
}
