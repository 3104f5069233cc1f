package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/verifier"
)

// signedWithGOST signs with a software key of GOST that the sandbox gives to
// whoever asks, and has the message judged by `senim verify`, which asks the
// sandbox's OCSP and gets the certificate between the signer's and the root from
// where that says, and taken by the service; until the certificate is on hold.
func (w *world) signedWithGOST(t *testing.T) {
	var text []byte
	ask := request{method: http.MethodPost, path: w.around.sandbox.URLs().Control.NCA + "people/" + string(sandbox.Head) + "/gost"}
	check(t, w.window.call(t.Context(), ask, &text))
	key, chain := readIdentity(t, text)
	signed, err := cms.Sign(cms.Template{Content: w.declaration, Certificate: chain[0], SigningTime: time.Now()}, key)
	check(t, err)
	file := filepath.Join(t.TempDir(), "gost.p7m")
	check(t, os.WriteFile(file, signed, 0o600))

	verify := func(exit int) (report verifier.Report) {
		t.Helper()
		var out, errs bytes.Buffer
		p := &program{stdout: &out, stderr: &errs, language: fault.English, now: time.Now, environ: []string{
			"SENIM_TRUST=" + t.TempDir(), "SENIM_TRUST_ALLOWED_HOSTS=" + hostOf(w.around.sandbox.URLs().NCA.OCSP),
		}}
		if code := p.run(t.Context(), []string{"verify", "--json", "--anchors", w.around.path(anchorsName, "root_gost.pem"), file}); code != exit {
			t.Fatalf("exit %d, want %d: %s%s", code, exit, out.String(), errs.String())
		}
		check(t, json.Unmarshal(out.Bytes(), &report))
		return report
	}
	report := verify(exitOK)
	if s := report.Signatures[0]; report.Indication != verifier.TotalPassed || s.Signer.BIN != string(sandbox.CompanyBIN) {
		t.Errorf("%s for %s", report.Indication, s.Signer.BIN)
	}
	answered[api.Document](t, w.do(t, w.documents(w.opened(t, "GOST"), signed)), http.StatusCreated)

	leaf, err := cert.Parse(chain[0])
	check(t, err)
	check(t, w.around.sandbox.NCA().Hold(leaf.SerialHex()))
	if report := verify(exitIndeterminate); report.Indication == verifier.TotalPassed {
		t.Errorf("on hold, and %s", report.Indication)
	}
	transaction := w.opened(t, "GOST")
	if r := w.do(t, w.documents(transaction, signed)); r.status == http.StatusCreated {
		t.Error("a certificate on hold signs")
	}
	w.untouched(t, transaction)
}

// readIdentity takes a key file apart.
func readIdentity(t *testing.T, text []byte) (key *gost.PrivateKey, chain [][]byte) {
	t.Helper()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
			continue
		}
		var err error
		key, err = gost.ParsePrivateKey(block.Bytes)
		check(t, err)
	}
	if key == nil || len(chain) != 3 {
		t.Fatalf("%d certificates", len(chain))
	}
	return key, chain
}
