package cades_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/signer/cades"
)

const opensslConfiguration = `openssl_conf = root
[root]
engines = engines
[engines]
gost = gost
[gost]
engine_id = gost
default_algorithms = ALL
[req]
distinguished_name = name
prompt = no
[name]
CN = Signer
`

// openSSL runs openssl with gost-engine in a folder of its own, and skips the
// test where openssl is not installed.
type openSSL struct {
	t   *testing.T
	dir string
}

func newOpenSSL(t *testing.T) openSSL {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	o := openSSL{t, t.TempDir()}
	o.put("openssl.cnf", []byte(opensslConfiguration))
	return o
}

func (o openSSL) put(name string, content []byte) {
	must(os.WriteFile(filepath.Join(o.dir, name), content, 0o600))
}

func (o openSSL) get(name string) []byte {
	content, err := os.ReadFile(filepath.Join(o.dir, name))
	must(err)
	return content
}

func (o openSSL) run(arguments ...string) ([]byte, error) {
	command := exec.Command("openssl", arguments...)
	command.Dir = o.dir
	command.Env = append(os.Environ(), "OPENSSL_CONF=openssl.cnf")
	return command.CombinedOutput()
}

// verify has openssl verify a message as CAdES at a time, with the certificates of
// anchor.pem as its anchors.
func (o openSSL) verify(t *testing.T, der []byte, detached bool, at time.Time) {
	t.Helper()
	o.put("signed", der)
	o.put("doc", []byte(text))
	arguments := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "signed", "-CAfile", "anchor.pem", "-purpose", "any", "-out", "content",
		"-attime", strconv.FormatInt(at.Unix(), 10)}
	if detached {
		arguments = append(arguments, "-content", "doc")
	}
	if out, err := o.run(arguments...); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	} else if !bytes.Equal(o.get("content"), []byte(text)) {
		t.Errorf("openssl found the content %q", o.get("content"))
	}
}

// TestOpenSSLVerifiesUs holds keys of every kind against openssl, attached and
// detached, stamped, and beside each other.
func TestOpenSSLVerifiesUs(t *testing.T) {
	o := newOpenSSL(t)
	w := newWorld(start, 30*year, 10*year)
	var anchors []byte
	for _, a := range []string{"root", "ca"} {
		anchors = append(anchors, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.authorities[a].cert.Raw})...)
	}
	o.put("anchor.pem", anchors)
	for name, tt := range map[string]struct {
		key     string
		options cades.Options
	}{
		"RSA": {"RSA", cades.Options{}}, "PSS": {"RSA", cades.Options{PSS: true}}, "ECDSA": {"ECDSA", cades.Options{}},
	} {
		for _, detached := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				tt.options.Detached, tt.options.SigningTime = detached, start
				m := sign(t, w.person(tt.key), tt.options)
				var content cades.Source
				if detached {
					content = document()
				}
				must(m.AddSigner(context.Background(), content, w.person("RSA"), cades.Options{SigningTime: start}))
				if _, err := w.extender(t, "tsa").Extend(context.Background(), m, content, cades.LTA); err != nil {
					t.Fatal(err)
				}
				o.verify(t, encode(t, m), detached, w.now)
			})
		}
	}
}

// TestGOST signs with a key of gost-engine, which then verifies it.
func TestGOST(t *testing.T) {
	o := newOpenSSL(t)
	if out, err := o.run("engine", "-t", "gost"); err != nil || !bytes.Contains(out, []byte("[ available ]")) {
		t.Skipf("no gost-engine: %v", err)
	}
	for _, size := range []string{"256", "512"} {
		if out, err := o.run("req", "-x509", "-newkey", "gost2012_"+size, "-pkeyopt", "paramset:A", "-nodes", "-config", "openssl.cnf",
			"-keyout", "key.pem", "-out", "anchor.pem", "-days", "10"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		block, _ := pem.Decode(o.get("key.pem"))
		key, err := gost.ParsePrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		block, _ = pem.Decode(o.get("anchor.pem"))
		c, err := cert.Parse(block.Bytes)
		must(err)
		m := sign(t, cades.Identity{Key: key, Certificate: c}, cades.Options{SigningTime: start})
		o.verify(t, encode(t, m), false, c.NotBefore)
	}
}
