package hsm

import (
	"errors"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// session is an open session with the token. It serves one call at a time.
type session struct {
	handle pkcs11.SessionHandle
	age    age
	// suspect: a call failed in it for a reason that says nothing of the
	// session. It is asked how it is before it is lent again.
	suspect bool
}

// session takes an idle session that is fit for use, or opens one.
func (t *Token) session(now age) (*session, error) {
	for {
		s := t.sessions.pop()
		if s == nil {
			return t.openSession(now)
		}
		if s.age == now && (!s.suspect || t.isSound(s)) {
			return s, nil
		}
		t.drop(s)
	}
}

// isSound asks a suspect session for its state.
func (t *Token) isSound(s *session) bool {
	info, err := t.lib.ctx.GetSessionInfo(s.handle)
	s.suspect = false
	return err == nil && (isLoggedIn(info) || !t.loginRequired())
}

// giveBack keeps the session for the next call, or drops it, by what became of
// this one.
func (t *Token) giveBack(s *session, err error) {
	if s.age != t.age() || err != nil && meaningOf(err).action != report {
		t.drop(s)
		return
	}
	s.suspect = err != nil
	t.sessions.push(s)
}

// drop closes a session. What the token answers changes nothing: the call that
// broke the session reports the failure.
func (t *Token) drop(s *session) {
	t.sessions.opens(-1)
	if s.age.generation == t.lib.generation.Load() {
		_ = t.discard(s.handle)
	}
}

// discard closes a session that may be gone already, and the token with it.
func (t *Token) discard(handle pkcs11.SessionHandle) error {
	err := t.lib.ctx.CloseSession(handle)
	if meaningOf(err).action != report {
		return nil
	}
	return explain("C_CloseSession", err)
}

// openSession opens a read-only session and sees to it that the token is logged
// in. After a restart of the module the token may be in another slot, and another
// token in its own.
func (t *Token) openSession(now age) (*session, error) {
	if t.Info().generation != now.generation {
		if err := t.relocate(); err != nil {
			return nil, err
		}
	}
	handle, err := t.lib.ctx.OpenSession(t.slot(), pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, explain("C_OpenSession", err)
	}
	if err := t.logIn(handle); err != nil {
		return nil, errors.Join(err, t.discard(handle))
	}
	t.sessions.opens(1)
	return &session{handle: handle, age: now}, nil
}

func isLoggedIn(info pkcs11.SessionInfo) bool {
	return info.State == pkcs11.CKS_RO_USER_FUNCTIONS || info.State == pkcs11.CKS_RW_USER_FUNCTIONS
}

func (t *Token) loginRequired() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.info.loginRequired
}

// logIn logs the token in unless it is.
func (t *Token) logIn(handle pkcs11.SessionHandle) error {
	if !t.loginRequired() {
		return nil
	}
	t.lib.login.Lock()
	defer t.lib.login.Unlock()
	info, err := t.lib.ctx.GetSessionInfo(handle)
	if err != nil {
		return explain("C_GetSessionInfo", err)
	}
	if isLoggedIn(info) {
		return nil
	}
	return t.sendPIN(handle, pkcs11.CKU_USER)
}

// logInForOne gives the PIN for the one operation that the session has begun
// (CKA_ALWAYS_AUTHENTICATE, PKCS#11 v2.40 §4.9). Nothing may come between.
func (t *Token) logInForOne(s *session) error {
	t.lib.login.Lock()
	defer t.lib.login.Unlock()
	return t.sendPIN(s.handle, pkcs11.CKU_CONTEXT_SPECIFIC)
}

// sendPIN is the only place where a user's PIN goes to a token. A refusal is
// remembered for the life of the process, whoever asks: trying again could lock
// the token. So could the last attempt, if the token says that it is; that one is
// left to an operator. An answer that the standard does not know may be a refusal,
// and any other failure is one if the token has counted an attempt.
func (t *Token) sendPIN(handle pkcs11.SessionHandle, userType uint) error {
	if refusal := t.lib.refused[t.identity]; refusal != nil {
		return fault.Wrap(refusal, fault.PINRefused, "", "not tried again: the token refused it earlier")
	}
	var before uint // of a login for one signature it is not known: nothing may come between
	if userType == pkcs11.CKU_USER {
		var err error
		before, err = t.mayTry()
		if fault.Is(err, fault.PINRefused) {
			t.lib.refused[t.identity] = err
		}
		if err != nil {
			return err
		}
	}
	return t.pin.use(func(pin string) error {
		err := t.lib.ctx.Login(handle, userType, pin)
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) && userType == pkcs11.CKU_USER {
			return nil
		}
		explained := explain("C_Login", err)
		switch {
		case err == nil:
			return nil
		case meaningOf(err).action == latch:
		case isUnknown(err):
			explained = fault.Wrap(err, fault.PINRefused, "", "C_Login: the token answers with a value of its maker's own")
		case t.attemptsLeft()&^before != 0:
			explained = fault.Wrap(err, fault.PINRefused, "", "C_Login: the token has counted an attempt")
		default:
			return explained
		}
		t.lib.refused[t.identity] = explained
		return explained
	})
}

// attemptsFlags of CK_TOKEN_INFO tell how many attempts are left.
const attemptsFlags = pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY | pkcs11.CKF_USER_PIN_LOCKED

// attemptsLeft are those of the flags that are set. A token that does not answer
// tells it before the next attempt (mayTry).
func (t *Token) attemptsLeft() uint {
	info, err := t.lib.ctx.GetTokenInfo(t.slot())
	if err != nil {
		return 0
	}
	return info.Flags & attemptsFlags
}

// mayTry looks at the token's count of attempts, and gives the flags of it.
func (t *Token) mayTry() (uint, error) {
	info, err := t.lib.ctx.GetTokenInfo(t.slot())
	if err != nil {
		return 0, explain("C_GetTokenInfo", err)
	}
	switch {
	case info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return 0, fault.Wrap(pkcs11.Error(pkcs11.CKR_PIN_LOCKED), fault.PINRefused, "", "the token says that the PIN is locked")
	case info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return 0, fault.New(fault.PINRefused, "", "the token has one attempt left, which is not spent here: log in once with another program")
	}
	return info.Flags & attemptsFlags, nil
}
