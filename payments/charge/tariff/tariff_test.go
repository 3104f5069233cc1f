package tariff

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

func day(t testing.TB, s string) kz.Day {
	t.Helper()
	d, err := kz.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sampleTariff(t testing.TB) *Tariff {
	t.Helper()
	s, err := Sample()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Form{
		"15%": AdValorem, "0%": AdValorem, "0.36 EUR/kg": Specific, "98 KZT/l": Specific,
		"10% min 0.5 EUR/kg": AtLeast, "10% + 0.2 EUR/kg": Plus, "75% of rate": Share,
	} {
		if got, err := ParseRate(text); err != nil || got.Form != want || got.Text != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "15", "-5%", "5 %", "5% ", "5% min", "5% + ", "5% min 3%", "of rate", "5% of", "0.5 EUR", "0.5 eur/kg", "0.5 EUR/parsec",
		"5%0.5 EUR/kg", "5% of rate 0.5 EUR/kg", "1.2.3%", ".5 EUR/kg", "5% max 0.5 EUR/kg", "5%\n", "99999999999999999999999999999%",
	} {
		if got, err := ParseRate(text); !fault.Is(err, fault.RateInvalid) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"15%", "0.36 EUR/kg", "10% min 0.5 EUR/kg", "75% of rate", "5% + "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseRate(s); err == nil && (r.Form == 0 || r.Text != s || r.HasSpecific() != (r.Unit != "")) {
			t.Errorf("%q gave %+v", s, r)
		}
	})
}

func TestWhichMeasureWins(t *testing.T) {
	s := sampleTariff(t)
	tests := []struct {
		name, day, code, origin, procedure, preference string
		value                                          money.Tiyn
		kind                                           charge.Kind
		want                                           string // the rate, "" for none
	}{
		{"chapter", "2026-03-01", "3004900002", "DE", "40", "", 0, charge.ImportDuty, "5%"},
		{"ten digits, from July", "2026-07-01", "3004900002", "DE", "40", "", 0, charge.ImportDuty, "0%"},
		{"eight digits before two", "2026-03-01", "7318159008", "DE", "40", "", 0, charge.ImportDuty, "10%"},
		{"the last day", "2026-06-30", "8517130000", "CN", "40", "", 0, charge.ImportDuty, "0%"},
		{"the first day", "2026-07-01", "8517130000", "CN", "40", "", 0, charge.ImportDuty, "3%"},
		{"any procedure", "2026-03-01", "8703231940", "JP", "40", "", 0, charge.ImportDuty, "15%"},
		{"this procedure", "2026-03-01", "8703231940", "JP", "53", "", 0, charge.ImportDuty, "0%"},
		{"preference claimed", "2026-03-01", "6403999600", "VN", "40", "DEV", 0, charge.ImportDuty, "75% of rate"},
		{"preference not claimed", "2026-03-01", "6403999600", "VN", "40", "", 0, charge.ImportDuty, "10% min 1.2 EUR/pair"},
		{"preference of others", "2026-03-01", "6403999600", "CN", "40", "DEV", 0, charge.ImportDuty, ""},
		{"dumped there", "2026-03-01", "7318159008", "CN", "40", "", 0, charge.AntiDumpingDuty, "14.8%"},
		{"dumped here", "2026-03-01", "7318159008", "VN", "40", "", 0, charge.AntiDumpingDuty, "7.9%"},
		{"not dumped", "2026-03-01", "7318159008", "DE", "40", "", 0, charge.AntiDumpingDuty, ""},
		{"over", "2027-01-01", "6403999600", "VN", "40", "", 0, charge.SpecialDuty, ""},
		{"VAT of all goods", "2026-03-01", "8703231940", "JP", "40", "", 0, charge.ImportVAT, "16%"},
		{"VAT of these", "2026-03-01", "3004900002", "JP", "40", "", 0, charge.ImportVAT, "5%"},
		{"fee below", "2026-03-01", "8703231940", "JP", "40", "", 49_999_999_99, charge.CustomsFee, "20000 KZT/declaration"},
		{"fee from", "2026-03-01", "8703231940", "JP", "40", "", 50_000_000_00, charge.CustomsFee, "35000 KZT/declaration"},
		{"the first day of all", "2026-01-01", "2203000100", "CZ", "40", "", 0, charge.Excise, "98 KZT/l"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			view := s.On(day(t, tt.day))
			goods, err := view.Goods(charge.CommodityCode(tt.code), tt.origin, tt.procedure, tt.preference, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			if m := view.Measure(tt.kind, goods); m != nil {
				got = m.Rate.Text
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestUnknownCodeIsAnError(t *testing.T) {
	s := sampleTariff(t)
	for _, row := range [][2]string{
		{"2026-03-01", "9999999999"}, {"2026-03-01", "8517"}, {"2026-03-01", ""}, {"2026-03-01", "85171300001"}, {"2026-03-01", "851713000x"},
		{"2026-06-01", "8517120000"}, // its last day was yesterday
		{"2025-12-31", "8517130000"}, // its first day is tomorrow
	} {
		if _, err := s.On(day(t, row[0])).Goods(charge.CommodityCode(row[1]), "CN", "40", "", 0); !fault.Is(err, fault.CommodityUnknown) {
			t.Errorf("%v: %v", row, err)
		}
	}
}

func TestPermits(t *testing.T) {
	s := sampleTariff(t)
	view := s.On(day(t, "2026-03-01"))
	goods, err := view.Goods("8517130000", "CN", "40", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	found := view.Append(nil, Permit, goods)
	if len(found) != 1 || found[0].Authority != "KNB" || found[0].Document != "01154" || found[0].Name.In(fault.Kazakh) == "" {
		t.Errorf("%+v", found)
	}
}

// header and head begin every file of the tests below.
var header = strings.Join(columns, ",") + "\n"

const head = `tariff,t1,,,,,,,,,,,,,,,,test
commodity,,0101210000,,,,,2026-01-01,,,,,,,ж,л,h,
`

func TestImportRefusals(t *testing.T) {
	fee := "measure,f,,1010,,,,2026-01-01,,,20000 KZT/declaration,,,,,,,g\n"
	duty := func(id, code, origin, from, to string) string {
		return fmt.Sprintf("measure,%s,%s,2010,%s,,,%s,%s,,5%%,,,,,,,g\n", id, code, origin, from, to)
	}
	group := func(id, country, from, to string) string {
		return fmt.Sprintf("group,%s,,,%s,,,%s,%s,,,,,,,,,\n", id, country, from, to)
	}
	tests := []struct {
		name, file string
		code       fault.Code
		at         string
	}{
		{"nothing", "", fault.InputEmpty, ""},
		{"another header", "a,b\n", fault.TariffMalformed, "line 1"},
		{"no tariff record", header + fee, fault.TariffMalformed, "line 2, record"},
		{"two tariff records", header + head + head, fault.TariffMalformed, "line 4, record"},
		{"no measures", header + head, fault.TariffMalformed, ""},
		{"a short row", header + head + "measure,a\n", fault.TariffMalformed, ""},
		{"an unknown record", header + head + strings.Replace(fee, "measure", "remark", 1), fault.TariffMalformed, "line 4, record"},
		{"no rate", header + head + strings.Replace(fee, "20000 KZT/declaration", "", 1), fault.TariffMalformed, "line 4, rate"},
		{"no such rate", header + head + strings.Replace(fee, "20000 KZT/declaration", "5%", 1), fault.TariffMalformed, "line 4, rate"},
		{"a rate that is no rate", header + head + strings.Replace(fee, "20000 KZT/declaration", "much", 1), fault.TariffMalformed, "line 4, rate"},
		{"no ground", header + head + strings.Replace(fee, ",g\n", ",\n", 1), fault.TariffMalformed, "line 4, ground"},
		{"an unknown kind", header + head + strings.Replace(fee, "1010", "1011", 1), fault.TariffMalformed, "line 4, kind"},
		{"three digits", header + head + duty("a", "010", "", "2026-01-01", ""), fault.TariffMalformed, "line 4, code"},
		{"no such day", header + head + duty("a", "01", "", "2026-02-30", ""), fault.TariffMalformed, "line 4, from"},
		{"ends before it begins", header + head + duty("a", "01", "", "2026-02-03", "2026-02-02"), fault.TariffMalformed, "line 4, to"},
		{"a group of nobody", header + head + duty("a", "01", "@X", "2026-02-03", ""), fault.TariffMalformed, "line 4, origin"},
		{"a commodity in the wrong column", header + head + strings.Replace(head[strings.Index(head, "commodity"):], ",,0101", ",x,0101", 1), fault.TariffMalformed, "line 4, id"},
		{"a commodity twice", header + head + head[strings.Index(head, "commodity"):], fault.TariffConflict, "line 4, code"},
		{"a measure's name twice", header + head + fee + fee, fault.TariffConflict, "line 5, id"},
		{"two at once", header + head + duty("a", "01", "", "2026-01-01", "2026-02-01") + duty("b", "01", "", "2026-02-01", ""), fault.TariffConflict, ""},
		{"two groups of one country", header + head + group("@X", "CN", "2026-01-01", "") + group("@Y", "CN", "2026-01-01", "") +
			duty("a", "01", "@X", "2026-01-01", "") + duty("b", "01", "@Y", "2026-01-01", ""), fault.TariffConflict, ""},
		{"a country twice in a group", header + head + group("@X", "CN", "2026-01-01", "") + group("@X", "CN", "2026-05-01", ""), fault.TariffConflict, "line 5, origin"},
		{"not UTF-8", header + "\xff", fault.TariffMalformed, ""},
		{"a value too long", header + head + strings.Replace(fee, ",g\n", ","+strings.Repeat("g", valueBytesMax+1)+"\n", 1), fault.TariffMalformed, "line 4, ground"},
		{"an open brace", "{", fault.TariffMalformed, "line 1, record"},
		{"a key twice", `{"records":[{"record":"tariff",` + "\n" + `"record":"tariff"}]}`, fault.TariffMalformed, "line 2, record"},
		{"an unknown key", `{"records":[{"colour":"red"}]}`, fault.TariffMalformed, "line 1, record"},
		{"a number", `{"records":[{"code":1}]}`, fault.TariffMalformed, "line 1, record"},
		{"more after it", `{"records":[]}{}`, fault.TariffMalformed, "line 1, record"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Import(strings.NewReader(tt.file))
			if !fault.Is(err, tt.code) || fault.Of(err).At != tt.at {
				t.Errorf("%v; want %s at %q", err, tt.code, tt.at)
			}
		})
	}
	t.Run("what only looks like a conflict", func(t *testing.T) {
		_, err := Import(strings.NewReader(header + head + group("@X", "CN", "2026-01-01", "2026-01-31") + group("@Y", "CN", "2026-02-01", "") +
			duty("a", "01", "@X", "2026-01-01", "") + duty("b", "01", "@Y", "2026-01-01", "") +
			duty("c", "01", "", "2026-01-01", "2026-01-31") + duty("d", "01", "", "2026-02-01", "") + duty("e", "01", "CN", "2026-01-01", "")))
		if err != nil {
			t.Error(err)
		}
	})
}

// A real tariff has some 13 000 codes; a slot that grows without end is refused.
func TestManyMeasures(t *testing.T) {
	var b strings.Builder
	b.WriteString(header + head)
	first := day(t, "2026-01-01")
	for i := range slotMax + 1 {
		d := first.AddDays(i)
		fmt.Fprintf(&b, "measure,m%d,01,2010,,,,%s,%s,,5%%,,,,,,,g\n", i, d, d)
		if i < slotMax-1 {
			fmt.Fprintf(&b, "commodity,,%d,,,,,2026-01-01,,,,,,,ж,л,h,\n", 8_400_000_000+i)
		}
	}
	_, err := Import(strings.NewReader(b.String()))
	if !fault.Is(err, fault.InputTooBig) {
		t.Errorf("one too many: %v", err)
	}
	rows := strings.SplitAfter(b.String(), "\n")
	got, err := Import(strings.NewReader(strings.Join(rows[:len(rows)-2], "")))
	if err != nil || got.Measures() != slotMax {
		t.Fatalf("%v", err)
	}
	if gaps := got.Gaps(); len(gaps) != 3*slotMax {
		t.Errorf("%d gaps", len(gaps))
	}
}

func TestGaps(t *testing.T) {
	if gaps := sampleTariff(t).Gaps(); len(gaps) != 0 {
		t.Errorf("the sample has gaps: %+v", gaps)
	}
	row := func(id, kind, from, to, rate string) string {
		return fmt.Sprintf("measure,%s,,%s,,,,%s,%s,,%s,,,,,,,g\n", id, kind, from, to, rate)
	}
	got, err := Import(strings.NewReader(header + head +
		row("a", "1010", "2025-01-01", "", "20000 KZT/declaration") +
		row("b", "2010", "2026-01-01", "2026-01-31", "5%") + row("c", "2010", "2026-02-03", "2026-12-31", "5%")))
	if err != nil {
		t.Fatal(err)
	}
	want := []Gap{
		{"0101210000", "2010", day(t, "2026-02-01"), day(t, "2026-02-02")},
		{"0101210000", "2010", day(t, "2027-01-01"), kz.Day{}},
		{"0101210000", "5060", day(t, "2026-01-01"), kz.Day{}},
	}
	if diff := cmp.Diff(want, got.Gaps(), cmp.Comparer(func(a, b kz.Day) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// asJSON writes a CSV tariff as JSON.
func asJSON(t *testing.T, file []byte) []byte {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Records []map[string]string `json:"records"`
	}
	for _, row := range rows[1:] {
		r := make(map[string]string)
		for i, value := range row {
			if value != "" {
				r[rows[0][i]] = value
			}
		}
		out.Records = append(out.Records, r)
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestJSONSaysTheSame(t *testing.T) {
	fromCSV := sampleTariff(t)
	fromJSON, err := Import(bytes.NewReader(asJSON(t, SampleFile())))
	if err != nil {
		t.Fatal(err)
	}
	if fromJSON.Measures() != fromCSV.Measures() || fromJSON.Version != fromCSV.Version || fromJSON.Digest == fromCSV.Digest {
		t.Errorf("%d and %d measures, %s and %s", fromJSON.Measures(), fromCSV.Measures(), fromJSON.Version, fromCSV.Version)
	}
	view, other := fromCSV.On(day(t, "2026-08-01")), fromJSON.On(day(t, "2026-08-01"))
	for code := range fromCSV.commodities {
		for _, kind := range charge.Kinds() {
			a, errA := view.Goods(code, "CN", "40", "", 0)
			b, errB := other.Goods(code, "CN", "40", "", 0)
			if errA != nil || errB != nil {
				if fault.CodeOf(errA) != fault.CodeOf(errB) {
					t.Errorf("%s: %v, %v", code, errA, errB)
				}
				continue
			}
			x, y := view.Measure(kind, a), other.Measure(kind, b)
			if (x == nil) != (y == nil) || (x != nil && x.ID != y.ID) {
				t.Errorf("%s, %s: %+v, %+v", code, kind, x, y)
			}
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(header + head + "measure,f,,1010,,,,2026-01-01,,,20000 KZT/declaration,,,,,,,g\n"))
	f.Add([]byte(`{"records":[{"record":"tariff","id":"t","ground":"g"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Import(bytes.NewReader(raw))
		if err == nil && (s.Version == "" || s.Measures() == 0) {
			t.Errorf("took %q", raw)
		}
		if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Errorf("not classified: %v", err)
		}
	})
}

func TestLookUpAllocatesNothing(t *testing.T) {
	view := sampleTariff(t).On(day(t, "2026-08-01"))
	room := make([]*Measure, 0, 8)
	allocations := testing.AllocsPerRun(100, func() {
		goods, err := view.Goods("7318159008", "VN", "40", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range [...]charge.Kind{charge.ImportDuty, charge.AntiDumpingDuty, charge.Excise, charge.ImportVAT} {
			view.Measure(kind, goods)
		}
		goods.Preference = "DEV"
		if view.Measure(charge.ImportDuty, goods) == nil {
			t.Fatal("no preference")
		}
		room = view.Append(room[:0], Permit, goods)
	})
	if allocations != 0 {
		t.Errorf("%.0f allocations", allocations)
	}
}

func BenchmarkMeasure(b *testing.B) {
	view := sampleTariff(b).On(day(b, "2026-08-01"))
	goods, err := view.Goods("7318159008", "VN", "40", "", 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		view.Measure(charge.ImportDuty, goods)
	}
}
