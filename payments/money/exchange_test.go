package money

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

func rate(t testing.TB, s string) Rate {
	t.Helper()
	r, err := ParseRate(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func day(t testing.TB, s string) kz.Day {
	t.Helper()
	d, err := kz.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func exchange(t testing.TB, currency string, units int, tenge, on string) Exchange {
	t.Helper()
	return Exchange{Currency: currency, Units: units, Tenge: rate(t, tenge), Day: day(t, on), Source: "test"}
}

func TestConvert(t *testing.T) {
	tests := []struct {
		name              string
		x                 Exchange
		perUnit, quantity string
		rule              Rounding
		want              Tiyn
	}{
		{"a euro", exchange(t, "EUR", 1, "612.34", "2026-11-20"), "1", "1", HalfUpTiyn, 61234},
		{"per kilogram", exchange(t, "EUR", 1, "612.34", "2026-11-20"), "0.36", "1250.5", HalfUpTiyn, 27566322}, // 275 663.2212
		{"by the thousand", exchange(t, "IRR", 1000, "12.5", "2026-11-20"), "80000", "1", HalfUpTiyn, 100000},
		{"a half goes up", exchange(t, "USD", 1, "0.005", "2026-11-20"), "1", "1", HalfUpTiyn, 1},
		{"below a half", exchange(t, "USD", 1, "0.004999", "2026-11-20"), "1", "1", HalfUpTiyn, 0},
		{"dropped", exchange(t, "USD", 1, "0.009999", "2026-11-20"), "1", "1", DownTiyn, 0},
		{"whole tenge", exchange(t, "USD", 1, "514.5", "2026-11-20"), "1", "1", HalfUpTenge, 51500},
		{"more than nineteen digits", exchange(t, "EUR", 1, "612.345678", "2026-11-20"), "0.123456", "1234567.654321", HalfUpTiyn, 9333053445},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.x.ConvertTimes(rate(t, tt.perUnit), rate(t, tt.quantity), tt.rule)
			if err != nil || got != tt.want {
				t.Errorf("%s, %v; want %s", got, err, tt.want)
			}
		})
	}
	if got, err := Multiply(rate(t, "0.005"), rate(t, "3"), HalfUpTiyn); err != nil || got != 2 {
		t.Errorf("1.5 tiyn: %d, %v", got, err)
	}
	huge := exchange(t, "EUR", 1, "999999999999", "2026-11-20")
	if _, err := huge.Convert(rate(t, "999999999999"), HalfUpTiyn); !fault.Is(err, fault.AmountOverflow) {
		t.Errorf("beyond 64 bits: %v", err)
	}
	if _, err := huge.Convert(rate(t, "1"), "to_taste"); !fault.Is(err, fault.BadArgument) {
		t.Errorf("an unknown rule: %v", err)
	}
}

// Conversion agrees with fractions of unbounded integers.
func TestConvertAgainstFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		millionths := func(name string, most int64) (Rate, *big.Rat) {
			n := rapid.Int64Range(1, most).Draw(t, name)
			text := new(big.Rat).SetFrac64(n, 1_000_000).FloatString(6)
			r, err := ParseRate(text)
			if err != nil {
				t.Fatal(err)
			}
			return r, new(big.Rat).SetFrac64(n, 1_000_000)
		}
		per, perExact := millionths("per unit", 1e9)
		quantity, quantityExact := millionths("quantity", 1e12)
		tenge, tengeExact := millionths("tenge", 1e9)
		units := rapid.SampledFrom([]int{1, 10, 100, 1000}).Draw(t, "units")
		got, err := Exchange{Units: units, Tenge: tenge}.ConvertTimes(per, quantity, HalfUpTiyn)
		if err != nil {
			t.Fatal(err)
		}
		exact := perExact.Mul(perExact, quantityExact)
		exact.Mul(exact, tengeExact).Mul(exact, new(big.Rat).SetFrac64(100, int64(units)))
		exact.Add(exact, big.NewRat(1, 2))
		if want := new(big.Int).Quo(exact.Num(), exact.Denom()); int64(got) != want.Int64() {
			t.Fatalf("%d, want %s", got, want)
		}
	})
}

func TestLock(t *testing.T) {
	all, err := NewExchanges(
		exchange(t, "EUR", 1, "612.34", "2026-11-20"), exchange(t, "EUR", 1, "615.00", "2026-11-21"),
		exchange(t, "USD", 1, "521.1", "2026-11-20"), exchange(t, "USD", 1, "521.10", "2026-11-20"))
	if err != nil {
		t.Fatal(err)
	}
	lock := all.Lock(day(t, "2026-11-20"))
	if x, err := lock.Of("EUR"); err != nil || x.Tenge.String() != "612.34" {
		t.Errorf("%+v, %v", x, err)
	}
	if used := lock.Used(); len(used) != 1 || used[0].Currency != "EUR" {
		t.Errorf("used %+v", used)
	}
	if _, err := lock.Of("GBP"); !fault.Is(err, fault.ExchangeMissing) {
		t.Errorf("a currency without a rate: %v", err)
	}
	if _, err := all.Lock(day(t, "2026-11-22")).Of("EUR"); !fault.Is(err, fault.ExchangeMissing) {
		t.Errorf("a day without a rate: %v", err)
	}
	var none *Exchanges
	if _, err := none.Lock(day(t, "2026-11-20")).Of("EUR"); !fault.Is(err, fault.ExchangeMissing) {
		t.Errorf("no rates at all: %v", err)
	}
}

func TestExchangeRefusals(t *testing.T) {
	good := exchange(t, "EUR", 1, "612.34", "2026-11-20")
	for name, spoil := range map[string]func(*Exchange){
		"tenge for tenge": func(x *Exchange) { x.Currency = "KZT" },
		"lower case":      func(x *Exchange) { x.Currency = "eur" },
		"units":           func(x *Exchange) { x.Units = 7 },
		"no rate":         func(x *Exchange) { x.Tenge = Rate{} },
		"no day":          func(x *Exchange) { x.Day = kz.Day{} },
		"no source":       func(x *Exchange) { x.Source = "" },
	} {
		x := good
		spoil(&x)
		if _, err := NewExchanges(x); !fault.Is(err, fault.RateInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewExchanges(good, exchange(t, "EUR", 1, "612.35", "2026-11-20")); !fault.Is(err, fault.RateInvalid) {
		t.Errorf("two rates for one day: %v", err)
	}
}

func TestSettle(t *testing.T) {
	fewTenge := Tolerance{Absolute: 500}
	share := Tolerance{Absolute: 100, Percent: rate(t, "0.1")}
	tests := []struct {
		name       string
		t          Tolerance
		owed, paid Tiyn
		want       Settlement
	}{
		{"exact", fewTenge, 1000, 1000, Settlement{Outcome: Exact}},
		{"nothing owed, nothing paid", Tolerance{}, 0, 0, Settlement{Outcome: Exact}},
		{"at the edge", fewTenge, 100000, 99500, Settlement{Outcome: WithinTolerance, Missing: 500}},
		{"past the edge", fewTenge, 100000, 99499, Settlement{Outcome: Short, Missing: 501}},
		{"no tolerance", Tolerance{}, 100000, 99999, Settlement{Outcome: Short, Missing: 1}},
		{"relative, the greater", share, 1000000, 999000, Settlement{Outcome: WithinTolerance, Missing: 1000}},
		{"relative, the smaller", share, 1000, 900, Settlement{Outcome: WithinTolerance, Missing: 100}},
		{"relative, rounded down", Tolerance{Percent: rate(t, "0.1")}, 1999, 1997, Settlement{Outcome: Short, Missing: 2}},
		{"a tiyn over", fewTenge, 1000, 1001, Settlement{Outcome: Over, Credit: 1}},
		{"all of it over", Tolerance{}, 0, math.MaxInt64, Settlement{Outcome: Over, Credit: math.MaxInt64}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.t.Settle(tt.owed, tt.paid); err != nil || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
	for _, bad := range [][2]Tiyn{{-1, 0}, {0, -1}} {
		if _, err := fewTenge.Settle(bad[0], bad[1]); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// Not a tiyn is lost: what was paid and what is missing is what was owed and
// what is credited.
func TestSettleKeepsEveryTiyn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owed := Tiyn(rapid.Int64Range(0, 1e15).Draw(t, "owed"))
		paid := Tiyn(rapid.Int64Range(0, 1e15).Draw(t, "paid"))
		policy := Tolerance{Absolute: Tiyn(rapid.Int64Range(0, 1e6).Draw(t, "absolute"))}
		s, err := policy.Settle(owed, paid)
		if err != nil || paid+s.Missing != owed+s.Credit || (s.Missing != 0 && s.Credit != 0) {
			t.Fatalf("%+v, %v", s, err)
		}
	})
}
