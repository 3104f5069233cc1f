package postgres

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// sendUUIDs makes a uuid.UUID go out as its sixteen bytes. By itself pgx takes
// its text from driver.Valuer and reads that again, which in an array of a
// thousand is a tenth of a transaction's work.
func sendUUIDs(conn *pgx.Conn) {
	m := conn.TypeMap()
	m.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{wrapUUID}, m.TryWrapEncodePlanFuncs...)
}

func wrapUUID(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	id, ok := value.(uuid.UUID)
	return &uuidPlan{}, uuidValue(id), ok
}

// uuidValue gives pgx the bytes.
type uuidValue uuid.UUID

// UUIDValue implements pgtype.UUIDValuer.
func (v uuidValue) UUIDValue() (pgtype.UUID, error) { return pgtype.UUID{Bytes: v, Valid: true}, nil }

type uuidPlan struct{ next pgtype.EncodePlan }

// SetNext implements pgtype.WrappedEncodePlanNextSetter.
func (p *uuidPlan) SetNext(next pgtype.EncodePlan) { p.next = next }

// Encode implements pgtype.EncodePlan.
func (p *uuidPlan) Encode(value any, buffer []byte) ([]byte, error) {
	return p.next.Encode(uuidValue(value.(uuid.UUID)), buffer)
}
