package hsmtest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
)

// Soft is an initialised token, logged in.
type Soft struct {
	Module *hsm.Module
	Token  *hsm.Token
	// URI finds the token again; PIN is its user's, PINFile where it is kept.
	URI     string
	PIN     hsm.PIN
	PINFile string
	// ModulePath and Conf (for SOFTHSM2_CONF) are what another program needs.
	ModulePath, Conf string
}

// environment is shared by the tests of a binary: SoftHSM reads SOFTHSM2_CONF
// once, at C_Initialize, and there is one C_Initialize per process.
var environment struct {
	mu     sync.Mutex
	users  int
	made   int
	folder string
	conf   string
}

// SoftHSM makes a new token, or skips the test where SoftHSM2 is not installed.
// It goes away with the test. The options are those of its module, and of the
// library too where no other test uses it.
func SoftHSM(t testing.TB, change ...func(*hsm.Options)) *Soft {
	t.Helper()
	path, err := hsm.SoftHSMLibrary()
	if err != nil {
		t.Skip("needs SoftHSM2: ", err)
	}
	folder, conf, number := enter(t)
	options := hsm.Options{Now: time.Now}
	for _, c := range change {
		c(&options)
	}
	module, err := hsm.OpenModule(path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, module.Close()) })

	label := fmt.Sprintf("test %d", number)
	pins := filepath.Join(folder, fmt.Sprint("pin-", number))
	so, err := hsm.GeneratePINFile(pins + "-so")
	check(t, err)
	user, err := hsm.GeneratePINFile(pins)
	check(t, err)
	check(t, module.InitToken("", label, so, user))
	uri := "pkcs11:token=test%20" + fmt.Sprint(number)
	token, err := module.Token(t.Context(), uri, user)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, token.Close()) })
	return &Soft{Module: module, Token: token, URI: uri, PIN: user, PINFile: pins, ModulePath: path, Conf: conf}
}

// SoftHSMFolder is where SoftHSM keeps a token's files, in the folder that
// hsm.WriteSoftHSMConfig prepared: a UUID that ends with the serial number. A test
// renames it to take the token away.
func SoftHSMFolder(t testing.TB, dir string, token hsm.TokenInfo) string {
	t.Helper()
	half := len(token.Serial) / 4
	folders, err := filepath.Glob(filepath.Join(dir, "tokens", "*-"+token.Serial[:half]+"-"+token.Serial[half:]))
	check(t, err)
	if len(folders) != 1 {
		t.Fatalf("the token %s has %d folders", token.Label, len(folders))
	}
	return folders[0]
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// enter sets the environment up for the first user and takes it down after the
// last.
func enter(t testing.TB) (folder, conf string, number int) {
	e := &environment
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.users == 0 {
		folder, err := os.MkdirTemp("", "senim-softhsm-")
		check(t, err)
		conf, err := hsm.WriteSoftHSMConfig(folder)
		check(t, err)
		// Not t.Setenv: the variable must outlive this test if another has
		// entered meanwhile.
		check(t, os.Setenv("SOFTHSM2_CONF", conf))
		e.folder, e.conf = folder, conf
	}
	e.users++
	e.made++
	t.Cleanup(leave)
	return e.folder, e.conf, e.made
}

func leave() {
	e := &environment
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users--
	if e.users == 0 {
		os.RemoveAll(e.folder)
	}
}
