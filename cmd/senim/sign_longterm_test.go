package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/verifier"
)

// decades are two authorities and a clock that goes from decade to decade.
type decades struct {
	t       *testing.T
	dir     string
	mu      sync.Mutex
	now     time.Time
	servers map[string]*httptest.Server
	hosts   []string

	authorities map[string]*nca.Authority
}

// open starts an authority, or starts it again, so that its services get new
// certificates if theirs are about to expire. Its anchor is trusted.
func (d *decades) open(name string) *nca.Authority {
	if d.servers[name] == nil {
		d.servers[name] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.authorities[name].Handler().ServeHTTP(w, r)
		}))
		d.t.Cleanup(d.servers[name].Close)
		u, err := url.Parse(d.servers[name].URL)
		check(d.t, err)
		d.hosts = append(d.hosts, u.Host)
	}
	a, err := nca.Open(nca.Config{
		Dir: filepath.Join(d.dir, name), BaseURL: d.servers[name].URL, Bits: 2048,
		Now: d.tick,
	})
	check(d.t, err)
	d.authorities[name] = a
	check(d.t, os.WriteFile(filepath.Join(d.dir, "anchors", name+".cer"), a.Root(), 0o600))
	return a
}

// tick is the clock: a second passes whenever somebody looks at it, so that nothing
// holds because all of it happened at once.
func (d *decades) tick() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(time.Second)
	return d.now
}

// senim runs a command at the time of the clock.
func (d *decades) senim(arguments ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := &program{
		stdout: &out, stderr: &errs, language: fault.English, now: d.tick,
		environ: []string{"SENIM_TRUST=" + filepath.Join(d.dir, "anchors"), "SENIM_TRUST_ALLOWED_HOSTS=" + strings.Join(d.hosts, ",")},
	}
	code = p.run(context.Background(), arguments)
	return code, out.String(), errs.String()
}

func (d *decades) must(arguments ...string) string {
	d.t.Helper()
	code, stdout, stderr := d.senim(arguments...)
	if code != exitOK {
		d.t.Fatalf("%s: senim %s: exit %d\n%s%s", d.now.Format(time.DateOnly), strings.Join(arguments, " "), code, stdout, stderr)
	}
	return stdout
}

// TestLongTerm keeps a signature provable for longer than every certificate that
// it was made with lives: the signer's (a year), the time-stamping authority's
// (three) and the CA's (twenty), each renewal before the last one lapses.
func TestLongTerm(t *testing.T) {
	if testing.Short() {
		t.Skip("some 50 keys are generated")
	}
	t.Parallel()
	start := time.Date(2002, 11, 21, 12, 0, 0, 0, time.UTC) // by now every algorithm is still good
	d := &decades{t: t, dir: t.TempDir(), now: start, servers: map[string]*httptest.Server{}, authorities: map[string]*nca.Authority{}}
	check(t, os.Mkdir(filepath.Join(d.dir, "anchors"), 0o700))
	first := d.open("first")
	for name, content := range signingFiles(t, first) {
		check(t, os.WriteFile(filepath.Join(d.dir, name), content, 0o600))
	}
	file := func(n int) string { return filepath.Join(d.dir, fmt.Sprintf("%d.p7m", n)) }
	d.must("sign", "--key", filepath.Join(d.dir, "key.pem"), "--cert", filepath.Join(d.dir, "cert.pem"), "--level", "LTA",
		"--tsa", first.URLs().TSP, "--out", file(0), filepath.Join(d.dir, "doc"))
	d.verdict(file(0))

	name, n := "first", 0
	// Shortly before the authority's certificate expires it gets the next, and so
	// does the signature.
	for d.now.Before(start.AddDate(23, 0, 0)) {
		d.now = d.now.AddDate(3, 0, -20)
		for _, known := range []string{"first", "second"} {
			if d.authorities[known] != nil {
				d.open(known) // whose OCSP responder lives for a year only
			}
		}
		d.verdict(file(n)) // before it is renewed: the last authority still lives
		if d.now.After(start.AddDate(10, 0, 0)) {
			name = "second" // founded meanwhile, when the first CA has years left
		}
		a := d.open(name)
		d.must("extend", "--level", "LTA", "--tsa", a.URLs().TSP, "--out", file(n+1), file(n))
		n++
		d.verdict(file(n))
	}
	// Without the renewals the same signature is worth nothing by now.
	if code, stdout, _ := d.senim("verify", "--json", file(0)); code != exitIndeterminate {
		t.Errorf("a signature that was never renewed: exit %d, %s", code, stdout)
	}
}

// verdict holds that a file passes, at level LTA. What is asked about by now is the
// last time-stamping authority alone; about everything before it the file speaks.
func (d *decades) verdict(file string) {
	d.t.Helper()
	code, stdout, stderr := d.senim("verify", "--json", file)
	var report verifier.Report
	check(d.t, json.Unmarshal([]byte(stdout), &report))
	if code != exitOK || report.Signatures[0].Level != "LTA" {
		d.t.Errorf("%s at %s: exit %d, %s\n%s", filepath.Base(file), d.now.Format(time.DateOnly), code, stderr, stdout)
	}
}
