package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/cert"
)

const prodCA = "../../../shared/data/nuc-rk/prod-ca"

type entity struct {
	x509 *x509.Certificate
	cert *cert.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a CA certificate; a nil issuer makes a root.
func issue(t *testing.T, issuer *entity, name, organization string) *entity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0), IsCA: true, BasicConstraintsValid: true,
	}
	if organization != "" {
		template.Subject.Organization = []string{organization}
	}
	parent, parentKey := template, key
	if issuer != nil {
		parent, parentKey = issuer.x509, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := x509.ParseCertificate(der)
	c, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return &entity{x, c, key}
}

func TestAnchorsAndIntermediates(t *testing.T) {
	root := issue(t, nil, "root", "")
	ca := issue(t, root, "ca", "")
	namesake := issue(t, nil, "root", "") // another key under the same name
	s, err := New(ca.cert, root.cert, root.cert)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Anchors()) != 1 || !s.Anchors()[0].Certificate.Equal(root.cert) || len(s.Intermediates()) != 1 || s.Profile() != Test {
		t.Errorf("%d anchors, %d intermediates, profile %q", len(s.Anchors()), len(s.Intermediates()), s.Profile())
	}
	if _, ok := s.Anchor(root.cert); !ok {
		t.Error("the root is no anchor")
	}
	if _, ok := s.Anchor(ca.cert); ok {
		t.Error("the CA under it is an anchor")
	}
	// Without its own issuer beside it, a CA is trusted as it is.
	for _, beside := range [][]*cert.Certificate{{ca.cert}, {ca.cert, namesake.cert}} {
		s, err := New(beside...)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Anchor(ca.cert); !ok {
			t.Errorf("beside %d others the CA is no anchor", len(beside)-1)
		}
	}
}

// CAs that certify each other and nothing above them are trusted as given.
func TestCircleOfCAs(t *testing.T) {
	a, b := issue(t, nil, "a", ""), issue(t, nil, "b", "")
	aByB := reissue(t, a, b)
	bByA := reissue(t, b, a)
	under := issue(t, a, "c", "")
	s, err := New(aByB, under.cert, bByA)
	if err != nil || len(s.Anchors()) != 3 || len(s.Intermediates()) != 0 {
		t.Errorf("%d anchors, %d intermediates, %v", len(s.Anchors()), len(s.Intermediates()), err)
	}
	// With one of the roots beside, there is an end to the paths.
	s, err = New(aByB, under.cert, bByA, a.cert)
	if err != nil || len(s.Anchors()) != 1 || len(s.Intermediates()) != 3 {
		t.Errorf("%d anchors, %d intermediates, %v", len(s.Anchors()), len(s.Intermediates()), err)
	}
}

// reissue certifies the subject's name and key by another CA.
func reissue(t *testing.T, subject, issuer *entity) *cert.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, subject.x509, issuer.x509, subject.key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEmptyStore(t *testing.T) {
	loaded, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{nil, {}, loaded} {
		if len(s.Anchors()) != 0 || len(s.Intermediates()) != 0 || s.Profile() != "" {
			t.Errorf("%+v", s)
		}
	}
}

func TestProfilesDoNotMix(t *testing.T) {
	test, sandbox := issue(t, nil, "a", "A"), issue(t, nil, "b", SandboxOrganization)
	if _, err := New(test.cert, sandbox.cert); !fault.Is(err, fault.AnchorProfilesMixed) {
		t.Errorf("test and sandbox: %v", err)
	}
	s, err := New(sandbox.cert, issue(t, sandbox, "ca", "").cert)
	if err != nil || s.Profile() != Sandbox {
		t.Errorf("sandbox: %v", err)
	}
	if Test.Control() != kz.FormatOnly || Production.Control() != kz.Full || Sandbox.Control() != kz.Full {
		t.Error("Control")
	}
}

func TestProductionIsPinned(t *testing.T) {
	if _, err := os.Stat(prodCA); err != nil {
		t.Skip("no ../shared/data here")
	}
	certs, err := LoadCertificates(prodCA)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range certs {
		if name, ok := PinnedName(c); ok {
			seen[name] = true
		} else if c.IsCA {
			t.Errorf("%s is not pinned", c.Subject)
		}
	}
	if len(seen) != len(pins) {
		t.Errorf("%d of %d pins seen", len(seen), len(pins))
	}
	s, err := Load(filepath.Join(prodCA, "root_rsa_2020.cer"), filepath.Join(prodCA, "nca_rsa_2022.cer"))
	if err != nil || s.Profile() != Production || len(s.Anchors()) != 1 || len(s.Intermediates()) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := New(append(certs, issue(t, nil, "x", "").cert)...); !fault.Is(err, fault.AnchorProfilesMixed) {
		t.Errorf("a test root beside production: %v", err)
	}
	test := filepath.Join(prodCA, "..", "ncanode-go", "certs", "root_test_gost_2022.cer")
	if s, err := Load(test); err != nil || s.Profile() != Test {
		t.Errorf("NUC RK's test root: %v", err)
	}
}

func TestLoad(t *testing.T) {
	root, ca := issue(t, nil, "root", ""), issue(t, nil, "ca", "")
	armour := func(e *entity) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.cert.Raw})
	}
	write := func(files map[string][]byte) string {
		dir := t.TempDir()
		for name, data := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	many := map[string][]byte{}
	for i := range filesMax + 1 {
		many[big.NewInt(int64(i)).String()] = []byte("x")
	}
	tests := []struct {
		name    string
		files   map[string][]byte
		anchors int
		want    fault.Code
	}{
		{"PEM and DER", map[string][]byte{"a.pem": armour(root), "b.cer": ca.cert.Raw}, 2, ""},
		{"any name, by content", map[string][]byte{"a": armour(root), "b.bin": ca.cert.Raw}, 2, ""},
		{"read-me and hidden files", map[string][]byte{"README": []byte("hello"), "m.json": []byte("{}"), ".a.pem": []byte("broken"), "a.pem": armour(root)}, 1, ""},
		{"folders are not descended into", map[string][]byte{"sub/a.pem": armour(root)}, 0, ""},
		{"one file twice", map[string][]byte{"a.pem": armour(root), "b.cer": root.cert.Raw}, 1, ""},
		{"a broken certificate", map[string][]byte{"a.pem": armour(root), "b.cer": ca.cert.Raw[:50]}, 0, fault.CertificateUnreadable},
		{"an empty certificate file", map[string][]byte{"b.cer": nil}, 0, fault.InputEmpty},
		{"too big", map[string][]byte{"b.cer": make([]byte, fileSizeMax+1)}, 0, fault.InputTooBig},
		{"too many files", many, 0, fault.InputTooBig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Load(write(tt.files))
			if fault.CodeOf(err) != tt.want || len(s.Anchors()) != tt.anchors {
				t.Errorf("%d anchors, %v", len(s.Anchors()), err)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); !fault.Is(err, fault.Unreadable) {
		t.Errorf("absent: %v", err)
	}
	text := filepath.Join(write(map[string][]byte{"a": []byte("hello")}), "a")
	if _, err := Load(text); !fault.Is(err, fault.CertificateUnreadable) {
		t.Errorf("a text file by name: %v", err)
	}
}

// What the store's own certificates are signed with is checked once; nothing of
// others is remembered.
func TestSignaturesOfMembersAreRemembered(t *testing.T) {
	root := issue(t, nil, "root", "")
	sub := issue(t, root, "sub", "")
	stranger := issue(t, root, "stranger", "")
	s, err := New(root.cert, sub.cert)
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		s.checked.Range(func(any, any) bool { n++; return true })
		return n
	}
	for range 2 {
		if err := s.CheckIssued(root.cert, sub.cert); err != nil || count() != 1 {
			t.Errorf("%d remembered, %v", count(), err)
		}
		if err := s.CheckIssued(root.cert, stranger.cert); err != nil || count() != 1 {
			t.Errorf("%d remembered, %v", count(), err)
		}
	}
	for range 2 {
		if err := s.CheckIssued(sub.cert, root.cert); !fault.Is(err, fault.SignatureInvalid) || count() != 2 {
			t.Errorf("%d remembered, %v", count(), err)
		}
	}
	var none *Store
	if err := none.CheckIssued(root.cert, sub.cert); err != nil {
		t.Error(err)
	}
}
