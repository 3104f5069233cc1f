package idempotency

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// Request is one of many requests that are done in one transaction. Nobody
// waits for a peer meanwhile, so no lease is taken: the row that makes the
// answer known is also the claim.
type Request struct {
	Caller    string
	Key       Key
	Operation string

	// After the reading statement: what is known under the key.
	Answer json.RawMessage // the kept answer of the same request; nil if there is none
	Err    error           // why the request must not be done; nil if it may
}

// QueueRead looks the keys of requests up, by one statement in a batch that the
// caller sends, and fills in what is known: an Answer means that the request was
// done before, an Err that the key is another request's (idempotency_key_reused)
// or that its request is at work elsewhere (request_in_flight).
//
// What is not there yet is the caller's to do and to store with QueueAnswers in
// the same transaction. Should somebody else do so first, that transaction
// fails (Taken), and the caller reads again.
func QueueRead(batch *pgx.Batch, requests []*Request) {
	if len(requests) == 0 {
		return
	}
	callers, keys := make([]string, len(requests)), make([]string, len(requests))
	for i, r := range requests {
		callers[i], keys[i] = r.Caller, r.Key.Value
		r.Answer, r.Err = nil, nil
	}
	batch.Queue(`
		SELECT g.place, i.operation, i.body_sha256, i.answer
		  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS g (caller, key, place)
		  JOIN idempotency i ON i.caller = g.caller AND i.key = g.key`, callers, keys).
		Query(func(rows pgx.Rows) error {
			var place int
			var operation string
			var body []byte
			var answer json.RawMessage
			_, err := pgx.ForEachRow(rows, []any{&place, &operation, &body, &answer}, func() error {
				requests[place-1].known(operation, body, bytes.Clone(answer))
				return nil
			})
			return err
		})
}

// QueueClaim is QueueRead of one request, which nobody else can then claim until
// the transaction ends: to whoever tries, it is at work (request_in_flight).
func QueueClaim(batch *pgx.Batch, r *Request) {
	batch.Queue(`SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`, "idempotency "+r.Caller+" "+r.Key.Value).
		QueryRow(func(row pgx.Row) error {
			var free bool
			err := row.Scan(&free)
			if !free {
				r.Err = InFlight()
			}
			return err
		})
	QueueRead(batch, []*Request{r})
}

// known judges a request by what stands under its key.
func (r *Request) known(operation string, body []byte, answer json.RawMessage) {
	switch {
	case operation != r.Operation || !bytes.Equal(body, r.Key.BodySHA256[:]):
		r.Err = reused()
	case answer == nil:
		r.Err = InFlight()
	default:
		r.Answer = answer
	}
}

// InFlight says that the first request with a key has not ended yet.
func InFlight() error {
	return fault.New(fault.RequestInFlight, "/headers/Idempotency-Key", "the first request with this key is still at work")
}

func reused() error {
	return fault.New(fault.IdempotencyKeyReused, "/headers/Idempotency-Key", "the key was used for another request")
}

// QueueAnswers stores the answers of requests that QueueRead knew nothing of,
// by one statement in a batch that the caller sends.
func QueueAnswers(batch *pgx.Batch, requests []*Request, answers []any, now time.Time) error {
	if len(requests) == 0 {
		return nil
	}
	n := len(requests)
	callers, keys, operations := make([]string, n), make([]string, n), make([]string, n)
	bodies, encoded := make([][]byte, n), make([]string, n)
	for i, r := range requests {
		raw, err := json.Marshal(answers[i])
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		callers[i], keys[i], operations[i], bodies[i], encoded[i] = r.Caller, r.Key.Value, r.Operation, r.Key.BodySHA256[:], string(raw)
	}
	// By key, so that two who store the same ones wait in one direction. Nobody
	// is at work any more: the lease is over as it is taken.
	batch.Queue(`
		INSERT INTO idempotency (caller, key, operation, body_sha256, lease, lease_until, answer, recorded_at)
		SELECT caller, key, operation, body_sha256, $6, $7, answer::jsonb, $7
		  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[]) AS g (caller, key, operation, body_sha256, answer)
		 ORDER BY caller, key`, callers, keys, operations, bodies, encoded, uuid.Nil, now)
	return nil
}

// Taken reports whether a transaction failed because a key of QueueAnswers has
// an answer by now.
func Taken(err error) bool { return postgres.UniqueViolation(err, "idempotency_pkey") }
