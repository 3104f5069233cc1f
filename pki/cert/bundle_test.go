package cert

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// crypto/x509 knows neither brainpool's curves nor DSA, nor GOST's keys; bundles
// with them load all the same, beside certificates that it knows.
func TestBundleOfKeysUnknownToX509(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here")
	}
	dir := t.TempDir()
	openssl := func(arguments ...string) []byte {
		t.Helper()
		command := exec.Command("openssl", arguments...)
		command.Dir = dir
		out, err := command.Output()
		if err != nil {
			t.Fatalf("openssl %s: %v", arguments, err)
		}
		return out
	}
	curves := []string{"prime256v1", "brainpoolP256r1", "brainpoolP512t1"}
	bundle := []string{"crl2pkcs7", "-nocrl", "-outform", "DER"}
	for _, curve := range curves {
		openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:"+curve, "-pkeyopt", "ec_param_enc:named_curve",
			"-nodes", "-keyout", curve+".key", "-out", curve+".pem", "-subj", "/CN="+curve, "-days", "2")
		bundle = append(bundle, "-certfile", curve+".pem")
	}
	shared, _ := filepath.Glob("../../../shared/data/gost/bigbes-x509gost/ca*.crt")
	for _, file := range shared {
		absolute, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		bundle = append(bundle, "-certfile", absolute)
	}
	der := openssl(bundle...)
	certs, err := ParseBundle(der)
	if err != nil || len(certs) != len(curves)+len(shared) {
		t.Fatalf("%d certificates, %v", len(certs), err)
	}
	for _, c := range certs {
		if c.KeyError() != nil {
			t.Errorf("%s: %v", c.Subject, c.KeyError())
		}
		err := algo.VerifySigned(c.PublicKey, c.SignatureAlgorithm, c.RawTBS, c.Signature)
		if err != nil {
			t.Errorf("%s signed by itself: %v", c.Subject, err)
		}
	}
	for cut := range der {
		if certs, err := ParseBundle(der[:cut]); err == nil || fault.CodeOf(err) == fault.Internal {
			t.Fatalf("%d of %d bytes: %d certificates, %v", cut, len(der), len(certs), err)
		}
	}
}
