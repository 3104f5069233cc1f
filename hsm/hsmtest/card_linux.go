package hsmtest

import (
	"bytes"
	"fmt"
	"io"
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

// cardWaitMax bounds the wait for pcscd and OpenSC to see a card.
const cardWaitMax = 20 * time.Second

// PIVCard is the virtual card in a reader of its own.
type PIVCard struct {
	Module  *hsm.Module
	URI     string
	PIN     hsm.PIN
	PINFile string
	// ModulePath, and Environment for another program that drives the card.
	ModulePath  string
	Environment []string

	folder string
	reader string // the address that the card connects to
	card   *exec.Cmd
	stdin  io.Closer
	said   bytes.Buffer
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
// (sd_listen_fds(3)), so that it touches no other pcscd.
func (c *PIVCard) startReader(t testing.TB, daemon, driver, socket string) {
	t.Helper()
	port := freePorts(t)
	c.reader = fmt.Sprint("127.0.0.1:", port)
	drivers := filepath.Join(c.folder, "reader.conf.d")
	check(t, os.Mkdir(drivers, 0o700))
	text := fmt.Sprintf("FRIENDLYNAME \"Senim\"\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n", port, driver, port)
	check(t, os.WriteFile(filepath.Join(drivers, "vpcd"), []byte(text), 0o600))
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	check(t, err)
	file, err := listener.File()
	check(t, err)
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --foreground --error --config "$1"`, daemon, drivers)
	cmd.ExtraFiles = []*os.File{file} // becomes descriptor 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	check(t, cmd.Start())
	check(t, file.Close())
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
	for deadline := time.Now().Add(cardWaitMax); ; {
		// A program asks pcscd for its readers: it answers, or does not run here.
		if conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port+1)); err == nil { // the second slot, which stays empty
			conn.Close()
			return
		}
		select {
		case <-ended:
			t.Skipf("pcscd does not run here: %s", said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Skipf("pcscd opened no reader in %s: %s", cardWaitMax, said.String())
		}
	}
}

// freePorts finds a port that is free, as the next one is: vpcd has two slots.
func freePorts(t testing.TB) int {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", ":0")
		check(t, err)
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", fmt.Sprint(":", port+1))
		first.Close()
		if err == nil {
			second.Close()
			return port
		}
	}
	t.Fatal("no two free ports")
	return 0
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
	c.card = exec.Command(program)
	c.card.Env = append(os.Environ(), cardVariable+"="+folder, readerVariable+"="+c.reader)
	c.card.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.card.Stderr = &c.said
	c.stdin, err = c.card.StdinPipe()
	check(t, err)
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
