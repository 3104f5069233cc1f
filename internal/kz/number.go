package kz

import "github.com/senim-kz/senim/internal/fault"

// Control says how much of a number's inner structure is checked.
type Control int

const (
	// Full checks length, alphabet, date, type digits and the control digit.
	Full Control = iota
	// FormatOnly checks twelve ASCII digits and nothing else. It exists for
	// NUC RK's test certificates, whose IIN123456789011 and BIN123456789021
	// fail both date and control digit; only the test profile may ask for it.
	FormatOnly
)

// numberDigits is the length of both numbers.
const numberDigits = 12

// digits turns s into digit values; it refuses anything but exactly twelve
// ASCII digits, so that no look-alike digit and no blank passes.
func digits(s string, code fault.Code) ([numberDigits]int, error) {
	var d [numberDigits]int
	if len(s) != numberDigits {
		return d, fault.New(code, "", "%d bytes, want %d digits", len(s), numberDigits)
	}
	for i := range d {
		if s[i] < '0' || s[i] > '9' {
			return d, fault.New(code, "", "character %d is not an ASCII digit", i+1)
		}
		d[i] = int(s[i] - '0')
	}
	return d, nil
}

// Weights of the two passes of the control digit. The second is tried only
// when the first gives 10; a number whose second pass gives 10 as well is
// never issued.
var controlWeights = [2][numberDigits - 1]int{
	{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
	{3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2},
}

// controlDigit computes digit 12 of the number from the first eleven; ok is
// false for a prefix that is never issued.
func controlDigit(d [numberDigits]int) (digit int, ok bool) {
	for _, weights := range controlWeights {
		sum := 0
		for i, w := range weights {
			sum += w * d[i]
		}
		if c := sum % 11; c != 10 {
			return c, true
		}
	}
	return 0, false
}

func checkControlDigit(d [numberDigits]int, code fault.Code) error {
	want, ok := controlDigit(d)
	if !ok {
		return fault.New(code, "", "both passes give 10: such a number is never issued")
	}
	if d[numberDigits-1] != want {
		return fault.New(code, "", "the control digit does not match")
	}
	return nil
}
