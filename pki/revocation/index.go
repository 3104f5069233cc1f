package revocation

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"slices"
	"sort"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// Index holds the entries of a direct list sorted, in 25 bytes each: NUC RK's
// production list has 422 000. It is exact, keeps nothing of the list alive, and
// may be shared.
type Index struct {
	records []byte   // recordSize each, in buckets, sorted there
	starts  []uint32 // of the buckets

	// odd are entries that do not fit a record: serial numbers that are negative
	// or longer than RFC 5280 allows, dates before 1970, with fractions or after
	// 2106, reasons that nobody knows.
	odd map[string]Entry
}

// A record is the serial number, right-aligned, the date in seconds and the
// reason.
const (
	serialSize = 20
	recordSize = serialSize + 4 + 1
	buckets    = 1 << 16
)

// NewIndex reads all entries of the list once. A critical extension in any of
// them that cannot be processed refuses the list, as Find does; lists with
// entries of other issuers are not indexed (crl_out_of_scope).
func NewIndex(l *List) (*Index, error) {
	x := &Index{odd: make(map[string]Entry)}
	// An entry takes 17 bytes at least, so the list's own size bounds this.
	records := make([]byte, 0, len(l.entries)/45*recordSize)
	entries := l.entries
	for count := 0; !entries.Empty(); count++ {
		var body, serial cryptobyte.String
		if count == crlEntriesMax || !entries.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&serial, cbasn1.INTEGER) || !isMinimal(serial) {
			return nil, crlUnreadable("entry %d is malformed", count)
		}
		e, ok := quickEntry(body)
		if !ok {
			read, issuer, err := readEntry(&body)
			if err != nil {
				return nil, err
			}
			if issuer != nil {
				return nil, fault.New(fault.CRLOutOfScope, "", "entry %d is of another issuer", count)
			}
			e = read
		}
		if serial[0] == 0 && len(serial) > 1 {
			serial = serial[1:]
		} else if serial[0] >= 0x80 {
			x.addOdd(serial, true, e)
			continue
		}
		seconds := e.RevokedAt.Unix()
		if len(serial) > serialSize || seconds < 0 || seconds > 1<<32-1 || e.RevokedAt.Nanosecond() != 0 || e.Reason < 0 || e.Reason > 255 {
			x.addOdd(serial, false, e)
			continue
		}
		at := len(records)
		records = append(records, make([]byte, recordSize)...)
		copy(records[at+serialSize-len(serial):], serial)
		binary.BigEndian.PutUint32(records[at+serialSize:], uint32(seconds))
		records[at+recordSize-1] = byte(e.Reason)
	}
	x.sort(records)
	return x, nil
}

// isMinimal checks an INTEGER's content (X.690 §8.3.2).
func isMinimal(b []byte) bool {
	return len(b) == 1 || len(b) > 1 && !(b[0] == 0 && b[1] < 0x80) && !(b[0] == 0xff && b[1] >= 0x80)
}

// addOdd keeps the earlier of two entries, as Find does.
func (x *Index) addOdd(serial []byte, negative bool, e Entry) {
	key := oddKey(serial, negative)
	if other, known := x.odd[key]; !known || e.RevokedAt.Before(other.RevokedAt) {
		x.odd[key] = e
	}
}

func oddKey(serial []byte, negative bool) string {
	if negative {
		return "-" + string(serial)
	}
	return "+" + string(serial)
}

// plainReason is the encoding of extensions that hold a reason code alone, but
// for the code itself.
var plainReason = []byte{0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01}

// quickEntry reads what nearly all entries are: a UTCTime and a reason code, or
// nothing more. Others are for readEntry.
func quickEntry(body cryptobyte.String) (e Entry, ok bool) {
	const utcTime = 2 + len("YYMMDDHHMMSSZ")
	if len(body) < utcTime || body[0] != byte(cbasn1.UTCTime) || int(body[1]) != utcTime-2 || body[utcTime-1] != 'Z' {
		return e, false
	}
	var field [6]int
	for i := range field {
		tens, ones := body[2+2*i]-'0', body[3+2*i]-'0'
		if tens > 9 || ones > 9 {
			return e, false
		}
		field[i] = int(tens)*10 + int(ones)
	}
	year := 2000 + field[0]
	if field[0] >= 50 {
		year = 1900 + field[0]
	}
	if field[1] < 1 || field[1] > 12 || field[2] < 1 || field[2] > 28 || field[3] > 23 || field[4] > 59 || field[5] > 59 {
		return e, false // or a day at the end of a month
	}
	e.RevokedAt = time.Date(year, time.Month(field[1]), field[2], field[3], field[4], field[5], 0, time.UTC)
	rest := body[utcTime:]
	if rest.Empty() {
		return e, true
	}
	if len(rest) != len(plainReason)+1 || !bytes.HasPrefix(rest, plainReason) || rest[len(plainReason)] >= 0x80 {
		return e, false
	}
	e.Reason = Reason(rest[len(plainReason)])
	return e, true
}

// sort puts the records into buckets by the last two bytes of the serial number,
// which are even both where serials are drawn at random and where they are
// counted, and in order within them.
func (x *Index) sort(records []byte) {
	x.starts = make([]uint32, buckets+1)
	for at := 0; at < len(records); at += recordSize {
		x.starts[bucket(records[at:])+1]++
	}
	for i := range buckets {
		x.starts[i+1] += x.starts[i]
	}
	x.records = make([]byte, len(records))
	next := slices.Clone(x.starts)
	for at := 0; at < len(records); at += recordSize {
		b := bucket(records[at:])
		copy(x.records[int(next[b])*recordSize:], records[at:at+recordSize])
		next[b]++
	}
	for i := range buckets {
		switch r := recordsOf(x.within(i)); {
		case r.Len() > 32: // somebody's choice of serial numbers, not chance
			sort.Sort(r)
		default:
			r.insert()
		}
	}
}

func bucket(record []byte) int { return int(binary.BigEndian.Uint16(record[serialSize-2:])) }

// within is the records of a bucket.
func (x *Index) within(bucket int) []byte {
	return x.records[int(x.starts[bucket])*recordSize : int(x.starts[bucket+1])*recordSize]
}

// recordsOf sorts records by serial number, then date.
type recordsOf []byte

func (r recordsOf) Len() int { return len(r) / recordSize }
func (r recordsOf) Less(i, j int) bool {
	if a, b := binary.BigEndian.Uint64(r[i*recordSize:]), binary.BigEndian.Uint64(r[j*recordSize:]); a != b {
		return a < b
	}
	return bytes.Compare(r[i*recordSize:(i+1)*recordSize], r[j*recordSize:(j+1)*recordSize]) < 0
}

// insert sorts a few records.
func (r recordsOf) insert() {
	for i := 1; i < r.Len(); i++ {
		for j := i; j > 0 && r.Less(j, j-1); j-- {
			r.Swap(j, j-1)
		}
	}
}

func (r recordsOf) Swap(i, j int) {
	var held [recordSize]byte
	copy(held[:], r[i*recordSize:])
	copy(r[i*recordSize:(i+1)*recordSize], r[j*recordSize:])
	copy(r[j*recordSize:], held[:])
}

// Len is the number of entries, of which several may be of one certificate.
func (x *Index) Len() int { return len(x.records)/recordSize + len(x.odd) }

// Find looks a serial number up without allocating, but for those that RFC 5280
// forbids.
func (x *Index) Find(serial *big.Int) (Entry, bool) {
	if serial.Sign() < 0 {
		var b cryptobyte.Builder
		b.AddASN1BigInt(serial)
		s, content := cryptobyte.String(b.BytesOrPanic()), cryptobyte.String(nil)
		s.ReadASN1(&content, cbasn1.INTEGER)
		e, found := x.odd[oddKey(content, true)]
		return e, found
	}
	if serial.BitLen() <= 8*serialSize {
		var key [serialSize]byte
		serial.FillBytes(key[:])
		if e, found := x.findRecord(&key); found || len(x.odd) == 0 {
			return e, found
		}
	}
	if len(x.odd) == 0 {
		return Entry{}, false
	}
	content := serial.Bytes()
	if len(content) == 0 {
		content = []byte{0}
	}
	e, found := x.odd[oddKey(content, false)]
	return e, found
}

// findRecord is a binary search in the bucket for the first record of the
// serial number: of two entries the earlier revocation holds.
func (x *Index) findRecord(key *[serialSize]byte) (Entry, bool) {
	b := x.within(bucket(key[:]))
	low, high := 0, len(b)/recordSize
	for low < high {
		middle := int(uint(low+high) >> 1)
		if bytes.Compare(b[middle*recordSize:middle*recordSize+serialSize], key[:]) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low*recordSize == len(b) || !bytes.Equal(b[low*recordSize:low*recordSize+serialSize], key[:]) {
		return Entry{}, false
	}
	r := b[low*recordSize:]
	return Entry{
		RevokedAt: time.Unix(int64(binary.BigEndian.Uint32(r[serialSize:])), 0).UTC(),
		Reason:    Reason(r[recordSize-1]),
	}, true
}
