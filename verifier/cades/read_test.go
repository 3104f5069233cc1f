package cades

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

// identity is a key with a self-signed certificate.
type identity struct {
	key  *ecdsa.PrivateKey
	cert *cert.Certificate
}

func newIdentity(t testing.TB, name string, serial int64) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, parsed}
}

func (i identity) sign(t testing.TB, change func(*cms.Template)) []byte {
	t.Helper()
	template := cms.Template{Content: []byte("doc"), Certificate: i.cert.Raw}
	if change != nil {
		change(&template)
	}
	der, err := cms.Sign(template, i.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func read(t testing.TB, src Source) *facts.Facts {
	t.Helper()
	f, err := Read(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestArmourComesOff(t *testing.T) {
	der := newIdentity(t, "Signer", 1).sign(t, nil)
	lines := base64.StdEncoding.EncodeToString(der)
	for name, data := range map[string][]byte{
		"DER":             der,
		"PEM":             pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der}),
		"PKCS7 PEM":       pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: der}),
		"base64":          []byte(lines),
		"base64 in lines": []byte("\n" + lines[:76] + "\r\n" + lines[76:] + "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			f := read(t, Source{Name: "x", Data: data})
			if len(f.Signatures) != 1 || !f.Signatures[0].Candidates[0].Verified {
				t.Errorf("%+v", f.Signatures)
			}
			if f.Document.SHA256 != facts.Digest(data) || f.Document.Bytes != int64(len(data)) {
				t.Error("the document is the file as given, with its armour")
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	signer := newIdentity(t, "Signer", 1)
	der := signer.sign(t, nil)
	block := pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der})
	for name, tt := range map[string]struct {
		src  Source
		code fault.Code
	}{
		"empty":                    {Source{}, fault.InputEmpty},
		"another PEM":              {Source{Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, fault.CMSMalformed},
		"two PEM blocks":           {Source{Data: append(bytes.Clone(block), block...)}, fault.CMSMalformed},
		"half a PEM block":         {Source{Data: block[:len(block)/2]}, fault.CMSMalformed},
		"no signer":                {Source{Data: withoutSigners(t)}, fault.NoSignature},
		"another document":         {Source{Data: der, Content: []byte("x")}, fault.ContentConflict},
		"an empty document beside": {Source{Data: der, Content: []byte{}}, fault.ContentConflict},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(t.Context(), tt.src); !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
	if f := read(t, Source{Data: der, Content: []byte("doc")}); !f.Signatures[0].Covers[0].Intact {
		t.Error("the same document beside an attached one is no conflict")
	}
}

// withoutSigners is a certificate bundle.
func withoutSigners(t testing.TB) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(cms.OIDSignedData)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(cms.OIDData) })
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
			})
		})
	})
	der, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Certificates of one issuer and serial number: the key that made the value and
// the reference tell them apart, and neither outcome is lost.
func TestCandidatesOfOneName(t *testing.T) {
	signer, impostor := newIdentity(t, "Signer", 1), newIdentity(t, "Signer", 1)
	f := read(t, Source{Data: signer.sign(t, func(tm *cms.Template) { tm.Chain = [][]byte{impostor.cert.Raw} })})
	candidates := f.Signatures[0].Candidates
	if len(candidates) != 2 {
		t.Fatalf("%d candidates", len(candidates))
	}
	for _, c := range candidates {
		own := c.Certificate == facts.Digest(signer.cert.Raw)
		if !c.Named || c.Referenced != own || c.Verified != own || (c.Code == fault.SignatureInvalid) == own {
			t.Errorf("own %v: %+v", own, c)
		}
	}
}

// A flood of certificates under one name costs a bounded number of checks.
func TestCandidatesAreBounded(t *testing.T) {
	signer := newIdentity(t, "Signer", 1)
	var chain [][]byte
	for range 2 * candidatesMax {
		chain = append(chain, newIdentity(t, "Signer", 1).cert.Raw)
	}
	f := read(t, Source{Data: signer.sign(t, func(tm *cms.Template) { tm.Chain = chain })})
	candidates := f.Signatures[0].Candidates
	if len(candidates) > candidatesMax || candidates[0].Certificate != facts.Digest(signer.cert.Raw) {
		t.Errorf("%d candidates, the referenced one is not the first", len(candidates))
	}
}

func TestAnOddCertificateSpoilsNothing(t *testing.T) {
	signer := newIdentity(t, "Signer", 1)
	odd := []byte{0x30, 0x03, 0x02, 0x01, 0x07}
	f := read(t, Source{Data: signer.sign(t, func(tm *cms.Template) { tm.Chain = [][]byte{odd} })})
	if len(f.Certificates) != 2 || len(f.Signatures[0].Candidates) != 1 || !f.Signatures[0].Candidates[0].Verified {
		t.Errorf("%d certificates, candidates %+v", len(f.Certificates), f.Signatures[0].Candidates)
	}
}

// Attached and empty is a document of no bytes; detached and not given is none.
func TestEmptyIsNotAbsent(t *testing.T) {
	signer := newIdentity(t, "Signer", 1)
	empty := func(tm *cms.Template) { tm.Content = nil }
	if c := read(t, Source{Data: signer.sign(t, empty)}).Signatures[0].Covers[0]; !c.Found || !c.Intact {
		t.Errorf("attached and empty: %+v", c)
	}
	detached := signer.sign(t, func(tm *cms.Template) { tm.Content, tm.Detached = nil, true })
	if c := read(t, Source{Data: detached}).Signatures[0].Covers[0]; c.Found || c.Intact {
		t.Errorf("detached and not given: %+v", c)
	}
	if c := read(t, Source{Data: detached, Content: []byte{}}).Signatures[0].Covers[0]; !c.Found || !c.Intact {
		t.Errorf("detached, and given empty: %+v", c)
	}
}
