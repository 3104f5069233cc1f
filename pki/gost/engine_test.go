package gost

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const engineConfiguration = `openssl_conf = root
[root]
engines = engines
[engines]
gost = gost
[gost]
engine_id = gost
default_algorithms = ALL
`

// engine runs openssl with gost-engine, the other implementation; the test is
// skipped where it is absent (Debian: libengine-gost-openssl).
type engine struct {
	t      *testing.T
	folder string
}

func newEngine(t *testing.T) engine {
	t.Helper()
	e := engine{t, t.TempDir()}
	e.write("openssl.cnf", []byte(engineConfiguration))
	if out, err := e.run(nil, "engine", "-t", "gost"); err != nil || !bytes.Contains(out, []byte("[ available ]")) {
		t.Skipf("no gost-engine: %v", err)
	}
	return e
}

func (e engine) write(name string, data []byte) string {
	e.t.Helper()
	path := filepath.Join(e.folder, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

func (e engine) run(input []byte, arguments ...string) ([]byte, error) {
	command := exec.Command("openssl", arguments...)
	command.Env = append(os.Environ(), "OPENSSL_CONF="+filepath.Join(e.folder, "openssl.cnf"))
	command.Stdin = bytes.NewReader(input)
	return command.Output()
}

// TestAgainstEngine has the engine verify our signatures under our keys, and
// sign with our keys what we verify, on every Russian curve it knows.
func TestAgainstEngine(t *testing.T) {
	e := newEngine(t)
	message := make([]byte, 1000)
	rand.Read(message)
	file := e.write("message", message)
	names := map[*Algorithm]string{
		SignatureRU2001: "md_gost94", SignatureRU2012x256: "md_gost12_256", SignatureRU2012x512: "md_gost12_512",
	}
	for _, key := range pairs(t) {
		a := key.public.algorithm.Algorithm()
		if names[a] == "" {
			continue
		}
		name := a.Name + " on " + key.public.curveOID.String()
		if a == SignatureRU2001 {
			key.public.digestOID = GOSTR341194.OIDs[1] // the engine wants it named
		}
		h := a.Digest.New()
		h.Write(message)
		digest := h.Sum(nil)

		signature, err := key.Sign(rand.Reader, digest, a)
		if err != nil {
			t.Fatal(err)
		}
		public := e.write("public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key.public.Marshal()}))
		out, err := e.run(nil, "dgst", "-"+names[a], "-verify", public, "-signature", e.write("signature", signature), file)
		if err != nil {
			t.Errorf("%s: the engine refuses our signature: %v %s", name, err, out)
		}

		encoded, err := key.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		private := e.write("private.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
		theirs, err := e.run(nil, "dgst", "-"+names[a], "-sign", private, file)
		if err != nil {
			t.Errorf("%s: the engine does not sign with our key: %v", name, err)
			continue
		}
		if err := a.Verify(&key.public, digest, theirs); err != nil {
			t.Errorf("%s: the engine's signature: %v", name, err)
		}
	}
}

// TestHashesAgainstEngine compares digests of messages of many lengths.
func TestHashesAgainstEngine(t *testing.T) {
	e := newEngine(t)
	for name, digest := range map[string]*Digest{
		"md_gost94": GOSTR341194, "md_gost12_256": Streebog256, "md_gost12_512": Streebog512,
	} {
		for _, size := range []int{1, 31, 32, 33, 63, 64, 65, 127, 128, 4096, 1<<20 + 1} {
			message := make([]byte, size)
			rand.Read(message)
			want, err := e.run(message, "dgst", "-"+name, "-binary")
			if err != nil {
				t.Fatal(err)
			}
			h := digest.New()
			h.Write(message)
			if got := h.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%s of %d bytes: %x, want %x", name, size, got, want)
			}
		}
	}
}
