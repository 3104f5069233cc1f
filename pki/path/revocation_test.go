package path

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
)

// crl is a list by the issuer that names the entities as revoked.
func crl(t *testing.T, issuer *entity, point []byte, revoked ...*entity) revocation.Information {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
	if point != nil {
		template.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 28}, Critical: true, Value: point}}
	}
	for _, r := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: r.Serial, RevocationTime: now.Add(-time.Minute), ReasonCode: 1,
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, issuer.x509, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	return revocation.Information{Kind: revocation.CRL, Raw: der, Source: revocation.Given}
}

func TestBuildUnrevoked(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	sub := issue(t, root, "sub", 1, ca)
	leaf := issue(t, sub, "leaf", 3)
	// The CA's other key, for CRLs alone, certified by the root; and one that
	// nobody certified.
	second := issue(t, root, "sub", 2, usage(x509.KeyUsageCRLSign))
	stranger := issue(t, nil, "sub", 2, usage(x509.KeyUsageCRLSign))
	mute := issue(t, root, "sub", 2, usage(x509.KeyUsageDigitalSignature))
	fromRoot, fromSub := crl(t, root, nil), crl(t, sub, nil)
	tests := []struct {
		name    string
		signers []*entity
		lists   []revocation.Information
		want    fault.Code
		results int // that were found out
	}{
		{"nothing revoked", nil, []revocation.Information{fromRoot, fromSub}, "", 2},
		{"nothing known of the leaf", nil, []revocation.Information{fromRoot}, fault.RevocationUnknown, 2},
		{"nothing known of the CA", nil, []revocation.Information{fromSub}, fault.RevocationUnknown, 2},
		{"leaf revoked", nil, []revocation.Information{fromRoot, crl(t, sub, nil, leaf)}, fault.CertificateRevoked, 2},
		{"CA revoked", nil, []revocation.Information{crl(t, root, nil, sub), fromSub}, fault.CertificateRevoked, 1},
		{"another key of the CA", []*entity{second}, []revocation.Information{fromRoot, crl(t, second, nil)}, "", 2},
		{"revoked, says another key", []*entity{second}, []revocation.Information{fromRoot, crl(t, second, nil, leaf)}, fault.CertificateRevoked, 2},
		{"that key is revoked", []*entity{second}, []revocation.Information{crl(t, root, nil, second), crl(t, second, nil)}, fault.RevocationUnknown, 2},
		{"that key is nobody's", []*entity{stranger}, []revocation.Information{fromRoot, crl(t, stranger, nil)}, fault.RevocationUnknown, 2},
		{"that key may not sign CRLs", []*entity{mute}, []revocation.Information{fromRoot, crl(t, second, nil)}, fault.RevocationUnknown, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Leaf: leaf.Certificate, Intermediates: certificates(append(tt.signers, sub)...), Anchors: store(t, root), At: now}
			p, results, err := BuildUnrevoked(t.Context(), r, revocation.Checker{Given: tt.lists}, revocation.Rules{At: now})
			if fault.CodeOf(err) != tt.want || len(p.Certificates) != 3 {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			found := 0
			for _, r := range results {
				if r != nil {
					found++
				}
			}
			if found != tt.results {
				t.Errorf("%d results", found)
			}
		})
	}
}

// A refusal of the caller's is one of the path's, and comes before revocation is
// looked up.
func TestBuildUnrevokedAccept(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	leaf := issue(t, root, "leaf", 3)
	r := Request{Leaf: leaf.Certificate, Anchors: store(t, root), At: now, Accept: func(*Path) error {
		return fault.New(fault.AlgorithmForbidden, "", "no")
	}}
	_, results, err := BuildUnrevoked(t.Context(), r, revocation.Checker{}, revocation.Rules{At: now})
	if !fault.Is(err, fault.AlgorithmForbidden) || results != nil {
		t.Errorf("%v, %v", results, err)
	}
}

func FuzzNamesInSubtrees(f *testing.F) {
	f.Add(uint8(2), "a.example.kz", "example.kz")
	f.Add(uint8(1), "a@example.kz", ".kz")
	f.Add(uint8(6), "http://u@a.kz:1/?#", "kz")
	f.Add(uint8(7), "\x0a\x00\x00\x01", "\x0a\x00\x00\x00\xff\x00\x00\x00")
	f.Fuzz(func(t *testing.T, kind uint8, name, base string) {
		g := cert.GeneralName{Kind: cert.NameKind(kind % 9), Value: []byte(name)}
		s := cert.Subtree{Base: cert.GeneralName{Kind: g.Kind, Value: []byte(base)}}
		permitted, err := within(g, s, false)
		if excluded, _ := within(g, s, true); err == nil && permitted && !excluded {
			t.Errorf("%s %q lies in %q for permission and not for exclusion", g.Kind, name, base)
		}
	})
}
