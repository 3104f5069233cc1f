package hsm_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

// The card is pulled out and put back while eight goroutines sign with its keys,
// one of which asks for the PIN each time. Every call ends with a signature or
// an error that says to come again, and signing resumes by itself.
func TestCardPulledWhileManySign(t *testing.T) {
	card := hsmtest.Card(t)
	token, err := card.Module.Token(t.Context(), card.URI, card.PIN)
	check(t, err)
	defer func() { check(t, token.Close()) }()
	var keys []*hsm.Key
	for _, id := range []byte{1, 2, 3} {
		key, err := token.KeyByID(t.Context(), []byte{id})
		check(t, err)
		keys = append(keys, key)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var signed, failed atomic.Int64
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := keys[(g+n)%len(keys)].Prove(context.WithoutCancel(ctx))
				switch {
				case err == nil:
					signed.Add(1)
				case fault.CodeOf(err).Class() == fault.RetryLater:
					failed.Add(1)
					_ = token.Wait(ctx) // or the loop turns for nothing while the card is away
				default:
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
			}
		})
	}
	moreThan := func(count *atomic.Int64, n int64) {
		t.Helper()
		for begin := count.Load(); count.Load() < begin+n; time.Sleep(time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("%d signed, %d failed, then nothing more", signed.Load(), failed.Load())
			}
		}
	}
	for range 3 {
		moreThan(&signed, 20)
		card.Pull(t)
		moreThan(&failed, 1)
		card.Insert(t)
	}
	moreThan(&signed, 20)
	stop()
	all.Wait()
	t.Logf("%d signed, %d failed", signed.Load(), failed.Load())
}

// Another card in the reader is not taken for the one that was pulled.
func TestAnotherCardIsNotUsed(t *testing.T) {
	card := hsmtest.Card(t)
	token, err := card.Module.Token(t.Context(), card.URI, card.PIN)
	check(t, err)
	defer func() { check(t, token.Close()) }()
	key, err := token.KeyByID(t.Context(), []byte{3})
	check(t, err)
	card.Pull(t)
	if err := key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatalf("without a card: %v", err)
	}
	card.InsertAnother(t)
	card.WaitForToken(t)
	if err := key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("with another card: %v", err)
	}
	card.Pull(t)
	card.WaitForNone(t) // or pcscd sees no change: both cards look alike to it
	card.Insert(t)
	check(t, token.Wait(t.Context()))
	check(t, key.Prove(t.Context()))
}
