package hsm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// restartEvery is how long at least lies between two restarts of a module:
	// one that does not come back is not helped by more.
	restartEvery = 30 * time.Second
	// restartEveryMax is the longest that a token that is away waits for a restart
	// that interrupts others.
	restartEveryMax = 5 * time.Minute
	// quietWaitMax bounds the wait for calls that are inside when a module is to
	// be restarted.
	quietWaitMax = 10 * time.Second
	// pollEvery is how often a token that is away is looked for.
	pollEvery = 500 * time.Millisecond
)

// library is the process-wide state of one shared object. C_Initialize and
// C_Login act on the whole process (PKCS#11 v2.40 §5.4, §5.6), so this state
// cannot belong to one Module.
type library struct {
	path     string
	ctx      Cryptoki
	options  Options // of who opened it first
	computes bool    // isComputing

	refs int         // guarded by libraries.mu
	up   atomic.Bool // C_Initialize was the last that ended well

	gate gate
	// generation counts the restarts: no session and no handle outlives one.
	generation atomic.Uint64
	ready      atomic.Int64 // tokens in use that work
	stuck      atomic.Int64 // calls inside that nobody waits for any more
	unanswered atomic.Int64 // those among them that have no session
	restarting sync.Mutex
	restarted  time.Time // or last tried; guarded by restarting

	// login is held across C_GetSessionInfo and C_Login, and across C_InitToken
	// to C_InitPIN: the login state is the token's, not the session's.
	login sync.Mutex
	// refused holds, per token, the refusal of its PIN; guarded by login.
	refused map[string]error
}

// libraries is the one registry of what this process has loaded. An entry is
// never removed: a library is finalised when nobody uses it, but not unloaded,
// because OpenSSL's exit handlers inside SoftHSM do not survive dlclose.
var libraries = struct {
	mu     sync.Mutex
	byPath map[string]*library
}{byPath: make(map[string]*library)}

// load opens the shared object at a path and gives its real path.
func load(path string) (Cryptoki, error) {
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fault.New(fault.HSMModuleUnusable, path, "the file is not a PKCS#11 library for this machine")
	}
	library, err := newLoaded(path, ctx)
	if err != nil {
		return nil, err
	}
	if isSerial(path) {
		return &serial{path: path, each: library}, nil
	}
	return library, nil
}

// computingModule is SoftHSM2, which does its work in the process that calls it.
const computingModule = "libsofthsm2"

// isComputing knows the library whose calls take no longer than the computer takes:
// there is no device that could fall silent. A caller stays with such a call, on its
// own goroutine; to be able to leave it would take another, and two changes between
// them, which is a twentieth of a P-256 signature.
func isComputing(path string) bool { return strings.HasPrefix(filepath.Base(path), computingModule) }

// realPath refuses what must not be loaded, and names a file by one name only.
func realPath(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fault.New(fault.HSMModuleUnusable, path, "the module's path must be absolute, so that nobody's search path decides what is loaded")
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fault.Wrap(err, fault.HSMModuleUnusable, "", "find the module")
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fault.Wrap(err, fault.HSMModuleUnusable, "", "find the module")
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return "", fault.New(fault.HSMModuleUnusable, path, "the module must be a regular file that only its owner can write")
	}
	return path, nil
}

func acquireLibrary(path string, options Options) (*library, error) {
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	lib := libraries.byPath[path]
	if lib == nil {
		open := options.Load
		if open == nil {
			open = load
		}
		ctx, err := open(path)
		if err != nil {
			return nil, err
		}
		lib = &library{path: path, ctx: ctx, computes: isComputing(path), refused: make(map[string]error)}
		libraries.byPath[path] = lib
	}
	if lib.refs == 0 {
		lib.restarting.Lock()
		lib.options, lib.restarted = options, time.Time{} // of this clock
		lib.restarting.Unlock()
		if err := lib.bringUp(); err != nil {
			return nil, err
		}
	}
	lib.refs++
	return lib, nil
}

// bringUp initialises the module for the first who uses it.
func (l *library) bringUp() error {
	switch {
	case l.stuck.Load() > 0:
		return errNotReturned() // from when it was begun, or ended, the last time
	case l.up.Load():
		return nil // it was begun the last time, and nobody waited for it
	}
	if err := l.gate.close(closeWaitMax); err != nil {
		return err
	}
	err := l.alone(l.initialize)
	if err == nil {
		return nil
	}
	code := fault.HSMModuleUnusable
	if fault.Is(err, fault.HSMUnavailable) || meaningOf(err).code.Class() == fault.RetryLater {
		code = fault.HSMUnavailable // the device behind it
	}
	return fault.Wrap(err, code, l.path, "C_Initialize")
}

func (l *library) initialize() error {
	err := l.ctx.Initialize()
	l.up.Store(err == nil)
	return err
}

func (l *library) finalize() error {
	l.up.Store(false)
	return l.ctx.Finalize()
}

// alone runs what begins or ends the module. The gate is shut, and opens when fn has
// returned; if that takes longer than a call may, nobody waits for it.
func (l *library) alone(fn func() error) error {
	c := newCall()
	c.begin(l.options.callTimeout(), func(err error) {
		l.options.log().Error("the PKCS#11 module does not begin or end", "module", l.path, "error", err.Error())
		l.stuck.Add(1)
		l.gate.refuse()
	})
	go func() {
		err := fn()
		late := !c.end()
		l.gate.open()
		if late {
			l.stuck.Add(-1) // not before: with none stuck somebody else may shut the gate
		}
		c.returned <- err
	}()
	err := <-c.returned
	c.stop()
	return err
}

func (l *library) retain() {
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	l.refs++
}

func (l *library) release() error {
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	if l.refs == 1 && l.stuck.Load() > 0 {
		return errNotReturned() // it stays initialised
	}
	if l.refs > 1 {
		l.refs--
		return nil
	}
	// A question to the module needs no token, and so may still be under way.
	l.restarting.Lock()
	defer l.restarting.Unlock()
	if err := l.gate.close(closeWaitMax); err != nil {
		return errNotReturned()
	}
	l.refs--
	return l.alone(func() error {
		err := l.finalize()
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
			return nil // a restart that failed left it so
		}
		return explain("C_Finalize", err)
	})
}

// answers tells a module that works from one that is in disorder altogether,
// whatever was last heard of its tokens.
func (l *library) answers(ctx context.Context) bool {
	_, err := inside(ctx, l, callTimeout, func() ([]uint, error) { return l.ctx.GetSlotList(true) })
	return err == nil
}

// sinceRestart is how long ago the module was restarted, or a great while.
func (l *library) sinceRestart() time.Duration {
	l.restarting.Lock()
	defer l.restarting.Unlock()
	return l.options.Now().Sub(l.restarted)
}

// wantsRestart: a module in disorder is restarted at once, and one that has not
// shown a token for a while then, because some do not see a token that came back.
// Where another token works, a restart interrupts that one, which has to log in
// again. It is still the only help for some (SoftHSM reads its folder of tokens at
// C_Initialize only), and so comes the more seldom the longer the token is away.
func (l *library) wantsRestart(ctx context.Context, err error, away time.Duration) bool {
	disorder := meaningOf(err).action == restartModule
	if !disorder && !fault.Is(err, fault.HSMUnavailable) && !fault.Is(err, fault.HSMTokenNotFound) {
		return false
	}
	switch {
	case l.ready.Load() > 0 && l.answers(ctx):
		return away >= restartEvery && l.sinceRestart() >= min(away/2, restartEveryMax)
	case disorder:
		return true
	}
	return away >= restartEvery
}

// restart finalises and initialises the module, when nobody is inside and the
// last restart is long enough ago. Every session of every token in it is gone
// then, and every login.
func (l *library) restart() error {
	l.restarting.Lock()
	defer l.restarting.Unlock()
	now := l.options.Now()
	if !l.restarted.IsZero() && now.Sub(l.restarted) < restartEvery {
		return fault.New(fault.HSMUnavailable, "", "the module was restarted less than %s ago", restartEvery)
	}
	if n := l.stuck.Load(); n > 0 {
		return fault.New(fault.HSMUnavailable, "", "the module cannot be restarted before %d calls in it return", n)
	}
	// A gate that does not empty keeps everybody waiting: that too is not done
	// again at once.
	l.restarted = now
	if err := l.gate.close(quietWaitMax); err != nil {
		return err
	}
	l.generation.Add(1)
	l.options.log().Warn("restart the PKCS#11 module", "module", l.path)
	l.options.Metrics.restarted(l.path)
	return l.alone(func() error {
		// A module that is not initialised, or broken, says so; what counts is
		// whether it comes up.
		finalized := l.finalize()
		if err := l.initialize(); err != nil {
			return errors.Join(explain("C_Initialize", err), explain("C_Finalize", finalized))
		}
		return nil
	})
}
