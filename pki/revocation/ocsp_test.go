package revocation

import (
	"bytes"
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

func TestCheckOCSP(t *testing.T) {
	w := testWorld()
	nonce := bytes.Repeat([]byte{7}, 32)
	wrapped := append([]byte{4, 32}, nonce...)
	change := func(f func(*answer)) *answer {
		a := goodAnswer()
		f(a)
		return a
	}
	single := func(f func(*singleAnswer)) *answer {
		return change(func(a *answer) { f(&a.singles[0]) })
	}
	revoked := func(s *singleAnswer, at time.Time, reason int) {
		s.status, s.revokedAt, s.reason = Revoked, at, reason
	}
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	harmless := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}, {Id: oidExtendedRevoke, Critical: true, Value: []byte{5, 0}}}

	tests := []struct {
		name   string
		answer *answer
		status Status
		want   fault.Code
	}{
		{"delegated responder", goodAnswer(), Good, ""},
		{"by the issuer itself", change(func(a *answer) { a.signer, a.certificates = w.ca, nil }), Good, ""},
		{"responder by key", change(func(a *answer) { a.byKey = true }), Good, ""},
		{"issuer by key", change(func(a *answer) { a.signer, a.certificates, a.byKey = w.ca, nil, true }), Good, ""},
		{"RSA responder", change(func(a *answer) { a.signer, a.certificates = w.rs, []*entity{w.ca, w.rs} }), Good, ""},
		{"SHA-1 identifier", single(func(s *singleAnswer) { s.hash = algo.SHA1 }), Good, ""},
		{"other answers beside", change(func(a *answer) {
			s := goodSingle()
			s.serial = big.NewInt(1)
			a.singles = append([]singleAnswer{s}, a.singles...)
		}), Good, ""},
		{"nonce echoed", change(func(a *answer) { a.nonce = wrapped }), Good, ""},
		{"nonce echoed bare", change(func(a *answer) { a.nonce = nonce }), Good, ""},
		{"harmless extensions", change(func(a *answer) { a.extensions, a.singles[0].extensions = harmless, harmless[:1] }), Good, ""},
		{"the responder's old certificate beside the new", change(func(a *answer) {
			a.certificates = []*entity{w.expired, w.renamed, w.responder}
		}), Good, ""},
		{"a name in other letters", change(func(a *answer) { a.signer, a.certificates = w.renamed, []*entity{w.renamed} }), Good, ""},
		{"archive cutoff", single(func(s *singleAnswer) {
			s.extensions = []pkix.Extension{{Id: oidArchiveCutoff, Value: []byte("\x18\x0f20200101000000Z")}}
		}), Good, ""},
		{"next update ahead", single(func(s *singleAnswer) { s.next = now.Add(time.Hour) }), Good, ""},
		{"clocks differ a little", change(func(a *answer) {
			a.produced, a.singles[0].this = now.Add(30*time.Second), now.Add(30*time.Second)
		}), Good, ""},
		{"revoked", single(func(s *singleAnswer) { revoked(s, now.Add(-time.Minute), 1) }), Revoked, ""},
		{"revoked without reason", single(func(s *singleAnswer) { revoked(s, now.Add(-time.Minute), -1) }), Revoked, ""},
		{"revoked long ago, answer old", change(func(a *answer) {
			a.produced, a.singles[0].this = now.Add(-40*time.Hour), now.Add(-40*time.Hour)
			revoked(&a.singles[0], now.Add(-50*time.Hour), 1)
		}), Revoked, ""},
		{"good and revoked", change(func(a *answer) {
			s := goodSingle()
			revoked(&s, now.Add(-time.Minute), 1)
			a.singles = append(a.singles, s)
		}), Revoked, ""},
		{"never issued, NUC RK's way", single(func(s *singleAnswer) { revoked(s, time.Unix(0, 0), 6) }), Unknown, ""},
		{"unknown", single(func(s *singleAnswer) { s.status = Unknown }), Unknown, ""},

		{"another serial number", single(func(s *singleAnswer) { s.serial = big.NewInt(1) }), "", fault.OCSPOtherCertificate},
		{"another issuer name", single(func(s *singleAnswer) { s.issuer = w.other.Certificate }), "", fault.OCSPOtherCertificate},
		{"another issuer key", single(func(s *singleAnswer) { s.key = w.other.KeyBits() }), "", fault.OCSPOtherCertificate},
		{"no answers", change(func(a *answer) { a.singles = nil }), "", fault.OCSPOtherCertificate},
		{"spoilt signature", change(func(a *answer) { a.spoil = func(sig []byte) { sig[len(sig)-1] ^= 1 } }), "", fault.SignatureInvalid},
		{"responder missing", change(func(a *answer) { a.certificates = []*entity{w.ca} }), "", fault.OCSPResponderNotAuthorised},
		{"a certificate that is no responder", change(func(a *answer) { a.signer, a.certificates = w.notMeant, []*entity{w.notMeant} }), "", fault.OCSPResponderNotAuthorised},
		{"the leaf itself", change(func(a *answer) { a.signer, a.certificates = w.leaf, []*entity{w.leaf} }), "", fault.OCSPResponderNotAuthorised},
		{"a responder of another CA", change(func(a *answer) { a.signer, a.certificates = w.foreign, []*entity{w.foreign, w.other} }), "", fault.OCSPResponderNotAuthorised},
		{"an expired responder", change(func(a *answer) { a.signer, a.certificates = w.expired, []*entity{w.expired} }), "", fault.OCSPResponderNotAuthorised},
		{"another nonce", change(func(a *answer) { a.nonce = append([]byte{4, 32}, bytes.Repeat([]byte{8}, 32)...) }), "", fault.OCSPNonceMismatch},
		{"empty nonce", change(func(a *answer) { a.nonce = []byte{4, 0} }), "", fault.OCSPNonceMismatch},
		{"critical extension", change(func(a *answer) { a.extensions = critical }), "", fault.CriticalExtensionUnknown},
		{"critical extension of an answer", single(func(s *singleAnswer) { s.extensions = critical }), "", fault.CriticalExtensionUnknown},
		{"old", change(func(a *answer) { a.produced, a.singles[0].this = now.Add(-2*time.Hour), now.Add(-2*time.Hour) }), "", fault.RevocationStale},
		{"next update passed", single(func(s *singleAnswer) {
			s.this, s.next = now.Add(-30*time.Minute), now.Add(-10*time.Minute)
		}), "", fault.RevocationStale},
		{"next update before this", single(func(s *singleAnswer) { s.next = now.Add(-10 * time.Minute) }), "", fault.RevocationStale},
		{"old hold", change(func(a *answer) {
			a.produced, a.singles[0].this = now.Add(-2*time.Hour), now.Add(-2*time.Hour)
			revoked(&a.singles[0], now.Add(-50*time.Hour), 6)
		}), "", fault.RevocationStale},
		{"older than the certificate", change(func(a *answer) {
			a.signer, a.certificates = w.ca, nil
			a.produced, a.singles[0].this = now.Add(-2000*time.Hour), now.Add(-2000*time.Hour)
		}), "", fault.RevocationStale},
		{"from the future", change(func(a *answer) { a.produced, a.singles[0].this = now.Add(time.Hour), now.Add(time.Hour) }), "", fault.RevocationFromFuture},
		{"this update after production", single(func(s *singleAnswer) { s.this = now.Add(50 * time.Minute) }), "", fault.RevocationFromFuture},
		{"broken archive cutoff", single(func(s *singleAnswer) {
			s.extensions = []pkix.Extension{{Id: oidArchiveCutoff, Value: []byte{5, 0}}}
		}), "", fault.OCSPUnreadable},
		{"version 2", change(func(a *answer) { a.version = 1 }), "", fault.OCSPUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info := Information{Kind: OCSP, Raw: tt.answer.der(t), Nonce: nonce}
			e, err := Check(info, leafSubject(), rules)
			if fault.CodeOf(err) != tt.want {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if tt.want != "" {
				if e != nil {
					t.Error("evidence beside an error")
				}
				return
			}
			if e.Status != tt.status || !e.Signer.Equal(tt.answer.signer.Certificate) {
				t.Errorf("%+v", e)
			}
		})
	}
}

// Good news must be signed well enough, the responder's certificate too; bad news
// counts however it is signed.
func TestAlgorithmsOfEvidence(t *testing.T) {
	w := testWorld()
	bad := fault.New(fault.AlgorithmForbidden, "", "not good enough")
	refusing := func(c *entity) func(*cert.Certificate, algo.Identifier) error {
		return func(signer *cert.Certificate, id algo.Identifier) error {
			if len(id.OID) == 0 {
				t.Error("no algorithm")
			}
			if signer.Equal(c.Certificate) {
				return bad
			}
			return nil
		}
	}
	revoked := goodAnswer()
	revoked.singles[0].status, revoked.singles[0].revokedAt = Revoked, now.Add(-time.Hour)
	hold := goodList()
	hold.entries = []listEntry{{w.leaf.Serial, now.Add(-time.Hour), reason(6)}}
	delta := goodList()
	delta.extensions = []pkix.Extension{number(5), deltaOf(1)}
	base := goodList()
	base.extensions = []pkix.Extension{number(1)}
	of := func(kind Kind, der []byte) Information { return Information{Kind: kind, Raw: der, Source: Given} }
	for name, tt := range map[string]struct {
		infos []Information
		by    *entity
		want  fault.Code
	}{
		"answer":                        {[]Information{of(OCSP, goodAnswer().der(t))}, w.responder, fault.AlgorithmForbidden},
		"the responder's certificate":   {[]Information{of(OCSP, goodAnswer().der(t))}, w.ca, fault.AlgorithmForbidden},
		"nobody's":                      {[]Information{of(OCSP, goodAnswer().der(t))}, w.other, ""},
		"bad news by an answer":         {[]Information{of(OCSP, revoked.der(t))}, w.responder, ""},
		"list":                          {[]Information{of(CRL, goodList().der(t))}, w.ca, fault.AlgorithmForbidden},
		"bad news by a list":            {[]Information{of(CRL, hold.der(t))}, w.ca, ""},
		"list and delta":                {[]Information{of(CRL, base.der(t)), of(CRL, delta.der(t))}, w.ca, fault.AlgorithmForbidden},
		"list and delta, good for both": {[]Information{of(CRL, base.der(t)), of(CRL, delta.der(t))}, w.other, ""},
	} {
		checker := Checker{Given: tt.infos}
		rules := Rules{At: now, Algorithms: refusing(tt.by)}
		result := checker.Check(t.Context(), leafSubject(), rules)
		got := fault.Code("")
		if len(result.Attempts) > 0 {
			got = fault.CodeOf(result.Attempts[0].Err)
		}
		if got != tt.want || (result.Evidence == nil) != (tt.want != "") {
			t.Errorf("%s: %+v", name, result.Attempts)
		}
		if result.Evidence != nil && len(result.Evidence.Algorithm.OID) == 0 {
			t.Errorf("%s: no algorithm", name)
		}
	}
}

func TestEvidenceOfOCSP(t *testing.T) {
	w := testWorld()
	a := goodAnswer()
	a.signer, a.certificates = w.noCheck, []*entity{w.noCheck}
	s := &a.singles[0]
	s.status, s.revokedAt, s.reason = Revoked, now.Add(-time.Minute), 4
	raw := a.der(t)
	e, err := Check(Information{Kind: OCSP, Raw: raw, Source: "http://x/"}, leafSubject(), rules)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(e.Raw, raw) || e.Source != "http://x/" || e.Reason.String() != "superseded" || !e.SignerNoCheck ||
		!e.ProducedAt.Equal(now) || !e.ThisUpdate.Equal(now) || !e.NextUpdate.IsZero() {
		t.Errorf("%+v", e)
	}
	if e.RevokedBy(now.Add(-2*time.Minute)) || !e.RevokedBy(now.Add(-time.Minute)) || !e.RevokedBy(now) {
		t.Error("RevokedBy")
	}
	// The BasicOCSPResponse alone, as messages embed it.
	if e, err := Check(Information{Kind: OCSP, Raw: a.basic(t)}, leafSubject(), rules); err != nil || e.Status != Revoked {
		t.Errorf("bare: %v", err)
	}
}

// A time-stamp proves an earlier time than the answer's: both are held apart.
func TestJudgedTimeBeforeTheAnswer(t *testing.T) {
	raw := goodAnswer().der(t)
	early := Rules{At: now.Add(-100 * time.Hour), MaxAge: time.Hour}
	if _, err := Check(Information{Kind: OCSP, Raw: raw}, leafSubject(), early); !fault.Is(err, fault.RevocationFromFuture) {
		t.Errorf("judged as if then: %v", err)
	}
	early.Now = now
	if e, err := Check(Information{Kind: OCSP, Raw: raw}, leafSubject(), early); err != nil || e.Status != Good {
		t.Errorf("judged now for then: %v", err)
	}
}

func TestParseResponseRefusals(t *testing.T) {
	good := goodAnswer().der(t)
	other := bytes.Replace(good, []byte{0x30, 0x01, 0x01, 0x04}, []byte{0x30, 0x01, 0x02, 0x04}, 1) // another response type
	tests := []struct {
		name string
		der  []byte
		want fault.Code
	}{
		{"nothing", nil, fault.InputEmpty},
		{"too big", make([]byte, responseSizeMax+1), fault.InputTooBig},
		{"text", []byte("<html>"), fault.OCSPUnreadable},
		{"trailing byte", append(bytes.Clone(good), 0), fault.OCSPUnreadable},
		{"another type", other, fault.OCSPUnreadable},
		{"success without an answer", failed(0), fault.OCSPUnreadable},
		{"malformed request", failed(1), fault.OCSPNotSuccessful},
		{"try later", failed(3), fault.OCSPNotSuccessful},
		{"unauthorized", failed(6), fault.OCSPNotSuccessful},
		{"no such status", failed(4), fault.OCSPUnreadable},
	}
	for _, tt := range tests {
		if _, err := ParseResponse(tt.der); !fault.Is(err, tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	for i := range good {
		if r, err := ParseResponse(good[:i]); err == nil || r != nil {
			t.Fatalf("the first %d bytes parse", i)
		}
	}
}

// x/crypto/ocsp reads our requests, and we read its answers.
func TestAgainstXCryptoOCSP(t *testing.T) {
	w := testWorld()
	der, err := Request(leafSubject(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request, err := ocsp.ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if request.HashAlgorithm != crypto.SHA256 || request.SerialNumber.Cmp(w.leaf.Serial) != 0 ||
		!bytes.Equal(request.IssuerKeyHash, algo.SHA256.Sum(w.ca.KeyBits())) || !bytes.Equal(request.IssuerNameHash, algo.SHA256.Sum(w.ca.RawSubject)) {
		t.Errorf("%+v", request)
	}
	answer, err := ocsp.CreateResponse(w.ca.x509, w.responder.x509, ocsp.Response{
		Status: ocsp.Revoked, SerialNumber: w.leaf.Serial, ThisUpdate: now, NextUpdate: now.Add(time.Hour),
		RevokedAt: now.Add(-time.Hour), RevocationReason: ocsp.KeyCompromise, Certificate: w.responder.x509, IssuerHash: crypto.SHA384,
	}, w.responder.key)
	if err != nil {
		t.Fatal(err)
	}
	// It stamps producedAt with the real clock.
	r := rules
	r.Now = time.Now().Add(24 * time.Hour)
	if r.Now.After(w.responder.NotAfter) {
		t.Skip("x/crypto/ocsp cannot be told the time, and the test's certificates have run out")
	}
	e, err := Check(Information{Kind: OCSP, Raw: answer}, leafSubject(), r)
	if err != nil || e.Status != Revoked || e.Reason.String() != "keyCompromise" {
		t.Errorf("%+v, %v", e, err)
	}
}

// NUC RK's own answers, at the time they were made.
func TestNUCAnswers(t *testing.T) {
	folder := filepath.Join(shared, "nuc-rk")
	raw, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	var expected map[string]struct {
		Kind, Serial, Status, ProducedAt string
		Responder                        struct{ KeyAlg, IssuerFile string }
	}
	if err := json.Unmarshal(raw, &expected); err != nil {
		t.Logf("entries of other kinds: %v", err)
	}
	count := 0
	for name, want := range expected {
		if want.Kind != "ocsp" {
			continue
		}
		count++
		der, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(folder, "ncanode", "ca", want.Responder.IssuerFile))
		if err != nil {
			t.Fatal(err)
		}
		issuers, err := cert.ParseBundle(data)
		if err != nil {
			t.Fatal(err)
		}
		serial, _ := new(big.Int).SetString(want.Serial, 16)
		at, _ := time.Parse("20060102150405Z", want.ProducedAt)
		s := Subject{Certificate: &cert.Certificate{Serial: serial, RawIssuer: issuers[0].RawSubject, Issuer: issuers[0].Subject}, Issuer: issuers[0]}
		e, err := Check(Information{Kind: OCSP, Raw: der}, s, Rules{At: at})
		// "Revoked" in 1970 is how NUC RK's responder says that it never issued it.
		if strings.Contains(name, "individual_2015") {
			want.Status = string(Unknown)
		}
		if err != nil || string(e.Status) != want.Status || !e.SignerNoCheck {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		final := err == nil && e.Status == Revoked && e.Reason != CertificateHold // of a revocation for good the age does not matter
		if _, err := Check(Information{Kind: OCSP, Raw: der}, s, Rules{At: now}); fault.Is(err, fault.RevocationStale) == final {
			t.Errorf("%s: judged today: %v", name, err)
		}
	}
	if count != 4 {
		t.Errorf("%d answers", count)
	}
}

// blocks reads the PEM blocks of a file by their type.
func blocks(t *testing.T, path string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return out
		}
		out[b.Type] = b.Bytes
	}
}

// rows reads a table with a header line.
func rows(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	head, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for {
		line, err := r.Read()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, v := range line {
			row[head[i]] = v
		}
		out = append(out, row)
	}
}

func TestBoringSSLAnswers(t *testing.T) {
	folder := filepath.Join(shared, "validation", "ocsp")
	for _, row := range rows(t, filepath.Join(folder, "boringssl_ocsp.tsv")) {
		b := blocks(t, filepath.Join(folder, "boringssl", row["file"]))
		leaf, err := cert.Parse(b["CERTIFICATE"])
		if row["file"] == "good_response_invalid_serial.pem" && fault.Is(err, fault.CertificateUnreadable) {
			continue // an INTEGER that is not DER
		}
		if err != nil {
			t.Fatal(err)
		}
		issuer, err := cert.Parse(b["CA CERTIFICATE"])
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, row["verify_time"])
		e, err := Check(Information{Kind: OCSP, Raw: b["OCSP RESPONSE"]}, Subject{leaf, issuer}, Rules{At: at, MaxAge: 7 * 24 * time.Hour})
		status := "UNKNOWN"
		if err == nil {
			status = strings.ToUpper(string(e.Status))
		}
		// A list of certificate-transparency time-stamps that is critical
		// inside an answer is refused like any other critical extension.
		if row["file"] == "has_critical_ct_extension.pem" && fault.Is(err, fault.CriticalExtensionUnknown) {
			continue
		}
		if status != row["expected_cert_status"] {
			t.Errorf("%s: %s, want %s (%v)", row["file"], status, row["expected_cert_status"], err)
		}
	}
}

// OpenSSL's answers name certificates that are not in the set: the one in the
// answer stands in, so that all but the identifiers is tested.
func TestOpenSSLAnswers(t *testing.T) {
	folder := filepath.Join(shared, "validation", "ocsp")
	accepted := 0
	for _, row := range rows(t, filepath.Join(folder, "openssl_ocsp.tsv")) {
		raw, err := os.ReadFile(filepath.Join(folder, "openssl", row["response"]))
		if err != nil {
			t.Fatal(err)
		}
		if block, _ := pem.Decode(raw); block != nil {
			raw = block.Bytes
		}
		data, err := os.ReadFile(filepath.Join(folder, "openssl", row["trusted"]))
		if err != nil {
			t.Fatal(err)
		}
		issuers, err := cert.ParseBundle(data)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseResponse(raw)
		if err != nil || len(r.singles) == 0 {
			t.Logf("%s: %v", row["id"], err)
			if row["expected_valid"] == "yes" {
				t.Errorf("%s: unreadable", row["id"])
			}
			continue
		}
		s := Subject{Certificate: &cert.Certificate{Serial: r.singles[0].id.serial, RawIssuer: issuers[0].RawSubject, Issuer: issuers[0].Subject}, Issuer: issuers[0]}
		// The suite's time suits the certificates; the answers had run out.
		_, err = Check(Information{Kind: OCSP, Raw: raw}, s, Rules{At: r.ProducedAt})
		if valid := row["expected_valid"] == "yes"; (err == nil) != valid {
			t.Errorf("%s %s, %s: valid %v, got %v", row["id"], row["group"], row["title"], valid, err)
		} else if valid {
			accepted++
		}
	}
	if accepted == 0 {
		t.Error("nothing accepted")
	}
}

func FuzzParseResponse(f *testing.F) {
	f.Add(goodAnswer().der(f))
	f.Add(goodAnswer().basic(f))
	f.Add(failed(3))
	s := leafSubject()
	f.Fuzz(func(t *testing.T, der []byte) {
		e, err := Check(Information{Kind: OCSP, Raw: der}, s, rules)
		if (e == nil) == (err == nil) {
			t.Errorf("%+v, %v", e, err)
		}
	})
}
