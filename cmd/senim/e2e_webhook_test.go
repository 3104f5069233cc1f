package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
)

// tellsSubscribers has a subscriber refuse the first message: it gets that one
// again, and only then the next one of the transaction, in the sizes and with
// the pauses of a real installation.
func (w *world) tellsSubscribers(t *testing.T) {
	type message struct {
		header http.Header
		body   []byte
		event  struct {
			Type string
			Data struct {
				Transaction uuid.UUID `json:"transaction_id"`
				Sequence    int
			}
		}
	}
	came := make(chan message, 100)
	var told sync.Map // transactions
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		m := message{header: r.Header}
		m.body, _ = io.ReadAll(r.Body)
		if err := json.Unmarshal(m.body, &m.event); err != nil {
			t.Errorf("%v: %s", err, m.body)
		}
		came <- m
		// Others' transactions are told of too, so the first of each is refused.
		if _, again := told.LoadOrStore(m.event.Data.Transaction, true); !again {
			answer.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	created := answered[api.CreatedWebhook](t, w.do(t, call{
		method: http.MethodPost, path: "/v1/webhooks", bearer: w.window.bearer, contentType: "application/json",
		body: []byte(`{"url":"` + server.URL + `/events","types":["transaction.*"]}`),
	}), http.StatusCreated)
	path := "/v1/webhooks/" + created.Webhook.ID.String()
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(*created.Keys[0].Secret, "whsec_"))
	check(t, err)

	transaction := w.opened(t, "told")
	var attempts []message
	deadline := time.After(settledWithin)
	for len(attempts) < 2 {
		select {
		case m := <-came:
			if m.event.Data.Transaction == transaction.ID {
				attempts = append(attempts, m)
			}
		case <-deadline:
			t.Fatalf("%d messages came", len(attempts))
		}
	}
	for _, m := range attempts {
		id, at := m.header.Get("webhook-id"), m.header.Get("webhook-timestamp")
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + at + "." + string(m.body)))
		if m.header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Error("the signature does not verify")
		}
		if id != attempts[0].header.Get("webhook-id") || m.event.Type != "transaction.opened" || m.event.Data.Sequence != 1 {
			t.Errorf("%s: %s", id, m.body)
		}
	}
	desk := answered[api.WebhookDeliveries](t, w.do(t, call{
		method: http.MethodGet, path: path + "/deliveries?transaction_id=" + transaction.ID.String(), bearer: w.window.bearer,
	}), http.StatusOK)
	if !slices.ContainsFunc(desk.Deliveries, func(d api.WebhookDelivery) bool {
		return d.WebhookID == attempts[0].header.Get("webhook-id") && len(d.Attempts) > 0 && *d.Attempts[0].Status == 500
	}) {
		t.Errorf("the support desk sees %+v", desk.Deliveries)
	}
	if r := w.do(t, call{method: http.MethodDelete, path: path, bearer: w.window.bearer}); r.status != http.StatusNoContent {
		t.Errorf("%d %s", r.status, r.body)
	}
}
