package hsm

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/senim-kz/senim/internal/fault"
)

// terminal makes a pseudo-terminal and gives its two ends.
func terminal(t *testing.T) (person *os.File, name string) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs pseudo-terminals: ", err)
	}
	t.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip("needs pseudo-terminals: ", err)
	}
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("needs pseudo-terminals: ", err)
	}
	return person, fmt.Sprint("/dev/pts/", number)
}

// A person is asked, and what they type is not shown.
func TestPINPrompt(t *testing.T) {
	person, name := terminal(t)
	typed := make(chan string, 1)
	go func() {
		r := bufio.NewReader(person)
		asked, _ := r.ReadString(' ') // the question; without it the test fails below
		for {                         // a person types after the question, and not in the same microsecond
			settings, err := unix.IoctlGetTermios(int(person.Fd()), unix.TCGETS)
			if err != nil || settings.Lflag&unix.ECHO == 0 {
				break
			}
		}
		fmt.Fprintln(person, "271828")
		shown, _ := r.ReadString('\n')
		typed <- asked + "|" + shown
	}()
	var got string
	err := PIN{pinPrompt, name}.use(func(pin string) error { got = string([]byte(pin)); return nil })
	if err != nil || got != "271828" {
		t.Fatalf("got %q, %v", got, err)
	}
	if shown := <-typed; shown != "PIN: |\r\n" {
		t.Errorf("the terminal showed %q", shown)
	}
}

func TestPINPromptWithoutATerminal(t *testing.T) {
	for _, name := range []string{"/dev/null", t.TempDir() + "/none"} {
		if err := (PIN{pinPrompt, name}).use(func(string) error { return nil }); !fault.Is(err, fault.PINUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
