package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
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
