package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
)

// typesOfGot are the types of the messages that came, sorted.
func typesOfGot(all []received) string {
	var types []string
	for _, r := range all {
		types = append(types, r.Type)
	}
	slices.Sort(types)
	return strings.Join(types, " ")
}

func TestATypeFilter(t *testing.T) {
	h := newHouse(t)
	for filter, want := range map[string]string{
		"":                               "order.created order.paid_in.full payment.posted",
		"order.created":                  "order.created",
		"order.*":                        "order.created order.paid_in.full",
		"order.paid_in.*,payment.*":      "order.paid_in.full payment.posted",
		"order.create,orders.*,order_.*": "",
	} {
		x := newReceiver(t)
		d := Draft{URL: x.url}
		if filter != "" {
			d.Types = strings.Split(filter, ",")
		}
		sub, _ := h.subscribe(d)
		h.publish(uuid.New(), "order.created", "payment.posted", "order.paid_in.full")
		h.send(sub.ID)
		if got := typesOfGot(x.got()); got != want {
			t.Errorf("%q: %q, want %q", filter, got, want)
		}
		if err := h.service.Delete(t.Context(), viewer, sub.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// A subscription that is restricted hears of its party's transactions only, also
// in replays.
func TestARestrictedSubscription(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _, err := h.service.Create(t.Context(), Owner{ID: "firm", Restricted: true, Party: "160440007161"}, Draft{URL: x.url})
	if err != nil {
		t.Fatal(err)
	}
	own, others, nobodys := uuid.New(), uuid.New(), uuid.New()
	h.parties[own], h.parties[others] = "160440007161", "170140000125"
	for _, transaction := range []uuid.UUID{own, others, nobodys} {
		h.publish(transaction, "order.created")
	}
	h.send(sub.ID)
	if got := x.got(); len(got) != 1 || got[0].Transaction != own {
		t.Errorf("%d messages", len(got))
	}
	firm := Viewer{ID: "firm"}
	done, err := h.service.Replay(t.Context(), firm, sub.ID, Replay{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)})
	if err != nil || done.Queued != 1 {
		t.Errorf("%+v %v", done, err)
	}
	_, err = h.service.Replay(t.Context(), firm, sub.ID, Replay{Transaction: others})
	wantCode(t, "another's transaction", err, fault.EventNotFound)

	_, _, err = h.service.Create(t.Context(), Owner{ID: "firm", Restricted: true}, Draft{URL: x.url})
	wantCode(t, "a party that is nobody", err, fault.WebhookDenied)
}

func TestABarredOwnerIsToldNothingMore(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	h.publish(uuid.New(), "order.created")
	h.round()
	h.barred = []string{owner.ID}
	if err := h.service.upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.publish(uuid.New(), "order.created")
	h.send(sub.ID)
	if n := len(x.got()); n != 0 {
		t.Errorf("%d messages", n)
	}
	shown, err := h.service.Get(t.Context(), viewer, sub.ID)
	if err != nil || shown.DisabledReason != fault.ClientDisabled || shown.Dead != 1 {
		t.Errorf("%+v %v", shown, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	h := newHouse(t)
	h.config.Plain = false
	strict := h.another()
	h.config.Plain = true
	for name, row := range map[string]struct {
		service *Service
		draft   Draft
		code    fault.Code
	}{
		"no URL":           {h.service, Draft{}, fault.WebhookInvalid},
		"relative":         {h.service, Draft{URL: "/hook"}, fault.WebhookInvalid},
		"another scheme":   {h.service, Draft{URL: "ftp://127.0.0.1/"}, fault.WebhookAddress},
		"credentials":      {h.service, Draft{URL: "http://a:b@127.0.0.1/"}, fault.WebhookInvalid},
		"fragment":         {h.service, Draft{URL: "http://127.0.0.1/#a"}, fault.WebhookInvalid},
		"long":             {h.service, Draft{URL: "http://127.0.0.1/" + strings.Repeat("a", urlBytesMax)}, fault.WebhookInvalid},
		"not listed":       {h.service, Draft{URL: "http://127.0.0.2/"}, fault.WebhookAddress},
		"plain":            {strict, Draft{URL: "http://127.0.0.1/"}, fault.WebhookAddress},
		"a bad type":       {h.service, Draft{URL: "http://127.0.0.1/", Types: []string{"a.b", "*"}}, fault.WebhookInvalid},
		"too many types":   {h.service, Draft{URL: "http://127.0.0.1/", Types: make([]string, typesMax+1)}, fault.WebhookInvalid},
		"an own scheme":    {h.service, Draft{URL: "http://127.0.0.1/", Schemes: []Scheme{"v2"}}, fault.WebhookInvalid},
		"twice a scheme":   {h.service, Draft{URL: "http://127.0.0.1/", Schemes: []Scheme{HMAC, HMAC}}, fault.WebhookInvalid},
		"long description": {h.service, Draft{URL: "http://127.0.0.1/", Description: strings.Repeat("ә", descriptionMax+1)}, fault.WebhookInvalid},
	} {
		_, _, err := row.service.Create(t.Context(), owner, row.draft)
		wantCode(t, name, err, row.code)
	}
}

func TestRotation(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, first := h.subscribe(Draft{URL: x.url, Schemes: []Scheme{HMAC, Ed25519}})
	rotate := func(overlap time.Duration) []IssuedKey {
		t.Helper()
		keys, err := h.service.Rotate(t.Context(), viewer, sub.ID, overlap)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	signedBy := func(keys ...IssuedKey) {
		t.Helper()
		h.publish(uuid.New(), "order.created")
		h.send(sub.ID)
		checkSignatures(t, x.got()[0], keys)
	}
	second := rotate(time.Hour)
	signedBy(append(second, first...)...)
	third := rotate(2 * time.Hour) // the first answer was lost, say
	signedBy(append(append(third, second...), first...)...)
	_, err := h.service.Rotate(t.Context(), viewer, sub.ID, time.Hour)
	wantCode(t, "a fourth at once", err, fault.WebhookKeys)
	h.pass(time.Hour)
	signedBy(append(third, second...)...)
	last := rotate(0) // leaked: the former ones end at once
	signedBy(last...)
	_, err = h.service.Rotate(t.Context(), viewer, sub.ID, OverlapMax+1)
	wantCode(t, "for ever", err, fault.WebhookInvalid)
	_, err = h.service.Rotate(t.Context(), Viewer{ID: "other"}, sub.ID, 0)
	wantCode(t, "another's", err, fault.WebhookNotFound)
	shown, err := h.service.Get(t.Context(), viewer, sub.ID)
	if err != nil || len(shown.Keys) != 2 {
		t.Errorf("%+v %v", shown, err)
	}
}

func TestDisableAndEnable(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	transaction := uuid.New()
	h.publish(transaction, "order.created")
	h.round()
	enable := func(on bool) *Subscription {
		t.Helper()
		shown, err := h.service.Update(t.Context(), viewer, sub.ID, Change{Enabled: &on})
		if err != nil {
			t.Fatal(err)
		}
		return shown
	}
	if shown := enable(false); shown.DisabledReason != fault.WebhookDisabled || shown.Dead != 1 || shown.Pending != 0 {
		t.Errorf("%+v", shown)
	}
	h.publish(transaction, "order.presented")
	h.send(sub.ID)
	_, err := h.service.Replay(t.Context(), viewer, sub.ID, Replay{DeadLetters: true})
	wantCode(t, "replay while it is disabled", err, fault.WebhookDisabled)
	if shown := enable(true); shown.DisabledAt != nil || shown.DisabledReason != "" {
		t.Errorf("%+v", shown)
	}
	h.publish(transaction, "payment.posted")
	h.send(sub.ID)
	if got := typesOfGot(x.got()); got != "payment.posted" {
		t.Errorf("%q after it was enabled", got)
	}
	// What was missed, in order, with the webhook-ids it would have had.
	done, err := h.service.Replay(t.Context(), viewer, sub.ID, Replay{Transaction: transaction})
	if err != nil || done.Queued != 3 {
		t.Fatalf("%+v %v", done, err)
	}
	h.turn(sub.ID)
	for i, r := range x.got() {
		if r.Sequence != i+1 || r.id() != MessageID(sub.ID, transaction, i+1) {
			t.Errorf("message %d is event %d", i+1, r.Sequence)
		}
	}
}

func TestReplay(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	transaction := uuid.New()
	h.publish(transaction, "order.created", "order.presented")
	h.round() // nobody had subscribed
	before := time.Now()
	sub, _ := h.subscribe(Draft{URL: x.url})
	x.says(status(410))
	h.publish(transaction, "payment.posted")
	h.send(sub.ID)
	on := true
	if _, err := h.service.Update(t.Context(), viewer, sub.ID, Change{Enabled: &on}); err != nil {
		t.Fatal(err)
	}
	x.says(nil)
	x.got()
	recent := Replay{From: before, To: time.Now().Add(time.Hour)}
	for _, row := range []struct {
		name string
		r    Replay
		code fault.Code
		got  string
	}{
		{"the dead letters", Replay{DeadLetters: true}, "", "payment.posted"},
		{"the dead letters again", Replay{DeadLetters: true}, "", ""},
		{"one event", Replay{Transaction: transaction, Sequence: 2}, "", "order.presented"},
		{"a transaction", Replay{Transaction: transaction}, "", "order.created order.presented payment.posted"},
		{"a span of time", recent, "", "payment.posted"},
		{"a span without events", Replay{From: before.AddDate(-1, 0, 0), To: before.AddDate(-1, 0, 1)}, "", ""},
		{"no such event", Replay{Transaction: transaction, Sequence: 9}, fault.EventNotFound, ""},
		{"no such transaction", Replay{Transaction: uuid.New()}, fault.EventNotFound, ""},
		{"nothing", Replay{}, fault.WebhookInvalid, ""},
		{"two things", Replay{DeadLetters: true, Transaction: transaction}, fault.WebhookInvalid, ""},
		{"a number without a transaction", Replay{DeadLetters: true, Sequence: 1}, fault.WebhookInvalid, ""},
		{"half a span", Replay{From: before}, fault.WebhookInvalid, ""},
		{"backwards", Replay{From: before, To: before}, fault.WebhookInvalid, ""},
		{"too long a span", Replay{From: before.AddDate(0, -2, 0), To: before}, fault.WebhookReplayBig, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := h.service.Replay(t.Context(), viewer, sub.ID, row.r)
			wantCode(t, "Replay", err, row.code)
			h.turn(sub.ID)
			if got := typesOfGot(x.got()); got != row.got {
				t.Errorf("%q, want %q", got, row.got)
			}
		})
	}
	_, err := h.service.Replay(t.Context(), Viewer{ID: "other"}, sub.ID, Replay{DeadLetters: true})
	wantCode(t, "another's", err, fault.WebhookNotFound)
}

// Marks narrow the search and change nothing of what is found, also where the
// clock went back.
func TestReplayOfATimeByMarks(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	for range 12 {
		h.publish(uuid.New(), "order.created")
		if err := h.service.upkeep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// One event an hour from noon on; then the clock goes back to 14:00, and on.
	err := postgres.InTx(t.Context(), h.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `set local session_replication_role = replica`)
		if err != nil {
			return err
		}
		for _, sql := range []string{
			`update events set recorded_at = $1::timestamptz + make_interval(hours => (case when position <= 6 then position else position - 4 end)::int)`,
			`update event_marks set at = $1::timestamptz + make_interval(hours => (case when position <= 6 then position else position - 4 end)::int, mins => 5, secs => position)`,
		} {
			if _, err := tx.Exec(t.Context(), sql, noon); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ from, to, want int }{
		{0, 24, 12}, {1, 2, 1}, {3, 4, 2}, {5, 7, 4}, {6, 7, 2}, {7, 9, 2}, {8, 24, 1}, {9, 24, 0},
	} {
		done, err := h.service.Replay(t.Context(), viewer, sub.ID, Replay{
			From: noon.Add(time.Duration(row.from) * time.Hour), To: noon.Add(time.Duration(row.to) * time.Hour),
		})
		if err != nil || done.Queued != row.want {
			t.Errorf("from %d to %d: %+v %v, want %d", row.from, row.to, done, err, row.want)
		}
	}
}

func TestAReplayTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes ten thousand events")
	}
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	err := postgres.InTx(t.Context(), h.pool, func(tx pgx.Tx) error {
		events := make([]outbox.Event, outbox.EventsMax)
		for i := range events {
			events[i] = outbox.Event{Transaction: uuid.New(), Type: "order.created", At: noon}
		}
		if err := outbox.PublishAll(t.Context(), tx, events); err != nil {
			return err
		}
		return outbox.PublishAll(t.Context(), tx, events[:1])
	})
	if err != nil {
		t.Fatal(err)
	}
	all := Replay{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	_, err = h.service.Replay(t.Context(), viewer, sub.ID, all)
	wantCode(t, "10,001 events", err, fault.WebhookReplayBig)
	h.round()
	if shown, err := h.service.Get(t.Context(), viewer, sub.ID); err != nil || shown.Pending != countMax {
		t.Errorf("%+v %v", shown, err)
	}
	if _, err := h.pool.Exec(t.Context(), `update webhook_delivery set state = 'dead', settled_at = $1`, noon); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Replayed{{replayMax, true}, {1, false}} {
		done, err := h.service.Replay(t.Context(), viewer, sub.ID, Replay{DeadLetters: true})
		if err != nil || *done != want {
			t.Errorf("%+v %v, want %+v", done, err, want)
		}
	}
}

// Events published together are numbered, and so queued, in their order.
func TestEventsPublishedTogetherKeepTheirOrder(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	transactions := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	err := postgres.InTx(t.Context(), h.pool, func(tx pgx.Tx) error {
		var events []outbox.Event
		for i := range 30 {
			events = append(events, outbox.Event{Transaction: transactions[i%3], Type: "order.created", At: noon})
		}
		return outbox.PublishAll(t.Context(), tx, events)
	})
	if err != nil {
		t.Fatal(err)
	}
	var disorder int
	err = h.pool.QueryRow(t.Context(), `
		select count(*) from events a join events b using (transaction_id)
		where a.sequence < b.sequence and a.position > b.position`).Scan(&disorder)
	if err != nil || disorder != 0 {
		t.Errorf("%d pairs are numbered the other way round, %v", disorder, err)
	}
	h.send(sub.ID)
	next := make(map[uuid.UUID]int)
	for _, r := range x.got() {
		if next[r.Transaction]++; next[r.Transaction] != r.Sequence {
			t.Errorf("event %d came as number %d", r.Sequence, next[r.Transaction])
		}
	}
}

func TestPagesOfDeliveries(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	x.says(func(w http.ResponseWriter, r received) {
		if r.Type == "order.bad" {
			w.WriteHeader(410)
		}
	})
	sub, _ := h.subscribe(Draft{URL: x.url})
	for range 5 {
		h.publish(uuid.New(), "order.created", "order.presented")
		h.send(sub.ID)
		h.pass(time.Second)
	}
	last := uuid.New()
	h.publish(last, "order.bad")
	h.send(sub.ID)
	seen := make(map[string]bool)
	var pages []int
	for after := ""; ; {
		page, err := h.service.Deliveries(t.Context(), viewer, sub.ID, Deliveries{Limit: 4, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Deliveries {
			if seen[d.MessageID] {
				t.Errorf("%s is on two pages", d.MessageID)
			}
			seen[d.MessageID] = true
		}
		pages = append(pages, len(page.Deliveries))
		if after = page.Next; after == "" {
			break
		}
	}
	if got := fmt.Sprint(pages); got != "[4 4 3]" {
		t.Errorf("pages %s", got)
	}
	if dead := h.deliveries(sub.ID, Deliveries{State: Dead}); len(dead) != 1 || dead[0].Transaction != last {
		t.Errorf("%+v", dead)
	}
	for _, bad := range []string{"!", "AAAA", "e30x"} {
		_, err := h.service.Deliveries(t.Context(), viewer, sub.ID, Deliveries{After: bad})
		wantCode(t, bad, err, fault.BadArgument)
	}
}

func TestUpkeep(t *testing.T) {
	h, x := newHouse(t), newReceiver(t)
	sub, _ := h.subscribe(Draft{URL: x.url})
	jobs := func() (n int) {
		t.Helper()
		if err := h.pool.QueryRow(t.Context(), `select count(*) from river_job where kind = 'webhook_deliver' and queue = $1`, Queue).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	upkeep := func() {
		t.Helper()
		if err := h.service.upkeep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.publish(uuid.New(), "order.created")
	h.round()
	if n := jobs(); n != 1 {
		t.Fatalf("%d jobs for new events", n)
	}
	// The job is lost.
	if _, err := h.pool.Exec(t.Context(), `delete from river_job`); err != nil {
		t.Fatal(err)
	}
	upkeep()
	if n := jobs(); n != 0 {
		t.Errorf("%d jobs at once", n)
	}
	h.pass(lostAfter)
	upkeep()
	if n := jobs(); n != 1 {
		t.Errorf("%d jobs for what was lost", n)
	}
	h.pass(expireAfter)
	upkeep()
	if d := h.only(sub.ID); d.State != Dead || d.Reason != fault.WebhookExpired {
		t.Errorf("%+v", d)
	}

	if err := h.service.Delete(t.Context(), viewer, sub.ID); err != nil {
		t.Fatal(err)
	}
	var left string
	counts := `select concat_ws(' ', (select count(*) from webhook_delivery), (select count(*) from webhook_key),
		(select count(*) from webhook_pump), (select count(*) from webhook_subscription))`
	for _, row := range []struct {
		after time.Duration
		want  string
	}{{time.Hour, "1 0 1 1"}, {keepSettled, "0 0 0 0"}} {
		h.pass(row.after)
		if err := h.service.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.pool.QueryRow(t.Context(), counts).Scan(&left); err != nil || left != row.want {
			t.Errorf("%q left after %s, want %q (%v)", left, row.after, row.want, err)
		}
	}
	// A job that comes after all of it finds nothing to do.
	if wait := h.turn(sub.ID); wait >= 0 {
		t.Errorf("comes again after %s", wait)
	}
}

func TestNewNeedsItsRooms(t *testing.T) {
	if _, err := New(Config{}, nil, nil); !fault.Is(err, fault.ConfigBad) {
		t.Error(err)
	}
	if _, err := New(newHouse(t).config, nil, nil); !fault.Is(err, fault.ConfigBad) {
		t.Error(err)
	}
	if _, err := AddWorkers(nil, Config{}); !fault.Is(err, fault.ConfigBad) {
		t.Error(err)
	}
}
