package main

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/verifier"
)

// documentsOf is a request to validate documents: parts are names and contents.
func (w *world) documentsOf(t *testing.T, accept string, parts ...[2]any) call {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, p := range parts {
		out, err := m.CreateFormFile(p[0].(string), "file.p7m")
		check(t, err)
		_, err = out.Write(p[1].([]byte))
		check(t, err)
	}
	check(t, m.Close())
	return call{method: http.MethodPost, path: "/v1/verify", contentType: m.FormDataContentType(), bearer: w.window.bearer, body: b.Bytes(), header: http.Header{"Accept": {accept}}}
}

// uploads are documents to validate, good, hostile and several.
func (w *world) uploads(t *testing.T) {
	good := w.signedBy(t, sandbox.Head, w.declaration)
	report := answered[verifier.Report](t, w.do(t, w.documentsOf(t, "application/json", [2]any{"document", good})), http.StatusOK)
	if report.Indication != verifier.TotalPassed || report.Signatures[0].Signer.IIN == "" || len(report.Objects) < 3 {
		t.Errorf("%+v", report)
	}
	for accept, words := range map[string]string{"text/plain": "(TOTAL-PASSED).", "application/xml": "urn:etsi:019102:mainindication:total-passed"} {
		if r := w.do(t, w.documentsOf(t, accept, [2]any{"document", good})); r.status != http.StatusOK || !strings.Contains(string(r.body), words) {
			t.Errorf("%s: %d %s", accept, r.status, r.body)
		}
	}
	// What is no signature does not keep the others from their verdicts, and a
	// document beside another's content is not its own.
	several := w.do(t, w.documentsOf(t, "*/*", [2]any{"document", good}, [2]any{"document", []byte("none")}, [2]any{"document", good}, [2]any{"content", []byte("another")}))
	var results struct {
		Indication verifier.Indication
		Results    []struct {
			Report  *verifier.Report
			Problem *struct{ Code fault.Code }
		}
	}
	check(t, json.Unmarshal(several.body, &results))
	if results.Indication != verifier.Indeterminate || len(results.Results) != 3 || results.Results[0].Report == nil ||
		results.Results[1].Problem == nil || results.Results[2].Problem == nil || results.Results[2].Problem.Code != fault.ContentConflict {
		t.Errorf("%s", several.body)
	}
	for name, h := range newTrader(t).hostileFiles(t) {
		t.Run(name, func(t *testing.T) {
			r := w.do(t, w.documentsOf(t, "application/json", [2]any{"document", h.document}))
			if h.indication == "" {
				p, err := r.problem()
				check(t, err)
				if p.Code != string(h.code) {
					t.Errorf("%s, want %s", r.body, h.code)
				}
				return
			}
			// Its root is nobody's here, so that what would pass has no path.
			if h.indication == verifier.TotalPassed || h.sub == verifier.SigConstraintsFailure {
				h.indication, h.sub = verifier.Indeterminate, verifier.NoCertificateChain
			}
			report := answered[verifier.Report](t, r, http.StatusOK)
			h.judged(t, &report)
		})
	}
	w.goesOn(t)
}
