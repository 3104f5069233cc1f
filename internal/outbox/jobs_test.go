package outbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

type noteArgs struct {
	Text string `json:"text"`
}

func (noteArgs) Kind() string { return "note" }

type strayArgs struct{}

func (strayArgs) Kind() string { return "stray" }

// noteWorker hands each job's text over, or waits for the end of its context.
type noteWorker struct {
	river.WorkerDefaults[noteArgs]
	worked chan string
	hang   bool
}

func (w *noteWorker) Work(ctx context.Context, job *river.Job[noteArgs]) error {
	w.worked <- job.Args.Text
	if w.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func newJobs(t *testing.T, pool *pgxpool.Pool, hang bool) (*outbox.Jobs, *noteWorker) {
	t.Helper()
	worker := &noteWorker{worked: make(chan string, 10), hang: hang}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	jobs, err := outbox.NewJobs(pool, workers, outbox.JobsConfig{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return jobs, worker
}

func startJobs(t *testing.T, jobs *outbox.Jobs) {
	t.Helper()
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := jobs.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func insert(ctx context.Context, pool *pgxpool.Pool, jobs *outbox.Jobs, args river.JobArgs, after error) error {
	return postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		return errors.Join(jobs.Insert(ctx, tx, args, nil), after)
	})
}

func TestAJobRunsIfItsTransactionCommits(t *testing.T) {
	pool := postgrestest.Pool(t)
	jobs, worker := newJobs(t, pool, false)
	refusal := errors.New("refused")
	if err := insert(t.Context(), pool, jobs, noteArgs{"rolled back"}, refusal); !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if err := insert(t.Context(), pool, jobs, noteArgs{"committed"}, nil); err != nil {
		t.Fatal(err)
	}
	startJobs(t, jobs)
	if got := <-worker.worked; got != "committed" {
		t.Errorf("worked %q, want only what was committed", got)
	}
}

func TestAJobOfNoWorkerIsRefused(t *testing.T) {
	pool := postgrestest.Pool(t)
	jobs, _ := newJobs(t, pool, false)
	if err := insert(t.Context(), pool, jobs, strayArgs{}, nil); !fault.Is(err, fault.JobUnknown) {
		t.Errorf("Insert = %v, want %s", err, fault.JobUnknown)
	}
}

// A process was killed while it worked: its job stands as running and nobody
// runs it. Whoever becomes the leader gives it to the next worker.
func TestAJobOfAKilledProcessRunsAgain(t *testing.T) {
	pool := postgrestest.Pool(t)
	jobs, worker := newJobs(t, pool, false)
	if err := insert(t.Context(), pool, jobs, noteArgs{"again"}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Exec(t.Context(), `
		UPDATE river_job SET state = 'running', attempt = 1, attempted_by = '{killed}', attempted_at = now() - interval '16 seconds'`)
	if err != nil {
		t.Fatal(err)
	}
	startJobs(t, jobs)
	if got := <-worker.worked; got != "again" {
		t.Errorf("worked %q", got)
	}
}

func TestStopTwiceBeforeStartAndWithAJobThatHangs(t *testing.T) {
	pool := postgrestest.Pool(t)
	jobs, worker := newJobs(t, pool, true)
	if err := jobs.Stop(t.Context()); err != nil {
		t.Fatalf("Stop before Start: %v", err)
	}
	if err := insert(t.Context(), pool, jobs, noteArgs{"hangs"}, nil); err != nil {
		t.Fatal(err)
	}
	startJobs(t, jobs)
	<-worker.worked
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := jobs.Stop(impatient); err != nil {
			t.Fatalf("Stop: %v", err)
		}
	}
	var state string
	if err := pool.QueryRow(t.Context(), "SELECT state FROM river_job WHERE kind = 'note'").Scan(&state); err != nil {
		t.Fatal(err)
	}
	if state == "completed" || state == "running" {
		t.Errorf("the job that was cut off is %s; it must run again", state)
	}
}

func TestTheLeaderKeepsThePartitions(t *testing.T) {
	pool := postgrestest.Pool(t)
	jobs, _ := newJobs(t, pool, false)
	// The month three ahead of the jobs' clock.
	const partition = "events_202702"
	if _, err := pool.Exec(t.Context(), "DROP TABLE "+partition); err != nil {
		t.Fatal(err)
	}
	startJobs(t, jobs)
	for there := false; !there; {
		if err := pool.QueryRow(t.Context(), "SELECT to_regclass($1) IS NOT NULL", partition).Scan(&there); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheLeaderRunsFurtherTasks(t *testing.T) {
	pool := postgrestest.Pool(t)
	ran, swept := make(chan struct{}, 1), make(chan struct{}, 1)
	jobs, err := outbox.NewJobs(pool, river.NewWorkers(), outbox.JobsConfig{
		Now:   func() time.Time { return postgrestest.FixedMonth },
		Daily: map[string]func(context.Context) error{"tidy": func(context.Context) error { ran <- struct{}{}; return nil }},
		Often: map[string]func(context.Context) error{"sweep": func(context.Context) error { swept <- struct{}{}; return nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	startJobs(t, jobs)
	<-ran
	<-swept
}

func TestNewJobsNeedsAClockAndWorkers(t *testing.T) {
	if _, err := outbox.NewJobs(nil, river.NewWorkers(), outbox.JobsConfig{}); !fault.Is(err, fault.BadArgument) {
		t.Errorf("NewJobs = %v, want %s", err, fault.BadArgument)
	}
}
