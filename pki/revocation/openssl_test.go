package revocation

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// openssl answers our request, nonce and all, and makes the CRL.
func TestAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	w, dir := testWorld(), t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	armour := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	keyOf := func(e *entity) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(e.key)
		if err != nil {
			t.Fatal(err)
		}
		return armour("PRIVATE KEY", der)
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	write("ca.pem", armour("CERTIFICATE", w.ca.Raw))
	write("ca.key", keyOf(w.ca))
	write("ocsp.pem", armour("CERTIFICATE", w.responder.Raw))
	write("ocsp.key", keyOf(w.responder))
	write("ca.cnf", []byte("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\n"))
	write("index.txt.attr", nil)
	nonce := []byte("0123456789abcdef0123456789abcdef")
	request, err := Request(leafSubject(), nonce)
	if err != nil {
		t.Fatal(err)
	}
	write("request.der", request)

	for _, tt := range []struct {
		name, line string
		want       Status
		reason     string
	}{
		{"good", "V\t300101000000Z\t\t%s\tunknown\t/CN=leaf\n", Good, ""},
		{"revoked", "R\t300101000000Z\t260101000000Z,keyCompromise\t%s\tunknown\t/CN=leaf\n", Revoked, "keyCompromise"},
		{"unknown", "V\t300101000000Z\t\tFF%s\tunknown\t/CN=other\n", Unknown, ""},
	} {
		write("index.txt", fmt.Appendf(nil, tt.line, w.leaf.SerialHex()))
		run("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ocsp.pem", "-rkey", "ocsp.key", "-reqin", "request.der", "-respout", "answer.der", "-ndays", "2")
		raw := read("answer.der")
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
		run("ca", "-gencrl", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", "-crldays", "2", "-out", "crl.pem")
		run("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
		l, err := ParseList(read("crl.der"))
		if err != nil {
			t.Fatal(err)
		}
		e, err = Check(Information{Kind: CRL, Raw: l.Raw}, s, Rules{At: l.ThisUpdate})
		if err != nil || e.Status != tt.want || (tt.reason != "" && e.Reason.String() != tt.reason) {
			t.Errorf("CRL %s: %+v, %v", tt.name, e, err)
		}
	}
}
