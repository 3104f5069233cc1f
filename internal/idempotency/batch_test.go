package idempotency

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

func request(caller, key, body string) *Request {
	return &Request{Caller: caller, Key: keyOf(key, body), Operation: "pay"}
}

func send(ctx context.Context, t *testing.T, k *Keys, fill func(*pgx.Batch) error) error {
	t.Helper()
	var batch pgx.Batch
	if err := fill(&batch); err != nil {
		t.Fatal(err)
	}
	return k.pool.SendBatch(ctx, &batch).Close()
}

func TestBatch(t *testing.T) {
	k, clock := testKeys(t)
	ctx := t.Context()
	read := func(requests ...*Request) {
		t.Helper()
		if err := send(ctx, t, k, func(b *pgx.Batch) error { QueueRead(b, requests); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	store := func(requests ...*Request) error {
		answers := make([]any, len(requests))
		for i := range answers {
			answers[i] = answer{N: i + 1}
		}
		return send(ctx, t, k, func(b *pgx.Batch) error { return QueueAnswers(b, requests, answers, clock.Now()) })
	}
	first, second := request(alice, "b", "1"), request(bob, "a", "1")
	read(first, second)
	if first.Answer != nil || first.Err != nil || second.Answer != nil || second.Err != nil {
		t.Fatalf("%+v, %+v", first, second)
	}
	if err := store(first, second); err != nil {
		t.Fatal(err)
	}
	if err := store(request(bob, "c", "1"), first); !Taken(err) {
		t.Errorf("stored twice: %v", err)
	}

	again, other, otherCaller := request(alice, "b", "1"), request(alice, "b", "2"), request(bob, "b", "2")
	otherOperation := request(alice, "b", "1")
	otherOperation.Operation = "refund"
	read(again, other, otherCaller, otherOperation, request(bob, "c", "1"))
	if string(again.Answer) != `{"N": 1}` || again.Err != nil {
		t.Errorf("%s, %v", again.Answer, again.Err)
	}
	for _, r := range []*Request{other, otherOperation} {
		if r.Answer != nil || !fault.Is(r.Err, fault.IdempotencyKeyReused) {
			t.Errorf("%s, %v", r.Answer, r.Err)
		}
	}
	if otherCaller.Answer != nil || otherCaller.Err != nil {
		t.Errorf("another caller's key: %s, %v", otherCaller.Answer, otherCaller.Err)
	}
}

// The two forms know each other's keys.
func TestBatchAndOnce(t *testing.T) {
	k, clock := testKeys(t)
	ctx := t.Context()
	claim, _, err := k.begin(ctx, alice, keyOf("k", "body"), "pay")
	if err != nil {
		t.Fatal(err)
	}
	r := request(alice, "k", "body")
	read := func() {
		t.Helper()
		if err := send(ctx, t, k, func(b *pgx.Batch) error { QueueRead(b, []*Request{r}); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if read(); !fault.Is(r.Err, fault.RequestInFlight) {
		t.Errorf("at work: %v", r.Err)
	}
	if err := k.release(ctx, claim); err != nil {
		t.Fatal(err)
	}
	if read(); r.Err != nil {
		t.Errorf("released: %v", r.Err)
	}
	if err := send(ctx, t, k, func(b *pgx.Batch) error { return QueueAnswers(b, []*Request{r}, []any{answer{7}}, clock.Now()) }); err != nil {
		t.Fatal(err)
	}
	runs := 0
	if got, err := Once(ctx, k, alice, keyOf("k", "body"), "pay", counted(k, &runs)); err != nil || got.N != 7 || runs != 0 {
		t.Errorf("%v, %v, %d runs", got, err, runs)
	}
}

// A claimed key is at work to everybody else until the transaction ends.
func TestQueueClaim(t *testing.T) {
	k, clock := testKeys(t)
	ctx := t.Context()
	claim := func(r *Request, during func(*pgx.Batch) error) error {
		return postgres.InPipeline(ctx, k.pool, func(b *pgx.Batch) error { QueueClaim(b, r); return nil }, during)
	}
	state := func(key, body string) *Request {
		r := request(alice, key, body)
		if err := claim(r, func(*pgx.Batch) error { return nil }); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := request(alice, "k", "body")
	err := claim(first, func(b *pgx.Batch) error {
		if first.Err != nil || first.Answer != nil {
			t.Errorf("%+v", first)
		}
		if again := state("k", "body"); !fault.Is(again.Err, fault.RequestInFlight) {
			t.Errorf("the same meanwhile: %+v", again)
		}
		if other := state("other", "body"); other.Err != nil {
			t.Errorf("another key meanwhile: %+v", other)
		}
		return QueueAnswers(b, []*Request{first}, []any{answer{7}}, clock.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	if again := state("k", "body"); again.Err != nil || string(again.Answer) != `{"N": 7}` {
		t.Errorf("the same afterwards: %+v", again)
	}
	if other := state("k", "other"); !fault.Is(other.Err, fault.IdempotencyKeyReused) {
		t.Errorf("another body afterwards: %+v", other)
	}
}
