package revocation

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
)

// counterpart runs openssl in a folder with the keys of the test's world.
type counterpart struct {
	t       *testing.T
	program string
	dir     string
}

func newCounterpart(t *testing.T) *counterpart {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	c, w := &counterpart{t, program, t.TempDir()}, testWorld()
	armour := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	keyOf := func(e *entity) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(e.key)
		if err != nil {
			t.Fatal(err)
		}
		return armour("PRIVATE KEY", der)
	}
	c.write("ca.pem", armour("CERTIFICATE", w.ca.Raw))
	c.write("ca.key", keyOf(w.ca))
	c.write("ocsp.pem", armour("CERTIFICATE", w.responder.Raw))
	c.write("ocsp.key", keyOf(w.responder))
	c.write("leaf.pem", armour("CERTIFICATE", w.leaf.Raw))
	c.write("ca.cnf", []byte("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ncrlnumber=number.txt\n"+
		"[full]\nauthorityKeyIdentifier=keyid\n[delta]\nauthorityKeyIdentifier=keyid\n2.5.29.27=critical,DER:02:01:03\n"))
	c.write("index.txt.attr", nil)
	c.write("number.txt", []byte("03\n"))
	return c
}

func (c *counterpart) write(name string, data []byte) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), data, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counterpart) command(args ...string) *exec.Cmd {
	cmd := exec.Command(c.program, args...)
	cmd.Dir = c.dir
	return cmd
}

func (c *counterpart) run(args ...string) {
	c.t.Helper()
	if out, err := c.command(args...).CombinedOutput(); err != nil {
		c.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

func (c *counterpart) read(name string) []byte {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

// list has openssl write a CRL of the index, with the extensions of a section.
func (c *counterpart) list(section string) *List {
	c.t.Helper()
	c.run("ca", "-gencrl", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", "-crldays", "2", "-crlexts", section, "-out", "crl.pem")
	c.run("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
	l, err := ParseList(c.read("crl.der"))
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

// The three lines of an index: good, revoked, on hold, and nothing of it.
const (
	lineGood    = "V\t300101000000Z\t\t%s\tunknown\t/CN=leaf\n"
	lineRevoked = "R\t300101000000Z\t260101000000Z,keyCompromise\t%s\tunknown\t/CN=leaf\n"
	lineHeld    = "R\t300101000000Z\t260101000000Z,holdInstruction,holdInstructionReject\t%s\tunknown\t/CN=leaf\n"
	lineOther   = "V\t300101000000Z\t\tFF%s\tunknown\t/CN=other\n"
)

func (c *counterpart) index(line string) {
	c.t.Helper()
	c.write("index.txt", fmt.Appendf(nil, line, testWorld().leaf.SerialHex()))
}

// openssl answers our request, nonce and all, and makes the CRL.
func TestAgainstOpenSSL(t *testing.T) {
	c, w := newCounterpart(t), testWorld()
	nonce := []byte("0123456789abcdef0123456789abcdef")
	request, err := Request(leafSubject(), nonce)
	if err != nil {
		t.Fatal(err)
	}
	c.write("request.der", request)

	for _, tt := range []struct {
		name, line string
		want       Status
		reason     string
	}{
		{"good", lineGood, Good, ""},
		{"revoked", lineRevoked, Revoked, "keyCompromise"},
		{"unknown", lineOther, Unknown, ""},
	} {
		c.index(tt.line)
		c.run("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ocsp.pem", "-rkey", "ocsp.key", "-reqin", "request.der", "-respout", "answer.der", "-ndays", "2")
		raw := c.read("answer.der")
		r, err := ParseResponse(raw)
		if err != nil {
			t.Fatal(err)
		}
		// openssl has the real clock, the test's certificates have not.
		s := leafSubject()
		if !w.responder.Covers(r.ProducedAt) {
			t.Skip("the test's certificates do not cover the present")
		}
		at := Rules{At: r.ProducedAt, Skew: time.Second}
		e, err := Check(Information{Kind: OCSP, Raw: raw, Nonce: nonce}, s, at)
		if err != nil || e.Status != tt.want || (tt.reason != "" && e.Reason.String() != tt.reason) {
			t.Errorf("%s: %+v, %v", tt.name, e, err)
		}
		if _, err := Check(Information{Kind: OCSP, Raw: raw, Nonce: make([]byte, 32)}, s, at); err == nil {
			t.Errorf("%s: another nonce passes", tt.name)
		}
		if tt.want == Unknown {
			continue
		}
		l := c.list("full")
		e, err = Check(Information{Kind: CRL, Raw: l.Raw}, s, Rules{At: l.ThisUpdate})
		if err != nil || e.Status != tt.want || (tt.reason != "" && e.Reason.String() != tt.reason) {
			t.Errorf("CRL %s: %+v, %v", tt.name, e, err)
		}
	}
}

// openssl's responder answers over HTTP; what it says is remembered as long as it
// says that it is good.
func TestOpenSSLResponder(t *testing.T) {
	c, w := newCounterpart(t), testWorld()
	if !w.responder.Covers(time.Now()) {
		t.Skip("the test's certificates do not cover the present")
	}
	for _, tt := range []struct {
		line string
		want fault.Code
		days string
		same bool // the second answer is the first
	}{
		{lineGood, "", "2", true},
		{lineRevoked, fault.CertificateRevoked, "2", true},
		{lineOther, fault.RevocationUnknown, "2", false},
	} {
		c.index(tt.line)
		url := c.serve("-ndays", tt.days)
		client, err := fetch.New(fetch.Config{AllowedHosts: []string{strings.Trim(url, "htp:/")}, AllowLoopback: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		s := NewStore(StoreConfig{Fetcher: client, Now: time.Now})
		checker := &Checker{Store: s, OCSPURL: url}
		rules := Rules{At: time.Now(), Skew: time.Minute}
		first := checker.Check(t.Context(), leafSubject(), rules)
		if err := first.Verdict(rules); fault.CodeOf(err) != tt.want || len(first.Usable) != 1 {
			t.Fatalf("%v, %+v", err, first.Attempts)
		}
		if e := first.Usable[0]; e.Nonce == nil || e.Fetched.IsZero() || e.ProducedAt.IsZero() || e.NextUpdate.IsZero() {
			t.Errorf("without nonce or a clock: fetched %s, produced %s", e.Fetched, e.ProducedAt)
		}
		second := checker.Check(t.Context(), leafSubject(), rules)
		if same := &second.Usable[0].Raw[0] == &first.Usable[0].Raw[0]; same != tt.same {
			t.Errorf("asked again: %v", !same)
		}
	}
}

// serve starts a responder for the test and gives its address.
func (c *counterpart) serve(args ...string) string {
	c.t.Helper()
	cmd := c.command(append([]string{"ocsp", "-port", "0", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ocsp.pem", "-rkey", "ocsp.key"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it ends no other way
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, after, found := strings.Cut(lines.Text(), "ACCEPT "); found {
			address, _, _ := strings.Cut(after, " ")
			if at := strings.LastIndexByte(address, ':'); at >= 0 {
				return "http://127.0.0.1" + address[at:] + "/"
			}
		}
	}
	c.t.Skip("this openssl does not say where it listens")
	return ""
}

// A delta that openssl made completes the list that it made before.
func TestOpenSSLDeltas(t *testing.T) {
	c := newCounterpart(t)
	c.index(lineGood)
	base := c.list("full")
	for line, want := range map[string]Status{lineRevoked: Revoked, lineHeld: Revoked, lineGood: Good} {
		c.index(line)
		delta := c.list("delta")
		if delta.Base == nil || base.Number == nil || delta.Number.Cmp(base.Number) <= 0 {
			t.Fatalf("base %v, number %v after %v", delta.Base, delta.Number, base.Number)
		}
		lists := []Information{{Kind: CRL, Raw: base.Raw, Source: Given}, {Kind: CRL, Raw: delta.Raw, Source: Given}}
		e, failed := CheckCRLs(t.Context(), lists, leafSubject(), Signers{}, Rules{At: delta.ThisUpdate})
		if e == nil || e.Status != want || len(e.With) != 1 {
			t.Errorf("%v, %+v", e != nil, failed)
		}
	}
}
