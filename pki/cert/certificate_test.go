package cert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

const shared = "../../../shared/data"

var testKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

// atv is one attribute of a name to be issued.
func atv(oid asn1.ObjectIdentifier, value string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: value}
}

// signer is a certificate of a legal person laid out as NUC RK does it.
func signerTemplate() *x509.Certificate {
	store, _ := asn1.Marshal([]asn1.ObjectIdentifier{{1, 2, 398, 3, 3, 5, 2, 2}})
	return &x509.Certificate{
		SerialNumber: big.NewInt(0x0ff062),
		Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			atv(oidCommonName, "ТЕСТОВ ТЕСТ"), atv(oidSurname, "ТЕСТОВ"),
			atv(oidSerialNumber, "IIN123456789011"), atv(oidCountry, "KZ"),
			atv(oidGivenName, "ТЕСТОВИЧ"), atv(oidOrganization, `АО "ТЕСТ"`), atv(oidOrganizationUnit, "BIN123456789021"),
		}},
		NotBefore:          time.Date(2026, 5, 8, 0, 0, 0, 0, time.UTC),
		NotAfter:           time.Date(2027, 5, 8, 0, 0, 0, 0, time.UTC),
		KeyUsage:           x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{OIDRoleOrganization, OIDRoleCEO, {1, 2, 398, 3, 3, 4, 1, 2, 6, 777}},
		PolicyIdentifiers:  []asn1.ObjectIdentifier{{1, 2, 398, 3, 3, 2, 1}},
		SubjectKeyId:       []byte{1, 2, 3}, AuthorityKeyId: []byte{4, 5, 6},
		OCSPServer: []string{"http://ocsp.example.kz/"}, IssuingCertificateURL: []string{"http://example.kz/ca.cer"},
		CRLDistributionPoints: []string{"http://crl.example.kz/a.crl", "http://crl1.example.kz/a.crl"},
		EmailAddresses:        []string{"a@example.kz"},
		ExtraExtensions:       []pkix.Extension{{Id: OIDKeyStore, Value: store}},
	}
}

func issue(t testing.TB, template *x509.Certificate) []byte {
	t.Helper()
	key := testKey()
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestParseSigner(t *testing.T) {
	der := issue(t, signerTemplate())
	c, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, c)
	if err := c.VerifySignedBy(c); err != nil {
		t.Errorf("self-signed: %v", err)
	}
	if got := c.SerialHex(); got != "0ff062" {
		t.Errorf("serial %s", got)
	}
	if c.Issuer.String() != c.Subject.String() || !c.SelfIssued() {
		t.Error("issuer")
	}
	want := `OU=BIN123456789021,O=АО \"ТЕСТ\",GN=ТЕСТОВИЧ,C=KZ,serialNumber=IIN123456789011,SN=ТЕСТОВ,CN=ТЕСТОВ ТЕСТ`
	if got := c.Subject.String(); got != want {
		t.Errorf("subject %s", got)
	}
	if !slices.Equal(c.OCSPServers, []string{"http://ocsp.example.kz/"}) || !slices.Equal(c.IssuingURLs, []string{"http://example.kz/ca.cer"}) ||
		len(c.CRLURLs) != 2 || !slices.Equal(c.Emails, []string{"a@example.kz"}) {
		t.Errorf("addresses %v %v %v %v", c.OCSPServers, c.IssuingURLs, c.CRLURLs, c.Emails)
	}
	if !c.Allows(KeyUsageDigitalSignature|KeyUsageNonRepudiation) || c.Allows(KeyUsageCertSign) {
		t.Errorf("key usage %b", c.KeyUsage)
	}
	for at, want := range map[time.Time]bool{
		c.NotBefore: true, c.NotAfter: true, c.NotBefore.Add(-time.Second): false, c.NotAfter.Add(time.Second): false,
	} {
		if c.Covers(at) != want {
			t.Errorf("Covers(%s) = %v", at, !want)
		}
	}
}

func TestHolder(t *testing.T) {
	c, err := Parse(issue(t, signerTemplate()))
	if err != nil {
		t.Fatal(err)
	}
	h := c.Holder()
	if h.CommonName != "ТЕСТОВ ТЕСТ" || h.Surname != "ТЕСТОВ" || h.Patronymic != "ТЕСТОВИЧ" || h.Organization != `АО "ТЕСТ"` ||
		h.Country != "KZ" || h.Email != "a@example.kz" {
		t.Errorf("names %+v", h)
	}
	if h.IIN.Digits() != "123456789011" || h.BIN != "123456789021" {
		t.Errorf("numbers %s %s", h.IIN.Digits(), h.BIN)
	}
	var names []string
	for _, r := range h.Roles {
		names = append(names, r.Name)
	}
	if !slices.Equal(names, []string{"ORGANIZATION", "CEO", "INFORMATION_SYSTEM"}) || !h.HasRole(OIDRoleCEO) || h.HasRole(OIDRoleEmployee) {
		t.Errorf("roles %v", names)
	}
	if h.KeyStore.Name != "Kaztoken" || h.KeyStore.Kind != StoreHardware {
		t.Errorf("key store %+v", h.KeyStore)
	}
	if err := h.Check(kz.FormatOnly); err != nil {
		t.Errorf("test profile: %v", err)
	}
	if err := h.Check(kz.Full); !fault.Is(err, fault.IINInvalid) {
		t.Errorf("production profile: %v", err)
	}
}

func TestHolderNumbers(t *testing.T) {
	tests := []struct {
		name     string
		subject  []pkix.AttributeTypeAndValue
		iin, bin string
	}{
		{"person", []pkix.AttributeTypeAndValue{atv(oidSerialNumber, "IIN850101400001")}, "850101400001", ""},
		{"organisation in serialNumber", []pkix.AttributeTypeAndValue{atv(oidSerialNumber, "BIN260140990018")}, "", "260140990018"},
		{"system", []pkix.AttributeTypeAndValue{atv(oidUserID, "1.2.398.6.10.1.1"), atv(oidOrganizationUnit, "BIN260140990018")}, "", "260140990018"},
		{"unit that is no BIN", []pkix.AttributeTypeAndValue{atv(oidOrganizationUnit, "ОТДЕЛ")}, "", ""},
		{"unit beside the BIN", []pkix.AttributeTypeAndValue{atv(oidOrganizationUnit, "ОТДЕЛ"), atv(oidOrganizationUnit, "BIN260140990018")}, "", "260140990018"},
		{"the same BIN twice", []pkix.AttributeTypeAndValue{atv(oidOrganizationUnit, "BIN260140990018"), atv(oidSerialNumber, "BIN260140990018")}, "", "260140990018"},
		{"two BINs", []pkix.AttributeTypeAndValue{atv(oidOrganizationUnit, "BIN260140990018"), atv(oidOrganizationUnit, "BIN260141990013")}, "", ""},
		{"letters", []pkix.AttributeTypeAndValue{atv(oidSerialNumber, "IIN85010140000A")}, "", ""},
		{"lower case", []pkix.AttributeTypeAndValue{atv(oidSerialNumber, "iin850101400001")}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			template := signerTemplate()
			template.Subject = pkix.Name{ExtraNames: tt.subject}
			c, err := Parse(issue(t, template))
			if err != nil {
				t.Fatal(err)
			}
			if h := c.Holder(); h.IIN.Digits() != tt.iin || h.BIN.String() != tt.bin {
				t.Errorf("IIN %q BIN %q", h.IIN.Digits(), h.BIN)
			}
		})
	}
}

// compare holds what we read against crypto/x509, where it reads at all.
func compare(t *testing.T, c *Certificate) {
	t.Helper()
	x, err := x509.ParseCertificate(c.Raw)
	if err != nil {
		return
	}
	same := func(what string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("%s differs from crypto/x509", what)
		}
	}
	same("TBS", bytes.Equal(c.RawTBS, x.RawTBSCertificate))
	same("names", bytes.Equal(c.RawIssuer, x.RawIssuer) && bytes.Equal(c.RawSubject, x.RawSubject))
	same("key bytes", bytes.Equal(c.RawSPKI, x.RawSubjectPublicKeyInfo))
	same("serial", c.Serial.Cmp(x.SerialNumber) == 0)
	same("version", c.Version == x.Version)
	same("validity", c.NotBefore.Equal(x.NotBefore) && c.NotAfter.Equal(x.NotAfter))
	same("signature", bytes.Equal(c.Signature, x.Signature))
	same("key identifiers", bytes.Equal(c.SubjectKeyID, x.SubjectKeyId) && bytes.Equal(c.AuthorityKeyID, x.AuthorityKeyId))
	same("CA", c.IsCA == x.IsCA)
	same("key usage", c.KeyUsage == KeyUsage(x.KeyUsage))
	same("usages", len(c.ExtKeyUsage) == len(x.ExtKeyUsage)+len(x.UnknownExtKeyUsage))
	same("access", slices.Equal(c.OCSPServers, x.OCSPServer) && slices.Equal(c.IssuingURLs, x.IssuingCertificateURL))
	same("emails", slices.Equal(c.Emails, x.EmailAddresses))
	same("extensions", len(c.Extensions) == len(x.Extensions))
	if x.BasicConstraintsValid && x.IsCA {
		want := x.MaxPathLen
		if want == 0 && !x.MaxPathLenZero {
			want = -1
		}
		same("path length", c.MaxPathLen == want)
	}
	if c.PublicKey != nil && x.PublicKey != nil { // crypto/x509 has no GOST
		same("key", reflect.DeepEqual(c.PublicKey, x.PublicKey))
	}
	var policies []string
	for _, p := range x.Policies {
		policies = append(policies, p.String())
	}
	var ours []string
	for _, p := range c.Policies {
		ours = append(ours, p.String())
	}
	same("policies", slices.Equal(ours, policies))
	for _, oid := range c.UnhandledCritical {
		known := slices.ContainsFunc([]asn1.ObjectIdentifier{OIDNameConstraints, OIDPolicyMappings, OIDPolicyConstraints, OIDInhibitAnyPolicy}, oid.Equal)
		same("critical extension "+oid.String(), known || slices.ContainsFunc(x.UnhandledCriticalExtensions, oid.Equal))
	}
}

// Every certificate of the shared sets parses, and says what crypto/x509 says.
func TestSharedCertificates(t *testing.T) {
	for _, set := range []struct {
		folder string
		least  int
	}{{"nuc-rk", 25}, {"validation/pkits/certs", 400}, {"validation/path/openssl-certs", 80}, {"gost", 20}} {
		t.Run(set.folder, func(t *testing.T) {
			folder := filepath.Join(shared, set.folder)
			if _, err := os.Stat(folder); err != nil {
				t.Skip("no ../shared/data here")
			}
			count := 0
			err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if !slices.Contains([]string{".cer", ".crt", ".pem"}, filepath.Ext(path)) || strings.Contains(path, ".key.") {
					return nil
				}
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if bytes.Contains(data, []byte("-----BEGIN")) && !bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) {
					return nil
				}
				certs, err := ParseBundle(data)
				if err != nil {
					if block, _ := pem.Decode(data); block != nil {
						data = block.Bytes
					}
					if _, x := x509.ParseCertificate(data); x == nil {
						t.Errorf("%s: %v, but crypto/x509 reads it", filepath.Base(path), err)
					} else {
						t.Logf("%s: %v (crypto/x509: %v)", filepath.Base(path), err, x)
					}
					return nil
				}
				for _, c := range certs {
					compare(t, c)
					count++
				}
				return nil
			})
			if err != nil || count < set.least {
				t.Errorf("%d certificates, %v", count, err)
			}
		})
	}
}

// The facts that an independent reader wrote down about NUC RK's certificates.
func TestSharedFactsOfNUC(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(shared, "nuc-rk", "expected.json"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	var all map[string]struct {
		Kind, Serial, NotBefore, NotAfter, SigAlg, KeyAlg, SHA256 string
		IssuerFile                                                json.RawMessage
		EKU, Policies                                             []string
		SignatureValid                                            bool
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	read := func(name string) *Certificate {
		data, err := os.ReadFile(filepath.Join(shared, "nuc-rk", name))
		if err != nil {
			t.Fatal(err)
		}
		certs, err := ParseBundle(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return certs[0]
	}
	files := map[string]string{}
	for name := range all {
		files[filepath.Base(name)] = name
	}
	count, verified := 0, 0
	for name, want := range all {
		if want.Kind != "certificate" {
			continue
		}
		count++
		c := read(name)
		fingerprint := c.Fingerprint()
		if c.SerialHex() != want.Serial || strings.ToLower(want.SHA256) != hexOf(fingerprint[:]) ||
			c.NotBefore.Format("060102150405Z") != want.NotBefore || c.NotAfter.Format("060102150405Z") != want.NotAfter ||
			c.SignatureAlgorithm.OID.String() != want.SigAlg || c.KeyAlgorithm.OID.String() != want.KeyAlg {
			t.Errorf("%s: %s %s %s %s", name, c.SerialHex(), c.NotBefore, c.SignatureAlgorithm.OID, c.KeyAlgorithm.OID)
		}
		if dotted(c.ExtKeyUsage) != strings.Join(want.EKU, " ") || dotted(c.Policies) != strings.Join(want.Policies, " ") {
			t.Errorf("%s: usages %v, policies %v", name, c.ExtKeyUsage, c.Policies)
		}
		if _, isRSA := c.PublicKey.(*rsa.PublicKey); c.KeyError() != nil || isRSA != (want.KeyAlg == "1.2.840.113549.1.1.1") {
			t.Errorf("%s: key %T, %v", name, c.PublicKey, c.KeyError())
		}
		var issuer string
		if json.Unmarshal(want.IssuerFile, &issuer) != nil || issuer == "" {
			continue // the issuer is not in the set, or is one of several
		}
		if err := c.VerifySignedBy(read(files[issuer])); (err == nil) != want.SignatureValid {
			t.Errorf("%s: signature: %v", name, err)
		}
		verified++
	}
	if count < 20 || verified < 15 {
		t.Errorf("only %d certificates, %d signatures", count, verified)
	}
}

// The certificates of Russia's parameters: each set's authority, RFC 9215's
// examples (one of them under the Test S-box that its key names), a leaf of 256
// bits under an authority of 512.
func TestSharedGOST(t *testing.T) {
	folder := filepath.Join(shared, "gost")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("no ../shared/data here")
	}
	read := func(path string) *Certificate {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		certs, err := ParseBundle(data)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return certs[0]
	}
	verified := 0
	expect := func(issued, issuer string, right bool) {
		if err := read(issued).VerifySignedBy(read(issuer)); (err == nil) != right {
			t.Errorf("%s by %s: %v", issued, issuer, err)
		}
		verified++
	}
	sets, err := filepath.Glob(filepath.Join(folder, "openssl-gost-engine", "gost20*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, set := range sets {
		for _, name := range []string{"ca", "leaf", "ocsp", "tsa"} {
			expect(filepath.Join(set, name+".cer"), filepath.Join(set, "ca.cer"), true)
			expect(filepath.Join(set, name+".cer"), filepath.Join(sets[(i+1)%len(sets)], "ca.cer"), false)
		}
	}
	for _, name := range []string{"D.1.2.cer", "D.2.2.cer", "D.3.2.cer"} {
		expect(filepath.Join(folder, "rfc", "rfc9215", name), filepath.Join(folder, "rfc", "rfc9215", name), true)
	}
	expect(filepath.Join(folder, "bigbes-x509gost", "leaf256_signedby512.crt"), filepath.Join(folder, "bigbes-x509gost", "ca512.crt"), true)
	if verified < 60 {
		t.Errorf("only %d signatures", verified)
	}
}

func hexOf(b []byte) string { return serialHex(new(big.Int).SetBytes(b)) }

func dotted(oids []asn1.ObjectIdentifier) string {
	var all []string
	for _, o := range oids {
		all = append(all, o.String())
	}
	return strings.Join(all, " ")
}

func TestRefusals(t *testing.T) {
	good := issue(t, signerTemplate())
	// with issues a certificate that has one more extension.
	with := func(oid asn1.ObjectIdentifier, value []byte) []byte {
		template := signerTemplate()
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oid, Value: value})
		return issue(t, template)
	}
	many := signerTemplate()
	for i := range extensionsMax {
		many.ExtraExtensions = append(many.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, i}, Value: []byte{5, 0}})
	}
	long := signerTemplate()
	for range rdnsMax {
		long.Subject.ExtraNames = append(long.Subject.ExtraNames, atv(oidOrganizationUnit, "x"))
	}
	inner := bytes.Clone(good)
	at := bytes.Index(inner, []byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02})
	inner[at+11] = 3 // the signed copy says SHA-384

	tests := []struct {
		name string
		der  []byte
		want fault.Code
	}{
		{"nothing", nil, fault.InputEmpty},
		{"too big", make([]byte, sizeMax+1), fault.InputTooBig},
		{"text", []byte("-----BEGIN"), fault.CertificateUnreadable},
		{"truncated", good[:len(good)-1], fault.CertificateUnreadable},
		{"trailing byte", append(bytes.Clone(good), 0), fault.CertificateUnreadable},
		{"two algorithms", inner, fault.CertificateUnreadable},
		{"an extension twice", with(OIDKeyStore, []byte{5, 0}), fault.CertificateUnreadable},
		{"too many extensions", issue(t, many), fault.CertificateUnreadable},
		{"too long a name", issue(t, long), fault.CertificateUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse(tt.der); !fault.Is(err, tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	for i := range good {
		if _, err := Parse(good[:i]); err == nil {
			t.Fatalf("the first %d bytes parse", i)
		}
	}
}

func TestUnknownCriticalExtensionIsReported(t *testing.T) {
	template := signerTemplate()
	unknown := asn1.ObjectIdentifier{1, 2, 3, 4}
	template.ExtraExtensions = []pkix.Extension{{Id: unknown, Critical: true, Value: []byte{5, 0}}, {Id: asn1.ObjectIdentifier{1, 2, 3, 5}, Critical: true, Value: []byte{0x30, 0}}}
	c, err := Parse(issue(t, template))
	if err != nil {
		t.Fatal(err)
	}
	if dotted(c.UnhandledCritical) != "1.2.3.4 1.2.3.5" {
		t.Errorf("critical %v", c.UnhandledCritical)
	}
	if e, ok := c.Extension(unknown); !ok || !e.Critical || !bytes.Equal(e.Value, []byte{5, 0}) {
		t.Errorf("extension %+v %v", e, ok)
	}
}

func TestReadTime(t *testing.T) {
	tests := []struct {
		tag  byte
		text string
		want string // "" is a refusal
	}{
		{0x17, "260508000000Z", "2026-05-08T00:00:00Z"},
		{0x17, "500101000000Z", "1950-01-01T00:00:00Z"},
		{0x18, "20260508010203Z", "2026-05-08T01:02:03Z"},
		{0x18, "20260508010203.5Z", "2026-05-08T01:02:03.5Z"},
		{0x18, "20260508010203.123456789Z", "2026-05-08T01:02:03.123456789Z"},
		{0x18, "20260508010203.50Z", ""},
		{0x18, "20260508010203.Z", ""},
		{0x18, "20260508010203,5Z", ""},
		{0x18, "20260508010203.1234567891Z", ""},
		{0x18, "20260508010203", ""},
		{0x18, "20260508010203+0500", ""},
		{0x18, "202605080102Z", ""},
		{0x18, "20260230010203Z", ""},
		{0x18, "", ""},
		{0x0c, "20260508010203Z", ""},
	}
	for _, tt := range tests {
		s := cryptobyte.String(append([]byte{tt.tag, byte(len(tt.text))}, tt.text...))
		got, ok := ReadTime(&s)
		if ok != (tt.want != "") || (ok && got.Format(time.RFC3339Nano) != tt.want) {
			t.Errorf("%s: %s, %v", tt.text, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(issue(f, signerTemplate()))
	ca := signerTemplate()
	ca.IsCA, ca.BasicConstraintsValid, ca.MaxPathLenZero = true, true, true
	f.Add(issue(f, ca))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := Parse(der)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.CertificateUnreadable && code != fault.InputEmpty && code != fault.InputTooBig {
				t.Errorf("code %s", code)
			}
			return
		}
		_ = c.Holder()
		_ = c.Subject.String() + c.Issuer.String() + c.SerialHex()
		if (c.KeyError() == nil) != (c.PublicKey != nil) {
			t.Error("KeyError")
		}
	})
}

// A length in more bytes than DER allows, as ArubaPEC wrote it: what it says is
// read. Half an element stays malformed.
func TestExtensionInBER(t *testing.T) {
	for _, tt := range []struct {
		value []byte
		want  string // "" is malformed
	}{
		{[]byte{0x30, 0x06, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03}, "1.2.3"},
		{[]byte{0x30, 0x81, 0x07, 0x30, 0x81, 0x04, 0x06, 0x02, 0x2a, 0x03}, "1.2.3"},
		{[]byte{0x30, 0x0d, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03, 0x30, 0x81, 0x04, 0x06, 0x02, 0x2a, 0x04}, "1.2.3 1.2.4"},
		{[]byte{0x30, 0x81, 0x07, 0x30, 0x81, 0x04, 0x06, 0x02, 0x2a}, ""},
	} {
		template := signerTemplate()
		template.PolicyIdentifiers, template.Policies = nil, nil
		template.ExtraExtensions = []pkix.Extension{{Id: OIDCertificatePolicies, Value: tt.value}}
		c, err := Parse(issue(t, template))
		if err != nil || dotted(c.Policies) != tt.want || c.IsMalformed(OIDCertificatePolicies) != (tt.want == "") {
			t.Errorf("% x: %v", tt.value, err)
		}
	}
}
