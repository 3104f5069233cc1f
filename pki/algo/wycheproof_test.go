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
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "json_") || strings.HasPrefix(name, "ed448") {
			continue // JWS and JWK are not of this package, Ed448 is not in the table
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Verifying on a brainpool curve and on P-521 takes milliseconds, and
			// everything takes ten times as long under the race detector. make
			// conformance runs every vector.
			step := 1
			switch {
			case testing.Short():
				step = 40
			case strings.Contains(name, "brainpool"), strings.Contains(name, "secp521"):
				step = 8
			}
			checked := 0
			for _, g := range readGroups(t, file) {
				s, pub := g.algorithm(t)
				for _, v := range g.Tests {
					checked++
					if checked%step != 1%step {
						continue
					}
					msg, sig := unhexed(t, v.Msg), unhexed(t, v.Sig)
					verify := s.VerifyMessage
					if g.Type == "EcdsaP1363Verify" {
						verify = s.VerifyRawMessage
					}
					err := verify(pub, msg, sig)
					switch {
					case v.Result == "valid" && err != nil, v.Result == "invalid" && err == nil:
						t.Errorf("%d (%s): %s, got %v", v.ID, v.Comment, v.Result, err)
					case err != nil && !fault.Is(err, fault.SignatureInvalid):
						t.Errorf("%d: code of %v", v.ID, err)
					}
				}
			}
			if checked < 50 {
				t.Errorf("only %d vectors", checked)
			}
		})
	}
}

var wycheproofSchemes = map[string]scheme{
	"EcdsaVerify": ecdsaScheme, "EcdsaP1363Verify": ecdsaScheme, "DsaVerify": dsaScheme,
	"RsassaPkcs1Verify": rsaPKCS1, "RsassaPssVerify": rsaPSS, "RsassaPssWithParametersVerify": rsaPSS, "EddsaVerify": ed25519Scheme,
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
		t.Fatal(err)
	}
	return set.TestGroups
}

// algorithm finds the table's algorithm and the key.
func (g wycheproofGroup) algorithm(t *testing.T) (*Signature, any) {
	t.Helper()
	scheme, known := wycheproofSchemes[g.Type]
	pub, err := ParsePublicKey(unhexed(t, g.PublicKeyDER))
	if err != nil || !known {
		t.Fatalf("%s: %v", g.Type, err)
	}
	if scheme == ed25519Scheme {
		return ed25519Signatures[0], pub
	}
	digest, err := DigestByName(g.SHA)
	if err != nil {
		t.Fatal(err)
	}
	if scheme != rsaPSS {
		found, err := row(scheme, digest)
		if err != nil {
			t.Fatal(err)
		}
		return found, pub
	}
	mgf, err := DigestByName(g.MGFSHA)
	if err != nil {
		t.Fatal(err)
	}
	found, err := newPSS(digest, mgf, g.SLen, 1)
	if err != nil {
		t.Fatal(err)
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
