package cms_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
)

// sharedData is where real messages lie on a developer's machine; none of them
// is part of the project.
var sharedData = filepath.Join("..", "..", "..", "shared", "data")

// NUC RK's test messages: RSA and GOST both hold.
func TestRealMessages(t *testing.T) {
	folder := filepath.Join(sharedData, "nuc-rk", "ncanode", "cms")
	for _, tt := range []struct {
		file    string
		content []byte
		signers int
	}{
		{"SIGNED_CMS_ONE_SIGNER.der", nil, 1},
		{"SIGNED_CMS.der", nil, 2},
		{"SIGNED_DETACHED_CMS.der", []byte("test123"), 2},
	} {
		t.Run(tt.file, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(folder, tt.file))
			if err != nil {
				t.Skip("the real messages are not here")
			}
			m := parsed(t, raw)
			content := m.Content
			if m.Detached {
				content = tt.content
			}
			if len(m.Signers) != tt.signers {
				t.Fatalf("%d signers", len(m.Signers))
			}
			for i, s := range m.Signers {
				if _, err := m.Verify(s, named(t, m, s).PublicKey, content); err != nil {
					t.Errorf("signer %d: %v", i, err)
				}
				if _, err := m.Verify(s, named(t, m, s).PublicKey, append(content[:len(content):len(content)], '!')); !fault.Is(err, fault.DigestMismatch) {
					t.Errorf("signer %d of another content: %v", i, err)
				}
			}
		})
	}
}

// What openssl's gost-engine signed, in each of its forms and for each set of
// parameters: the layout of Russia, the key's identifier for the signature's.
func TestGOSTEngineMessages(t *testing.T) {
	folder := filepath.Join(sharedData, "gost", "openssl-gost-engine")
	document, err := os.ReadFile(filepath.Join(folder, "document.txt"))
	if err != nil {
		t.Skip("the real messages are not here")
	}
	sets, err := filepath.Glob(filepath.Join(folder, "gost20*"))
	if err != nil || len(sets) < 7 {
		t.Fatalf("%d sets, %v", len(sets), err)
	}
	for _, set := range sets {
		raw, err := os.ReadFile(filepath.Join(set, "leaf.cer"))
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := cert.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"cms_attached.p7s", "cms_detached.p7s", "cms_detached_noattr.p7s", "cms_cades_bes_detached.p7s"} {
			raw, err := os.ReadFile(filepath.Join(set, name))
			if err != nil {
				t.Fatal(err)
			}
			m := parsed(t, raw)
			content := m.Content
			if m.Detached {
				content = document
			}
			if _, err := m.Verify(m.Signers[0], leaf.PublicKey, content); err != nil {
				t.Errorf("%s/%s: %v", filepath.Base(set), name, err)
			}
			if _, err := m.Verify(m.Signers[0], leaf.PublicKey, content[1:]); err == nil {
				t.Errorf("%s/%s: another content passes", filepath.Base(set), name)
			}
		}
	}
}

func named(t *testing.T, m *cms.Message, s *cms.Signer) *cert.Certificate {
	t.Helper()
	for _, raw := range m.Certificates {
		if c, err := cert.Parse(raw); err == nil && s.Identifier.Names(c) {
			return c
		}
	}
	t.Fatal("the signer's certificate is not in the message")
	return nil
}

// Whatever lies in the foreign sets reads or is refused with a code.
func TestForeignFilesNeverPanic(t *testing.T) {
	if _, err := os.Stat(sharedData); err != nil {
		t.Skip("the foreign sets are not here")
	}
	read, refused := 0, 0
	err := filepath.WalkDir(filepath.Join(sharedData, "validation"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains("|.p7m|.p7s|.pkcs7|.cms|.der|.bin|.tsr|.tst|.sig|", "|"+filepath.Ext(path)+"|") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m, err := cms.Parse(raw)
		if err != nil {
			if refused++; fault.CodeOf(err) == fault.Internal {
				t.Errorf("%s: unclassified %v", path, err)
			}
			return nil
		}
		read++
		for _, s := range m.Signers {
			_, _ = s.SigningTime()
			_, _ = s.CertificateReferences()
			_, _ = s.Algorithm()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read == 0 {
		t.Errorf("none read, %d refused", refused)
	}
}
