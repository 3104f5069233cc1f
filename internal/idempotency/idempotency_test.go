package idempotency

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// clock is a settable time.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func testKeys(t *testing.T) (*Keys, *clock) {
	t.Helper()
	c := &clock{now: postgrestest.FixedMonth.Add(36 * time.Hour)}
	return New(postgrestest.Pool(t), c.Now), c
}

const alice, bob = "alice", "bob"

func keyOf(value, body string) Key { return Key{Value: value, BodySHA256: sha256.Sum256([]byte(body))} }

type answer struct{ N int }

// counted is work that counts its runs and stores its answer.
func counted(k *Keys, runs *int) func(context.Context, *Claim) (*answer, error) {
	return func(ctx context.Context, c *Claim) (*answer, error) {
		*runs++
		a := &answer{N: *runs}
		return a, postgres.InTx(ctx, k.pool, func(tx pgx.Tx) error { return c.Finish(ctx, tx, a) })
	}
}

func TestSameRequestGetsTheSameAnswer(t *testing.T) {
	k, _ := testKeys(t)
	ctx := t.Context()
	runs := 0
	for range 3 {
		got, err := Once(ctx, k, alice, keyOf("k", "body"), "op", counted(k, &runs))
		if err != nil || got.N != 1 {
			t.Fatalf("answer %v, error %v", got, err)
		}
	}
	if runs != 1 {
		t.Errorf("the work ran %d times", runs)
	}
	// Another caller's key is another key.
	if got, err := Once(ctx, k, bob, keyOf("k", "other"), "op", counted(k, &runs)); err != nil || got.N != 2 {
		t.Errorf("answer %v, error %v", got, err)
	}
}

func TestKeyIsBoundToItsRequest(t *testing.T) {
	k, _ := testKeys(t)
	runs := 0
	if _, err := Once(t.Context(), k, alice, keyOf("k", "body"), "op", counted(k, &runs)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ body, operation string }{
		"other body":      {"other", "op"},
		"other operation": {"body", "other"},
	} {
		if _, err := Once(t.Context(), k, alice, keyOf("k", c.body), c.operation, counted(k, &runs)); !fault.Is(err, fault.IdempotencyKeyReused) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if runs != 1 {
		t.Errorf("the work ran %d times", runs)
	}
}

func TestKeyForms(t *testing.T) {
	k, _ := testKeys(t)
	runs := 0
	for value, want := range map[string]fault.Code{
		"":                                  fault.IdempotencyKeyMissing,
		"with space":                        fault.IdempotencyKeyInvalid,
		"қазақша":                           fault.IdempotencyKeyInvalid,
		"\x00":                              fault.IdempotencyKeyInvalid,
		strings.Repeat("k", keyLengthMax+1): fault.IdempotencyKeyInvalid,
	} {
		if _, err := Once(t.Context(), k, alice, keyOf(value, "b"), "op", counted(k, &runs)); !fault.Is(err, want) {
			t.Errorf("%q: error %v, want %s", value, err, want)
		}
	}
	if _, err := Once(t.Context(), k, alice, keyOf(strings.Repeat("k", keyLengthMax), "b"), "op", counted(k, &runs)); err != nil {
		t.Errorf("the longest key: %v", err)
	}
}

func TestInFlightAndTakeOver(t *testing.T) {
	k, clock := testKeys(t)
	ctx := t.Context()
	key := keyOf("k", "body")
	first, _, err := k.begin(ctx, alice, key, "op")
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	if _, err := Once(ctx, k, alice, key, "op", counted(k, &runs)); !fault.Is(err, fault.RequestInFlight) {
		t.Fatalf("error %v", err)
	}
	// The first holder dies; its lease runs out and the next one takes over.
	clock.pass(leaseTime)
	if got, err := Once(ctx, k, alice, key, "op", counted(k, &runs)); err != nil || got.N != 1 {
		t.Fatalf("answer %v, error %v", got, err)
	}
	// It was only slow: it cannot store a second answer, so its work is undone.
	err = postgres.InTx(ctx, k.pool, func(tx pgx.Tx) error { return first.Finish(ctx, tx, &answer{N: 99}) })
	if !fault.Is(err, fault.RequestInFlight) {
		t.Errorf("error %v", err)
	}
	if got, err := Once(ctx, k, alice, key, "op", counted(k, &runs)); err != nil || got.N != 1 {
		t.Errorf("answer %v, error %v", got, err)
	}
}

func TestFailureFreesTheKey(t *testing.T) {
	k, _ := testKeys(t)
	refusal := fault.New(fault.SignatureNotAccepted, "", "no")
	_, err := Once(t.Context(), k, alice, keyOf("k", "body"), "op", func(context.Context, *Claim) (*answer, error) { return nil, refusal })
	if !errors.Is(err, refusal) {
		t.Fatalf("error %v", err)
	}
	runs := 0
	if _, err := Once(t.Context(), k, alice, keyOf("k", "another body"), "op", counted(k, &runs)); err != nil || runs != 1 {
		t.Errorf("runs %d, error %v", runs, err)
	}
}

func TestConcurrentRequestsRunOnce(t *testing.T) {
	k, _ := testKeys(t)
	ctx := t.Context()
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		runs    int
		refused int
	)
	for range 16 {
		wait.Go(func() {
			_, err := Once(ctx, k, alice, keyOf("k", "body"), "op", func(ctx context.Context, c *Claim) (*answer, error) {
				mu.Lock()
				runs++
				mu.Unlock()
				return &answer{1}, postgres.InTx(ctx, k.pool, func(tx pgx.Tx) error { return c.Finish(ctx, tx, &answer{1}) })
			})
			if err != nil && !fault.Is(err, fault.RequestInFlight) {
				t.Error(err)
			}
			if err != nil {
				mu.Lock()
				refused++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if runs != 1 {
		t.Errorf("the work ran %d times (%d refused)", runs, refused)
	}
}

func TestPrune(t *testing.T) {
	k, clock := testKeys(t)
	runs := 0
	if _, err := Once(t.Context(), k, alice, keyOf("old", "b"), "op", counted(k, &runs)); err != nil {
		t.Fatal(err)
	}
	clock.pass(keyRetention + time.Second)
	if _, err := Once(t.Context(), k, alice, keyOf("new", "b"), "op", counted(k, &runs)); err != nil {
		t.Fatal(err)
	}
	if err := k.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]int{"new": 2, "old": 3} {
		got, err := Once(t.Context(), k, alice, keyOf(value, "b"), "op", counted(k, &runs))
		if err != nil || got.N != want {
			t.Errorf("%s: answer %v, error %v; want %d", value, got, err, want)
		}
	}
}
