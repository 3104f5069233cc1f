package revocation

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// Index holds the entries of a direct list by serial number, in at most 29
// bytes each: NUC RK's production list has 422 000. It is exact, keeps nothing of
// the list alive, and may be shared.
//
// Entries lie in buckets by a hash of the serial number, one or two to a bucket
// and in no order there. The hash is drawn for each index, so that nobody can
// choose serial numbers that fall together.
type Index struct {
	hash    serialHash
	starts  []uint32 // of the buckets, in records
	records []byte   // recordSize each

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
)

// NewIndex reads all entries of the list. A critical extension in any of them
// that cannot be processed refuses the list, as Find does; lists with entries of
// other issuers are not indexed (crl_out_of_scope).
func NewIndex(l *List) (*Index, error) {
	count, err := countEntries(l.entries)
	if err != nil {
		return nil, err
	}
	x := &Index{odd: make(map[string]Entry)}
	width := bits.Len(uint(count)) - 1 // a power of two of buckets, at most count
	x.hash.draw(max(width, 0))
	x.starts = make([]uint32, 1<<max(width, 0)+1)
	records, places, err := x.read(l, count)
	if err != nil {
		return nil, err
	}
	x.distribute(records, places)
	return x, nil
}

// countEntries walks over the entries without reading them. What a list says
// about its length is believed only as far as its bytes go.
func countEntries(entries cryptobyte.String) (int, error) {
	count := 0
	for ; !entries.Empty(); count++ {
		if len(entries) > 2 && entries[0] == byte(cbasn1.SEQUENCE) && entries[1] < 0x80 && len(entries) >= 2+int(entries[1]) {
			entries = entries[2+int(entries[1]):]
		} else if !entries.SkipASN1(cbasn1.SEQUENCE) {
			return 0, crlUnreadable("entry %d is malformed", count)
		}
		if count == crlEntriesMax {
			return 0, crlUnreadable("more than %d entries", crlEntriesMax)
		}
	}
	return count, nil
}

// read turns the entries into records in their order, says to which bucket each
// belongs, and counts in starts how many that are.
func (x *Index) read(l *List, count int) (records []byte, places []uint32, err error) {
	entries := l.entries
	records, places = make([]byte, 0, count*recordSize), make([]uint32, 0, count)
	for at := 0; !entries.Empty(); at++ {
		serial, e, issuer, err := l.next(&entries, at)
		if err != nil {
			return nil, nil, err
		}
		if issuer != nil {
			return nil, nil, fault.New(fault.CRLOutOfScope, "", "entry %d is of another issuer", at)
		}
		negative := serial[0] >= 0x80
		if serial[0] == 0 && len(serial) > 1 {
			serial = serial[1:]
		}
		seconds := e.RevokedAt.Unix()
		if negative || len(serial) > serialSize || seconds < 0 || seconds > 1<<32-1 || e.RevokedAt.Nanosecond() != 0 || e.Reason < 0 || e.Reason > 255 {
			x.addOdd(serial, negative, e)
			continue
		}
		records = records[:len(records)+recordSize]
		record := records[len(records)-recordSize:]
		copy(record[serialSize-len(serial):], serial)
		binary.BigEndian.PutUint32(record[serialSize:], uint32(seconds))
		record[recordSize-1] = byte(e.Reason)
		places = append(places, x.hash.of(record[:serialSize]))
	}
	return records, places, nil
}

// serialHash is multiply-shift over vectors of 32-bit words, with random
// factors: two serial numbers meet with the chance of two drawn at random,
// whichever they are (Thorup, High Speed Hashing for Integers and Strings, §3.5).
type serialHash struct {
	factors [serialSize/4 + 1]uint64
	shift   uint8
}

// draw chooses a hash of at most 32 bits.
func (h *serialHash) draw(width int) {
	for i := range h.factors {
		h.factors[i] = rand.Uint64()
	}
	h.shift = uint8(64 - width)
}

func (h *serialHash) of(serial []byte) uint32 {
	_ = serial[serialSize-1]
	sum := h.factors[serialSize/4]
	for i := range serialSize / 4 {
		sum += h.factors[i] * uint64(binary.BigEndian.Uint32(serial[4*i:]))
	}
	return uint32(sum >> h.shift)
}

// distribute moves the records into their buckets.
func (x *Index) distribute(records []byte, places []uint32) {
	for _, place := range places {
		x.starts[place+1]++
	}
	for i := 1; i < len(x.starts); i++ {
		x.starts[i] += x.starts[i-1]
	}
	x.records = make([]byte, len(records))
	// starts[b] is moved to the end of bucket b, which is where the next starts.
	for i, place := range places {
		at := int(x.starts[place]) * recordSize
		x.starts[place]++
		copy(x.records[at:at+recordSize], records[i*recordSize:])
	}
	copy(x.starts[1:], x.starts)
	x.starts[0] = 0
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

// Len is the number of entries, of which several may be of one certificate.
func (x *Index) Len() int { return len(x.records)/recordSize + len(x.odd) }

// Find looks a serial number up without allocating, but for those that RFC 5280
// forbids.
func (x *Index) Find(serial *big.Int) (Entry, bool) {
	if serial.Sign() < 0 {
		var b cryptobyte.Builder
		b.AddASN1BigInt(serial)
		s, content := cryptobyte.String(b.BytesOrPanic()), cryptobyte.String(nil) // an INTEGER can always be written
		s.ReadASN1(&content, cbasn1.INTEGER)
		e, found := x.odd[oddKey(content, true)]
		return e, found
	}
	e, found := Entry{}, false
	if serial.BitLen() <= 8*serialSize {
		var key [serialSize]byte
		serial.FillBytes(key[:])
		e, found = x.findRecord(&key)
	}
	if len(x.odd) == 0 {
		return e, found
	}
	content := serial.Bytes()
	if len(content) == 0 {
		content = []byte{0}
	}
	if other, known := x.odd[oddKey(content, false)]; known && (!found || other.RevokedAt.Before(e.RevokedAt)) {
		return other, true
	}
	return e, found
}

// findRecord searches a bucket: of two entries the earlier revocation holds.
func (x *Index) findRecord(key *[serialSize]byte) (e Entry, found bool) {
	place := x.hash.of(key[:])
	bucket := x.records[int(x.starts[place])*recordSize : int(x.starts[place+1])*recordSize]
	earliest := uint32(0)
	for ; len(bucket) > 0; bucket = bucket[recordSize:] {
		if !bytes.Equal(bucket[:serialSize], key[:]) {
			continue
		}
		if seconds := binary.BigEndian.Uint32(bucket[serialSize:]); !found || seconds < earliest {
			found, earliest = true, seconds
			e.Reason = Reason(bucket[recordSize-1])
		}
	}
	if found {
		e.RevokedAt = time.Unix(int64(earliest), 0).UTC()
	}
	return e, found
}
