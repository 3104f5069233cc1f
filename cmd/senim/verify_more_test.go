package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
)

// digestOf is a file's SHA-256 as --content-digest takes it.
func digestOf(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	check(t, err)
	sum := sha256.Sum256(raw)
	return "SHA-256:" + hex.EncodeToString(sum[:])
}

// signedAndBroken are a good signature, a changed one, and what is none.
func signedAndBroken(t *testing.T) (tr trader, good, changed, none string) {
	tr = newTrader(t)
	good = tr.sign(t, "-nodetach")
	raw, err := os.ReadFile(good)
	check(t, err)
	changed, none = filepath.Join(tr.dir, "changed.p7m"), filepath.Join(tr.dir, "none.p7m")
	check(t, os.WriteFile(changed, bytes.Replace(raw, []byte("declaration"), []byte("declaratiom"), 1), 0o600))
	check(t, os.WriteFile(none, []byte("no signature"), 0o600))
	return tr, good, changed, none
}

func TestVerifySeveralFiles(t *testing.T) {
	tr, good, changed, none := signedAndBroken(t)
	trusted := []string{"--anchors", tr.root, "--crls", tr.crl}
	for name, tt := range map[string]struct {
		files []string
		code  int
		word  string
	}{
		"all good":           {[]string{good, good}, exitOK, "TOTAL-PASSED"},
		"one unreadable":     {[]string{good, none, good}, exitBadInput, "INDETERMINATE"},
		"one failed":         {[]string{none, changed, good}, exitFailed, "TOTAL-FAILED"},
		"one is not there":   {[]string{good, filepath.Join(tr.dir, "nowhere")}, exitBadInput, "INDETERMINATE"},
		"the same many time": {[]string{good, good, good, good, good, good, good, good}, exitOK, "TOTAL-PASSED"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := senimVerify(t, fault.Kazakh, append(append(trusted, "--json"), tt.files...)...)
			var got struct {
				Indication string
				Results    []fileResult
			}
			check(t, json.Unmarshal([]byte(stdout), &got))
			if code != tt.code || got.Indication != tt.word || len(got.Results) != len(tt.files) || (stderr == "") != (tt.code == exitOK) {
				t.Errorf("exit %d, stderr %q\n%s", code, stderr, stdout)
			}
			for i, r := range got.Results {
				if r.File != filepath.Base(tt.files[i]) || (r.Report == nil) == (r.Error == nil) {
					t.Errorf("result %d: %+v", i, r)
				}
			}
		})
	}
	code, text, _ := senimVerify(t, fault.English, append(trusted, good, none, changed)...)
	if code != exitFailed || strings.Count(text, "(TOTAL-PASSED)") != 2 || !strings.Contains(text, "none.p7m: ") || !strings.Contains(text, "TOTAL-FAILED/HASH_FAILURE") {
		t.Errorf("exit %d\n%s", code, text)
	}
}

// Each of several detached signatures has its content, in their order.
func TestVerifyContentOfEach(t *testing.T) {
	tr := newTrader(t)
	first := filepath.Join(tr.dir, "first.p7s")
	check(t, os.Rename(tr.sign(t), first))
	other := filepath.Join(tr.dir, "other")
	check(t, os.WriteFile(other, []byte("other"), 0o600))
	code, stdout, stderr := senimVerify(t, fault.English, "--anchors", tr.root, "--crls", tr.crl, "--json", "--content", tr.document, "--content", other, first, first)
	if code != exitFailed || strings.Count(stdout, `"sub_indication": "HASH_FAILURE"`) < 1 || !strings.Contains(stdout, `"indication": "TOTAL-PASSED"`) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestVerifyFormatsAndLanguages(t *testing.T) {
	tr, good, _, _ := signedAndBroken(t)
	for name, tt := range map[string]struct {
		arguments []string
		begins    string
	}{
		"text":         {[]string{"--format", "text"}, "The signature is valid (TOTAL-PASSED).\n"},
		"in Kazakh":    {[]string{"--lang", "kk"}, "Қолтаңба жарамды (TOTAL-PASSED).\n"},
		"in Russian":   {[]string{"--lang", "ru"}, "Подпись действительна (TOTAL-PASSED).\n"},
		"JSON":         {[]string{"--format", "json"}, "{\n  \"file\""},
		"JSON, twice":  {[]string{"--json", "--format", "json"}, "{\n  \"file\""},
		"ETSI's XML":   {[]string{"--format", "xml"}, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<vr:ValidationReport "},
		"contradicted": {[]string{"--json", "--format", "xml"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, _ := senimVerify(t, fault.English, append(tt.arguments, "--anchors", tr.root, "--crls", tr.crl, good)...)
			if tt.begins == "" {
				if code != exitUsage || stdout != "" {
					t.Errorf("exit %d, %s", code, stdout)
				}
				return
			}
			if code != exitOK || !strings.HasPrefix(stdout, tt.begins) {
				t.Errorf("exit %d, %s", code, stdout)
			}
		})
	}
}

// The standard input is a document like any other.
func TestVerifyStandardInput(t *testing.T) {
	tr, good, _, _ := signedAndBroken(t)
	raw, err := os.ReadFile(good)
	check(t, err)
	for name, tt := range map[string]struct {
		input []byte
		code  int
	}{"signed": {raw, exitOK}, "empty": {nil, exitBadInput}} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			p := &program{stdin: bytes.NewReader(tt.input), stdout: &out, stderr: &errs, environ: []string{"SENIM_TRUST=" + t.TempDir()}, language: fault.English, now: time.Now}
			if code := p.run(context.Background(), []string{"verify", "--offline", "--anchors", tr.root, "--crls", tr.crl, "-"}); code != tt.code {
				t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
			}
		})
	}
}

// What the verdict rests on comes out as files under their digests, and with
// nothing but them the verdict is the same.
func TestVerifyEvidenceOut(t *testing.T) {
	tr, good, _, _ := signedAndBroken(t)
	folder, saved := filepath.Join(tr.dir, "evidence", "of", "this"), filepath.Join(tr.dir, "facts")
	at := time.Now().UTC().Format(time.RFC3339)
	code, first, stderr := senimVerify(t, fault.English, "--anchors", tr.root, "--crls", tr.crl, "--at", at, "--evidence-out", folder, "--facts-out", saved, "--json", good)
	if code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, first, stderr)
	}
	var report verifier.Report
	check(t, json.Unmarshal([]byte(first), &report))
	entries, err := os.ReadDir(folder)
	check(t, err)
	if len(entries) != len(report.Objects) || len(entries) < 3 {
		t.Fatalf("%d files for %d objects", len(entries), len(report.Objects))
	}
	for _, e := range entries {
		if name, _, _ := strings.Cut(e.Name(), "."); digestOf(t, filepath.Join(folder, e.Name())) != "SHA-256:"+name {
			t.Errorf("%s is not its own digest", e.Name())
		}
		info, err := e.Info()
		check(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %s", e.Name(), info.Mode())
		}
	}
	for _, format := range []string{"json", "xml", "text"} {
		_, direct, _ := senimVerify(t, fault.English, "--anchors", tr.root, "--crls", tr.crl, "--at", at, "--format", format, good)
		var out, errs bytes.Buffer
		p := &program{stdout: &out, stderr: &errs, language: fault.English, now: time.Now}
		p.run(context.Background(), []string{"verify", "--facts", saved, "--anchors", tr.root, "--at", at, "--format", format})
		if out.String() != direct || direct == "" {
			t.Errorf("%s: the saved facts give another report: %s", format, errs.String())
		}
	}
	if code, _, _ := senimVerify(t, fault.English, "--evidence-out", tr.document, good); code != exitUsage {
		t.Errorf("a file instead of a folder: exit %d", code)
	}
}
