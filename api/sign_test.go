package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/signer/cades"
)

// Sign signs with a key of its own, and refuses the key "lost" and the document
// "bad".
func (r *rooms) Sign(ctx context.Context, caller access.Caller, q SignRequest) (*cades.Message, error) {
	if q.Key == "lost" {
		return nil, fault.New(fault.HSMUnavailable, "", "removed")
	}
	head := make([]byte, 3)
	if _, err := q.Document.ReadAt(head, 0); err == nil && string(head) == "bad" {
		return nil, fault.New(fault.CertificateRevoked, "", "the document says so")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: string(caller.Role)}, NotBefore: start, NotAfter: start.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	c, err := cert.Parse(der)
	if err != nil {
		return nil, err
	}
	if q.Content != nil {
		m, err := cades.Open(q.Document)
		if err != nil {
			return nil, err
		}
		return m, m.AddSigner(ctx, q.Content, cades.Identity{Key: key, Certificate: c}, cades.Options{})
	}
	return cades.Sign(ctx, q.Document, cades.Identity{Key: key, Certificate: c}, cades.Options{Detached: q.Detached})
}

// Extend gives the message as it came, knows nothing above it, and for T takes
// what is not signed, too.
func (r *rooms) Extend(ctx context.Context, caller access.Caller, q SignRequest) (*cades.Message, error) {
	switch q.Level {
	case cades.T:
		return r.Sign(ctx, caller, q)
	case cades.LT:
		return nil, fault.New(fault.LevelReached, "", "%s", q.Level)
	}
	return cades.Open(q.Document)
}

func (h *house) sign(path string, parts ...part) answer {
	h.t.Helper()
	contentType, body := uploadOf(h.t, parts...)
	return h.do(sent{method: "POST", path: path, contentType: contentType, body: body, bearer: h.client("window", access.SingleWindow)})
}

func TestSignOneDocument(t *testing.T) {
	h := newHouse(t)
	a := h.sign("/v1/sign", part{"document", "doc", "declaration"})
	if a.status != http.StatusOK || a.header.Get("Content-Type") != cmsType {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	m, err := cms.Parse(a.body)
	if err != nil || string(m.Content) != "declaration" || len(m.Signers) != 1 {
		t.Fatalf("%v, %+v", err, m)
	}
	detached := h.sign("/v1/sign?detached=true&level=B&key=seal", part{"document", "doc", "declaration"})
	if m, err = cms.Parse(detached.body); err != nil || !m.Detached {
		t.Fatalf("%v, %+v", err, m)
	}
	both := h.sign("/v1/sign", part{"document", "doc", string(detached.body)}, part{"content", "doc", "declaration"})
	if m, err = cms.Parse(both.body); err != nil || len(m.Signers) != 2 {
		t.Errorf("%v, %+v", err, m)
	}
	again := h.sign("/v1/extend?level=LTA", part{"document", "doc", string(a.body)})
	if again.status != http.StatusOK || !bytes.Equal(again.body, a.body) {
		t.Errorf("%d %s", again.status, again.body)
	}
}

func TestSignRefuses(t *testing.T) {
	h := newHouse(t)
	for name, tt := range map[string]struct {
		path   string
		parts  []part
		status int
		code   fault.Code
	}{
		"no document":    {"/v1/sign", nil, http.StatusBadRequest, fault.InputEmpty},
		"another part":   {"/v1/sign", []part{{"file", "", "x"}}, http.StatusBadRequest, fault.BodyInvalid},
		"a lost key":     {"/v1/sign?key=lost", []part{{"document", "", "x"}}, http.StatusServiceUnavailable, fault.HSMUnavailable},
		"a level":        {"/v1/sign?level=C", []part{{"document", "", "x"}}, http.StatusBadRequest, fault.ParameterInvalid},
		"no level":       {"/v1/extend", []part{{"document", "", "x"}}, http.StatusBadRequest, fault.ParameterInvalid},
		"level reached":  {"/v1/extend?level=LT", []part{{"document", "", "x"}}, http.StatusConflict, fault.LevelReached},
		"nothing signed": {"/v1/extend?level=LTA", []part{{"document", "", "x"}}, http.StatusBadRequest, fault.CMSMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			h := *h
			h.t = t
			if a := h.sign(tt.path, tt.parts...); a.status != tt.status || !strings.Contains(string(a.body), `"`+string(tt.code)+`"`) {
				t.Errorf("%d %s, want %d %s", a.status, a.body, tt.status, tt.code)
			}
		})
	}
}

func TestSignSeveralDocuments(t *testing.T) {
	h := newHouse(t)
	a := h.sign("/v1/sign", part{"document", "a", "one"}, part{"document", "b", "bad"}, part{"document", "", "three"})
	kind, parameters, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || kind != mixedType || a.status != http.StatusOK {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	parts := multipart.NewReader(bytes.NewReader(a.body), parameters["boundary"])
	for _, want := range []struct{ file, content, code string }{{"a", "one", ""}, {"b", "", string(fault.CertificateRevoked)}, {"document-3", "three", ""}} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil || p.FileName() != want.file {
			t.Fatalf("%s: %v", p.FileName(), err)
		}
		if want.code != "" {
			var problem Problem
			if err := json.Unmarshal(body, &problem); err != nil || problem.Code != want.code || p.Header.Get("Content-Type") != problemType {
				t.Errorf("%v, %s", err, body)
			}
			continue
		}
		if m, err := cms.Parse(body); err != nil || string(m.Content) != want.content {
			t.Errorf("%s: %v", want.file, err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}
