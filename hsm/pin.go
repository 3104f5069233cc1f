package hsm

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"github.com/senim-kz/senim/internal/fault"
)

// pinBytesMax is above what tokens take (SoftHSM: 255) and small enough to read
// into one buffer that is never reallocated, so that no copy is left behind.
const pinBytesMax = 256

// PIN says where a PIN is; it does not hold it. The value is read when a token
// asks for it and wiped when the call returns. It has no form that prints, and
// there is no way to give one in a flag or a URI.
//
// The token is handed the buffer itself (loaded.go). A value in the environment
// stays there.
type PIN struct {
	kind pinKind
	name string
}

type pinKind uint8

const (
	pinNone pinKind = iota
	pinFile
	pinEnvironment
	pinCredential
	pinPrompt
)

// PINFile reads the PIN from the first line of a file. A file that strangers may read
// or write, or its group may write, is refused.
func PINFile(path string) PIN { return PIN{pinFile, path} }

// PINEnvironment reads the PIN from a named environment variable.
func PINEnvironment(name string) PIN { return PIN{pinEnvironment, name} }

// PINCredential reads the PIN from a systemd credential (LoadCredential= of
// systemd.exec(5)): a file under $CREDENTIALS_DIRECTORY.
func PINCredential(name string) PIN { return PIN{pinCredential, name} }

// PINPrompt asks for the PIN at the process's terminal, without showing it, each
// time a token wants it: once at the login, and for each signature of a key that
// asks always.
func PINPrompt() PIN { return PIN{pinPrompt, "/dev/tty"} }

// asks reports whether a person is asked, for whom there is no time limit.
func (p PIN) asks() bool { return p.kind == pinPrompt }

// GeneratePINFile writes a random PIN of 128 bits to a new file that only its
// owner can read. It fails if the file exists. The file appears whole and durable, or
// not at all: a token may be initialised with it next.
func GeneratePINFile(path string) (PIN, error) {
	var secret [16]byte
	rand.Read(secret[:])
	defer clear(secret[:])
	text := hex.AppendEncode(nil, secret[:])
	defer clear(text)
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return PIN{}, fault.Wrap(err, fault.PINUnavailable, "", "create the PIN file")
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return PIN{}, fault.Wrap(err, fault.PINUnavailable, "", "write the PIN file")
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename, it replaces nothing
		return PIN{}, fault.Wrap(err, fault.PINUnavailable, "", "name the PIN file")
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return PIN{}, fault.Wrap(err, fault.PINUnavailable, "", "write the PIN file's folder")
	}
	return PINFile(path), nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// String names the source, never the value.
func (p PIN) String() string {
	switch p.kind {
	case pinFile:
		return "PIN in file " + p.name
	case pinEnvironment:
		return "PIN in environment variable " + p.name
	case pinCredential:
		return "PIN in credential " + p.name
	case pinPrompt:
		return "PIN from the terminal"
	}
	return "no PIN"
}

// GoString is String: %#v must not find more.
func (p PIN) GoString() string { return p.String() }

// LogValue is String.
func (p PIN) LogValue() slog.Value { return slog.StringValue(p.String()) }

// use reads the PIN, lends it to fn and wipes it. fn must not keep the string:
// it is the buffer itself.
func (p PIN) use(fn func(pin string) error) error {
	var buffer [pinBytesMax + 2]byte // and a line end
	defer clear(buffer[:])
	n, err := p.read(buffer[:])
	if err != nil {
		return err
	}
	value, _, ended := bytes.Cut(buffer[:n], []byte("\n"))
	value = bytes.TrimSuffix(value, []byte("\r"))
	switch {
	case bytes.HasPrefix(value, []byte("\ufeff")):
		// It would cost an attempt, and a person does not see it.
		return fault.New(fault.PINUnavailable, "", "%s begins with a byte order mark", p)
	case len(value) == 0:
		return fault.New(fault.PINUnavailable, "", "%s is empty", p)
	case len(value) > pinBytesMax || n == len(buffer) && !ended:
		return fault.New(fault.PINUnavailable, "", "%s is longer than %d bytes", p, pinBytesMax)
	case bytes.IndexByte(value, 0) >= 0:
		return fault.New(fault.PINUnavailable, "", "%s holds a zero byte", p)
	}
	return fn(unsafe.String(&value[0], len(value)))
}

func (p PIN) read(buffer []byte) (int, error) {
	switch p.kind {
	case pinFile:
		return readSecret(p.name, buffer)
	case pinEnvironment:
		value, set := os.LookupEnv(p.name)
		if !set {
			return 0, fault.New(fault.PINUnavailable, "", "%s is not set", p)
		}
		return copy(buffer, value), nil
	case pinCredential:
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" || p.name == "" || strings.ContainsRune(p.name, filepath.Separator) || p.name == ".." || p.name == "." {
			return 0, fault.New(fault.PINUnavailable, "", "%s: no credentials directory, or not a credential's name", p)
		}
		return readSecret(filepath.Join(dir, p.name), buffer)
	case pinPrompt:
		return promptSecret(p.name, buffer)
	}
	return 0, fault.New(fault.PINUnavailable, "", "no source of the PIN is configured")
}

// readSecret fills the buffer from a file that strangers cannot read.
func readSecret(path string, buffer []byte) (int, error) {
	// A pipe, which is refused below, would wait here for somebody to write.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "open the PIN file")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "inspect the PIN file")
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o027 != 0 {
		return 0, fault.New(fault.PINUnavailable, path, "the PIN file must be a regular file that others cannot read and its group cannot write (chmod 600)")
	}
	n, err := io.ReadFull(f, buffer)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "read the PIN file")
	}
	return n, nil
}
