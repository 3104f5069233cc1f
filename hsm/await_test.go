package hsm_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

// awaited is a scripted module whose token is away.
type awaited struct {
	*hsmtest.Scripted
	slot    *hsmtest.ScriptedSlot
	path    string
	options hsm.Options
	pin     hsm.PIN
}

var awaitedModules atomic.Int64

func newAwaited(t *testing.T) *awaited {
	t.Helper()
	s := hsmtest.NewScripted()
	a := &awaited{Scripted: s, slot: s.AddSlot("service"), path: "/awaited/" + time.Duration(awaitedModules.Add(1)).String()}
	a.options = hsm.Options{Now: time.Now, Load: func(string) (hsm.Cryptoki, error) { return s, nil }}
	a.pin = hsm.PINFile(pinFile(t, hsmtest.ScriptedPIN))
	s.Pull(a.slot)
	return a
}

// begin awaits the token and closes it.
func (a *awaited) begin(ctx context.Context) <-chan error {
	ended := make(chan error, 1)
	go func() {
		token, err := hsm.Await(ctx, a.path, a.options, "pkcs11:token=service", a.pin)
		if err == nil {
			err = token.Close()
		}
		ended <- err
	}()
	return ended
}

func awaitedTokens(t *testing.T, r *prometheus.Registry) float64 {
	t.Helper()
	families, err := r.Gather()
	check(t, err)
	for _, family := range families {
		if family.GetName() == "senim_hsm_tokens_awaited" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// A token that is put in later is opened then, with no more ado.
func TestAwaitedTokenComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		metrics, err := hsm.NewMetrics(registry)
		check(t, err)
		a := newAwaited(t)
		a.options.Metrics = metrics
		ended := a.begin(t.Context())
		time.Sleep(20 * time.Second)
		if n := awaitedTokens(t, registry); n != 1 {
			t.Errorf("%v tokens are awaited, want 1", n)
		}
		asked := a.Calls("C_GetSlotList")
		if asked > 10 {
			t.Errorf("in 20 s the module was asked %d times", asked)
		}
		a.PutBack(a.slot, 9)
		check(t, <-ended)
		if n := awaitedTokens(t, registry); n != 0 {
			t.Errorf("%v tokens are awaited, want none", n)
		}
		if n := a.Calls("C_Initialize"); n != 1 {
			t.Errorf("the module was initialised %d times", n)
		}
	})
}

// A module that shows a token only after C_Initialize is restarted for it, every 30 s
// and no more often.
func TestAwaitedTokenNeedsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAwaited(t)
		ended := a.begin(t.Context())
		time.Sleep(29 * time.Second)
		if n := a.Calls("C_Initialize"); n != 1 {
			t.Errorf("after 29 s the module was initialised %d times, want once", n)
		}
		time.Sleep(5 * time.Minute)
		if n := a.Calls("C_Initialize"); n < 5 || n > 11 {
			t.Errorf("after five minutes the module was initialised %d times", n)
		}
		a.Change(func([]*hsmtest.ScriptedSlot) {
			a.Refuse = func(function string) error {
				if function == "C_Initialize" {
					a.slot.Present = true // under the lock
				}
				return nil
			}
		})
		check(t, <-ended)
	})
}

// While another token of the module works, restarts are the more seldom the longer
// the one is away.
func TestAwaitedTokenInterruptsOthersSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, withRealClock)
		path := s.module.Path()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		options := hsm.Options{Now: time.Now, Load: func(string) (hsm.Cryptoki, error) { return s.Scripted, nil }}
		go func() {
			_, err := hsm.Await(ctx, path, options, "pkcs11:token=other", hsm.PINFile(s.pin))
			ended <- err
		}()
		time.Sleep(31 * time.Minute)
		// At about 0.5, 1, 2, 4, 8 minutes, and then every five.
		if n := s.Calls("C_Initialize") - 1; n < 6 || n > 12 {
			t.Errorf("in half an hour the module was restarted %d times", n)
		}
		s.signs(t, 4, "")
		stop()
		if err := <-ended; !fault.Is(err, fault.Cancelled) {
			t.Errorf("got %v", err)
		}
	})
}

// A device that is not there when the module is initialised is awaited too.
func TestAwaitedModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAwaited(t)
		a.PutBack(a.slot, 1)
		a.Script("C_Initialize", pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_ERROR)
		began := time.Now()
		check(t, <-a.begin(t.Context()))
		if took := time.Since(began); took != time.Minute {
			t.Errorf("the module was there after %s, want two times 30 s", took)
		}
	})
}

// What somebody has to see to is not tried again: a PIN least of all.
func TestAwaitEnds(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*testing.T, *awaited)
		code   fault.Code
	}{
		"a wrong PIN": {func(t *testing.T, a *awaited) {
			a.pin = hsm.PINFile(pinFile(t, "wrong"))
			a.PutBack(a.slot, 1)
		}, fault.PINRefused},
		"no PIN": {func(t *testing.T, a *awaited) {
			a.pin = hsm.PINFile(os.DevNull)
			a.PutBack(a.slot, 1)
		}, fault.PINUnavailable},
		"two tokens": {func(_ *testing.T, a *awaited) {
			a.PutBack(a.slot, 1)
			a.AddSlot("service")
		}, fault.HSMTokenAmbiguous},
		"an unusable module": {func(_ *testing.T, a *awaited) {
			a.Script("C_Initialize", pkcs11.CKR_CANT_LOCK)
		}, fault.HSMModuleUnusable},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAwaited(t)
			row.change(t, a)
			if err := <-a.begin(t.Context()); !fault.Is(err, row.code) {
				t.Errorf("got %v, want %s", err, row.code)
			}
			if n := a.Calls("C_Login"); n > 1 {
				t.Errorf("the PIN was sent %d times", n)
			}
		})
	}
}

// A SoftHSM token whose files are away at the start comes when they do, while another
// of the module signs on; its key joins that one's group.
func TestAwaitedSoftHSMToken(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	clock := &clock{now: time.Unix(1_800_000_000, 0)}
	options := func(o *hsm.Options) { o.Now, o.PollEvery = clock.Now, time.Millisecond }
	one, late := hsmtest.SoftHSM(t, options), hsmtest.SoftHSM(t, options)
	key, err := one.Token.Import(t.Context(), "shared", []byte{1}, private)
	check(t, err)
	_, err = late.Token.Import(t.Context(), "shared", []byte{1}, private)
	check(t, err)
	home := hsmtest.SoftHSMFolder(t, filepath.Dir(late.Conf), late.Token.Info())
	away := filepath.Join(t.TempDir(), "away")
	check(t, late.Token.Close())
	check(t, os.Rename(home, away))
	group, err := hsm.NewGroup(hsm.GroupOptions{Now: clock.Now}, key)
	check(t, err)

	o := hsm.Options{}
	options(&o)
	opened := make(chan *hsm.Token)
	go func() {
		token, err := hsm.Await(t.Context(), late.ModulePath, o, late.URI, late.PIN)
		if err != nil {
			t.Error(err)
		}
		opened <- token
	}()
	for before := one.Token.Restarts(); one.Token.Restarts() == before; clock.advance(time.Second) {
		check(t, key.Prove(t.Context()))
	}
	check(t, os.Rename(away, home))
	var token *hsm.Token
	for waiting := true; waiting; clock.advance(time.Second) {
		select {
		case token = <-opened:
			waiting = false
		default:
			check(t, key.Prove(t.Context()))
		}
	}
	if token == nil {
		return // said above
	}
	defer func() { check(t, token.Close()) }()
	twin, err := token.Key(t.Context(), "shared")
	check(t, err)
	check(t, group.Join(0, twin))
	check(t, one.Token.Close())
	digest := sha256.Sum256([]byte("receipt"))
	signature, err := group.Sign(nil, digest[:], crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(&private.PublicKey, digest[:], signature) {
		t.Errorf("got %v", err)
	}
}
