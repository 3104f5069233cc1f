package kz

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

func day(t testing.TB, s string) Day {
	t.Helper()
	d, err := ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestIsBusiness(t *testing.T) {
	decreed, err := ParseCalendar(strings.NewReader("# of 2026\n2026-05-27,off,Kurban Ait\n2026-01-10,work,for 9 January\n2026-01-09,off,moved to 10 January\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		day      string
		calendar *Calendar
		business bool
	}{
		{"2026-11-20", &Calendar{}, true},  // Friday
		{"2026-11-21", &Calendar{}, false}, // Saturday
		{"2026-11-22", &Calendar{}, false},
		{"2026-12-16", &Calendar{}, false}, // Wednesday, Independence Day
		{"2026-01-07", &Calendar{}, false}, // Wednesday, Christmas
		{"2026-03-20", &Calendar{}, true},
		{"2026-03-23", &Calendar{}, false}, // Nauryz: Saturday, Sunday, Monday,
		{"2026-03-24", &Calendar{}, false}, // so two days are given
		{"2026-03-25", &Calendar{}, false},
		{"2026-03-26", &Calendar{}, true},
		{"2026-03-09", &Calendar{}, false}, // 8 March is a Sunday
		{"2026-03-10", &Calendar{}, true},
		{"2026-05-11", &Calendar{}, false}, // 9 May is a Saturday
		{"2026-05-12", &Calendar{}, true},
		{"2023-01-02", &Calendar{}, false}, // 1 January is a Sunday, the 2nd a holiday itself
		{"2023-01-03", &Calendar{}, false},
		{"2023-01-04", &Calendar{}, true},
		{"2028-01-04", &Calendar{}, false}, // a Saturday and a Sunday
		{"2028-01-05", &Calendar{}, true},
		{"2029-01-08", &Calendar{}, true}, // 7 January is a Sunday, and gives no day
		{"2026-05-27", &Calendar{}, true},
		{"2026-05-27", decreed, false},
		{"2026-01-10", decreed, true},
		{"2026-01-09", decreed, false},
	} {
		if got := tt.calendar.IsBusiness(day(t, tt.day)); got != tt.business {
			t.Errorf("%s (%s): %v", tt.day, day(t, tt.day).Weekday(), got)
		}
	}
}

func TestParseCalendarRefuses(t *testing.T) {
	for _, text := range []string{
		"2026-05-27,off\n", "2026-05-27,closed,x\n", "27.05.2026,off,x\n", "2026-02-30,off,x\n", "\"", "2026-05-27,off,x\n2026-05-27,work,x\n",
		strings.Repeat("2026-05-27,off,x\n", calendarRowsMax+1),
	} {
		if c, err := ParseCalendar(strings.NewReader(text)); !fault.Is(err, fault.CalendarBad) || c != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// Business days stand still under Business, and Add counts them.
func TestBusinessDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &Calendar{}
		d := DayOf(time.Unix(rapid.Int64Range(1.7e9, 2.5e9).Draw(t, "second"), 0))
		n := rapid.IntRange(0, 30).Draw(t, "n")
		first := c.Business(d)
		if first.Before(d) || !c.IsBusiness(first) || c.Business(first) != first || c.Add(d, 0) != first {
			t.Fatalf("%s: %s", d, first)
		}
		count, last := 0, c.Add(d, n)
		for day := first.AddDays(1); !day.After(last); day = day.AddDays(1) {
			if c.IsBusiness(day) {
				count++
			}
		}
		if count != n || !c.IsBusiness(last) {
			t.Fatalf("%s and %d business days: %s, %d", d, n, last, count)
		}
	})
}
