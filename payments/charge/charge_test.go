package charge_test

import (
	"bytes"
	"math/big"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

func TestReadSample(t *testing.T) {
	d, err := charge.Read(sample.Declaration(), kz.Full)
	if err != nil {
		t.Fatal(err)
	}
	if d.Reference != sample.Reference || d.Declarant.BIN != sample.DeclarantBIN || d.Declarant.Name == "" ||
		d.RevenueOffice != sample.RevenueOffice || d.Issued.String() != "2026-11-20" {
		t.Errorf("header: %+v", d)
	}
	type line struct {
		Kind   charge.Kind
		Item   int
		Code   charge.CommodityCode
		Budget charge.BudgetCode
		Base   string
		Rate   string
		Amount string
	}
	want := []line{
		{"1010", 0, "", "106201", "0.00", "20000", "20000.00"},
		{"2010", 1, "8516720000", "106104", "1245600.37", "5", "62280.02"},
		{"5060", 1, "8516720000", "105102", "1307880.39", "16", "209260.86"},
		{"2010", 2, "3926909709", "106104", "3478910.55", "6.5", "226129.19"},
		{"5060", 2, "3926909709", "105102", "3705039.74", "16", "592806.36"},
	}
	var got []line
	for _, c := range d.Charges {
		got = append(got, line{c.Kind, c.Item, c.CommodityCode, c.BudgetCode, c.Base.String(), c.Rate, c.Amount.String()})
		if c.PurposeCode != charge.TaxObligation || c.RevenueOffice != sample.RevenueOffice || c.Path == "" {
			t.Errorf("charge %s: %+v", c.Kind, c)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d.Total.String() != "1110476.43" {
		t.Errorf("total %s", d.Total)
	}
	if len(d.Items) != 2 || d.Items[0].Origin != "CN" || d.Items[1].CustomsValue.String() != "3478910.55" {
		t.Errorf("items %+v", d.Items)
	}
}

func TestVATStandsOnValueAndDuty(t *testing.T) {
	d, err := charge.Read(sample.Declaration(), kz.Full)
	if err != nil {
		t.Fatal(err)
	}
	for i, item := range d.Items {
		duty, vat := d.Charges[1+2*i], d.Charges[2+2*i]
		if sum, _ := item.CustomsValue.Add(duty.Amount); vat.Base != sum {
			t.Errorf("item %d: VAT on %s, want %s", item.Sequence, vat.Base, sum)
		}
	}
}

func TestSampleOfAnotherDeclarant(t *testing.T) {
	d, err := charge.Read(sample.DeclarationOf("210340029574", "SD-7"), kz.FormatOnly)
	if err != nil || d.Declarant.BIN != "210340029574" || d.Reference != "SD-7" {
		t.Errorf("%+v, %v", d, err)
	}
}

// Each row changes one thing of the sample and names the refusal and its place.
// What only the tariff can check is taken as stated, and said to be so.
func TestUnchecked(t *testing.T) {
	const base = `<AdValoremTaxBaseAmount currencyID="KZT">1245600.37</AdValoremTaxBaseAmount>`
	doc := strings.Replace(string(sample.Declaration()), base, base+"<SpecificTaxBaseQuantity>400</SpecificTaxBaseQuantity>", 1)
	doc = strings.Replace(doc, "<Origin>", `<GoodsMeasure><NetNetWeightMeasure>812.5</NetNetWeightMeasure>
		<TariffQuantity>400</TariffQuantity><TariffQuantityUnitCode>pcs</TariffQuantityUnitCode></GoodsMeasure><DutyRegimeCode>DEV</DutyRegimeCode><Origin>`, 1)
	doc = strings.Replace(doc, "<Declarant>", "<GovernmentProcedure><CurrentCode>53</CurrentCode></GovernmentProcedure><Declarant>", 1)
	d, err := charge.Read([]byte(doc), kz.Full)
	if err != nil {
		t.Fatal(err)
	}
	i := d.Items[0]
	if d.Unchecked != "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem/0/Commodity/DutyTaxFee/0" || d.Procedure != "53" ||
		d.Charges[1].Quantity != "400" || d.Charges[1].Amount != 62280_02 ||
		i.NetWeight.String() != "812.5" || i.Quantity.String() != "400" || i.Unit != "pcs" || i.Preference != "DEV" {
		t.Errorf("%q, %+v, %+v", d.Unchecked, d.Charges[1], i)
	}
	if d, err := charge.Read(sample.Declaration(), kz.Full); err != nil || d.Unchecked != "" || d.Procedure != charge.FreeCirculation {
		t.Errorf("the sample: %+v, %v", d, err)
	}
}

func TestRefusals(t *testing.T) {
	const item = "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem/"
	tests := []struct {
		name, old, new string
		code           fault.Code
		at             string
	}{
		{"amount a tiyn short", ">62280.02<", ">62280.01<", fault.ChargeMismatch, item + "0/Commodity/DutyTaxFee/0/Payment/TaxAssessedAmount"},
		{"amount a tiyn more", ">592806.36<", ">592806.37<", fault.ChargeMismatch, item + "1/Commodity/DutyTaxFee/1/Payment/TaxAssessedAmount"},
		{"fee short", ">20000.00<", ">10000.00<", fault.ChargeMismatch, "/Declaration/DutyTaxFee/0/Payment/TaxAssessedAmount"},
		{"VAT base without the duty", ">1307880.39<", ">1245600.37<", fault.ChargeBaseMismatch, item + "0/Commodity/DutyTaxFee/1/AdValoremTaxBaseAmount"},
		{"duty base is not the customs value", ">1245600.37</AdValorem", ">1245600.36</AdValorem", fault.ChargeBaseMismatch, item + "0/Commodity/DutyTaxFee/0/AdValoremTaxBaseAmount"},
		{"unknown kind", "<TypeCode>2010<", "<TypeCode>2020<", fault.PaymentKindUnknown, item + "0/Commodity/DutyTaxFee/0/TypeCode"},
		{"a duty stated as excise", "<TypeCode>2010<", "<TypeCode>4010<", fault.ChargeMissing, item + "0/Commodity/DutyTaxFee"},
		{"a service fee is not the declarant's to state", "<TypeCode>2010<", "<TypeCode>9070<", fault.PaymentKindUnknown, item + "0/Commodity/DutyTaxFee/0/TypeCode"},
		{"the fee's kind on an item", "<TypeCode>2010<", "<TypeCode>1010<", fault.PaymentKindUnknown, item + "0/Commodity/DutyTaxFee/0/TypeCode"},
		{"a kind twice", "<TypeCode>5060<", "<TypeCode>2010<", fault.ChargeRepeated, item + "0/Commodity/DutyTaxFee/1"},
		{"VAT left out", vatOfItem1, "", fault.ChargeMissing, item + "0/Commodity/DutyTaxFee"},
		{"excise that VAT leaves out", "        <DutyTaxFee>\n          <TypeCode>2010<", exciseOfItem1 + "        <DutyTaxFee>\n          <TypeCode>2010<", fault.ChargeBaseMismatch, item + "0/Commodity/DutyTaxFee/2/AdValoremTaxBaseAmount"},
		{"a weight without the measure", "<Origin>", "<GoodsMeasure/><Origin>", fault.DeclarationMissing, item + "0/GoodsMeasure/NetNetWeightMeasure"},
		{"a quantity without its unit", "<Origin>", "<GoodsMeasure><NetNetWeightMeasure>1</NetNetWeightMeasure><TariffQuantity>1</TariffQuantity></GoodsMeasure><Origin>", fault.DeclarationMissing, item + "0/GoodsMeasure"},
		{"a procedure of letters", "<Declarant>", "<GovernmentProcedure><CurrentCode>IM</CurrentCode></GovernmentProcedure><Declarant>", fault.DeclarationValue, "/Declaration/GovernmentProcedure/CurrentCode"},
		{"ad valorem without a base", `<AdValoremTaxBaseAmount currencyID="KZT">1245600.37</AdValoremTaxBaseAmount>`, "", fault.DeclarationMissing, item + "0/Commodity/DutyTaxFee/0/AdValoremTaxBaseAmount"},
		{"fee without a quantity", "<SpecificTaxBaseQuantity>1</SpecificTaxBaseQuantity>", "", fault.DeclarationMissing, "/Declaration/DutyTaxFee/0/SpecificTaxBaseQuantity"},
		{"no budget code that day", "2026-11-20", "2025-11-20", fault.BudgetCodeUnknown, "/Declaration/DutyTaxFee/0"},
		{"no such day", "2026-11-20", "2026-02-30", fault.DeclarationValue, "/Declaration/IssueDateTime"},
		{"BIN's control digit", "190640017419", "190640017418", fault.BINInvalid, "/Declaration/Declarant/ID"},
		{"BIN is no number", "190640017419", "19064001741X", fault.DeclarationValue, "/Declaration/Declarant/ID"},
		{"currency", `currencyID="KZT">1245600.37</Customs`, `currencyID="USD">1245600.37</Customs`, fault.DeclarationValue, item + "0/CustomsValueAmount"},
		{"no currency", ` currencyID="KZT">1245600.37</Customs`, `>1245600.37</Customs`, fault.DeclarationValue, item + "0/CustomsValueAmount"},
		{"currency twice", `currencyID="KZT">1245600.37</Customs`, `currencyID="KZT" currencyID="KZT">1245600.37</Customs`, fault.DeclarationUnknown, item + "0/CustomsValueAmount"},
		{"negative amount", ">1245600.37</Customs", ">-1245600.37</Customs", fault.DeclarationValue, item + "0/CustomsValueAmount"},
		{"amount with white space", ">1245600.37</Customs", "> 1245600.37</Customs", fault.DeclarationValue, item + "0/CustomsValueAmount"},
		{"half a tiyn", ">1245600.37</Customs", ">1245600.375</Customs", fault.DeclarationValue, item + "0/CustomsValueAmount"},
		{"export", "<TypeCode>IM<", "<TypeCode>EX<", fault.DeclarationValue, "/Declaration/TypeCode"},
		{"item count", "<GoodsItemQuantity>2<", "<GoodsItemQuantity>3<", fault.DeclarationValue, "/Declaration/GoodsItemQuantity"},
		{"item numbers", "<SequenceNumeric>2<", "<SequenceNumeric>3<", fault.DeclarationValue, item + "1/SequenceNumeric"},
		{"short commodity code", ">8516720000<", ">851672<", fault.DeclarationValue, item + "0/Commodity/Classification/ID"},
		{"unknown element", "<Origin>", "<Preference>X</Preference><Origin>", fault.DeclarationUnknown, item + "0"},
		{"element of another namespace", "<Origin>", `<Origin xmlns="urn:x">`, fault.DeclarationUnknown, item + "0"},
		{"unknown attribute", "<Origin>", `<Origin note="x">`, fault.DeclarationUnknown, item + "0/Origin"},
		{"element twice", "<TypeCode>IM</TypeCode>", "<TypeCode>IM</TypeCode><TypeCode>IM</TypeCode>", fault.DeclarationUnknown, "/Declaration/TypeCode"},
		{"element missing", "<CountryCode>CN</CountryCode>", "", fault.DeclarationMissing, item + "0/Origin/CountryCode"},
		{"text between elements", "<Origin>", "<Origin>x", fault.DeclarationUnknown, item + "0/Origin"},
		{"comment in a value", ">62280.02<", ">62280<!-- -->.02<", fault.DeclarationMalformed, item + "0/Commodity/DutyTaxFee/0/Payment/TaxAssessedAmount"},
		{"processing instruction", "<Origin>", "<?x y?><Origin>", fault.DeclarationMalformed, item + "0"},
		{"DTD", "<Declaration ", "<!DOCTYPE Declaration [<!ENTITY a \"b\">]><Declaration ", fault.DeclarationMalformed, ""},
		{"undeclared entity", "«Дала", "&xxe;", fault.DeclarationMalformed, "/Declaration/Declarant/Name"},
		{"encoding", `encoding="UTF-8"`, `encoding="windows-1251"`, fault.DeclarationMalformed, ""},
		{"bytes that are no UTF-8", "«Дала", "\xff\xfe", fault.DeclarationMalformed, "/Declaration/Declarant/Name"},
		{"another root", "Declaration", "Declarations", fault.DeclarationUnknown, ""},
		{"another namespace", charge.Namespace, "urn:wco:datamodel", fault.DeclarationUnknown, ""},
		{"something after the end", "</Declaration>", "</Declaration><x/>", fault.DeclarationMalformed, ""},
		{"truncated", "</GoodsShipment>\n</Declaration>", "", fault.DeclarationMalformed, "/Declaration/GoodsShipment"},
		{"long text", "«Дала", strings.Repeat("я", 300), fault.DeclarationValue, "/Declaration/Declarant/Name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 1
			if tt.name == "another root" {
				n = -1
			}
			doc := strings.Replace(string(sample.Declaration()), tt.old, tt.new, n)
			if doc == string(sample.Declaration()) {
				t.Fatal("the row changes nothing")
			}
			_, err := charge.Read([]byte(doc), kz.Full)
			if fault.CodeOf(err) != tt.code {
				t.Fatalf("got %v, want %s", err, tt.code)
			}
			if at := fault.Of(err).At; at != tt.at {
				t.Errorf("at %q, want %q", at, tt.at)
			}
		})
	}
}

// exciseOfItem1 has no budget code of its own, so the tariff is asked about it;
// the base of VAT includes it all the same.
const exciseOfItem1 = `        <DutyTaxFee>
          <TypeCode>4010</TypeCode>
          <SpecificTaxBaseQuantity>400</SpecificTaxBaseQuantity>
          <TaxRateNumeric>98</TaxRateNumeric>
          <Payment>
            <TaxAssessedAmount currencyID="KZT">39200.00</TaxAssessedAmount>
          </Payment>
        </DutyTaxFee>
`

const vatOfItem1 = `        <DutyTaxFee>
          <TypeCode>5060</TypeCode>
          <AdValoremTaxBaseAmount currencyID="KZT">1307880.39</AdValoremTaxBaseAmount>
          <TaxRateNumeric>16</TaxRateNumeric>
          <Payment>
            <TaxAssessedAmount currencyID="KZT">209260.86</TaxAssessedAmount>
          </Payment>
        </DutyTaxFee>
`

func TestLimits(t *testing.T) {
	if _, err := charge.Read(nil, kz.Full); !fault.Is(err, fault.InputEmpty) {
		t.Errorf("empty: %v", err)
	}
	if _, err := charge.Read(make([]byte, 1<<20+1), kz.Full); !fault.Is(err, fault.InputTooBig) {
		t.Errorf("too long: %v", err)
	}
	nested := `<Declaration xmlns="` + charge.Namespace + `">` + strings.Repeat("<DutyTaxFee>", 10000)
	if _, err := charge.Read([]byte(nested), kz.Full); !fault.Is(err, fault.DeclarationUnknown) {
		t.Errorf("deep nesting ends at its first wrong element: %v", err)
	}
	many := `<Declaration xmlns="` + charge.Namespace + `"><GoodsShipment>` + strings.Repeat("<GovernmentAgencyGoodsItem/>", 2)
	if _, err := charge.Read([]byte(many), kz.Full); !fault.Is(err, fault.DeclarationMissing) {
		t.Errorf("an empty item: %v", err)
	}
}

func TestBudgetCodes(t *testing.T) {
	tests := []struct {
		kind charge.Kind
		day  string
		want charge.BudgetCode
	}{
		{charge.CustomsFee, "2026-04-29", "106201"}, {charge.ImportDuty, "2026-11-20", "106104"}, {charge.ImportVAT, "2027-01-01", "105102"},
		{charge.ImportVAT, "2026-04-28", ""}, {"4010", "2026-11-20", ""},
	}
	for _, tt := range tests {
		day, err := kz.ParseDay(tt.day)
		if err != nil {
			t.Fatal(err)
		}
		got, err := charge.BudgetCodeOn(tt.kind, day)
		if got != tt.want || (tt.want == "") != fault.Is(err, fault.BudgetCodeUnknown) {
			t.Errorf("%s on %s: %q, %v", tt.kind, tt.day, got, err)
		}
	}
}

// The sample is read by another XML processor and computed with other
// arithmetic: libxml2's XPath and big integers.
func TestSampleAgainstXmllint(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	query := func(path string) string {
		t.Helper()
		cmd := exec.Command(xmllint, "--nonet", "--xpath", xpath(path), "-")
		cmd.Stdin = bytes.NewReader(sample.Declaration())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("xmllint %s: %v", path, err)
		}
		return strings.TrimSpace(string(out))
	}
	for _, item := range []string{"1", "2"} {
		at := "Declaration/GoodsShipment/GovernmentAgencyGoodsItem[" + item + "]/"
		value := tiyn(t, query(at+"CustomsValueAmount"))
		duty := percent(value, query(at+"Commodity/DutyTaxFee[1]/TaxRateNumeric"))
		if stated := tiyn(t, query(at+"Commodity/DutyTaxFee[1]/Payment/TaxAssessedAmount")); duty != stated {
			t.Errorf("item %s: duty %d, stated %d", item, duty, stated)
		}
		vat := percent(value+duty, query(at+"Commodity/DutyTaxFee[2]/TaxRateNumeric"))
		if stated := tiyn(t, query(at+"Commodity/DutyTaxFee[2]/Payment/TaxAssessedAmount")); vat != stated {
			t.Errorf("item %s: VAT %d, stated %d", item, vat, stated)
		}
	}
}

// xpath spells a path without namespaces, "a/b[2]", for XPath 1.0.
func xpath(path string) string {
	var b strings.Builder
	b.WriteString("string(")
	for _, step := range strings.Split(path, "/") {
		name, index, indexed := strings.Cut(step, "[")
		b.WriteString("/*[local-name()='" + name + "']")
		if indexed {
			b.WriteString("[" + index)
		}
	}
	return b.String() + ")"
}

func tiyn(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.Replace(s, ".", "", 1), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// percent of a base in tiyn, half up, by rational numbers.
func percent(base int64, rate string) int64 {
	r, _ := new(big.Rat).SetString(rate)
	exact := r.Mul(r, big.NewRat(base, 100))
	exact.Add(exact, big.NewRat(1, 2))
	return new(big.Int).Div(exact.Num(), exact.Denom()).Int64()
}

func FuzzRead(f *testing.F) {
	f.Add(sample.Declaration())
	f.Add([]byte(`<Declaration xmlns="` + charge.Namespace + `"/>`))
	f.Add([]byte("<!DOCTYPE x>"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := charge.Read(raw, kz.FormatOnly)
		if err != nil {
			if fault.Of(err) == nil {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		var total money.Tiyn
		for _, c := range d.Charges {
			total += c.Amount
		}
		if total != d.Total || len(d.Items) == 0 {
			t.Errorf("accepted with total %s of %s and %d items", d.Total, total, len(d.Items))
		}
	})
}
