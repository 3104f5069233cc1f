package hsmtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
)

// opencryptoki has one soft token, which belongs to the machine. A test uses it
// only if it is blank, and marks it by this label; it stays so.
const (
	openCryptokiLabel = "senim-test"
	openCryptokiPIN   = "31415926" // 8 digits are the most that it takes
	// openCryptokiSO is what the security officer's PIN of a blank token is.
	openCryptokiSO = "87654321"
)

var openCryptokiLibraries = []string{
	"/usr/lib/x86_64-linux-gnu/pkcs11/libopencryptoki.so", "/usr/lib/aarch64-linux-gnu/pkcs11/libopencryptoki.so",
	"/usr/lib64/pkcs11/libopencryptoki.so",
}

// OpenCryptoki starts opencryptoki's daemon and gives its soft token, or skips
// the test where that is not possible.
func OpenCryptoki(t testing.TB) (module *hsm.Module, uri string, pin hsm.PIN) {
	t.Helper()
	library := firstThere(openCryptokiLibraries)
	daemon, err := exec.LookPath("pkcsslotd")
	switch {
	case err != nil || library == "":
		t.Skip("needs opencryptoki")
	case os.Geteuid() != 0:
		t.Skip("opencryptoki's daemon needs root")
	case slotDaemonRuns():
		t.Skip("opencryptoki's daemon runs already: its token is not ours")
	}
	startSlotDaemon(t, daemon)
	module = openWhenUp(t, library)
	t.Cleanup(func() { check(t, module.Close()) })

	dir := t.TempDir()
	files := make(map[string]hsm.PIN)
	for name, value := range map[string]string{"so": openCryptokiSO, "user": openCryptokiPIN} {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(value), 0o600))
		files[name] = hsm.PINFile(path)
	}
	tokens, err := module.Tokens()
	check(t, err)
	for _, token := range tokens {
		if token.Initialized && token.Label != openCryptokiLabel {
			t.Skipf("opencryptoki's token %q is in use", token.Label)
		}
		if !token.Initialized {
			check(t, module.InitToken("", openCryptokiLabel, files["so"], files["user"]))
		}
	}
	return module, "pkcs11:token=" + openCryptokiLabel, files["user"]
}

func slotDaemonRuns() bool {
	raw, err := os.ReadFile("/run/pkcsslotd.pid")
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	return err == nil && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func startSlotDaemon(t testing.TB, daemon string) {
	t.Helper()
	cmd := exec.Command(daemon, "-f")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // says that it was told to stop
		os.Remove("/run/pkcsslotd.pid")
	})
}

// openWhenUp opens the module, which fails until the daemon has its socket.
func openWhenUp(t testing.TB, library string) *hsm.Module {
	t.Helper()
	var err error
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var module *hsm.Module
		if module, err = hsm.OpenModule(library, hsm.Options{Now: time.Now}); err == nil {
			return module
		}
	}
	t.Skip("opencryptoki does not run here: ", err)
	return nil
}
