package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
)

// upload sends one document, and its content if it is detached.
func (w *world) upload(t *testing.T, path string, document, content []byte, out any) error {
	t.Helper()
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, p := range []struct {
		name  string
		bytes []byte
	}{{"document", document}, {"content", content}} {
		if p.bytes == nil {
			continue
		}
		part, err := parts.CreateFormFile(p.name, "doc")
		check(t, err)
		_, err = part.Write(p.bytes)
		check(t, err)
	}
	check(t, parts.Close())
	return w.window.call(t.Context(), request{method: http.MethodPost, path: path, contentType: parts.FormDataContentType(), body: body.Bytes()}, out)
}

// signsOverHTTP has the service sign with its seal, raise and judge, step by
// step, and openssl verify.
func (w *world) signsOverHTTP(t *testing.T) {
	document := []byte("declaration")
	var signed, raised []byte
	check(t, w.upload(t, "/v1/sign?detached=true", document, nil, &signed))
	check(t, w.upload(t, "/v1/extend?level=LTA", signed, document, &raised))
	var report verifier.Report
	check(t, w.upload(t, "/v1/verify", raised, document, &report))
	if report.Indication != verifier.TotalPassed || report.Signatures[0].Level != "LTA" {
		raw, err := json.Marshal(report)
		t.Errorf("%s, %v", raw, err)
	}
	var both []byte
	check(t, w.upload(t, "/v1/sign?level=T&key=seal", raised, document, &both))
	check(t, w.upload(t, "/v1/verify", both, document, &report))
	if report.Indication != verifier.TotalPassed || len(report.Signatures) != 2 {
		t.Errorf("%+v", report)
	}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "signed"), both, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "doc"), document, 0o600))
	openssl(t, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "signed"), "-content", filepath.Join(dir, "doc"),
		"-CAfile", w.around.path(anchorsName, "root_rsa.pem"), "-purpose", "any", "-out", filepath.Join(dir, "content"))

	for path, code := range map[string]fault.Code{
		"/v1/sign?key=another": fault.SigningKeyUnknown, "/v1/extend?level=T": fault.CMSMalformed, "/v1/extend?level=B": fault.ParameterInvalid,
	} {
		var p *problem
		if err := w.upload(t, path, document, nil, nil); !errors.As(err, &p) || p.Code != string(code) {
			t.Errorf("%s: %v, want %s", path, err, code)
		}
	}
	var uses int
	check(t, w.service.pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_records WHERE action = 'signature.sign' AND outcome = 'allowed'`).Scan(&uses))
	if uses != 2 {
		t.Errorf("%d uses of the seal are on record", uses)
	}
}
