package hsm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

func TestPINSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe") // nobody writes to it
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("SENIM_TEST_PIN", "from env")
	t.Setenv("SENIM_TEST_EMPTY", "")
	rows := []struct {
		name string
		pin  PIN
		want string // empty: refused
	}{
		{"file", PINFile(write("plain", "1234", 0o600)), "1234"},
		{"line end", PINFile(write("unix", "1234\n", 0o400)), "1234"},
		{"CRLF", PINFile(write("dos", "1234\r\nsecond line", 0o440)), "1234"},
		{"longest", PINFile(write("longest", strings.Repeat("9", pinBytesMax), 0o600)), strings.Repeat("9", pinBytesMax)},
		{"too long", PINFile(write("long", strings.Repeat("9", pinBytesMax+1), 0o600)), ""},
		{"endless", PINFile(write("endless", strings.Repeat("9", 10000), 0o600)), ""},
		{"much below it", PINFile(write("below", "1234\n"+strings.Repeat("a line of words\n", 100), 0o600)), "1234"},
		{"longest and CRLF", PINFile(write("longest-dos", strings.Repeat("9", pinBytesMax)+"\r\n", 0o600)), strings.Repeat("9", pinBytesMax)},
		{"byte order mark", PINFile(write("bom", "\ufeff1234\n", 0o600)), ""},
		{"pipe", PINFile(pipe), ""},
		{"empty file", PINFile(write("empty", "\n", 0o600)), ""},
		{"zero byte", PINFile(write("zero", "12\x0034", 0o600)), ""},
		{"readable by all", PINFile(write("all", "1234", 0o604)), ""},
		{"writable by the group", PINFile(write("group", "1234", 0o620)), ""},
		{"folder", PINFile(dir), ""},
		{"no file", PINFile(filepath.Join(dir, "none")), ""},
		{"environment", PINEnvironment("SENIM_TEST_PIN"), "from env"},
		{"environment empty", PINEnvironment("SENIM_TEST_EMPTY"), ""},
		{"environment unset", PINEnvironment("SENIM_TEST_UNSET"), ""},
		{"credential", PINCredential("plain"), "1234"},
		{"credential elsewhere", PINCredential("../" + filepath.Base(dir) + "/plain"), ""},
		{"none", PIN{}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var lent []byte
			err := row.pin.use(func(pin string) error {
				lent = []byte(pin)
				return nil
			})
			if string(lent) != row.want {
				t.Errorf("got %q", lent)
			}
			if row.want == "" && !fault.Is(err, fault.PINUnavailable) {
				t.Errorf("refused with %v", err)
			}
		})
	}
}

func TestPINIsWipedAfterUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte("314159"), 0o600); err != nil {
		t.Fatal(err)
	}
	var kept string
	if err := PINFile(path).use(func(pin string) error { kept = pin; return nil }); err != nil {
		t.Fatal(err)
	}
	if kept != "\x00\x00\x00\x00\x00\x00" {
		t.Error("the buffer still holds the PIN")
	}
}

func TestPINNeverPrints(t *testing.T) {
	t.Setenv("SENIM_TEST_PIN", "271828")
	pin := PINEnvironment("SENIM_TEST_PIN")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "pin", pin)
	asJSON, err := json.Marshal(pin)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(pin), fmt.Sprintf("%+v %#v", pin, pin), log.String(), string(asJSON)} {
		if strings.Contains(s, "271828") {
			t.Errorf("printed: %s", s)
		}
	}
}

func TestGeneratePINFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pin")
	pin, err := GeneratePINFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := pin.use(func(s string) error {
		if len(s) != 32 {
			return fmt.Errorf("%d characters", len(s))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := GeneratePINFile(path); !fault.Is(err, fault.PINUnavailable) {
		t.Errorf("a PIN that is there: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("an existing PIN was overwritten: %v", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) != 1 {
		t.Errorf("beside the PIN are %v, %v", there, err)
	}
}
