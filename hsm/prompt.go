package hsm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/senim-kz/senim/internal/fault"
)

// promptSecret reads a line from a terminal into the buffer, without echo.
func promptSecret(terminal string, buffer []byte) (n int, err error) {
	tty, err := os.OpenFile(terminal, os.O_RDWR, 0)
	if err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "there is no terminal to ask at")
	}
	defer func() { err = errors.Join(err, tty.Close()) }()
	if _, err := fmt.Fprint(tty, "PIN: "); err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "ask at the terminal")
	}
	line, err := term.ReadPassword(int(tty.Fd()))
	defer clear(line)
	fmt.Fprintln(tty) // the line end that was not shown
	if err != nil {
		return 0, fault.Wrap(err, fault.PINUnavailable, "", "read from the terminal")
	}
	return copy(buffer, line), nil
}
