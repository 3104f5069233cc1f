package cert

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// generalizedTime holds the forms of GeneralizedTime in UTC; a fraction of a
// second after the seconds is accepted by time.Parse in either.
const generalizedTime = "20060102150405Z"

// ReadTime reads a UTCTime or a GeneralizedTime, in UTC, to the second or
// (GeneralizedTime, as in time-stamps) with a fraction.
func ReadTime(s *cryptobyte.String) (time.Time, bool) {
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		var t time.Time
		ok := s.ReadASN1UTCTime(&t)
		return t.UTC(), ok
	}
	var text cryptobyte.String
	if !s.ReadASN1(&text, cbasn1.GeneralizedTime) {
		return time.Time{}, false
	}
	return parseGeneralizedTime(string(text))
}

// fractionDigitsMax bounds the fraction at nanoseconds, all that a time.Time
// holds; two different texts never become one instant.
const fractionDigitsMax = 9

func parseGeneralizedTime(text string) (time.Time, bool) {
	// time.Parse would take a comma for the fraction's point, and a fraction
	// that ends in zero; DER has neither (X.690 §11.7).
	if n := len(text); n != len(generalizedTime) {
		fraction := n - len(generalizedTime) - 1
		if fraction < 1 || fraction > fractionDigitsMax || text[14] != '.' || text[n-2] == '0' {
			return time.Time{}, false
		}
	}
	t, err := time.Parse(generalizedTime, text)
	if err != nil {
		return time.Time{}, false
	}
	return t.UTC(), true
}
