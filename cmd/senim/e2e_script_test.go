package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// TestScripts runs the program as people do, by testdata/script.
//
// Besides testscript's own commands there are
//
//	demo-json FILE   FILE is what senim demo --json prints, and nothing else
//	left-nothing     the folder for temporary files is empty
func TestScripts(t *testing.T) {
	needsPrograms(t)
	t.Parallel()
	shared, err := filepath.Abs("../../../shared")
	check(t, err)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			endsAtOnce(e)
			e.Setenv("TMPDIR", postgrestest.Folder(e.T().(testing.TB)))
			e.Setenv("SHARED", shared)
			return nil
		},
		Condition: func(condition string) (bool, error) {
			_, err := os.Stat(filepath.Join("../..", realSignature))
			return condition == "shared" && err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"demo-json": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(isDemo([]byte(ts.ReadFile(args[0]))))
			},
			"left-nothing": func(ts *testscript.TestScript, _ bool, _ []string) {
				entries, err := os.ReadDir(ts.Getenv("TMPDIR"))
				ts.Check(err)
				if len(entries) > 0 {
					ts.Fatalf("left are %v", entries)
				}
			},
		},
	})
}

// endsAtOnce is for programs built with the race detector: each would sleep a
// second before its end, and a script runs dozens.
func endsAtOnce(e *testscript.Env) { e.Setenv("GORACE", "atexit_sleep_ms=0") }

// isDemo holds the output of senim demo --json against its keys.
func isDemo(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var got demoResult
	if err := d.Decode(&got); err != nil {
		return err
	}
	if rest := bytes.TrimSpace(raw[d.InputOffset():]); len(rest) > 0 {
		return fault.New(fault.Unreadable, "", "more than one value: %.100q", rest)
	}
	type refused struct {
		Case   string
		Status int
		Code   string
	}
	var refusals []refused
	for _, r := range got.Refusals {
		refusals = append(refusals, refused{r.Case, r.Status, r.Code})
	}
	want := []refused{
		{"tampered", 422, string(fault.DigestMismatch)}, {"revoked", 422, string(fault.CertificateRevoked)},
		{"not_head", 422, string(fault.SignerNotHead)}, {"forged_callback", 401, string(fault.CallbackUnauthentic)},
	}
	if diff := cmp.Diff(want, refusals); diff != "" {
		return fault.New(fault.Unreadable, "/refusals", "%s", diff)
	}
	if got.Dossier.State != "reconciled" || len(got.Dossier.Documents) != 1 || len(got.Dossier.Orders) != 1 || got.Dossier.Totals.OwedTiyn != got.Dossier.Totals.ReconciledTiyn {
		return fault.New(fault.Unreadable, "/dossier", "%+v", got.Dossier)
	}
	if len(got.Steps) < 12 {
		return fault.New(fault.Unreadable, "/steps", "there are %d", len(got.Steps))
	}
	for i, s := range got.Steps {
		if s.Number != i+1 || s.Title == "" || len(s.Details) == 0 || s.Milliseconds < 0 || strings.Contains(s.Title, "%!") {
			return fault.New(fault.Unreadable, "/steps", "%+v", s)
		}
	}
	return nil
}
