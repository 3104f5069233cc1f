package cms_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
)

// openssl runs the counterpart in a directory of its own, and skips where it is
// not installed.
func openssl(t *testing.T, dir string, arguments ...string) []byte {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	command := exec.Command(program, arguments...)
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", arguments, err, stderr.Bytes())
	}
	return out
}

// surroundings writes an identity and a document where openssl finds them.
func surroundings(t *testing.T, name string) string {
	t.Helper()
	who := identities()[name]
	key, err := x509.MarshalPKCS8PrivateKey(who.key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for file, content := range map[string][]byte{
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: who.cert}),
		"doc":      []byte("goods declaration"),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWeReadWhatOpenSSLSigns(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		options   []string
		form      cms.Form
		ber       bool
	}{
		{"RSA", "RSA-2048", nil, cms.OverAsSent, false},
		{"PSS", "RSA-2048", []string{"-keyopt", "rsa_padding_mode:pss"}, cms.OverAsSent, false},
		{"ECDSA", "P-256", nil, cms.OverAsSent, false},
		{"ECDSA P-384 SHA-384", "P-384", []string{"-md", "sha384"}, cms.OverAsSent, false},
		{"CAdES", "RSA-2048", []string{"-cades"}, cms.OverAsSent, false},
		{"no certificates", "RSA-2048", []string{"-nocerts"}, cms.OverAsSent, false},
		{"key identifier", "P-256", []string{"-keyid"}, cms.OverAsSent, false},
		{"no attributes", "RSA-2048", []string{"-noattr"}, cms.OverContent, false},
		{"streamed BER", "RSA-2048", []string{"-stream"}, cms.OverAsSent, true},
		{"streamed BER without attributes", "P-256", []string{"-stream", "-noattr"}, cms.OverContent, true},
	} {
		for _, attached := range []bool{true, false} {
			if tt.ber && !attached {
				continue // openssl streams content, and there is none
			}
			name := tt.name + " detached"
			arguments := append([]string{"cms", "-sign", "-binary", "-in", "doc", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER"}, tt.options...)
			if attached {
				name = tt.name + " attached"
				arguments = append(arguments, "-nodetach")
			}
			t.Run(name, func(t *testing.T) {
				m := parsed(t, openssl(t, surroundings(t, tt.key), arguments...))
				if m.Detached == attached || m.BER != tt.ber || len(m.Signers) != 1 {
					t.Fatalf("detached %v, BER %v, %d signers", m.Detached, m.BER, len(m.Signers))
				}
				c := certificate(t, tt.key)
				if !m.Signers[0].Identifier.Names(c) {
					t.Error("the signer identifier does not name the certificate")
				}
				form, err := m.Verify(m.Signers[0], c.PublicKey, []byte("goods declaration"))
				if err != nil || form != tt.form {
					t.Errorf("Verify = %s, %v; want %s", form, err, tt.form)
				}
				if _, err := m.Verify(m.Signers[0], c.PublicKey, []byte("goods declaratiom")); err == nil {
					t.Error("another content verifies")
				}
			})
		}
	}
}

// Several signers, added at once and afterwards, in every encoding that openssl
// writes; each is read in both ways.
func TestSeveralSignersOfOpenSSL(t *testing.T) {
	sign := []string{"cms", "-sign", "-binary", "-in", "doc", "-nodetach", "-signer", "cert.pem", "-inkey", "key.pem"}
	again := []string{"-signer", "other.pem", "-inkey", "other.key"}
	for name, arguments := range map[string][]string{
		"at once":         slices.Concat(sign, again, []string{"-outform", "DER"}),
		"at once, BER":    slices.Concat(sign, again, []string{"-outform", "DER", "-stream"}),
		"in PEM":          slices.Concat(sign, again, []string{"-outform", "PEM"}),
		"one by its key":  slices.Concat(sign, again, []string{"-outform", "DER", "-keyid"}),
		"resigned":        slices.Concat([]string{"cms", "-resign", "-in", "first", "-inform", "DER", "-outform", "DER"}, again),
		"resigned by key": slices.Concat([]string{"cms", "-resign", "-in", "first", "-inform", "DER", "-outform", "DER", "-keyid"}, again),
	} {
		t.Run(name, func(t *testing.T) {
			dir := surroundings(t, "RSA-2048")
			other := surroundings(t, "P-256")
			for from, to := range map[string]string{"cert.pem": "other.pem", "key.pem": "other.key"} {
				if err := os.Rename(filepath.Join(other, from), filepath.Join(dir, to)); err != nil {
					t.Fatal(err)
				}
			}
			openssl(t, dir, slices.Concat(sign, []string{"-outform", "DER", "-out", "first"})...)
			raw := openssl(t, dir, arguments...)
			m, _, err := cms.ReadBytes(raw)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Signers) != 2 {
				t.Fatalf("%d signers", len(m.Signers))
			}
			for _, s := range m.Signers {
				c := certificate(t, "RSA-2048")
				if !s.Identifier.Names(c) {
					c = certificate(t, "P-256")
				}
				if !s.Identifier.Names(c) {
					t.Error("the signer identifier names neither certificate")
				}
				if _, err := m.Verify(s, c.PublicKey, m.Content); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Ed25519 signs the message itself: the attributes, or the content if there are
// none. OpenSSL signs the former only, so the latter is made here.
func TestEd25519WithoutAttributes(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("goods declaration")
	m := parsed(t, signed(t, "P-256", nil))
	identifier := algo.Identifier{OID: asn1.ObjectIdentifier{1, 3, 101, 112}}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(m.Signers[0].Identifier.RawIssuer)
			b.AddASN1BigInt(m.Signers[0].Identifier.Serial)
		})
		algo.SHA512.Identifier().AddTo(b)
		identifier.AddTo(b)
		b.AddASN1OctetString(ed25519.Sign(private, content))
	})
	s, err := cms.ParseSigner(b.BytesOrPanic(), "/signerInfos/0", cms.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*cms.Content{
		"held": cms.ContentOf(content), "streamed": cms.ContentFrom(io.MultiReader(bytes.NewReader(content)), cms.Options{Spool: cms.DefaultSpool}),
	} {
		if form, err := s.VerifyOver(t.Context(), public, c); err != nil || form != cms.OverContent {
			t.Errorf("%s: %s, %v", name, form, err)
		}
		_ = c.Close()
	}
	_, err = s.VerifyOver(t.Context(), public, cms.ContentOf(content[1:]))
	wantCode(t, err, fault.SignatureInvalid)
	_, err = s.VerifyOver(t.Context(), public, nil)
	wantCode(t, err, fault.ContentMissing)
	_, err = s.VerifyOver(t.Context(), public, cms.ContentDigests(map[*algo.Digest][]byte{algo.SHA512: algo.SHA512.Sum(content)}))
	wantCode(t, err, fault.ContentNotKept)
}

func TestOpenSSLReadsWhatWeSign(t *testing.T) {
	for _, key := range []string{"RSA-2048", "P-256", "P-384"} {
		for _, detached := range []bool{false, true} {
			name := key + " attached"
			arguments := []string{"cms", "-verify", "-binary", "-cades", "-inform", "DER", "-in", "message", "-CAfile", "cert.pem", "-purpose", "any", "-attime", "1795253400"}
			if detached {
				name = key + " detached"
				arguments = append(arguments, "-content", "doc")
			}
			t.Run(name, func(t *testing.T) {
				dir := surroundings(t, key)
				der := signed(t, key, func(t *cms.Template) { t.Detached = detached })
				der, err := cms.AddUnsignedAttribute(der, 0, cms.Attribute{Type: cms.OIDSignatureTimestamp, Values: [][]byte{{5, 0}}})
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "message"), der, 0o600); err != nil {
					t.Fatal(err)
				}
				if out := openssl(t, dir, arguments...); string(out) != "goods declaration" {
					t.Errorf("openssl verified %q", out)
				}
			})
		}
	}
}
