package revocation

import (
	"encoding/binary"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// plainReason is the encoding of extensions that hold a reason code alone, but
// for the code itself.
const plainReason = "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01"

const utcTimeSize = 2 + len("YYMMDDHHMMSSZ")

// quickEntry reads what nearly all entries are: a serial number, a UTCTime, and a
// reason code or nothing more. It gives the content of the serial number and moves
// on; all else it leaves to readEntry, untouched.
func quickEntry(entries *cryptobyte.String) (serial []byte, e Entry, ok bool) {
	b := []byte(*entries)
	if len(b) < 4 || b[0] != byte(cbasn1.SEQUENCE) || b[1] >= 0x80 || len(b) < 2+int(b[1]) {
		return nil, e, false
	}
	next := b[2+int(b[1]):]
	b = b[2 : 2+int(b[1])]
	if len(b) < 2 || b[0] != byte(cbasn1.INTEGER) || b[1] >= 0x80 || len(b) < 2+int(b[1])+utcTimeSize {
		return nil, e, false
	}
	serial, b = b[2:2+int(b[1])], b[2+int(b[1]):]
	if !isMinimal(serial) {
		return nil, e, false
	}
	seconds, ok := utcSeconds(b[:utcTimeSize])
	if !ok {
		return nil, e, false
	}
	if b = b[utcTimeSize:]; len(b) > 0 {
		if len(b) != len(plainReason)+1 || string(b[:len(plainReason)]) != plainReason || b[len(plainReason)] >= 0x80 {
			return nil, e, false
		}
		e.Reason = Reason(b[len(plainReason)])
	}
	e.RevokedAt = time.Unix(seconds, 0).UTC()
	*entries = next
	return serial, e, true
}

// daysBefore is the number of days of a common year before each month.
var daysBefore = [14]int64{0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

// utcSeconds reads a UTCTime element (RFC 5280 §4.1.2.5.1). What is not one, to
// the last digit, is for cert.ReadTime.
func utcSeconds(b []byte) (seconds int64, ok bool) {
	_ = b[utcTimeSize-1]
	if b[0] != byte(cbasn1.UTCTime) || b[1] != byte(utcTimeSize-2) || b[utcTimeSize-1] != 'Z' ||
		!areDigits(binary.LittleEndian.Uint64(b[2:])) || !areDigits(binary.LittleEndian.Uint64(b[6:])) {
		return 0, false
	}
	two := func(at int) int64 { return int64(b[at])*10 + int64(b[at+1]) - '0'*11 }
	year, month, day := two(2), two(4), two(6)
	hour, minute, second := two(8), two(10), two(12)
	if year += 1900; year < 1950 {
		year += 100
	}
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	// From 1901 to 2099 every fourth year is a leap year.
	leap := int64(0)
	if year&3 == 0 {
		leap = 1
	}
	length := daysBefore[month+1] - daysBefore[month]
	if month == 2 {
		length += leap
	}
	if day > length {
		return 0, false
	}
	days := (year-1970)*365 + (year-1969)>>2 + daysBefore[month] + day - 1
	if month > 2 {
		days += leap
	}
	return ((days*24+hour)*60+minute)*60 + second, true
}

// areDigits looks at eight characters at once: less '0', a digit has an empty
// upper half, and adding six carries into it from ten on.
func areDigits(eight uint64) bool {
	const zeros, sixes, upper = 0x3030303030303030, 0x0606060606060606, 0xf0f0f0f0f0f0f0f0
	return eight&upper == zeros && (eight-zeros+sixes)&upper == 0
}
