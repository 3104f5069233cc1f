package hsm

import "context"

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
