package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/money"
)

// lawInterval is how often the files of the law are looked at: the National
// Bank's rates come once a day, a tariff some times a year.
const lawInterval = time.Minute

// law keeps what charges are computed by, read from files that somebody
// replaces while the service runs.
type law struct {
	tariff, exchanges source
	log               *slog.Logger
	current           atomic.Pointer[payments.Law]
}

// source is one file and the version of it that was read last.
type source struct {
	path     string
	modified time.Time
	size     int64
}

// newLaw reads the files; one that is named must be good.
func newLaw(c config.Payments, log *slog.Logger) (*law, error) {
	l := &law{tariff: source{path: c.TariffFile}, exchanges: source{path: c.ExchangeRatesFile}, log: log}
	l.current.Store(&payments.Law{})
	return l, l.refresh()
}

// Law is what is in force in this process now.
func (l *law) Law() payments.Law { return *l.current.Load() }

// run looks at the files until the context ends. A file that cannot be read
// leaves what was read before: an order of yesterday's tariff is refused or
// computed by its own dates, and no order at all would stop the border.
func (l *law) run(ctx context.Context) {
	every(ctx, lawInterval, func() {
		if err := l.refresh(); err != nil {
			l.log.Error("the tariff or the exchange rates stay as they were", "error", err)
		}
	})
}

// refresh reads what has changed.
func (l *law) refresh() error {
	next := l.Law()
	err := errors.Join(
		readChanged(&l.tariff, tariff.Import, &next.Tariff),
		readChanged(&l.exchanges, money.ReadExchanges, &next.Exchanges),
	)
	l.current.Store(&next)
	return err
}

// readChanged reads the file into *to if it is another than the last time.
func readChanged[T any](s *source, read func(io.Reader) (T, error), to *T) error {
	if s.path == "" {
		return nil
	}
	file, err := os.Open(s.path)
	if err != nil {
		return fault.Wrap(err, fault.ConfigBad, s.path, "cannot be opened")
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fault.Wrap(err, fault.ConfigBad, s.path, "cannot be looked at")
	}
	if info.ModTime().Equal(s.modified) && info.Size() == s.size {
		return nil
	}
	value, err := read(file)
	if err != nil {
		return fault.Wrap(err, fault.ConfigBad, s.path, "cannot be read")
	}
	*to, s.modified, s.size = value, info.ModTime(), info.Size()
	return nil
}

// readCalendar reads the days that decrees moved; without a file it is the
// calendar of the fixed holidays.
func readCalendar(path string) (*kz.Calendar, error) {
	if path == "" {
		return &kz.Calendar{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, path, "cannot be opened")
	}
	defer file.Close()
	calendar, err := kz.ParseCalendar(file)
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, path, "cannot be read")
	}
	return calendar, nil
}

// toleranceOf reads amounts whose form the configuration's check has seen.
func toleranceOf(c config.Tolerance) (t money.Tolerance, err error) {
	if c.Tenge != "" {
		if t.Absolute, err = money.Parse(c.Tenge); err != nil {
			return t, fault.Wrap(err, fault.ConfigBad, "payments.tolerance.tenge", "not an amount")
		}
	}
	if c.Percent != "" {
		if t.Percent, err = money.ParseRate(c.Percent); err != nil {
			return t, fault.Wrap(err, fault.ConfigBad, "payments.tolerance.percent", "not a rate")
		}
	}
	return t, nil
}
