package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
)

// The example of the specification.
func TestSignatureOfTheSpecificationsExample(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	m := message{id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: []byte(`{"test": 2432232314}`)}
	got := signatures([]key{{scheme: HMAC, secret: secret}}, m, time.Unix(1614265330, 0))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// checkSignatures verifies a message with every key, as a subscriber does.
func checkSignatures(t *testing.T, r received, keys []IssuedKey) {
	t.Helper()
	content := r.id() + "." + r.header.Get("webhook-timestamp") + "." + string(r.body)
	parts := strings.Split(r.header.Get("webhook-signature"), " ")
	if len(parts) != len(keys) {
		t.Errorf("%d signatures for %d keys", len(parts), len(keys))
	}
	for _, k := range keys {
		found := false
		for _, part := range parts {
			scheme, text, _ := strings.Cut(part, ",")
			value, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			found = found || scheme == string(k.Scheme) && verifies(t, k, content, value)
		}
		if !found {
			t.Errorf("no signature by the key %s of %s", k.ID, k.Scheme)
		}
	}
}

func verifies(t *testing.T, k IssuedKey, content string, signature []byte) bool {
	t.Helper()
	text, prefix := k.Secret, "whsec_"
	if k.Scheme == Ed25519 {
		text, prefix = k.PublicKey, "whpk_"
	}
	text, ok := strings.CutPrefix(text, prefix)
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("the key is %q: %v", prefix, err)
	}
	if k.Scheme == Ed25519 {
		return ed25519.Verify(raw, []byte(content), signature)
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(content))
	return hmac.Equal(mac.Sum(nil), signature)
}

func TestEventsAreDeliveredSignedAndInOrder(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	first, second := postgres.NewID(noon), postgres.NewID(noon)
	h.publish(first, "order.early") // before anybody subscribed
	h.round()
	sub, keys := h.subscribe(Draft{URL: x.url, Schemes: []Scheme{HMAC, Ed25519}})
	h.publish(first, "order.created", "order.presented")
	h.publish(second, "order.created")
	h.publish(first, "payment.posted")
	if wait := h.send(sub.ID); wait >= 0 {
		t.Errorf("the job wants to come again after %s", wait)
	}
	next := map[uuid.UUID]int{first: 2, second: 1}
	got := x.got()
	if len(got) != 4 {
		t.Fatalf("%d messages, want 4", len(got))
	}
	for _, r := range got {
		if r.Sequence != next[r.Transaction] {
			t.Errorf("%s came as event %d, want %d", r.Type, r.Sequence, next[r.Transaction])
		}
		next[r.Transaction]++
		checkSignatures(t, r, keys)
		if r.id() != MessageID(sub.ID, r.Transaction, r.Sequence) || r.header.Get("webhook-timestamp") != fmt.Sprint(noon.Unix()) ||
			r.header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", r.header)
		}
	}
	var body map[string]any
	if err := json.Unmarshal(got[0].body, &body); err != nil || body["timestamp"] != "2026-11-21T12:00:00Z" {
		t.Errorf("%v: %s", err, got[0].body)
	}
	if details := body["data"].(map[string]any)["details"]; details.(map[string]any)["note"] != "<ә & і>" {
		t.Errorf("the event's data came as %v", details)
	}
	for _, d := range h.deliveries(sub.ID, Deliveries{}) {
		if d.State != Delivered || len(d.Attempts) != 1 || d.Attempts[0].Status != 200 || d.Attempts[0].Code != "" || d.SettledAt == nil || d.NextAt != nil {
			t.Errorf("%+v", d)
		}
	}
	h.send(sub.ID)
	if again := x.got(); len(again) != 0 {
		t.Errorf("%d messages came again", len(again))
	}
}

func TestAnswers(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	elsewhere := newReceiver(t)
	patient := h.worker.Client
	stop := make(chan struct{})
	defer close(stop)
	for name, row := range map[string]struct {
		answer func(http.ResponseWriter, received)
		state  State
		status int
		code   fault.Code
		wait   [2]time.Duration // within which the next attempt is
	}{
		"200": {status(200), Delivered, 200, "", [2]time.Duration{}},
		"204": {status(204), Delivered, 204, "", [2]time.Duration{}},
		"299": {status(299), Delivered, 299, "", [2]time.Duration{}},
		"huge": {func(w http.ResponseWriter, _ received) {
			for range 1000 {
				_, _ = w.Write(make([]byte, 10_000)) // we go away in the middle of it
			}
		}, Delivered, 200, "", [2]time.Duration{}},
		"redirect": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Location", elsewhere.url)
			w.WriteHeader(307)
		}, Pending, 307, fault.WebhookRefused, [2]time.Duration{4 * time.Second, 6 * time.Second}},
		"400":  {status(400), Pending, 400, fault.WebhookRefused, [2]time.Duration{4 * time.Second, 6 * time.Second}},
		"500":  {status(500), Pending, 500, fault.WebhookRefused, [2]time.Duration{4 * time.Second, 6 * time.Second}},
		"gone": {status(410), Dead, 410, fault.WebhookGone, [2]time.Duration{}},
		"slow down": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(429)
		}, Pending, 429, fault.WebhookRefused, [2]time.Duration{2 * time.Minute, 2 * time.Minute}},
		"away until": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Retry-After", noon.Add(10*time.Minute).Format(http.TimeFormat))
			w.WriteHeader(503)
		}, Pending, 503, fault.WebhookRefused, [2]time.Duration{10 * time.Minute, 10 * time.Minute}},
		"away for ever": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Retry-After", "99999999")
			w.WriteHeader(503)
		}, Pending, 503, fault.WebhookRefused, [2]time.Duration{retryAfterMax, retryAfterMax}},
		"nonsense asked": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Retry-After", "-1")
			w.WriteHeader(503)
		}, Pending, 503, fault.WebhookRefused, [2]time.Duration{4 * time.Second, 6 * time.Second}},
		"hangs":     {func(http.ResponseWriter, received) { <-stop }, Pending, 0, fault.PeerDown, [2]time.Duration{4 * time.Second, 6 * time.Second}},
		"hangs up":  {func(http.ResponseWriter, received) { panic(http.ErrAbortHandler) }, Pending, 0, fault.PeerDown, [2]time.Duration{4 * time.Second, 6 * time.Second}},
		"no answer": {nil, Pending, 0, fault.PeerDown, [2]time.Duration{4 * time.Second, 6 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			x.says(row.answer)
			address := x.url
			if row.answer == nil {
				address = "http://127.0.0.1:9/"
			}
			sub, _ := h.subscribe(Draft{URL: address})
			h.publish(uuid.New(), "order.created")
			h.worker.Client = patient
			if name == "hangs" {
				h.worker.Client = newClient(t, time.Second)
			}
			wait := h.send(sub.ID)
			d := h.only(sub.ID)
			if d.State != row.state || len(d.Attempts) != 1 || d.Attempts[0].Status != row.status || d.Attempts[0].Code != row.code {
				t.Fatalf("%+v", d)
			}
			if row.state == Pending && (wait < row.wait[0] || wait > row.wait[1] || d.NextAt.Sub(noon) != wait) {
				t.Errorf("comes again after %s, %s", wait, d.NextAt)
			}
			if err := h.service.Delete(t.Context(), viewer, sub.ID); err != nil {
				t.Fatal(err)
			}
		})
	}
	if n := len(elsewhere.got()); n != 0 {
		t.Errorf("%d messages followed the redirect", n)
	}
}

func TestAnswersAreKeptShortAndPrintable(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	x.says(func(w http.ResponseWriter, _ received) {
		w.WriteHeader(500)
		fmt.Fprint(w, "қате\x00\n\xff"+strings.Repeat("x", 10_000))
	})
	sub, _ := h.subscribe(Draft{URL: x.url})
	h.publish(uuid.New(), "order.created")
	h.send(sub.ID)
	answer := h.only(sub.ID).Attempts[0].Answer
	if !strings.HasPrefix(answer, "қате   xx") || len(answer) > answerBytesMax {
		t.Errorf("%q", answer)
	}
}

func TestGoneDisablesTheSubscription(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	x.says(status(410))
	sub, _ := h.subscribe(Draft{URL: x.url})
	transaction := uuid.New()
	h.publish(transaction, "order.created", "order.presented")
	h.send(sub.ID)
	if n := len(x.got()); n != 1 {
		t.Errorf("%d messages, want one", n)
	}
	shown, err := h.service.Get(t.Context(), viewer, sub.ID)
	if err != nil || shown.DisabledAt == nil || shown.DisabledReason != fault.WebhookGone || shown.Dead != 2 {
		t.Errorf("%+v %v", shown, err)
	}
	h.publish(transaction, "payment.posted")
	h.send(sub.ID)
	if n := len(h.deliveries(sub.ID, Deliveries{})); n != 2 {
		t.Errorf("%d deliveries: something was queued for a disabled subscription", n)
	}
}

// An event that is never accepted is tried for some three days and then skipped:
// the next one of its transaction goes on, and those of others never waited.
func TestBackOffAndDeadLetter(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	x.says(func(w http.ResponseWriter, r received) {
		if r.Type == "order.bad" {
			w.WriteHeader(500)
		}
	})
	sub, _ := h.subscribe(Draft{URL: x.url})
	bad, good := uuid.New(), uuid.New()
	h.publish(bad, "order.bad", "order.next")
	h.publish(good, "order.created")
	wait := h.send(sub.ID)
	if got := x.got(); len(got) != 2 || got[0].Type == got[1].Type {
		t.Fatalf("%d messages at first", len(got))
	}
	var total time.Duration
	ids := make(map[string]bool)
	for attempts := 1; ; attempts++ {
		if attempts > len(pauses) {
			break
		}
		if pause := pauses[attempts-1]; wait < pause*8/10 || wait > pause*12/10 {
			t.Errorf("pause %d is %s, want about %s", attempts, wait, pause)
		}
		h.pass(wait - time.Millisecond)
		if h.turn(sub.ID) < 0 || len(x.got()) > 0 {
			t.Fatalf("attempt %d came too early", attempts+1)
		}
		h.pass(time.Millisecond)
		total += wait
		wait = h.turn(sub.ID)
		got := x.got()
		ids[got[0].id()] = true
		if attempts < len(pauses) && len(got) != 1 {
			t.Fatalf("%d messages at attempt %d: the order is lost", len(got), attempts+1)
		}
		if attempts == len(pauses) && (len(got) != 2 || got[1].Type != "order.next") {
			t.Errorf("after the dead letter came %d messages", len(got))
		}
	}
	if wait >= 0 || len(ids) != 1 || total < 48*time.Hour || total > 96*time.Hour {
		t.Errorf("wait %s, %d webhook-ids, in %s", wait, len(ids), total)
	}
	dead := h.deliveries(sub.ID, Deliveries{State: Dead})
	if len(dead) != 1 || dead[0].Reason != fault.WebhookExhausted || len(dead[0].Attempts) != len(pauses)+1 {
		t.Errorf("%+v", dead)
	}
}

// Numbers are taken before the commit. An event that commits late, after ones
// with higher numbers, is not passed over.
func TestAnEventThatCommitsLateIsNotLost(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	late, undone, early := uuid.New(), uuid.New(), uuid.New()
	slow, err := h.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(t.Context(), slow, late, "order.created"); err != nil {
		t.Fatal(err)
	}
	lost, err := h.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(t.Context(), lost, undone, "order.created"); err != nil {
		t.Fatal(err)
	}
	h.publish(early, "order.created")
	h.send(sub.ID)
	if n := len(x.got()); n != 0 {
		t.Fatalf("%d messages while an earlier event is not settled", n)
	}
	if err := lost.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := slow.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.send(sub.ID)
	if got := x.got(); len(got) != 2 {
		t.Errorf("%d messages, want both", len(got))
	}
	if n := len(h.deliveries(sub.ID, Deliveries{Transaction: undone})); n != 0 {
		t.Error("an event that was rolled back was told")
	}
}

// A transaction that writes other tables, however long, holds nothing up.
func TestOthersLongTransactionsHoldNothingUp(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	long, err := h.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = long.Rollback(t.Context()) }()
	err = outbox.Audit(t.Context(), long, outbox.AuditRecord{Actor: "a", Action: "b", Outcome: "c", At: noon})
	if err != nil {
		t.Fatal(err)
	}
	h.publish(uuid.New(), "order.created")
	h.send(sub.ID)
	if n := len(x.got()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// A process is killed between sending and recording: the message is sent again,
// under the same webhook-id, once its lease is over.
func TestAKillBetweenSendAndRecord(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	h.publish(uuid.New(), "order.created", "order.presented")
	h.round()
	killed := &run{Config: h.config, subscription: sub.ID, lease: uuid.New()}
	if _, err := killed.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	heads, err := killed.take(t.Context(), sendsAtOnce, nil)
	if err != nil || len(heads) != 1 {
		t.Fatalf("%d heads, %v", len(heads), err)
	}
	if v := killed.deliver(t.Context(), heads[0]); !v.delivered() {
		t.Fatal(v)
	}
	first := x.got()[0]

	if wait, err := h.worker.turn(t.Context(), sub.ID, 1, 2); err != nil || wait != leaseTime {
		t.Errorf("the rescued job is to come again after %s (%v), want when the lease is over", wait, err)
	}
	h.pass(leaseTime)
	h.turn(sub.ID)
	got := x.got()
	if len(got) != 2 || got[0].id() != first.id() || string(got[0].body) != string(first.body) || got[1].Sequence != 2 {
		t.Errorf("%d messages came", len(got))
	}
	// Should it have been only asleep, what it knows is not written any more.
	err = killed.record(t.Context(), []result{{heads[0], verdict{Attempt: Attempt{Code: fault.PeerDown}}}})
	if !errors.Is(err, errLeaseLost) || len(h.deliveries(sub.ID, Deliveries{State: Pending})) != 0 {
		t.Errorf("a lost lease still writes: %v", err)
	}
}

func TestTwoWorkersAtOnceSendOnce(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	const transactions = 20
	for range transactions {
		h.publish(uuid.New(), "order.created", "order.presented")
	}
	// Two sequencers and four workers.
	errs := make(chan error)
	for range 2 {
		go func() { errs <- h.another().round(t.Context()) }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	h.round() // one of the two may have found the other at work
	for job := range 4 {
		go func() {
			_, err := h.worker.turn(t.Context(), sub.ID, int64(job), 1)
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	h.turn(sub.ID)
	seen := make(map[string]bool)
	next := make(map[uuid.UUID]int)
	for _, r := range x.got() {
		if seen[r.id()] {
			t.Errorf("%s came twice", r.id())
		}
		seen[r.id()] = true
		if next[r.Transaction]++; r.Sequence != next[r.Transaction] {
			t.Errorf("event %d came as number %d", r.Sequence, next[r.Transaction])
		}
	}
	if len(seen) != 2*transactions {
		t.Errorf("%d messages, want %d", len(seen), 2*transactions)
	}
}

// A subscriber that is away costs one message at a time, less and less often,
// and is sent everything in order when it is back.
func TestASubscriberThatIsAwayIsLeftAlone(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	x.says(status(502))
	sub, _ := h.subscribe(Draft{URL: x.url})
	for range 30 {
		h.publish(uuid.New(), "order.created")
	}
	h.round()
	deadline := noon.Add(6 * time.Hour)
	messages := 0
	for h.now().Before(deadline) {
		wait := h.turn(sub.ID)
		messages += len(x.got())
		h.pass(max(wait, time.Millisecond))
	}
	if messages < 20 || messages > 150 {
		t.Errorf("%d messages in six hours", messages)
	}
	shown, err := h.service.Get(t.Context(), viewer, sub.ID)
	if err != nil || shown.Pending != 30 {
		t.Fatalf("%+v %v", shown, err)
	}
	x.says(status(200))
	attempt, err := h.service.Ping(t.Context(), viewer, sub.ID)
	if err != nil || attempt.Code != "" {
		t.Fatalf("%+v %v", attempt, err)
	}
	if got := x.got(); len(got) != 1 || got[0].Type != PingType {
		t.Fatalf("%d messages at the ping", len(got))
	}
	for h.now().Before(deadline.Add(9 * time.Hour)) {
		wait := h.turn(sub.ID)
		if wait < 0 {
			break
		}
		h.pass(max(wait, time.Millisecond))
	}
	if n := len(x.got()); n != 30 {
		t.Errorf("%d messages came afterwards, want 30", n)
	}
}

// Nothing waits for ever for an event that is not in its table.
func TestEventMissingFromItsTable(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	transaction := uuid.New()
	h.publish(transaction, "order.created")
	h.round()
	err := postgres.InTx(t.Context(), h.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `set local session_replication_role = replica`); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `delete from events`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.turn(sub.ID)
	if d := h.only(sub.ID); d.State != Dead || d.Reason != fault.EventNotFound || len(x.got()) != 0 {
		t.Errorf("%+v", d)
	}
}
