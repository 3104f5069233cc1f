package money

import (
	"math"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// Tiyn is an amount in 1/100 KZT. It may be negative: a credit in the ledger,
// a shortfall in reconciliation. In JSON it is a whole number, and the name of
// its field ends in _tiyn.
type Tiyn int64

// The currency of every amount, by ISO 4217 in letters and in digits.
const (
	Currency        = "KZT"
	CurrencyNumeric = "398"
)

// Tenge is one tenge.
const Tenge Tiyn = 100

// textMax bounds what Parse looks at: the sign, the digits of an int64 and
// the fraction of ISO 20022, which allows five digits.
const textMax = 26

// Add returns a+b, or fault.AmountOverflow.
func (a Tiyn) Add(b Tiyn) (Tiyn, error) {
	sum := a + b
	// The sum wrapped if and only if both terms have the sign it has not.
	if (a < 0) == (b < 0) && (sum < 0) != (a < 0) {
		return 0, fault.New(fault.AmountOverflow, "", "the sum does not fit in 64 bits")
	}
	return sum, nil
}

// Sub returns a-b, or fault.AmountOverflow.
func (a Tiyn) Sub(b Tiyn) (Tiyn, error) {
	difference := a - b
	if (a < 0) != (b < 0) && (difference < 0) != (a < 0) {
		return 0, fault.New(fault.AmountOverflow, "", "the difference does not fit in 64 bits")
	}
	return difference, nil
}

// Neg returns -a; the lowest int64 has no negative and is refused.
func (a Tiyn) Neg() (Tiyn, error) {
	if a == math.MinInt64 {
		return 0, fault.New(fault.AmountOverflow, "", "the negative does not fit in 64 bits")
	}
	return -a, nil
}

// Parse reads an amount in tenge: "1234", "1234.5", "1234.50", with an
// optional "-". Grouping, exponents, a comma, a leading "+" and a bare point
// are refused, and so is anything finer than a tiyn.
func Parse(s string) (Tiyn, error) {
	if len(s) > textMax {
		return 0, fault.New(fault.AmountInvalid, "", "more than %d characters", textMax)
	}
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || (point && fraction == "") || len(fraction) > 2 {
		return 0, fault.New(fault.AmountInvalid, "", "not an amount like 1234.50")
	}
	text := whole + (fraction + "00")[:2]
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, fault.New(fault.AmountInvalid, "", "not an amount like 1234.50")
		}
	}
	if negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // only ErrRange is left: all are digits
		return 0, fault.New(fault.AmountOverflow, "", "the amount does not fit in 64 bits")
	}
	return Tiyn(n), nil
}

// String writes the amount as Parse reads it, always with two digits after
// the point: "1234.50".
func (a Tiyn) String() string {
	sign, whole, fraction := a.parts()
	return sign + whole + "." + fraction
}

// Display writes the amount for people, in Kazakh and Russian manner, with
// no-break spaces so that it never wraps: "1 234,50 ₸".
func (a Tiyn) Display() string {
	const space = "\u00a0"
	sign, whole, fraction := a.parts()
	var b strings.Builder
	b.WriteString(sign)
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(space)
		}
		b.WriteRune(r)
	}
	b.WriteString("," + fraction + space + "₸")
	return b.String()
}

// parts splits the amount into its sign, its tenge and two digits of tiyn.
func (a Tiyn) parts() (sign, whole, fraction string) {
	magnitude := uint64(a)
	if a < 0 {
		sign, magnitude = "-", -magnitude // right for the lowest int64 too
	}
	text := strconv.FormatUint(magnitude, 10)
	for len(text) < 3 {
		text = "0" + text
	}
	return sign, text[:len(text)-2], text[len(text)-2:]
}
