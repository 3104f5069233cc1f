package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shared = "../../../shared/data"

// TestSets runs what is there: every difference must be explained.
func TestSets(t *testing.T) {
	if _, err := os.Stat(shared); err != nil {
		t.Skip("no ../shared/data here")
	}
	var out strings.Builder
	file := filepath.Join(t.TempDir(), "differences")
	ok, err := run(options{data: shared, docs: "../../docs/conformance.md", out: file}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		list, _ := os.ReadFile(file)
		t.Errorf("%s\n%s", out.String(), list)
	}
	if !strings.Contains(out.String(), "pkits 249/249\n") {
		t.Error(out.String())
	}
}

func TestNothingThere(t *testing.T) {
	if _, err := run(options{data: t.TempDir(), docs: "../../docs/conformance.md", out: filepath.Join(t.TempDir(), "x")}, new(strings.Builder)); err == nil {
		t.Error("no set, and no error")
	}
}

func TestExplanations(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "| set | cases | outcome | why |\n|---|---|---|---|\n| s | `a::*` | refused | because |\n| s | `b` | accepted | so |\n"
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := readExplanations(page)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, tt := range []struct {
		set  string
		o    outcome
		want bool
	}{
		{"s", outcome{id: "a::x", want: valid, got: invalid}, true},
		{"s", outcome{id: "a::x", want: invalid, got: valid}, false},
		{"s", outcome{id: "b", want: "UNKNOWN", got: "GOOD"}, true},
		{"s", outcome{id: "b", want: "REVOKED", got: "UNKNOWN"}, false},
		{"t", outcome{id: "b", want: invalid, got: valid}, false},
	} {
		if _, known := list.find(tt.set, tt.o); known != tt.want {
			t.Errorf("%s %+v: %v", tt.set, tt.o, known)
		}
	}
}
