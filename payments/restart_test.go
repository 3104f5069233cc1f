package payments_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/order"
)

// signal is the worker of the package that says when a job is done.
type signal struct {
	river.WorkerDefaults[payments.PostArgs]
	inner river.Worker[payments.PostArgs]
	done  chan error
}

func (s *signal) Work(ctx context.Context, job *river.Job[payments.PostArgs]) error {
	err := s.inner.Work(ctx, job)
	s.done <- err
	return err
}

// queue makes the jobs of one process.
func queue(t *testing.T, pool *pgxpool.Pool, now func() time.Time) (*outbox.Jobs, chan error) {
	t.Helper()
	done := make(chan error, 16)
	workers := river.NewWorkers()
	river.AddWorker(workers, &signal{inner: payments.NewPoster(pool, now), done: done})
	jobs, err := outbox.NewJobs(pool, workers, outbox.JobsConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return jobs, done
}

// The process dies between the answer to the gateway and the posting. Another
// one starts, the gateway tells it again, and the payment is posted once.
func TestKilledBetweenCallbackAndPosting(t *testing.T) {
	w := newWorld(t)
	o := w.presented()

	first, _ := queue(t, w.pool, w.clock.Now) // never started: it is dead before it works
	w.service = w.newService(w.port, first)
	if err := w.pay(o); err != nil {
		t.Fatal(err)
	}
	if v := w.verified(); v.Entries != 0 || w.get(o).State != order.Presented {
		t.Fatalf("posted without a worker: %+v", v)
	}

	second, done := queue(t, w.pool, w.clock.Now)
	w.service = w.newService(w.port, second)
	if _, err := w.service.AcceptCallback(t.Context(), w.callbacks[0]); err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := second.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-t.Context().Done():
		t.Fatal("the job was never worked")
	}
	if v := w.verified(); v.Entries != 1 || w.get(o).State != order.Paid {
		t.Errorf("%d entries, the order is %s", v.Entries, w.get(o).State)
	}
	if n := w.count("river_job WHERE kind = 'payment_post'"); n != 1 {
		t.Errorf("%d jobs", n)
	}
}

// AddWorkers makes the kind known to the queue; a queue without it refuses.
func TestAddWorkers(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	workers := river.NewWorkers()
	if err := payments.AddWorkers(workers, w.pool, w.clock.Now); err != nil {
		t.Fatal(err)
	}
	if err := payments.AddWorkers(workers, w.pool, w.clock.Now); err == nil {
		t.Error("added twice")
	}
	known, err := outbox.NewJobs(w.pool, workers, outbox.JobsConfig{Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := outbox.NewJobs(w.pool, river.NewWorkers(), outbox.JobsConfig{Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	raw := w.seal(w.fact(o, "PAY-1"), w.key)
	if _, err := w.newService(w.port, unknown).AcceptCallback(t.Context(), raw); err == nil {
		t.Error("accepted although the job cannot be inserted")
	}
	if n := w.count("gateway_reference") + w.count("evidence_digests WHERE digest = sha256($1)", raw); n != 0 {
		t.Errorf("the refused transaction left %d things", n)
	}
	if _, err := w.newService(w.port, known).AcceptCallback(t.Context(), raw); err != nil {
		t.Error(err)
	}
}
