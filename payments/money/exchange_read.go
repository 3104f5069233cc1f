package money

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// Limits of a file of rates: the Bank sets some forty a day.
const (
	exchangesMax      = 1 << 20
	exchangesBytesMax = 64 << 20
)

// exchangeColumns is the header of a file of rates.
const exchangeColumns = "currency,units,tenge,day,source"

// ReadExchanges reads rates of the National Bank: CSV with the header
// currency,units,tenge,day,source, a row for each currency and day, such as
//
//	USD,1,523.17,2026-11-20,National Bank
//
// The file is taken whole or refused with rate_invalid and the line.
func ReadExchanges(r io.Reader) (*Exchanges, error) {
	limited := &io.LimitedReader{R: r, N: exchangesBytesMax + 1}
	rows := csv.NewReader(bufio.NewReader(limited))
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil || strings.Join(header, ",") != exchangeColumns {
		return nil, fault.Wrap(err, fault.RateInvalid, "line 1", "the header is not %s", exchangeColumns)
	}
	all := &Exchanges{rates: make(map[quote]Exchange)}
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			if limited.N <= 0 {
				return nil, fault.New(fault.InputTooBig, "", "more than %d bytes of rates", exchangesBytesMax)
			}
			return all, nil
		case err != nil: // the error names its line itself
			return nil, fault.Wrap(err, fault.RateInvalid, "", "read a row")
		case len(all.rates) == exchangesMax:
			return nil, fault.New(fault.InputTooBig, "", "more than %d rates", exchangesMax)
		}
		line, _ := rows.FieldPos(0)
		if err := all.addRow(row); err != nil {
			return nil, fault.Wrap(err, fault.RateInvalid, "line "+strconv.Itoa(line), "read a rate")
		}
	}
}

func (e *Exchanges) addRow(row []string) (err error) {
	x := Exchange{Currency: row[0], Source: row[4]}
	if x.Units, err = strconv.Atoi(row[1]); err != nil {
		return fault.Wrap(err, fault.RateInvalid, "units", "not a number")
	}
	if x.Tenge, err = ParseRate(row[2]); err != nil {
		return err
	}
	if x.Day, err = kz.ParseDay(row[3]); err != nil {
		return err
	}
	return e.add(x)
}
