package cades_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/senim-kz/senim/pki/pkcs12"
	"github.com/senim-kz/senim/signer/cades"
)

// TestKeysOfNUC signs with every test key of NUC RK, RSA and GOST of both
// series.
func TestKeysOfNUC(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "data", "nuc-rk")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the shared data are not here")
	}
	signed := map[string]int{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".p12") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, password := range []string{"Qwerty12", "Aa123456"} {
			contents, err := pkcs12.Decode(data, password)
			if err != nil {
				continue // the other one, or a file that pki/pkcs12 explains
			}
			for _, key := range contents.Keys {
				if c := contents.CertificateOf(key); c != nil {
					m := verifyAll(t, encode(t, sign(t, cades.Identity{Key: key.Signer, Certificate: c}, cades.Options{SigningTime: start})))
					algorithm, err := m.Signers[0].Algorithm()
					must(err)
					signed[algorithm.Name]++
				}
			}
		}
		return nil
	})
	if err != nil || len(signed) < 3 {
		t.Errorf("%v, %v", signed, err)
	}
	t.Log(signed)
}
