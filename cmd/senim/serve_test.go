package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

// serveConfig writes a configuration that passes every check of the file
// itself, with the given anchors and token, and returns its path.
func serveConfig(t *testing.T, anchors, module, uri, pinFile string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dsn := write("dsn", "postgres://nobody@database.invalid/senim")
	return write("senim.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
public_url: https://senim.example
tls: {behind_proxy: true}
database: {dsn_file: %q}
token: {module: %q, uri: %q, pin_file: %q}
trust: {anchors: [%q]}
timestamp: {url: "http://tsp.pki.gov.kz/"}
shep: {url: "http://shep.example/", sender_id: senim, register_bin: "971240001315"}
gateway: {url: "http://pshep.example/", sender_id: senim, service_id: PSHEP}
payments: {offices: [{code: "6009", bin: "971240001315", name: office}]}
`, dsn, module, uri, pinFile, anchors))
}

// selfSigned writes a root certificate of an organisation.
func selfSigned(t *testing.T, organisation string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ROOT", Organization: []string{organisation}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "root.cer")
	if err := os.WriteFile(path, der, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What only shows once a thing is open is refused there: a production service
// never starts on anchors or tokens that are meant for trials.
func TestServeRefusesTrialAnchorsAndTokens(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	const production = "../../../shared/data/nuc-rk/prod-ca/root_rsa_2020.cer"
	for _, c := range []struct {
		name, anchors, key string
	}{
		{"sandbox anchors", selfSigned(t, "Senim Sandbox NCA"), "trust.anchors"},
		{"unknown anchors", selfSigned(t, "Somebody"), "trust.anchors"},
		{"software token", production, "token.module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(c.anchors); err != nil {
				t.Skip("a production root is needed and ../shared/data is absent")
			}
			anchors, err := filepath.Abs(c.anchors)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			p := &program{stdout: &out, stderr: &out, language: fault.English, now: time.Now}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			path := serveConfig(t, anchors, soft.ModulePath, soft.URI, soft.PINFile)
			if code := p.run(ctx, []string{"serve", "--config", path, "--check-config"}); code != exitOK {
				t.Fatalf("the file itself: exit %d: %s", code, out.String())
			}
			out.Reset()
			code := p.run(ctx, []string{"serve", "--config", path})
			if code != exitFailed || !strings.Contains(out.String(), string(fault.ConfigUnsafe)+" at "+c.key) {
				t.Errorf("exit %d: %s", code, out.String())
			}
		})
	}
}

func TestServeNeedsAGoodConfiguration(t *testing.T) {
	for name, args := range map[string]struct {
		args []string
		code int
	}{
		"no file named": {[]string{"serve"}, exitUsage},
		"no such file":  {[]string{"serve", "--config", "/nowhere/senim.yaml"}, exitFailed},
		"unknown flag":  {[]string{"serve", "--port", "1"}, exitUsage},
		"an argument":   {[]string{"serve", "now"}, exitUsage},
	} {
		var out bytes.Buffer
		p := &program{stdout: &out, stderr: &out, language: fault.English, now: time.Now}
		if code := p.run(t.Context(), args.args); code != args.code {
			t.Errorf("%s: exit %d: %s", name, code, out.String())
		}
	}
}
