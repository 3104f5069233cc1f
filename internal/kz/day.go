package kz

import (
	"database/sql/driver"
	"fmt"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// zoneName is the zone of the business day. Since 2024-03-01 all of
// Kazakhstan keeps UTC+5; before that this zone kept UTC+6.
const zoneName = "Asia/Almaty"

var zone = sync.OnceValues(loadZone)

func loadZone() (*time.Location, error) {
	l, err := time.LoadLocation(zoneName)
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, "", "load the time zone %s", zoneName)
	}
	// A time zone database older than 2024a still says UTC+6 and would book
	// every payment of the first hour after midnight on the wrong day.
	probe := time.Date(2024, time.March, 2, 0, 0, 0, 0, time.UTC).In(l)
	if _, offset := probe.Zone(); offset != 5*60*60 {
		return nil, fault.New(fault.ConfigBad, "", "the time zone database predates 2024-03-01: update tzdata")
	}
	return l, nil
}

// CheckZone says whether the business day can be computed here; a program
// calls it at start and does not run without.
func CheckZone() error {
	_, err := zone()
	return err
}

// location is the zone once CheckZone has passed. There is no second best: a
// date in another zone would be a wrong date in the ledger.
func location() *time.Location {
	l, err := zone()
	if err != nil {
		panic(fmt.Sprintf("kz: no business day: %v", err))
	}
	return l
}

// Day is a business date in Asia/Almaty. The zero Day is no day. Days compare
// with == and serve as map keys.
type Day struct {
	year  int
	month time.Month
	day   int
}

// DayOf is the business day that the instant belongs to.
func DayOf(t time.Time) Day {
	y, m, d := t.In(location()).Date()
	return Day{y, m, d}
}

// ParseDay reads an ISO 8601 date, "2006-01-02".
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Day{}, fault.New(fault.BadArgument, "", "%.20q is not a date like 2006-01-02", s)
	}
	return civil(t), nil
}

// civil takes the calendar date of t as it stands, whatever its zone.
func civil(t time.Time) Day {
	y, m, d := t.Date()
	return Day{y, m, d}
}

// dayFrom makes a Day of its parts; ok is false if the calendar has no such
// date.
func dayFrom(year int, month time.Month, day int) (d Day, ok bool) {
	d = civil(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
	return d, d == Day{year, month, day}
}

// IsZero reports whether d is no day.
func (d Day) IsZero() bool { return d == Day{} }

// utc places the date in UTC, where every day has 24 hours.
func (d Day) utc() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

// Before reports whether d is earlier than e.
func (d Day) Before(e Day) bool { return d.utc().Before(e.utc()) }

// After reports whether d is later than e.
func (d Day) After(e Day) bool { return e.Before(d) }

// AddDays returns the day n days later, or earlier when n is negative.
func (d Day) AddDays(n int) Day { return civil(d.utc().AddDate(0, 0, n)) }

// Start is the first instant of the day.
func (d Day) Start() time.Time {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, location())
}

// End is the first instant after the day: a day is [Start, End).
func (d Day) End() time.Time { return d.AddDays(1).Start() }

// Weekday of the day.
func (d Day) Weekday() time.Weekday { return d.utc().Weekday() }

// String writes the day as "2006-01-02", the zero Day as "".
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return d.utc().Format(time.DateOnly)
}

// MarshalText writes the day as String does.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Day) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Day{}
		return nil
	}
	day, err := ParseDay(string(text))
	if err != nil {
		return err
	}
	*d = day
	return nil
}

// Value gives the day to SQL as a date; the zero Day is NULL.
func (d Day) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	return d.utc(), nil
}

// Scan reads a date of SQL; NULL is the zero Day.
func (d *Day) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = Day{}
		return nil
	case time.Time:
		*d = civil(v)
		return nil
	case string:
		return d.UnmarshalText([]byte(v))
	}
	return fmt.Errorf("kz: cannot scan %T into a day", src)
}
