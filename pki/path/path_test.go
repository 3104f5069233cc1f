package path

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

const shared = "../../../shared/data"

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Keys are made once: most tests need different names, not different keys.
var testKeys = sync.OnceValue(func() []crypto.Signer {
	var keys []crypto.Signer
	for range 4 {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return append(keys, r)
})

type entity struct {
	key  crypto.Signer
	x509 *x509.Certificate
	*cert.Certificate
}

var serial = int64(1)

func issue(t testing.TB, issuer *entity, name string, key int, change ...func(*x509.Certificate)) *entity {
	t.Helper()
	serial++
	k := testKeys()[key]
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		SubjectKeyId: []byte{byte(key)},
	}
	for _, c := range change {
		c(template)
	}
	parent, parentKey := template, k
	if issuer != nil {
		parent, parentKey = issuer.x509, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, k.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := x509.ParseCertificate(der) // nil for a leaf that it refuses
	c, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return &entity{k, x, c}
}

func ca(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

func maxPath(n int) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
}

func usage(u x509.KeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.KeyUsage = u }
}

func validity(from, until time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(from), now.Add(until) }
}

func extension(oid asn1.ObjectIdentifier, critical bool, value ...byte) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid, Critical: critical, Value: value})
	}
}

func store(t testing.TB, anchors ...*entity) *trust.Store {
	t.Helper()
	var certs []*cert.Certificate
	for _, a := range anchors {
		certs = append(certs, a.Certificate)
	}
	s, err := trust.New(certs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func certificates(entities ...*entity) []*cert.Certificate {
	var out []*cert.Certificate
	for _, e := range entities {
		out = append(out, e.Certificate)
	}
	return out
}

func TestBuild(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	sub := issue(t, root, "sub", 1, ca)
	deep := issue(t, sub, "deep", 2, ca)
	leaf := issue(t, deep, "leaf", 3, usage(x509.KeyUsageDigitalSignature))
	rsaSub := issue(t, root, "rsa", 4, ca)
	other := issue(t, nil, "root", 1, ca) // a namesake with another key

	type parts struct {
		leaf    *entity
		between []*entity
		anchors []*entity
		usage   cert.KeyUsage
	}
	chain := func(leaf *entity, between ...*entity) parts { return parts{leaf, between, []*entity{root}, 0} }
	narrow := issue(t, root, "narrow", 1, ca, maxPath(0))
	notCA := issue(t, root, "not a CA", 1)
	noSign := issue(t, root, "no sign", 1, ca, usage(x509.KeyUsageCRLSign))
	expiredCA := issue(t, root, "expired CA", 1, ca, validity(-2*time.Hour, -time.Hour))
	oldRoot := issue(t, nil, "old root", 0, ca, validity(-2*time.Hour, -time.Hour))
	narrowRoot := issue(t, nil, "narrow root", 0, ca, maxPath(0))
	personal := issue(t, nil, "person", 0)

	tests := []struct {
		name   string
		in     parts
		length int
		want   fault.Code
	}{
		{"three CAs, any order", chain(leaf, deep, sub), 4, ""},
		{"three CAs, other order", chain(leaf, sub, deep), 4, ""},
		{"RSA", chain(issue(t, rsaSub, "x", 3), rsaSub), 3, ""},
		{"leaf under the root", chain(issue(t, root, "x", 3)), 2, ""},
		{"the leaf is an anchor", parts{leaf, nil, []*entity{leaf}, 0}, 1, ""},
		{"an anchor below the root", parts{leaf, []*entity{deep}, []*entity{sub}, 0}, 3, ""},
		{"a namesake of the root beside", parts{leaf, []*entity{deep, sub}, []*entity{other, root}, 0}, 4, ""},
		{"usage wanted and there", parts{leaf, []*entity{deep, sub}, []*entity{root}, cert.KeyUsageDigitalSignature | cert.KeyUsageNonRepudiation}, 4, ""},
		{"expired root", parts{issue(t, oldRoot, "x", 3), nil, []*entity{oldRoot}, 0}, 2, ""},
		{"path length exactly", chain(issue(t, narrow, "x", 3), narrow), 3, ""},

		{"no anchors", parts{leaf, []*entity{deep, sub}, nil, 0}, 3, fault.ChainNotFound},
		{"a link is missing", chain(leaf, deep), 2, fault.ChainNotFound},
		{"nothing at all", parts{leaf, nil, nil, 0}, 1, fault.ChainNotFound},
		{"self-signed stranger", parts{other, nil, []*entity{root}, 0}, 2, fault.SignatureInvalid},
		{"root with another key", parts{issue(t, root, "x", 3), nil, []*entity{other}, 0}, 2, fault.SignatureInvalid},
		{"expired leaf", chain(issue(t, root, "x", 3, validity(-2*time.Hour, -time.Hour))), 2, fault.CertificateExpired},
		{"leaf of tomorrow", chain(issue(t, root, "x", 3, validity(time.Hour, 2*time.Hour))), 2, fault.CertificateNotYetValid},
		{"expired CA", chain(issue(t, expiredCA, "x", 3), expiredCA), 3, fault.CertificateExpired},
		{"issuer is no CA", chain(issue(t, notCA, "x", 3), notCA), 3, fault.NotACA},
		{"anchor is no CA", parts{issue(t, personal, "x", 3), nil, []*entity{personal}, 0}, 2, fault.NotACA},
		{"issuer may not sign", chain(issue(t, noSign, "x", 3), noSign), 3, fault.KeyUsageForbidden},
		{"path too long", chain(issue(t, issue(t, narrow, "deep", 2, ca), "x", 3), narrow, issue(t, narrow, "deep", 2, ca)), 4, fault.PathTooLong},
		{"path too long for the anchor", parts{issue(t, issue(t, narrowRoot, "deep", 2, ca), "x", 3), []*entity{issue(t, narrowRoot, "deep", 2, ca)}, []*entity{narrowRoot}, 0}, 3, fault.PathTooLong},
		{"usage wanted and missing", parts{leaf, []*entity{deep, sub}, []*entity{root}, cert.KeyUsageNonRepudiation}, 4, fault.KeyUsageForbidden},
		{"unknown critical extension", chain(issue(t, root, "x", 3, extension(asn1.ObjectIdentifier{1, 2, 3}, true, 5, 0))), 2, fault.CriticalExtensionUnknown},
		{"unknown extension", chain(issue(t, root, "x", 3, extension(asn1.ObjectIdentifier{1, 2, 3}, false, 5, 0))), 2, ""},
		{"critical extension of a leaf anchor", parts{issue(t, nil, "x", 3, extension(asn1.ObjectIdentifier{1, 2, 3}, true, 5, 0)), nil, nil, 0}, 1, fault.CriticalExtensionUnknown},
		{"critical policies", chain(issue(t, root, "x", 3, extension(cert.OIDCertificatePolicies, true, 0x30, 6, 0x30, 4, 6, 2, 0x2a, 3))), 2, ""},
		{"policies", chain(issue(t, root, "x", 3, extension(cert.OIDCertificatePolicies, false, 0x30, 6, 0x30, 4, 6, 2, 0x2a, 3))), 2, ""},
		{"a leaf that requires a policy", chain(issue(t, root, "x", 3, extension(cert.OIDPolicyConstraints, true, 0x30, 3, 0x80, 1, 0))), 2, fault.PolicyNotAccepted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			anchors := tt.in.anchors
			if anchors == nil && tt.want == fault.CriticalExtensionUnknown {
				anchors = []*entity{tt.in.leaf}
			}
			p, err := Build(Request{
				Leaf: tt.in.leaf.Certificate, Intermediates: certificates(tt.in.between...),
				Anchors: store(t, anchors...), At: now, Usage: tt.in.usage,
			})
			if fault.CodeOf(err) != tt.want || len(p.Certificates) != tt.length {
				t.Fatalf("%d certificates, %v", len(p.Certificates), err)
			}
			if !p.Certificates[0].Equal(tt.in.leaf.Certificate) || (p.Anchor == nil) != (tt.want == fault.ChainNotFound) {
				t.Errorf("leaf or anchor: %+v", p.Anchor)
			}
		})
	}
}

func TestTimesAreInclusive(t *testing.T) {
	root := issue(t, nil, "root", 0, ca, validity(-time.Hour, 3*time.Hour))
	leaf := issue(t, root, "leaf", 1, validity(0, time.Hour))
	for offset, want := range map[time.Duration]fault.Code{
		0: "", time.Hour: "", -time.Second: fault.CertificateNotYetValid, time.Hour + time.Second: fault.CertificateExpired,
	} {
		_, err := Build(Request{Leaf: leaf.Certificate, Anchors: store(t, root), At: now.Add(offset)})
		if fault.CodeOf(err) != want {
			t.Errorf("at %s: %v", offset, err)
		}
	}
}

// Cross-certified CAs: the search must end, and find the path that is valid.
func TestCrossCertificates(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	a := issue(t, root, "a", 1, ca)
	aByB := issue(t, issue(t, nil, "b", 2, ca), "a", 1, ca)
	bByA := issue(t, a, "b", 2, ca)
	expired := issue(t, root, "b", 2, ca, validity(-2*time.Hour, -time.Hour))
	leaf := issue(t, bByA, "leaf", 3)
	p, err := Build(Request{Leaf: leaf.Certificate, Intermediates: certificates(expired, aByB, bByA, a), Anchors: store(t, root), At: now})
	if err != nil || len(p.Certificates) != 4 {
		t.Fatalf("%v, %v", p, err)
	}
	// Both ways lead to the anchor; who collects evidence sees both.
	if all := Prospective(leaf.Certificate, certificates(expired, aByB, bByA, a), store(t, root)); len(all) != 2 {
		t.Errorf("%d prospective paths", len(all))
	}
}

// CAs that all certify each other make a path of every order: bounded work.
func TestFullMeshEnds(t *testing.T) {
	const n = 12
	roots := make([]*entity, n)
	for i := range roots {
		roots[i] = issue(t, nil, fmt.Sprint("ca", i), i%4, ca)
	}
	var mesh []*cert.Certificate
	for i := range roots {
		for j, issuer := range roots {
			if i != j {
				mesh = append(mesh, issue(t, issuer, fmt.Sprint("ca", i), i%4, ca).Certificate)
			}
		}
	}
	leaf := issue(t, roots[0], "leaf", 3)
	p, err := Build(Request{Leaf: leaf.Certificate, Intermediates: mesh, Anchors: &trust.Store{}, At: now})
	if !fault.Is(err, fault.PathSearchLimit) || len(p.Certificates) > lengthMax {
		t.Errorf("%d certificates, %v", len(p.Certificates), err)
	}
}

// Whatever the order and the noise, the verdict is that of crypto/x509.
func TestAgainstCryptoX509(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	all := []*entity{root}
	for i := range 12 {
		parent := all[(i*7)%len(all)]
		change := []func(*x509.Certificate){ca}
		switch i % 4 {
		case 1:
			change = append(change, maxPath(0))
		case 2:
			change = append(change, validity(-2*time.Hour, -time.Minute))
		}
		all = append(all, issue(t, parent, fmt.Sprint("ca", i), 1+i%3, change...))
	}
	rapid.Check(t, func(rt *rapid.T) {
		leaf := issue(t, rapid.SampledFrom(all).Draw(rt, "issuer"), "leaf", 3)
		given := rapid.Permutation(all[1:]).Draw(rt, "order")
		given = given[:rapid.IntRange(0, len(given)).Draw(rt, "given")]
		at := now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(rt, "minutes")) * time.Minute)

		pool, roots := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(root.x509)
		for _, e := range given {
			pool.AddCert(e.x509)
		}
		_, want := leaf.x509.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: at,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		_, got := Build(Request{Leaf: leaf.Certificate, Intermediates: certificates(given...), Anchors: store(t, root), At: at})
		// crypto/x509 checks the root's own dates, which lie around all.
		if (got == nil) != (want == nil) {
			rt.Fatalf("ours %v, crypto/x509 %v", got, want)
		}
	})
}

func TestAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "30",
		"-addext", "keyUsage=critical,keyCertSign")
	run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf")
	run("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "leaf.pem", "-days", "20")
	anchors, err := trust.Load(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := trust.LoadCertificates(filepath.Join(dir, "leaf.pem"))
	if err != nil {
		t.Fatal(err)
	}
	at := leaf[0].NotBefore.Add(time.Hour)
	if p, err := Build(Request{Leaf: leaf[0], Anchors: anchors, At: at}); err != nil || len(p.Certificates) != 2 {
		t.Errorf("%v", err)
	}
}

// NUC RK's own chain of today, and one that can only be refused by name.
func TestNUCChains(t *testing.T) {
	folder := filepath.Join(shared, "nuc-rk", "prod-ca")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("no ../shared/data here")
	}
	anchors, err := trust.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	one := func(name string) *cert.Certificate {
		certs, err := trust.LoadCertificates(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return certs[0]
	}
	tests := []struct {
		leaf   string
		at     string
		length int
		want   fault.Code
	}{
		{"tsa_rsa_2022_2025-2028.cer", "2026-11-21", 3, ""},
		{"tsa_rsa_2022_2025-2028.cer", "2025-10-01", 3, fault.CertificateNotYetValid},
		{"tsa_rsa_2022_2025-2028.cer", "2029-01-01", 3, fault.CertificateExpired},
		{"nca_rsa.pem", "2020-01-01", 2, ""},
		{"nca_rsa.pem", "2026-01-01", 2, fault.CertificateExpired},
		{"nca_gost_2022.pem", "2026-01-01", 2, ""},
		{"nca_gost.pem", "2020-01-01", 2, ""},
		{"ucgo_gost.cer", "2026-01-01", 2, ""},
	}
	for _, tt := range tests {
		at, _ := time.Parse(time.DateOnly, tt.at)
		p, err := Build(Request{Leaf: one(tt.leaf), Anchors: anchors, At: at})
		if fault.CodeOf(err) != tt.want || len(p.Certificates) != tt.length || p.Anchor == nil || p.Anchor.Profile != trust.Production {
			t.Errorf("%s at %s: %d certificates, %v", tt.leaf, tt.at, len(p.Certificates), err)
		}
	}
}
