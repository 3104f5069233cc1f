package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
)

// world is a property test's state: what was published of each transaction, and
// what a strict subscriber has seen of it.
type world struct {
	h            *house
	x            *receiver
	sub          uuid.UUID
	transactions []uuid.UUID
	published    map[uuid.UUID]int
	open         map[uuid.UUID]pgx.Tx

	mu       sync.Mutex
	refuses  bool
	accepted map[uuid.UUID]int // up to here in order
	disorder []string
}

// answer is the strict subscriber.
func (w *world) answer(answer http.ResponseWriter, m received) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch next := w.accepted[m.Transaction] + 1; {
	case !slices.Contains(w.transactions, m.Transaction): // of an earlier run
	case m.Sequence > next:
		w.disorder = append(w.disorder, fmt.Sprintf("event %d came before event %d", m.Sequence, next))
		answer.WriteHeader(http.StatusConflict)
	case w.refuses:
		answer.WriteHeader(http.StatusBadGateway)
	case m.Sequence == next:
		w.accepted[m.Transaction] = next
	}
}

// refuse is a turn in which the subscriber is out of order.
func (w *world) refuse() {
	set := func(on bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refuses = on
	}
	set(true)
	w.h.turn(w.sub)
	set(false)
}

// Whatever happens in whatever order (events committed late or never, refusals,
// kills between sending and recording, turns at any time), a subscriber that
// accepts no event of a transaction before the one before it loses none and
// refuses none for its order.
func TestTheOrderOfATransactionHolds(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		sub, _, err := h.service.Create(t.Context(), Owner{ID: fmt.Sprint("owner-", round)}, Draft{URL: x.url})
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := h.service.Delete(t.Context(), Viewer{All: true, ID: "test"}, sub.ID); err != nil {
				r.Error(err)
			}
		}()
		w := &world{h: h, x: x, sub: sub.ID, published: make(map[uuid.UUID]int), accepted: make(map[uuid.UUID]int), open: make(map[uuid.UUID]pgx.Tx)}
		for range 3 {
			w.transactions = append(w.transactions, uuid.New())
		}
		x.says(w.answer)
		act := map[string]func(*rapid.T){
			"publish":  func(r *rapid.T) { w.publish(r, rapid.IntRange(1, 3).Draw(r, "events")) },
			"begin":    func(r *rapid.T) { w.begin(r) },
			"commit":   func(r *rapid.T) { w.end(r, true) },
			"rollback": func(r *rapid.T) { w.end(r, false) },
			"queue":    func(r *rapid.T) { w.queue(r) },
			"send":     func(*rapid.T) { h.turn(w.sub) },
			"refuse":   func(*rapid.T) { w.refuse() },
			"kill":     func(r *rapid.T) { w.kill(r) },
			"pass":     func(r *rapid.T) { h.pass(time.Duration(rapid.IntRange(1, 3600).Draw(r, "seconds")) * time.Second) },
			"":         func(r *rapid.T) { w.check(r) },
		}
		r.Repeat(act)
		for len(w.open) > 0 {
			w.end(r, true)
		}
		w.queue(r)
		for range 100 {
			h.pass(time.Hour)
			if h.turn(w.sub) < 0 {
				break
			}
		}
		w.check(r)
		w.mu.Lock()
		defer w.mu.Unlock()
		for id, n := range w.published {
			if w.accepted[id] != n {
				r.Errorf("%d of %d events came", w.accepted[id], n)
			}
		}
	})
}

func (w *world) check(r *rapid.T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.disorder) > 0 {
		r.Fatal(w.disorder)
	}
}

// free draws a transaction that no open database transaction holds.
func (w *world) free(r *rapid.T) uuid.UUID {
	id := rapid.SampledFrom(w.transactions).Draw(r, "transaction")
	if w.open[id] != nil {
		r.Skip("it is being written")
	}
	return id
}

func (w *world) publish(r *rapid.T, events int) {
	id := w.free(r)
	for range events {
		w.h.publish(id, "order.created")
	}
	w.published[id] += events
}

// begin publishes in a database transaction that stays open.
func (w *world) begin(r *rapid.T) {
	id := w.free(r)
	tx, err := w.h.pool.Begin(w.h.t.Context())
	if err == nil {
		err = publish(w.h.t.Context(), tx, id, "order.created", "order.presented")
	}
	if err != nil {
		r.Fatal(err)
	}
	w.open[id] = tx
}

func (w *world) end(r *rapid.T, commit bool) {
	for id, tx := range w.open {
		delete(w.open, id)
		err := tx.Rollback
		if commit {
			err = tx.Commit
			w.published[id] += 2
		}
		if err := err(w.h.t.Context()); err != nil {
			r.Fatal(err)
		}
		return
	}
}

// queue is a round of the sequencer that gives up at once where the real one
// waits, which nobody would end here.
func (w *world) queue(r *rapid.T) {
	ctx, cancel := context.WithTimeout(w.h.t.Context(), time.Minute)
	defer cancel()
	if len(w.open) > 0 {
		ctx, cancel = context.WithTimeout(w.h.t.Context(), settlePause*2)
		defer cancel()
	}
	if err := w.h.service.round(ctx); err != nil && ctx.Err() == nil {
		r.Fatal(err)
	}
}

// kill sends what is due and dies before it is recorded.
func (w *world) kill(r *rapid.T) {
	killed := &run{Config: w.h.config, subscription: w.sub, lease: uuid.New()}
	taken, err := killed.begin(w.h.t.Context())
	if err != nil || taken > 0 {
		r.Skip("it is being sent to")
	}
	heads, err := killed.take(w.h.t.Context(), sendsAtOnce, nil)
	if err != nil {
		r.Fatal(err)
	}
	for _, one := range heads {
		killed.deliver(w.h.t.Context(), one)
	}
}

// The whole as it runs: two processes, each with its sequencer and its jobs, of
// which one stops in the middle.
func TestItRunsInTwoProcesses(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	h.pass(time.Since(noon)) // River has the real clock
	x.came = make(chan received, 1000)
	h.subscribe(Draft{URL: x.url})
	const transactions, each = 30, 3
	ctx, stop := context.WithCancel(t.Context())
	sequencers := make(chan struct{}, 2)
	for range 2 {
		s := h.another()
		go func() { s.Run(ctx); sequencers <- struct{}{} }()
	}
	_, second := newProcess(t, h)
	for _, jobs := range []interface{ Start(context.Context) error }{h.jobs, second} {
		if err := jobs.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	published := make(chan error, 1)
	go func() { published <- publishMany(t.Context(), h.pool, transactions, each) }()

	next := make(map[uuid.UUID]int)
	deadline := time.After(5 * time.Minute)
	for came := 0; came < transactions*each; {
		select {
		case m := <-x.came:
			if m.Sequence == next[m.Transaction] {
				continue // sent twice, since a process stopped in between
			}
			if next[m.Transaction]++; m.Sequence != next[m.Transaction] {
				t.Fatalf("event %d came as number %d", m.Sequence, next[m.Transaction])
			}
			if came++; came == transactions {
				if err := second.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
		case <-deadline:
			t.Fatalf("%d messages came", came)
		}
	}
	if err := errors.Join(<-published, h.jobs.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	stop()
	<-sequencers
	<-sequencers
}

func publishMany(ctx context.Context, pool *pgxpool.Pool, transactions, each int) error {
	ids := make([]uuid.UUID, transactions)
	for i := range ids {
		ids[i] = uuid.New()
	}
	for range each {
		for _, id := range ids {
			err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error { return publish(ctx, tx, id, "order.created") })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// A job that follows events tells of them, without the rounds that look by
// themselves.
func TestAJobTellsOfEventsAtOnce(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	h.pass(time.Since(noon)) // River has the real clock
	x.came = make(chan received, 10)
	h.subscribe(Draft{URL: x.url})
	if err := h.jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		transaction := uuid.New()
		err := postgres.InTx(t.Context(), h.pool, func(tx pgx.Tx) error {
			if err := publish(t.Context(), tx, transaction, "payment.posted"); err != nil {
				return err
			}
			var batch pgx.Batch
			outbox.QueueNews(&batch)
			return tx.SendBatch(t.Context(), &batch).Close()
		})
		if err != nil {
			t.Fatal(err)
		}
		if m := <-x.came; m.Transaction != transaction {
			t.Errorf("told of %s", m.Transaction)
		}
	}
	if err := h.jobs.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
