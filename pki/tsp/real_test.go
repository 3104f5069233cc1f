package tsp

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/csv"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// openssl answers our request, and verifies what we take for a good token.
func TestAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	w, dir := testWorld(), t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	armour := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	key, err := x509.MarshalPKCS8PrivateKey(w.rsa.key)
	if err != nil {
		t.Fatal(err)
	}
	write("tsa.pem", armour("CERTIFICATE", w.rsa.Raw))
	write("tsa.key", armour("PRIVATE KEY", key))
	write("ca.pem", armour("CERTIFICATE", w.ca.Raw))
	write("data", data)
	write("serial", []byte("01\n"))
	write("tsa.cnf", []byte(`[tsa]
default_tsa = t
[t]
serial = serial
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.398.3.3.2.6.2
digests = sha256, sha512
accuracy = secs:1, millisecs:500
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`))
	for _, digest := range []*algo.Digest{algo.SHA256, algo.SHA512} {
		request, err := NewRequest(data, digest, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		request.Policy = policy
		der, err := request.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		write("request.tsq", der)
		run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out", "reply.tsr")
		reply, err := os.ReadFile(filepath.Join(dir, "reply.tsr"))
		if err != nil {
			t.Fatal(err)
		}
		token, err := request.Accept(reply)
		if err != nil {
			t.Fatal(err)
		}
		if !w.rsa.Covers(token.Time) {
			t.Skip("the test's certificates do not cover the present")
		}
		if _, err := token.Verify(data, anchors(t, w.ca)); err != nil {
			t.Error(err)
		}
		if token.Authority == nil || !token.Ordering || token.Accuracy == nil || token.Accuracy.Seconds() != 1.5 {
			t.Errorf("%+v", token.Info)
		}
		write("token.der", token.Raw)
		run("ts", "-verify", "-data", "data", "-in", "token.der", "-token_in", "-CAfile", "ca.pem")
	}
	// A digest that this authority does not take is refused with its reason.
	request, err := NewRequest(data, algo.SHA384, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := request.Marshal()
	write("request.tsq", der)
	run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out", "reply.tsr")
	reply, err := os.ReadFile(filepath.Join(dir, "reply.tsr"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := request.Accept(reply); !fault.Is(err, fault.TSARefused) || !strings.Contains(err.Error(), "badAlg") {
		t.Errorf("refusal: %v", err)
	}
}

// NUC RK's own token is signed with GOST 34.310-2004.
func TestNUCToken(t *testing.T) {
	folder := filepath.Join(shared, "nuc-rk", "ncanode", "tsp")
	raw, err := os.ReadFile(filepath.Join(folder, "tsp_token.bin"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	token, err := ParseToken(raw)
	if err != nil {
		t.Fatal(err)
	}
	if token.Time.Format("20060102150405Z") != "20220918132014Z" || token.Policy.String() != "1.2.398.3.3.2.6.1" {
		t.Errorf("%+v", token.Info)
	}
	if _, err := token.VerifySignature(); err != nil {
		t.Error(err)
	}
	reply, err := os.ReadFile(filepath.Join(folder, "tsp_response.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseReply(reply); err != nil {
		t.Error(err)
	}
}

// The tokens of others: no broken one passes, and no good one is refused but
// for what is said here.
func TestSharedTokens(t *testing.T) {
	folder := filepath.Join(shared, "validation", "tsa")
	f, err := os.Open(filepath.Join(folder, "tsa.tsv"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// Rules of tspclient alone, not of the standard.
	theirs := map[string]bool{
		"notary-tsp-TimeStampTokenWithSHA1CertHash": true,
		"notary-cms-Sha1SignedData":                 true,
	}
	accepted := 0
	for _, row := range rows[1:] {
		id, file, kind, expected, anchor := row[0], row[1], row[2], row[3], row[4]
		if kind != "token" && kind != "response" || theirs[id] {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		token, err := read(kind, raw)
		var signer *cert.Certificate
		if err == nil {
			if signer, err = token.VerifySignature(); err == nil {
				err = CheckAuthority(signer)
			}
		}
		if err == nil && strings.HasSuffix(anchor, ".crt") {
			store, loadErr := trust.Load(filepath.Join(folder, anchor))
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			_, err = token.path(signer, store)
		}
		if id == "sigstore-injected" {
			// Its forged certificate must not be taken for the signer's; the
			// genuine one leads to a root of nobody's.
			if err != nil || signer.Subject.String() != "CN=Test TSA Timestamping,O=local" {
				t.Errorf("%s: signer %v, %v", id, signer, err)
			}
			continue
		}
		good := expected == "valid" || strings.HasPrefix(expected, "parse-ok")
		switch {
		case good && err == nil:
			accepted++
		case good && refusedWithReason[id] == fault.CodeOf(err):
		case good:
			t.Errorf("%s: refused: %v", id, err)
		case err == nil && !strings.HasPrefix(expected, "valid"):
			t.Errorf("%s: accepted, %s", id, expected)
		}
	}
	if accepted < 5 {
		t.Errorf("only %d accepted", accepted)
	}
}

// refusedWithReason are tokens that their owners count as good.
var refusedWithReason = map[string]fault.Code{
	// RFC 3161 §2.4.2 wants one signer; tspclient takes the first that verifies.
	"notary-tsp-TimeStampTokenWithValidAndInvalidSignerInfos":   fault.TimestampUnreadable,
	"notary-cms-TimeStampTokenWithAnInvalidAndAValidSignerInfo": fault.TimestampUnreadable,
	// openssl finds the signature wrong too: tspclient reads only the time.
	"notary-cms-TimeStampTokenWithSigningTime": fault.SignatureInvalid,
	// Its two signing-certificate attributes name two certificates.
	"dss-tst-two-refs.tst": fault.TimestampSignerMismatch,
}

func read(kind string, raw []byte) (*Token, error) {
	if kind == "response" {
		return ParseReply(raw)
	}
	return ParseToken(raw)
}
