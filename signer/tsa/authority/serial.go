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
// and three that are random, as the other 144 are. So the record of a serial
// number can only be in the partition of its month, and a unique index there
// makes it unique for ever. Any other function of the number that gives the month
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
	month := (at.Year()-serialEpochYear)*12 + int(at.Month()) - 1
	if month < serialMonthMin || month >= serialMonthMax {
		return serial, fault.New(fault.TimeNotAvailable, "", "no serial numbers of the year %d", at.Year())
	}
	head := month<<serialMonthBits | int(serial[1])&(1<<serialMonthBits-1)
	serial[0], serial[1] = byte(head>>8), byte(head)
	return serial, nil
}

// monthOf is the month, in UTC, that a token of that time is recorded under.
func monthOf(at time.Time) time.Time {
	year, month, _ := at.UTC().Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}
