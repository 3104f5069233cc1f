package path

import (
	"encoding/asn1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// gostEngine configures gost-engine; a program without it refuses the file.
const gostEngine = "openssl_conf = conf\n[conf]\nengines = engines\n[engines]\ngost = gost\n[gost]\nengine_id = gost\ndefault_algorithms = ALL\n"

// opensslWorld makes chains of three with openssl, under one algorithm.
type opensslWorld struct {
	t   *testing.T
	dir string
	env []string
}

func (w *opensslWorld) run(args ...string) (string, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), w.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *opensslWorld) must(args ...string) {
	w.t.Helper()
	if out, err := w.run(args...); err != nil {
		w.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// issue certifies NAME.csr by another's key, with extensions as openssl's
// configuration writes them.
func (w *opensslWorld) issue(name, issuer, extensions string, options []string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name+".ext")
	if err := os.WriteFile(file, []byte(extensions), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.must(append([]string{"x509", "-req", "-in", name + ".csr", "-CA", issuer + ".pem", "-CAkey", issuer + ".key",
		"-out", name + ".pem", "-days", "30", "-extfile", file, "-set_serial", fmt.Sprint(time.Now().UnixNano())}, options...)...)
}

func (w *opensslWorld) load(name string) []*cert.Certificate {
	w.t.Helper()
	certs, err := trust.LoadCertificates(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return certs
}

const (
	opensslCA   = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
	opensslLeaf = "keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n"
)

// Both judge the chains that openssl makes alike, whatever they are signed with.
func TestOpenSSLVerify(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here")
	}
	for _, algorithm := range []struct {
		name, key string
		options   []string // of the key
		signing   []string
		gost      bool
	}{
		{"ECDSA", "EC", []string{"-pkeyopt", "ec_paramgen_curve:P-256"}, nil, false},
		{"RSA-PSS", "RSA", []string{"-pkeyopt", "rsa_keygen_bits:2048"}, []string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"}, false},
		{"GOST", "gost2012_512", []string{"-pkeyopt", "paramset:A"}, nil, true},
	} {
		t.Run(algorithm.name, func(t *testing.T) {
			t.Parallel()
			w := &opensslWorld{t: t, dir: t.TempDir()}
			if algorithm.gost {
				file := filepath.Join(w.dir, "gost.cnf")
				if err := os.WriteFile(file, []byte(gostEngine+"[req]\ndistinguished_name = name\n[name]\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				w.env = []string{"OPENSSL_CONF=" + file}
				if out, err := w.run("genpkey", "-algorithm", algorithm.key, "-pkeyopt", "paramset:A", "-out", "probe.key"); err != nil {
					t.Skipf("no gost-engine here: %s", out)
				}
			}
			for _, name := range []string{"root", "sub", "leaf"} {
				w.must(append([]string{"genpkey", "-algorithm", algorithm.key, "-out", name + ".key"}, algorithm.options...)...)
				w.must("req", "-new", "-key", name+".key", "-out", name+".csr", "-subj", "/C=KZ/CN="+name)
			}
			if err := os.WriteFile(filepath.Join(w.dir, "root.ext"), []byte(opensslCA), 0o600); err != nil {
				t.Fatal(err)
			}
			w.must(append([]string{"x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-out", "root.pem", "-days", "30", "-extfile", "root.ext"}, algorithm.signing...)...)
			w.judge(algorithm.signing, algorithm.name != "ECDSA")
		})
	}
}

// judge holds a table of chains against openssl verify. What is in them does not
// depend on what signs them: few are enough to see that it works.
func (w *opensslWorld) judge(signing []string, few bool) {
	policy := func(oid string) string { return "certificatePolicies=" + oid + "\n" }
	for _, tt := range []struct {
		name, sub, leaf string
		flags           []string
		demand          func(*PolicyDemand)
		valid           bool
	}{
		{"plain", opensslCA, opensslLeaf, nil, nil, true},
		{"no CA", strings.Replace(opensslCA, "CA:TRUE", "CA:FALSE", 1), opensslLeaf, nil, nil, false},
		{"may not sign certificates", strings.Replace(opensslCA, "keyCertSign,", "", 1), opensslLeaf, nil, nil, false},
		{"a name that is permitted", opensslCA + "nameConstraints=critical,permitted;DNS:kz\n", opensslLeaf + "subjectAltName=DNS:a.kz\n", nil, nil, true},
		{"a name that is not", opensslCA + "nameConstraints=critical,permitted;DNS:kz\n", opensslLeaf + "subjectAltName=DNS:a.ru\n", nil, nil, false},
		{"a mailbox that is excluded", opensslCA + "nameConstraints=critical,excluded;email:a.kz\n", opensslLeaf + "subjectAltName=email:b@a.kz\n", nil, nil, false},
		{"an address outside", opensslCA + "nameConstraints=critical,permitted;IP:10.0.0.0/255.0.0.0\n", opensslLeaf + "subjectAltName=IP:11.0.0.1\n", nil, nil, false},
		{"an unknown critical extension", opensslCA, opensslLeaf + "1.2.3.4=critical,DER:0500\n", nil, nil, false},
		{"a policy", opensslCA + policy("1.2.3"), opensslLeaf + policy("1.2.3"), []string{"-policy", "1.2.3", "-explicit_policy"},
			func(d *PolicyDemand) { d.Explicit = true }, true},
		{"another policy", opensslCA + policy("1.2.3"), opensslLeaf + policy("1.2.4"), []string{"-policy", "1.2.3", "-explicit_policy"},
			func(d *PolicyDemand) { d.Explicit = true }, false},
		{"anyPolicy inhibited", opensslCA + policy("2.5.29.32.0"), opensslLeaf + policy("1.2.3"), []string{"-policy", "1.2.3", "-explicit_policy", "-inhibit_any"},
			func(d *PolicyDemand) { d.Explicit, d.InhibitAny = true, true }, false},
		{"a policy that is mapped", opensslCA + policy("1.2.3") + "policyMappings=1.2.3:1.2.4\n", opensslLeaf + policy("1.2.4"), []string{"-policy", "1.2.3", "-explicit_policy"},
			func(d *PolicyDemand) { d.Explicit = true }, true},
		{"mapping inhibited", opensslCA + policy("1.2.3") + "policyMappings=1.2.3:1.2.4\n", opensslLeaf + policy("1.2.4"), []string{"-policy", "1.2.3", "-explicit_policy", "-inhibit_map"},
			func(d *PolicyDemand) { d.Explicit, d.InhibitMapping = true, true }, false},
	} {
		if few && !slices.Contains([]string{"plain", "no CA", "a name that is not", "mapping inhibited"}, tt.name) {
			continue
		}
		w.issue("sub", "root", tt.sub, signing)
		w.issue("leaf", "sub", tt.leaf, signing)
		out, err := w.run(append(append([]string{"verify"}, tt.flags...), "-CAfile", "root.pem", "-untrusted", "sub.pem", "leaf.pem")...)
		anchors, loadErr := trust.New(w.load("root.pem")...)
		if loadErr != nil {
			w.t.Fatal(loadErr)
		}
		leaf := w.load("leaf.pem")[0]
		r := Request{Leaf: leaf, Intermediates: w.load("sub.pem"), Anchors: anchors, At: leaf.NotBefore.Add(time.Minute)}
		if tt.demand != nil {
			r.Policies.Initial = []asn1.ObjectIdentifier{{1, 2, 3}}
			tt.demand(&r.Policies)
		}
		_, ours := Build(r)
		if (err == nil) != tt.valid || (ours == nil) != tt.valid {
			w.t.Errorf("%s: want valid %v; ours %v, openssl %v\n%s", tt.name, tt.valid, ours, err, out)
		}
	}
}
