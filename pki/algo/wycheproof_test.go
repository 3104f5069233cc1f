package algo

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

// Project Wycheproof's vectors: no signature that must be refused passes, and
// none that is right is refused but for an algorithm that the table lacks.
func TestWycheproof(t *testing.T) {
	files, err := filepath.Glob("../../../shared/data/validation/wycheproof/*_test.json.gz")
	if err != nil || len(files) == 0 {
		t.Skip("no ../shared/data here")
	}
	checked := 0
	for _, file := range files {
		name := filepath.Base(file)
		for _, g := range readGroups(t, file) {
			scheme, known := wycheproofSchemes[g.Type]
			if !known {
				continue
			}
			s, pub := g.algorithm(scheme)
			if s == nil {
				continue
			}
			for _, v := range g.Tests {
				checked++
				msg, sig := unhexed(t, v.Msg), unhexed(t, v.Sig)
				verify := s.Verify
				if g.Type == "EcdsaP1363Verify" {
					verify = s.VerifyRaw
				}
				err := verify(pub, s.Digest.Sum(msg), sig)
				switch {
				case v.Result == "valid" && err != nil, v.Result == "invalid" && err == nil:
					t.Errorf("%s %d (%s): %s, got %v", name, v.ID, v.Comment, v.Result, err)
				case err != nil && !fault.Is(err, fault.SignatureInvalid):
					t.Errorf("%s %d: code of %v", name, v.ID, err)
				}
			}
		}
	}
	if checked < 5000 {
		t.Errorf("only %d vectors", checked)
	}
}

var wycheproofSchemes = map[string]scheme{
	"EcdsaVerify": ecdsaScheme, "EcdsaP1363Verify": ecdsaScheme, "RsassaPkcs1Verify": rsaPKCS1, "RsassaPssVerify": rsaPSS,
}

type wycheproofGroup struct {
	Type, SHA, MGFSHA string
	SLen              int
	PublicKeyDER      string
	Tests             []struct {
		ID                        int `json:"tcId"`
		Comment, Msg, Sig, Result string
	}
}

func readGroups(t *testing.T, file string) []wycheproofGroup {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ TestGroups []wycheproofGroup }
	if err := json.NewDecoder(z).Decode(&set); err != nil {
		// Sets of other algorithms have groups of another form.
		if !strings.Contains(file, "rsa_") && !strings.Contains(file, "ecdsa_") {
			return nil
		}
		t.Fatalf("%s: %v", file, err)
	}
	return set.TestGroups
}

// algorithm finds the table's algorithm and the key; nil if it lacks either.
func (g wycheproofGroup) algorithm(s scheme) (*Signature, any) {
	der, err := hex.DecodeString(g.PublicKeyDER)
	if err != nil {
		return nil, nil
	}
	pub, err := ParsePublicKey(der)
	if err != nil {
		return nil, nil
	}
	digest, err := DigestByName(g.SHA)
	if err != nil {
		return nil, nil
	}
	if s != rsaPSS {
		found, err := row(s, digest)
		if err != nil {
			return nil, nil
		}
		return found, pub
	}
	mgf, err := DigestByName(g.MGFSHA)
	if err != nil {
		return nil, nil
	}
	found, err := newPSS(digest, mgf, g.SLen, 1)
	if err != nil {
		return nil, nil
	}
	return found, pub
}

func unhexed(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
