package hsm

import (
	"context"

	"github.com/miekg/pkcs11"
)

// LoseSessions ends every session and the login behind the pool's back.
func (t *Token) LoseSessions() error {
	if s, ok := t.lib.ctx.(*serial); ok {
		return s.locked(func() error { return s.each.(*loaded).CloseAllSessions(t.slot()) })
	}
	return t.lib.ctx.(*loaded).CloseAllSessions(t.slot())
}

// Restarts counts the restarts of the token's module.
func (t *Token) Restarts() uint64 { return t.lib.generation.Load() }

// Latch is what a refused PIN does.
func (t *Token) Latch(cause error) { t.latch(cause) }

// LoseLogin ends the login behind the token's back.
func (t *Token) LoseLogin() error {
	return t.do(context.Background(), shared, nil, func(s *session) error { return t.lib.ctx.Logout(s.handle) })
}

// HoldSessions takes every session out of the pool until release is called.
func (t *Token) HoldSessions() (release func()) {
	if err := t.sessions.acquire(context.Background(), alone); err != nil {
		panic(err)
	}
	return func() { t.sessions.release(alone) }
}

// Raw runs fn with the module itself, in a read-write session.
func (t *Token) Raw(ctx context.Context, fn func(Cryptoki, pkcs11.SessionHandle) error) error {
	return t.write(ctx, func(s *session) error { return fn(t.lib.ctx, s.handle) })
}
