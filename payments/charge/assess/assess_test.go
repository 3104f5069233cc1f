package assess

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/money"
)

var update = flag.Bool("update", false, "write the golden file anew")

// fataler is what tests, benchmarks and properties have in common.
type fataler interface{ Fatal(...any) }

func rate(t fataler, s string) money.Rate {
	r, err := money.ParseRate(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// world is the sample tariff and round rates: 600 tenge a euro, 500 a dollar.
func world(t fataler) (*tariff.Tariff, *money.Exchanges, kz.Day) {
	s, err := tariff.Sample()
	if err != nil {
		t.Fatal(err)
	}
	day, err := kz.ParseDay("2026-08-01")
	if err != nil {
		t.Fatal(err)
	}
	rates, err := money.NewExchanges(
		money.Exchange{Currency: "EUR", Units: 1, Tenge: rate(t, "600"), Day: day, Source: "test"},
		money.Exchange{Currency: "USD", Units: 1, Tenge: rate(t, "500"), Day: day, Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s, rates, day
}

func item(t fataler, code, origin, preference, value, currency, weight, quantity, unit string) Item {
	return Item{
		CommodityCode: charge.CommodityCode(code), Origin: origin, Preference: preference, CustomsValue: rate(t, value), Currency: currency,
		NetWeight: rate(t, weight), Quantity: rate(t, quantity), Unit: tariff.Unit(unit),
	}
}

// examples are declarations worked by hand: the amounts by kind, in order.
func examples(t fataler) []example {
	return []example{
		{"not less than, by weight", item(t, "0805102200", "EG", "", "1000000", "", "10000", "0", ""),
			"1010=20000.00 2010=120000.00 5060=179200.00 SF=12000.00", "331200.00"},
		{"not less than, by value", item(t, "0201300004", "BR", "", "1000000", "KZT", "1000", "0", ""),
			"1010=20000.00 2010=150000.00 5060=184000.00 SF=4500.00", "358500.00"},
		{"plus, in dollars, with excise", item(t, "2402209000", "DE", "", "1000", "USD", "100", "10000", "pcs"),
			"1010=20000.00 2010=190000.00 4010=173000.00 5060=138080.00", "521080.00"},
		{"a developing country's share, and a special duty", item(t, "6403999600", "VN", "DEV", "600000", "", "80", "100", "pair"),
			"1010=20000.00 2010=54000.00 2040=55800.00 5060=113568.00", "243368.00"},
		{"dumped", item(t, "7318159008", "CN", "", "2000000", "", "900", "0", ""),
			"1010=20000.00 2010=200000.00 2050=296000.00 5060=399360.00", "915360.00"},
		{"dear: the table of fees", item(t, "7318159008", "DE", "", "50000000", "", "900", "0", ""),
			"1010=35000.00 2010=5000000.00 5060=8800000.00", "13835000.00"},
		{"subsidized", item(t, "7208390000", "IN", "", "1000000", "", "5000", "0", ""),
			"1010=20000.00 2010=50000.00 2060=45000.00 5060=175200.00", "290200.00"},
		{"specific, half a tiyn", item(t, "2203000100", "CZ", "", "300000.55", "", "1100", "1000", "l"),
			"1010=20000.00 2010=10800.00 4010=98000.00 5060=65408.09", "194208.09"},
		{"free of duty", item(t, "8471300000", "CN", "", "1000000", "", "50", "20", "pcs"),
			"1010=20000.00 2010=0.00 5060=160000.00", "180000.00"},
		{"free by agreement", item(t, "7318159008", "UZ", "FTA", "1000000", "", "400", "0", ""),
			"1010=20000.00 2010=0.00 5060=160000.00", "180000.00"},
	}
}

type example struct {
	name        string
	item        Item
	want, total string
}

func (e example) request(day kz.Day) Request {
	return Request{Registered: day, RevenueOffice: "6009", Procedure: "40", Items: []Item{e.item}}
}

func TestWorkedByHand(t *testing.T) {
	s, rates, day := world(t)
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			a, err := Assess(s, rates, e.request(day))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range a.Lines {
				got = append(got, fmt.Sprintf("%s=%s", l.Kind, l.Amount))
				if l.BudgetCode == "" || l.PurposeCode == "" || l.Measure.Ground == "" || l.Rounding != money.HalfUpTiyn {
					t.Errorf("a line without its requisites or ground: %+v", l)
				}
			}
			if strings.Join(got, " ") != e.want || a.Total.String() != e.total {
				t.Errorf("%s, total %s; want %s, total %s", strings.Join(got, " "), a.Total, e.want, e.total)
			}
		})
	}
}

// The explanations are read by people: the file is the test's and theirs.
func TestExplanations(t *testing.T) {
	s, rates, day := world(t)
	var b strings.Builder
	for _, e := range examples(t) {
		a, err := Assess(s, rates, e.request(day))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n", e.name)
		for _, l := range a.Lines {
			fmt.Fprintf(&b, "%s КБК %s КНП %s\n  kk %s\n  ru %s\n  en %s\n", l.Kind, l.BudgetCode, l.PurposeCode,
				l.Explain(fault.Kazakh), l.Explain(fault.Russian), l.Explain(fault.English))
		}
		for _, p := range a.Permits {
			fmt.Fprintf(&b, "permit %s %s: %s\n", p.Measure.Document, p.Measure.Authority, p.Measure.Name.EN)
		}
	}
	got := strings.ReplaceAll(b.String(), "\u00a0", " ") // so that the file reads and greps plainly
	golden := filepath.Join("testdata", "explanations.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	s, rates, day := world(t)
	good := item(t, "6403999600", "VN", "", "600000", "", "80", "100", "pair")
	early, err := kz.ParseDay("2026-07-31")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		spoil func(*Request)
		code  fault.Code
		at    string
	}{
		{"no day", func(r *Request) { r.Registered = kz.Day{} }, fault.ItemInvalid, "/registered"},
		{"no items", func(r *Request) { r.Items = nil }, fault.ItemInvalid, "/items"},
		{"too many items", func(r *Request) { r.Items = make([]Item, itemsMax+1) }, fault.ItemInvalid, "/items"},
		{"no procedure", func(r *Request) { r.Procedure = "4x" }, fault.ItemInvalid, "/procedure"},
		{"no origin", func(r *Request) { r.Items[0].Origin = "" }, fault.ItemInvalid, "/items/0/origin"},
		{"negative", func(r *Request) { r.Items[0].CustomsValue = good.CustomsValue.Neg() }, fault.ItemInvalid, "/items/0"},
		{"a quantity of nothing", func(r *Request) { r.Items[0].Unit = "" }, fault.ItemInvalid, "/items/0/unit"},
		{"another unit", func(r *Request) { r.Items[0].Unit = "l" }, fault.ItemInvalid, "/items/0/unit"},
		{"no quantity", func(r *Request) { r.Items[0].Quantity = money.Rate{} }, fault.QuantityMissing, "/items/0"},
		{"unknown code", func(r *Request) { r.Items[0].CommodityCode = "6403999601" }, fault.CommodityUnknown, "/items/0/commodity_code"},
		{"no such preference", func(r *Request) { r.Items[0].Preference = "LDC" }, fault.PreferenceInapplicable, "/items/0/preference"},
		{"no rate of the day", func(r *Request) { r.Registered = early }, fault.ExchangeMissing, "/items/0"},
		{"no rate of the currency", func(r *Request) { r.Items[0].Currency = "GBP" }, fault.ExchangeMissing, "/items/0/customs_value"},
		{"second item", func(r *Request) { r.Items = append(r.Items, good); r.Items[1].CommodityCode = "0000000000" }, fault.CommodityUnknown, "/items/1/commodity_code"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Registered: day, Procedure: "40", Items: []Item{good}}
			tt.spoil(&r)
			if a, err := Assess(s, rates, r); !fault.Is(err, tt.code) || fault.Of(err).At != tt.at {
				t.Errorf("%v, %v; want %s at %s", a, err, tt.code, tt.at)
			}
		})
	}
	t.Run("a tariff without VAT", func(t *testing.T) {
		file := slices.DeleteFunc(strings.SplitAfter(string(tariff.SampleFile()), "\n"), func(l string) bool {
			return strings.HasPrefix(l, "measure,") && strings.Contains(l, ",5060,")
		})
		bare, err := tariff.Import(strings.NewReader(strings.Join(file, "")))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Assess(bare, rates, Request{Registered: day, Procedure: "40", Items: []Item{good}})
		if !fault.Is(err, fault.MeasureMissing) || len(bare.Gaps()) == 0 {
			t.Errorf("%v; gaps %v", err, bare.Gaps())
		}
	})
}

// draw makes any declaration that the sample can charge.
func draw(t *rapid.T, day kz.Day) Request {
	r := Request{Registered: day, Procedure: "40"}
	kinds := examples(t)
	for range rapid.IntRange(1, 8).Draw(t, "items") {
		i := rapid.SampledFrom(kinds).Draw(t, "like").item
		i.CustomsValue = rate(t, money.Tiyn(rapid.Int64Range(0, 1e12).Draw(t, "value")).String())
		i.NetWeight = rate(t, money.Tiyn(rapid.Int64Range(1, 1e8).Draw(t, "weight")).String())
		if i.Unit != "" {
			i.Quantity = rate(t, money.Tiyn(rapid.Int64Range(1, 1e8).Draw(t, "quantity")).String())
		}
		r.Items = append(r.Items, i)
	}
	return r
}

// The total is the sum of the lines, and VAT stands on the customs value with
// every duty and the excise of its item.
func TestIdentities(t *testing.T) {
	s, rates, day := world(t)
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t, day)
		a, err := Assess(s, rates, r)
		if err != nil {
			t.Fatal(err)
		}
		var sum money.Tiyn
		dutiable := slices.Clone(a.Values)
		for _, l := range a.Lines {
			sum += l.Amount
			switch {
			case l.Amount < 0:
				t.Fatalf("a negative line: %+v", l)
			case slices.Contains(charge.Included(charge.ImportVAT), l.Kind):
				dutiable[l.Item-1] += l.Amount
			case l.Kind == charge.ImportVAT && l.Base != dutiable[l.Item-1]:
				t.Fatalf("VAT of item %d on %s, want %s", l.Item, l.Base, dutiable[l.Item-1])
			}
		}
		if sum != a.Total {
			t.Fatalf("lines %s, total %s", sum, a.Total)
		}
	})
}

// Dearer goods never owe less.
func TestMonotoneInValue(t *testing.T) {
	s, rates, day := world(t)
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t, day)
		before, err := Assess(s, rates, r)
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(r.Items)-1).Draw(t, "which")
		more, err := r.Items[i].CustomsValue.Add(rate(t, money.Tiyn(rapid.Int64Range(0, 1e12).Draw(t, "more")).String()))
		if err != nil {
			t.Fatal(err)
		}
		r.Items[i].CustomsValue = more
		after, err := Assess(s, rates, r)
		if err != nil || after.Total < before.Total {
			t.Fatalf("%s, then %v, %v", before.Total, after, err)
		}
	})
}

// hundred is a declaration of a hundred lines.
func hundred(b *testing.B, day kz.Day) Request {
	b.Helper()
	r := Request{Registered: day, RevenueOffice: "6009", Procedure: "40"}
	all := examples(b)
	for i := range 100 {
		r.Items = append(r.Items, all[i%len(all)].item)
	}
	return r
}

func BenchmarkAssess100(b *testing.B) {
	s, rates, day := world(b)
	r := hundred(b, day)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Assess(s, rates, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExplain100 writes what was computed in one language.
func BenchmarkExplain100(b *testing.B) {
	s, rates, day := world(b)
	a, err := Assess(s, rates, hundred(b, day))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range a.Lines {
			if a.Lines[i].Explain(fault.Russian) == "" {
				b.Fatal("no explanation")
			}
		}
	}
}
