package money

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want Tiyn
		code fault.Code
	}{
		{"0", 0, ""}, {"1234.50", 123450, ""}, {"1234.5", 123450, ""}, {"1234", 123400, ""}, {"-0.01", -1, ""},
		{"00012.30", 1230, ""},
		{"92233720368547758.07", math.MaxInt64, ""},
		{"-92233720368547758.08", math.MinInt64, ""},
		{"92233720368547758.08", 0, fault.AmountOverflow},
		{"99999999999999999999", 0, fault.AmountOverflow},
		{"", 0, fault.AmountInvalid}, {"-", 0, fault.AmountInvalid}, {".5", 0, fault.AmountInvalid}, {"5.", 0, fault.AmountInvalid},
		{"1,5", 0, fault.AmountInvalid}, {"1 000", 0, fault.AmountInvalid}, {"+1", 0, fault.AmountInvalid}, {"1e3", 0, fault.AmountInvalid},
		{"1.005", 0, fault.AmountInvalid}, {"1.000", 0, fault.AmountInvalid}, {"--1", 0, fault.AmountInvalid}, {"1.-5", 0, fault.AmountInvalid},
		{"١٢", 0, fault.AmountInvalid}, {"000000000000000000000000000001", 0, fault.AmountInvalid},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in)
		if got != tt.want || fault.CodeOf(err) != tt.code {
			t.Errorf("Parse(%q) = %d, %v; want %d, %s", tt.in, got, err, tt.want, tt.code)
		}
	}
}

func TestWriting(t *testing.T) {
	tests := []struct {
		amount         Tiyn
		plain, display string
	}{
		{0, "0.00", "0,00 ₸"}, {5, "0.05", "0,05 ₸"}, {-5, "-0.05", "-0,05 ₸"}, {123450, "1234.50", "1 234,50 ₸"},
		{100000000, "1000000.00", "1 000 000,00 ₸"}, {-99999, "-999.99", "-999,99 ₸"},
		{math.MinInt64, "-92233720368547758.08", "-92 233 720 368 547 758,08 ₸"},
	}
	for _, tt := range tests {
		if got := tt.amount.String(); got != tt.plain {
			t.Errorf("String(%d) = %q, want %q", int64(tt.amount), got, tt.plain)
		}
		// The table is written with plain spaces, so that it can be read.
		if got := strings.ReplaceAll(tt.amount.Display(), "\u00a0", " "); got != tt.display {
			t.Errorf("Display(%d) = %q, want %q", int64(tt.amount), got, tt.display)
		}
	}
}

func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Tiyn(rapid.Int64().Draw(t, "amount"))
		if got, err := Parse(want.String()); err != nil || got != want {
			t.Fatalf("%s came back as %d, %v; want %d", want, got, err, want)
		}
	})
}

func TestJSONIsWholeTiyn(t *testing.T) {
	text, err := json.Marshal(struct {
		Amount Tiyn `json:"amount_tiyn"`
	}{123450})
	if err != nil || string(text) != `{"amount_tiyn":123450}` {
		t.Errorf("%s, %v", text, err)
	}
}

// Checked arithmetic agrees with unbounded integers or says overflow.
func TestArithmeticAgainstBigIntegers(t *testing.T) {
	edge := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
		check := func(act string, got Tiyn, err error, want *big.Int) {
			t.Helper()
			if !want.IsInt64() {
				if !fault.Is(err, fault.AmountOverflow) {
					t.Fatalf("%d %s %d: %d, %v; want overflow", a, act, b, got, err)
				}
				return
			}
			if err != nil || int64(got) != want.Int64() {
				t.Fatalf("%d %s %d: %d, %v; want %s", a, act, b, got, err, want)
			}
		}
		x, y := big.NewInt(a), big.NewInt(b)
		sum, err := Tiyn(a).Add(Tiyn(b))
		check("+", sum, err, new(big.Int).Add(x, y))
		difference, err := Tiyn(a).Sub(Tiyn(b))
		check("-", difference, err, new(big.Int).Sub(x, y))
		negative, err := Tiyn(a).Neg()
		check("neg", negative, err, new(big.Int).Neg(x))
	})
}

func TestRoundingRules(t *testing.T) {
	tests := []struct {
		base Tiyn
		rate string
		rule Rounding
		want Tiyn
	}{
		{124560037, "5", HalfUpTiyn, 6228002},           // 62 280.01850
		{130788039, "16", HalfUpTiyn, 20926086},         // 209 260.8624
		{10, "5", HalfUpTiyn, 1},                        // 0.5 tiyn goes up
		{30, "5", HalfUpTiyn, 2},                        // 1.5 tiyn too: not to even
		{50, "5", HalfUpTiyn, 3},                        // 2.5 tiyn: to even would give 2
		{-50, "5", HalfUpTiyn, -3},                      // away from zero
		{9, "5", HalfUpTiyn, 0},                         // 0.45 tiyn
		{50, "5", DownTiyn, 2},                          // 2.5 tiyn
		{1000000, "0.505", HalfUpTiyn, 5050},            //
		{123456, "100", HalfUpTiyn, 123456},             //
		{123456, "0", HalfUpTiyn, 0},                    //
		{124550, "100", HalfUpTenge, 124600},            // 1245.50 tenge
		{124549, "100", HalfUpTenge, 124500},            // 1245.49 tenge
		{1, "0.000001", HalfUpTiyn, 0},                  // the finest rate
		{9000000000, "99.999999", DownTiyn, 8999999910}, // exact to the last digit
	}
	for _, tt := range tests {
		rate, err := ParseRate(tt.rate)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Percent(tt.base, rate, tt.rule); err != nil || got != tt.want {
			t.Errorf("Percent(%s, %s, %s) = %s, %v; want %s", tt.base, tt.rate, tt.rule, got, err, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	quantity, _ := ParseRate("2.345")
	if got, err := Times(1000, quantity, HalfUpTiyn); err != nil || got != 2345 {
		t.Errorf("Times = %s, %v", got, err)
	}
}

// Half up by the library of decimals is half up by integers.
func TestPercentAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(0, 1e14).Draw(t, "base")
		hundredths := rapid.Int64Range(0, 30000).Draw(t, "rate in hundredths of a per cent")
		rate, err := ParseRate(Tiyn(hundredths).String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := Percent(Tiyn(base), rate, HalfUpTiyn)
		if err != nil {
			t.Fatal(err)
		}
		exact := new(big.Int).Mul(big.NewInt(base), big.NewInt(hundredths)) // in 1/10000 tiyn
		want := exact.Add(exact, big.NewInt(5000)).Div(exact, big.NewInt(10000))
		if int64(got) != want.Int64() {
			t.Fatalf("%d at %s%%: %d, want %s", base, rate, got, want)
		}
	})
}

func TestRateRefusals(t *testing.T) {
	for _, in := range []string{"", "-5", "+5", "5%", "1e2", ".5", "5.", "1.2.3", "0.0000001", "99999999999999999999"} {
		if _, err := ParseRate(in); !fault.Is(err, fault.RateInvalid) {
			t.Errorf("ParseRate(%q): %v", in, err)
		}
	}
	rate, _ := ParseRate("16")
	if _, err := Percent(math.MaxInt64, rate, HalfUpTiyn); !fault.Is(err, fault.AmountOverflow) {
		t.Errorf("a product beyond nineteen digits: %v", err)
	}
	if _, err := Percent(1, rate, "to_taste"); !fault.Is(err, fault.BadArgument) {
		t.Errorf("an unknown rule: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1234.50", "-0.01", "92233720368547758.08", "1.", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		amount, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(amount.String()); err != nil || again != amount {
			t.Errorf("%q gave %d, whose text gave %d, %v", s, amount, again, err)
		}
	})
}
