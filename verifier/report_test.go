package verifier_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

var update = flag.Bool("update", false, "write the golden files of reports again")

// id is the ID of an object that is made of one letter.
func id(letter string) string { return strings.Repeat(letter, 64) }

// aReport has a part of every kind: what passed, what failed, what is open, a
// counter-signature, tokens that count and that do not, an IIN, and a name with
// characters that belong on no terminal.
func aReport() *verifier.Report {
	message := func(code fault.Code, detail string) verifier.Message {
		return verifier.Message{Code: code, Message: code.Message(fault.English), Detail: detail}
	}
	passed := func(name string, list ...verifier.Constraint) verifier.Constraint {
		return verifier.Constraint{Name: name, Status: verifier.StatusPassed, Constraints: list}
	}
	return &verifier.Report{
		File: "contract.p7m", Format: "CAdES", Indication: verifier.TotalFailed, SubIndication: verifier.HashFailure,
		Policy: "kz-qualified", ValidationTime: "2026-11-21T09:30:00Z", SHA256: id("d"), Bytes: 4711,
		Signatures: []verifier.SignatureReport{{
			ID: "S-1", At: "/signerInfos/0", Indication: verifier.TotalPassed, Level: "LT",
			Signer: verifier.SignerReport{
				Subject: "CN=ТЕСТОВ ТЕСТ,SERIALNUMBER=IIN900101300018", CommonName: "ТЕСТОВ ТЕСТ\x1b[31m", IIN: "900101300018", BIN: "123456789021",
				Organization: `ЖШС "Тест"`, Roles: []string{"1.2.398.3.3.4.1.2.1"}, Serial: "1a2b", Issuer: "CN=ҰЛТТЫҚ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ",
				IssuerName: "ҰЛТТЫҚ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ", NotBefore: "2026-01-01T00:00:00Z", NotAfter: "2027-01-01T00:00:00Z", Certificate: id("a"),
			},
			Algorithms:  verifier.Algorithms{Digest: "Streebog-512", Signature: "GOST 34.10-2015 512"},
			Covers:      []verifier.CoveredReport{{Name: "content", Bytes: 4096, Digest: verifier.Digested{Algorithm: "Streebog-512", Value: []byte{1, 2, 3}}, Found: true, Intact: true}},
			ClaimedTime: "2026-11-20T10:00:00Z", BestSignatureTime: "2026-11-20T10:00:05Z",
			Timestamps: []verifier.TimestampReport{{
				ID: "T-1", Kind: "signature", Time: "2026-11-20T10:00:05Z", Indication: verifier.Passed, Authority: "CN=TSA", AuthorityName: "TIME-STAMPING AUTHORITY",
				Token: id("7"), Policy: "1.2.398.3.3.2.6.4", Covers: []string{"signature S-1"}, Constraints: []verifier.Constraint{passed("message_imprint")},
			}, {
				ID: "T-2", Kind: "archive", Indication: verifier.Indeterminate, SubIndication: verifier.NoCertificateChain, AuthorityName: "Somebody",
				Token: id("8"), Covers: []string{}, Constraints: []verifier.Constraint{},
			}},
			Path: []string{"CN=ТЕСТОВ ТЕСТ", "CN=CA", "CN=Root"}, Chain: []string{id("a"), id("b"), id("c")},
			Evidence: []string{id("7"), id("a"), id("b"), id("c"), id("e"), id("f")},
			Errors:   []verifier.Message{}, Warnings: []verifier.Message{message(fault.SignerReferenceAbsent, "")},
			Constraints: []verifier.Constraint{
				passed("format_checking", passed("format_rules")),
				passed("x509_certificate_validation", verifier.Constraint{Name: "path_valid", Status: verifier.StatusPassed, Detail: "3 certificates"}),
				{Name: "signature_acceptance_validation", Status: verifier.StatusPassed, Constraints: []verifier.Constraint{
					{Name: "signing_certificate_reference", Status: verifier.StatusWarning, Detail: "absent"},
				}},
			},
			CounterSignatures: []verifier.SignatureReport{{
				ID: "S-2", At: "/signerInfos/0/unsignedAttrs/1", Indication: verifier.Indeterminate, SubIndication: verifier.TryLater, Level: "B",
				Signer:            verifier.SignerReport{CommonName: "NOTARY", Certificate: id("9"), Serial: "77", IssuerName: "CA", NotBefore: "2026-01-01T00:00:00Z", NotAfter: "2027-01-01T00:00:00Z", Roles: []string{}},
				Algorithms:        verifier.Algorithms{Digest: "SHA-256", Signature: "SHA-256 with RSA"},
				Covers:            []verifier.CoveredReport{{Name: "signature", Bytes: 128, Digest: verifier.Digested{Algorithm: "SHA-256", Value: []byte{4}}, Found: true, Intact: true}},
				BestSignatureTime: "2026-11-21T09:30:00Z", Timestamps: []verifier.TimestampReport{}, Path: []string{}, Chain: []string{}, Evidence: []string{},
				Errors: []verifier.Message{message(fault.RevocationUnknown, "77: no information")}, Warnings: []verifier.Message{}, Constraints: []verifier.Constraint{},
				ToBeSigned: verifier.Digested{Algorithm: "SHA-256", Value: []byte{5}}, Value: []byte{6},
			}},
			ToBeSigned: verifier.Digested{Algorithm: "Streebog-512", Value: []byte{7}}, Value: []byte{8, 9},
		}, {
			ID: "S-3", At: "/signerInfos/1", Indication: verifier.TotalFailed, SubIndication: verifier.HashFailure, Level: "CMS",
			Signer: verifier.SignerReport{Roles: []string{}}, Algorithms: verifier.Algorithms{Digest: "SHA-256", Signature: "SHA-256 with RSA"},
			Covers:            []verifier.CoveredReport{{Name: "content", Bytes: 4096, Digest: verifier.Digested{Algorithm: "SHA-256", Value: []byte{3}}, Found: true}},
			BestSignatureTime: "2026-11-21T09:30:00Z", Timestamps: []verifier.TimestampReport{}, Path: []string{}, Chain: []string{}, Evidence: []string{},
			Errors: []verifier.Message{message(fault.DigestMismatch, "content")}, Warnings: []verifier.Message{},
			Constraints: []verifier.Constraint{
				{Name: "cryptographic_verification", Status: verifier.StatusFailed, SubIndication: verifier.HashFailure, Constraints: []verifier.Constraint{
					{Name: "signed_data_intact", Status: verifier.StatusFailed, SubIndication: verifier.HashFailure, Detail: "content\x01"},
				}},
				{Name: "signature_acceptance_validation", Status: verifier.StatusNotRun},
			},
			ToBeSigned: verifier.Digested{Algorithm: "SHA-256"}, Value: []byte{10},
		}},
		Objects: []verifier.ObjectReport{
			{ID: id("a"), Kind: "certificate", Bytes: 900, Origins: []string{"message"}},
			{ID: id("b"), Kind: "certificate", Bytes: 1000, Origins: []string{"message", "given"}},
			{ID: id("c"), Kind: "certificate", Bytes: 1100, Origins: []string{"given"}},
			{ID: id("e"), Kind: "ocsp", Bytes: 1500, Origins: []string{"fetched"}, Source: "http://ocsp.example/", Fetched: "2026-11-21T09:29:59Z"},
			{ID: id("f"), Kind: "crl", Bytes: 20, Origins: []string{"attribute"}},
			{ID: id("7"), Kind: "timestamp", Bytes: 3000, Origins: []string{"message"}},
		},
	}
}

func TestRenderings(t *testing.T) {
	text := func(l fault.Language) func(*verifier.Report, io.Writer) error {
		return func(r *verifier.Report, w io.Writer) error { return r.WriteText(w, l) }
	}
	for file, write := range map[string]func(*verifier.Report, io.Writer) error{
		"report.json":   (*verifier.Report).WriteJSON,
		"report.xml":    (*verifier.Report).WriteXML,
		"report.en.txt": text(fault.English),
		"report.ru.txt": text(fault.Russian),
		"report.kk.txt": text(fault.Kazakh),
	} {
		t.Run(file, func(t *testing.T) {
			var out bytes.Buffer
			if err := write(aReport(), &out); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", file)
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Error(diff)
			}
			if strings.HasSuffix(file, ".txt") && (strings.Contains(out.String(), "900101300018") || strings.ContainsRune(out.String(), 0x1b)) {
				t.Error("an IIN, or a control character, is written out")
			}
		})
	}
}

// The JSON reads back as the same report: nothing of it is only for eyes.
func TestJSONReadsBack(t *testing.T) {
	var out bytes.Buffer
	must(aReport().WriteJSON(&out))
	var got verifier.Report
	must(json.Unmarshal(out.Bytes(), &got))
	if diff := cmp.Diff(aReport(), &got); diff != "" {
		t.Error(diff)
	}
}

// Every sub-indication has words in every language.
func TestEveryReasonHasWords(t *testing.T) {
	for _, sub := range []verifier.SubIndication{
		verifier.FormatFailure, verifier.HashFailure, verifier.SigCryptoFailure, verifier.RevokedFailure, verifier.Expired, verifier.NotYetValid,
		verifier.SigConstraintsFailure, verifier.ChainConstraintsFailure, verifier.CertificateChainFailure, verifier.CryptoConstraintsFailure,
		verifier.PolicyProcessingError, verifier.PolicyNotAvailable, verifier.TimestampOrderFailure, verifier.NoSigningCertificate,
		verifier.NoCertificateChain, verifier.NoCertificateChainNoPOE, verifier.RevokedNoPOE, verifier.RevokedCANoPOE, verifier.OutOfBoundsNotRevoked,
		verifier.OutOfBoundsNoPOE, verifier.RevocationOutOfBounds, verifier.CryptoConstraintsNoPOE, verifier.NoPOE, verifier.TryLater, verifier.SignedDataNotFound,
	} {
		for _, l := range []fault.Language{fault.Kazakh, fault.Russian, fault.English} {
			var out strings.Builder
			r := &verifier.Report{Indication: verifier.Indeterminate, SubIndication: sub, Signatures: []verifier.SignatureReport{{Indication: verifier.Indeterminate, SubIndication: sub}}}
			must(r.WriteText(&out, l))
			if verdict, _, _ := strings.Cut(out.String(), "\n"); !strings.Contains(verdict, ": ") || !strings.Contains(verdict, "("+string(verifier.Indeterminate)+"/"+string(sub)+").") {
				t.Errorf("%s, %s: %s", sub, l, verdict)
			}
		}
	}
}

// A report of a real judgement: the XML is well-formed and its references lead
// somewhere, the evidence is what its digests say, and all of it comes out again
// byte for byte.
func TestReportOfAJudgement(t *testing.T) {
	w := theWorld()
	f, err := verifier.Collect(t.Context(), verifier.Input{
		Name: "x", Data: w.signer.sign(t, "doc", nil), OCSPs: [][]byte{w.signer.status(now, nil)}, CRLs: [][]byte{w.root.crl(now)},
	})
	must(err)
	policy, err := verifier.PolicyByName("kz-qualified")
	must(err)
	judge := func() *verifier.Report { return verifier.Judge(f, policy, store(t, w.root.cert), now) }
	r := judge()
	if r.Indication != verifier.TotalPassed || len(r.Objects) < 5 {
		t.Fatalf("%s/%s, objects %v", r.Indication, r.SubIndication, r.Objects)
	}
	for i, o := range r.Evidence(f, store(t, w.root.cert)) {
		if facts.Digest(o.Raw) != o.ID || o.ID != r.Objects[i].ID || o.Bytes != len(o.Raw) {
			t.Errorf("object %d: %+v", i, o.ObjectReport)
		}
	}
	s := r.Signatures[0]
	if len(s.Covers) != 1 || !s.Covers[0].Intact || s.Covers[0].Bytes != 3 || len(s.Chain) != len(s.Path) || len(s.ToBeSigned.Value) != 32 {
		t.Errorf("%+v", s)
	}
	for name, write := range map[string]func(*verifier.Report, io.Writer) error{"JSON": (*verifier.Report).WriteJSON, "XML": (*verifier.Report).WriteXML} {
		var first, second bytes.Buffer
		must(write(r, &first))
		must(write(judge(), &second))
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: not the same twice", name)
		}
	}
	var out bytes.Buffer
	must(r.WriteXML(&out))
	checkReferences(t, out.Bytes())
}

// checkReferences makes sure that XML is well-formed, that no ID stands twice
// and that every reference is to one that is there.
func checkReferences(t *testing.T, raw []byte) {
	t.Helper()
	ids, references := map[string]bool{}, []string{}
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		must(err)
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			switch a.Name.Local {
			case "id":
				if ids[a.Value] {
					t.Errorf("%s twice", a.Value)
				}
				ids[a.Value] = true
			case "VOReference":
				references = append(references, a.Value)
			}
		}
	}
	for _, r := range references {
		if !ids[r] {
			t.Errorf("%s is nowhere", r)
		}
	}
	if len(references) == 0 {
		t.Error("no reference at all")
	}
}

// xmllint agrees that the golden report is XML, and valid by the schema of TS
// 119 102-2 where one is at hand (SENIM_TS119102_2_XSD).
func TestXMLAgainstXmllint(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("no xmllint here")
	}
	args := []string{"--noout"}
	if schema := os.Getenv("SENIM_TS119102_2_XSD"); schema != "" {
		args = append(args, "--nonet", "--schema", schema)
	}
	if out, err := exec.Command(xmllint, append(args, filepath.Join("testdata", "report.xml"))...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "report.xml"))
	must(err)
	checkReferences(t, raw)
}
