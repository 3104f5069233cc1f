package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine makes a PATH that holds only the named system programs and the fake
// ones, each a shell script.
func machine(t *testing.T, fakes map[string]string) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"sh", "env", "sed", "dirname", "readlink"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("needs %s: %v", name, err)
		}
		if err := os.Symlink(real, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range fakes {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// present are the programs whose absence setup would mend; the test installs
// nothing for real, so each row leaves out what cannot reach /etc.
func present(without ...string) map[string]string {
	fakes := map[string]string{
		"softhsm2-util": "", "pkcs11-tool": "", "openssl": "", "xmlsec1": "", "xmllint": "", "gcc": "",
		"go": "echo go1.26.3", "id": "echo 0",
	}
	for _, name := range without {
		delete(fakes, name)
	}
	return fakes
}

func with(fakes map[string]string, name, script string) map[string]string {
	fakes[name] = script
	return fakes
}

func TestSetup(t *testing.T) {
	// What setup looks for outside PATH must be there, or it would be installed.
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/lib/*/softhsm/libsofthsm2.so", "/etc/ssl/certs/ca-certificates.crt"} {
		if found, err := filepath.Glob(pattern); err != nil || len(found) == 0 {
			t.Skipf("needs %s", pattern)
		}
	}
	installed := filepath.Join(t.TempDir(), "installed")
	// An apt-get that notes what it is asked for and makes xmlsec1 appear.
	apt := `echo "$@" >>` + installed + `; case "$1" in install) printf '#!/bin/sh\n' >"${0%/*}/xmlsec1"; /bin/chmod +x "${0%/*}/xmlsec1";; esac`
	for name, row := range map[string]struct {
		fakes map[string]string
		fails bool
		says  string
	}{
		"all there, no rights": {with(present(), "id", "echo 1000"), false, ""},
		"not Debian-like":      {present("xmlsec1"), true, "no apt-get"},
		"no root and no sudo":  {with(with(present("xmlsec1"), "id", "echo 1000"), "apt-get", "exit 9"), true, "neither root nor sudo"},
		"apt-get fails":        {with(present("xmlsec1"), "apt-get", "exit 9"), true, "apt-get update failed"},
		"apt-get does nothing": {with(present("xmlsec1"), "apt-get", ""), true, "still missing after the installation: xmlsec1"},
		"installs":             {with(present("xmlsec1"), "apt-get", apt), false, "missing: xmlsec1"},
		"no Go":                {present("go"), true, "Go is not in PATH"},
		"an old Go":            {with(present(), "go", "echo go1.25.9"), true, "Go 1.25 is installed"},
		"a new Go":             {with(present(), "go", "echo go2.0"), false, ""},
		"a Go of its own":      {with(present(), "go", "echo devel"), true, "cannot tell the version"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "setup.sh")
			cmd.Env = []string{"PATH=" + machine(t, row.fakes)}
			out, err := cmd.CombinedOutput()
			if (err != nil) != row.fails {
				t.Errorf("setup.sh: %v, want failure: %v", err, row.fails)
			}
			if !strings.Contains(string(out), row.says) || row.says == "" && len(out) > 0 {
				t.Errorf("setup.sh says %q, want %q", out, row.says)
			}
		})
	}
	text, err := os.ReadFile(installed)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), "update -q\ninstall -qy --no-install-recommends xmlsec1\n"; got != want {
		t.Errorf("apt-get was asked for %q, want %q", got, want)
	}
}
