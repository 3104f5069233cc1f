package hsm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// labelBytesMax is the size of CK_TOKEN_INFO.label (PKCS#11 v2.40 §3.2).
const labelBytesMax = 32

// Options of a module, for the tokens opened through it. Its restarts, which
// concern all who use it, go by the options of who opened it first.
type Options struct {
	// Now is the clock. It is required.
	Now func() time.Time
	// Metrics counts what happens; nil counts nothing.
	Metrics *Metrics
	// Log is told when a token goes, comes back or is refused, and of restarts;
	// nil is silence.
	Log *slog.Logger
	// GOST lists the numbers under which the module knows GOST R 34.10. The
	// standard's own numbers end with the keys of 2001, so without a row no GOST
	// key is found.
	GOST []GOSTMechanism
	// SessionsMax bounds the sessions of each token; zero means 8. A token's own
	// limit, where it is lower, counts.
	SessionsMax int
	// CallTimeout is how long a call into the module is waited for; zero means 30 s.
	// A call that does not return in time fails with hsm_unavailable; it keeps its
	// session, and four of them are forgiven a token before it is taken out of use.
	// Calls into SoftHSM keep their callers too.
	CallTimeout time.Duration
	// PollEvery is how often a token that is away is looked for; zero means 500 ms.
	PollEvery time.Duration
	// Load opens the library; nil loads the shared object at the path. Tests
	// give a scripted one, and then the path is only its name.
	Load func(path string) (Cryptoki, error)
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

func (o Options) pollEvery() time.Duration {
	if o.PollEvery <= 0 {
		return pollEvery
	}
	return o.PollEvery
}

func (o Options) callTimeout() time.Duration {
	if o.CallTimeout <= 0 {
		return callTimeout
	}
	return o.CallTimeout
}

// Module is an opened PKCS#11 library. It is safe for concurrent use.
type Module struct {
	lib     *library
	options Options
	close   sync.Once
}

// OpenModule loads and initialises the library at an absolute path. Opening the
// same file again, under whatever name, shares it.
func OpenModule(path string, o Options) (*Module, error) {
	if o.Now == nil {
		return nil, fault.New(fault.BadArgument, "", "a module needs a clock")
	}
	if o.Load == nil {
		real, err := realPath(path)
		if err != nil {
			return nil, err
		}
		path = real
	}
	lib, err := acquireLibrary(path, o)
	if err != nil {
		return nil, err
	}
	return &Module{lib: lib, options: o}, nil
}

// Close lets the library go; it is finalised when the last Module and the last
// Token that use it are closed. Closing twice is harmless.
func (m *Module) Close() error {
	var err error
	m.close.Do(func() { err = m.lib.release() })
	return err
}

// Path is the library's real path.
func (m *Module) Path() string { return m.lib.path }

// Tokens lists the tokens present, initialised or not. If some do not say what
// they are, it lists the others and fails.
func (m *Module) Tokens() ([]TokenInfo, error) {
	return inside(context.Background(), m.lib, m.options.callTimeout(), m.lib.tokens)
}

// Unlatch lets the token's PIN be tried again. Only an operator may decide that,
// who has found out why it was refused: each attempt counts.
func (m *Module) Unlatch(token TokenInfo) {
	m.lib.login.Lock()
	defer m.lib.login.Unlock()
	delete(m.lib.refused, token.identity())
}

// Token opens the one token that the RFC 7512 URI describes and logs in. A URI
// that names an object besides is refused.
func (m *Module) Token(ctx context.Context, uri string, pin PIN) (*Token, error) {
	u, err := parseTokenURI(uri)
	if err != nil {
		return nil, err
	}
	info, err := inside(ctx, m.lib, m.options.callTimeout(), func() (TokenInfo, error) { return m.lib.choose(u) })
	if err != nil {
		return nil, err
	}
	return openToken(ctx, m, info, pin)
}

func parseTokenURI(uri string) (URI, error) {
	u, err := ParseURI(uri)
	if err == nil && u.namesObject() {
		err = fault.New(fault.HSMTokenURIInvalid, "", "the URI must describe a token, and names an object in it")
	}
	return u, err
}

// choose returns the one initialised token that matches. Anything else is an
// error that lists what is there, because the reader's next step is to correct
// the URI.
func (l *library) choose(u URI) (TokenInfo, error) {
	tokens, silent := l.tokens()
	library, err := l.ctx.GetInfo()
	if err != nil {
		return TokenInfo{}, explain("C_GetInfo", err)
	}
	var there []string
	var matching []TokenInfo
	for _, t := range tokens {
		if !t.Initialized {
			continue
		}
		there = append(there, t.URI())
		if u.matches(library, t) {
			matching = append(matching, t)
		}
	}
	slices.Sort(there)
	list := "none"
	if len(there) > 0 {
		list = strings.Join(there, ", ")
	}
	switch {
	case len(matching) == 1:
		return matching[0], nil
	case len(matching) == 0 && silent != nil:
		return TokenInfo{}, silent // it may be the one
	case len(matching) == 0:
		return TokenInfo{}, fault.New(fault.HSMTokenNotFound, "", "no token matches; present: %s", list)
	}
	return TokenInfo{}, fault.New(fault.HSMTokenAmbiguous, "", "%d tokens match; present: %s", len(matching), list)
}

// InitToken initialises the one blank token that the RFC 7512 URI describes, or with
// no URI the first (C_InitToken), sets its label and security officer's PIN, and
// then the user's PIN (C_InitPIN). It never touches a token that is initialised, and
// refuses a label that is in use.
func (m *Module) InitToken(uri, label string, so, user PIN) error {
	var u *URI
	if uri != "" {
		described, err := parseTokenURI(uri)
		if err != nil {
			return err
		}
		u = &described
	}
	if err := CheckTokenLabel(label); err != nil {
		return err
	}
	limit := changeTimeout
	if so.asks() || user.asks() {
		limit = 0
	}
	return insideDo(context.Background(), m.lib, limit, func() error { return m.lib.initToken(u, label, so, user) })
}

// CheckTokenLabel refuses what no token is labelled with.
func CheckTokenLabel(label string) error {
	if label == "" || len(label) > labelBytesMax || !isPrintable(label) || unpad(label) != label {
		return fault.New(fault.BadArgument, "", "a token's label has 1 to %d bytes of text, the last no blank", labelBytesMax)
	}
	return nil
}

func (l *library) initToken(u *URI, label string, so, user PIN) error {
	l.login.Lock()
	defer l.login.Unlock()
	slot, err := l.blankSlot(u, label)
	if err != nil {
		return err
	}
	return so.use(func(soPIN string) error {
		return user.use(func(userPIN string) error {
			// Afterwards it is too late: there would be a token without a user's PIN.
			if err := errors.Join(l.checkPINLength(slot, so, soPIN), l.checkPINLength(slot, user, userPIN)); err != nil {
				return err
			}
			if err := l.ctx.InitToken(slot, soPIN, label); err != nil {
				return explain("C_InitToken", err)
			}
			return l.setUserPIN(slot, soPIN, userPIN)
		})
	})
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// checkPINLength compares a PIN with what the token takes (CK_TOKEN_INFO.ulMinPinLen,
// ulMaxPinLen). One that does not tell states no limit.
func (l *library) checkPINLength(slot uint, source PIN, pin string) error {
	info, err := l.ctx.GetTokenInfo(slot)
	if err != nil {
		return explain("C_GetTokenInfo", err)
	}
	if n := uint(len(pin)); info.MaxPinLen > 0 && (n < info.MinPinLen || n > info.MaxPinLen) {
		return fault.New(fault.PINUnavailable, "", "%s: the token takes PINs of %d to %d bytes", source, info.MinPinLen, info.MaxPinLen)
	}
	return nil
}

// blankSlot is the slot of the first blank token, or of the one that the URI describes.
func (l *library) blankSlot(u *URI, label string) (uint, error) {
	tokens, err := l.tokens()
	if err != nil {
		return 0, err
	}
	library, err := l.ctx.GetInfo()
	if err != nil {
		return 0, explain("C_GetInfo", err)
	}
	var blank []uint
	for _, t := range tokens {
		switch {
		case t.Initialized && t.Label == label:
			return 0, fault.New(fault.HSMTokenExists, "", "%s", t.URI())
		case !t.Initialized && (u == nil || u.matches(library, t)):
			blank = append(blank, t.SlotID)
		}
	}
	switch {
	case len(blank) == 0:
		return 0, fault.New(fault.HSMTokenNotFound, "", "there is no such uninitialised token")
	case u != nil && len(blank) > 1:
		return 0, fault.New(fault.HSMTokenAmbiguous, "", "%d uninitialised tokens match", len(blank))
	}
	return blank[0], nil
}

func (l *library) setUserPIN(slot uint, soPIN, userPIN string) (err error) {
	session, err := l.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return explain("C_OpenSession", err)
	}
	defer func() { err = errors.Join(err, explain("C_CloseSession", l.ctx.CloseSession(session))) }()
	if err := l.ctx.Login(session, pkcs11.CKU_SO, soPIN); err != nil {
		return explain("C_Login as security officer", err)
	}
	defer func() { err = errors.Join(err, explain("C_Logout", l.ctx.Logout(session))) }()
	if err := l.ctx.InitPIN(session, userPIN); err != nil {
		return fmt.Errorf("set the user's PIN: %w", explain("C_InitPIN", err))
	}
	return nil
}
