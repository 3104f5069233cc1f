package hsm_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

// halts has calls of a function that begin from now on return when they are let go.
func halts(s *hsmtest.Scripted, function string) (letGo func()) {
	way := make(chan struct{})
	var open atomic.Bool
	s.Before = func(called string) {
		if called == function && !open.Load() {
			<-way
		}
	}
	return func() { open.Store(true); close(way) }
}

// within wants fn to end with the code after a time.
func within(t *testing.T, what string, took time.Duration, code fault.Code, fn func() error) {
	t.Helper()
	began := time.Now()
	if err := fn(); fault.CodeOf(err) != code || time.Since(began) != took {
		t.Errorf("%s: %v after %s, want %q after %s", what, err, time.Since(began), code, took)
	}
}

// A module that does not begin, or end, keeps nobody longer than a call may, and serves
// when it has returned after all.
func TestModuleThatDoesNotBeginOrEnd(t *testing.T) {
	for n, function := range []string{"C_Initialize", "C_Finalize"} {
		t.Run(function, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := hsmtest.NewScripted()
				o := hsm.Options{Now: time.Now, Load: func(string) (hsm.Cryptoki, error) { return s, nil }}
				path := fmt.Sprintf("/halting/%p", s)
				var module *hsm.Module
				open := func() (err error) {
					module, err = hsm.OpenModule(path, o)
					return err
				}
				letGo := halts(s, function)
				if function == "C_Initialize" {
					within(t, "open", 30*time.Second, fault.HSMUnavailable, open)
				} else {
					within(t, "open", 0, "", open)
					within(t, "close", 30*time.Second, fault.HSMUnavailable, func() error { return module.Close() })
				}
				within(t, "open again", 0, fault.HSMBusy, open)
				letGo()
				synctest.Wait()
				within(t, "open at last", 0, "", open)
				if _, err := module.Tokens(); err != nil {
					t.Error(err)
				}
				within(t, "close at last", 0, "", func() error { return module.Close() })
				if began, ended := s.Calls("C_Initialize"), s.Calls("C_Finalize"); began != ended || began != n+1 {
					t.Errorf("%d calls of C_Initialize, %d of C_Finalize", began, ended)
				}
			})
		})
	}
}

// A module that does not come back from its restart turns callers away, those who wait
// already too, and is not restarted again. When it returns, its tokens serve.
func TestRestartThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, withRealClock)
		letGo := halts(s.Scripted, "C_Initialize")
		s.Pull(s.slot)
		s.signs(t, 1, fault.HSMUnavailable)
		time.Sleep(31 * time.Second)
		s.PutBack(s.slot, 3)
		ask := func() error {
			_, err := s.module.Tokens()
			return err
		}
		began := time.Now()
		if err := ask(); !fault.Is(err, fault.HSMUnavailable) || time.Since(began) > 30*time.Second {
			t.Errorf("who waits for the restart has %v after %s", err, time.Since(began))
		}
		within(t, "who comes later", 0, fault.HSMUnavailable, ask)
		time.Sleep(10 * time.Minute)
		s.isOutOfUse(t)
		if err := s.module.Close(); err != nil { // the token uses it still
			t.Error(err)
		}
		letGo()
		s.comesBack(t)
		if n := s.Calls("C_Initialize"); n != 2 {
			t.Errorf("C_Initialize was called %d times", n)
		}
	})
}
