package hsm

import (
	"path/filepath"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"
)

// serialModules are libraries whose own locks cannot be trusted. OpenSC 0.23
// waits for itself for ever when a card is pulled out during a signature; it does
// one thing at a time anyway, so that nothing is lost by doing that here.
var serialModules = []string{"opensc-pkcs11", "onepin-opensc-pkcs11"}

func isSerial(path string) bool {
	name := filepath.Base(path)
	for _, prefix := range serialModules {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// serial calls a library by one thread at a time and has it initialised for that
// (PKCS#11 v2.40 §5.4: no locks of its own, no threads but the caller's).
type serial struct {
	mu   sync.Mutex
	path string
	each Cryptoki
}

func locked[T any](s *serial, f func() (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func (s *serial) locked(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func (s *serial) Initialize(...pkcs11.InitializeOption) error {
	return s.locked(func() error { return initializeWithoutLocks(s.path) })
}

func (s *serial) Finalize() error { return s.locked(s.each.Finalize) }

func (s *serial) GetInfo() (pkcs11.Info, error) { return locked(s, s.each.GetInfo) }

func (s *serial) GetSlotList(present bool) ([]uint, error) {
	return locked(s, func() ([]uint, error) { return s.each.GetSlotList(present) })
}

func (s *serial) GetSlotInfo(slot uint) (pkcs11.SlotInfo, error) {
	return locked(s, func() (pkcs11.SlotInfo, error) { return s.each.GetSlotInfo(slot) })
}

func (s *serial) GetTokenInfo(slot uint) (pkcs11.TokenInfo, error) {
	return locked(s, func() (pkcs11.TokenInfo, error) { return s.each.GetTokenInfo(slot) })
}

func (s *serial) InitToken(slot uint, pin, label string) error {
	return s.locked(func() error { return s.each.InitToken(slot, pin, label) })
}

func (s *serial) InitPIN(session pkcs11.SessionHandle, pin string) error {
	return s.locked(func() error { return s.each.InitPIN(session, pin) })
}

func (s *serial) OpenSession(slot, flags uint) (pkcs11.SessionHandle, error) {
	return locked(s, func() (pkcs11.SessionHandle, error) { return s.each.OpenSession(slot, flags) })
}

func (s *serial) CloseSession(session pkcs11.SessionHandle) error {
	return s.locked(func() error { return s.each.CloseSession(session) })
}

func (s *serial) GetSessionInfo(session pkcs11.SessionHandle) (pkcs11.SessionInfo, error) {
	return locked(s, func() (pkcs11.SessionInfo, error) { return s.each.GetSessionInfo(session) })
}

func (s *serial) Login(session pkcs11.SessionHandle, userType uint, pin string) error {
	return s.locked(func() error { return s.each.Login(session, userType, pin) })
}

func (s *serial) Logout(session pkcs11.SessionHandle) error {
	return s.locked(func() error { return s.each.Logout(session) })
}

func (s *serial) FindObjectsInit(session pkcs11.SessionHandle, template []*pkcs11.Attribute) error {
	return s.locked(func() error { return s.each.FindObjectsInit(session, template) })
}

func (s *serial) FindObjects(session pkcs11.SessionHandle, max int) (found []pkcs11.ObjectHandle, more bool, err error) {
	err = s.locked(func() error {
		found, more, err = s.each.FindObjects(session, max)
		return err
	})
	return found, more, err
}

func (s *serial) FindObjectsFinal(session pkcs11.SessionHandle) error {
	return s.locked(func() error { return s.each.FindObjectsFinal(session) })
}

func (s *serial) GetAttributeValue(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, wanted []*pkcs11.Attribute) ([]*pkcs11.Attribute, error) {
	return locked(s, func() ([]*pkcs11.Attribute, error) { return s.each.GetAttributeValue(session, object, wanted) })
}

func (s *serial) CreateObject(session pkcs11.SessionHandle, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	return locked(s, func() (pkcs11.ObjectHandle, error) { return s.each.CreateObject(session, template) })
}

func (s *serial) DestroyObject(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) error {
	return s.locked(func() error { return s.each.DestroyObject(session, object) })
}

func (s *serial) GenerateKeyPair(session pkcs11.SessionHandle, how []*pkcs11.Mechanism, public, private []*pkcs11.Attribute) (first, second pkcs11.ObjectHandle, err error) {
	err = s.locked(func() error {
		first, second, err = s.each.GenerateKeyPair(session, how, public, private)
		return err
	})
	return first, second, err
}

func (s *serial) SignWith(session pkcs11.SessionHandle, m *pkcs11.Mechanism, key pkcs11.ObjectHandle, data []byte, size int) ([]byte, error) {
	return locked(s, func() ([]byte, error) { return s.each.SignWith(session, m, key, data, size) })
}

func (s *serial) SignInit(session pkcs11.SessionHandle, how []*pkcs11.Mechanism, key pkcs11.ObjectHandle) error {
	return s.locked(func() error { return s.each.SignInit(session, how, key) })
}

func (s *serial) Sign(session pkcs11.SessionHandle, data []byte) ([]byte, error) {
	return locked(s, func() ([]byte, error) { return s.each.Sign(session, data) })
}
