package cades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/signer/cades"
)

var now = time.Now().UTC().Truncate(time.Second)

type identity struct {
	key  crypto.Signer
	cert *cert.Certificate
}

var identities = sync.OnceValue(func() map[string]identity {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	made := map[string]identity{}
	for name, key := range map[string]crypto.Signer{"RSA": rsaKey, "ECDSA": ecKey} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		must(err)
		parsed, err := cert.Parse(der)
		must(err)
		made[name] = identity{key, parsed}
	}
	return made
})

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func sign(t *testing.T, name string, o cades.Options) []byte {
	t.Helper()
	who := identities()[name]
	der, err := cades.Sign(context.Background(), []byte("declaration"), who.key, []*cert.Certificate{who.cert}, o)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestSignMakesBaselineB(t *testing.T) {
	for _, name := range []string{"RSA", "ECDSA"} {
		for _, detached := range []bool{false, true} {
			m, err := cms.Parse(sign(t, name, cades.Options{Detached: detached, SigningTime: now}))
			if err != nil {
				t.Fatal(err)
			}
			s := m.Signers[0]
			if _, err := m.Verify(s, identities()[name].cert.PublicKey, []byte("declaration")); err != nil || m.Detached != detached {
				t.Errorf("%s, detached %v: %v", name, m.Detached, err)
			}
			// EN 319 122-1 §6.3, the mandatory signed attributes of level B.
			for _, want := range []string{"contentType", "messageDigest", "signingTime", "signingCertificateV2"} {
				if !has(s, want) {
					t.Errorf("%s: no %s", name, want)
				}
			}
		}
	}
}

func has(s *cms.Signer, name string) bool {
	contentType, _ := s.ContentType()
	digest, _ := s.MessageDigest()
	at, _ := s.SigningTime()
	references, _ := s.CertificateReferences()
	return map[string]bool{
		"contentType": contentType != nil, "messageDigest": digest != nil,
		"signingTime": !at.IsZero(), "signingCertificateV2": len(references) == 1 && references[0][0].Version == 2,
	}[name]
}

func TestSignRefuses(t *testing.T) {
	who, other := identities()["RSA"], identities()["ECDSA"]
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tt := range map[string]struct {
		ctx   context.Context
		key   crypto.Signer
		chain []*cert.Certificate
		code  fault.Code
	}{
		"cancelled":      {cancelled, who.key, []*cert.Certificate{who.cert}, fault.Cancelled},
		"no certificate": {context.Background(), who.key, nil, fault.BadArgument},
		"another's key":  {context.Background(), other.key, []*cert.Certificate{who.cert}, fault.KeyCertificateMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cades.Sign(tt.ctx, []byte("x"), tt.key, tt.chain, cades.Options{}); !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
	if _, err := cades.SignatureValue(sign(t, "RSA", cades.Options{}), 1); !fault.Is(err, fault.BadArgument) {
		t.Errorf("a signer that is not there: %v", err)
	}
}

func TestOpenSSLVerifiesIt(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	for _, name := range []string{"RSA", "ECDSA"} {
		for _, detached := range []bool{false, true} {
			dir := t.TempDir()
			put := func(file string, content []byte) { must(os.WriteFile(filepath.Join(dir, file), content, 0o600)) }
			put("signed", sign(t, name, cades.Options{Detached: detached, SigningTime: now}))
			put("doc", []byte("declaration"))
			put("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: identities()[name].cert.Raw}))
			command := exec.Command(program, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "signed", "-CAfile", "cert.pem", "-purpose", "any")
			if detached {
				command.Args = append(command.Args, "-content", "doc")
			}
			command.Dir = dir
			out, err := command.Output()
			if err != nil || !bytes.Equal(out, []byte("declaration")) {
				t.Errorf("%s, detached %v: %v, %q", name, detached, err, out)
			}
		}
	}
}
