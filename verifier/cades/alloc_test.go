package cades

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
)

// smallMessage is a CAdES-B with RSA-2048 over 4 KiB inside, with its signer's
// certificate and the CA's.
func smallMessage(t testing.TB) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1 << 60), Subject: pkix.Name{CommonName: "Signer", Country: []string{"KZ"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, SubjectKeyId: []byte{1, 2, 3},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	message, err := cms.Sign(cms.Template{
		Content: make([]byte, 4<<10), Certificate: der, Chain: [][]byte{newIdentity(t, "CA", 2).cert.Raw}, SigningTime: time.Now(),
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// remembering parses a certificate once, as a session does.
func remembering() func([]byte) (*cert.Certificate, error) {
	known := map[string]*cert.Certificate{}
	return func(raw []byte) (*cert.Certificate, error) {
		if c := known[string(raw)]; c != nil {
			return c, nil
		}
		c, err := cert.Parse(raw)
		known[string(raw)] = c
		return c, err
	}
}

// allocationsMax is reading's part of the 150 that a whole verdict may take.
const allocationsMax = 60

func TestSmallReadAllocatesLittle(t *testing.T) {
	src := Source{Data: smallMessage(t), Parse: remembering()}
	if n := testing.AllocsPerRun(100, func() { read(t, src) }); n > allocationsMax {
		t.Errorf("%.0f allocations, at most %d", n, allocationsMax)
	}
}

func BenchmarkSmall(b *testing.B) {
	src := Source{Data: smallMessage(b), Parse: remembering()}
	b.ReportAllocs()
	for b.Loop() {
		read(b, src)
	}
}
