package authority

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// recordColumns are the parameters of insertRecords: for each the type of its
// elements, the most bytes of one, and how one is written.
var recordColumns = [...]struct {
	element uint32
	bytes   int
	write   func(to []byte, r *Record) []byte
}{
	{pgtype.ByteaOID, SerialBytes, func(to []byte, r *Record) []byte { return append(to, r.Serial[:]...) }},
	{pgtype.TimestamptzOID, 8, func(to []byte, r *Record) []byte { return appendTime(to, r.Time) }},
	{pgtype.TextOID, 32, func(to []byte, r *Record) []byte { return append(to, r.Policy...) }},
	{pgtype.TextOID, 16, func(to []byte, r *Record) []byte { return append(to, r.Digest...) }},
	{pgtype.ByteaOID, 64, func(to []byte, r *Record) []byte { return append(to, r.Imprint...) }},
	{pgtype.ByteaOID, 32, func(to []byte, r *Record) []byte { return append(to, r.Certificate[:]...) }},
	{pgtype.ByteaOID, 32, func(to []byte, r *Record) []byte { return append(to, r.Token[:]...) }},
}

// binaryFormat is that of all parameters (PostgreSQL, Frontend/Backend Protocol,
// Bind).
var binaryFormat = []int16{1}

// encodeRecords writes an array for each column, as array_recv reads it: the number
// of dimensions, whether there are NULLs, the element's type, then the dimension's
// length and lower bound, and each element after its length.
func encodeRecords(records []Record) (columns [len(recordColumns)][]byte) {
	for i, column := range recordColumns {
		out := make([]byte, 0, 20+len(records)*(4+column.bytes))
		for _, n := range []uint32{1, 0, column.element, uint32(len(records)), 1} {
			out = binary.BigEndian.AppendUint32(out, n)
		}
		for j := range records {
			at := len(out)
			out = column.write(append(out, 0, 0, 0, 0), &records[j])
			binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
		}
		columns[i] = out
	}
	return columns
}

// postgresEpoch is where PostgreSQL counts microseconds from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func appendTime(to []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(to, uint64(t.UnixMicro()-postgresEpoch.UnixMicro()))
}
