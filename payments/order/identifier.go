package order

import (
	"fmt"
	"strconv"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// Identifier is the unique payment identifier of one line. It must survive a
// bank's retyping into a free-text purpose and come back in a statement, so it
// is seventeen digits and nothing else: the day of the order as YYMMDD, nine
// digits of a sequence, and two check digits.
//
// The check digits are ISO/IEC 7064 MOD 97-10, as in an IBAN: every wrong
// digit and every swap of two neighbours is noticed. 17 digits fit the 35
// characters of an ISO 20022 reference and a 64-bit integer.
type Identifier string

// Parts of an identifier.
const (
	identifierDigits = 17
	checkDigits      = 2

	// sequenceMax is the greatest number of the sequence; the database starts
	// it again at 1, a day has fewer lines.
	sequenceMax = 999_999_999
)

// NewIdentifier makes the identifier of a day and a number of the sequence.
func NewIdentifier(day kz.Day, sequence int64) (Identifier, error) {
	if day.IsZero() || sequence < 1 || sequence > sequenceMax {
		return "", fault.New(fault.IdentifierInvalid, "", "no day, or number %d not within 1..%d", sequence, sequenceMax)
	}
	body := day.Start().Format("060102") + fmt.Sprintf("%09d", sequence)
	return Identifier(fmt.Sprintf("%s%02d", body, 98-mod97(body+"00"))), nil
}

// ParseIdentifier reads an identifier and checks its check digits. It takes no
// spaces: those of Print are for people.
func ParseIdentifier(s string) (Identifier, error) {
	if len(s) != identifierDigits {
		return "", fault.New(fault.IdentifierInvalid, "", "not %d digits", identifierDigits)
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return "", fault.New(fault.IdentifierInvalid, "", "character %d is not a digit", i+1)
		}
	}
	// Of the check values 00..99, MOD 97-10 gives out only 02..98: so no
	// identifier has two spellings.
	if check, _ := strconv.Atoi(s[identifierDigits-checkDigits:]); mod97(s) != 1 || check < 2 || check > 98 {
		return "", fault.New(fault.IdentifierInvalid, "", "the check digits are wrong")
	}
	return Identifier(s), nil
}

// Print writes the identifier in groups, as it stands on a bill.
func (i Identifier) Print() string {
	if len(i) != identifierDigits {
		return string(i)
	}
	s := string(i)
	return s[:6] + " " + s[6:9] + " " + s[9:12] + " " + s[12:15] + " " + s[15:]
}

// mod97 is the remainder of a string of ASCII digits, of any length, by 97.
func mod97(digits string) int {
	remainder := 0
	for i := range len(digits) {
		remainder = (remainder*10 + int(digits[i]-'0')) % 97
	}
	return remainder
}
