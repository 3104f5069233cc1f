package hsm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// tokensMax bounds a module's slot list: a module that reports more is broken.
const tokensMax = 4096

// labelBytesMax is the size of CK_TOKEN_INFO.label (PKCS#11 v2.40 §3.2).
const labelBytesMax = 32

// Module is an opened PKCS#11 library. It is safe for concurrent use.
type Module struct {
	lib   *library
	close sync.Once
}

// library is the process-wide state of one shared object. C_Initialize and
// C_Login act on the whole process (PKCS#11 v2.40 §5.4, §5.6), so this state
// cannot belong to one Module.
type library struct {
	path string
	ctx  *pkcs11.Ctx

	refs int // guarded by libraries.mu

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

// OpenModule loads and initialises the library at an absolute path. Opening the
// same file again, under whatever name, shares it.
func OpenModule(path string) (*Module, error) {
	if !filepath.IsAbs(path) {
		return nil, fault.New(fault.HSMModuleUnusable, path, "the module's path must be absolute, so that nobody's search path decides what is loaded")
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.HSMModuleUnusable, "", "find the module")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.HSMModuleUnusable, "", "find the module")
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return nil, fault.New(fault.HSMModuleUnusable, path, "the module must be a regular file that only its owner can write")
	}
	lib, err := acquireLibrary(path)
	if err != nil {
		return nil, err
	}
	return &Module{lib: lib}, nil
}

func acquireLibrary(path string) (*library, error) {
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	lib := libraries.byPath[path]
	if lib == nil {
		ctx := pkcs11.New(path)
		if ctx == nil {
			return nil, fault.New(fault.HSMModuleUnusable, path, "the file is not a PKCS#11 library for this machine")
		}
		lib = &library{path: path, ctx: ctx, refused: make(map[string]error)}
		libraries.byPath[path] = lib
	}
	if lib.refs == 0 {
		if err := lib.ctx.Initialize(); err != nil {
			return nil, fault.Wrap(err, fault.HSMModuleUnusable, path, "C_Initialize")
		}
	}
	lib.refs++
	return lib, nil
}

func (l *library) retain() {
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	l.refs++
}

func (l *library) release() error {
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	l.refs--
	if l.refs > 0 {
		return nil
	}
	return explain("C_Finalize", l.ctx.Finalize())
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

// TokenInfo describes a token and the slot it is in.
type TokenInfo struct {
	Label        string `json:"label"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Serial       string `json:"serial"`

	SlotID           uint   `json:"slot_id"`
	SlotDescription  string `json:"slot_description"`
	SlotManufacturer string `json:"slot_manufacturer"`

	Initialized bool `json:"initialized"`
	// Software is true for a token whose keys are files on this machine's disk.
	Software bool `json:"software"`

	sessionsMax uint // 0 when the token states no limit
}

// softwareTokens lists the makers whose tokens live in ordinary files.
var softwareTokens = []struct{ manufacturer, model string }{
	{"SoftHSM", ""},
	{"IBM", "Soft"}, // opencryptoki's soft token
	{"Mozilla", ""}, // NSS softokn
	{"Kryoptic", ""},
	{"GnuTLS", ""},
	{"", "SoftHSM"},
}

func isSoftware(manufacturer, model string) bool {
	for _, row := range softwareTokens {
		if strings.HasPrefix(manufacturer, row.manufacturer) && strings.HasPrefix(model, row.model) {
			return true
		}
	}
	return false
}

// identity names a token within its library for as long as the process lives.
// Slot numbers are not stable.
func (i TokenInfo) identity() string {
	return strings.Join([]string{i.Manufacturer, i.Model, i.Serial, i.Label}, "\x00")
}

// Tokens lists the tokens present, initialised or not.
func (m *Module) Tokens() ([]TokenInfo, error) { return m.lib.tokens() }

func (l *library) tokens() ([]TokenInfo, error) {
	slots, err := l.ctx.GetSlotList(true)
	if err != nil {
		return nil, explain("C_GetSlotList", err)
	}
	if len(slots) > tokensMax {
		return nil, fault.New(fault.HSMFailed, "", "the module reports %d tokens", len(slots))
	}
	var tokens []TokenInfo
	for _, slot := range slots {
		info, err := l.tokenInfo(slot)
		if isAbsent(err) {
			continue // pulled out between the two calls
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, info)
	}
	return tokens, nil
}

func (l *library) tokenInfo(slot uint) (TokenInfo, error) {
	si, err := l.ctx.GetSlotInfo(slot)
	if err != nil {
		return TokenInfo{}, explain("C_GetSlotInfo", err)
	}
	ti, err := l.ctx.GetTokenInfo(slot)
	if err != nil {
		return TokenInfo{}, explain("C_GetTokenInfo", err)
	}
	info := TokenInfo{
		Label: unpad(ti.Label), Manufacturer: unpad(ti.ManufacturerID), Model: unpad(ti.Model), Serial: unpad(ti.SerialNumber),
		SlotID: slot, SlotDescription: unpad(si.SlotDescription), SlotManufacturer: unpad(si.ManufacturerID),
		Initialized: ti.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0,
	}
	info.Software = isSoftware(info.Manufacturer, info.Model)
	// CK_EFFECTIVELY_INFINITE is 0 and CK_UNAVAILABLE_INFORMATION is all ones
	// (PKCS#11 v2.40 §3.2); opencryptoki reports 2^64-2 for "many".
	if n := ti.MaxSessionCount; n < 1<<31 {
		info.sessionsMax = n
	}
	return info, nil
}

// unpad strips the blanks, and the zero bytes of careless modules, that fill
// PKCS#11's fixed-length strings.
func unpad(s string) string { return strings.TrimRight(s, " \x00") }

// Token opens the one token that the RFC 7512 URI describes and logs in.
func (m *Module) Token(ctx context.Context, uri string, pin PIN) (*Token, error) {
	u, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	if u.namesObject() {
		return nil, fault.New(fault.HSMTokenURIInvalid, "", "the URI must describe a token, and names an object in it")
	}
	info, err := m.lib.choose(u)
	if err != nil {
		return nil, err
	}
	return openToken(ctx, m.lib, info, pin)
}

// choose returns the one initialised token that matches. Anything else is an
// error that lists what is there, because the reader's next step is to correct
// the URI.
func (l *library) choose(u URI) (TokenInfo, error) {
	tokens, err := l.tokens()
	if err != nil {
		return TokenInfo{}, err
	}
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
	list := "none"
	if len(there) > 0 {
		list = strings.Join(there, ", ")
	}
	switch len(matching) {
	case 1:
		return matching[0], nil
	case 0:
		return TokenInfo{}, fault.New(fault.HSMTokenNotFound, "", "no token matches; present: %s", list)
	}
	return TokenInfo{}, fault.New(fault.HSMTokenAmbiguous, "", "%d tokens match; present: %s", len(matching), list)
}

// InitToken initialises the first blank token (C_InitToken), sets its label and
// security officer's PIN, and then the user's PIN (C_InitPIN). It never touches
// a token that is initialised, and refuses a label that is in use.
func (m *Module) InitToken(label string, so, user PIN) error {
	if label == "" || len(label) > labelBytesMax {
		return fault.New(fault.BadArgument, "", "a token's label has 1 to %d bytes", labelBytesMax)
	}
	m.lib.login.Lock()
	defer m.lib.login.Unlock()
	slot, err := m.lib.blankSlot(label)
	if err != nil {
		return err
	}
	return so.use(func(soPIN string) error {
		return user.use(func(userPIN string) error {
			if err := m.lib.ctx.InitToken(slot, soPIN, label); err != nil {
				return explain("C_InitToken", err)
			}
			return m.lib.setUserPIN(slot, soPIN, userPIN)
		})
	})
}

func (l *library) blankSlot(label string) (uint, error) {
	tokens, err := l.tokens()
	if err != nil {
		return 0, err
	}
	blank := -1
	for i, t := range tokens {
		if t.Initialized && t.Label == label {
			return 0, fault.New(fault.HSMTokenExists, "", "%s", t.URI())
		}
		if !t.Initialized && blank < 0 {
			blank = i
		}
	}
	if blank < 0 {
		return 0, fault.New(fault.HSMTokenNotFound, "", "there is no uninitialised token")
	}
	return tokens[blank].SlotID, nil
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
