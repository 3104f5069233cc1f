package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
)

// full is a disk that takes so many bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errors.New("no space left")
	}
	f.room -= len(p)
	return len(p), nil
}

// A command whose result went nowhere has not succeeded, even where the command
// itself does not look.
func TestResultThatCannotBeWritten(t *testing.T) {
	library, err := hsm.SoftHSMLibrary()
	if err != nil {
		t.Skip(err)
	}
	conf, err := hsm.WriteSoftHSMConfig(t.TempDir())
	check(t, err)
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, row := range []struct {
		args []string
		room int
		want int
	}{
		{[]string{"--help"}, 1 << 20, exitOK},
		{[]string{"--help"}, 0, exitFailed},
		{[]string{"token", "list", "--module", library}, 1 << 20, exitOK},
		{[]string{"token", "list", "--module", library}, 0, exitFailed},
		{[]string{"token", "list", "--module", library, "--json"}, 10, exitFailed},
	} {
		var errs bytes.Buffer
		p := &program{stdout: &full{row.room}, stderr: &errs, language: fault.English, now: time.Now}
		if got := p.run(t.Context(), row.args); got != row.want || (got != exitOK) != strings.Contains(errs.String(), "no space left") {
			t.Errorf("%v with room for %d bytes: %d\n%s", row.args, row.room, got, &errs)
		}
	}
}
