package state_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox/state"
)

type kept struct{ Number int }

func TestSavedIsLoaded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "state.json")
	var got kept
	if found, err := state.Load(path, &got); found || err != nil {
		t.Errorf("nothing there yet: %v %v", found, err)
	}
	for n := range 3 {
		if err := state.Save(path, kept{n}); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := state.Load(path, &got); !found || err != nil || got.Number != 2 {
		t.Errorf("%v %v %v", got, found, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("left over: %v %v", entries, err)
	}
	if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	damaged, huge := filepath.Join(dir, "damaged"), filepath.Join(dir, "huge")
	if err := os.WriteFile(damaged, []byte(`{"Number":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<30); err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]fault.Code{damaged: fault.Unreadable, huge: fault.InputTooBig, dir: fault.Internal} {
		if _, err := state.Load(path, new(kept)); !fault.Is(err, code) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	// What cannot be written leaves what is there.
	if err := state.Save(damaged, func() {}); err == nil {
		t.Error("a function was saved")
	}
	if data, err := os.ReadFile(damaged); err != nil || string(data) != `{"Number":` {
		t.Errorf("%q %v", data, err)
	}
	if err := state.Save(dir, kept{}); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v %v", entries, err)
	}
}
