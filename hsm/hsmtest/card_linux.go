package hsmtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest/pivcard"
)

// Places where Debian's packages put things.
var (
	openSCLibraries = []string{
		"/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so", "/usr/lib64/opensc-pkcs11.so",
	}
	readerDrivers = []string{"/usr/lib/pcsc/drivers/serial/libifdvpcd.so"}
)

const (
	// cardWaitMax bounds the wait for pcscd and OpenSC to see a card.
	cardWaitMax = 2 * time.Minute
	// readerPort is where the virtual reader listens for a card, and at the next
	// one for its second slot, which stays empty. It is none of those that a connection
	// comes from: one to where nobody listens yet could meet itself.
	readerPort = 5963
)

// PIVCard is the virtual card in a reader of its own.
type PIVCard struct {
	Module  *hsm.Module
	URI     string
	PIN     hsm.PIN
	PINFile string
	// ModulePath, and Environment for another program that drives the card.
	ModulePath  string
	Environment []string

	folder  string
	network *loopback // the reader's
	card    *exec.Cmd
	said    bytes.Buffer
}

// reader is what a process has one of: pcscd's library reads the name of its
// socket once.
var reader struct {
	mu sync.Mutex
}

// Card starts pcscd on a socket of its own and puts a new card into its virtual
// reader, or skips the test where one of the programs is missing or pcscd cannot
// run. The tests of a binary have it in turn.
func Card(t testing.TB, change ...func(*hsm.Options)) *PIVCard {
	t.Helper()
	library, driver := firstThere(openSCLibraries), firstThere(readerDrivers)
	daemon, err := exec.LookPath("pcscd")
	switch {
	case err != nil:
		t.Skip("needs pcscd: ", err)
	case driver == "":
		t.Skip("needs the virtual reader (vsmartcard-vpcd)")
	case library == "":
		t.Skip("needs OpenSC's module (opensc-pkcs11)")
	}
	reader.mu.Lock()
	t.Cleanup(reader.mu.Unlock)
	c := &PIVCard{folder: t.TempDir(), ModulePath: library}
	socket := filepath.Join(os.TempDir(), fmt.Sprint("senim-pcscd-", os.Getpid()))
	config := filepath.Join(c.folder, "opensc.conf")
	check(t, os.WriteFile(config, []byte("app default {\n  card_drivers = PIV-II;\n}\n"), 0o600))
	for name, value := range map[string]string{"PCSCLITE_CSOCK_NAME": socket, "OPENSC_CONF": config} {
		check(t, os.Setenv(name, value)) // not t.Setenv, which parallel tests may not call
		c.Environment = append(c.Environment, name+"="+value)
	}
	c.startReader(t, daemon, driver, socket)
	c.Insert(t)
	o := hsm.Options{Now: time.Now, PollEvery: 20 * time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	c.Module, err = hsm.OpenModule(library, o)
	check(t, err)
	t.Cleanup(func() { check(t, c.Module.Close()) })
	c.PINFile = filepath.Join(c.folder, "pin")
	check(t, os.WriteFile(c.PINFile, []byte(pivcard.PIN), 0o600))
	c.PIN = hsm.PINFile(c.PINFile)
	c.URI = c.WaitForToken(t)
	return c
}

func firstThere(paths []string) string {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// startReader runs pcscd with a socket that it inherits, as from systemd
// (sd_listen_fds(3)), so that it touches no other pcscd. Its virtual reader listens
// on all addresses, and cannot be told otherwise: so pcscd gets a network of its
// own, which has loopback and nothing else. (A device named host:port has vpcd
// connect instead of listen, but vpcd 3.3 aborts pcscd when that connection ends.)
func (c *PIVCard) startReader(t testing.TB, daemon, driver, socket string) {
	t.Helper()
	drivers := filepath.Join(c.folder, "reader.conf.d")
	check(t, os.Mkdir(drivers, 0o700))
	text := fmt.Sprintf("FRIENDLYNAME \"Senim\"\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n", readerPort, driver, readerPort)
	check(t, os.WriteFile(filepath.Join(drivers, "vpcd"), []byte(text), 0o600))
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	check(t, err)
	file, err := listener.File()
	check(t, err)
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --foreground --error --config "$1"`, daemon, drivers)
	cmd.ExtraFiles = []*os.File{file} // becomes descriptor 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Start()
	check(t, file.Close())
	if errors.Is(err, syscall.EPERM) {
		listener.Close()
		t.Skip("pcscd is run in a network of its own, which needs root: ", err)
	}
	check(t, err)
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		listener.Close()
		os.Remove(socket)
	})
	c.network, err = openLoopback(cmd.Process.Pid)
	check(t, err)
	t.Cleanup(func() { check(t, c.network.close()) })
	for deadline := time.Now().Add(cardWaitMax); ; {
		if conn, err := c.network.connect(readerPort + 1); err == nil {
			conn.Close()
			return
		}
		select {
		case <-ended:
			t.Skipf("pcscd does not run here: %s", said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Skipf("pcscd opened no reader in %s", cardWaitMax)
		}
	}
}

// Insert puts the card in.
func (c *PIVCard) Insert(t testing.TB) {
	t.Helper()
	c.insert(t, c.folder)
}

// InsertAnother puts another card in, with the same PIN and names of keys.
func (c *PIVCard) InsertAnother(t testing.TB) {
	t.Helper()
	c.insert(t, t.TempDir())
}

func (c *PIVCard) insert(t testing.TB, folder string) {
	t.Helper()
	program, err := os.Executable()
	check(t, err)
	conn, err := c.network.connect(readerPort)
	check(t, err)
	defer conn.Close()
	c.card = exec.Command(program)
	c.card.Env = append(os.Environ(), cardVariable+"="+folder)
	c.card.ExtraFiles = []*os.File{conn} // becomes cardDescriptor
	c.card.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.card.Stderr = &c.said
	check(t, c.card.Start())
	card := c.card
	t.Cleanup(func() {
		if c.card == card {
			c.Pull(t)
		}
	})
}

// Pull pulls the card out: its process is killed.
func (c *PIVCard) Pull(t testing.TB) {
	t.Helper()
	check(t, c.card.Process.Kill())
	_ = c.card.Wait() // says that it was killed
	c.card = nil
}

// WaitForToken waits until OpenSC sees a card and gives its URI.
func (c *PIVCard) WaitForToken(t testing.TB) string {
	t.Helper()
	return c.waitFor(t, true)
}

// WaitForNone waits until OpenSC sees no card.
func (c *PIVCard) WaitForNone(t testing.TB) {
	t.Helper()
	c.waitFor(t, false)
}

func (c *PIVCard) waitFor(t testing.TB, present bool) (uri string) {
	t.Helper()
	for deadline := time.Now().Add(cardWaitMax); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		tokens, err := c.Module.Tokens()
		check(t, err)
		uri = ""
		for _, token := range tokens {
			if token.Initialized {
				uri = token.URI()
			}
		}
		if (uri != "") == present {
			return uri
		}
	}
	t.Fatalf("for %s OpenSC sees a card: %v: %s", cardWaitMax, !present, c.said.String())
	return ""
}
