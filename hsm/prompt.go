package hsm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/senim-kz/senim/internal/fault"
)

// What keys send to a terminal that does nothing with them by itself.
const (
	keyInterrupt = 0x03 // Ctrl-C
	keyEnd       = 0x04 // Ctrl-D
	keyBackspace = 0x08
	keyClear     = 0x15 // Ctrl-U
	keyDelete    = 0x7f
)

// promptSecret reads a line from a terminal into the buffer, without echo. It reads
// key by key: a line that the terminal collects would be copied on its way, and an
// interrupt would wait for its end.
func promptSecret(terminal string, buffer []byte) (n int, err error) {
	tty, err := os.OpenFile(terminal, os.O_RDWR, 0)
	if err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "there is no terminal to ask at")
	}
	defer func() { err = errors.Join(err, tty.Close()) }()
	before, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "there is no terminal to ask at")
	}
	defer func() {
		err = errors.Join(err, term.Restore(int(tty.Fd()), before))
		fmt.Fprintln(tty) // the line end that was not shown
	}()
	if _, err := fmt.Fprint(tty, "PIN: "); err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "ask at the terminal")
	}
	return readLine(tty, buffer)
}

// readLine reads keys up to the end of a line. The buffer is full where it has not
// room for all.
func readLine(keys io.Reader, buffer []byte) (n int, err error) {
	var key [1]byte
	defer clear(key[:])
	for {
		if _, err := io.ReadFull(keys, key[:]); err != nil {
			return 0, fault.Wrap(err, fault.PINUnavailable, "", "read from the terminal")
		}
		switch key[0] {
		case '\r', '\n', keyEnd:
			return n, nil
		case keyInterrupt:
			return 0, fault.New(fault.Cancelled, "", "no PIN was given")
		case keyBackspace, keyDelete:
			_, size := utf8.DecodeLastRune(buffer[:n])
			n -= size
		case keyClear:
			n = 0
		default:
			n += copy(buffer[n:], key[:])
		}
	}
}
