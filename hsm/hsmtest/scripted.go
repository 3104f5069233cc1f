package hsmtest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/hsm"
)

// Scripted is a PKCS#11 module in memory, with Go's own keys, that does and says
// what a test tells it to: every return value, at every function, and what
// becomes of sessions, logins and handles when a card is pulled.
type Scripted struct {
	mu          sync.Mutex
	initialized bool
	slots       []*ScriptedSlot
	sessions    map[pkcs11.SessionHandle]*scriptedSession
	next        uint // of all handles: none is used twice
	script      map[string][]error
	calls       map[string]int
	crossed     int // calls into a session in which another call was

	// Library is the name of the file that Open says it has loaded.
	Library string
	// Before is called before every function, without a lock held.
	Before func(function string)
	// Refuse, if it gives an error for a function, fails it for as long as it
	// does: a module in lasting disorder.
	Refuse func(function string) error
	// Signing is called in the middle of C_Sign, without a lock held: a call that
	// takes long, or for ever.
	Signing func()
}

// ScriptedSlot is a slot and its token. The fields may be changed through
// Scripted.Change.
type ScriptedSlot struct {
	ID          uint
	Present     bool
	Initialized bool
	Label       string
	Serial      string
	PIN, SOPIN  string
	Flags       uint // besides those that follow from the state
	SessionsMax uint
	Attempts    int // left before the PIN is locked

	loggedIn bool
	soIn     bool
	objects  []*scriptedObject
}

type scriptedSession struct {
	slot   *ScriptedSlot
	write  bool
	key    *scriptedObject // of the signature that has begun
	how    *pkcs11.Mechanism
	forOne bool // C_Login(CKU_CONTEXT_SPECIFIC) came
	found  []pkcs11.ObjectHandle
	search bool
	signs  bool // C_Sign is inside
}

var _ hsm.Cryptoki = (*Scripted)(nil)

// ScriptedPIN is the PIN of every scripted token at first.
const ScriptedPIN = "271828"

// NewScripted makes a module with one blank token.
func NewScripted() *Scripted {
	s := &Scripted{
		sessions: make(map[pkcs11.SessionHandle]*scriptedSession), script: make(map[string][]error), calls: make(map[string]int), next: 100,
	}
	s.AddSlot("")
	return s
}

// AddSlot adds a slot with a token; one without a label is blank.
func (s *Scripted) AddSlot(label string) *ScriptedSlot {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint(len(s.slots))
	slot := &ScriptedSlot{
		ID: n, Present: true, Initialized: label != "", Label: label, Serial: fmt.Sprintf("scripted-%d", n),
		PIN: ScriptedPIN, SOPIN: ScriptedPIN, Attempts: 3,
	}
	s.slots = append(s.slots, slot)
	return slot
}

// Change changes slots under the lock.
func (s *Scripted) Change(change func([]*ScriptedSlot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.slots)
}

// Script has a function return values in turn before it works again; CKR_OK
// stands for a call that works.
func (s *Scripted) Script(function string, values ...uint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		s.script[function] = append(s.script[function], pkcs11.Error(v))
	}
}

// Calls is how often a function was called.
func (s *Scripted) Calls(function string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[function]
}

// Pull takes the token out of a slot: its sessions, its login and all handles
// are gone.
func (s *Scripted) Pull(slot *ScriptedSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot.Present = false
	s.endSessions(slot)
}

// PutBack puts the token back, into the slot with that number, as a reader that
// was plugged in elsewhere would.
func (s *Scripted) PutBack(slot *ScriptedSlot, id uint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot.ID, slot.Present = id, true
	for _, o := range slot.objects {
		o.handle = s.handle()
	}
}

// DropSessions ends a slot's sessions, and so its login, behind everybody's back.
func (s *Scripted) DropSessions(slot *ScriptedSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endSessions(slot)
}

// DropLogin ends the login.
func (s *Scripted) DropLogin(slot *ScriptedSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot.loggedIn = false
}

// MoveObjects gives every object of a slot another handle.
func (s *Scripted) MoveObjects(slot *ScriptedSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range slot.objects {
		o.handle = s.handle()
	}
}

// Crossed is how often a session was used by two calls at once, which PKCS#11
// forbids (v2.40 §5.1.2).
func (s *Scripted) Crossed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crossed
}

func (s *Scripted) endSessions(slot *ScriptedSlot) {
	for handle, session := range s.sessions {
		if session.slot == slot {
			delete(s.sessions, handle)
		}
	}
	slot.loggedIn, slot.soIn = false, false
}

func (s *Scripted) handle() pkcs11.ObjectHandle {
	s.next++
	return pkcs11.ObjectHandle(s.next)
}

// enter counts a call, gives it what the script says, and returns locked if it
// is to work.
func (s *Scripted) enter(function string) error {
	if s.Before != nil {
		s.Before(function)
	}
	s.mu.Lock()
	s.calls[function]++
	err := error(nil)
	if queue := s.script[function]; len(queue) > 0 {
		s.script[function] = queue[1:]
		if queue[0] != pkcs11.Error(pkcs11.CKR_OK) {
			err = queue[0]
		}
	}
	if err == nil && s.Refuse != nil {
		err = s.Refuse(function)
	}
	if err == nil && !s.initialized && function != "C_Initialize" {
		err = rv(pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	if err != nil {
		s.mu.Unlock()
	}
	return err
}

func rv(value uint) error { return pkcs11.Error(value) }

// Initialize is C_Initialize.
func (s *Scripted) Initialize(...pkcs11.InitializeOption) error {
	if err := s.enter("C_Initialize"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.initialized {
		return rv(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	}
	s.initialized = true
	return nil
}

// Finalize is C_Finalize.
func (s *Scripted) Finalize() error {
	if err := s.enter("C_Finalize"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.initialized = false
	for _, session := range s.sessions {
		if session.signs {
			s.crossed++
		}
	}
	for _, slot := range s.slots {
		s.endSessions(slot)
	}
	return nil
}

// GetInfo is C_GetInfo.
func (s *Scripted) GetInfo() (pkcs11.Info, error) {
	if err := s.enter("C_GetInfo"); err != nil {
		return pkcs11.Info{}, err
	}
	defer s.mu.Unlock()
	return pkcs11.Info{ManufacturerID: "Senim", LibraryDescription: "scripted"}, nil
}

// GetSlotList is C_GetSlotList.
func (s *Scripted) GetSlotList(tokenPresent bool) ([]uint, error) {
	if err := s.enter("C_GetSlotList"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var ids []uint
	for _, slot := range s.slots {
		if slot.Present || !tokenPresent {
			ids = append(ids, slot.ID)
		}
	}
	return ids, nil
}

func (s *Scripted) slot(id uint) (*ScriptedSlot, error) {
	for _, slot := range s.slots {
		switch {
		case slot.ID != id:
		case !slot.Present:
			return nil, rv(pkcs11.CKR_TOKEN_NOT_PRESENT)
		default:
			return slot, nil
		}
	}
	return nil, rv(pkcs11.CKR_SLOT_ID_INVALID)
}

// GetSlotInfo is C_GetSlotInfo.
func (s *Scripted) GetSlotInfo(id uint) (pkcs11.SlotInfo, error) {
	if err := s.enter("C_GetSlotInfo"); err != nil {
		return pkcs11.SlotInfo{}, err
	}
	defer s.mu.Unlock()
	return pkcs11.SlotInfo{SlotDescription: fmt.Sprint("scripted slot ", id), ManufacturerID: "Senim"}, nil
}

// GetTokenInfo is C_GetTokenInfo.
func (s *Scripted) GetTokenInfo(id uint) (pkcs11.TokenInfo, error) {
	if err := s.enter("C_GetTokenInfo"); err != nil {
		return pkcs11.TokenInfo{}, err
	}
	defer s.mu.Unlock()
	slot, err := s.slot(id)
	if err != nil {
		return pkcs11.TokenInfo{}, err
	}
	flags := slot.Flags | pkcs11.CKF_LOGIN_REQUIRED
	if slot.Initialized {
		flags |= pkcs11.CKF_TOKEN_INITIALIZED
	}
	switch slot.Attempts {
	case 2:
		flags |= pkcs11.CKF_USER_PIN_COUNT_LOW
	case 0:
		flags |= pkcs11.CKF_USER_PIN_LOCKED
	case 1:
		flags |= pkcs11.CKF_USER_PIN_FINAL_TRY
	}
	return pkcs11.TokenInfo{
		Label: slot.Label, ManufacturerID: "Senim", Model: "scripted", SerialNumber: slot.Serial,
		Flags: flags, MaxSessionCount: slot.SessionsMax,
	}, nil
}

// InitToken is C_InitToken.
func (s *Scripted) InitToken(id uint, pin, label string) error {
	if err := s.enter("C_InitToken"); err != nil {
		return err
	}
	slot, err := s.slot(id)
	if err == nil {
		slot.Initialized, slot.Label, slot.SOPIN, slot.objects = true, label, pin, nil
	}
	s.mu.Unlock()
	if err == nil {
		s.AddSlot("") // there is always a blank one, as in SoftHSM
	}
	return err
}

// InitPIN is C_InitPIN.
func (s *Scripted) InitPIN(handle pkcs11.SessionHandle, pin string) error {
	session, err := s.enterSession("C_InitPIN", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if !session.slot.soIn {
		return rv(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	session.slot.PIN, session.slot.Attempts = string([]byte(pin)), 3
	return nil
}

// OpenSession is C_OpenSession.
func (s *Scripted) OpenSession(id, flags uint) (pkcs11.SessionHandle, error) {
	if err := s.enter("C_OpenSession"); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	slot, err := s.slot(id)
	if err != nil {
		return 0, err
	}
	if slot.SessionsMax > 0 && s.open(slot) >= slot.SessionsMax {
		return 0, rv(pkcs11.CKR_SESSION_COUNT)
	}
	handle := pkcs11.SessionHandle(s.handle())
	s.sessions[handle] = &scriptedSession{slot: slot, write: flags&pkcs11.CKF_RW_SESSION != 0}
	return handle, nil
}

func (s *Scripted) open(slot *ScriptedSlot) uint {
	n := uint(0)
	for _, session := range s.sessions {
		if session.slot == slot {
			n++
		}
	}
	return n
}

// enterSession is enter for a function with a session.
func (s *Scripted) enterSession(function string, handle pkcs11.SessionHandle) (*scriptedSession, error) {
	if err := s.enter(function); err != nil {
		return nil, err
	}
	session, there := s.sessions[handle]
	if !there {
		s.mu.Unlock()
		return nil, rv(pkcs11.CKR_SESSION_HANDLE_INVALID)
	}
	if session.signs {
		s.crossed++
	}
	return session, nil
}

// CloseSession is C_CloseSession. The last one takes the login with it.
func (s *Scripted) CloseSession(handle pkcs11.SessionHandle) error {
	session, err := s.enterSession("C_CloseSession", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	delete(s.sessions, handle)
	if s.open(session.slot) == 0 {
		session.slot.loggedIn, session.slot.soIn = false, false
	}
	return nil
}

// GetSessionInfo is C_GetSessionInfo.
func (s *Scripted) GetSessionInfo(handle pkcs11.SessionHandle) (pkcs11.SessionInfo, error) {
	session, err := s.enterSession("C_GetSessionInfo", handle)
	if err != nil {
		return pkcs11.SessionInfo{}, err
	}
	defer s.mu.Unlock()
	info := pkcs11.SessionInfo{SlotID: session.slot.ID, State: pkcs11.CKS_RO_PUBLIC_SESSION}
	if session.slot.loggedIn {
		info.State = pkcs11.CKS_RO_USER_FUNCTIONS
	}
	return info, nil
}

// Login is C_Login.
func (s *Scripted) Login(handle pkcs11.SessionHandle, userType uint, pin string) error {
	session, err := s.enterSession("C_Login", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	slot := session.slot
	if userType == pkcs11.CKU_SO {
		if pin != slot.SOPIN {
			return rv(pkcs11.CKR_PIN_INCORRECT)
		}
		slot.soIn = true
		return nil
	}
	switch {
	case userType == pkcs11.CKU_USER && slot.loggedIn:
		return rv(pkcs11.CKR_USER_ALREADY_LOGGED_IN)
	case userType == pkcs11.CKU_CONTEXT_SPECIFIC && (session.key == nil || !session.key.asks()):
		return rv(pkcs11.CKR_OPERATION_NOT_INITIALIZED)
	case slot.Attempts == 0:
		return rv(pkcs11.CKR_PIN_LOCKED)
	case pin != slot.PIN:
		slot.Attempts--
		return rv(pkcs11.CKR_PIN_INCORRECT)
	}
	slot.Attempts = 3
	if userType == pkcs11.CKU_CONTEXT_SPECIFIC {
		session.forOne = true
	} else {
		slot.loggedIn = true
	}
	return nil
}

// Logout is C_Logout.
func (s *Scripted) Logout(handle pkcs11.SessionHandle) error {
	session, err := s.enterSession("C_Logout", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	session.slot.loggedIn, session.slot.soIn = false, false
	return nil
}

// scriptedModules names each module opened, since a path is opened once.
var scriptedModules atomic.Int64

// Open opens the module under a name of its own, with a clock and without waits.
func (s *Scripted) Open(t testing.TB, change ...func(*hsm.Options)) *hsm.Module {
	t.Helper()
	o := hsm.Options{Now: time.Now, PollEvery: time.Millisecond, Load: func(string) (hsm.Cryptoki, error) { return s, nil }}
	for _, c := range change {
		c(&o)
	}
	module, err := hsm.OpenModule(fmt.Sprintf("/scripted/%d/%s", scriptedModules.Add(1), s.Library), o)
	check(t, err)
	t.Cleanup(func() { check(t, module.Close()) })
	return module
}

// Slot gives the slot of the token with a label.
func (s *Scripted) Slot(label string) *ScriptedSlot {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.slots, func(slot *ScriptedSlot) bool { return slot.Label == label })
	if i < 0 {
		return nil
	}
	return s.slots[i]
}
