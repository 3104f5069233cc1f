package hsm_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

func generate(t *testing.T, token *hsm.Token, label string, algorithm hsm.Algorithm) *hsm.Key {
	t.Helper()
	key, err := token.Generate(t.Context(), hsm.KeySpec{Label: label, Algorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestEveryAlgorithmSignsWhatGoVerifies(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	for _, algorithm := range []hsm.Algorithm{hsm.RSA2048, hsm.P256, hsm.P384} {
		t.Run(string(algorithm), func(t *testing.T) {
			key := generate(t, soft.Token, "key "+string(algorithm), algorithm)
			for _, hash := range []crypto.Hash{crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				h := hash.New()
				h.Write([]byte("declaration"))
				digest := h.Sum(nil)
				switch public := key.Public().(type) {
				case *rsa.PublicKey:
					signature := sign(t, key, digest, hash)
					if err := rsa.VerifyPKCS1v15(public, hash, digest, signature); err != nil {
						t.Errorf("%v PKCS#1 v1.5: %v", hash, err)
					}
					for _, salt := range []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 20} {
						signature := sign(t, key, digest, &rsa.PSSOptions{Hash: hash, SaltLength: salt})
						if err := rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: salt}); err != nil {
							t.Errorf("%v PSS salt %d: %v", hash, salt, err)
						}
					}
				case *ecdsa.PublicKey:
					if !ecdsa.VerifyASN1(public, digest, sign(t, key, digest, hash)) {
						t.Errorf("%v ECDSA: does not verify", hash)
					}
				}
			}
		})
	}
}

func sign(t *testing.T, key *hsm.Key, digest []byte, opts crypto.SignerOpts) []byte {
	t.Helper()
	signature, err := key.Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestSignRefuses(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	key := generate(t, soft.Token, "k", hsm.RSA2048)
	for name, row := range map[string]struct {
		digest []byte
		opts   crypto.SignerOpts
	}{
		"SHA-1":                   {make([]byte, 20), crypto.SHA1},
		"no options":              {make([]byte, 32), nil},
		"no hash":                 {make([]byte, 32), crypto.Hash(0)},
		"digest of another size":  {make([]byte, 31), crypto.SHA256},
		"salt that does not fit":  {make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 250}},
		"negative salt":           {make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: -7}},
		"document for its digest": {[]byte("a whole document"), crypto.SHA512},
	} {
		if _, err := key.Sign(nil, row.digest, row.opts); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	first, err := soft.Token.Generate(t.Context(), hsm.KeySpec{Label: "receipts", ID: []byte{1}, Algorithm: hsm.P256})
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		spec hsm.KeySpec
		code fault.Code
	}{
		"label taken":   {hsm.KeySpec{Label: "receipts", ID: []byte{2}, Algorithm: hsm.P256}, fault.HSMKeyExists},
		"ID taken":      {hsm.KeySpec{Label: "other", ID: []byte{1}, Algorithm: hsm.P256}, fault.HSMKeyExists},
		"no label":      {hsm.KeySpec{Algorithm: hsm.P256}, fault.BadArgument},
		"label too big": {hsm.KeySpec{Label: strings.Repeat("x", 256), Algorithm: hsm.P256}, fault.BadArgument},
		"two lines":     {hsm.KeySpec{Label: "two\nlines", Algorithm: hsm.P256}, fault.BadArgument},
		"not UTF-8":     {hsm.KeySpec{Label: "\xff", Algorithm: hsm.P256}, fault.BadArgument},
		"P-521":         {hsm.KeySpec{Label: "x", Algorithm: "P-521"}, fault.HSMKeyUnsupported},
		"none":          {hsm.KeySpec{Label: "x"}, fault.HSMKeyUnsupported},
	} {
		if _, err := soft.Token.Generate(t.Context(), row.spec); !fault.Is(err, row.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	again, err := soft.Token.Key(t.Context(), "receipts")
	if err != nil || !first.Public().(*ecdsa.PublicKey).Equal(again.Public()) || !bytes.Equal(again.ID(), []byte{1}) || again.Label() != "receipts" {
		t.Errorf("found again: %v %v", again, err)
	}
	if byID, err := soft.Token.KeyByID(t.Context(), []byte{1}); err != nil || byID.Label() != "receipts" {
		t.Errorf("by ID: %v", err)
	}
	if _, err := soft.Token.Key(t.Context(), "none"); !fault.Is(err, fault.HSMKeyMissing) {
		t.Errorf("no such key: %v", err)
	}
	if err := again.Prove(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTokenIsChosenByURI(t *testing.T) {
	one, two := hsmtest.SoftHSM(t), hsmtest.SoftHSM(t)
	for name, row := range map[string]struct {
		uri  string
		code fault.Code
	}{
		"several match":   {"pkcs11:manufacturer=SoftHSM%20project", fault.HSMTokenAmbiguous},
		"none matches":    {"pkcs11:token=nobody", fault.HSMTokenNotFound},
		"half matches":    {one.URI + ";serial=0", fault.HSMTokenNotFound},
		"names an object": {one.URI + ";object=k", fault.HSMTokenURIInvalid},
		"not a URI":       {"test 1", fault.HSMTokenURIInvalid},
	} {
		_, err := one.Module.Token(t.Context(), row.uri, one.PIN)
		if !fault.Is(err, row.code) {
			t.Errorf("%s: %v", name, err)
		}
		if row.code == fault.HSMTokenNotFound && !strings.Contains(err.Error(), two.Token.Info().URI()) {
			t.Errorf("%s: the error does not list what is there: %v", name, err)
		}
	}
	token, err := one.Module.Token(t.Context(), two.Token.Info().URI(), two.PIN)
	if err != nil {
		t.Fatal(err)
	}
	if token.Info().Label != two.Token.Info().Label || !token.Info().Software || !token.Info().Initialized {
		t.Errorf("info %+v", token.Info())
	}
	if err := token.Close(); err != nil {
		t.Error(err)
	}
}

// Of several blank tokens that one is initialised that was meant.
func TestInitTokenByURI(t *testing.T) {
	scripted := hsmtest.NewScripted()
	scripted.Change(func(slots []*hsmtest.ScriptedSlot) { slots[0].Serial = "A" })
	meant := scripted.AddSlot("")
	scripted.Change(func([]*hsmtest.ScriptedSlot) { meant.Initialized, meant.Serial = false, "B" })
	module, pin := scripted.Open(t), hsm.PINFile(pinFile(t, "271828"))
	for uri, code := range map[string]fault.Code{
		"pkcs11:serial=C": fault.HSMTokenNotFound, "pkcs11:": fault.HSMTokenAmbiguous, "pkcs11:object=x": fault.HSMTokenURIInvalid, "B": fault.HSMTokenURIInvalid,
	} {
		if err := module.InitToken(uri, "new", pin, pin); !fault.Is(err, code) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	check(t, module.InitToken("pkcs11:serial=B", "new", pin, pin))
	if slot := scripted.Slot("new"); slot != meant {
		t.Errorf("initialised %+v", slot)
	}
}

func TestInitTokenKeepsWhatIsThere(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	if err := soft.Module.InitToken("", soft.Token.Info().Label, soft.PIN, soft.PIN); !fault.Is(err, fault.HSMTokenExists) {
		t.Errorf("the same label again: %v", err)
	}
	for _, label := range []string{"", strings.Repeat("x", 33), "ends in a blank ", "two\nlines", "\xff"} {
		if err := soft.Module.InitToken("", label, soft.PIN, soft.PIN); !fault.Is(err, fault.BadArgument) {
			t.Errorf("label of %d bytes: %v", len(label), err)
		}
	}
	if err := soft.Module.InitToken("", "new", soft.PIN, hsm.PIN{}); !fault.Is(err, fault.PINUnavailable) {
		t.Errorf("no PIN: %v", err)
	}
	for _, length := range []int{3, 256} { // SoftHSM takes 4 to 255
		pin := hsm.PINFile(pinFile(t, strings.Repeat("7", length)))
		if err := errors.Join(soft.Module.InitToken("", "new", soft.PIN, pin), soft.Module.InitToken("", "new", pin, soft.PIN)); !fault.Is(err, fault.PINUnavailable) {
			t.Errorf("a PIN of %d bytes: %v", length, err)
		}
	}
	tokens, err := soft.Module.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if token.Label == "new" {
			t.Error("a token was initialised without a PIN for its user")
		}
	}
}

func TestOpenModuleRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	loose := filepath.Join(dir, "loose.so")
	if err := os.WriteFile(loose, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(loose, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"libsofthsm2.so", "", filepath.Join(dir, "none.so"), dir, text, loose} {
		if _, err := hsm.OpenModule(path, hsm.Options{Now: time.Now}); !fault.Is(err, fault.HSMModuleUnusable) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestModuleIsSharedAndOutlivesItsFirstUser(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	link := filepath.Join(t.TempDir(), "alias.so")
	if err := os.Symlink(soft.ModulePath, link); err != nil {
		t.Fatal(err)
	}
	second, err := hsm.OpenModule(link, hsm.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := soft.Module.Tokens(); err != nil {
		t.Errorf("the other user's Close ended ours: %v", err)
	}
}

func TestTokenOutlivesItsModule(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	module, err := hsm.OpenModule(soft.ModulePath, hsm.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	token, err := module.Token(t.Context(), soft.URI, soft.PIN)
	if err != nil {
		t.Fatal(err)
	}
	for _, closer := range []interface{ Close() error }{soft.Token, soft.Module, module} {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := generate(t, token, "k", hsm.P256).Prove(t.Context()); err != nil {
		t.Errorf("the library went away under an open token: %v", err)
	}
	if err := token.Close(); err != nil {
		t.Error(err)
	}
	if _, err := module.Tokens(); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("the library is finalised and still answers: %v", err)
	}
}

// Three refused PINs lock a real token; one is all that we spend.
func TestRefusedPINIsNotTriedAgain(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	right, err := os.ReadFile(soft.PINFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := soft.Token.Close(); err != nil { // or the process is logged in already
		t.Fatal(err)
	}
	if err := os.WriteFile(soft.PINFile, []byte("wrong pin"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = soft.Module.Token(t.Context(), soft.URI, soft.PIN)
	if !fault.Is(err, fault.PINRefused) || strings.Contains(err.Error(), "wrong pin") {
		t.Fatalf("wrong PIN: %v", err)
	}
	// Even the right PIN is not sent now: we cannot know that it is right.
	if err := os.WriteFile(soft.PINFile, right, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = soft.Module.Token(t.Context(), soft.URI, soft.PIN)
	if !fault.Is(err, fault.PINRefused) || !strings.Contains(err.Error(), "not tried again") {
		t.Errorf("second attempt: %v", err)
	}
}

func TestLostSessionsAndLoginAreReplaced(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	key := generate(t, soft.Token, "k", hsm.P256)
	for name, lose := range map[string]func() error{"sessions": soft.Token.LoseSessions, "login": soft.Token.LoseLogin} {
		for range 3 {
			if err := lose(); err != nil {
				t.Fatal(err)
			}
			if err := key.Prove(t.Context()); err != nil {
				t.Fatalf("after the %s were lost: %v", name, err)
			}
		}
	}
}

func TestWaitingForASessionHonoursTheContext(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	key := generate(t, soft.Token, "k", hsm.P256)
	digest := sha256.Sum256(nil)
	release := soft.Token.HoldSessions()
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := key.SignContext(ctx, digest[:], crypto.SHA256); !fault.Is(err, fault.HSMBusy) {
		t.Errorf("all sessions lent out: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := key.SignContext(cancelled, digest[:], crypto.SHA256); !fault.Is(err, fault.Cancelled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestClosedTokenRefuses(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	key := generate(t, soft.Token, "k", hsm.P256)
	for range 2 {
		if err := soft.Token.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestManyGoroutinesSign(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	keys := []*hsm.Key{generate(t, soft.Token, "a", hsm.P256), generate(t, soft.Token, "b", hsm.RSA2048)}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 20 {
				if err := keys[(g+n)%2].Prove(t.Context()); err != nil {
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
				// Another Token on the same slot comes and goes meanwhile.
				if g == 0 && n%5 == 0 {
					if err := openAndClose(t.Context(), soft); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func openAndClose(ctx context.Context, soft *hsmtest.Soft) error {
	token, err := soft.Module.Token(ctx, soft.URI, soft.PIN)
	if err != nil {
		return err
	}
	if _, err := token.Key(ctx, "a"); err != nil {
		return err
	}
	return token.Close()
}

func TestCertificates(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	key := generate(t, soft.Token, "k", hsm.P256)
	var last []byte
	for serial := range int64(2) {
		last = selfSigned(t, key, serial+1)
		if err := soft.Token.PutCertificate(t.Context(), "k", key.ID(), last); err != nil {
			t.Fatal(err)
		}
	}
	got, err := soft.Token.Certificate(t.Context(), "k")
	if err != nil || !bytes.Equal(got, last) {
		t.Errorf("the certificate was not replaced: %v", err)
	}
	if _, err := soft.Token.Certificate(t.Context(), "none"); !fault.Is(err, fault.HSMKeyMissing) {
		t.Errorf("no such certificate: %v", err)
	}
	if err := soft.Token.PutCertificate(t.Context(), "k", key.ID(), []byte("garbage")); !fault.Is(err, fault.Unreadable) {
		t.Errorf("garbage: %v", err)
	}
	if err := soft.Token.PutCertificate(t.Context(), "k", key.ID(), make([]byte, 1<<20)); !fault.Is(err, fault.BadArgument) {
		t.Errorf("a megabyte: %v", err)
	}
}

// Keys that other tools made may share a label, or have none: the certificate of one
// takes no other's place, and each key finds its own.
func TestCertificatesOfKeysWithOneLabel(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	keys := make(map[string]*hsm.Key)
	for id, label := range map[string]string{"1": "twin", "2": "twin", "3": ""} {
		generateNamed(t, soft.Token, label, id, p256)
		key, err := soft.Token.KeyByID(t.Context(), []byte(id))
		if err != nil {
			t.Fatal(err)
		}
		keys[id] = key
	}
	put := make(map[string][]byte)
	for id, key := range keys {
		put[id] = selfSigned(t, key, 1)
		if err := key.PutCertificate(t.Context(), put[id]); err != nil {
			t.Errorf("key %s: %v", id, err)
		}
	}
	for id, key := range keys {
		if got, err := key.Certificate(t.Context()); err != nil || !bytes.Equal(got, put[id]) {
			t.Errorf("key %s has not its certificate: %v", id, err)
		}
	}
}

// A certificate that another tool has named otherwise is the key's all the same; two
// of them, as an interrupted replacement leaves them, are no reason to have none.
func TestCertificateOfAnotherName(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	key, other := generate(t, soft.Token, "k", hsm.P256), generate(t, soft.Token, "other", hsm.P256)
	der := selfSigned(t, key, 1)
	for _, name := range []string{"theirs", "theirs, again"} {
		if err := soft.Token.PutCertificate(t.Context(), name, nil, der); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := key.Certificate(t.Context()); err != nil || !bytes.Equal(got, der) {
		t.Errorf("not found: %v", err)
	}
	if _, err := other.Certificate(t.Context()); !fault.Is(err, fault.HSMKeyMissing) {
		t.Errorf("another key's: %v", err)
	}
	if err := soft.Token.PutCertificate(t.Context(), "", nil, der); !fault.Is(err, fault.BadArgument) {
		t.Errorf("a certificate without any name: %v", err)
	}
}

func selfSigned(t *testing.T, key *hsm.Key, serial int64) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "receipts"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(4e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// pkcs11-tool is the counterpart: it must see the key as we made it, verify what
// we signed, and make what we verify.
func TestAgainstPKCS11Tool(t *testing.T) {
	if _, err := exec.LookPath("pkcs11-tool"); err != nil {
		t.Skip("needs pkcs11-tool (opensc)")
	}
	soft := hsmtest.SoftHSM(t)
	key, err := soft.Token.Generate(t.Context(), hsm.KeySpec{Label: "seal", ID: []byte{0xab, 0x01}, Algorithm: hsm.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	pin, err := os.ReadFile(soft.PINFile)
	if err != nil {
		t.Fatal(err)
	}
	tool := func(args ...string) string {
		t.Helper()
		args = append([]string{"--module", soft.ModulePath, "--token-label", soft.Token.Info().Label, "--login", "--pin", string(pin)}, args...)
		cmd := exec.Command("pkcs11-tool", args...)
		cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+soft.Conf)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("pkcs11-tool: %v\n%s", err, out)
		}
		return string(out)
	}
	listing := tool("--list-objects")
	for _, want := range []string{"Private Key Object; RSA", "label:      seal", "ID:         ab01",
		"Usage:      sign\n", "Access:     sensitive, always sensitive, never extractable, local"} {
		if !strings.Contains(listing, want) {
			t.Errorf("the listing lacks %q:\n%s", want, listing)
		}
	}

	dir := t.TempDir()
	data, ours, theirs := filepath.Join(dir, "data"), filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	document := []byte("single document")
	digest := sha256.Sum256(document)
	for path, content := range map[string][]byte{data: document, ours: sign(t, key, digest[:], crypto.SHA256)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := tool("--verify", "--id", "ab01", "--mechanism", "SHA256-RSA-PKCS", "--input-file", data, "--signature-file", ours); !strings.Contains(out, "Signature is valid") {
		t.Errorf("ours: %s", out)
	}
	tool("--sign", "--id", "ab01", "--mechanism", "SHA256-RSA-PKCS", "--input-file", data, "--output-file", theirs)
	signature, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("theirs: %v", err)
	}
}

func TestWriteSoftHSMConfig(t *testing.T) {
	dir := t.TempDir()
	first, err := hsm.WriteSoftHSMConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := hsm.WriteSoftHSMConfig(dir); err != nil || second != first {
		t.Errorf("second call: %s %v", second, err)
	}
	for _, bad := range []string{"relative", dir + "\nlog.level = DEBUG"} {
		if _, err := hsm.WriteSoftHSMConfig(bad); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func ExampleTokenInfo_URI() {
	fmt.Println(hsm.TokenInfo{Label: "senim 1", Serial: "00ab", Model: "SoftHSM v2", Manufacturer: "SoftHSM project"}.URI())
	// Output: pkcs11:token=senim%201;serial=00ab;model=SoftHSM%20v2;manufacturer=SoftHSM%20project
}
