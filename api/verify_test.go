package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
)

// Verify reads what it is given, as the verifier does, and reports on it by its
// words: "bad" is refused, "failed" is TOTAL-FAILED, anything else passes.
func (r *rooms) Verify(_ context.Context, q VerifyRequest) (*verifier.Report, error) {
	if r.verifying != nil {
		close(r.verifying)
	}
	document, err := io.ReadAll(q.Document)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unreadable, "", "read")
	}
	content := []byte("none")
	if q.Content != nil {
		if content, err = io.ReadAll(q.Content); err != nil {
			return nil, fault.Wrap(err, fault.Unreadable, "", "read")
		}
	}
	if string(document) == "bad" {
		return nil, fault.New(fault.CMSMalformed, "/", "not CMS")
	}
	at := q.At
	if at.IsZero() {
		at = start
	}
	sum := sha256.Sum256(document)
	report := &verifier.Report{
		File: q.Name, Format: "CAdES", Indication: verifier.TotalPassed, Policy: q.Policy.Name, ValidationTime: at.UTC().Format(time.RFC3339),
		SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(document)), Objects: []verifier.ObjectReport{},
		Signatures: []verifier.SignatureReport{{
			ID: "S-1", Indication: verifier.TotalPassed, Level: "B", Covers: []verifier.CoveredReport{{Name: "content", Bytes: int64(len(content)), Found: true, Intact: true}},
			Timestamps: []verifier.TimestampReport{}, Path: []string{}, Chain: []string{}, Evidence: []string{}, Constraints: []verifier.Constraint{},
			BestSignatureTime: at.UTC().Format(time.RFC3339), Errors: []verifier.Message{}, Warnings: []verifier.Message{{Code: fault.SignerReferenceAbsent}},
			Signer: verifier.SignerReport{Roles: []string{}},
		}},
	}
	if string(document) == "failed" {
		report.Indication, report.SubIndication = verifier.TotalFailed, verifier.HashFailure
	}
	return report, nil
}

// part is one part of an upload.
type part struct{ name, file, content string }

// upload writes parts as a browser does.
func uploadOf(t *testing.T, parts ...part) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		header := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"; filename="%s"`, p.name, p.file)}}
		if p.file == "" {
			header.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"`, p.name))
		}
		if p.file == "in base64" {
			header.Set("Content-Transfer-Encoding", "base64")
		}
		out, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(out, p.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func (h *house) verify(query string, headers map[string]string, parts ...part) answer {
	h.t.Helper()
	contentType, body := uploadOf(h.t, parts...)
	return h.do(sent{
		method: "POST", path: "/v1/verify" + query, contentType: contentType, body: body, headers: headers,
		bearer: h.client("window", access.SingleWindow),
	})
}

func TestVerifyOneDocument(t *testing.T) {
	h := newHouse(t)
	a := h.verify("?policy=strict&at=2026-01-02T03:04:05%2B05:00", map[string]string{"Accept-Language": "ru"}, part{"document", "../a b.p7m", "signed"})
	if a.status != http.StatusOK || a.header.Get("Content-Type") != jsonType || a.header.Get("Content-Language") != "ru" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	var r verifier.Report
	if err := json.Unmarshal(a.body, &r); err != nil {
		t.Fatal(err)
	}
	if r.File != "a b.p7m" || r.Policy != "strict" || r.ValidationTime != "2026-01-01T22:04:05Z" || r.Bytes != 6 ||
		r.Signatures[0].Warnings[0].Message != fault.SignerReferenceAbsent.Message(fault.Russian) {
		t.Errorf("%+v", r)
	}
	a = h.verify("", nil, part{"document", "", "signed"}, part{"content", "x", "what was signed"})
	if !strings.Contains(string(a.body), `"bytes": 15`) || !strings.Contains(string(a.body), `"file": "document-1"`) || !strings.Contains(string(a.body), `"policy": "kz-qualified"`) {
		t.Errorf("%s", a.body)
	}
}

func TestVerifyFormats(t *testing.T) {
	h := newHouse(t)
	one, two := []part{{"document", "a", "signed"}}, []part{{"document", "a", "signed"}, {"document", "b", "bad"}}
	for name, tt := range map[string]struct {
		accept string
		parts  []part
		status int
		words  string
	}{
		"text":             {"text/plain", one, http.StatusOK, "Қолтаңба жарамды"},
		"text of two":      {"text/*", two, http.StatusOK, "[cms_malformed]"},
		"XML":              {"application/xml;q=0.9, text/plain;q=0.1", one, http.StatusOK, "<vr:ValidationReport"},
		"XML of two":       {"application/xml", two, http.StatusNotAcceptable, string(fault.NotAcceptable)},
		"a picture":        {"image/png", one, http.StatusNotAcceptable, string(fault.NotAcceptable)},
		"anything but it":  {"*/*, application/json;q=0", one, http.StatusOK, "Қолтаңба жарамды"},
		"endless":          {strings.Repeat("a/b,", 400), one, http.StatusNotAcceptable, string(fault.NotAcceptable)},
		"rubbish and JSON": {";;, application/json", one, http.StatusOK, `"signatures"`},
	} {
		t.Run(name, func(t *testing.T) {
			h := *h
			h.t = t
			a := h.verify("", map[string]string{"Accept": tt.accept, "Accept-Language": "kk"}, tt.parts...)
			if a.status != tt.status || !strings.Contains(string(a.body), tt.words) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func TestVerifySeveralDocuments(t *testing.T) {
	h := newHouse(t)
	a := h.verify("", nil, part{"document", "a", "signed"}, part{"document", "b", "bad"}, part{"document", "c", "signed"}, part{"content", "", "text"})
	var got struct {
		Indication string
		Results    []struct {
			File    string
			Report  *verifier.Report
			Problem *Problem
		}
	}
	if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK || len(got.Results) != 3 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got.Indication != "INDETERMINATE" || got.Results[0].Report == nil || got.Results[1].Problem == nil || got.Results[1].Problem.Code != string(fault.CMSMalformed) ||
		got.Results[2].File != "c" || got.Results[2].Report.Signatures[0].Covers[0].Bytes != 4 {
		t.Errorf("%s", a.body)
	}
	a = h.verify("", nil, part{"document", "b", "bad"}, part{"document", "f", "failed"})
	if !strings.Contains(string(a.body), `"indication": "TOTAL-FAILED"`) {
		t.Errorf("%s", a.body)
	}
}

func TestVerifyRefuses(t *testing.T) {
	h := newHouse(t)
	document := part{"document", "a", "signed"}
	large := part{"document", "a", strings.Repeat("x", headMax+1)}
	many := make([]part, 10_000)
	for i := range many {
		many[i] = document
	}
	for name, tt := range map[string]struct {
		query string
		parts []part
		code  fault.Code
	}{
		"no part":                     {"", nil, fault.InputEmpty},
		"another part":                {"", []part{{"file", "a", "signed"}}, fault.BodyInvalid},
		"a part too many":             {"", []part{document, {"content", "", "x"}, {"content", "", "x"}}, fault.BodyInvalid},
		"content alone":               {"", []part{{"content", "", "x"}}, fault.BodyInvalid},
		"content of a large document": {"", []part{large, {"content", "", "x"}}, fault.BodyInvalid},
		"a part in base64":            {"", []part{{"document", "in base64", "c2lnbmVk"}}, fault.BodyInvalid},
		"not CMS":                     {"", []part{{"document", "a", "bad"}}, fault.CMSMalformed},
		"10,000 parts":                {"", many, fault.InputTooBig},
		"no such policy":              {"?policy=./own.yaml", []part{document}, fault.PolicyUnknown},
		"no time":                     {"?at=yesterday", []part{document}, fault.ParameterInvalid},
		"no such parameter":           {"?anchors=x", []part{document}, fault.ParameterInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := *h
			h.t = t
			a := h.verify(tt.query, nil, tt.parts...)
			a.want(statusOf(tt.code), tt.code)
		})
	}
	contentType, body := uploadOf(t, document)
	for name, tt := range map[string]struct {
		contentType, body string
		code              fault.Code
	}{
		"empty":            {contentType, "", fault.InputEmpty},
		"half a document":  {contentType, body[:len(body)-20], fault.BodyInvalid},
		"no boundary":      {multipartType, body, fault.BodyInvalid},
		"another boundary": {multipartType + "; boundary=other", body, fault.InputEmpty},
		"JSON":             {jsonType, "{}", fault.MediaTypeUnsupported},
		"CMS":              {"application/cms", "signed", fault.MediaTypeUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			h := *h
			h.t = t
			a := h.do(sent{method: "POST", path: "/v1/verify", contentType: tt.contentType, body: tt.body, bearer: h.client("window", access.SingleWindow)})
			a.want(statusOf(tt.code), tt.code)
		})
	}
}

// A body longer than the contract's limit is refused by its length, or when it
// gets there.
func TestVerifyTooLarge(t *testing.T) {
	h := newHouse(t)
	h.contract.operations["POST /v1/verify"].bodyMax = 10 << 20
	contentType, body := uploadOf(t, part{"document", "a", strings.Repeat("x", 11<<20)})
	for name, length := range map[string]int64{"told": int64(len(body)), "not told": -1} {
		t.Run(name, func(t *testing.T) {
			h := *h
			h.t = t
			r := sent{method: "POST", path: "/v1/verify", contentType: contentType, bearer: h.client("window", access.SingleWindow)}.request(t)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), length
			h.serve(r).want(http.StatusRequestEntityTooLarge, fault.InputTooBig)
		})
	}
}

// Requests under way share the memory; one too many is told to come again.
func TestVerifyWaitsForMemory(t *testing.T) {
	h := newHouse(t)
	if !h.server.bodies.TryAcquire(bodyBudget - 10) {
		t.Fatal("no memory to begin with")
	}
	h.verify("", nil, part{"document", "a", "signed"}).want(http.StatusServiceUnavailable, fault.Overloaded)
}

// The document is read while it comes: of many times what may be held, the
// reader has had most before the caller sends the rest.
func TestVerifyReadsAsItComes(t *testing.T) {
	h := newHouse(t)
	server := httptest.NewServer(h.server.Handler())
	defer server.Close()
	body, send := io.Pipe()
	w := multipart.NewWriter(send)
	go func() {
		out, err := w.CreateFormFile("document", "large.p7m")
		chunk := bytes.Repeat([]byte("x"), 1<<20)
		for range 64 {
			if err == nil {
				_, err = out.Write(chunk)
			}
		}
		if err == nil {
			err = w.Close()
		}
		send.CloseWithError(err)
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/verify", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+h.client("window", access.SingleWindow))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"bytes": 67108864`) {
		t.Errorf("%v, %d %s", err, response.StatusCode, answer)
	}
}

// A caller that goes away in the middle ends the work, and the log says so.
func TestVerifyCallerGoesAway(t *testing.T) {
	h := newHouse(t)
	server := httptest.NewServer(h.server.Handler())
	token := h.client("window", access.SingleWindow)
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h.rooms.verifying = make(chan struct{})
	fmt.Fprintf(connection, "POST /v1/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s; boundary=b\r\nContent-Length: 100000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\n%s",
		token, multipartType, strings.Repeat("x", headMax+1<<20))
	<-h.rooms.verifying
	connection.Close()
	server.Close() // waits for the request
	if log := h.log.String(); !strings.Contains(log, string(fault.BodyTruncated)) && !strings.Contains(log, string(fault.Cancelled)) {
		t.Errorf("the log: %s", log)
	}
}

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]string{
		"": "a/b", "*/*": "a/b", "c/d": "c/d", "a/b;q=0.1, c/d;q=0.2": "c/d", "a/*;q=0, */*": "c/d", "a/b;q=2": "", "a/b;q=x": "", "x/y": "",
		"c/d;level=1, a/b;q=0.5": "c/d",
	} {
		got, err := negotiate([]string{accept}, "a/b", "c/d")
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", accept, got, err)
		}
	}
}
