package postgres

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// NewID makes a UUIDv7 of the given time (RFC 9562 §5.7): 48 bits of
// milliseconds, 12 bits of the fraction below (method 3 of §6.2), 62 random
// bits. Keys made one after another sit beside each other in an index.
func NewID(now time.Time) uuid.UUID {
	var id uuid.UUID
	rand.Read(id[8:]) // never fails: crypto/rand ends the process instead
	ms := uint64(now.UnixMilli())
	fraction := uint64(now.Nanosecond()%int(time.Millisecond)) << 12 / uint64(time.Millisecond)
	binary.BigEndian.PutUint64(id[:8], ms<<16|0x7000|fraction)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// CompareIDs orders identifiers as the database orders uuid.
func CompareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
