package outbox

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/postgres"
)

// QueueAudits adds records as Audit does each, by one statement in a batch
// that the caller sends. Either all records are in order and queued, or none
// is.
func QueueAudits(batch *pgx.Batch, records []AuditRecord) error {
	if len(records) == 0 {
		return nil
	}
	n := len(records)
	ids, ats := make([]uuid.UUID, n), make([]time.Time, n)
	actors, actions, objects := make([]string, n), make([]string, n), make([]string, n)
	purposes, outcomes := make([]string, n), make([]string, n)
	for i, r := range records {
		if err := checkAudit(r); err != nil {
			return err
		}
		ids[i], ats[i] = postgres.NewID(r.At), r.At
		actors[i], actions[i], objects[i], purposes[i], outcomes[i] = r.Actor, r.Action, r.Object, r.Purpose, r.Outcome
	}
	batch.Queue(`
		INSERT INTO audit_records (id, at, actor, action, object, purpose, outcome)
		SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])`,
		ids, ats, actors, actions, objects, purposes, outcomes)
	return nil
}
