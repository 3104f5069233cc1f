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
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

// team is one key in several scripted tokens.
type team struct {
	members []*script
	group   *hsm.Group
	clock   *clock
}

func newTeam(t *testing.T, size int, order hsm.Order, metrics *hsm.Metrics) *team {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	w := &team{clock: &clock{now: time.Unix(1_800_000_000, 0)}}
	var keys []*hsm.Key
	for range size {
		s := newScript(t)
		s.AddKey(s.slot, "shared", private)
		key, err := s.token.Key(t.Context(), "shared")
		check(t, err)
		w.members, keys = append(w.members, s), append(keys, key)
	}
	w.group, err = hsm.NewGroup(hsm.GroupOptions{Name: "receipts", Order: order, Now: w.clock.Now, Metrics: metrics}, keys...)
	check(t, err)
	return w
}

func (w *team) sign(t *testing.T) error {
	t.Helper()
	digest := sha256.Sum256([]byte("receipt"))
	signature, err := w.group.Sign(nil, digest[:], crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(w.group.Public().(*ecdsa.PublicKey), digest[:], signature) {
		t.Error("the signature does not verify")
	}
	return err
}

// signed is how many signatures each member has been asked for.
func (w *team) signed() (each []int) {
	for _, m := range w.members {
		each = append(each, m.Calls("C_SignInit"))
	}
	return each
}

// breaks has a member's signatures fail until mend.
func breaks(s *script) (mend func()) {
	var mu sync.Mutex
	broken := true
	s.Refuse = func(function string) error {
		mu.Lock()
		defer mu.Unlock()
		if broken && function == "C_SignInit" {
			return pkcs11.Error(pkcs11.CKR_DEVICE_MEMORY)
		}
		return nil
	}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		broken = false
	}
}

// A member that has no session left, as when its calls do not return, does not keep
// the others' callers. If all are so, the call waits as long as its context says.
func TestGroupWithABusyMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTeam(t, 2, hsm.InOrder, nil)
		first := w.members[0].token.HoldSessions()
		began := time.Now()
		check(t, w.sign(t))
		if took := time.Since(began); took != time.Second {
			t.Errorf("the other member was asked after %s", took)
		}
		second := w.members[1].token.HoldSessions()
		began = time.Now()
		if err := w.sign(t); !fault.Is(err, fault.HSMBusy) {
			t.Errorf("both are busy: %v", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("waited %s", took)
		}
		time.AfterFunc(5*time.Second, first)
		check(t, w.sign(t))
		second()
		// Neither breaker has counted that.
		check(t, w.group.Ready())
		if got := w.signed(); got[0] != 1 || got[1] != 1 {
			t.Errorf("signatures asked for: %v", got)
		}
	})
}

// What every member understood and will not do is not to be tried later.
func TestGroupThatRefuses(t *testing.T) {
	w := newTeam(t, 2, hsm.InOrder, nil)
	for _, m := range w.members {
		m.Script("C_SignInit", pkcs11.CKR_MECHANISM_INVALID)
	}
	if err := w.sign(t); !fault.Is(err, fault.HSMRefused) {
		t.Errorf("both refuse: %v", err)
	}
	w.members[0].Script("C_SignInit", pkcs11.CKR_MECHANISM_INVALID)
	w.members[1].Script("C_SignInit", pkcs11.CKR_DEVICE_MEMORY)
	if err := w.sign(t); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("one refuses: %v", err)
	}
}

func TestGroupInOrder(t *testing.T) {
	w := newTeam(t, 2, hsm.InOrder, nil)
	for range 4 {
		check(t, w.sign(t))
	}
	if got := w.signed(); got[0] != 4 || got[1] != 0 {
		t.Errorf("signatures asked for: %v", got)
	}
	mend := breaks(w.members[0])
	for range 5 {
		check(t, w.sign(t))
	}
	// Three failures open the breaker: the first member is left alone then.
	if got := w.signed(); got[0] != 4+3 || got[1] != 5 {
		t.Errorf("with the first broken: %v", got)
	}
	check(t, w.group.Ready())
	// After a while one call tries, and fails over as before.
	w.clock.advance(11 * time.Second)
	for range 3 {
		check(t, w.sign(t))
	}
	if got := w.signed(); got[0] != 4+3+1 {
		t.Errorf("half open: %v", got)
	}
	// The check of health closes it.
	mend()
	w.group.CheckHealth(t.Context())
	before := w.signed()
	check(t, w.sign(t))
	if got := w.signed(); got[0] != before[0]+1 || got[1] != before[1] {
		t.Errorf("mended: %v after %v", got, before)
	}
}

func TestGroupRoundRobin(t *testing.T) {
	w := newTeam(t, 3, hsm.RoundRobin, nil)
	for range 30 {
		check(t, w.sign(t))
	}
	for i, n := range w.signed() {
		if n != 10 {
			t.Errorf("member %d signed %d of 30", i, n)
		}
	}
}

func TestGroupOfWhichNoneWorks(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics, err := hsm.NewMetrics(registry)
	check(t, err)
	w := newTeam(t, 2, hsm.InOrder, metrics)
	var mends []func()
	for _, m := range w.members {
		mends = append(mends, breaks(m))
	}
	w.group.CheckHealth(t.Context())
	if err := w.group.Ready(); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("ready: %v", err)
	}
	before := w.signed()
	if err := w.sign(t); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("got %v", err)
	}
	if got := w.signed(); got[0] != before[0] || got[1] != before[1] {
		t.Error("members with an open breaker were asked")
	}
	for _, mend := range mends {
		mend()
	}
	w.group.CheckHealth(t.Context())
	check(t, w.group.Ready())
	check(t, w.sign(t))
}

// What the caller did wrong no member is asked twice, and no breaker counts.
func TestGroupAndAWrongCall(t *testing.T) {
	w := newTeam(t, 2, hsm.InOrder, nil)
	for range 5 {
		if _, err := w.group.Sign(nil, []byte("short"), crypto.SHA256); !fault.Is(err, fault.BadArgument) {
			t.Errorf("got %v", err)
		}
	}
	check(t, w.sign(t))
	if got := w.signed(); got[0] != 1 || got[1] != 0 {
		t.Errorf("signatures asked for: %v", got)
	}
}

func TestGroupOfDifferentKeys(t *testing.T) {
	one, two := newScript(t), newScript(t)
	_, err := hsm.NewGroup(hsm.GroupOptions{Now: time.Now}, one.key, two.key)
	if !fault.Is(err, fault.HSMKeyUnsafe) {
		t.Errorf("got %v", err)
	}
	if _, err := hsm.NewGroup(hsm.GroupOptions{Now: time.Now}); !fault.Is(err, fault.BadArgument) {
		t.Errorf("no key: %v", err)
	}
}

// A member that joins takes its place in the order; one with another key is refused.
func TestGroupIsJoined(t *testing.T) {
	w := newTeam(t, 2, hsm.InOrder, nil)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	late, stranger := newScript(t), newScript(t)
	for _, s := range []*script{w.members[0], late} {
		s.AddKey(s.slot, "late", private)
	}
	first, err := w.members[0].token.Key(t.Context(), "late")
	check(t, err)
	group, err := hsm.NewGroup(hsm.GroupOptions{Name: "late", Now: w.clock.Now}, first)
	check(t, err)
	second, err := late.token.Key(t.Context(), "late")
	check(t, err)
	check(t, group.Join(0, second))
	if err := group.Join(1, stranger.key); !fault.Is(err, fault.HSMKeyUnsafe) {
		t.Errorf("another key: %v", err)
	}
	digest := sha256.Sum256([]byte("receipt"))
	for range 3 {
		_, err := group.Sign(nil, digest[:], crypto.SHA256)
		check(t, err)
	}
	if n := late.Calls("C_SignInit"); n != 3 {
		t.Errorf("the member that joined as the first signed %d of 3", n)
	}
}

// Two SoftHSM tokens of one module hold a copy of one key. The files of one are
// taken away and brought back: the other signs all the while, through the restarts
// of the module too, which gives it another slot.
func TestGroupOfSoftHSMTokens(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	clock := &clock{now: time.Unix(1_800_000_000, 0)}
	var softs []*hsmtest.Soft
	var keys []*hsm.Key
	for range 2 {
		soft := hsmtest.SoftHSM(t, func(o *hsm.Options) { o.Now, o.PollEvery = clock.Now, time.Millisecond })
		key, err := soft.Token.Import(t.Context(), "shared", []byte{1}, private)
		check(t, err)
		softs, keys = append(softs, soft), append(keys, key)
	}
	one, other := softs[0].Token, softs[1].Token
	group, err := hsm.NewGroup(hsm.GroupOptions{Now: clock.Now}, keys...)
	check(t, err)
	sign := func() {
		t.Helper()
		digest := sha256.Sum256([]byte("receipt"))
		signature, err := group.Sign(nil, digest[:], crypto.SHA256)
		if err != nil || !ecdsa.VerifyASN1(&private.PublicKey, digest[:], signature) {
			t.Fatalf("with one token of two: %v", err)
		}
	}
	signUntil := func(done func() bool) {
		t.Helper()
		for n := 0; !done(); n++ {
			if sign(); n == 50_000 {
				t.Fatal("it took too long")
			}
		}
	}
	sign()

	before, slot := one.Restarts(), other.Info().SlotID
	home := hsmtest.SoftHSMFolder(t, filepath.Dir(softs[0].Conf), one.Info())
	away := filepath.Join(t.TempDir(), "away")
	check(t, os.Rename(home, away))
	sign()
	if state, cause := one.State(); state != hsm.Absent || !fault.Is(cause, fault.HSMUnavailable) {
		t.Errorf("without its files the token is %v: %v", state, cause)
	}
	// One that does not say what it is does not hide the other.
	again, err := softs[1].Module.Token(t.Context(), softs[1].URI, softs[1].PIN)
	check(t, err)
	check(t, again.Close())
	if one.Restarts() != before {
		t.Error("the module was restarted at once, with a token in it that works")
	}
	clock.advance(31 * time.Second)
	signUntil(func() bool { return one.Restarts() > before })
	sign()
	if state, cause := other.State(); state != hsm.Ready || other.Info().SlotID == slot {
		t.Errorf("after the restart the other is %v in slot %d, before in %d: %v", state, other.Info().SlotID, slot, cause)
	}

	check(t, os.Rename(away, home))
	clock.advance(31 * time.Second)
	signUntil(func() bool { state, _ := one.State(); return state == hsm.Ready })
	check(t, keys[0].Prove(t.Context()))
	if n := one.Restarts() - before; n != 2 {
		t.Errorf("%d restarts", n)
	}
}

// The check of health closes the breaker of a member that is mended, every ten
// seconds, until it is told to stop.
func TestGroupRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTeam(t, 2, hsm.InOrder, nil)
		mend := breaks(w.members[0])
		w.group.CheckHealth(t.Context())
		check(t, w.sign(t))
		mend()
		begun := w.signed()
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.group.Run(ctx) })
		for n, want := range []int{0, 1, 2} {
			if got := w.signed(); got[0] != begun[0]+want || got[1] != begun[1]+want {
				t.Errorf("after %d s: %v, begun with %v", 10*n, got, begun)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		stop()
		running.Wait()
		before := w.signed()
		check(t, w.sign(t))
		time.Sleep(time.Minute)
		if got := w.signed(); got[0] != before[0]+1 || got[1] != before[1] {
			t.Errorf("mended and stopped: %v, before %v", got, before)
		}
	})
}

// A member whose calls hold all its sessions does not keep the others from their check.
func TestGroupRunsWithABusyMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTeam(t, 2, hsm.InOrder, nil)
		release := w.members[0].token.HoldSessions()
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.group.Run(ctx) })
		time.Sleep(time.Minute + time.Second)
		if n := w.members[1].Calls("C_SignInit"); n < 3 {
			t.Errorf("within a minute the other member was checked %d times", n)
		}
		stop()
		running.Wait()
		release()
		check(t, w.sign(t))
		if got := w.signed(); got[0] != 1 {
			t.Errorf("a member that was busy is not asked: %v", got)
		}
	})
}

func TestImportIsForSoftwareTokensOnly(t *testing.T) {
	s := newScript(t) // shows itself as no software token
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	if _, err := s.token.Import(t.Context(), "x", []byte{1}, private); !fault.Is(err, fault.HSMRefused) {
		t.Errorf("got %v", err)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics, err := hsm.NewMetrics(registry)
	check(t, err)
	s := newScript(t, func(o *hsm.Options) { o.Metrics = metrics })
	s.Script("C_Sign", pkcs11.CKR_SESSION_CLOSED)
	check(t, s.key.Prove(t.Context()))
	s.Pull(s.slot)
	_ = s.key.Prove(t.Context()) // fails, and is counted
	families, err := registry.Gather()
	check(t, err)
	var text strings.Builder
	for _, family := range families {
		text.WriteString(family.String() + "\n")
	}
	for _, want := range []string{
		`value:"CKR_SESSION_CLOSED"`, `value:"absent"`, "senim_hsm_sign_seconds", "senim_hsm_wait_seconds", `value:"service"`, `value:"seal"`,
		"senim_hsm_stuck_calls", "senim_hsm_module_restarts_total", // before there is any
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
}

func TestCertificateThatExpires(t *testing.T) {
	end := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	week := 7 * 24 * time.Hour
	for at, code := range map[time.Time]fault.Code{
		end.Add(-week - time.Second): "", end.Add(-week): fault.HSMCertificateExpiring, end: fault.HSMCertificateExpiring,
	} {
		if err := hsm.CheckExpiry("seal", end, at, week); fault.CodeOf(err) != code {
			t.Errorf("at %s: %v", at, err)
		}
	}
}
