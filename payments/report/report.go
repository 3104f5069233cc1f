package report

import (
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// Title is a heading in every language.
type Title struct{ KK, RU, EN string }

// In gives the heading in one language.
func (t Title) In(l fault.Language) string {
	switch l {
	case fault.Kazakh:
		return t.KK
	case fault.Russian:
		return t.RU
	}
	return t.EN
}

// Kind of the values of a column.
type Kind string

// The kinds.
const (
	Text   Kind = "text"
	Date   Kind = "date"
	Count  Kind = "count"
	Amount Kind = "amount" // tiyn
)

// Column of a report.
type Column struct {
	Name  string
	Kind  Kind
	Title Title
	// Summed says that the column has a total.
	Summed bool
	// words are what people read for the codes of the column; nil: they read the
	// codes. JSON and CSV always have the codes.
	words func(code string, l fault.Language) string
}

// Key is the column's name in JSON: an amount's says that it is in tiyn.
func (c Column) Key() string {
	if c.Kind == Amount {
		return c.Name + "_tiyn"
	}
	return c.Name
}

// Cell is one value: the field that its column's kind says.
type Cell struct {
	Text   string
	Day    kz.Day // the zero Day is no date
	Number int64  // a count, or tiyn
}

// Report is one kind of report.
type Report struct {
	Name    string
	Title   Title
	Columns []Column

	// query selects the columns in their order: text, date or bigint, and never
	// NULL but for a date. args are its parameters.
	query string
	args  func(Request) []any
	// past is the query as of an earlier moment, with the same parameters; empty:
	// the report is of what happened on its days, and knows no other moment.
	past string
	// period is the default one.
	period func(today kz.Day) Period
}

// All lists the reports.
func All() []*Report {
	return []*Report{&reconciliation, &received, &outstanding, &ageing, &refunds, &exceptions, &fees, &halfYear}
}

// Find returns a report by its name, or fault.ReportUnknown.
func Find(name string) (*Report, error) {
	for _, r := range All() {
		if r.Name == name {
			return r, nil
		}
	}
	return nil, fault.New(fault.ReportUnknown, "/name", "no report is called %.40q", name)
}

// Period returns the report's period: its default one, where an end is not
// given. It is checked.
func (r *Report) Period(from, to kz.Day, now time.Time) (Period, error) {
	p := r.period(kz.DayOf(now))
	if !from.IsZero() {
		p.From = from
		if to.IsZero() && p.To.Before(from) {
			p.To = from
		}
	}
	if !to.IsZero() {
		p.To = to
		if from.IsZero() && to.Before(p.From) {
			p.From = to
		}
	}
	return p, p.check()
}

// Moment is when a report stands that is wanted as of a day: at the day's end,
// or now, if it is today or no day is named. A report of what happened on its
// days knows no other moment than now.
func (r *Report) Moment(asOf kz.Day, now time.Time) (time.Time, error) {
	switch {
	case asOf.IsZero():
		return now, nil
	case r.past == "":
		return now, fault.New(fault.ReportPeriodInvalid, "/as_of", "the report %s is of the days of its period", r.Name)
	case asOf.After(kz.DayOf(now)):
		return now, fault.New(fault.ReportPeriodInvalid, "/as_of", "%s has not come", asOf)
	case asOf == kz.DayOf(now):
		return now, nil
	}
	return asOf.End().Add(-time.Microsecond), nil // the database's last instant of the day
}

// Period is the days that a report is about, both included.
type Period struct {
	From kz.Day `json:"from"`
	To   kz.Day `json:"to"`
}

// PeriodDaysMax bounds a period: the longest report a statute asks for is of a
// year.
const PeriodDaysMax = 366

func (p Period) check() error {
	if p.From.IsZero() || p.To.IsZero() || p.To.Before(p.From) {
		return fault.New(fault.ReportPeriodInvalid, "/from", "the period from %s to %s has no days", p.From, p.To)
	}
	if p.From.AddDays(PeriodDaysMax - 1).Before(p.To) {
		return fault.New(fault.ReportPeriodInvalid, "/to", "the period from %s to %s has more than %d days", p.From, p.To, PeriodDaysMax)
	}
	return nil
}

// yesterday is the last day that is over.
func yesterday(today kz.Day) Period {
	day := today.AddDays(-1)
	return Period{day, day}
}

// lastYear is the longest period that ends today.
func lastYear(today kz.Day) Period { return Period{today.AddDays(1 - PeriodDaysMax), today} }

// thisHalfYear is from 1 January or 1 July to today.
func thisHalfYear(today kz.Day) Period {
	return Period{halfYearOf(today), today}
}

func halfYearOf(day kz.Day) kz.Day {
	start := day.Start()
	month := time.January
	if start.Month() >= time.July {
		month = time.July
	}
	return kz.DayOf(time.Date(start.Year(), month, 1, 0, 0, 0, 0, start.Location()))
}

// days are the parameters of a report whose tables have dates.
func days(r Request) []any { return []any{r.Period.From, r.Period.To} }

// instants are those of a report whose tables have times.
func instants(r Request) []any { return []any{r.Period.From.Start(), r.Period.To.End()} }
