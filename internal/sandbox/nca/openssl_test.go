package nca_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/sandbox/nca"
)

// openssl runs the counterpart and returns what it says.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs openssl")
	}
	out, err := exec.Command("openssl", args...).CombinedOutput()
	return string(out), err
}

// opensslVerify has openssl judge a certificate by our clock: its own, which is cut to
// the last tick, may be in the second before that of a CRL that was just made.
func opensslVerify(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return openssl(t, append([]string{"verify", "-attime", strconv.FormatInt(time.Now().Unix(), 10)}, args...)...)
}

// files writes the chain where openssl finds it.
func (b *bench) files(t *testing.T, certificates map[string][]byte) map[string]string {
	t.Helper()
	paths := map[string]string{}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		paths[name] = filepath.Join(dir, name)
		if err := os.WriteFile(paths[name], content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	toPEM := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
	write("root", toPEM(b.get(t, "/cert/root_rsa.cer")))
	write("issuing", toPEM(b.get(t, "/cert/nca_rsa.cer")))
	for name, der := range certificates {
		write(name, toPEM(der))
	}
	for _, name := range []string{"query", "reply", "data"} {
		write(name, []byte("document"))
	}
	return paths
}

func TestOpenSSLVerifiesThePathAndTheCRL(t *testing.T) {
	b := open(t, t.TempDir())
	good, bad := b.issue(t, nca.Head, ""), b.issue(t, nca.Employee, "")
	if err := b.Revoke(bad.Serial, nca.ReasonCessation); err != nil {
		t.Fatal(err)
	}
	p := b.files(t, map[string][]byte{"good": good.Certificate, "bad": bad.Certificate})
	var crls []byte
	for _, path := range []string{"/crl/nca_rsa.crl", "/crl/root_rsa.crl"} {
		crls = append(crls, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: b.get(t, path)})...)
	}
	if err := os.WriteFile(p["data"], crls, 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(leaf string) (string, error) {
		return opensslVerify(t, "-x509_strict", "-crl_check_all", "-CRLfile", p["data"], "-CAfile", p["root"], "-untrusted", p["issuing"], p[leaf])
	}
	if out, err := verify("good"); err != nil {
		t.Errorf("good: %s", out)
	}
	if out, err := verify("bad"); err == nil || !strings.Contains(out, "certificate revoked") {
		t.Errorf("revoked: %s", out)
	}
	number := func() string {
		der := b.get(t, "/crl/nca_rsa.crl")
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		return list.Number.String()
	}
	first := number()
	if number() != first {
		t.Error("the CRL's number changes without need")
	}
	if err := b.Hold(good.Serial); err != nil {
		t.Fatal(err)
	}
	if number() == first {
		t.Error("the CRL does not show the change")
	}
	if err := b.SetFaults(nca.Faults{CRL: nca.Stale}); err != nil {
		t.Fatal(err)
	}
	if list, err := x509.ParseRevocationList(b.get(t, "/crl/nca_rsa.crl")); err != nil || time.Since(list.NextUpdate) < 24*time.Hour {
		t.Errorf("stale CRL: %v", err)
	}
}

func TestOpenSSLAsksOCSP(t *testing.T) {
	b := open(t, t.TempDir())
	good, bad := b.issue(t, nca.Head, ""), b.issue(t, nca.Employee, "")
	if err := b.Revoke(bad.Serial, nca.ReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	p := b.files(t, map[string][]byte{"good": good.Certificate, "bad": bad.Certificate})
	ask := func(leaf string) string {
		// openssl sends a nonce and warns when it does not come back.
		out, _ := openssl(t, "ocsp", "-issuer", p["issuing"], "-cert", p[leaf], "-url", b.url+"/ocsp/", "-CAfile", p["root"], "-verify_other", p["issuing"])
		return out
	}
	if out := ask("good"); !strings.Contains(out, "Response verify OK") || !strings.Contains(out, ": good") || strings.Contains(out, "WARNING") {
		t.Errorf("good: %s", out)
	}
	if out := ask("bad"); !strings.Contains(out, "Response verify OK") || !strings.Contains(out, "keyCompromise") {
		t.Errorf("revoked: %s", out)
	}
	for f, says := range map[nca.Fault]string{
		nca.BadSignature: "Response Verify Failure", nca.WrongResponder: "Response Verify Failure", nca.WrongNonce: "Nonce Verify error",
	} {
		if err := b.SetFaults(nca.Faults{OCSP: f}); err != nil {
			t.Fatal(err)
		}
		if out := ask("good"); !strings.Contains(out, says) {
			t.Errorf("%s: %s", f, out)
		}
	}
}

func TestOpenSSLVerifiesTimestamps(t *testing.T) {
	b := open(t, t.TempDir())
	p := b.files(t, nil)
	stamp := func(query ...string) string {
		t.Helper()
		args := append([]string{"ts", "-query", "-data", p["data"], "-out", p["query"]}, query...)
		if out, err := openssl(t, args...); err != nil {
			t.Fatal(out)
		}
		body, err := os.ReadFile(p["query"])
		if err != nil {
			t.Fatal(err)
		}
		status, reply := b.post(t, "/tsp/", "application/timestamp-query", body)
		if status != http.StatusOK {
			t.Fatalf("HTTP %d", status)
		}
		if err := os.WriteFile(p["reply"], reply, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := openssl(t, "ts", "-reply", "-in", p["reply"], "-text")
		if err != nil {
			t.Fatalf("openssl cannot read the answer: %s", out)
		}
		return out
	}
	verify := func() (string, error) {
		return openssl(t, "ts", "-verify", "-queryfile", p["query"], "-in", p["reply"], "-CAfile", p["root"], "-untrusted", p["issuing"])
	}
	for _, digest := range []string{"-sha256", "-sha384", "-sha512"} {
		out := stamp(digest, "-cert", "-tspolicy", "1.2.398.3.3.2.6.2")
		if !strings.Contains(out, "Status: Granted") || !strings.Contains(out, "TIME-STAMPING AUTHORITY") || !strings.Contains(out, "0x01 seconds") {
			t.Errorf("%s: %s", digest, out)
		}
		if out, err := verify(); err != nil {
			t.Errorf("%s: %s", digest, out)
		}
	}
	stamp("-sha256", "-no_nonce", "-cert")
	if out, err := verify(); err != nil {
		t.Errorf("without nonce: %s", out)
	}
	stamp("-sha256") // without certReq the token carries no certificate
	if out, err := verify(); err == nil {
		t.Errorf("certificates were sent unasked: %s", out)
	}
	for says, query := range map[string][]string{
		"unrecognized or unsupported algorithm": {"-sha1", "-cert"},
		"requested TSA policy is not supported": {"-sha256", "-tspolicy", "1.2.3", "-cert"},
	} {
		if out := stamp(query...); !strings.Contains(out, "Status: Rejected") || !strings.Contains(out, says) {
			t.Errorf("%v: %s", query, out)
		}
	}
	for f, says := range map[nca.Fault]string{nca.WrongImprint: "message imprint mismatch", nca.WrongNonce: "nonce mismatch", nca.BadSignature: "signature failure"} {
		if err := b.SetFaults(nca.Faults{TSP: f}); err != nil {
			t.Fatal(err)
		}
		stamp("-sha256", "-cert")
		if out, err := verify(); err == nil || !strings.Contains(out, says) {
			t.Errorf("%s: %s", f, out)
		}
	}
	if err := b.SetFaults(nca.Faults{TSP: nca.Reject}); err != nil {
		t.Fatal(err)
	}
	if out := stamp("-sha256"); !strings.Contains(out, "the time source is not available") {
		t.Errorf("reject: %s", out)
	}
}

// Whatever is sent, the answer is DER of the protocol and nothing panics.
func FuzzRequests(f *testing.F) {
	f.Add([]byte{0x30, 0x00})
	f.Add([]byte("\x30\x0c\x30\x0a\x30\x08\x30\x06\x30\x04\x30\x00\x04\x00"))
	b := openForFuzz(f)
	f.Fuzz(func(t *testing.T, request []byte) {
		for path, contentType := range map[string]string{"/ocsp/": "application/ocsp-request", "/tsp/": "application/timestamp-query"} {
			r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(request))
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			b.ServeHTTP(w, r)
			if answer := w.Body.Bytes(); w.Code == http.StatusOK && (len(answer) < 2 || answer[0] != 0x30) {
				t.Errorf("%s: %x", path, answer)
			}
		}
	})
}

func openForFuzz(f *testing.F) http.Handler {
	a, err := nca.Open(nca.Config{Dir: f.TempDir(), BaseURL: "http://127.0.0.1:1", Bits: 2048, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	return a.Handler()
}
