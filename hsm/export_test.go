package hsm

import (
	"context"

	"github.com/miekg/pkcs11"
)

// LoseSessions does what a token does that was pulled out and put back: every
// session and the login are gone, behind the pool's back.
func (t *Token) LoseSessions() error { return t.lib.ctx.CloseAllSessions(t.info.SlotID) }

// LoseLogin ends the login behind the token's back.
func (t *Token) LoseLogin() error {
	session, err := t.sessions.acquire(context.Background())
	if err != nil {
		return err
	}
	defer t.sessions.release(session, true)
	return t.lib.ctx.Logout(session)
}

// HoldSessions takes every session out of the pool until release is called.
func (t *Token) HoldSessions() (release func()) {
	for range cap(t.sessions.permits) {
		t.sessions.permits <- struct{}{}
	}
	return func() {
		for range cap(t.sessions.permits) {
			<-t.sessions.permits
		}
	}
}

// Raw runs fn with the module itself, in a read-write session.
func (t *Token) Raw(ctx context.Context, fn func(*pkcs11.Ctx, pkcs11.SessionHandle) error) error {
	return t.write(ctx, func(session pkcs11.SessionHandle) error { return fn(t.lib.ctx, session) })
}
