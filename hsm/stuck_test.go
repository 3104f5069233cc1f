package hsm_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

// jam has signatures that are begun from now on not return until let go.
type jam struct {
	mu     sync.Mutex
	closed bool
	way    chan struct{}
}

func newJam(s *script) *jam {
	j := &jam{way: make(chan struct{})}
	s.Signing = func() {
		j.mu.Lock()
		closed, way := j.closed, j.way
		j.mu.Unlock()
		if closed {
			<-way
		}
	}
	return j
}

func (j *jam) set(closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed = closed; !closed {
		close(j.way)
		j.way = make(chan struct{})
	}
}

func stuckCalls(t *testing.T, r *prometheus.Registry) float64 {
	t.Helper()
	families, err := r.Gather()
	check(t, err)
	for _, family := range families {
		if family.GetName() == "senim_hsm_stuck_calls" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return 0
}

// signs wants n signatures at once to end with the code, "" for a signature.
func (s *script) signs(t *testing.T, n int, code fault.Code) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := s.key.Prove(t.Context()); fault.CodeOf(err) != code {
				t.Errorf("got %v, want %q", err, code)
			}
		})
	}
	all.Wait()
}

// isOutOfUse wants the token to turn callers away at once.
func (s *script) isOutOfUse(t *testing.T) {
	t.Helper()
	if state, cause := s.token.State(); state != hsm.Absent || !fault.Is(cause, fault.HSMUnavailable) {
		t.Errorf("the token is %v: %v", state, cause)
	}
	began := time.Now()
	s.signs(t, 3, fault.HSMUnavailable)
	if took := time.Since(began); took != 0 {
		t.Errorf("calls to a token out of use took %s", took)
	}
}

// withRealClock is for a bubble, where real time is the bubble's.
func withRealClock(o *hsm.Options) { o.Now = time.Now }

// A signature that does not return costs its caller thirty seconds, and nobody else
// anything. Its session is nobody's until it returns, and then closed.
func TestCallThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		metrics, err := hsm.NewMetrics(registry)
		check(t, err)
		s := newScript(t, withRealClock, func(o *hsm.Options) { o.Metrics, o.SessionsMax = metrics, 2 })
		j := newJam(s)
		j.set(true)
		began := time.Now()
		s.signs(t, 2, fault.HSMUnavailable)
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("the callers were kept for %s", took)
		}
		if n := stuckCalls(t, registry); n != 2 {
			t.Errorf("%v calls are stuck, want 2", n)
		}
		j.mu.Lock()
		j.closed = false // for those that come; the two stay inside
		j.mu.Unlock()
		for range 3 {
			s.signs(t, 4, "")
		}
		if state, cause := s.token.State(); state != hsm.Ready {
			t.Errorf("the token is %v: %v", state, cause)
		}
		closed := s.Calls("C_CloseSession")
		j.set(false)
		synctest.Wait()
		if n := stuckCalls(t, registry); n != 0 {
			t.Errorf("%v calls are stuck, want none", n)
		}
		if n := s.Calls("C_CloseSession") - closed; n != 2 {
			t.Errorf("%d sessions were closed, want those of the two calls", n)
		}
		s.signs(t, 4, "")
		if n := s.Crossed(); n != 0 {
			t.Errorf("%d calls into a session in which another was", n)
		}
	})
}

// With a fifth such call the token is out of use: calls fail at once. The module is
// not restarted under those that are inside; when they return, the token comes back
// by itself.
func TestTooManyCallsThatDoNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, withRealClock)
		j := newJam(s)
		j.set(true)
		s.signs(t, 5, fault.HSMUnavailable)
		s.isOutOfUse(t)
		time.Sleep(10 * time.Minute)
		if n := s.Calls("C_Finalize"); n != 0 {
			t.Errorf("the module was finalised %d times under a call", n)
		}
		s.isOutOfUse(t) // that it answers otherwise does not help who wants a signature
		j.set(false)
		check(t, s.token.Wait(t.Context()))
		s.signs(t, 8, "")
		synctest.Wait()
		if n := s.Crossed(); n != 0 {
			t.Errorf("%d calls into a session in which another was", n)
		}
	})
}

// A caller of SoftHSM stays with its call and has the signature in the end. That it
// takes too long is seen all the same, and others are turned away.
func TestCallThatItsCallerStaysWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		metrics, err := hsm.NewMetrics(registry)
		check(t, err)
		scripted := hsmtest.NewScripted()
		scripted.Library = "libsofthsm2.so"
		s := scriptOf(t, scripted, withRealClock, func(o *hsm.Options) { o.Metrics = metrics })
		j := newJam(s)
		j.set(true)
		var staying sync.WaitGroup
		staying.Go(func() { s.signs(t, 5, "") })
		time.Sleep(31 * time.Second)
		if n := stuckCalls(t, registry); n != 5 {
			t.Errorf("%v calls are stuck, want 5", n)
		}
		s.isOutOfUse(t)
		j.set(false)
		staying.Wait()
		check(t, s.token.Wait(t.Context()))
		s.signs(t, 8, "")
		synctest.Wait()
		if n := stuckCalls(t, registry); n != 0 {
			t.Errorf("%v calls are stuck, want none", n)
		}
		if n := s.Crossed(); n != 0 {
			t.Errorf("%d calls into a session in which another was", n)
		}
	})
}

// A token that is closed while a call of the search for it does not return stays
// closed when it returns at last.
func TestCloseUnderTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, withRealClock)
		j := newJam(s)
		s.Pull(s.slot)
		s.signs(t, 1, fault.HSMUnavailable)
		j.set(true)
		s.PutBack(s.slot, 7)
		time.Sleep(time.Second)
		if err := s.token.Close(); !fault.Is(err, fault.HSMBusy) {
			t.Errorf("got %v", err)
		}
		j.set(false)
		synctest.Wait()
		if state, _ := s.token.State(); state != hsm.Closed {
			t.Errorf("the token is %v", state)
		}
	})
}

// A token that a call has not left is not closed under it, nor its module finalised.
func TestCloseUnderACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, withRealClock)
		j := newJam(s)
		j.set(true)
		s.signs(t, 1, fault.HSMUnavailable)
		if err := s.token.Close(); !fault.Is(err, fault.HSMBusy) {
			t.Errorf("got %v", err)
		}
		check(t, s.module.Close())
		if n := s.Calls("C_Finalize"); n != 0 {
			t.Errorf("the module was finalised %d times", n)
		}
		j.set(false)
		synctest.Wait()
		if n := s.Crossed(); n != 0 {
			t.Errorf("%d calls into a session in which another was", n)
		}
	})
}

// A question about tokens that has no answer is given up too, and asked no more when
// four had none.
func TestModuleThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, withRealClock)
		way := make(chan struct{})
		s.Before = func(function string) {
			if function == "C_GetSlotList" {
				<-way
			}
		}
		for n := range 6 {
			began := time.Now()
			_, err := s.module.Tokens()
			if want := n < 4; !fault.Is(err, fault.HSMUnavailable) || (time.Since(began) == 30*time.Second) != want {
				t.Errorf("question %d after %s: %v", n, time.Since(began), err)
			}
		}
		s.signs(t, 1, "")
		close(way)
		synctest.Wait()
		if _, err := s.module.Tokens(); err != nil {
			t.Error(err)
		}
	})
}

// What one member of a group does not sign in time another does.
func TestGroupWithAMemberThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTeam(t, 2, hsm.InOrder, nil)
		j := newJam(w.members[0])
		j.set(true)
		for range 4 {
			check(t, w.sign(t))
		}
		if got := w.signed(); got[0] != 3 || got[1] != 4 {
			t.Errorf("signatures asked for: %v", got)
		}
		j.set(false)
		synctest.Wait()
	})
}

// A module is not finalised under a question to it, which has no session.
func TestCloseUnderAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripted := hsmtest.NewScripted()
		var inside atomic.Bool
		answer := make(chan struct{})
		module := scripted.Open(t)
		scripted.Before = func(function string) {
			switch function {
			case "C_GetSlotList":
				inside.Store(true)
				<-answer
				inside.Store(false)
			case "C_Finalize":
				if inside.Load() {
					t.Error("finalised under the question")
				}
			}
		}
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = module.Tokens() })
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(answer) })
		check(t, module.Close())
		asking.Wait()
	})
}
