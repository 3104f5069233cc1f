package revocation

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Answers and lists that openssl's gost-engine signed, of every set of parameters,
// at the time they were made: the leaf is good by one answer, revoked by the
// other and by the list.
func TestGOSTEngineAnswersAndLists(t *testing.T) {
	folder := filepath.Join(shared, "gost", "openssl-gost-engine")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("no ../shared/data here")
	}
	sets, err := filepath.Glob(filepath.Join(folder, "*", "ocsp_leaf_good.der"))
	if err != nil || len(sets) == 0 {
		t.Fatalf("no answers: %v", err)
	}
	for _, file := range sets {
		set := filepath.Base(filepath.Dir(file))
		read := func(name string) []byte {
			t.Helper()
			data, err := os.ReadFile(filepath.Join(filepath.Dir(file), name))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		certificate := func(name string) *cert.Certificate {
			t.Helper()
			c, err := cert.Parse(read(name))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		s := Subject{Certificate: certificate("leaf.cer"), Issuer: certificate("ca.cer")}
		for _, tt := range []struct {
			file   string
			kind   Kind
			status Status
		}{
			{"ocsp_leaf_good.der", OCSP, Good},
			{"ocsp_leaf_revoked.der", OCSP, Revoked},
			{"crl_leaf_revoked.crl", CRL, Revoked},
		} {
			raw := read(tt.file)
			var at time.Time
			if tt.kind == OCSP {
				r, err := ParseResponse(raw)
				if err != nil {
					t.Fatalf("%s/%s: %v", set, tt.file, err)
				}
				at = r.ProducedAt
			} else {
				l, err := ParseList(raw)
				if err != nil {
					t.Fatalf("%s/%s: %v", set, tt.file, err)
				}
				at = l.ThisUpdate
			}
			e, err := Check(Information{Kind: tt.kind, Raw: raw}, s, Rules{At: at})
			if err != nil || e.Status != tt.status {
				t.Errorf("%s/%s: %+v, %v", set, tt.file, e, err)
			}
			if tt.kind == CRL { // the signature stands last
				raw[len(raw)-5] ^= 1
				if _, err := Check(Information{Kind: CRL, Raw: raw}, s, Rules{At: at}); !fault.Is(err, fault.SignatureInvalid) {
					t.Errorf("%s/%s with another signature: %v", set, tt.file, err)
				}
			}
		}
	}
}
