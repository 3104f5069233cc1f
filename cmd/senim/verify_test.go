package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
)

// senimVerify runs the command as main does, with an empty trust folder.
func senimVerify(t *testing.T, language fault.Language, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, environ: []string{"SENIM_TRUST=" + t.TempDir()}, language: language, now: time.Now}
	code = p.run(context.Background(), append([]string{"verify", "--offline"}, arguments...))
	return code, out.String(), errs.String()
}

// trader is a root, a certificate under it, and a CRL, as files.
type trader struct{ dir, root, cert, key, crl, document string }

func newTrader(t *testing.T) trader {
	t.Helper()
	now := time.Now()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	check(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "ТЕСТОВ ТЕСТ", SerialNumber: "IIN900101300018"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	check(t, err)
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}, root, rootKey)
	check(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	dir := t.TempDir()
	file := func(name, label string, content []byte) string {
		path := filepath.Join(dir, name)
		if label != "" {
			content = pem.EncodeToMemory(&pem.Block{Type: label, Bytes: content})
		}
		check(t, os.WriteFile(path, content, 0o600))
		return path
	}
	return trader{
		dir: dir, root: file("root.pem", "CERTIFICATE", rootDER), cert: file("cert.pem", "CERTIFICATE", leafDER),
		key: file("key.pem", "PRIVATE KEY", keyDER), crl: file("root.crl", "X509 CRL", crl), document: file("doc", "", []byte("declaration")),
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sign makes a signature with openssl, and skips where it is not installed.
func (tr trader) sign(t *testing.T, options ...string) string {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	out := filepath.Join(tr.dir, "signed.p7m")
	arguments := append([]string{"cms", "-sign", "-binary", "-cades", "-in", tr.document, "-signer", tr.cert, "-inkey", tr.key, "-outform", "DER", "-out", out}, options...)
	if answer, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, answer)
	}
	return out
}

func TestVerifyWhatOpenSSLSigned(t *testing.T) {
	tr := newTrader(t)
	signed := tr.sign(t, "-nodetach")
	saved := filepath.Join(tr.dir, "facts.json")
	code, first, stderr := senimVerify(t, fault.English, "--anchors", tr.root, "--crls", tr.crl, "--at", time.Now().UTC().Format(time.RFC3339), "--facts-out", saved, "--json", signed)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d, stderr %q, stdout %s", code, stderr, first)
	}
	var report verifier.Report
	check(t, json.Unmarshal([]byte(first), &report))
	if report.Indication != verifier.TotalPassed || report.File != "signed.p7m" || report.Signatures[0].Level != "B" || report.Signatures[0].Signer.IIN != "900101300018" {
		t.Errorf("%+v", report)
	}

	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, language: fault.English, now: time.Now}
	if code := p.run(context.Background(), []string{"verify", "--facts", saved, "--anchors", tr.root, "--at", report.ValidationTime, "--json"}); code != exitOK || out.String() != first {
		t.Errorf("the saved facts give exit %d and another report:\n%s\n%s%s", code, first, out.String(), errs.String())
	}

	code, text, _ := senimVerify(t, fault.Russian, "--anchors", tr.dir+"/root.pem", "--crls", tr.crl, signed)
	if code != exitOK || !strings.HasPrefix(text, "Подпись действительна (TOTAL-PASSED).") || strings.Contains(text, "900101300018") {
		t.Errorf("exit %d\n%s", code, text)
	}
}

func TestVerifyExitCodes(t *testing.T) {
	tr := newTrader(t)
	attached := tr.sign(t, "-nodetach")
	raw, err := os.ReadFile(attached)
	check(t, err)
	changed := filepath.Join(tr.dir, "changed.p7m")
	check(t, os.WriteFile(changed, bytes.Replace(raw, []byte("declaration"), []byte("declaratiom"), 1), 0o600))
	encoded := filepath.Join(tr.dir, "signed.pem")
	check(t, os.WriteFile(encoded, pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: raw}), 0o600))
	detached := filepath.Join(tr.dir, "detached.p7s")
	check(t, os.Rename(tr.sign(t), detached))
	check(t, os.WriteFile(attached, raw, 0o600))
	trusted := []string{"--anchors", tr.root, "--crls", tr.crl}

	for name, tt := range map[string]struct {
		arguments []string
		code      int
		sub       string
	}{
		"good":                          {append(trusted, attached), exitOK, ""},
		"good in PEM":                   {append(trusted, encoded), exitOK, ""},
		"changed":                       {append(trusted, changed), exitFailed, "HASH_FAILURE"},
		"detached with its document":    {append(trusted, "--content", tr.document, detached), exitOK, ""},
		"detached without":              {append(trusted, detached), exitIndeterminate, "SIGNED_DATA_NOT_FOUND"},
		"nothing trusted":               {[]string{attached}, exitIndeterminate, "NO_CERTIFICATE_CHAIN_FOUND"},
		"no revocation information":     {[]string{"--anchors", tr.root, attached}, exitIndeterminate, "TRY_LATER"},
		"before the certificate":        {append(trusted, "--at", "2001-01-01T00:00:00Z", attached), exitFailed, "NOT_YET_VALID"},
		"no file":                       {nil, exitUsage, ""},
		"content for two files":         {[]string{"--content", tr.document, attached, changed}, exitUsage, ""},
		"XML of two files":              {[]string{"--format", "xml", attached, changed}, exitUsage, ""},
		"facts of two files":            {[]string{"--facts-out", filepath.Join(tr.dir, "f"), attached, changed}, exitUsage, ""},
		"input among files":             {[]string{attached, "-"}, exitUsage, ""},
		"no such format":                {[]string{"--format", "pdf", attached}, exitUsage, ""},
		"no such language":              {[]string{"--lang", "de", attached}, exitUsage, ""},
		"no such digest":                {[]string{"--content-digest", "MD4:00", detached}, exitUsage, ""},
		"half a digest":                 {[]string{"--content-digest", "SHA-256:00", detached}, exitUsage, ""},
		"its digest":                    {append(trusted, "--content-digest", digestOf(t, tr.document), detached), exitOK, ""},
		"the digest of another":         {append(trusted, "--content-digest", digestOf(t, tr.root), detached), exitFailed, "HASH_FAILURE"},
		"a folder":                      {[]string{tr.dir}, exitBadInput, ""},
		"not a time":                    {[]string{"--at", "yesterday", attached}, exitUsage, ""},
		"no such policy":                {[]string{"--policy", "lenient", attached}, exitUsage, ""},
		"a policy file":                 {[]string{"--policy", "./own.yaml", attached}, exitUsage, ""},
		"no such anchors":               {[]string{"--anchors", filepath.Join(tr.dir, "nowhere"), attached}, exitUsage, ""},
		"an unknown flag":               {[]string{"--lenient", attached}, exitUsage, ""},
		"no such file":                  {[]string{filepath.Join(tr.dir, "nowhere")}, exitBadInput, ""},
		"another document":              {append(trusted, "--content", tr.root, attached), exitBadInput, ""},
		"a certificate is no signature": {[]string{tr.cert}, exitBadInput, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := senimVerify(t, fault.English, append([]string{"--json"}, tt.arguments...)...)
			if code != tt.code {
				t.Fatalf("exit %d, want %d\n%s%s", code, tt.code, stdout, stderr)
			}
			if code >= exitUsage {
				if stdout != "" || stderr == "" {
					t.Errorf("stdout %q, stderr %q", stdout, stderr)
				}
				return
			}
			var report verifier.Report
			check(t, json.Unmarshal([]byte(stdout), &report))
			if string(report.SubIndication) != tt.sub {
				t.Errorf("sub-indication %q, want %q", report.SubIndication, tt.sub)
			}
		})
	}
}

func TestVerifyRefusesUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	rubbish := make([]byte, 4096)
	_, _ = rand.Read(rubbish)
	rubbish[0] = 0x30
	for name, tt := range map[string]struct {
		content []byte
		size    int64
		code    fault.Code
	}{
		"empty":      {nil, 0, fault.InputEmpty},
		"rubbish":    {rubbish, 0, fault.CMSMalformed},
		"text":       {[]byte("This is not a signature.\n"), 0, fault.CMSMalformed},
		"nested":     {bytes.Repeat([]byte{0x30, 0x80}, 100_000), 0, fault.EncodingTooDeep},
		"a gigabyte": {[]byte{0x30, 0x84, 0x3f, 0xff, 0xff, 0xfa}, 1 << 30, fault.CMSMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			check(t, os.WriteFile(path, tt.content, 0o600))
			if tt.size > 0 {
				check(t, os.Truncate(path, tt.size)) // sparse
			}
			code, stdout, stderr := senimVerify(t, fault.English, path)
			if code != exitBadInput || stdout != "" || !strings.Contains(stderr, string(tt.code)) {
				t.Errorf("exit %d, stdout %q, stderr %q, want %s", code, stdout, stderr, tt.code)
			}
		})
	}
}

// Real messages of NUC RK's test CA, signed with GOST and RSA: their chains have
// expired and no anchor is configured. None of this makes them invalid.
func TestVerifyRealMessages(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "nuc-rk", "ncanode", "cms")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the real messages are not here: " + folder)
	}
	for _, tt := range []struct {
		file, content string
		subs          []string
	}{
		{"SIGNED_CMS_ONE_SIGNER.der", "", []string{"NO_CERTIFICATE_CHAIN_FOUND"}},
		{"SIGNED_CMS.der", "", []string{"NO_CERTIFICATE_CHAIN_FOUND", "NO_CERTIFICATE_CHAIN_FOUND"}},
		{"SIGNED_DETACHED_CMS.der", "test123", []string{"NO_CERTIFICATE_CHAIN_FOUND", "NO_CERTIFICATE_CHAIN_FOUND"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			arguments := []string{"--json", filepath.Join(folder, tt.file)}
			if tt.content != "" {
				path := filepath.Join(t.TempDir(), "content")
				check(t, os.WriteFile(path, []byte(tt.content), 0o600))
				arguments = append([]string{"--content", path}, arguments...)
			}
			code, stdout, stderr := senimVerify(t, fault.English, arguments...)
			if code != exitIndeterminate {
				t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
			}
			var report verifier.Report
			check(t, json.Unmarshal([]byte(stdout), &report))
			for i, s := range report.Signatures {
				if s.Indication != verifier.Indeterminate || string(s.SubIndication) != tt.subs[i] {
					t.Errorf("signature %d: %s/%s, want %s", i, s.Indication, s.SubIndication, tt.subs[i])
				}
			}
		})
	}
}

// GOST judged whole: Kazakhstan's of 2015 by its list of the time, and Russia's,
// which is right and yet not allowed.
func TestVerifyGOST(t *testing.T) {
	data := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("the real messages are not here: " + data)
	}
	nuc, russia := filepath.Join(data, "nuc-rk", "ncanode"), filepath.Join(data, "gost", "openssl-gost-engine", "gost2012_512-tc26-A")
	kazakh := []string{"--anchors", filepath.Join(nuc, "ca", "nca_gost2015_test.cer"), "--crls", filepath.Join(nuc, "crl"), "--at", "2022-09-27T21:18:00Z"}
	for _, tt := range []struct {
		name      string
		arguments []string
		want      string // of the first signature
	}{
		{"Kazakhstan", append(kazakh, filepath.Join(nuc, "cms", "SIGNED_CMS.der")), "TOTAL-PASSED/"},
		{"Kazakhstan, a policy that wants a reference to the certificate", append(kazakh, "--policy", "etsi-basic", filepath.Join(nuc, "cms", "SIGNED_CMS.der")), "INDETERMINATE/NO_SIGNING_CERTIFICATE_FOUND"},
		{"Russia", []string{"--anchors", filepath.Join(russia, "ca.cer"), filepath.Join(russia, "cms_attached.p7s")}, "INDETERMINATE/TRY_LATER"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, stdout, stderr := senimVerify(t, fault.English, append([]string{"--json"}, tt.arguments...)...)
			var report verifier.Report
			check(t, json.Unmarshal([]byte(stdout), &report))
			if s := report.Signatures[0]; string(s.Indication)+"/"+string(s.SubIndication) != tt.want {
				t.Errorf("%s/%s, want %s\n%s%s", s.Indication, s.SubIndication, tt.want, stdout, stderr)
			}
			if strings.Contains(stdout, string(fault.AlgorithmForbidden)) != (tt.name == "Russia") {
				t.Errorf("forbidden, or not:\n%s", stdout)
			}
		})
	}
}
