package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A long document passes through the program: what is held does not grow with
// it, from a file or through a pipe, and stdout has the report alone.
func TestVerifyHoldsNoDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("signs and reads 256 MiB several times")
	}
	const size, mayGrow = 256 << 20, 24 << 10 // bytes, KiB
	tr := newTrader(t)
	small := filepath.Join(tr.dir, "small.p7s")
	check(t, os.Rename(tr.sign(t), small))
	smallDocument := tr.document
	tr.document = filepath.Join(tr.dir, "large")
	check(t, os.WriteFile(tr.document, nil, 0o600))
	check(t, os.Truncate(tr.document, size)) // sparse
	detached := filepath.Join(tr.dir, "detached.p7s")
	check(t, os.Rename(tr.sign(t), detached))
	attached := tr.sign(t, "-nodetach", "-stream")

	held := func(stdin string, arguments ...string) int64 {
		t.Helper()
		self, err := os.Executable()
		check(t, err)
		c := exec.Command(self, append([]string{"verify", "--offline", "--anchors", tr.root, "--crls", tr.crl, "--json"}, arguments...)...)
		c.Args[0] = "senim" // see TestMain
		c.Env = []string{"LANG=en", "TMPDIR=" + tr.dir}
		if stdin != "" {
			file, err := os.Open(stdin)
			check(t, err)
			defer file.Close()
			c.Stdin = struct{ *os.File }{file} // through a pipe, not the file itself
		}
		var out, errs strings.Builder
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil {
			t.Fatalf("%v\n%s%s", err, out.String(), errs.String())
		}
		if !strings.HasPrefix(out.String(), "{\n") || !strings.HasSuffix(out.String(), "}\n") {
			t.Errorf("stdout: %s", out.String())
		}
		if len(arguments) > 0 && arguments[0] != "--content" && errs.Len() == 0 {
			t.Error("nothing is told of a long reading")
		}
		return c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	}
	bare := held("", "--content", smallDocument, small)
	for name, got := range map[string]int64{
		"detached":              held("", "--content", tr.document, detached),
		"attached":              held("", attached),
		"attached, from a pipe": held(attached, "-"),
	} {
		if got > bare+mayGrow {
			t.Errorf("%s: %d KiB, with a small document %d", name, got, bare)
		}
	}
}
