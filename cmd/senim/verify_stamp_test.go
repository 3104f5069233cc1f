package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

// stamper is a time-stamping authority of openssl's, and its own root.
type stamper struct{ dir, cert string }

func newStamper(t *testing.T) stamper {
	t.Helper()
	a := stamper{dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "Authority"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), SubjectKeyId: []byte{3},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	a.cert = filepath.Join(a.dir, "tsa.pem")
	for path, content := range map[string][]byte{
		a.cert:                          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}),
		filepath.Join(a.dir, "key.pem"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		filepath.Join(a.dir, "serial"):  []byte("01\n"),
		filepath.Join(a.dir, "ts.cnf"): []byte("[t]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = key.pem\nsigner_digest = sha256\n" +
			"default_policy = 1.2.3.4\ndigests = sha256\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n"),
	} {
		check(t, os.WriteFile(path, content, 0o600))
	}
	return a
}

// stamp puts a token over bytes beside the first signature of a message.
func (a stamper) stamp(t *testing.T, message, over []byte) []byte {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	sum := sha256.Sum256(over)
	for _, arguments := range [][]string{
		{"ts", "-query", "-digest", hex.EncodeToString(sum[:]), "-sha256", "-cert", "-out", "query"},
		{"ts", "-reply", "-config", "ts.cnf", "-section", "t", "-queryfile", "query", "-token_out", "-out", "token"},
	} {
		c := exec.Command(program, arguments...)
		c.Dir = a.dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
	}
	token, err := os.ReadFile(filepath.Join(a.dir, "token"))
	check(t, err)
	out, err := cms.AddUnsignedAttribute(message, 0, cms.Attribute{Type: cms.OIDSignatureTimestamp, Values: [][]byte{token}})
	check(t, err)
	return out
}

// A time-stamp proves the time only if it is over this signature and by an
// authority that is trusted; else the signature stands as without it.
func TestVerifyTimestamps(t *testing.T) {
	tr, tsa := newTrader(t), newStamper(t)
	message, err := os.ReadFile(tr.sign(t, "-nodetach"))
	check(t, err)
	parsed, err := cms.Parse(message)
	check(t, err)
	value := parsed.Signers[0].Signature
	trusted := []string{"--anchors", tr.root, "--anchors", tsa.cert, "--crls", tr.crl}
	for name, tt := range map[string]struct {
		document  []byte
		arguments []string
		passed    verifier.Indication
		sub       verifier.SubIndication
		level     string
	}{
		"over this signature":  {tsa.stamp(t, message, value), trusted, verifier.Passed, "", "T"},
		"over something else":  {tsa.stamp(t, message, []byte("something else")), trusted, verifier.Failed, verifier.HashFailure, "B"},
		"of nobody's trust":    {tsa.stamp(t, message, value), []string{"--anchors", tr.root, "--crls", tr.crl}, verifier.Indeterminate, verifier.NoCertificateChain, "T"},
		"over the document":    {tsa.stamp(t, message, []byte("declaration")), trusted, verifier.Failed, verifier.HashFailure, "B"},
		"of a changed message": {tsa.stamp(t, message, append(value[:len(value):len(value)], 0)), trusted, verifier.Failed, verifier.HashFailure, "B"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stamped.p7m")
			check(t, os.WriteFile(path, tt.document, 0o600))
			code, stdout, stderr := senimVerify(t, fault.English, append(tt.arguments, "--json", path)...)
			if code != exitOK {
				t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
			}
			var r verifier.Report
			check(t, json.Unmarshal([]byte(stdout), &r))
			s := r.Signatures[0]
			stamp := s.Timestamps[0]
			if stamp.Indication != tt.passed || stamp.SubIndication != tt.sub || s.Level != tt.level {
				t.Errorf("%s/%s, level %s: %+v", stamp.Indication, stamp.SubIndication, s.Level, s.Warnings)
			}
			if tt.passed == verifier.Passed && s.BestSignatureTime != stamp.Time {
				t.Errorf("best signature time %s, stamp %s", s.BestSignatureTime, stamp.Time)
			}
			if (len(s.Warnings) == 0) != (tt.passed == verifier.Passed) {
				t.Errorf("warnings %v", s.Warnings)
			}
		})
	}
}
