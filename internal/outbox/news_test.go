package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// newsWorker says that it was called.
type newsWorker struct {
	river.WorkerDefaults[outbox.News]
	worked chan struct{}
}

func (w *newsWorker) Work(context.Context, *river.Job[outbox.News]) error {
	w.worked <- struct{}{}
	return nil
}

func newsJobs(t *testing.T, pool *pgxpool.Pool) (*outbox.Jobs, *newsWorker) {
	t.Helper()
	worker := &newsWorker{worked: make(chan struct{}, 10)}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	jobs, err := outbox.NewJobs(pool, workers, outbox.JobsConfig{Now: time.Now, Queues: map[string]int{outbox.NewsQueue: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return jobs, worker
}

func queueNews(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	outbox.QueueNews(&batch)
	return tx.SendBatch(ctx, &batch).Close()
}

// The row and the notification are those that River's own insert makes.
func TestNewsIsInsertedAsRiverDoes(t *testing.T) {
	pool := postgrestest.Pool(t)
	jobs, _ := newsJobs(t, pool)
	listener, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Release()
	if _, err := listener.Exec(t.Context(), `LISTEN "public.river_insert"`); err != nil {
		t.Fatal(err)
	}
	type inserted struct {
		Row              map[string]any
		Channel, Payload string
	}
	insert := func(how func(context.Context, pgx.Tx) error) (i inserted) {
		t.Helper()
		if err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return how(t.Context(), tx) }); err != nil {
			t.Fatal(err)
		}
		heard, err := listener.Conn().WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i.Channel, i.Payload = heard.Channel, heard.Payload
		err = pool.QueryRow(t.Context(), `
			WITH gone AS (DELETE FROM river_job RETURNING *)
			SELECT to_jsonb(gone) - '{id,created_at,scheduled_at}'::text[] FROM gone`).Scan(&i.Row)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	ours := insert(queueNews)
	theirs := insert(func(ctx context.Context, tx pgx.Tx) error {
		return jobs.Insert(ctx, tx, outbox.News{}, &river.InsertOpts{Queue: outbox.NewsQueue})
	})
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("River's and ours: %s", diff)
	}
}

// One waits for as many transactions as there are; two at once do not wait for
// each other; one that is undone leaves none.
func TestOneNewsWaits(t *testing.T) {
	pool := postgrestest.Pool(t)
	begin := func() pgx.Tx {
		t.Helper()
		tx, err := pool.Begin(t.Context())
		if err == nil {
			err = queueNews(t.Context(), tx)
		}
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	waiting := func(want int) {
		t.Helper()
		var n int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'events_published'`).Scan(&n); err != nil || n != want {
			t.Errorf("%d jobs, want %d; %v", n, want, err)
		}
	}
	if err := begin().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting(0)
	first, second := begin(), begin()
	for _, tx := range []pgx.Tx{first, second} {
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waiting(2)
	if err := begin().Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting(2)
}

func TestNewsIsWorked(t *testing.T) {
	pool := postgrestest.Pool(t)
	jobs, worker := newsJobs(t, pool)
	startJobs(t, jobs)
	for range 3 {
		if err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return queueNews(t.Context(), tx) }); err != nil {
			t.Fatal(err)
		}
		<-worker.worked
	}
}
