package kz

import (
	"database/sql/driver"
	"log/slog"
	"regexp"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// IIN is an individual identification number: twelve ASCII digits once
// parsed. Its String is masked; use Digits where the number itself is needed.
type IIN string

// ParseIIN reads an IIN: digits 1-6 are the birth date YYMMDD, 7 the century
// and sex (0 for some foreigners, 1-2 XIX, 3-4 XX, 5-6 XXI), 8-11 a sequence,
// 12 the control digit. The date is checked within its century. Whether it
// lies in the future depends on today: see BornAfter.
func ParseIIN(s string, c Control) (IIN, error) {
	d, err := digits(s, fault.IINInvalid)
	if err != nil {
		return "", err
	}
	if c == FormatOnly {
		return IIN(s), nil
	}
	if len(birthDates(d)) == 0 {
		return "", fault.New(fault.IINInvalid, "", "digits 1-7 are not a birth date")
	}
	if err := checkControlDigit(d, fault.IINInvalid); err != nil {
		return "", err
	}
	return IIN(s), nil
}

// birthDates lists the dates that digits 1-7 may mean: one when digit 7 names
// the century, up to three when it is 0 (a foreigner), none when it is no date.
func birthDates(d [numberDigits]int) []Day {
	var centuries []int
	switch c := d[6]; {
	case c == 0:
		centuries = []int{1800, 1900, 2000}
	case c <= 6:
		centuries = []int{1800 + (c-1)/2*100}
	}
	var days []Day
	for _, century := range centuries {
		day, ok := dayFrom(century+d[0]*10+d[1], time.Month(d[2]*10+d[3]), d[4]*10+d[5])
		if ok {
			days = append(days, day)
		}
	}
	return days
}

// BornAfter reports whether the birth date in the number lies after the day,
// so that on that day nobody can bear it. A number whose century is not
// encoded is never certainly in the future, nor is one that has no birth date
// (FormatOnly).
func (n IIN) BornAfter(day Day) bool {
	d, err := digits(string(n), fault.IINInvalid)
	if err != nil {
		return false
	}
	dates := birthDates(d)
	for _, born := range dates {
		if !born.After(day) {
			return false
		}
	}
	return len(dates) > 0
}

// Digits returns the number unmasked, for comparison, storage and the wire.
func (n IIN) Digits() string { return string(n) }

// maskedDigits is how many leading digits are hidden: the birth date, and two
// more, so that what stays tells nothing but the sequence and control digit.
const maskedDigits = 8

// String returns the number with the birth date hidden: "********9011".
func (n IIN) String() string {
	if len(n) != numberDigits {
		return ""
	}
	return "********" + string(n[maskedDigits:])
}

// markedIIN is an IIN as the names in certificates have it (SERIALNUMBER=IIN…).
var markedIIN = regexp.MustCompile(`IIN[0-9]{12}`)

// MaskIINs hides what is personal in the name of a certificate: each IIN is written
// as String writes it.
func MaskIINs(name string) string {
	return markedIIN.ReplaceAllStringFunc(name, func(marked string) string { return "IIN" + IIN(marked[len("IIN"):]).String() })
}

// GoString masks the number under %#v too.
func (n IIN) GoString() string { return `kz.IIN("` + n.String() + `")` }

// LogValue masks the number in slog.
func (n IIN) LogValue() slog.Value { return slog.StringValue(n.String()) }

// Value gives the full digits to SQL. It is spelled out because a driver that
// finds only a Stringer would store the mask.
func (n IIN) Value() (driver.Value, error) { return string(n), nil }
