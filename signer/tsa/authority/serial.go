package authority

import (
	"io"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// SerialBytes is the length of a serial number: 160 bits of which the first is
// zero, the most that RFC 3161 §2.4.2 lets a client expect.
const SerialBytes = 20

// The first 16 bits of a serial number: zero, 12 bits of months since 2000-01,
// and three that are random, as the other 144 are. So the serial numbers of a month
// are one range, which is a partition of the records: its unique index makes a
// serial number unique for ever. Any other function of the number that gives the month
// would take as much of its randomness, and could not be read off.
const (
	serialEpochYear = 2000
	serialMonthMin  = 32      // 2002-09; from here on the first byte is not zero, and the INTEGER always has 20 bytes
	serialMonthMax  = 1 << 12 // 2341-05
	serialMonthBits = 3       // to the left
)

// newSerial draws a serial number for a token of that time.
func newSerial(at time.Time, random io.Reader) (serial [SerialBytes]byte, err error) {
	if _, err := io.ReadFull(random, serial[:]); err != nil {
		return serial, fault.Wrap(err, fault.Internal, "", "draw a serial number")
	}
	month := monthsOf(at)
	if month < serialMonthMin || month >= serialMonthMax {
		return serial, fault.New(fault.TimeNotAvailable, "", "no serial numbers of the year %d", at.Year())
	}
	head := month<<serialMonthBits | int(serial[1])&(1<<serialMonthBits-1)
	serial[0], serial[1] = byte(head>>8), byte(head)
	return serial, nil
}

// monthsOf counts the months from 2000-01 to a time's, in UTC.
func monthsOf(at time.Time) int {
	year, month, _ := at.UTC().Date()
	return (year-serialEpochYear)*12 + int(month) - 1
}

// monthIn is the month that a serial number begins with; no time's if it is
// negative.
func monthIn(serial [SerialBytes]byte) int {
	return (int(serial[0])<<8 | int(serial[1])) >> serialMonthBits
}
