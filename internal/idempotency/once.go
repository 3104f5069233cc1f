package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// Limits of the Idempotency-Key.
const (
	keyLengthMax = 128 // characters; a UUID has 36

	// leaseTime is how long a request may work before another with the same
	// key may take over: longer than every time-out inside a use case
	// together, so that only a killed process loses its lease.
	leaseTime = 3 * time.Minute

	// keyRetention is how long an answer is replayed. A client that retries
	// after a month is not retrying.
	keyRetention = 30 * 24 * time.Hour
)

// Key is the Idempotency-Key of one request, bound to the digest of what was
// asked.
type Key struct {
	Value      string // 1..128 printable ASCII characters
	BodySHA256 [sha256.Size]byte
}

// Check refuses a key that no request may carry.
func (k Key) Check() error {
	if k.Value == "" {
		return fault.New(fault.IdempotencyKeyMissing, "/headers/Idempotency-Key", "every request that moves money or evidence carries one")
	}
	if len(k.Value) > keyLengthMax {
		return fault.New(fault.IdempotencyKeyInvalid, "/headers/Idempotency-Key", "longer than %d characters", keyLengthMax)
	}
	for i := range len(k.Value) {
		if k.Value[i] <= ' ' || k.Value[i] > '~' {
			return fault.New(fault.IdempotencyKeyInvalid, "/headers/Idempotency-Key", "byte %d is not printable ASCII", i)
		}
	}
	return nil
}

// Keys are the keys in the database.
type Keys struct {
	pool *pgxpool.Pool
	now  func() time.Time
}

// New opens the keys.
func New(pool *pgxpool.Pool, now func() time.Time) *Keys { return &Keys{pool: pool, now: now} }

// Claim is the right to do one request's work: whoever holds it alone may
// store the answer, in the transaction that does the work.
type Claim struct {
	caller, key string
	lease       uuid.UUID
}

// begin claims the key. With a kept answer of the same request it returns
// that and a nil claim.
//
// The key is claimed in a transaction of its own, so that a second request
// sees the first one in flight while it waits for peers.
func (k *Keys) begin(ctx context.Context, caller string, key Key, operation string) (*Claim, json.RawMessage, error) {
	if err := key.Check(); err != nil {
		return nil, nil, err
	}
	now := k.now()
	c := &Claim{caller: caller, key: key.Value, lease: postgres.NewID(now)}
	// The claim does not wait for the disk. Should a crash of the database undo
	// it, it undoes the work too: Finish updates this very row, so that what the
	// work commits is never durable without its claim.
	tag, err := k.pool.Exec(ctx, `
		with quick as (select set_config('synchronous_commit', 'off', true))
		insert into idempotency (caller, key, operation, body_sha256, lease, lease_until, recorded_at)
		select $1, $2, $3, $4, $5, $6, $7 from quick on conflict (caller, key) do nothing`,
		c.caller, c.key, operation, key.BodySHA256[:], c.lease, now.Add(leaseTime), now)
	if err != nil {
		return nil, nil, fmt.Errorf("claim idempotency key: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() == 1 {
		return c, nil, nil
	}
	var answer json.RawMessage
	err = postgres.InTx(ctx, k.pool, func(tx pgx.Tx) error {
		answer = nil
		var (
			was   string
			body  []byte
			until time.Time
		)
		err := tx.QueryRow(ctx, `select operation, body_sha256, lease_until, answer from idempotency
			where caller = $1 and key = $2 for update`, c.caller, c.key).Scan(&was, &body, &until, &answer)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fault.New(fault.RequestInFlight, "/headers/Idempotency-Key", "the first request with this key ended just now, without an answer")
		case err != nil:
			return err
		case was != operation || !bytes.Equal(body, key.BodySHA256[:]):
			return reused()
		case answer != nil:
			return nil
		case now.Before(until):
			return InFlight()
		}
		// The holder died: nothing of its work is in the database, because
		// work and answer are one transaction. Take over.
		_, err = tx.Exec(ctx, `update idempotency set lease = $3, lease_until = $4 where caller = $1 and key = $2`,
			c.caller, c.key, c.lease, now.Add(leaseTime))
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("claim idempotency key: %w", err)
	}
	if answer != nil {
		return nil, answer, nil
	}
	return c, nil, nil
}

// Finish stores the answer in the transaction that did the work. It fails if
// the lease was lost, and with it the whole transaction.
func (c *Claim) Finish(ctx context.Context, tx pgx.Tx, answer any) error {
	raw, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	tag, err := tx.Exec(ctx, `update idempotency set answer = $4
		where caller = $1 and key = $2 and lease = $3 and answer is null`, c.caller, c.key, c.lease, raw)
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return fault.New(fault.RequestInFlight, "/headers/Idempotency-Key", "another request with this key took over")
	}
	return nil
}

// release frees the key of a request that failed, so that the caller may try
// again with it. If that fails too, the lease runs out by itself.
func (k *Keys) release(ctx context.Context, c *Claim) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := k.pool.Exec(ctx, `delete from idempotency where caller = $1 and key = $2 and lease = $3 and answer is null`,
		c.caller, c.key, c.lease)
	return postgres.Classify(err)
}

// Once runs work under the key and returns its answer, or the kept answer of
// the same request. work must store its answer with Claim.Finish in the
// transaction that does the work.
func Once[T any](ctx context.Context, k *Keys, caller string, key Key, operation string,
	work func(context.Context, *Claim) (*T, error)) (*T, error) {
	c, kept, err := k.begin(ctx, caller, key, operation)
	if err != nil {
		return nil, err
	}
	if c == nil {
		answer := new(T)
		if err := json.Unmarshal(kept, answer); err != nil {
			return nil, fmt.Errorf("read kept answer: %w", err)
		}
		return answer, nil
	}
	answer, err := work(ctx, c)
	if err != nil {
		return nil, errors.Join(err, k.release(ctx, c))
	}
	return answer, nil
}

// Prune drops answers older than the retention time. It is run daily.
func (k *Keys) Prune(ctx context.Context) error {
	_, err := k.pool.Exec(ctx, `delete from idempotency where recorded_at < $1`, k.now().Add(-keyRetention))
	if err != nil {
		return fmt.Errorf("prune idempotency keys: %w", postgres.Classify(err))
	}
	return nil
}
