package fault

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/reasons.md")

func TestEveryEntryIsWhole(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for _, e := range All() {
		if !name.MatchString(string(e.Code)) {
			t.Errorf("%q is not lower_snake_case", e.Code)
		}
		if e.Class < BadInput || e.Class > Fatal {
			t.Errorf("%s: no class", e.Code)
		}
		for lang, text := range map[Language]string{Kazakh: e.KK, Russian: e.RU, English: e.EN} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: no %s message", e.Code, lang)
			}
			if got := e.Code.Message(lang); got != text {
				t.Errorf("%s: Message(%s) = %q", e.Code, lang, got)
			}
		}
	}
}

// A code is a promise: docs/reasons.md is the list that others build on.
func TestReasonsPageListsEveryCode(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Reasons\n\nEvery refusal carries one of these codes. A code is never renamed.\n")
	b.WriteString("This page is written by `go test ./internal/fault -update`; a test holds it true.\n\n")
	b.WriteString("| code | class | қазақша | по-русски | English |\n|---|---|---|---|---|\n")
	for _, e := range All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", e.Code, e.Class, e.KK, e.RU, e.EN)
	}
	page := filepath.Join("..", "..", "docs", "reasons.md")
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("docs/reasons.md differs from the catalogue; run go test ./internal/fault -update")
	}
}

func TestErrorKeepsCodeThroughWrapping(t *testing.T) {
	cause := errors.New("short read")
	err := fmt.Errorf("read declaration: %w", Wrap(cause, Unreadable, "/file", "at byte %d", 7))
	if got := CodeOf(err); got != Unreadable {
		t.Errorf("CodeOf = %s", got)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if want := "read declaration: unreadable at /file: at byte 7: short read"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
	if CodeOf(nil) != "" || CodeOf(cause) != Internal {
		t.Error("unclassified errors must be internal, nil must have no code")
	}
	if Code("never_declared").Class() != Fatal {
		t.Error("an unknown code must be Fatal")
	}
}

func TestParseLanguage(t *testing.T) {
	for in, want := range map[string]Language{
		"kk_KZ.UTF-8": Kazakh, "ru": Russian, "ru-RU,ru;q=0.9": Russian, "C.UTF-8": English, "": English, "de": English,
	} {
		if got := ParseLanguage(in); got != want {
			t.Errorf("ParseLanguage(%q) = %s, want %s", in, got, want)
		}
	}
}
