package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/sandbox/nca"
)

// TestSignScripts runs senim sign, timestamp and extend as people do, by
// testdata/sign, against the stand-in of NUC RK. In each script's folder are
// the certified keys key.pem with cert.pem, and ec.pem, the authorities in
// authorities.pem and the anchor in root.pem; SoftHSM has a folder of its own.
//
// Besides testscript's own commands there are
//
//	revoke FILE   the certificate in FILE is revoked
//	faults JSON   the stand-in fails so
//	grow FILE N   FILE becomes N MiB long
func TestSignScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/sign",
		Setup: func(e *testscript.Env) error {
			endsAtOnce(e)
			a, address := startNCA(t)
			e.Values["nca"] = a
			for name, content := range signingFiles(t, a) {
				if err := os.WriteFile(filepath.Join(e.WorkDir, name), content, 0o600); err != nil {
					return err
				}
			}
			host, err := url.Parse(address)
			if err != nil {
				return err
			}
			for name, value := range map[string]string{
				"NCA": address, "SENIM_TRUST": filepath.Join(e.WorkDir, "root.pem"), "SENIM_TRUST_ALLOWED_HOSTS": host.Host,
				"SENIM_TIMESTAMP_URL": a.URLs().TSP, "LANG": "en_US.UTF-8", "TMPDIR": e.WorkDir,
			} {
				e.Setenv(name, value)
			}
			if library, err := hsm.SoftHSMLibrary(); err == nil {
				e.Setenv("SOFTHSM", library)
			}
			conf, err := hsm.WriteSoftHSMConfig(filepath.Join(e.WorkDir, "token"))
			e.Setenv("SOFTHSM2_CONF", conf)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"revoke": func(ts *testscript.TestScript, _ bool, args []string) {
				block, _ := pem.Decode([]byte(ts.ReadFile(args[0])))
				c, err := x509.ParseCertificate(block.Bytes)
				ts.Check(err)
				ts.Check(ts.Value("nca").(*nca.Authority).Revoke(c.SerialNumber.Text(16), 1))
			},
			"faults": func(ts *testscript.TestScript, _ bool, args []string) {
				answer, err := http.Post(ts.Getenv("NCA")+"/control/faults", "application/json", strings.NewReader(args[0]))
				ts.Check(err)
				ts.Check(answer.Body.Close())
				if answer.StatusCode != http.StatusNoContent {
					ts.Fatalf("faults: %s", answer.Status)
				}
			},
			"grow": func(ts *testscript.TestScript, _ bool, args []string) {
				mib, err := strconv.ParseInt(args[1], 10, 64)
				ts.Check(err)
				file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_CREATE, 0o600)
				ts.Check(err)
				ts.Check(errors.Join(file.Truncate(mib<<20), file.Close()))
			},
		},
	})
}

// signingKeys are made once for the test binary.
var signingKeys = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// startNCA starts a stand-in of NUC RK on loopback.
func startNCA(t *testing.T) (*nca.Authority, string) {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	a, err := nca.Open(nca.Config{Dir: t.TempDir(), BaseURL: server.URL, Bits: 2048, Now: time.Now})
	check(t, err)
	handler = a.Handler()
	return a, server.URL
}

var signingHolder = nca.Holder{Surname: "СЫНАҚОВА", Name: "ӘЛИЯ", IIN: "800101300006"}

// signingFiles are a key with its certificate, and the root.
func signingFiles(t *testing.T, a *nca.Authority) map[string][]byte {
	t.Helper()
	key, err := signingKeys()
	check(t, err)
	issued, err := a.Issue(nca.Request{Profile: nca.Individual, Holder: signingHolder, PublicKey: key.Public()})
	check(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	second, err := a.Issue(nca.Request{Profile: nca.Individual, Holder: signingHolder, PublicKey: other.Public()})
	check(t, err)
	inPEM := func(label string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	otherDER, err := x509.MarshalPKCS8PrivateKey(other)
	check(t, err)
	return map[string][]byte{
		"key.pem": inPEM("PRIVATE KEY", keyDER), "cert.pem": inPEM("CERTIFICATE", issued.Certificate),
		"ec.pem":          append(inPEM("PRIVATE KEY", otherDER), inPEM("CERTIFICATE", second.Certificate)...),
		"root.pem":        inPEM("CERTIFICATE", a.Root()),
		"authorities.pem": append(inPEM("CERTIFICATE", a.Root()), inPEM("CERTIFICATE", a.Issuing())...),
		"doc":             []byte("declaration"), "password": []byte("secret\n"),
	}
}
