package algo

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

// openssl makes keys and signatures that this program only verifies.
func TestVerifyOnlyAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	message := []byte("манифест")
	tests := []struct {
		name, signature string
		generate, sign  []string
	}{
		{"DSA", "SHA-256 with DSA", []string{"genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-pkeyopt", "dsa_paramgen_q_bits:160"}, []string{"dgst", "-sha256", "-sign"}},
		{"Ed25519", "Ed25519", []string{"genpkey", "-algorithm", "ED25519"}, []string{"pkeyutl", "-sign", "-rawin", "-inkey"}},
		{"RSA for PSS", "SHA-256 with RSA-PSS", []string{"genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32"}, []string{"dgst", "-sha256", "-sign"}},
	}
	for _, c := range brainpools {
		row := tests[0]
		row.name, row.signature = c.name, "SHA-512 with ECDSA"
		row.generate = []string{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + c.name, "-pkeyopt", "ec_param_enc:named_curve"}
		row.sign = []string{"dgst", "-sha512", "-sign"}
		tests = append(tests, row)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(arguments ...string) []byte {
				t.Helper()
				out, err := exec.Command(openssl, arguments...).Output()
				if err != nil {
					t.Fatalf("openssl %s: %v", arguments, err)
				}
				return out
			}
			file := func(name string, content []byte) string {
				t.Helper()
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			key := run(tt.generate...)
			if block, _ := pem.Decode(key); block == nil || block.Type == "DSA PARAMETERS" {
				key = run("genpkey", "-paramfile", file("parameters", key))
			}
			private := file("key", key)
			public := run("pkey", "-in", private, "-pubout", "-outform", "DER")
			input := file("message", message)
			sign := append(append([]string(nil), tt.sign...), private)
			if tt.name == "Ed25519" {
				sign = append(sign, "-in")
			}
			if tt.name == "RSA for PSS" {
				sign = append(sign, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
			}
			sig := run(append(sign, input)...)

			pub, err := ParsePublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			if k, ok := KeyOf(pub); !ok || k.Bits < 224 {
				t.Errorf("KeyOf: %+v", k)
			}
			s := named(t, tt.signature)
			if err := s.VerifyMessage(pub, message, sig); err != nil {
				t.Error(err)
			}
			if err := s.VerifyMessage(pub, append(message, '!'), sig); !fault.Is(err, fault.SignatureInvalid) {
				t.Errorf("another message: %v", err)
			}
			for i := range 8 {
				if err := s.VerifyMessage(pub, message, flip(sig, i*len(sig)/8)); !fault.Is(err, fault.SignatureInvalid) {
					t.Errorf("a changed byte %d: %v", i*len(sig)/8, err)
				}
			}
			if _, err := ParsePublicKey(flip(public, len(public)-1)); err == nil && tt.name != "RSA for PSS" && tt.name != "Ed25519" {
				t.Error("a changed key is one")
			}
		})
	}
}

// The group law, as elliptic.Curve promises it.
func TestBrainpoolArithmetic(t *testing.T) {
	for _, row := range brainpools {
		c := row.curve.(*brainpool)
		g := c.params
		if !c.IsOnCurve(g.Gx, g.Gy) {
			t.Fatalf("%s: the base point is off the curve", row.name)
		}
		if x, y := c.ScalarBaseMult(g.N.Bytes()); x.Sign() != 0 || y.Sign() != 0 {
			t.Errorf("%s: q·G is not infinity", row.name)
		}
		less := new(big.Int).Sub(g.N, big.NewInt(1))
		x, y := c.ScalarBaseMult(less.Bytes())
		if x.Cmp(g.Gx) != 0 || new(big.Int).Add(y, g.Gy).Cmp(g.P) != 0 {
			t.Errorf("%s: (q-1)·G is not -G", row.name)
		}
		if x, y := c.Add(x, y, g.Gx, g.Gy); x.Sign() != 0 || y.Sign() != 0 {
			t.Errorf("%s: -G + G is not infinity", row.name)
		}
		x2, y2 := c.Double(g.Gx, g.Gy)
		for _, sum := range [][]*big.Int{pair(c.Add(g.Gx, g.Gy, g.Gx, g.Gy)), pair(c.ScalarBaseMult([]byte{2}))} {
			if sum[0].Cmp(x2) != 0 || sum[1].Cmp(y2) != 0 {
				t.Errorf("%s: two ways to 2·G", row.name)
			}
		}
		if x, y := c.Add(new(big.Int), new(big.Int), x2, y2); x.Cmp(x2) != 0 || y.Cmp(y2) != 0 {
			t.Errorf("%s: infinity is not neutral", row.name)
		}
		x3, y3 := c.ScalarBaseMult([]byte{3})
		if x, y := c.Add(g.Gx, g.Gy, x2, y2); x.Cmp(x3) != 0 || y.Cmp(y3) != 0 || !c.IsOnCurve(x, y) {
			t.Errorf("%s: G + 2·G is not 3·G", row.name)
		}
	}
}

func pair(x, y *big.Int) []*big.Int { return []*big.Int{x, y} }

// openssl signs, we verify.
func TestAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	dir := t.TempDir()
	message := filepath.Join(dir, "message")
	if err := os.WriteFile(message, []byte("манифест"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := testKeys()
	mixed, err := newPSS(SHA256, SHA1, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		s    *Signature
		key  crypto.Signer
		args []string
	}{
		{named(t, "SHA-256 with RSA"), k.rsa, []string{"-sha256"}},
		{named(t, "SHA-512 with RSA"), k.rsa, []string{"-sha512"}},
		{named(t, "SHA-512/256 with RSA"), k.rsa, []string{"-sha512-256"}},
		{named(t, "SHA3-256 with RSA"), k.rsa, []string{"-sha3-256"}},
		{named(t, "SHA-256 with RSA-PSS"), k.rsa, []string{"-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"}},
		{mixed, k.rsa, []string{"-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:0", "-sigopt", "rsa_mgf1_md:sha1"}},
		{named(t, "SHA-256 with ECDSA"), k.p256, []string{"-sha256"}},
		{named(t, "SHA-384 with ECDSA"), k.p384, []string{"-sha384"}},
		{named(t, "SHA-512 with ECDSA"), k.p521, []string{"-sha512"}},
		{named(t, "SHA3-384 with ECDSA"), k.p384, []string{"-sha3-384"}},
	}
	for _, tt := range tests {
		t.Run(tt.s.Name, func(t *testing.T) {
			der, err := x509.MarshalPKCS8PrivateKey(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			keyFile := filepath.Join(t.TempDir(), "key.der")
			if err := os.WriteFile(keyFile, der, 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"dgst", "-keyform", "DER", "-sign", keyFile}, append(tt.args, message)...)
			sig, err := exec.Command(openssl, args...).Output()
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.s.VerifyMessage(tt.key.Public(), []byte("манифест"), sig); err != nil {
				t.Error(err)
			}
		})
	}
}
