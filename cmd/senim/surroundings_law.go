package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/charge/tariff"
)

const (
	tariffName    = "tariff.csv"
	exchangesName = "exchange-rates.csv"

	// exchangeDays is for how long the invented rates last.
	exchangeDays = 400
)

// prepareLaw writes the tariff and the exchange rates that the service
// computes charges by. A tariff that is there stays: its owner may have
// replaced it by another.
func (s *surroundings) prepareLaw(_ context.Context, c surroundingsConfig) error {
	if _, err := os.Stat(s.path(tariffName)); err != nil {
		if err := os.WriteFile(s.path(tariffName), tariff.SampleFile(), 0o644); err != nil {
			return fault.Wrap(err, fault.BadArgument, s.dir, "write the sample tariff")
		}
	}
	if err := os.WriteFile(s.path(exchangesName), inventedRates(kz.DayOf(c.Now())), 0o644); err != nil {
		return fault.Wrap(err, fault.BadArgument, s.dir, "write the exchange rates")
	}
	return nil
}

// inventedRates are the same on every day; they are not the National Bank's.
func inventedRates(today kz.Day) []byte {
	var b bytes.Buffer
	b.WriteString("currency,units,tenge,day,source\n")
	for i := -exchangeDays; i < exchangeDays; i++ {
		for _, x := range [...]struct {
			currency, tenge string
			units           int
		}{{"USD", "520.5", 1}, {"EUR", "601.25", 1}, {"CNY", "73.1", 1}, {"RUB", "6.41", 1}, {"KRW", "36.4", 100}} {
			fmt.Fprintf(&b, "%s,%d,%s,%s,sandbox: invented\n", x.currency, x.units, x.tenge, today.AddDays(i))
		}
	}
	return b.Bytes()
}

// payments are the sandbox's bodies, the law and a tolerance of ten tenge. The
// BINs are invented; their control digits are right.
func (s *surroundings) payments() config.Payments {
	return config.Payments{
		Offices: []config.Office{
			{Code: sample.RevenueOffice, BIN: "971040990005", Name: "УГД (стенд)"},
			{Code: "MA-VET", BIN: "971040990015", Name: "Комитет ветеринарного контроля и надзора (стенд)"},
			{Code: "MA-PHYTO", BIN: "971040990025", Name: "Комитет государственной инспекции в АПК (стенд)"},
			{Code: "MH", BIN: "971040990035", Name: "Комитет медицинского контроля (стенд)"},
		},
		TariffFile: s.path(tariffName), ExchangeRatesFile: s.path(exchangesName),
		Tolerance: config.Tolerance{Tenge: "10"},
	}
}
