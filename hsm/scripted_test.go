package hsm_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// script is a scripted token, opened, with a P-256 key in it.
type script struct {
	*hsmtest.Scripted
	slot   *hsmtest.ScriptedSlot
	module *hsm.Module
	token  *hsm.Token
	key    *hsm.Key
	pin    string // the file
	clock  *clock
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func pinFile(t *testing.T, pin string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte(pin), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newScript(t *testing.T, change ...func(*hsm.Options)) *script {
	t.Helper()
	return scriptOf(t, hsmtest.NewScripted(), change...)
}

func scriptOf(t *testing.T, scripted *hsmtest.Scripted, change ...func(*hsm.Options)) *script {
	t.Helper()
	s := &script{Scripted: scripted, pin: pinFile(t, hsmtest.ScriptedPIN), clock: &clock{now: time.Unix(1_800_000_000, 0)}}
	s.slot = s.AddSlot("service")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.AddKey(s.slot, "seal", private)
	s.module = s.Open(t, append([]func(*hsm.Options){func(o *hsm.Options) { o.Now = s.clock.Now }}, change...)...)
	s.token = s.openToken(t)
	if s.key, err = s.token.Key(t.Context(), "seal"); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *script) openToken(t *testing.T) *hsm.Token {
	t.Helper()
	token, err := s.module.Token(t.Context(), "pkcs11:token=service", hsm.PINFile(s.pin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := token.Close(); err != nil {
			t.Error(err)
		}
	})
	return token
}

// comesBack waits until the token is ready and wants a signature then.
func (s *script) comesBack(t *testing.T) {
	t.Helper()
	if err := s.token.Wait(t.Context()); err != nil {
		t.Fatalf("the token did not come back: %v", err)
	}
	if err := s.key.Prove(t.Context()); err != nil {
		t.Fatalf("the token is back and does not sign: %v", err)
	}
}

// The fault table: each return value at each function of a signature, once, and
// what becomes of the call and of the token.
func TestOneFailureOfEachKind(t *testing.T) {
	type outcome struct {
		code  fault.Code // "" for a signature
		state hsm.State  // at the end, the token's search included
	}
	signed := outcome{}
	for _, row := range []struct {
		function string
		values   []uint
		want     outcome
	}{
		// A dead session is replaced.
		{"C_SignInit", []uint{pkcs11.CKR_SESSION_HANDLE_INVALID}, signed},
		{"C_Sign", []uint{pkcs11.CKR_SESSION_HANDLE_INVALID}, signed},
		{"C_Sign", []uint{pkcs11.CKR_SESSION_CLOSED}, signed},
		{"C_Sign", []uint{pkcs11.CKR_FUNCTION_CANCELED}, signed},
		{"C_SignInit", []uint{pkcs11.CKR_OPERATION_ACTIVE}, signed},
		{"C_Sign", []uint{pkcs11.CKR_OPERATION_NOT_INITIALIZED}, signed},
		{"C_Sign", []uint{pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_SESSION_CLOSED}, outcome{code: fault.HSMUnavailable}},

		// A stale handle is found again.
		{"C_SignInit", []uint{pkcs11.CKR_KEY_HANDLE_INVALID}, signed},
		{"C_SignInit", []uint{pkcs11.CKR_OBJECT_HANDLE_INVALID}, signed},
		{"C_SignInit", []uint{pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID}, outcome{code: fault.HSMUnavailable}},

		// A login that was forgotten is made again, and then one for the signature.
		{"C_SignInit", []uint{pkcs11.CKR_USER_NOT_LOGGED_IN}, signed},
		{"C_Sign", []uint{pkcs11.CKR_USER_NOT_LOGGED_IN}, signed},
		{"C_Sign", []uint{pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_USER_NOT_LOGGED_IN}, signed},
		{"C_Sign", []uint{pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_USER_NOT_LOGGED_IN}, outcome{code: fault.HSMUnavailable}},

		// Several troubles of different kinds.
		{"C_SignInit", []uint{pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_USER_NOT_LOGGED_IN}, signed},

		// A token that is away is looked for.
		{"C_SignInit", []uint{pkcs11.CKR_DEVICE_REMOVED}, outcome{code: fault.HSMUnavailable}},
		{"C_Sign", []uint{pkcs11.CKR_DEVICE_REMOVED}, outcome{code: fault.HSMUnavailable}},
		{"C_Sign", []uint{pkcs11.CKR_TOKEN_NOT_PRESENT}, outcome{code: fault.HSMUnavailable}},
		{"C_Sign", []uint{pkcs11.CKR_TOKEN_NOT_RECOGNIZED}, outcome{code: fault.HSMUnavailable}},
		{"C_Sign", []uint{pkcs11.CKR_SLOT_ID_INVALID}, outcome{code: fault.HSMUnavailable}},

		// Disorder is given a second chance.
		{"C_Sign", []uint{pkcs11.CKR_DEVICE_ERROR}, signed},
		{"C_Sign", []uint{pkcs11.CKR_GENERAL_ERROR}, signed},
		{"C_Sign", []uint{pkcs11.CKR_FUNCTION_FAILED}, signed},
		{"C_Sign", []uint{pkcs11.CKR_MUTEX_BAD}, signed},
		{"C_Sign", []uint{pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_ERROR}, outcome{code: fault.HSMUnavailable}},
		{"C_Sign", []uint{pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED}, outcome{code: fault.HSMUnavailable}},

		// What only an operator can mend, and what the token will not do.
		{"C_Sign", []uint{pkcs11.CKR_PIN_EXPIRED}, outcome{fault.PINRefused, hsm.Latched}},
		{"C_SignInit", []uint{pkcs11.CKR_MECHANISM_INVALID}, outcome{code: fault.HSMRefused}},
		{"C_SignInit", []uint{pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED}, outcome{code: fault.HSMRefused}},
		{"C_Sign", []uint{pkcs11.CKR_DATA_LEN_RANGE}, outcome{code: fault.HSMRefused}},
		{"C_Sign", []uint{pkcs11.CKR_FUNCTION_REJECTED}, outcome{code: fault.HSMRefused}},
		{"C_Sign", []uint{pkcs11.CKR_HOST_MEMORY}, outcome{code: fault.HSMUnavailable}},
		{"C_Sign", []uint{pkcs11.CKR_DEVICE_MEMORY}, outcome{code: fault.HSMUnavailable}},
		{"C_Sign", []uint{pkcs11.CKR_ARGUMENTS_BAD}, outcome{code: fault.HSMFailed}},
		{"C_Sign", []uint{pkcs11.CKR_FIPS_SELF_TEST_FAILED}, outcome{code: fault.HSMFailed}},
		{"C_Sign", []uint{0x80000123}, outcome{code: fault.HSMFailed}}, // a vendor's own
	} {
		t.Run(row.function+" "+pkcs11.Error(row.values[len(row.values)-1]).Error(), func(t *testing.T) {
			s := newScript(t)
			s.Script(row.function, row.values...)
			err := s.key.Prove(t.Context())
			if got := fault.CodeOf(err); got != row.want.code {
				t.Fatalf("got %v", err)
			}
			if row.want.code.Class() != fault.Fatal && err != nil && row.want.code.Class() != fault.RetryLater {
				t.Errorf("%v looks like the caller's fault", err)
			}
			if row.want.state == hsm.Ready {
				s.comesBack(t)
			}
			if state, _ := s.token.State(); state != row.want.state {
				t.Errorf("the token is %v, want %v", state, row.want.state)
			}
			if n := s.Calls("C_Initialize"); n > 1 && len(row.values) < 2 {
				t.Errorf("the module was restarted for one failure")
			}
		})
	}
}

// What happens behind everybody's back, as tokens really do it.
func TestTokenLosesItsMemory(t *testing.T) {
	for name, lose := range map[string]func(*script){
		"sessions and login": func(s *script) { s.DropSessions(s.slot) },
		"login":              func(s *script) { s.DropLogin(s.slot) },
		"handles":            func(s *script) { s.MoveObjects(s.slot) },
		"everything":         func(s *script) { s.DropSessions(s.slot); s.MoveObjects(s.slot) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			for range 3 {
				lose(s)
				if err := s.key.Prove(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := s.Calls("C_Initialize"); n != 1 {
				t.Errorf("C_Initialize was called %d times", n)
			}
		})
	}
}

// A card that was pulled is found by its serial number, in whatever slot, and
// not taken for another one with the same key names.
func TestPulledTokenIsFoundInAnotherSlot(t *testing.T) {
	s := newScript(t)
	s.Pull(s.slot)
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatalf("pulled: %v", err)
	}
	polls := s.Calls("C_GetSlotList")
	stranger := s.AddSlot("service")
	s.Change(func([]*hsmtest.ScriptedSlot) { stranger.ID = s.slot.ID })
	for s.Calls("C_GetSlotList") < polls+3 {
		if state, _ := s.token.State(); state != hsm.Absent {
			t.Fatalf("with another card in its slot the token is %v", state)
		}
	}
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("another card: %v", err)
	}
	s.PutBack(s.slot, 77)
	s.comesBack(t)
	if got := s.token.Info().SlotID; got != 77 {
		t.Errorf("slot %d", got)
	}
}

// The PIN of a card that comes back is sent once, and not again if it was wrong.
func TestPINOfATokenThatComesBack(t *testing.T) {
	s := newScript(t)
	s.Pull(s.slot)
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatalf("pulled: %v", err)
	}
	s.Change(func([]*hsmtest.ScriptedSlot) { s.slot.PIN = "changed elsewhere" })
	logins := s.Calls("C_Login")
	s.PutBack(s.slot, 5)
	if err := s.token.Wait(t.Context()); !fault.Is(err, fault.PINRefused) {
		t.Fatalf("got %v", err)
	}
	for range 5 {
		if err := s.key.Prove(t.Context()); !fault.Is(err, fault.PINRefused) {
			t.Fatalf("got %v", err)
		}
		if _, err := s.module.Token(t.Context(), "pkcs11:token=service", hsm.PINFile(s.pin)); !fault.Is(err, fault.PINRefused) {
			t.Fatalf("got %v", err)
		}
	}
	if got := s.Calls("C_Login") - logins; got != 1 {
		t.Errorf("the PIN was sent %d times", got)
	}
	// The operator has acted.
	if err := os.WriteFile(s.pin, []byte("changed elsewhere"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.module.Unlatch(s.token.Info())
	again := s.openToken(t)
	if key, err := again.Key(t.Context(), "seal"); err != nil || key.Prove(t.Context()) != nil {
		t.Errorf("after the operator acted: %v", err)
	}
}

func TestLastAttemptAndLockedPINAreLeftAlone(t *testing.T) {
	for attempts := range 2 {
		s := newScript(t)
		if err := s.token.Close(); err != nil {
			t.Fatal(err)
		}
		logins := s.Calls("C_Login")
		s.Change(func([]*hsmtest.ScriptedSlot) { s.slot.Attempts = attempts })
		if _, err := s.module.Token(t.Context(), "pkcs11:token=service", hsm.PINFile(s.pin)); !fault.Is(err, fault.PINRefused) {
			t.Errorf("%d attempts left: %v", attempts, err)
		}
		if s.Calls("C_Login") != logins {
			t.Errorf("%d attempts left: one was spent", attempts)
		}
	}
}

// A token whose last attempt is left alone while it is in use is out of use: there is
// nothing to look for, and an operator must act.
func TestLastAttemptOfATokenInUse(t *testing.T) {
	for name, spoil := range map[string]func(*script){
		"the last attempt":   func(s *script) { s.Change(func([]*hsmtest.ScriptedSlot) { s.slot.Attempts = 1 }) },
		"a value of its own": func(s *script) { s.Script("C_Login", pkcs11.CKR_VENDOR_DEFINED|0x63) },
		"an attempt counted": func(s *script) {
			s.Refuse = func(function string) error {
				if function != "C_Login" {
					return nil
				}
				s.slot.Attempts--
				return pkcs11.Error(pkcs11.CKR_FUNCTION_FAILED)
			}
		},
	} {
		s := newScript(t)
		s.DropSessions(s.slot)
		spoil(s)
		for range 3 {
			if err := s.key.Prove(t.Context()); !fault.Is(err, fault.PINRefused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if state, cause := s.token.State(); state != hsm.Latched || !fault.Is(cause, fault.PINRefused) {
			t.Errorf("%s: the token is %v: %v", name, state, cause)
		}
		if n := s.slot.Attempts; n == 0 {
			t.Errorf("%s: the PIN is locked", name)
		}
	}
}

// A token that cannot be asked for its count of attempts has refused no PIN.
func TestTroubleBeforeThePINIsNoRefusal(t *testing.T) {
	for _, values := range [][]uint{{pkcs11.CKR_DEVICE_MEMORY}, {pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_GENERAL_ERROR}, {pkcs11.CKR_DEVICE_REMOVED}} {
		s := newScript(t)
		s.DropSessions(s.slot)
		s.Script("C_GetTokenInfo", values...)
		if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
			t.Errorf("%v: %v", pkcs11.Error(values[0]), err)
		}
		s.comesBack(t)
	}
}

// Every refusal of a PIN is remembered, whatever its name.
func TestEveryRefusalOfThePINLatches(t *testing.T) {
	for _, value := range []uint{
		pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED,
		pkcs11.CKR_USER_PIN_NOT_INITIALIZED, pkcs11.CKR_VENDOR_DEFINED | 0x63, 0x4711,
	} {
		s := newScript(t)
		if err := s.token.Close(); err != nil {
			t.Fatal(err)
		}
		s.Script("C_Login", value)
		logins := s.Calls("C_Login")
		for range 3 {
			if _, err := s.module.Token(t.Context(), "pkcs11:token=service", hsm.PINFile(s.pin)); !fault.Is(err, fault.PINRefused) {
				t.Errorf("%v: %v", pkcs11.Error(value), err)
			}
		}
		if got := s.Calls("C_Login") - logins; got != 1 {
			t.Errorf("%v: the PIN was sent %d times", pkcs11.Error(value), got)
		}
	}
}

// p11-kit's client, whose server was killed: DEVICE_ERROR for ever, until the
// module is initialised again; and it must not be restarted all the time.
func TestModuleIsRestartedAtMostEvery30Seconds(t *testing.T) {
	s := newScript(t)
	var mu sync.Mutex
	broken, heals := true, false
	s.Scripted.Refuse = func(function string) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case function == "C_Initialize" && heals:
			broken = false
		case broken && function != "C_Initialize" && function != "C_Finalize":
			return pkcs11.Error(pkcs11.CKR_DEVICE_ERROR)
		}
		return nil
	}
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatalf("got %v", err)
	}
	polls := func(n int) {
		for begin := s.Calls("C_GetSlotList"); s.Calls("C_GetSlotList") < begin+n; {
			if t.Context().Err() != nil {
				return
			}
		}
	}
	polls(10)
	if n := s.Calls("C_Initialize"); n != 2 {
		t.Errorf("within 30 s the module was initialised %d times, want 2", n)
	}
	s.clock.advance(29 * time.Second)
	polls(5)
	if n := s.Calls("C_Initialize"); n != 2 {
		t.Errorf("after 29 s: %d", n)
	}
	mu.Lock()
	heals = true
	mu.Unlock()
	s.clock.advance(2 * time.Second)
	s.comesBack(t)
	if n := s.Calls("C_Initialize"); n != 3 {
		t.Errorf("after 31 s: %d", n)
	}
}

// Some modules do not see a token that came back until they are restarted.
func TestModuleIsRestartedForATokenItDoesNotSee(t *testing.T) {
	s := newScript(t)
	s.Pull(s.slot)
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatal(err)
	}
	var mu sync.Mutex
	restarted := false
	refuse := func(function string) error {
		mu.Lock()
		defer mu.Unlock()
		if function == "C_Initialize" {
			restarted = true
		}
		if function == "C_OpenSession" && !restarted {
			return pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT)
		}
		return nil
	}
	s.Change(func([]*hsmtest.ScriptedSlot) { s.Refuse = refuse }) // the token is looked for already
	s.PutBack(s.slot, 3)
	s.clock.advance(31 * time.Second)
	s.comesBack(t)
	if n := s.Calls("C_Initialize"); n != 2 {
		t.Errorf("C_Initialize was called %d times", n)
	}
}

// A call that is no signature, and that this module always answers with an error, does
// not take the token out of use for the others.
func TestDisorderOfOneOperationRestartsNothing(t *testing.T) {
	s := newScript(t)
	s.Script("C_GenerateKeyPair", pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_GENERAL_ERROR)
	_, err := s.token.Generate(t.Context(), hsm.KeySpec{Label: "x", Algorithm: hsm.P256})
	if !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("got %v", err)
	}
	if state, _ := s.token.State(); state != hsm.Ready || s.Calls("C_Initialize") != 1 {
		t.Errorf("the token is %v after %d C_Initialize", state, s.Calls("C_Initialize"))
	}
}

func TestSessionsOfATokenThatHasFew(t *testing.T) {
	s := newScript(t, func(o *hsm.Options) { o.SessionsMax = 4 })
	// The token says nothing of a limit and has one: two sessions.
	s.Change(func([]*hsmtest.ScriptedSlot) { s.slot.SessionsMax = 2 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if err := s.key.Prove(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	// All are somebody else's.
	other := newScript(t)
	other.Change(func([]*hsmtest.ScriptedSlot) { other.slot.SessionsMax = 1 })
	other.DropSessions(other.slot)
	if _, err := other.OpenSession(other.slot.ID, pkcs11.CKF_SERIAL_SESSION); err != nil {
		t.Fatal(err)
	}
	if err := other.key.Prove(t.Context()); !fault.Is(err, fault.HSMBusy) {
		t.Errorf("no session left: %v", err)
	}
}

// A key that asks always is signed with alone: another command to the card would
// end its login.
func TestKeyThatAsksAlwaysIsSignedWithAlone(t *testing.T) {
	for name, attribute := range map[string]uint{"said": pkcs11.CKA_ALWAYS_AUTHENTICATE, "unsaid": hsmtest.AsksUnsaid} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			s.AddKey(s.slot, "asks", private, pkcs11.NewAttribute(attribute, true))
			key, err := s.token.Key(t.Context(), "asks")
			if err != nil {
				t.Fatal(err)
			}
			if err := key.Prove(t.Context()); err != nil { // an unsaid one is known from here on
				t.Fatal(err)
			}
			var mu sync.Mutex
			var calls []string
			s.Before = func(function string) {
				mu.Lock()
				defer mu.Unlock()
				calls = append(calls, function)
			}
			var wg sync.WaitGroup
			for _, k := range []*hsm.Key{key, s.key, key, s.key} {
				wg.Go(func() {
					for range 10 {
						if err := k.Prove(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			for i, call := range calls {
				if call == "C_Login" && (calls[i-1] != "C_SignInit" || calls[i+1] != "C_Sign") {
					t.Fatalf("the login for one signature stands between %s and %s", calls[i-1], calls[i+1])
				}
			}
		})
	}
}

func TestWrongPINForOneSignatureLatches(t *testing.T) {
	s := newScript(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.AddKey(s.slot, "asks", private, pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, true))
	key, err := s.token.Key(t.Context(), "asks")
	if err != nil {
		t.Fatal(err)
	}
	s.Change(func([]*hsmtest.ScriptedSlot) { s.slot.PIN = "another" })
	for range 3 {
		if err := key.Prove(t.Context()); !fault.Is(err, fault.PINRefused) {
			t.Errorf("got %v", err)
		}
	}
	s.Change(func([]*hsmtest.ScriptedSlot) {
		if s.slot.Attempts != 2 {
			t.Errorf("%d attempts are left of 3, want 2", s.slot.Attempts)
		}
	})
}

// GOST keys are proven here only: no token that can be had has them.
func TestGOSTByConfiguredNumbers(t *testing.T) {
	rows := []struct {
		algorithm *gost.KeyAlgorithm
		curve     string
	}{{gost.KZ2015x256, "KZ 2015-256-A"}, {gost.KZ2015x512, "KZ 2015-512-A"}, {gost.RU2012x256, "tc26-256-A"}, {gost.RU2012x512, "tc26-512-A"}}
	for _, row := range rows {
		t.Run(row.algorithm.Name, func(t *testing.T) {
			numbers := hsm.GOSTMechanism{Key: row.algorithm, KeyType: hsmtest.ScriptedGOSTKeyType, Sign: hsmtest.ScriptedGOSTSign}
			s := newScript(t, func(o *hsm.Options) { o.GOST = []hsm.GOSTMechanism{numbers} })
			curve, err := gost.CurveByName(row.curve)
			if err != nil {
				t.Fatal(err)
			}
			private, err := gost.GenerateKey(rand.Reader, row.algorithm, curve)
			if err != nil {
				t.Fatal(err)
			}
			s.AddKey(s.slot, "gost", private)
			key, err := s.token.Key(t.Context(), "gost")
			if err != nil {
				t.Fatal(err)
			}
			if err := key.Prove(t.Context()); err != nil {
				t.Error(err)
			}
			digest := make([]byte, curve.Size())
			signature, err := key.Sign(nil, digest, row.algorithm.Algorithm())
			if err != nil {
				t.Fatal(err)
			}
			if err := row.algorithm.Algorithm().Verify(private.Public().(*gost.PublicKey), digest, signature); err != nil {
				t.Error(err)
			}
			for name, sign := range map[string]func() ([]byte, error){
				"a short digest":    func() ([]byte, error) { return key.Sign(nil, digest[1:], crypto.Hash(0)) },
				"SHA-256":           func() ([]byte, error) { return key.Sign(nil, digest, crypto.SHA256) },
				"another algorithm": func() ([]byte, error) { return key.Sign(nil, digest, gost.SignatureKZ2004) },
			} {
				if _, err := sign(); !fault.Is(err, fault.BadArgument) {
					t.Errorf("%s: %v", name, err)
				}
			}
			// Without the numbers nobody guesses.
			unaware, err := hsm.OpenModule(s.module.Path(), hsm.Options{Now: time.Now, Load: func(string) (hsm.Cryptoki, error) { return s, nil }})
			if err != nil {
				t.Fatal(err)
			}
			defer unaware.Close()
			token, err := unaware.Token(t.Context(), "pkcs11:token=service", hsm.PINFile(s.pin))
			if err != nil {
				t.Fatal(err)
			}
			defer token.Close()
			if _, err := token.Key(t.Context(), "gost"); !fault.Is(err, fault.HSMKeyUnsupported) {
				t.Errorf("without numbers: %v", err)
			}
		})
	}
}

func TestEd25519(t *testing.T) {
	s := newScript(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.AddKey(s.slot, "ed", private)
	key, err := s.token.Key(t.Context(), "ed")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign(nil, []byte("message"), crypto.Hash(0))
	if err != nil || !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte("message"), signature) {
		t.Errorf("got %v", err)
	}
	for name, sign := range map[string]func() ([]byte, error){
		"a digest":        func() ([]byte, error) { return key.Sign(nil, make([]byte, 32), crypto.SHA256) },
		"a context":       func() ([]byte, error) { return key.Sign(nil, []byte("m"), &ed25519.Options{Context: "c"}) },
		"a large message": func() ([]byte, error) { return key.Sign(nil, make([]byte, 2<<20), crypto.Hash(0)) },
	} {
		if _, err := sign(); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A card that comes and goes while eight goroutines sign.
func TestPulledWhileManySign(t *testing.T) {
	s := newScript(t, func(o *hsm.Options) { o.Now = time.Now })
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	signed, failed := 0, 0
	signatures := func() int {
		mu.Lock()
		defer mu.Unlock()
		return signed
	}
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := s.key.Prove(context.WithoutCancel(ctx))
				mu.Lock()
				if err == nil {
					signed++
				} else {
					failed++
				}
				mu.Unlock()
				if err != nil && fault.CodeOf(err).Class() != fault.RetryLater {
					t.Errorf("got %v", err)
					return
				}
				if err != nil {
					_ = s.token.Wait(ctx)
				}
			}
		})
	}
	for n := range uint(5) {
		for begin := signatures(); signatures() == begin; {
			runtime.Gosched()
		}
		s.Pull(s.slot)
		before := s.Calls("C_GetSlotList")
		for s.Calls("C_GetSlotList") < before+2 && ctx.Err() == nil {
		}
		s.PutBack(s.slot, 10+n)
		if err := s.token.Wait(ctx); err != nil {
			t.Error(err)
		}
	}
	s.comesBack(t)
	stop()
	wg.Wait()
	if signed == 0 || failed == 0 {
		t.Errorf("%d signed, %d failed", signed, failed)
	}
	if n := s.Calls("C_Initialize"); n != 1 {
		t.Errorf("the module was initialised %d times", n)
	}
}

func TestCloseWhileTheTokenIsLookedFor(t *testing.T) {
	s := newScript(t)
	s.Pull(s.slot)
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatal(err)
	}
	if err := s.token.Close(); err != nil {
		t.Error(err)
	}
	if err := s.token.Wait(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("got %v", err)
	}
	if state, _ := s.token.State(); state != hsm.Closed {
		t.Errorf("the token is %v", state)
	}
}

// A call that was under way when the token was pulled may say that the PIN is refused:
// that the token comes back does not change it.
func TestRefusedPINOfATokenThatIsAway(t *testing.T) {
	s := newScript(t)
	s.Pull(s.slot)
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatal(err)
	}
	s.token.Latch(fault.New(fault.PINRefused, "", "C_Login: CKR_PIN_LOCKED"))
	s.PutBack(s.slot, 9)
	if err := s.token.Wait(t.Context()); !fault.Is(err, fault.PINRefused) {
		t.Errorf("got %v", err)
	}
	if state, _ := s.token.State(); state != hsm.Latched {
		t.Errorf("the token is %v", state)
	}
}

func TestWaitHonoursTheContext(t *testing.T) {
	s := newScript(t)
	s.Pull(s.slot)
	if err := s.key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.token.Wait(ctx); !fault.Is(err, fault.Cancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Whoever goes away while a key is made leaves none behind that is not proven.
func TestGenerateThatIsInterrupted(t *testing.T) {
	s := newScript(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.Before = func(function string) {
		if function == "C_GenerateKeyPair" {
			cancel()
		}
	}
	if _, err := s.token.Generate(ctx, hsm.KeySpec{Label: "half", Algorithm: hsm.P256}); !fault.Is(err, fault.Cancelled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := s.token.Key(t.Context(), "half"); !fault.Is(err, fault.HSMKeyMissing) {
		t.Errorf("the key is still there: %v", err)
	}
}

// Of two that make a key under one label at once, none is left with a twin.
func TestGenerateAtOnce(t *testing.T) {
	s := newScript(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	s.Before = func(function string) {
		if function == "C_GenerateKeyPair" {
			s.AddKey(s.slot, "twin", other)
		}
	}
	if _, err := s.token.Generate(t.Context(), hsm.KeySpec{Label: "twin", Algorithm: hsm.P256}); !fault.Is(err, fault.HSMKeyExists) {
		t.Errorf("at once: %v", err)
	}
	key, err := s.token.Key(t.Context(), "twin")
	if err != nil || !other.PublicKey.Equal(key.Public()) {
		t.Errorf("the other's key: %v", err)
	}
}

// A key that does not prove itself goes also when its handles have changed meanwhile,
// and no other object goes in its place.
func TestGenerateThatLosesItsHandles(t *testing.T) {
	s := newScript(t)
	var once sync.Once
	s.Before = func(function string) {
		if function == "C_SignInit" {
			once.Do(func() { s.MoveObjects(s.slot) })
		}
	}
	s.Script("C_SignInit", pkcs11.CKR_OK, pkcs11.CKR_MECHANISM_INVALID) // the handle is stale, and then the proof fails
	if _, err := s.token.Generate(t.Context(), hsm.KeySpec{Label: "half", Algorithm: hsm.P256}); !fault.Is(err, fault.HSMRefused) {
		t.Errorf("got %v", err)
	}
	contents, err := s.token.Contents(t.Context())
	check(t, err)
	if len(contents.Keys) != 1 || contents.Keys[0].Label != "seal" || contents.Keys[0].Problem != "" {
		t.Errorf("the token holds %+v", contents.Keys)
	}
	check(t, s.key.Prove(t.Context()))
}

// A token that cannot say how it keeps a new key has not said that it keeps it badly.
func TestTroubleAfterGenerateIsNotTheKeys(t *testing.T) {
	for before := range 10 {
		s := newScript(t)
		s.Script("C_GetAttributeValue", slices.Repeat([]uint{pkcs11.CKR_OK}, before)...)
		s.Script("C_GetAttributeValue", pkcs11.CKR_DEVICE_MEMORY)
		if _, err := s.token.Generate(t.Context(), hsm.KeySpec{Label: "new", Algorithm: hsm.P256}); err != nil && !fault.Is(err, fault.HSMUnavailable) {
			t.Errorf("after %d answers: %v", before, err)
		}
	}
}
