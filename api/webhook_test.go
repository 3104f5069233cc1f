package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/outbox/webhook"
	"github.com/senim-kz/senim/internal/postgres"
)

// sampleWebhooks answers with full samples, so that every field of the contract
// is rendered.
type sampleWebhooks struct{}

func sampleKey() webhook.IssuedKey {
	return webhook.IssuedKey{Secret: "whsec_AA==", Key: webhook.Key{ID: uuid.New(), Scheme: webhook.HMAC, PublicKey: "whpk_AA==", CreatedAt: start, ExpiresAt: &start}}
}

func sampleWebhook() *webhook.Subscription {
	return &webhook.Subscription{
		ID: uuid.New(), Owner: "window", URL: "https://hooks.test/a", Description: "d", Types: []string{"payment.*"},
		Keys: []webhook.Key{sampleKey().Key}, CreatedAt: start, UpdatedAt: start, DisabledAt: &start, DisabledReason: fault.WebhookGone,
		HeldUntil: &start, Pending: 1, Dead: 2,
	}
}

func sampleAttempt() webhook.Attempt {
	return webhook.Attempt{At: start, Status: 500, Code: fault.WebhookRefused, Latency: 12, Answer: "no"}
}

func (sampleWebhooks) Create(context.Context, webhook.Owner, webhook.Draft) (*webhook.Subscription, []webhook.IssuedKey, error) {
	return sampleWebhook(), []webhook.IssuedKey{sampleKey()}, nil
}

func (sampleWebhooks) List(context.Context, webhook.Viewer, uuid.UUID, int) ([]webhook.Subscription, error) {
	return []webhook.Subscription{*sampleWebhook(), {}}, nil
}

func (sampleWebhooks) Get(context.Context, webhook.Viewer, uuid.UUID) (*webhook.Subscription, error) {
	return sampleWebhook(), nil
}

func (sampleWebhooks) Update(context.Context, webhook.Viewer, uuid.UUID, webhook.Change) (*webhook.Subscription, error) {
	return sampleWebhook(), nil
}

func (sampleWebhooks) Delete(context.Context, webhook.Viewer, uuid.UUID) error { return nil }

func (sampleWebhooks) Rotate(context.Context, webhook.Viewer, uuid.UUID, time.Duration) ([]webhook.IssuedKey, error) {
	return []webhook.IssuedKey{sampleKey()}, nil
}

func (sampleWebhooks) Ping(context.Context, webhook.Viewer, uuid.UUID) (*webhook.Attempt, error) {
	a := sampleAttempt()
	return &a, nil
}

func (sampleWebhooks) Replay(context.Context, webhook.Viewer, uuid.UUID, webhook.Replay) (*webhook.Replayed, error) {
	return &webhook.Replayed{Queued: 1, More: true}, nil
}

func (sampleWebhooks) Deliveries(context.Context, webhook.Viewer, uuid.UUID, webhook.Deliveries) (*webhook.Page, error) {
	return &webhook.Page{Next: "abc", Deliveries: []webhook.Delivery{{
		MessageID: "msg_1", Transaction: uuid.New(), Sequence: 1, Type: "payment.posted", State: webhook.Dead, Reason: fault.WebhookExhausted,
		QueuedAt: start, NextAt: &start, SettledAt: &start, Attempts: []webhook.Attempt{sampleAttempt(), {At: start}},
	}}}, nil
}

// withWebhooks puts the real subscriptions behind the API. Nothing is sent.
func withWebhooks(t *testing.T) func(*Config, *Dependencies, *access.Config) {
	return func(_ *Config, d *Dependencies, a *access.Config) {
		client, err := fetch.New(fetch.Config{AllowedHosts: []string{"hooks.test"}})
		if err != nil {
			t.Fatal(err)
		}
		c := webhook.Config{
			Pool: a.Pool, Now: fixedNow, Log: slog.New(slog.DiscardHandler), Client: client,
			Parties: dossier.DeclarantsOf, Barred: access.Disabled,
		}
		all := river.NewWorkers()
		workers, err := webhook.AddWorkers(all, c)
		if err != nil {
			t.Fatal(err)
		}
		jobs, err := outbox.NewJobs(a.Pool, all, outbox.JobsConfig{Now: fixedNow})
		if err != nil {
			t.Fatal(err)
		}
		service, err := webhook.New(c, jobs, workers)
		if err != nil {
			t.Fatal(err)
		}
		d.Webhooks = service
		withRecord(nil, d, a)
	}
}

func (h *house) subscribe(token, body string) answer {
	h.t.Helper()
	c := good(h.t, "createWebhook", token)
	if body != "" {
		c.body = body
	}
	return h.do(c)
}

func (a answer) webhookID() string {
	a.t.Helper()
	var created CreatedWebhook
	if err := json.Unmarshal(a.body, &created); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return created.Webhook.ID.String()
}

func TestWebhooksOfACaller(t *testing.T) {
	h := newHouse(t, withWebhooks(t))
	window, other := h.client("window", access.SingleWindow), h.client("window-2", access.SingleWindow)
	created := h.subscribe(window, `{"url":"https://hooks.test/a","schemes":["v1","v1a"],"types":["payment.*"]}`)
	created.want(http.StatusCreated, "")
	if !strings.Contains(string(created.body), "whsec_") || !strings.Contains(string(created.body), "whpk_") || created.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", created.header, created.body)
	}
	path := created.header.Get("Location")
	if path != "/v1/webhooks/"+created.webhookID() {
		t.Errorf("Location %s", path)
	}
	for _, step := range []struct {
		what, method, path, body, token string
		status                          int
		code                            fault.Code
	}{
		{"shown", "GET", path, "", window, 200, ""},
		{"to another", "GET", path, "", other, 404, fault.WebhookNotFound},
		{"to the support desk", "GET", path, "", h.client("desk", access.Support), 200, ""},
		{"its deliveries to the support desk", "GET", path + "/deliveries?state=pending", "", h.client("desk", access.Support), 200, ""},
		{"another's deliveries", "GET", path + "/deliveries", "", other, 404, fault.WebhookNotFound},
		{"a made-up page", "GET", path + "/deliveries?after=AAAA", "", window, 400, fault.BadArgument},
		{"changed by the support desk", "PATCH", path, `{"enabled":false}`, h.client("desk", access.Support), 403, fault.RoleDenied},
		{"changed by another", "PATCH", path, `{"enabled":false}`, other, 404, fault.WebhookNotFound},
		{"changed", "PATCH", path, `{"types":[],"description":"d"}`, window, 200, ""},
		{"nothing to change", "PATCH", path, `{}`, window, 400, fault.BodyInvalid},
		{"moved away", "PATCH", path, `{"url":"https://elsewhere.test/"}`, window, 422, fault.WebhookAddress},
		{"rotated", "POST", path + "/keys", `{"overlap_seconds":60}`, window, 201, ""},
		{"too long an overlap", "POST", path + "/keys", `{"overlap_seconds":604801}`, window, 400, fault.BodyInvalid},
		{"pinged in vain", "POST", path + "/pings", "", window, 200, ""},
		{"replayed", "POST", path + "/replays", `{"dead_letters":true}`, window, 202, ""},
		{"replayed both ways", "POST", path + "/replays", `{"dead_letters":true,"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z"}`, window, 400, fault.WebhookInvalid},
		{"of no transaction", "POST", path + "/replays", `{"transaction_id":"019aa5c0-0000-7000-8000-000000000001"}`, window, 404, fault.EventNotFound},
		{"disabled", "PATCH", path, `{"enabled":false}`, window, 200, ""},
		{"replayed though disabled", "POST", path + "/replays", `{"dead_letters":true}`, window, 409, fault.WebhookDisabled},
		{"deleted by another", "DELETE", path, "", other, 404, fault.WebhookNotFound},
		{"deleted", "DELETE", path, "", window, 204, ""},
		{"deleted again", "DELETE", path, "", window, 404, fault.WebhookNotFound},
		{"shown no more", "GET", path, "", window, 404, fault.WebhookNotFound},
	} {
		c := sent{method: step.method, path: step.path, body: step.body, bearer: step.token}
		if step.body != "" {
			c.contentType = jsonType
		}
		a := h.do(c)
		a.want(step.status, step.code)
		if t.Failed() {
			t.Fatalf("%s: %s", step.what, a.body)
		}
		if step.method == "GET" && strings.Contains(string(a.body), "whsec_") {
			t.Errorf("%s: a secret is shown again", step.what)
		}
	}
}

func TestWhoMaySubscribeToWhat(t *testing.T) {
	h := newHouse(t, withWebhooks(t))
	h.subscribe(h.session(), "").want(http.StatusForbidden, fault.WebhookDenied)
	window, firm := h.client("window", access.SingleWindow), h.client("firm", access.Trader)
	all, own := h.subscribe(window, "").webhookID(), h.subscribe(firm, "").webhookID()

	open := func(key, bin string) {
		c := good(t, "openTransaction", window)
		c.headers[idempotencyHeader] = key
		c.body = `{"reference":"R","declarant_bin":"` + bin + `"}`
		h.do(c).want(http.StatusCreated, "")
	}
	open("key-1", firmBIN)
	open("key-2", otherBIN)
	now := time.Now() // the database dates the events
	span := `{"from":"` + now.Add(-time.Hour).Format(time.RFC3339) + `","to":"` + now.Add(time.Hour).Format(time.RFC3339) + `"}`
	replayed := func(id, token string) int {
		a := h.do(sent{method: "POST", path: "/v1/webhooks/" + id + "/replays", contentType: jsonType, body: span, bearer: token})
		a.want(http.StatusAccepted, "")
		var r ReplayedWebhook
		if err := json.Unmarshal(a.body, &r); err != nil {
			t.Fatal(err)
		}
		return r.Queued
	}
	if n := replayed(all, window); n != 2 {
		t.Errorf("the single window is told of %d transactions, want 2", n)
	}
	if n := replayed(own, firm); n != 1 {
		t.Errorf("the firm is told of %d transactions, want its own", n)
	}

	disabled := func() bool {
		var off bool
		if err := h.pool.QueryRow(t.Context(), `select disabled_at is not null from webhook_subscription where owner = 'firm'`).Scan(&off); err != nil {
			t.Fatal(err)
		}
		return off
	}
	if err := h.clients.Disable(t.Context(), "test", "firm"); err != nil {
		t.Fatal(err)
	}
	barred, err := access.Disabled(t.Context(), h.pool, []string{"firm", "window", "nobody"})
	if err != nil || len(barred) != 1 || barred[0] != "firm" || disabled() {
		t.Errorf("%v %v", barred, err)
	}
}

func TestSubscriptionsAreRefused(t *testing.T) {
	h := newHouse(t, withWebhooks(t))
	token := h.client("window", access.SingleWindow)
	for name, row := range map[string]struct {
		body   string
		status int
		code   fault.Code
	}{
		"no address":      {`{}`, 400, fault.BodyInvalid},
		"no URL":          {`{"url":"hooks"}`, 400, fault.WebhookInvalid},
		"credentials":     {`{"url":"https://a:b@hooks.test/"}`, 400, fault.WebhookInvalid},
		"fragment":        {`{"url":"https://hooks.test/#a"}`, 400, fault.WebhookInvalid},
		"plain":           {`{"url":"http://hooks.test/"}`, 422, fault.WebhookAddress},
		"not listed":      {`{"url":"https://elsewhere.test/"}`, 422, fault.WebhookAddress},
		"another port":    {`{"url":"https://hooks.test:8443/"}`, 422, fault.WebhookAddress},
		"metadata":        {`{"url":"https://169.254.169.254/"}`, 422, fault.WebhookAddress},
		"unknown scheme":  {`{"url":"https://hooks.test/","schemes":["v2"]}`, 400, fault.BodyInvalid},
		"twice a scheme":  {`{"url":"https://hooks.test/","schemes":["v1","v1"]}`, 400, fault.BodyInvalid},
		"no type":         {`{"url":"https://hooks.test/","types":["Payment Posted"]}`, 400, fault.BodyInvalid},
		"unknown member":  {`{"url":"https://hooks.test/","secret":"whsec_AA"}`, 400, fault.BodyInvalid},
		"long address":    {`{"url":"https://hooks.test/` + strings.Repeat("a", 2048) + `"}`, 400, fault.BodyInvalid},
		"other's address": {`{"url":"https://hooks.test@evil.test/"}`, 400, fault.WebhookInvalid},
	} {
		a := h.subscribe(token, row.body)
		a.want(row.status, row.code)
		if a.status != row.status {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	for range 20 {
		h.subscribe(token, "").want(http.StatusCreated, "")
	}
	h.subscribe(token, "").want(http.StatusConflict, fault.WebhookLimit)
	page := h.do(sent{method: "GET", path: "/v1/webhooks?limit=15", bearer: token})
	var first, second Webhooks
	if err := json.Unmarshal(page.body, &first); err != nil || len(first.Webhooks) != 15 {
		t.Fatalf("%v %s", err, page.body)
	}
	page = h.do(sent{method: "GET", path: "/v1/webhooks?after=" + first.Webhooks[14].ID.String(), bearer: token})
	if err := json.Unmarshal(page.body, &second); err != nil || len(second.Webhooks) != 5 {
		t.Errorf("%v %s", err, page.body)
	}
}

// Whose a transaction is, is read from the record.
func TestDeclarantsOf(t *testing.T) {
	h := newHouse(t, withWebhooks(t))
	c := good(t, "openTransaction", h.client("window", access.SingleWindow))
	a := h.do(c)
	id := uuid.MustParse(a.member("id"))
	err := postgres.InTx(t.Context(), h.pool, func(tx pgx.Tx) error {
		of, err := dossier.DeclarantsOf(t.Context(), tx, []uuid.UUID{id, postgres.NewID(start), uuid.New(), uuid.Nil})
		if err == nil && (len(of) != 1 || of[id] != firmBIN) {
			t.Errorf("%v", of)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
