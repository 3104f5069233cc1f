package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

const shared = "../../../shared/data"

// TestSets runs what is there: every difference must be explained.
func TestSets(t *testing.T) {
	if testing.Short() {
		t.Skip("some minutes under the race detector, and the sets run one after the other")
	}
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
	text := "| set | cases | outcome | reason | why |\n|---|---|---|---|---|\n" +
		"| s | `a::*` | refused | `not_a_ca` | because |\n" +
		"| s | `b` | accepted | - | so |\n" +
		"| s | `c/*` | accepted | `*one rule*` | so |\n" +
		"| s | `c/*` | accepted | `another` | thus |\n"
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := readExplanations(page)
	if err != nil || len(list) != 4 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, tt := range []struct {
		set  string
		o    outcome
		want bool
	}{
		{"s", outcome{id: "a::x", want: valid, got: invalid, reason: fault.NotACA}, true},
		{"s", outcome{id: "a::x", want: valid, got: invalid, reason: fault.PathTooLong}, false},
		{"s", outcome{id: "a::x", want: invalid, got: valid}, false},
		{"s", outcome{id: "b", want: "UNKNOWN", got: "GOOD"}, true},
		{"s", outcome{id: "b", want: "UNKNOWN", got: "GOOD", theirs: []string{"a rule"}}, false},
		{"s", outcome{id: "b", want: "REVOKED", got: "UNKNOWN"}, false},
		{"s", outcome{id: "c/1", want: invalid, got: valid, theirs: []string{"it breaks one rule/law", "another"}}, true},
		{"s", outcome{id: "c/1", want: invalid, got: valid, theirs: []string{"it breaks one rule", "a third"}}, false},
		{"s", outcome{id: "c/1", want: valid + " 1", got: valid + " 1 2"}, false},
		{"t", outcome{id: "b", want: invalid, got: valid}, false},
	} {
		if _, known := list.find(tt.set, tt.o); known != tt.want {
			t.Errorf("%s %+v: %v", tt.set, tt.o, known)
		}
	}
}

// A row must be about a set that exists, a refusal's about a code that exists,
// and none may explain whatever comes.
func TestRowsAreWellFormed(t *testing.T) {
	list, err := readExplanations("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, s := range sets {
		names[s.name] = true
	}
	codes := make(map[string]bool)
	for _, e := range fault.All() {
		codes[string(e.Code)] = true
	}
	for _, e := range list {
		if !names[e.set] {
			t.Errorf("no set %q", e.set)
		}
		if e.cases == "*" && (e.reason == "*" || e.reason == "-") {
			t.Errorf("%s: a row that explains everything: %s", e.set, e.why)
		}
		if e.outcome == "refused" && !codes[e.reason] {
			t.Errorf("%s: %q is no code", e.set, e.reason)
		}
	}
}
