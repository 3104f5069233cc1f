package kz

import (
	"encoding/csv"
	"errors"
	"io"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits of a calendar's file: a year has some ten decrees.
const (
	calendarRowsMax = 4096
	daysSearchedMax = 366 // no run of days off is longer
)

// holidays are the public holidays that keep their date: those of the Law on
// holidays (№267-II of 13.12.2001) and 7 January, on which nobody works either
// (Labour Code, art. 85). moves says that its day off is given on the next
// working day if it falls on a weekend (art. 85 (3)), which holds for the
// national and state holidays.
var holidays = []struct {
	month time.Month
	day   int
	moves bool
}{
	{time.January, 1, true}, {time.January, 2, true},
	{time.January, 7, false},
	{time.March, 8, true},
	{time.March, 21, true}, {time.March, 22, true}, {time.March, 23, true},
	{time.May, 1, true}, {time.May, 7, true}, {time.May, 9, true},
	{time.July, 6, true},
	{time.August, 30, true},
	{time.October, 25, true},
	{time.December, 16, true},
}

// Calendar says on which days banks and the treasury work. The zero Calendar
// knows weekends and the holidays that keep their date; the first day of
// Kurban Ait, whose date is announced each year, and days that a decree of the
// government moves come from a file (ParseCalendar).
type Calendar struct {
	decreed map[Day]bool // whether the day is worked on
}

// ParseCalendar reads what the rules do not know: CSV rows of a date, "work"
// or "off", and the ground, for the reader. A day may be decreed once.
func ParseCalendar(r io.Reader) (*Calendar, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord, rows.ReuseRecord, rows.Comment = 3, true, '#'
	c := &Calendar{decreed: map[Day]bool{}}
	for n := 1; ; n++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil || n > calendarRowsMax {
			return nil, fault.Wrap(err, fault.CalendarBad, "", "row %d is not a date, work or off, and a ground; or there are more than %d", n, calendarRowsMax)
		}
		day, err := ParseDay(row[0])
		_, twice := c.decreed[day]
		if err != nil || twice || (row[1] != "work" && row[1] != "off") {
			return nil, fault.New(fault.CalendarBad, "", "row %d: the date is bad or stands there twice, or it is neither work nor off", n)
		}
		c.decreed[day] = row[1] == "work"
	}
}

// IsBusiness reports whether the day is worked on.
func (c *Calendar) IsBusiness(d Day) bool {
	if works, decreed := c.decreed[d]; decreed {
		return works
	}
	holiday, _ := d.holiday()
	return !d.weekend() && !holiday && !d.givenFor()
}

func (d Day) weekend() bool { return d.Weekday() == time.Saturday || d.Weekday() == time.Sunday }

// holiday reports whether the day is one of holidays, and whether that moves.
func (d Day) holiday() (is, moves bool) {
	for _, h := range holidays {
		if d.month == h.month && d.day == h.day {
			return true, h.moves
		}
	}
	return false, false
}

// givenFor reports whether the day is off in place of a holiday that fell on a
// weekend. Each such holiday takes the next working day that none before it
// took, so the run of days before d is gone through from its beginning.
func (d Day) givenFor() bool {
	const runMax = 10 // days between a holiday and the day given for it: three holidays and two weekends at most
	owed := 0
	for day := d.AddDays(-runMax); day.Before(d); day = day.AddDays(1) {
		holiday, moves := day.holiday()
		switch {
		case day.weekend() && moves:
			owed++
		case !day.weekend() && !holiday && owed > 0:
			owed--
		}
	}
	return owed > 0
}

// Business is d, or the first business day after it.
func (c *Calendar) Business(d Day) Day {
	for range daysSearchedMax {
		if c.IsBusiness(d) {
			break
		}
		d = d.AddDays(1)
	}
	return d
}

// Add is the n-th business day after d; n is not negative. With 0 it is
// Business(d).
func (c *Calendar) Add(d Day, n int) Day {
	d = c.Business(d)
	for range n {
		d = c.Business(d.AddDays(1))
	}
	return d
}
