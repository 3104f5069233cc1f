package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/revocation"
)

// The sources of revocation information in their order, over HTTP: a responder
// that is down, the CRL in its place, and an issuer that is fetched. The verdict
// says who was asked in vain, and both clocks; the CRL's signature is held
// against the cryptographic policy.
func TestCertVerifyAsksInOrder(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	answers := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		if body, known := answers[r.URL.Path]; known {
			_, err := w.Write(body)
			check(t, err)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(t, err)
		return key
	}
	issue := func(name string, serial int64, issuer *x509.Certificate, by, key *ecdsa.PrivateKey, ca bool) *x509.Certificate {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: ca, BasicConstraintsValid: ca, KeyUsage: x509.KeyUsageDigitalSignature,
		}
		if ca {
			c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		}
		if issuer == nil {
			issuer = c
		} else {
			c.IssuingCertificateURL = []string{server.URL + "/" + issuer.Subject.CommonName + ".cer"}
			c.CRLDistributionPoints = []string{server.URL + "/" + issuer.Subject.CommonName + ".crl"}
		}
		if !ca {
			c.OCSPServer = []string{server.URL + "/ocsp"}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), by)
		check(t, err)
		made, err := x509.ParseCertificate(der)
		check(t, err)
		return made
	}
	rootKey, middleKey, leafKey := newKey(), newKey(), newKey()
	root := issue("root", 1, nil, rootKey, rootKey, true)
	middle := issue("middle", 2, root, rootKey, middleKey, true)
	leaf := issue("leaf", 3, middle, middleKey, leafKey, false)
	list := func(issuer *x509.Certificate, key *ecdsa.PrivateKey, algorithm x509.SignatureAlgorithm, revoked ...int64) []byte {
		l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour), SignatureAlgorithm: algorithm}
		for _, serial := range revoked {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: l.ThisUpdate, ReasonCode: 1})
		}
		der, err := x509.CreateRevocationList(rand.Reader, l, issuer, key)
		check(t, err)
		return der
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		check(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return file
	}
	rootFile, leafFile := write("root.pem", "CERTIFICATE", root.Raw), write("leaf.pem", "CERTIFICATE", leaf.Raw)
	policy := filepath.Join(dir, "policy.json")
	check(t, os.WriteFile(policy, []byte(`{"name":"sha-256 only","digests":[{"name":"SHA-256"}],"keys":[{"name":"ECDSA","bits":256}]}`), 0o600))
	verify := func(arguments ...string) (int, certVerdict, string) {
		var out, errs bytes.Buffer
		p := &program{stdout: &out, stderr: &errs, language: fault.English, now: time.Now, environ: []string{
			"SENIM_TRUST=" + t.TempDir(), "SENIM_TRUST_ALLOWED_HOSTS=" + strings.TrimPrefix(server.URL, "http://"),
		}}
		asked = nil
		code := p.run(t.Context(), append([]string{"cert", "verify", "--anchors", rootFile, "--json"}, arguments...))
		var v certVerdict
		check(t, json.Unmarshal(out.Bytes(), &v))
		return code, v, errs.String()
	}
	answers["/middle.cer"], answers["/root.crl"] = middle.Raw, list(root, rootKey, x509.ECDSAWithSHA256)

	answers["/middle.crl"] = list(middle, middleKey, x509.ECDSAWithSHA384)
	code, v, stderr := verify(leafFile)
	if code != exitOK || len(v.Path) != 3 || len(v.Revocation) != 2 {
		t.Fatalf("exit %d, %+v, %s", code, v, stderr)
	}
	if s := v.Revocation[0]; s.Kind != revocation.CRL || s.Fetched == nil || s.ThisUpdate == nil || len(s.Attempts) != 1 || !strings.Contains(s.Attempts[0], string(fault.PeerDown)) {
		t.Errorf("%+v", s)
	}
	if want := "/middle.cer"; len(asked) == 0 || asked[0] != want {
		t.Errorf("asked %v", asked)
	}
	if code, v, _ := verify("--crypto-policy", policy, leafFile); code != exitFailed || v.Reason != fault.RevocationUnknown || !strings.Contains(strings.Join(v.Revocation[0].Attempts, " "), string(fault.AlgorithmForbidden)) {
		t.Errorf("a CRL of SHA-384: exit %d, %+v", code, v)
	}
	if code, v, _ := verify("--offline", leafFile); code != exitFailed || v.Reason != fault.ChainNotFound || len(asked) != 0 {
		t.Errorf("offline: exit %d, %s, asked %v", code, v.Reason, asked)
	}
	answers["/middle.crl"] = list(middle, middleKey, x509.ECDSAWithSHA384, 3)
	if code, v, _ := verify("--crypto-policy", policy, leafFile); code != exitFailed || v.Reason != fault.CertificateRevoked {
		t.Errorf("revoked: exit %d, %s", code, v.Reason)
	}
}
