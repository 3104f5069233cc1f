package trust

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

func TestImportNeedsAPinOrForce(t *testing.T) {
	root := issue(t, nil, "Test root", "Somebody").cert
	folder := Folder{filepath.Join(t.TempDir(), "deep", "trust")}
	if _, err := folder.Import([]*cert.Certificate{root}, Import{}); !fault.Is(err, fault.TrustNotPinned) {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder.Path); err == nil {
		t.Error("a refused import made the folder")
	}
	list, err := folder.Import([]*cert.Certificate{root}, Import{Force: true})
	if err != nil || len(list) != 1 || !list[0].Forced || !list[0].New {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, err = folder.Import([]*cert.Certificate{root}, Import{Force: true}); err != nil || list[0].New {
		t.Errorf("again: %+v, %v", list, err)
	}
	s, err := Load(folder.Path)
	if err != nil || len(s.Anchors()) != 1 || s.Profile() != Test {
		t.Errorf("%+v, %v", s, err)
	}
	sandbox := issue(t, nil, "Sandbox root", SandboxOrganization).cert
	if _, err := folder.Import([]*cert.Certificate{sandbox}, Import{Force: true}); !fault.Is(err, fault.AnchorProfilesMixed) {
		t.Error(err)
	}
	if s, _ := Load(folder.Path); len(s.Anchors()) != 1 {
		t.Error("a refused import left something behind")
	}
}

func TestImportRecognisesNUC(t *testing.T) {
	certs, err := LoadCertificates(filepath.Join("../../../shared/data/nuc-rk/prod-ca", "nca_rsa_2022.cer"))
	if err != nil {
		certs, err = LoadCertificates(filepath.Join("../../../shared/data/nuc-rk/prod-ca", "nca_rsa_2022.pem"))
	}
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	list, err := (Folder{t.TempDir()}).Import(certs, Import{})
	if err != nil || list[0].Forced || filepath.Base(list[0].File) != "nca_rsa_2022.cer" {
		t.Errorf("%+v, %v", list, err)
	}
}
