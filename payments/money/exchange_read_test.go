package money_test

import (
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

const ratesHeader = "currency,units,tenge,day,source\n"

func TestReadExchanges(t *testing.T) {
	rates, err := money.ReadExchanges(strings.NewReader(ratesHeader + "USD,1,523.17,2026-11-20,NB\nKRW,100,36.4,2026-11-20,NB\nUSD,1,523.17,2026-11-20,again\nUSD,1,524,2026-11-21,NB\n"))
	if err != nil {
		t.Fatal(err)
	}
	day, err := kz.ParseDay("2026-11-20")
	if err != nil {
		t.Fatal(err)
	}
	x, err := rates.Lock(day).Of("KRW")
	if err != nil || x.Units != 100 || x.Tenge.String() != "36.4" || x.Day != day {
		t.Errorf("%+v, %v", x, err)
	}
	if _, err := rates.Lock(day.AddDays(1)).Of("KRW"); !fault.Is(err, fault.ExchangeMissing) {
		t.Errorf("a day without a rate: %v", err)
	}
}

func TestReadExchangesRefuses(t *testing.T) {
	for _, tt := range []struct{ text, at string }{
		{"", "line 1"},
		{"USD,1,523.17,2026-11-20,NB\n", "line 1"},
		{ratesHeader + "USD,1,523.17,2026-11-20\n", ""},
		{ratesHeader + "USD,1,523.17,2026-11-20,NB\nUSD,1,523.18,2026-11-20,NB\n", "line 3"},
		{ratesHeader + "USD,7,523.17,2026-11-20,NB\n", "line 2"},
		{ratesHeader + "USD,one,523.17,2026-11-20,NB\n", "line 2"},
		{ratesHeader + "USD,1,-523.17,2026-11-20,NB\n", "line 2"},
		{ratesHeader + "USD,1,0,2026-11-20,NB\n", "line 2"},
		{ratesHeader + "KZT,1,1,2026-11-20,NB\n", "line 2"},
		{ratesHeader + "USD,1,523.17,20.11.2026,NB\n", "line 2"},
		{ratesHeader + "USD,1,523.17,2026-11-20,\n", "line 2"},
	} {
		if rates, err := money.ReadExchanges(strings.NewReader(tt.text)); rates != nil || !fault.Is(err, fault.RateInvalid) || fault.Of(err).At != tt.at {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
}
