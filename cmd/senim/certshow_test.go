package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

var updateCertShow = flag.Bool("update-cert-show", false, "write the golden output of senim cert show")

// certShow runs the command on a day of 2026.
func certShow(t *testing.T, language fault.Language, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	now := func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }
	p := &program{stdout: &out, stderr: &errs, language: language, now: now}
	code = p.run(context.Background(), append([]string{"cert", "show"}, arguments...))
	return code, out.String(), errs.String()
}

// The files are of a trader and an authority that do not exist.
func TestCertShowGolden(t *testing.T) {
	folder := filepath.Join("testdata", "certshow")
	for _, tt := range []struct {
		golden    string
		language  fault.Language
		arguments []string
	}{
		{"pem.en.txt", fault.English, []string{"trader.pem"}},
		{"pem.ru.txt", fault.Russian, []string{"trader.pem"}},
		{"pem.kk.txt", fault.Kazakh, []string{"trader.pem"}},
		{"der.json", fault.English, []string{"--json", "trader.der"}},
		{"p7b.en.txt", fault.English, []string{"trader.p7b"}},
		{"p12.en.txt", fault.English, []string{"--password-file", filepath.Join(folder, "password"), "trader.p12"}},
		{"p12.json", fault.Kazakh, []string{"--json", "--password-file", filepath.Join(folder, "password"), "trader.p12"}},
	} {
		t.Run(tt.golden, func(t *testing.T) {
			last := len(tt.arguments) - 1
			arguments := append(slices.Clone(tt.arguments[:last]), filepath.Join(folder, tt.arguments[last]))
			code, stdout, stderr := certShow(t, tt.language, arguments...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit %d, %s", code, stderr)
			}
			golden := filepath.Join(folder, tt.golden)
			if *updateCertShow {
				check(t, os.WriteFile(golden, []byte(stdout), 0o644))
			}
			want, err := os.ReadFile(golden)
			check(t, err)
			if stdout != string(want) {
				t.Errorf("got\n%s\nwant\n%s", stdout, want)
			}
			if strings.Contains(stdout, "900101300018") != strings.HasSuffix(tt.golden, ".json") {
				t.Error("the IIN is whole in the text, or missing in JSON")
			}
		})
	}
}

func TestCertShowRefuses(t *testing.T) {
	folder := filepath.Join("testdata", "certshow")
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	p12 := filepath.Join(folder, "trader.p12")
	for _, tt := range []struct {
		name      string
		arguments []string
		exit      int
		say       string
	}{
		{"no file named", nil, exitUsage, "accepts 1 arg"},
		{"two files", []string{p12, p12}, exitUsage, "accepts 1 arg"},
		{"unknown flag", []string{"--secret", p12}, exitUsage, "unknown flag"},
		{"no such file", []string{filepath.Join(dir, "none")}, exitBadInput, string(fault.Unreadable)},
		{"empty file", []string{file("empty", "")}, exitBadInput, string(fault.InputEmpty)},
		{"no certificate", []string{file("text", "certificate")}, exitBadInput, string(fault.CertificateUnreadable)},
		{"a key file without a password", []string{p12}, exitUsage, string(fault.BadArgument)},
		{"no password file", []string{"--password-file", filepath.Join(dir, "none"), p12}, exitUsage, string(fault.Unreadable)},
		{"giant password file", []string{"--password-file", file("giant", strings.Repeat("x", passwordFileBytesMax+1)), p12}, exitUsage, string(fault.InputTooBig)},
		{"wrong password", []string{"--password-file", file("wrong", "qwerty12"), p12}, exitBadInput, string(fault.PKCS12PasswordWrong)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := certShow(t, fault.English, tt.arguments...)
			if code != tt.exit || stdout != "" || !strings.Contains(stderr, tt.say) {
				t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
			}
			if strings.Contains(stderr, "Qwerty12") || strings.Contains(stderr, "qwerty12") {
				t.Error("the password is in the error")
			}
		})
	}
}

// Whatever a damaged or hostile key file holds, it is refused with a code, and
// without a password one that GOST encrypts is called that.
func TestCertShowDamagedKeyFiles(t *testing.T) {
	dir := t.TempDir()
	p12, err := os.ReadFile(filepath.Join("testdata", "certshow", "trader.p12"))
	check(t, err)
	password := filepath.Join(dir, "password")
	check(t, os.WriteFile(password, []byte("Qwerty12"), 0o600))
	version := []byte{0x30, 0x80, 2, 1, 3}
	rows := map[string]struct {
		content []byte
		say     fault.Code
	}{
		"half":       {p12[:len(p12)/2], fault.EncodingInvalid},
		"a byte":     {append(bytes.Clone(p12), 0), fault.EncodingInvalid},
		"deep":       {append(bytes.Clone(version), bytes.Repeat([]byte{0x30, 0x80}, 100_000)...), fault.EncodingTooDeep},
		"huge":       {append(bytes.Clone(version), make([]byte, 2<<20)...), fault.InputTooBig},
		"of nothing": {append(bytes.Clone(version), 0, 0), fault.PKCS12Unreadable},
	}
	if pfx, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "gost", "pfx-r50.1.112", "container.pfx")); err == nil {
		rows["GOST"] = struct {
			content []byte
			say     fault.Code
		}{pfx, fault.PKCS12GOST}
	}
	for name, row := range rows {
		file := filepath.Join(dir, "file.p12")
		check(t, os.WriteFile(file, row.content, 0o600))
		for _, arguments := range [][]string{{file}, {"--password-file", password, file}, {"--json", file}} {
			code, stdout, stderr := certShow(t, fault.English, arguments...)
			if code != exitBadInput || stdout != "" || !strings.Contains(stderr, string(row.say)) {
				t.Errorf("%s: exit %d, %q, %s, want %s", name, code, stdout, stderr, row.say)
			}
		}
	}
}

// A name may not write control characters to the terminal.
func TestPrintable(t *testing.T) {
	if got := printable("ҮЛГІ\x1b[2J\u202e\nX"); got != "ҮЛГІ�[2J��X" {
		t.Errorf("%q", got)
	}
}

// Every certificate and key file of NUC RK.
func TestCertShowRealFiles(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "nuc-rk")
	raw, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err != nil {
		t.Skip("the real files are not here: " + folder)
	}
	var expected map[string]json.RawMessage
	check(t, json.Unmarshal(raw, &expected))
	wholeIIN := regexp.MustCompile(`\b[0-9]{12}\b`)
	shown := 0
	check(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !slices.Contains([]string{".cer", ".crt", ".pem", ".p12"}, filepath.Ext(path)) {
			return err
		}
		name, err := filepath.Rel(folder, path)
		check(t, err)
		var want struct{ Serial, KeyAlg, Password, Alias, SHA256 string }
		check(t, json.Unmarshal(expected[filepath.ToSlash(name)], &want))
		arguments := []string{path}
		if want.Password != "" {
			password := filepath.Join(t.TempDir(), "password")
			check(t, os.WriteFile(password, []byte(want.Password), 0o600))
			arguments = append(arguments, "--password-file", password)
		}
		for _, language := range []fault.Language{fault.Kazakh, fault.Russian, fault.English} {
			code, text, stderr := certShow(t, language, arguments...)
			if code != exitOK || stderr != "" || !strings.Contains(text, certWordsIn[language].validity) {
				t.Errorf("%s: exit %d, %s", name, code, stderr)
			}
			for _, number := range wholeIIN.FindAllString(text, -1) {
				if !strings.Contains(text, certWordsIn[language].bin+": "+number) && !strings.Contains(text, "_"+number) {
					t.Errorf("%s: %s is in the text", name, number)
				}
			}
		}
		code, text, stderr := certShow(t, fault.English, append(arguments, "--json")...)
		var got shownFile
		check(t, json.Unmarshal([]byte(text), &got))
		if code != exitOK || stderr != "" || len(got.Certificates) == 0 {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
			return nil
		}
		c := got.Certificates[0]
		if strings.TrimPrefix(c.Serial, "0") != strings.TrimPrefix(want.Serial, "0") || c.Key.OID != want.KeyAlg || !c.Key.Supported ||
			want.SHA256 != "" && !strings.EqualFold(c.SHA256, want.SHA256) || c.PrivateKey != (want.Password != "") {
			t.Errorf("%s: %+v", name, c)
		}
		shown++
		return nil
	}))
	if shown < 40 {
		t.Errorf("only %d files", shown)
	}
}
