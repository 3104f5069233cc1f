package outbox

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// Limits of an audit record's fields, in characters; the table checks the same.
const (
	auditNameMax = 256 // actor, object, purpose
	auditWordMax = 128 // action, outcome
)

// AuditRecord says who did what. It names things by their ids: the store of
// audit records is read by auditors, not by those whose data is looked at.
type AuditRecord struct {
	Actor   string    // who: a client's id, "system"
	Action  string    // what: "registry.gbdul.lookup"
	Object  string    // to what: a transaction's id, a BIN; may be empty
	Purpose string    // why: required by whoever looks a person or company up
	Outcome string    // "allowed", or the code of the refusal
	At      time.Time // the caller's time; kept to the microsecond, in UTC
}

// Audit adds a record in the caller's transaction. A record that must outlive
// a refused act goes into a transaction of its own.
func Audit(ctx context.Context, tx pgx.Tx, record AuditRecord) error {
	if err := checkAudit(record); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO audit_records (id, at, actor, action, object, purpose, outcome)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		postgres.NewID(record.At), record.At, record.Actor, record.Action, record.Object, record.Purpose, record.Outcome)
	if err != nil {
		return fmt.Errorf("record the audit of %s: %w", record.Action, postgres.Classify(err))
	}
	return nil
}

func checkAudit(record AuditRecord) error {
	for _, field := range []struct {
		name, text string
		required   bool
		max        int
	}{
		{"actor", record.Actor, true, auditNameMax},
		{"action", record.Action, true, auditWordMax},
		{"object", record.Object, false, auditNameMax},
		{"purpose", record.Purpose, false, auditNameMax},
		{"outcome", record.Outcome, true, auditWordMax},
	} {
		length := utf8.RuneCountInString(field.text)
		if length > field.max || length == 0 && field.required {
			return fault.New(fault.BadArgument, field.name, "an audit record's %s has %d characters; at most %d are kept", field.name, length, field.max)
		}
	}
	if record.At.IsZero() {
		return fault.New(fault.BadArgument, "at", "the audit of %s has no time", record.Action)
	}
	return nil
}
