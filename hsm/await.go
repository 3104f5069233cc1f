package hsm

import (
	"context"
	"errors"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// awaitSlowest is how many times less often than a token that was lost one is looked
// for, in the end, that was not there from the beginning.
const awaitSlowest = 16

// IsAway tells a token that may be there later from one that somebody has to see to:
// whether Await would go on after the error.
func IsAway(err error) bool {
	return fault.Is(err, fault.HSMTokenNotFound) || fault.CodeOf(err).Class() == fault.RetryLater
}

// Await opens a token like OpenModule and Module.Token. While the token is away it
// looks for it, less and less often, until the context ends, and restarts the module
// as for a token that was lost. A refused PIN ends it, as does every other error that
// does not mend itself.
func Await(ctx context.Context, path string, o Options, uri string, pin PIN) (*Token, error) {
	o.Metrics.await(1)
	defer o.Metrics.await(-1)
	module, err := awaitModule(ctx, path, o)
	if err != nil {
		return nil, err
	}
	token, err := module.awaitToken(ctx, uri, pin)
	if err := errors.Join(err, module.Close()); err != nil { // a token outlives its Module
		if token != nil {
			err = errors.Join(err, token.Close())
		}
		return nil, err
	}
	return token, nil
}

// awaitModule calls C_Initialize no more often than a restart would.
func awaitModule(ctx context.Context, path string, o Options) (*Module, error) {
	for {
		module, err := OpenModule(path, o)
		if err == nil || !IsAway(err) {
			return module, err
		}
		if err := pause(ctx, restartEvery); err != nil {
			return nil, err
		}
	}
}

func (m *Module) awaitToken(ctx context.Context, uri string, pin PIN) (*Token, error) {
	began := m.options.Now()
	every := m.options.pollEvery()
	slowest := awaitSlowest * every
	for {
		token, err := m.Token(ctx, uri, pin)
		if err == nil || !IsAway(err) {
			return token, err
		}
		if m.lib.wantsRestart(ctx, err, m.options.Now().Sub(began)) && m.lib.restart() == nil {
			continue
		}
		if err := pause(ctx, every); err != nil {
			return nil, err
		}
		every = min(2*every, slowest)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return waitFailed(ctx.Err(), "wait for the token")
	}
}
