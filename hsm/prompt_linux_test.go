package hsm

import (
	"bufio"
	"fmt"
	"os"
	"strings"
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

func TestReadLine(t *testing.T) {
	for keys, want := range map[string]string{
		"1234\r": "1234", "1234\n5": "1234", "1234\x04": "1234", "12\x7f34\r": "134", "1ұ\x08\x08\x082\r": "2",
		"99\x151234\r": "1234", "\r": "", "123456789\r": "12345678",
	} {
		buffer := make([]byte, 8)
		n, err := readLine(strings.NewReader(keys), buffer)
		if got := string(buffer[:n]); err != nil || got != want {
			t.Errorf("%q: got %q, %v", keys, got, err)
		}
	}
	for keys, code := range map[string]fault.Code{"12\x03": fault.Cancelled, "12": fault.PINUnavailable} {
		if n, err := readLine(strings.NewReader(keys), make([]byte, 8)); n != 0 || !fault.Is(err, code) {
			t.Errorf("%q: %d, %v", keys, n, err)
		}
	}
}

// A person who will not give the PIN is not kept, and has their terminal back.
func TestPINPromptInterrupted(t *testing.T) {
	person, name := terminal(t)
	before, err := unix.IoctlGetTermios(int(person.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = bufio.NewReader(person).ReadString(' ') // the question
		_, _ = person.WriteString("27\x03")
	}()
	if err := (PIN{pinPrompt, name}).use(func(string) error { return nil }); !fault.Is(err, fault.Cancelled) {
		t.Errorf("got %v", err)
	}
	after, err := unix.IoctlGetTermios(int(person.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is %+v, was %+v: %v", after, before, err)
	}
}

func TestPINPromptWithoutATerminal(t *testing.T) {
	for _, name := range []string{"/dev/null", t.TempDir() + "/none"} {
		if err := (PIN{pinPrompt, name}).use(func(string) error { return nil }); !fault.Is(err, fault.PINUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
