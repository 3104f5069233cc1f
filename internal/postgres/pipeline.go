package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rollbackTimeout bounds the end of a transaction that failed; a connection
// that does not answer in time is closed, and the server rolls back by itself.
const rollbackTimeout = 2 * time.Second

// InPipeline runs one transaction in two round trips: BEGIN goes out with the
// statements that read queues, COMMIT with those of write. The functions
// queued with the reading statements (pgx.QueuedQuery) have run before write
// is called. An error of either function, or of any statement, undoes all.
//
// Both are called once. A transaction that the database undid because of
// another one is fault.DatabaseBusy (Undone reports it) and the caller's to
// repeat; a commit whose answer is lost is not repeated, as in InTx.
func InPipeline(ctx context.Context, pool *pgxpool.Pool, read, write func(*pgx.Batch) error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return Classify(err)
	}
	// The pool closes a connection that is given back inside a transaction.
	defer conn.Release()
	var batch pgx.Batch
	batch.Queue("BEGIN")
	if err := read(&batch); err != nil {
		return err
	}
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return undo(ctx, conn, err)
	}
	batch = pgx.Batch{}
	if err := write(&batch); err != nil {
		return undo(ctx, conn, err)
	}
	batch.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return fmt.Errorf("commit: the database answered %s", tag)
		}
		return nil
	})
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return undo(ctx, conn, err)
	}
	return nil
}

// undo ends a transaction that failed and returns why.
func undo(ctx context.Context, conn *pgxpool.Conn, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if c := conn.Conn(); !c.IsClosed() {
		// If this fails too, the pool closes the connection.
		_, _ = c.Exec(ctx, "ROLLBACK")
	}
	return Classify(cause)
}

// Undone reports whether the database undid a transaction because of another
// one, so that the same again may succeed.
func Undone(err error) bool { return retryable(err) }

// QueueByKeys tells the planner that the statements of this transaction find
// few rows by their keys, and that their plans need not be made again. A session
// keeps a plan from the first times; if the tables were empty then and nobody
// has analysed them since, it would read them whole.
func QueueByKeys(batch *pgx.Batch) {
	batch.Queue(`SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
		set_config('enable_mergejoin', 'off', true), set_config('enable_material', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`)
}
