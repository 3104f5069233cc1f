package webhook

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

var noon = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

// house is the package over a real database and a clock of its own.
type house struct {
	t       *testing.T
	pool    *pgxpool.Pool
	config  Config
	service *Service
	worker  *deliverer
	jobs    *outbox.Jobs

	mu      sync.Mutex
	at      time.Time
	parties map[uuid.UUID]string
	barred  []string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, pool: postgrestest.Pool(t), at: noon, parties: make(map[uuid.UUID]string)}
	h.config = Config{
		Pool: h.pool, Now: h.now, Log: slog.New(slog.DiscardHandler), Client: newClient(t, time.Minute), Plain: true,
		Parties: func(context.Context, postgres.Querier, []uuid.UUID) (map[uuid.UUID]string, error) {
			return h.parties, nil
		},
		Barred: func(context.Context, postgres.Querier, []string) ([]string, error) { return h.barred, nil },
	}
	h.service, h.jobs = newProcess(t, h)
	h.worker = &deliverer{Config: h.config}
	return h
}

// newClient asks subscribers on this machine, each for so long.
func newClient(t *testing.T, timeout time.Duration) *fetch.Client {
	t.Helper()
	client, err := fetch.New(fetch.Config{AllowedHosts: []string{"127.0.0.1:*"}, AllowLoopback: true, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// newProcess is the service and the queue of one process.
func newProcess(t *testing.T, h *house) (*Service, *outbox.Jobs) {
	t.Helper()
	all := river.NewWorkers()
	workers, err := AddWorkers(all, h.config)
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := outbox.NewJobs(h.pool, all, outbox.JobsConfig{Now: time.Now, Queues: map[string]int{Queue: 2, outbox.NewsQueue: 1}})
	if err != nil {
		t.Fatal(err)
	}
	service, err := New(h.config, jobs, workers)
	if err != nil {
		t.Fatal(err)
	}
	return service, jobs
}

// another is the service in another process, which works no jobs.
func (h *house) another() *Service {
	h.t.Helper()
	s, err := New(h.config, h.jobs, &Workers{})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

var owner, viewer = Owner{ID: "window"}, Viewer{ID: "window"}

func (h *house) subscribe(d Draft) (*Subscription, []IssuedKey) {
	h.t.Helper()
	s, keys, err := h.service.Create(h.t.Context(), owner, d)
	if err != nil {
		h.t.Fatal(err)
	}
	return s, keys
}

func (h *house) publish(transaction uuid.UUID, types ...string) {
	h.t.Helper()
	err := postgres.InTx(h.t.Context(), h.pool, func(tx pgx.Tx) error {
		return publish(h.t.Context(), tx, transaction, types...)
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func publish(ctx context.Context, tx pgx.Tx, transaction uuid.UUID, types ...string) error {
	for _, t := range types {
		err := outbox.Publish(ctx, tx, outbox.Event{Transaction: transaction, Type: t, At: noon, Data: map[string]string{"note": "<ә & і>"}})
		if err != nil {
			return err
		}
	}
	return nil
}

// round queues what was published.
func (h *house) round() {
	h.t.Helper()
	if err := h.service.round(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// turn sends what is due and returns when the job wants to come again.
func (h *house) turn(id uuid.UUID) time.Duration {
	h.t.Helper()
	wait, err := h.worker.turn(h.t.Context(), id, 1, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	return wait
}

// send publishes nothing new: it queues and sends once.
func (h *house) send(id uuid.UUID) time.Duration {
	h.t.Helper()
	h.round()
	return h.turn(id)
}

func (h *house) deliveries(id uuid.UUID, d Deliveries) []Delivery {
	h.t.Helper()
	page, err := h.service.Deliveries(h.t.Context(), viewer, id, d)
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Deliveries
}

// only is the subscription's one delivery.
func (h *house) only(id uuid.UUID) Delivery {
	h.t.Helper()
	all := h.deliveries(id, Deliveries{})
	if len(all) != 1 {
		h.t.Fatalf("%d deliveries, want one", len(all))
	}
	return all[0]
}

// received is one message as it came.
type received struct {
	header      http.Header
	body        []byte
	Type        string
	Transaction uuid.UUID
	Sequence    int
}

func (r received) id() string { return r.header.Get("webhook-id") }

// receiver is a subscriber: it notes what comes and answers as it is told.
type receiver struct {
	url    string
	mu     sync.Mutex
	all    []received
	answer func(w http.ResponseWriter, r received)
	came   chan received // each message, if not nil
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	x := &receiver{}
	server := httptest.NewServer(x)
	t.Cleanup(server.Close)
	x.url = server.URL + "/hook"
	return x
}

func (x *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var e struct {
		Type string
		Data struct {
			Transaction uuid.UUID `json:"transaction_id"`
			Sequence    int
		}
	}
	_ = json.Unmarshal(body, &e) // a test that looks at the body reads it itself
	got := received{header: r.Header, body: body, Type: e.Type, Transaction: e.Data.Transaction, Sequence: e.Data.Sequence}
	x.mu.Lock()
	x.all = append(x.all, got)
	answer := x.answer
	x.mu.Unlock()
	if x.came != nil {
		x.came <- got
	}
	if answer != nil {
		answer(w, got)
	}
}

func (x *receiver) says(answer func(http.ResponseWriter, received)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answer = answer
}

// status answers with nothing but that.
func status(code int) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, _ received) { w.WriteHeader(code) }
}

// got are the messages so far; they are forgotten.
func (x *receiver) got() []received {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.all
	x.all = nil
	return all
}

func wantCode(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}
