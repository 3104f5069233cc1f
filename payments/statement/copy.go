package statement

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/kz"
)

// inputColumns of the temporary table, in the order in which copyReader writes
// them.
const inputColumns = `id uuid, key bytea, position int, place text, reference text, booked bool, reversal bool, booking_day date, value_day date,
	amount bigint, identifier text, budget_code text, purpose_code text, payer text, end_to_end text, declaration text, purpose text,
	returned bool, return_reason text, revenue_office text, office_bin text, code text, detail text`

const inputColumnCount = 23

// copyReader writes lines in the binary format of COPY (PostgreSQL 15, COPY,
// "Binary Format"), straight into the buffer that is sent: the driver's own way
// takes longer than reading the statement.
type copyReader struct {
	batches <-chan []row
	account string
	id      uuid.UUID // of the lines, but for their number

	buffer []byte
	read   int // of the buffer
	ended  bool

	lastDay    kz.Day // of a statement most lines have the same
	lastNumber int32
}

// postgresEpoch is 2000-01-01 in seconds of Unix.
const postgresEpoch = 946_684_800

// newCopyReader makes the identifiers of lines out of one: they share its time
// and random part and end with their position, so that an index takes them one
// behind the other.
func newCopyReader(batches <-chan []row, account string, id uuid.UUID) *copyReader {
	header := append([]byte("PGCOPY\n\xff\r\n\x00"), 0, 0, 0, 0, 0, 0, 0, 0) // no flags, no extension
	return &copyReader{batches: batches, account: account, id: id, buffer: header}
}

// Read gives a batch at a time. The parser's errors are the parser's to tell, and
// load asks it.
func (c *copyReader) Read(p []byte) (int, error) {
	if c.read == len(c.buffer) {
		if c.ended {
			return 0, io.EOF
		}
		c.buffer, c.read = c.buffer[:0], 0
		batch, more := <-c.batches
		for i := range batch {
			c.row(&batch[i])
		}
		if !more {
			c.ended = true
			c.buffer = binary.BigEndian.AppendUint16(c.buffer, 0xFFFF)
		}
	}
	n := copy(p, c.buffer[c.read:])
	c.read += n
	return n, nil
}

func (c *copyReader) row(r *row) {
	l := &r.line
	key := l.key(c.account)
	id := c.id
	binary.BigEndian.PutUint32(id[12:], uint32(l.Position))
	c.buffer = binary.BigEndian.AppendUint16(c.buffer, inputColumnCount)
	c.bytes(id[:])
	c.bytes(key[:])
	c.int4(int32(l.Position))
	c.text(l.Place)
	c.text(l.Reference)
	c.bool(l.Booked)
	c.bool(l.Reversal)
	c.day(l.BookingDay)
	c.day(l.ValueDay)
	c.int8(int64(l.Amount))
	c.text(l.Identifier)
	c.text(l.BudgetCode)
	c.text(l.PurposeCode)
	c.text(l.Payer)
	c.text(l.EndToEnd)
	c.text(l.Declaration)
	c.text(l.Purpose)
	c.bool(l.Returned)
	c.text(l.ReturnReason)
	c.text(l.Office)
	c.text(l.OfficeBIN)
	c.text(string(r.code))
	c.text(r.detail)
}

func (c *copyReader) length(n int) {
	c.buffer = binary.BigEndian.AppendUint32(c.buffer, uint32(n))
}

func (c *copyReader) bytes(b []byte) {
	c.length(len(b))
	c.buffer = append(c.buffer, b...)
}

func (c *copyReader) text(s string) {
	c.length(len(s))
	c.buffer = append(c.buffer, s...)
}

func (c *copyReader) bool(b bool) {
	c.length(1)
	if b {
		c.buffer = append(c.buffer, 1)
	} else {
		c.buffer = append(c.buffer, 0)
	}
}

func (c *copyReader) int4(n int32) {
	c.length(4)
	c.buffer = binary.BigEndian.AppendUint32(c.buffer, uint32(n))
}

func (c *copyReader) int8(n int64) {
	c.length(8)
	c.buffer = binary.BigEndian.AppendUint64(c.buffer, uint64(n))
}

// day is the number of days since 2000-01-01; the zero day is NULL.
func (c *copyReader) day(d kz.Day) {
	if d.IsZero() {
		c.buffer = binary.BigEndian.AppendUint32(c.buffer, 0xFFFFFFFF)
		return
	}
	if d != c.lastDay {
		date, _ := time.Parse(time.DateOnly, d.String()) // which is how it is written
		c.lastDay, c.lastNumber = d, int32((date.Unix()-postgresEpoch)/(24*60*60))
	}
	c.int4(c.lastNumber)
}
