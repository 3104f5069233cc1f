package verifier_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// hearing is one document with everything that a verdict on it rests on.
type hearing struct {
	verifier.Input
	policy string
	at     time.Time
}

func store(t testing.TB, anchors ...*cert.Certificate) *trust.Store {
	t.Helper()
	s, err := trust.New(anchors...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// evidence is what makes everything below the root good at a time.
func evidence(at time.Time) (ocsps, crls [][]byte) {
	w := theWorld()
	for _, e := range []*entity{w.signer, w.tsa, w.expired, w.old, w.authentication} {
		ocsps = append(ocsps, e.status(at, nil))
	}
	return ocsps, [][]byte{w.root.crl(at)}
}

// verdict hears a document, offline; change may alter what is heard.
func verdict(t testing.TB, data []byte, change func(*hearing)) (*verifier.Report, *facts.Facts) {
	t.Helper()
	h := hearing{at: now, policy: "etsi-basic"}
	h.Name, h.Data, h.Anchors = "doc.p7m", data, store(t, theWorld().root.cert)
	h.OCSPs, h.CRLs = evidence(now.Add(-time.Hour))
	if change != nil {
		change(&h)
	}
	h.Now = func() time.Time { return now }
	found, err := verifier.Collect(context.Background(), h.Input)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verifier.PolicyByName(h.policy)
	if err != nil {
		t.Fatal(err)
	}
	report := verifier.Judge(found, policy, h.Anchors, h.at)
	sameInSession(t, h, policy, report)
	return report, found
}

// shared hears every document after all that went before.
var shared verifier.Session

// sameInSession makes sure that what a session remembers changes no verdict.
func sameInSession(t testing.TB, h hearing, policy verifier.Policy, alone *verifier.Report) {
	t.Helper()
	found, err := shared.Collect(context.Background(), h.Input)
	must(err)
	var first, second bytes.Buffer
	must(alone.WriteJSON(&first))
	must(shared.Judge(found, policy, h.Anchors, h.at).WriteJSON(&second))
	if first.String() != second.String() {
		t.Errorf("two reports:\n%s\n%s", first.String(), second.String())
	}
}

func under(policy string) func(*hearing)    { return func(h *hearing) { h.policy = policy } }
func at(t time.Time) func(*hearing)         { return func(h *hearing) { h.at = t } }
func withOCSP(raw ...[]byte) func(*hearing) { return func(h *hearing) { h.OCSPs = raw } }

func withCRL(raw []byte) func(*hearing) { return func(h *hearing) { h.CRLs = [][]byte{raw} } }

func plusOCSP(raw ...[]byte) func(*hearing) {
	return func(h *hearing) { h.OCSPs = append(h.OCSPs, raw...) }
}

func codesOf(list []verifier.Message) []fault.Code {
	codes := []fault.Code{}
	for _, m := range list {
		codes = append(codes, m.Code)
	}
	return codes
}

func TestVerdicts(t *testing.T) {
	w := theWorld()
	const doc = "import declaration"
	plain := w.signer.sign(t, doc, nil)
	detached := w.signer.sign(t, doc, func(tm *cms.Template) { tm.Detached = true })
	stamped := withTimestamp(t, plain, w.tsa, now.Add(-9*day))
	expired := w.expired.sign(t, doc, nil)
	expiredStamped := withTimestamp(t, expired, w.tsa, now.Add(-9*day))
	stampedLate := withTimestamp(t, expired, w.tsa, now.Add(-2*day))
	changed := bytes.Replace(plain, []byte(doc), []byte("import declaratiom"), 1)
	brokenValue := bytes.Clone(plain)
	brokenValue[len(brokenValue)-5] ^= 1
	caRevoked := x509.RevocationListEntry{SerialNumber: w.ca.x509.SerialNumber, RevocationTime: now.Add(-2 * day)}
	withSHA1 := func(r *ocsp.Response) { r.SignatureAlgorithm = x509.ECDSAWithSHA1 }
	before := now.Add(-6 * day) // when the expired certificate was still valid

	for _, tt := range []struct {
		name   string
		data   []byte
		change func(*hearing)

		indication verifier.Indication
		sub        verifier.SubIndication
		level      string
		code       fault.Code // among the errors; "" means no errors
	}{
		{"good", plain, nil, verifier.TotalPassed, "", "B", ""},
		{"good, kz-qualified", plain, under("kz-qualified"), verifier.TotalPassed, "", "B", ""},
		{"good, strict", plain, under("strict"), verifier.TotalPassed, "", "B", ""},
		{"good, stamped", stamped, nil, verifier.TotalPassed, "", "T", ""},
		{"detached, document given", detached, func(h *hearing) { h.Content = []byte(doc) }, verifier.TotalPassed, "", "B", ""},
		{"detached, document missing", detached, nil, verifier.Indeterminate, verifier.SignedDataNotFound, "B", fault.ContentMissing},
		{"detached, another document", detached, func(h *hearing) { h.Content = []byte("x") }, verifier.TotalFailed, verifier.HashFailure, "B", fault.DigestMismatch},
		{"detached, an empty document", detached, func(h *hearing) { h.Content = []byte{} }, verifier.TotalFailed, verifier.HashFailure, "B", fault.DigestMismatch},
		{"document changed", changed, nil, verifier.TotalFailed, verifier.HashFailure, "B", fault.DigestMismatch},
		{"value changed", brokenValue, nil, verifier.TotalFailed, verifier.SigCryptoFailure, "B", fault.SignatureInvalid},
		{"document changed and nothing trusted", changed, func(h *hearing) { h.Anchors = store(t) }, verifier.TotalFailed, verifier.HashFailure, "B", fault.DigestMismatch},

		{"nothing trusted", plain, func(h *hearing) { h.Anchors = store(t) }, verifier.Indeterminate, verifier.NoCertificateChain, "B", fault.ChainNotFound},
		{"a stranger", w.stranger.sign(t, doc, nil), nil, verifier.Indeterminate, verifier.NoCertificateChain, "B", fault.ChainNotFound},
		{"no certificate", w.signer.sign(t, doc, func(tm *cms.Template) { tm.OmitCertificates = true }), nil, verifier.Indeterminate, verifier.NoSigningCertificate, "B", fault.SignerCertificateMissing},
		{"certificates given beside", w.signer.sign(t, doc, func(tm *cms.Template) { tm.OmitCertificates = true }), func(h *hearing) {
			h.Certificates = []*cert.Certificate{w.signer.cert, w.ca.cert}
		}, verifier.TotalPassed, "", "B", ""},

		{"no revocation information", plain, func(h *hearing) { h.OCSPs, h.CRLs = nil, nil }, verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationUnknown},
		{"none about the CA", plain, func(h *hearing) { h.CRLs = nil }, verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationUnknown},
		{"a CRL instead of OCSP", plain, func(h *hearing) { h.OCSPs, h.CRLs = nil, append(h.CRLs, w.ca.crl(now.Add(-time.Hour))) }, verifier.TotalPassed, "", "B", ""},
		{"stale OCSP", plain, withOCSP(w.signer.status(now.Add(-3*day), nil)), verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationStale},
		{"OCSP old for strict", plain, func(h *hearing) { h.policy = "strict"; h.OCSPs = [][]byte{w.signer.status(now.Add(-2*time.Hour), nil)} }, verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationStale},
		{"OCSP about another", plain, withOCSP(w.old.status(now.Add(-time.Hour), nil)), verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationUnknown},
		{"rubbish as OCSP", plain, withOCSP([]byte("x")), verifier.Indeterminate, verifier.TryLater, "B", fault.OCSPUnreadable},
		{"unknown to the CA", plain, withOCSP(w.signer.status(now.Add(-time.Hour), func(r *ocsp.Response) { r.Status = ocsp.Unknown })), verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationUnknown},
		{"unknown to the CA, whatever its CRL says", plain, func(h *hearing) {
			h.OCSPs = [][]byte{w.signer.status(now.Add(-time.Hour), func(r *ocsp.Response) { r.Status = ocsp.Unknown })}
			h.CRLs = append(h.CRLs, w.ca.crl(now.Add(-time.Minute)))
		}, verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationUnknown},
		{"the 1970 hold is unknown", plain, withOCSP(w.signer.status(now.Add(-time.Hour), func(r *ocsp.Response) {
			r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, time.Unix(0, 0), ocsp.CertificateHold
		})), verifier.Indeterminate, verifier.TryLater, "B", fault.RevocationUnknown},
		{"revoked", plain, withOCSP(w.signer.status(now.Add(-time.Hour), revokedAt(now.Add(-2*day)))), verifier.Indeterminate, verifier.RevokedNoPOE, "B", fault.CertificateRevoked},
		{"one answer good, one revoked", plain, plusOCSP(w.signer.status(now.Add(-time.Minute), revokedAt(now.Add(-2*day)))), verifier.Indeterminate, verifier.RevokedNoPOE, "B", fault.CertificateRevoked},
		{"revoked after the time-stamp", stamped, plusOCSP(w.signer.status(now.Add(-time.Minute), revokedAt(now.Add(-2*day)))), verifier.TotalPassed, "", "T", ""},
		{"revoked before the time-stamp", stamped, plusOCSP(w.signer.status(now.Add(-time.Minute), revokedAt(now.Add(-20*day)))), verifier.Indeterminate, verifier.RevokedNoPOE, "T", fault.CertificateRevoked},

		{"on hold", plain, withOCSP(w.signer.status(now.Add(-time.Hour), func(r *ocsp.Response) {
			r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, now.Add(-2*day), ocsp.CertificateHold
		})), verifier.Indeterminate, verifier.TryLater, "B", fault.CertificateRevoked},
		{"a hold that was lifted", plain, func(h *hearing) {
			h.OCSPs = [][]byte{w.signer.status(now.Add(-time.Hour), nil), w.signer.status(now.Add(-2*time.Hour), func(r *ocsp.Response) {
				r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, now.Add(-2*day), ocsp.CertificateHold
			})}
		}, verifier.TotalPassed, "", "B", ""},
		{"the CA revoked", plain, withCRL(w.root.crl(now.Add(-time.Hour), caRevoked)), verifier.Indeterminate, verifier.RevokedCANoPOE, "B", fault.CertificateRevoked},
		{"the CA revoked after the time-stamp", stamped, withCRL(w.root.crl(now.Add(-time.Hour), caRevoked)), verifier.Indeterminate, verifier.RevokedCANoPOE, "T", fault.CertificateRevoked},
		{"good news signed with SHA-1", plain, withOCSP(w.signer.status(now.Add(-time.Hour), withSHA1)), verifier.Indeterminate, verifier.CryptoConstraintsNoPOE, "B", fault.AlgorithmForbidden},
		{"bad news signed with SHA-1", plain, withOCSP(w.signer.status(now.Add(-time.Hour), func(r *ocsp.Response) {
			withSHA1(r)
			revokedAt(now.Add(-2 * day))(r)
		})), verifier.Indeterminate, verifier.RevokedNoPOE, "B", fault.CertificateRevoked},

		{"expired", expired, nil, verifier.Indeterminate, verifier.OutOfBoundsNoPOE, "B", fault.CertificateExpired},
		{"expired after the time-stamp", expiredStamped, plusOCSP(w.expired.status(before, nil)), verifier.TotalPassed, "", "T", ""},
		{"expired before the time-stamp", stampedLate, plusOCSP(w.expired.status(before, nil)), verifier.Indeterminate, verifier.OutOfBoundsNoPOE, "T", fault.CertificateExpired},
		{"expired, and judged before", expired, func(h *hearing) {
			h.at, h.OCSPs, h.CRLs = before.Add(time.Hour), nil, [][]byte{w.root.crl(before), w.ca.crl(before)}
		}, verifier.TotalPassed, "", "B", ""},
		{"expired, and heard of only after", expiredStamped, nil, verifier.Indeterminate, verifier.OutOfBoundsNoPOE, "T", fault.RevocationStale},
		{"not valid yet", plain, at(now.Add(-40 * day)), verifier.TotalFailed, verifier.NotYetValid, "B", fault.CertificateNotYetValid},

		{"for authentication only, kz-qualified", w.authentication.sign(t, doc, nil), under("kz-qualified"), verifier.Indeterminate, verifier.ChainConstraintsFailure, "B", fault.KeyUsageNotSigning},
		{"for authentication only, etsi-basic", w.authentication.sign(t, doc, nil), nil, verifier.TotalPassed, "", "B", ""},
		{"a short key", w.old.sign(t, doc, nil), nil, verifier.Indeterminate, verifier.CryptoConstraintsNoPOE, "B", fault.AlgorithmForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := verdict(t, tt.data, tt.change)
			s := r.Signatures[0]
			if s.Indication != tt.indication || s.SubIndication != tt.sub || s.Level != tt.level {
				t.Errorf("%s/%s level %s, want %s/%s level %s\nerrors %v", s.Indication, s.SubIndication, s.Level, tt.indication, tt.sub, tt.level, s.Errors)
			}
			if r.Indication != s.Indication || r.SubIndication != s.SubIndication {
				t.Errorf("overall %s/%s", r.Indication, r.SubIndication)
			}
			if codes := codesOf(s.Errors); (tt.code == "") != (len(codes) == 0) || tt.code != "" && !slices.Contains(codes, tt.code) {
				t.Errorf("errors %v, want %s", codes, tt.code)
			}
		})
	}
}

// Time-stamps that must not count.
func TestBadTimestampsProveNothing(t *testing.T) {
	w := theWorld()
	expired := w.expired.sign(t, "x", nil)
	value := func(message []byte) []byte {
		m, err := cms.Parse(message)
		must(err)
		return m.Signers[0].Signature
	}(expired)
	good := w.tsa.stamp(t, value, now.Add(-9*day))
	broken := bytes.Clone(good)
	broken[len(broken)-3] ^= 1
	foreign := *w.stranger

	for name, tt := range map[string]struct {
		token      []byte
		indication verifier.Indication
		sub        verifier.SubIndication
	}{
		"over something else":      {w.tsa.stamp(t, []byte("x"), now.Add(-9*day)), verifier.Failed, verifier.HashFailure},
		"broken":                   {broken, verifier.Failed, verifier.SigCryptoFailure},
		"by one who is no TSA":     {w.signer.stamp(t, value, now.Add(-9*day)), verifier.Indeterminate, verifier.ChainConstraintsFailure},
		"by an untrusted TSA":      {foreign.stamp(t, value, now.Add(-9*day)), verifier.Indeterminate, verifier.NoCertificateChain},
		"from after the judgement": {w.tsa.stamp(t, value, now.Add(time.Hour)), verifier.Indeterminate, verifier.SigConstraintsFailure},
		"not a token":              {[]byte{5, 0}, verifier.Failed, verifier.FormatFailure},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := verdict(t, withToken(t, expired, tt.token), plusOCSP(w.expired.status(now.Add(-6*day), nil)))
			s := r.Signatures[0]
			if s.Indication == verifier.TotalPassed {
				t.Error("the signature passed")
			}
			if len(s.Timestamps) != 1 || s.Timestamps[0].Indication != tt.indication || s.Timestamps[0].SubIndication != tt.sub {
				t.Errorf("time-stamps %+v, want %s/%s", s.Timestamps, tt.indication, tt.sub)
			}
			if !slices.Contains(codesOf(s.Warnings), fault.TimestampInvalid) {
				t.Errorf("warnings %v", codesOf(s.Warnings))
			}
		})
	}
}

func TestEverySignerIsJudged(t *testing.T) {
	w := theWorld()
	two := bothSigners(t, w.signer.sign(t, "doc", nil), w.stranger.sign(t, "doc", nil))
	r, _ := verdict(t, two, nil)
	if len(r.Signatures) != 2 || r.Indication != verifier.Indeterminate || r.SubIndication != verifier.NoCertificateChain {
		t.Fatalf("%d signatures, %s/%s", len(r.Signatures), r.Indication, r.SubIndication)
	}
	passed := 0
	for _, s := range r.Signatures {
		if s.Indication == verifier.TotalPassed {
			passed++
		}
	}
	if passed != 1 {
		t.Errorf("%d passed", passed)
	}
}

func TestNoSignatureIsNoSuccess(t *testing.T) {
	if r := verifier.Judge(&facts.Facts{}, verifier.Policy{}, nil, now); r.Indication != verifier.Indeterminate {
		t.Errorf("%s", r.Indication)
	}
}

func TestAttributesThatAreRubbishAreNotCounted(t *testing.T) {
	w := theWorld()
	message := w.signer.sign(t, "doc", nil)
	for _, oid := range []asn1.ObjectIdentifier{cms.OIDArchiveTimestampV3, cms.OIDRevocationValues} {
		var err error
		if message, err = cms.AddUnsignedAttribute(message, 0, cms.Attribute{Type: oid, Values: [][]byte{{5, 0}}}); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := verdict(t, message, nil)
	s := r.Signatures[0]
	if s.Indication != verifier.TotalPassed || s.Level != "B" {
		t.Errorf("%s level %s", s.Indication, s.Level)
	}
}

// Facts that were written and read give the same report, byte for byte.
func TestVerdictIsReproducible(t *testing.T) {
	w := theWorld()
	r, found := verdict(t, withTimestamp(t, w.signer.sign(t, "doc", nil), w.tsa, now.Add(-9*day)), nil)
	var first, kept, second bytes.Buffer
	must(r.WriteJSON(&first))
	must(found.Encode(&kept))
	again, err := facts.Decode(&kept)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verifier.PolicyByName("etsi-basic")
	must(err)
	must(verifier.Judge(again, policy, store(t, w.root.cert), now).WriteJSON(&second))
	if first.String() != second.String() {
		t.Errorf("two reports:\n%s\n%s", first.String(), second.String())
	}
}

func TestTextHidesTheIIN(t *testing.T) {
	w := theWorld()
	r, _ := verdict(t, w.signer.sign(t, "doc", nil), nil)
	if r.Signatures[0].Signer.IIN != "900101300018" || r.Signatures[0].Signer.BIN != "123456789021" {
		t.Errorf("signer %+v", r.Signatures[0].Signer)
	}
	for _, language := range []fault.Language{fault.Kazakh, fault.Russian, fault.English} {
		var out strings.Builder
		must(r.WriteText(&out, language))
		if strings.Contains(out.String(), "900101300018") || !strings.Contains(out.String(), "********0018") {
			t.Errorf("%s: the IIN is not masked:\n%s", language, out.String())
		}
	}
}

func TestPolicyByName(t *testing.T) {
	if p, err := verifier.PolicyByName(""); err != nil || p.Name != "kz-qualified" {
		t.Errorf("%+v, %v", p, err)
	}
	for name, code := range map[string]fault.Code{"./no-such-policy.yaml": fault.Unreadable, "lenient": fault.PolicyUnknown} {
		if _, err := verifier.PolicyByName(name); !fault.Is(err, code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
