package authority_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

// policyRussia is for a key with Russia's identifiers, which openssl's engine knows.
var policyRussia = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 5}

// openssl runs it in a folder of the test's files.
type openssl struct {
	t   *testing.T
	dir string
	env []string
}

func newOpenSSL(t *testing.T) openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	o := openssl{t: t, dir: t.TempDir()}
	o.write("data", []byte("data"))
	o.write("root.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root().Raw}))
	return o
}

func (o openssl) write(name string, content []byte) {
	o.t.Helper()
	must(os.WriteFile(filepath.Join(o.dir, name), content, 0o600))
}

func (o openssl) run(args ...string) (string, error) {
	command := exec.Command("openssl", args...)
	command.Dir, command.Env = o.dir, append(os.Environ(), o.env...)
	out, err := command.CombinedOutput()
	return string(out), err
}

// gost makes GOST known to openssl; false without the engine.
func (o *openssl) gost() bool {
	found, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if len(found) == 0 {
		return false
	}
	o.write("gost.cnf", []byte("openssl_conf=c\n[c]\nengines=e\n[e]\ngost=g\n[g]\nengine_id=gost\ndynamic_path="+found[0]+"\ndefault_algorithms=ALL\n"))
	o.env = []string{"OPENSSL_CONF=" + filepath.Join(o.dir, "gost.cnf")}
	return true
}

// digestsOfOpenSSL are openssl's names; GOST's need the engine.
var digestsOfOpenSSL = map[*algo.Digest]string{
	algo.SHA256: "-sha256", algo.SHA384: "-sha384", algo.SHA512: "-sha512", algo.SHA512x256: "-sha512-256",
	algo.SHA3x256: "-sha3-256", algo.SHA3x384: "-sha3-384", algo.SHA3x512: "-sha3-512",
	algo.Streebog256: "-md_gost12_256", algo.Streebog512: "-md_gost12_512",
}

// TestOpenSSLAsksAndVerifies has openssl write the query, verify our answer to it,
// and print it, for every digest and policy that it knows.
func TestOpenSSLAsksAndVerifies(t *testing.T) {
	o := newOpenSSL(t)
	engine := o.gost()
	all := policies()
	if engine {
		curve := got(gost.CurveByOID(asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 1}))
		all = append(slices.Clip(all), policyOf(policyRussia, got(gost.GenerateKey(rand.Reader, gost.RU2012x512, curve))))
	}
	a, _ := issuing(t, func(c *authority.Config) { c.Policies = all })
	for _, p := range all {
		for _, d := range authority.DefaultDigests() {
			name := digestsOfOpenSSL[d]
			ofGOST := d.Hash == 0
			// openssl knows Kazakhstan's identifiers of keys and signatures under no
			// name: pki/tsp alone verifies that policy, and Russia's stands for its form.
			if ofGOST && !engine || p.OID.Equal(policyGOST) {
				continue
			}
			for _, how := range [][]string{{"-cert"}, {}, {"-cert", "-no_nonce"}} {
				args := append([]string{"ts", "-query", "-data", "data", name, "-tspolicy", p.OID.String(), "-out", "query"}, how...)
				if out, err := o.run(args...); err != nil {
					t.Fatalf("%s: %v\n%s", name, err, out)
				}
				reply, err := a.Respond(t.Context(), got(os.ReadFile(filepath.Join(o.dir, "query"))))
				if err != nil {
					t.Fatalf("%s under %s: %v", name, p.OID, err)
				}
				o.write("reply", reply)
				o.write("tsa.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Keys[0].Certificate.Raw}))
				at := "1795253400" // start
				out, err := o.run("ts", "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", "root.pem", "-untrusted", "tsa.pem", "-attime", at)
				if err != nil || !strings.Contains(out, "Verification: OK") {
					t.Errorf("%s under %s %v: %v\n%s", name, p.OID, how, err, out)
				}
				out, err = o.run("ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", "root.pem", "-untrusted", "tsa.pem", "-attime", at)
				if err != nil {
					t.Errorf("%s over the data: %v\n%s", name, err, out)
				}
				if out, _ = o.run("ts", "-reply", "-in", "reply", "-text"); !strings.Contains(out, "Status: Granted.") || !strings.Contains(out, "09:30:00.12 2026 GMT") {
					t.Errorf("openssl reads\n%s", out)
				}
			}
		}
	}
}

// TestOpenSSLReadsRefusals: what is refused has a status and a failure that
// openssl has words for.
func TestOpenSSLReadsRefusals(t *testing.T) {
	o := newOpenSSL(t)
	a, _ := issuing(t, nil)
	stopped, _ := issuing(t, func(c *authority.Config) { c.Time = noTime })
	broken, _ := issuing(t, func(c *authority.Config) { c.Random = failing{os.ErrClosed} })
	good := got(request(algo.SHA256, policyEC).Marshal())
	for words, reply := range map[string][]byte{
		"unrecognized or unsupported algorithm identifier":     got(respond(a, got(request(algo.SHA1, policyEC).Marshal()))),
		"transaction not permitted or supported":               got(respond(a, bytes.Replace(good, []byte{2, 1, 1, 0x30}, []byte{2, 1, 2, 0x30}, 1))),
		"the data submitted has the wrong format":              got(respond(a, nil)),
		"the TSA's time source is not available":               got(respond(stopped, good)),
		"the requested TSA policy is not supported by the TSA": got(respond(a, got(request(algo.SHA256, algo.SHA256.OID).Marshal()))),
		"the requested extension is not supported by the TSA":  got(respond(a, extended(t))),
		"the request cannot be handled due to system failure":  got(respond(broken, good)),
	} {
		o.write("reply", reply)
		out, err := o.run("ts", "-reply", "-in", "reply", "-text")
		if err != nil || !strings.Contains(out, "Status: Rejected.") || !strings.Contains(out, words) {
			t.Errorf("openssl reads, for %q: %v\n%s", words, err, out)
		}
	}
}

func respond(a *authority.Authority, request []byte) ([]byte, error) {
	reply, err := a.Respond(context.Background(), request)
	if err == nil {
		return nil, os.ErrInvalid // it was to be refused
	}
	return reply, nil
}

// TestWeAskOpenSSL is the other way round: openssl answers, our client reads.
func TestWeAskOpenSSL(t *testing.T) {
	o := newOpenSSL(t)
	o.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: got(x509.MarshalPKCS8PrivateKey(ecKey()))}))
	o.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: policies()[0].Keys[0].Certificate.Raw}))
	o.write("serial", []byte("01\n"))
	config := "[t]\nserial=serial\ncrypto_device=builtin\nsigner_cert=cert.pem\nsigner_key=key.pem\nsigner_digest=sha256\n" +
		"default_policy=" + policyEC.String() + "\ndigests=sha256,sha384,sha512,sha512-256,sha3-256,sha3-384,sha3-512\ness_cert_id_alg=sha256\n"
	o.write("ts.cnf", []byte(config))
	for d, name := range digestsOfOpenSSL {
		if d.Hash == 0 {
			continue // the engine knows Russia's identifiers of Streebog, and we ask by Kazakhstan's
		}
		r := request(d, policyEC)
		o.write("query", got(r.Marshal()))
		if out, err := o.run("ts", "-reply", "-config", "ts.cnf", "-section", "t", "-queryfile", "query", "-out", "reply"); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		var token *tsp.Token
		token, err := r.Accept(got(os.ReadFile(filepath.Join(o.dir, "reply"))))
		if err == nil {
			_, err = token.VerifySignature()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
