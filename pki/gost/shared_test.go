package gost

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// sharedFile is a file of the large vector sets, which lie outside the
// repository; a test that needs one is skipped where it is absent.
func sharedFile(t testing.TB, elements ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no vectors at %s", path)
	}
	return path
}

// readShared reads a file of vectors. A vector with a field that the test does not
// know would not be run as it is meant, and is an error.
func readShared(t testing.TB, into any, elements ...string) {
	t.Helper()
	data, err := os.ReadFile(sharedFile(t, elements...))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", filepath.Join(elements...), err)
	}
}

// hexBytes reads hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keyAlgorithmOf is a kind of key that may use the curve.
func keyAlgorithmOf(c *Curve) *KeyAlgorithm {
	if c.size == 64 {
		return RU2012x512
	}
	return RU2012x256
}
