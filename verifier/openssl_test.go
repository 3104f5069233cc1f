package verifier_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier"
)

// openssl runs the counterpart, and skips where it is not installed.
func openssl(t *testing.T, dir string, arguments ...string) []byte {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	command := exec.Command(program, arguments...)
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", arguments, err, stderr.Bytes())
	}
	return out
}

// write puts an entity's key and certificates, and a document, where openssl
// finds them.
func (e *entity) write(t *testing.T) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(e.key)
	must(err)
	dir := t.TempDir()
	files := map[string][]byte{
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.cert.Raw}),
		"ca.pem":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.issuer.cert.Raw}),
		"root.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: theWorld().root.cert.Raw}),
		"doc":      []byte("import declaration"),
	}
	for name, content := range files {
		must(os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}

// What openssl cms signs, with and without what each policy asks for.
func TestVerdictsOnWhatOpenSSLSigns(t *testing.T) {
	w := theWorld()
	ec := issue(w.ca, "Trader with ECDSA", ecKey(), nil)
	const passed, doubtful = verifier.TotalPassed, verifier.Indeterminate
	for _, tt := range []struct {
		name       string
		who        *entity
		options    []string
		policy     string
		indication verifier.Indication
		sub        verifier.SubIndication
		level      string
	}{
		{"CAdES, RSA", w.signer, []string{"-cades"}, "etsi-basic", passed, "", "B"},
		{"CAdES, PSS", w.signer, []string{"-cades", "-keyopt", "rsa_padding_mode:pss"}, "strict", passed, "", "B"},
		{"CAdES, ECDSA", ec, []string{"-cades"}, "strict", passed, "", "B"},
		{"plain, kz-qualified warns", w.signer, nil, "kz-qualified", passed, "", "CMS"},
		{"plain, etsi-basic refuses", w.signer, nil, "etsi-basic", doubtful, verifier.NoSigningCertificate, "CMS"},
		{"plain, strict refuses", w.signer, nil, "strict", doubtful, verifier.NoSigningCertificate, "CMS"},
		{"key identifier", ec, []string{"-cades", "-keyid"}, "etsi-basic", passed, "", "B"},
		{"no attributes", w.signer, []string{"-noattr"}, "kz-qualified", passed, "", "CMS"},
		{"no certificates", w.signer, []string{"-cades", "-nocerts"}, "etsi-basic", passed, "", "B"},
		{"streamed", w.signer, []string{"-cades", "-stream"}, "etsi-basic", passed, "", "B"},
		{"SHA-512", w.signer, []string{"-cades", "-md", "sha512"}, "etsi-basic", passed, "", "B"},
		{"SHA-1", w.signer, []string{"-md", "sha1"}, "kz-qualified", doubtful, verifier.CryptoConstraintsNoPOE, "CMS"},
	} {
		for _, detached := range []bool{false, true} {
			name, arguments := tt.name, append([]string{"cms", "-sign", "-binary", "-in", "doc", "-signer", "cert.pem", "-inkey", "key.pem", "-certfile", "ca.pem", "-outform", "DER"}, tt.options...)
			if detached {
				name += ", detached"
			} else {
				arguments = append(arguments, "-nodetach")
			}
			t.Run(name, func(t *testing.T) {
				data := openssl(t, tt.who.write(t), arguments...)
				r, _ := verdict(t, data, func(h *hearing) {
					h.policy = tt.policy
					h.Content = []byte("import declaration")
					h.Certificates = []*cert.Certificate{tt.who.cert, w.ca.cert}
					h.OCSPs = [][]byte{tt.who.status(now.Add(-10*time.Minute), nil)}
				})
				s := r.Signatures[0]
				if s.Indication != tt.indication || s.SubIndication != tt.sub || s.Level != tt.level {
					t.Errorf("%s/%s level %s, want %s/%s level %s: %v", s.Indication, s.SubIndication, s.Level, tt.indication, tt.sub, tt.level, s.Errors)
				}
			})
		}
	}
}

// An OCSP answer and a CRL that openssl made, and a token of openssl ts.
func TestEvidenceThatOpenSSLMakes(t *testing.T) {
	w := theWorld()
	dir := w.signer.write(t)
	caKey, err := x509.MarshalPKCS8PrivateKey(w.ca.key)
	must(err)
	tsaKey, err := x509.MarshalPKCS8PrivateKey(w.tsa.key)
	must(err)
	message := w.signer.sign(t, "import declaration", nil)
	for name, content := range map[string][]byte{
		"cakey.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: caKey}),
		"tsakey.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: tsaKey}),
		"tsa.pem":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.tsa.cert.Raw}),
		"index.txt":  []byte("V\t491221120000Z\t\t" + strings.ToUpper(w.signer.cert.SerialHex()) + "\tunknown\t/CN=Signer\n"),
		"value":      parsed(t, message).Signers[0].Signature,
		"serial":     []byte("01\n"),
		"ts.cnf":     []byte("[t]\nserial=serial\ncrypto_device=builtin\nsigner_cert=tsa.pem\ncerts=ca.pem\nsigner_key=tsakey.pem\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\nordering=no\ntsa_name=no\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n"),
	} {
		must(os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	openssl(t, dir, "ocsp", "-issuer", "ca.pem", "-cert", "cert.pem", "-reqout", "request.der", "-no_nonce")
	openssl(t, dir, "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "cakey.pem", "-reqin", "request.der", "-respout", "answer.der", "-ndays", "1")
	answer, err := os.ReadFile(filepath.Join(dir, "answer.der"))
	must(err)
	openssl(t, dir, "ts", "-query", "-data", "value", "-sha256", "-cert", "-out", "request.tsq")
	openssl(t, dir, "ts", "-reply", "-config", "ts.cnf", "-section", "t", "-queryfile", "request.tsq", "-token_out", "-out", "token.tst")
	token, err := os.ReadFile(filepath.Join(dir, "token.tst"))
	must(err)

	r, _ := verdict(t, withToken(t, message, token), func(h *hearing) {
		h.at = now.Add(10 * time.Minute) // the token is some seconds younger than now
		h.OCSPs = [][]byte{answer, w.tsa.status(now, nil)}
	})
	s := r.Signatures[0]
	if s.Indication != verifier.TotalPassed || s.Level != "T" || len(s.Timestamps) != 1 || s.Timestamps[0].Indication != verifier.Passed {
		t.Errorf("%s/%s level %s, time-stamps %+v, errors %v", s.Indication, s.SubIndication, s.Level, s.Timestamps, s.Errors)
	}
}
