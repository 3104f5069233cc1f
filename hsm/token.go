package hsm

import (
	"context"
	"errors"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// Token is a logged-in token. It is safe for concurrent use.
type Token struct {
	lib      *library
	info     TokenInfo
	pin      PIN
	sessions *pool
	close    sync.Once
}

// openToken logs in at once, so that a wrong PIN stops the start of a service
// and not its first signature.
func openToken(ctx context.Context, lib *library, info TokenInfo, pin PIN) (*Token, error) {
	t := &Token{lib: lib, info: info, pin: pin}
	t.sessions = newPool(info.sessionsMax, t.openSession, t.closeSession)
	lib.retain()
	if err := t.do(ctx, func(pkcs11.SessionHandle) error { return nil }); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Info describes the token as it was when it was opened.
func (t *Token) Info() TokenInfo { return t.info }

// Close waits for the calls under way, closes the sessions and lets the library
// go. It does not log out: the login is the process's, and another Token may
// share it; the token ends it with the last session. Closing twice is harmless.
func (t *Token) Close() error {
	var err error
	t.close.Do(func() { err = errors.Join(t.sessions.close(), t.lib.release()) })
	return err
}

// do runs fn with a logged-in session and takes, once, the step that the table of
// return values prescribes for a lost session or a lost login. fn returns the
// module's error as it came, wrapped or not, and must be safe to run again.
func (t *Token) do(ctx context.Context, fn func(pkcs11.SessionHandle) error) error {
	err := t.attempt(ctx, fn)
	if action := meaningOf(err).action; action != replaceSession && action != logIn {
		return err
	}
	// What ended this session, or its login, ended that of its idle siblings too.
	// A new session logs in where the login is missing.
	_ = t.sessions.drain()
	return t.attempt(ctx, fn)
}

func (t *Token) attempt(ctx context.Context, fn func(pkcs11.SessionHandle) error) error {
	session, err := t.sessions.acquire(ctx)
	if err != nil {
		return err
	}
	err = fn(session)
	// After a failed call the session may be dead or in the middle of an
	// operation; a new one costs under a microsecond, a doubtful one a request.
	t.sessions.release(session, meaningOf(err).code == "")
	return err
}

// write runs fn with a read-write session of its own: the pool's sessions are
// read-only, and so cannot change the token by mistake.
func (t *Token) write(ctx context.Context, fn func(pkcs11.SessionHandle) error) error {
	// The pool's session is held meanwhile: it keeps the login alive and counts
	// against the limit.
	return t.do(ctx, func(pkcs11.SessionHandle) (err error) {
		session, err := t.lib.ctx.OpenSession(t.info.SlotID, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return explain("C_OpenSession", err)
		}
		defer func() { err = errors.Join(err, t.closeSession(session)) }()
		return fn(session)
	})
}

// openSession opens a read-only session and sees to it that the token is logged
// in.
func (t *Token) openSession() (pkcs11.SessionHandle, error) {
	session, err := t.lib.ctx.OpenSession(t.info.SlotID, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return 0, explain("C_OpenSession", err)
	}
	if err := t.logIn(session); err != nil {
		return 0, errors.Join(err, t.closeSession(session))
	}
	return session, nil
}

func (t *Token) closeSession(session pkcs11.SessionHandle) error {
	err := t.lib.ctx.CloseSession(session)
	if meaningOf(err).action == replaceSession {
		return nil // closed already, by the token
	}
	return explain("C_CloseSession", err)
}

// logIn logs the token in unless it is. A refused PIN is remembered for the life
// of the process, whoever asks: trying it again could lock the token.
func (t *Token) logIn(session pkcs11.SessionHandle) error {
	t.lib.login.Lock()
	defer t.lib.login.Unlock()
	state, err := t.lib.ctx.GetSessionInfo(session)
	if err != nil {
		return explain("C_GetSessionInfo", err)
	}
	if state.State == pkcs11.CKS_RO_USER_FUNCTIONS || state.State == pkcs11.CKS_RW_USER_FUNCTIONS {
		return nil
	}
	if refusal := t.lib.refused[t.info.identity()]; refusal != nil {
		return fault.Wrap(refusal, fault.PINRefused, "", "not tried again: the token refused it earlier")
	}
	return t.pin.use(func(pin string) error {
		err := t.lib.ctx.Login(session, pkcs11.CKU_USER, pin)
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
			return nil
		}
		if meaningOf(err).action == latch {
			t.lib.refused[t.info.identity()] = err
		}
		return explain("C_Login", err)
	})
}
