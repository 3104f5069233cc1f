package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
)

func TestTrust(t *testing.T) {
	x := newTrader(t)
	folder := filepath.Join(t.TempDir(), "trust")
	senim := func(arguments ...string) (int, string, string) {
		var out, errs bytes.Buffer
		p := &program{stdout: &out, stderr: &errs, environ: []string{"SENIM_TRUST=" + folder}, language: fault.English, now: time.Now}
		code := p.run(t.Context(), arguments)
		return code, out.String(), errs.String()
	}
	if code, out, _ := senim("trust", "list"); code != exitOK || out != "" {
		t.Errorf("empty: exit %d, %s", code, out)
	}
	if code, _, errs := senim("trust", "import", x.root); code != exitFailed || !strings.Contains(errs, "trust_not_pinned") {
		t.Errorf("without force: exit %d, %s", code, errs)
	}
	if code, out, errs := senim("trust", "import", "--force", x.root); code != exitOK || out != "kept, forced: CN=Root\n" {
		t.Errorf("forced: exit %d, %s%s", code, out, errs)
	}
	code, out, _ := senim("trust", "list", "--json")
	var list struct {
		Folder, Profile string
		Certificates    []trustEntry
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK || list.Profile != "test" || len(list.Certificates) != 1 ||
		!list.Certificates[0].Forced || !list.Certificates[0].Anchor || list.Folder != folder {
		t.Errorf("exit %d, %s", code, out)
	}
	if code, out, _ := senim("trust", "list"); code != exitOK || !strings.Contains(out, "forced") {
		t.Errorf("list: %s", out)
	}
	// What is imported is what the commands trust.
	if code, out, errs := senim("cert", "verify", "--offline", "--crls", x.crl, x.cert); code != exitOK {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	for _, arguments := range [][]string{{"import"}, {"list", "x"}, {"import", "--unknown", x.root}} {
		if code, _, _ := senim(append([]string{"trust"}, arguments...)...); code != exitUsage {
			t.Errorf("%v: exit %d", arguments, code)
		}
	}
	if code, _, _ := senim("trust", "import", "--force", x.document); code != exitBadInput {
		t.Errorf("no certificate: exit %d", code)
	}
}

// Anchors are trusted on the terms they were imported with.
func TestTrustOnTerms(t *testing.T) {
	x := newTrader(t)
	folder := filepath.Join(t.TempDir(), "trust")
	senim := func(arguments ...string) (int, string, string) {
		var out, errs bytes.Buffer
		p := &program{stdout: &out, stderr: &errs, environ: []string{"SENIM_TRUST=" + folder}, language: fault.English, now: time.Now}
		code := p.run(t.Context(), arguments)
		return code, out.String(), errs.String()
	}
	verify := func(flags ...string) (int, string) {
		code, out, _ := senim(append(append([]string{"cert", "verify", "--offline", "--crls", x.crl}, flags...), x.cert)...)
		return code, out
	}
	year := func(n int) string { return time.Now().AddDate(n, 0, 0).UTC().Format(time.RFC3339) }
	for _, tt := range []struct {
		terms []string
		flags []string
		want  string // "" is valid
	}{
		{[]string{"--purpose", "sign,authenticate"}, nil, ""},
		{[]string{"--purpose", "timestamp"}, nil, "anchor_restricted"},
		{[]string{"--purpose", "timestamp"}, []string{"--usage", "sign"}, "anchor_restricted"},
		{[]string{"--until", year(-1)}, nil, "anchor_restricted"},
		{[]string{"--from", year(1)}, nil, "anchor_restricted"},
		{[]string{"--from", year(-1), "--until", year(1), "--max-path-length", "0"}, nil, ""},
		{[]string{"--policies", "1.2.398.3.99.1", "--require-explicit-policy"}, nil, "policy_not_accepted"},
	} {
		if code, _, errs := senim(append(append([]string{"trust", "import", "--force", "--name", "BANK"}, tt.terms...), x.root)...); code != exitOK {
			t.Fatalf("%v: exit %d, %s", tt.terms, code, errs)
		}
		code, out := verify(tt.flags...)
		if (code == exitOK) != (tt.want == "") || !strings.Contains(out, tt.want) {
			t.Errorf("%v %v: exit %d, %s", tt.terms, tt.flags, code, out)
		}
	}
	code, out, _ := senim("trust", "list", "--json")
	if code != exitOK || !strings.Contains(out, `"authority":"BANK","terms":{"policies":["1.2.398.3.99.1"],"explicit_policy":true}`) {
		t.Errorf("exit %d, %s", code, out)
	}
	if _, out, _ := senim("trust", "list"); !strings.Contains(out, "on terms: {") {
		t.Error(out)
	}
	for _, wrong := range [][]string{{"--purpose", "all"}, {"--until", "tomorrow"}, {"--policies", "x"}, {"--permit", "dn:x"}, {"--profile", "sandbox"}} {
		if code, _, errs := senim(append(append([]string{"trust", "import", "--force"}, wrong...), x.root)...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", wrong, code, errs)
		}
	}
}

// A server on loopback stands in for NUC RK's addresses.
func TestTrustFetch(t *testing.T) {
	x := newTrader(t)
	const pinned = "../../../shared/data/nuc-rk/prod-ca/root_rsa_2020.cer"
	files := map[string]string{"/unknown.cer": x.root, "/page.html": x.document}
	nuc, err := os.Stat(pinned)
	if err == nil && !nuc.IsDir() {
		files["/root_rsa_2020.cer"] = pinned
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if file, ok := files[r.URL.Path]; ok {
			http.ServeFile(w, r, file)
			return
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	host, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "trust")
	get := func(paths ...string) (string, string, error) {
		var out, errs bytes.Buffer
		p := &program{stdout: &out, stderr: &errs, environ: []string{"SENIM_TRUST=" + folder}, language: fault.English, now: time.Now}
		for i := range paths {
			paths[i] = server.URL + paths[i]
		}
		err := p.trustFetchFrom(t.Context(), paths, fetch.Config{AllowedHosts: []string{host.Host}, AllowLoopback: true})
		return out.String(), errs.String(), err
	}
	// What no pin recognises is not taken, wherever it comes from.
	if out, errs, err := get("/unknown.cer", "/page.html", "/missing.cer"); err == nil || out != "" || !strings.Contains(errs, "trust_not_pinned") {
		t.Errorf("%s%s%v", out, errs, err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("a folder was made for nothing")
	}
	if files["/root_rsa_2020.cer"] == "" {
		t.Skip("no ../shared/data here")
	}
	// The rest is taken although one address gives nothing.
	if out, _, err := get("/missing.cer", "/root_rsa_2020.cer"); err == nil || !strings.HasPrefix(out, "kept: ") {
		t.Errorf("%s%v", out, err)
	}
	if out, errs, err := get("/root_rsa_2020.cer"); err != nil || !strings.HasPrefix(out, "known: ") {
		t.Errorf("%s%s%v", out, errs, err)
	}
}
