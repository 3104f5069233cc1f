package nca_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/senim-kz/senim/internal/sandbox/nca"
)

// NUC RK's own certificates, where they are at hand, say how ours must look.
func TestLayoutAgainstNUCsOwn(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "..", "shared", "data", "nuc-rk")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("needs ../shared/data/nuc-rk")
	}
	b := open(t, t.TempDir())
	for file, row := range map[string]struct {
		profile nca.Profile
		usage   nca.Usage
	}{
		"ncanode/certs/individual_valid_sign_2004_rsa.cer":      {nca.Individual, nca.Signing},
		"ncanode/certs/individual_valid_sign_2004_rsa_auth.cer": {nca.Individual, nca.Authentication},
	} {
		data, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			t.Fatalf("%s is not PEM", file)
		}
		theirs, ours := parse(t, block.Bytes), parse(t, b.issue(t, row.profile, row.usage).Certificate)
		if got, want := subjectTypes(ours), subjectTypes(theirs); !slices.Equal(got, want) {
			t.Errorf("%s: subject of %v, theirs of %v", file, got, want)
		}
		if ours.KeyUsage != theirs.KeyUsage || purposes(ours) != purposes(theirs) {
			t.Errorf("%s: usage %b %s, theirs %b %s", file, ours.KeyUsage, purposes(ours), theirs.KeyUsage, purposes(theirs))
		}
		for _, p := range theirs.Policies {
			if !slices.ContainsFunc(ours.Policies, p.Equal) {
				t.Errorf("%s: policy %v is missing", file, p)
			}
		}
		for _, id := range []string{"2.5.29.35", "2.5.29.14", "2.5.29.15", "2.5.29.31", "2.5.29.32", "2.5.29.37", "1.3.6.1.5.5.7.1.1"} {
			oursHas, oursCritical := extension(ours, id)
			theirsHas, theirsCritical := extension(theirs, id)
			if oursHas != theirsHas || oursCritical != theirsCritical {
				t.Errorf("%s: extension %s: %v critical %v, theirs %v critical %v", file, id, oursHas, oursCritical, theirsHas, theirsCritical)
			}
		}
	}
}

func subjectTypes(c *x509.Certificate) []string {
	var types []string
	for _, n := range c.Subject.Names {
		types = append(types, n.Type.String())
	}
	return types
}

func extension(c *x509.Certificate, id string) (present, critical bool) {
	for _, e := range c.Extensions {
		if e.Id.String() == id {
			return true, e.Critical
		}
	}
	return false, false
}
