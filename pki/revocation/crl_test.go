package revocation

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// list describes a CRL to be made; goodList's is a good one without entries.
type list struct {
	issuer     *entity
	version    int // -1: none
	this, next time.Time
	entries    []listEntry
	rawEntries []byte // in their place
	extensions []pkix.Extension
	inner      *algo.Identifier
	spoil      func([]byte)
}

type listEntry struct {
	serial     *big.Int
	at         time.Time
	extensions []pkix.Extension
}

func goodList() *list {
	return &list{issuer: testWorld().ca, version: 1, this: now.Add(-time.Hour), next: now.Add(24 * time.Hour)}
}

func (l *list) der(t testing.TB) []byte {
	t.Helper()
	sig, err := algo.SignatureFor(l.issuer.key.Public(), algo.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	inner := sig.Identifier()
	if l.inner != nil {
		inner = *l.inner
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if l.version >= 0 {
			b.AddASN1Int64(int64(l.version))
		}
		inner.AddTo(b)
		b.AddBytes(l.issuer.RawSubject)
		b.AddASN1UTCTime(l.this)
		if !l.next.IsZero() {
			b.AddASN1GeneralizedTime(l.next)
		}
		if len(l.rawEntries) > 0 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(l.rawEntries) })
		}
		if len(l.entries) > 0 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, e := range l.entries {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1BigInt(e.serial)
						b.AddASN1UTCTime(e.at)
						if len(e.extensions) > 0 {
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
								for _, x := range e.extensions {
									der, _ := asn1.Marshal(x)
									b.AddBytes(der)
								}
							})
						}
					})
				}
			})
		}
		addExtensions(b, 0, l.extensions)
	})
	data := tbs.BytesOrPanic()
	value, err := l.issuer.key.Sign(rand.Reader, sig.Digest.Sum(data), sig.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	if l.spoil != nil {
		l.spoil(value)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(data)
		sig.Identifier().AddTo(b)
		b.AddASN1BitString(value)
	})
	return b.BytesOrPanic()
}

func reason(code byte) []pkix.Extension {
	return []pkix.Extension{{Id: oidReasonCode, Value: []byte{0x0a, 1, code}}}
}

func TestCheckCRL(t *testing.T) {
	w := testWorld()
	serial := w.leaf.Serial
	change := func(f func(*list)) *list {
		l := goodList()
		f(l)
		return l
	}
	entry := func(extensions ...pkix.Extension) *list {
		return change(func(l *list) {
			l.entries = []listEntry{{big.NewInt(5), now.Add(-time.Hour), nil}, {serial, now.Add(-2 * time.Hour), extensions}}
		})
	}
	extension := func(oid asn1.ObjectIdentifier, critical bool, value ...byte) *list {
		return change(func(l *list) { l.extensions = []pkix.Extension{{Id: oid, Critical: critical, Value: value}} })
	}
	tests := []struct {
		name   string
		list   *list
		status Status
		reason Reason
		want   fault.Code
	}{
		{"empty", goodList(), Good, 0, ""},
		{"others only", change(func(l *list) { l.entries = []listEntry{{big.NewInt(5), now, nil}} }), Good, 0, ""},
		{"revoked", entry(), Revoked, Unspecified, ""},
		{"on hold", entry(reason(6)...), Revoked, CertificateHold, ""},
		{"with harmless extensions", entry(append(reason(1), pkix.Extension{Id: oidInvalidityDate, Value: []byte{0x18, 0}}, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}})...), Revoked, 1, ""},
		{"version 1", change(func(l *list) { l.version = -1 }), Good, 0, ""},
		{"number", extension(oidCRLNumber, false, 2, 1, 9), Good, 0, ""},
		{"without next update", change(func(l *list) { l.next = time.Time{} }), Good, 0, ""},

		{"removed from a full list", entry(reason(8)...), "", 0, fault.CRLUnreadable},
		{"indirect entry", change(func(l *list) {
			l.entries = []listEntry{{big.NewInt(5), now, []pkix.Extension{{Id: oidCertificateIssuer, Critical: true, Value: []byte{0x30, 0}}}}}
		}), "", 0, fault.CRLUnreadable},
		{"critical extension in another's entry", change(func(l *list) {
			l.entries = []listEntry{{big.NewInt(5), now, []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}}}
		}), "", 0, fault.CriticalExtensionUnknown},
		{"broken reason", entry(pkix.Extension{Id: oidReasonCode, Value: []byte{2, 1, 1}}), "", 0, fault.CRLUnreadable},
		{"delta", extension(oidDeltaIndicator, true, 2, 1, 1), "", 0, fault.CRLIncomplete},
		{"of people only", extension(oidDistributionPoint, true, 0x30, 3, 0x81, 1, 0xff), Good, 0, ""},
		{"of CAs only", extension(oidDistributionPoint, true, 0x30, 3, 0x82, 1, 0xff), "", 0, fault.CRLOutOfScope},
		{"of attribute certificates", extension(oidDistributionPoint, true, 0x30, 3, 0x85, 1, 0xff), "", 0, fault.CRLOutOfScope},
		{"of some reasons", extension(oidDistributionPoint, true, 0x30, 4, 0x83, 2, 6, 0x40), "", 0, fault.CRLIncomplete},
		{"of a distribution point", extension(oidDistributionPoint, true, 0x30, 7, 0xa0, 5, 0xa0, 3, 0x86, 1, 'u'), "", 0, fault.CRLOutOfScope},
		{"broken distribution point", extension(oidDistributionPoint, true, 0x30, 3, 0x81, 1, 1), "", 0, fault.CRLUnreadable},
		{"unknown critical extension", extension(asn1.ObjectIdentifier{1, 2, 3}, true, 5, 0), "", 0, fault.CriticalExtensionUnknown},
		{"another issuer", change(func(l *list) { l.issuer = w.other }), "", 0, fault.CRLOtherIssuer},
		{"spoilt signature", change(func(l *list) { l.spoil = func(b []byte) { b[len(b)-1] ^= 1 } }), "", 0, fault.SignatureInvalid},
		{"old", change(func(l *list) { l.this, l.next = now.Add(-3*time.Hour), now.Add(-2*time.Hour) }), "", 0, fault.RevocationStale},
		{"old, without next update", change(func(l *list) { l.this, l.next = now.Add(-25*time.Hour), time.Time{} }), "", 0, fault.RevocationStale},
		{"of tomorrow", change(func(l *list) { l.this = now.Add(time.Hour) }), "", 0, fault.RevocationFromFuture},
		{"version 3", change(func(l *list) { l.version = 2 }), "", 0, fault.CRLUnreadable},
		{"two algorithms", change(func(l *list) {
			l.inner = &algo.Identifier{OID: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}}
		}), "", 0, fault.CRLUnreadable},
		{"extensions in version 1", change(func(l *list) {
			l.version = -1
			l.extensions = []pkix.Extension{{Id: oidCRLNumber, Value: []byte{2, 1, 9}}}
		}), "", 0, fault.CRLUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			der := tt.list.der(t)
			e, err := Check(Information{Kind: CRL, Raw: der, Source: Given}, leafSubject(), Rules{At: now})
			if fault.CodeOf(err) != tt.want || (e == nil) == (err == nil) {
				t.Fatalf("%+v, %v, want %s", e, err, tt.want)
			}
			if err == nil && (e.Status != tt.status || e.Reason != tt.reason || !bytes.Equal(e.Raw, der)) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestIssuerThatMayNotSignCRLs(t *testing.T) {
	w := testWorld()
	l := goodList()
	l.issuer = w.mute
	s := Subject{Certificate: &cert.Certificate{Serial: big.NewInt(1), RawIssuer: w.mute.RawSubject, Issuer: w.mute.Subject}, Issuer: w.mute.Certificate}
	if _, err := Check(Information{Kind: CRL, Raw: l.der(t)}, s, Rules{At: now}); !fault.Is(err, fault.KeyUsageForbidden) {
		t.Error(err)
	}
}

func TestListAgainstCryptoX509(t *testing.T) {
	w := testWorld()
	template := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	for i := range 50 {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: new(big.Int).Lsh(big.NewInt(int64(i+1)), uint(i*3)), RevocationTime: now.Add(-time.Duration(i) * time.Minute), ReasonCode: i % 6,
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, w.ca.x509, w.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ParseList(der)
	if err != nil || !bytes.Equal(l.RawIssuer, w.ca.RawSubject) {
		t.Fatal(err)
	}
	for _, want := range template.RevokedCertificateEntries {
		e, found, err := l.Find(want.SerialNumber)
		if err != nil || !found || !e.RevokedAt.Equal(want.RevocationTime) || int(e.Reason) != want.ReasonCode {
			t.Errorf("%s: %+v, %v, %v", want.SerialNumber, e, found, err)
		}
	}
	if _, found, err := l.Find(big.NewInt(-3)); found || err != nil {
		t.Errorf("found what is not there: %v", err)
	}
}

func TestParseListRefusals(t *testing.T) {
	good := goodList().der(t)
	for name, tt := range map[string]struct {
		der  []byte
		want fault.Code
	}{
		"nothing":       {nil, fault.InputEmpty},
		"too big":       {make([]byte, crlSizeMax+1), fault.InputTooBig},
		"text":          {[]byte("-----BEGIN X509 CRL-----"), fault.CRLUnreadable},
		"trailing byte": {append(bytes.Clone(good), 0), fault.CRLUnreadable},
	} {
		if _, err := ParseList(tt.der); !fault.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		if l, err := ParseList(good[:i]); err == nil || l != nil {
			t.Fatalf("the first %d bytes parse", i)
		}
	}
}

// NUC RK's lists: entries as an independent reader counted them, the signatures
// of RSA and GOST verified. One certificate is known to be in the RSA list.
func TestNUCLists(t *testing.T) {
	folder := filepath.Join(shared, "nuc-rk")
	raw, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	var expected map[string]json.RawMessage
	if err := json.Unmarshal(raw, &expected); err != nil {
		t.Fatal(err)
	}
	count := 0
	for name, entry := range expected {
		var want struct {
			Kind, ThisUpdate, OuterSigAlg, IssuerFile string
			Entries                                   int
		}
		if json.Unmarshal(entry, &want) != nil || want.Kind != "crl" {
			continue
		}
		count++
		der, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ParseList(der)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		entries, entries0 := 0, l.entries
		for !entries0.Empty() && entries0.SkipASN1(cbasn1.SEQUENCE) {
			entries++
		}
		if entries != want.Entries || l.ThisUpdate.Format("060102150405Z") != want.ThisUpdate {
			t.Errorf("%s: %d entries, %s", name, entries, l.ThisUpdate)
		}
		data, err := os.ReadFile(filepath.Join(folder, "ncanode", "ca", want.IssuerFile))
		if err != nil {
			t.Fatal(err)
		}
		issuers, err := cert.ParseBundle(data)
		if err != nil {
			t.Fatal(err)
		}
		held, _ := new(big.Int).SetString("474C38696D8677A2C8B6E40345A8B04168C0905C", 16)
		s := Subject{Certificate: &cert.Certificate{Serial: held, RawIssuer: issuers[0].RawSubject, Issuer: issuers[0].Subject}, Issuer: issuers[0]}
		e, err := Check(Information{Kind: CRL, Raw: der}, s, Rules{At: l.ThisUpdate})
		if _, isRSA := issuers[0].PublicKey.(*rsa.PublicKey); !isRSA {
			if err != nil || e.Status != Good {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || e.Status != Revoked || e.Reason != CertificateHold || e.RevokedAt.Format(time.DateOnly) != "2021-04-01" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if count != 4 {
		t.Errorf("%d lists", count)
	}
}

// BoringSSL's lists: nothing that must not count counts. BoringSSL takes no
// indirect list; here one of the certificate's own issuer counts, as RFC 5280
// §6.3.3 b 1 has it.
func TestBoringSSLLists(t *testing.T) {
	folder := filepath.Join(shared, "validation", "crl")
	agreed := 0
	for _, row := range rows(t, filepath.Join(folder, "boringssl_crl.tsv")) {
		b := blocks(t, filepath.Join(folder, "boringssl", row["file"]))
		leaf, err := cert.Parse(b["CERTIFICATE"])
		if err != nil {
			t.Fatal(err)
		}
		issuer, err := cert.Parse(b["CA CERTIFICATE"])
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, row["verify_time"])
		status := "UNKNOWN"
		e, err := Check(Information{Kind: CRL, Raw: b["CRL"]}, Subject{leaf, issuer}, Rules{At: at, MaxAge: 7 * 24 * time.Hour})
		if err == nil {
			status = map[Status]string{Good: "GOOD", Revoked: "REVOKED"}[e.Status]
		}
		switch {
		case status == row["expected"]:
			agreed++
		case row["id"] == "bssl-crl-bad_idp_indirectcrl" && status == "GOOD":
		case fault.Is(err, fault.SignatureInvalid) && len(b) > 3: // key rollover: the list's own issuer is another certificate
		default:
			t.Errorf("%s: %s, want %s (%v)", row["file"], status, row["expected"], err)
		}
	}
	if agreed < 20 {
		t.Errorf("only %d agree", agreed)
	}
}

func FuzzParseList(f *testing.F) {
	l := goodList()
	l.entries = []listEntry{{testWorld().leaf.Serial, now, reason(1)}}
	f.Add(l.der(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := ParseList(der)
		if err != nil {
			return
		}
		_, _, _ = l.Find(big.NewInt(7))
		_ = fmt.Sprint(l.Issuer)
	})
}

// A list of the size of NUC RK's production one.
func BenchmarkFind(b *testing.B) {
	l := goodList()
	for i := range 100_000 {
		l.entries = append(l.entries, listEntry{new(big.Int).Lsh(big.NewInt(int64(i+1)), 120), now, reason(5)})
	}
	list, err := ParseList(l.der(b))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, found, err := list.Find(big.NewInt(1)); found || err != nil {
			b.Fatal(err)
		}
	}
}
