package tsp

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Replies that openssl's gost-engine signed, of every set of parameters, over the
// signature of a document: the imprint is GOST's too, but for the oldest sets.
func TestGOSTEngineReplies(t *testing.T) {
	folder := filepath.Join(shared, "gost", "openssl-gost-engine")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("no ../shared/data here")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "tsp.tsr"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no replies: %v", err)
	}
	for _, file := range files {
		read := func(name string) []byte {
			t.Helper()
			data, err := os.ReadFile(filepath.Join(filepath.Dir(file), name))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		set := filepath.Base(filepath.Dir(file))
		token, err := ParseReply(read("tsp.tsr"))
		if err != nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		want, err := cert.Parse(read("tsa.cer"))
		if err != nil {
			t.Fatal(err)
		}
		signer, err := token.VerifySignature(want)
		if err != nil || !signer.Equal(want) {
			t.Errorf("%s: %v", set, err)
		}
		if err := token.CheckImprint(read("document.sig")); err != nil {
			t.Errorf("%s: %v", set, err)
		}
		if err := token.CheckImprint(read("document.digest")); err == nil {
			t.Errorf("%s: another message passes", set)
		}
		broken := read("tsp.tsr")
		broken[len(broken)-5] ^= 1 // in the signature value, which stands last
		if token, err = ParseReply(broken); err != nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		if _, err := token.VerifySignature(want); !fault.Is(err, fault.SignatureInvalid) {
			t.Errorf("%s with another signature: %v", set, err)
		}
	}
}
