package xmldsig

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

// sharedData holds messages that others signed; it stands beside a checkout,
// not in it.
var sharedData = filepath.Join("..", "..", "..", "shared", "data")

func sample(t *testing.T, path ...string) *Document {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{sharedData}, path...)...))
	if os.IsNotExist(err) {
		t.Skipf("the shared data are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, string(raw))
}

// NCANode's own test messages, signed by Kalkan with certificates of NUC RK's
// test CA: what the state's library writes.
func TestNCANodeMessages(t *testing.T) {
	d := sample(t, "nuc-rk", "ncanode", "xml", "xml_XML_SIGNED_VALID_STRING.xml")
	v, err := Verify(d, Policy{Parent: d.Root})
	if err != nil {
		t.Fatal(err)
	}
	if v.Element.Child("", "b").Text() != "test" || v.Certificate.Holder().IIN == "" {
		t.Errorf("covered %q", v.Octets)
	}

	d = sample(t, "nuc-rk", "ncanode", "xml", "wsse_XML_SIGNED_STRING.xml")
	security := d.Root.Elements()[0].Child(WSSESpace, "Security")
	if _, err := Verify(d, Policy{Parent: security, Target: d.Root.Elements()[1], KeyInfo: SecurityToken}); err != nil {
		t.Error(err)
	}

	d = sample(t, "nuc-rk", "ncanode", "xml", "xml_XML_SIGNED_VALID_STRING_TWO_SIGNERS.xml")
	if _, err := Verify(d, Policy{Parent: d.Root}); !fault.Is(err, fault.XMLSignatureAmbiguous) {
		t.Errorf("two signers: %v", err)
	}
}

// GOST of Kazakhstan, made by KalkanCrypt.
func TestKalkanMessagesWithGOST(t *testing.T) {
	for _, name := range []string{"xml_simple", "xml_ns"} {
		d := sample(t, "nuc-rk", "fedor35-ncalayer-rs", "test_gost512."+name+".xml")
		if _, err := Verify(d, Policy{Parent: d.Root}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Both layers of the constructed look-ups; trust is judged by internal/shep.
func TestLookUpMessages(t *testing.T) {
	folder := []string{"registry", "samples"}
	for _, name := range []string{"gbdul_request", "gbdul_response_active", "gbdul_response_branch", "gbdul_response_head_removed", "gbdul_response_inactive_tax"} {
		d := sample(t, append(folder, name+".payload.signed.xml")...)
		if _, err := Verify(d, Policy{Parent: d.Root}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(sharedData, "registry", "samples", "*.soap.signed.xml"))
	if err != nil || len(files) == 0 {
		t.Skip("the shared data are not here")
	}
	for _, file := range files {
		d := sample(t, append(folder, filepath.Base(file))...)
		security := d.Root.Elements()[0].Child(WSSESpace, "Security")
		if _, err := Verify(d, Policy{Parent: security, Target: d.Root.Elements()[1], KeyInfo: SecurityToken}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
