package hsm_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

func TestMain(m *testing.M) { hsmtest.Main(m) }

// double is a token that stands in for an HSM.
type double struct {
	module *hsm.Module
	uri    string
	pin    hsm.PIN
	// generates lists what it makes; a double that makes nothing has keys.
	generates []hsm.Algorithm
	ids       [][]byte
	// loses are the ways in which it forgets what it knew of us; it may then be
	// away for a while.
	loses map[string]func(*testing.T, *hsm.Token)
}

// doubles are every kind that there is; each skips the test where it cannot be.
var doubles = map[string]func(*testing.T) *double{
	"SoftHSM":      softHSMDouble,
	"opencryptoki": openCryptokiDouble,
	"card":         cardDouble,
	"scripted":     scriptedDouble,
}

var loseSessionsAndLogin = map[string]func(*testing.T, *hsm.Token){
	"sessions": func(t *testing.T, token *hsm.Token) { check(t, token.LoseSessions()) },
	"login":    func(t *testing.T, token *hsm.Token) { check(t, token.LoseLogin()) },
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func softHSMDouble(t *testing.T) *double {
	soft := hsmtest.SoftHSM(t)
	check(t, soft.Token.Close())
	return &double{
		module: soft.Module, uri: soft.Token.Info().URI(), pin: soft.PIN,
		generates: []hsm.Algorithm{hsm.RSA2048, hsm.P256, hsm.P384, hsm.Ed25519}, loses: loseSessionsAndLogin,
	}
}

func openCryptokiDouble(t *testing.T) *double {
	module, uri, pin := hsmtest.OpenCryptoki(t)
	return &double{module: module, uri: uri, pin: pin, generates: []hsm.Algorithm{hsm.RSA2048}, loses: loseSessionsAndLogin}
}

func cardDouble(t *testing.T) *double {
	card := hsmtest.Card(t)
	return &double{
		module: card.Module, uri: card.URI, pin: card.PIN, ids: [][]byte{{1}, {2}, {3}},
		loses: map[string]func(*testing.T, *hsm.Token){
			"sessions": loseSessionsAndLogin["sessions"],
			"login":    loseSessionsAndLogin["login"],
			"card":     func(*testing.T, *hsm.Token) { card.Pull(t); card.Insert(t) },
		},
	}
}

func scriptedDouble(t *testing.T) *double {
	s := hsmtest.NewScripted()
	slot := s.AddSlot("service")
	return &double{
		module: s.Open(t), uri: "pkcs11:token=service;serial=" + slot.Serial, pin: hsm.PINFile(pinFile(t, hsmtest.ScriptedPIN)),
		generates: []hsm.Algorithm{hsm.RSA2048, hsm.P256, hsm.P384, hsm.Ed25519},
		loses: map[string]func(*testing.T, *hsm.Token){
			"sessions": func(*testing.T, *hsm.Token) { s.DropSessions(slot) },
			"login":    func(*testing.T, *hsm.Token) { s.DropLogin(slot) },
			"handles":  func(*testing.T, *hsm.Token) { s.MoveObjects(slot) },
			"card":     func(*testing.T, *hsm.Token) { s.Pull(slot); s.PutBack(slot, 33) },
		},
	}
}

// TestConformance holds every double to the same.
func TestConformance(t *testing.T) {
	for name, open := range doubles {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			token, err := d.module.Token(t.Context(), d.uri, d.pin)
			check(t, err)
			t.Cleanup(func() { check(t, token.Close()) })
			keys := d.keys(t, token)
			t.Run("choice", func(t *testing.T) { d.testChoice(t, token) })
			for _, key := range keys {
				t.Run("signs "+hsm.AlgorithmOf(key.Public()), func(t *testing.T) { testSigns(t, token, key) })
				t.Run("requests "+hsm.AlgorithmOf(key.Public()), func(t *testing.T) { testRequest(t, key) })
			}
			t.Run("contents", func(t *testing.T) { d.testContents(t, token, keys) })
			t.Run("many", func(t *testing.T) { testMany(t, keys) })
			t.Run("waits", func(t *testing.T) { testWaits(t, token, keys[0]) })
			for how, lose := range d.loses {
				t.Run("loses "+how, func(t *testing.T) { testLoses(t, token, keys, lose) })
			}
			check(t, token.Close())
			t.Run("closed", func(t *testing.T) { testClosed(t, keys[0]) })
			t.Run("wrong PIN", func(t *testing.T) { d.testWrongPIN(t) })
		})
	}
}

// keys of the double, made in it where it makes any.
func (d *double) keys(t *testing.T, token *hsm.Token) []*hsm.Key {
	t.Helper()
	var keys []*hsm.Key
	for _, algorithm := range d.generates {
		label := fmt.Sprintf("conformance %s %s", algorithm, rand.Text())
		key, err := token.Generate(t.Context(), hsm.KeySpec{Label: label, Algorithm: algorithm})
		check(t, err)
		t.Cleanup(func() {
			if state, _ := token.State(); state == hsm.Ready {
				destroy(t, token, pkcs11.CKO_PRIVATE_KEY, label)
				destroy(t, token, pkcs11.CKO_PUBLIC_KEY, label)
			}
		})
		keys = append(keys, key)
	}
	for _, id := range d.ids {
		key, err := token.KeyByID(t.Context(), id)
		check(t, err)
		keys = append(keys, key)
	}
	return keys
}

func (d *double) testChoice(t *testing.T, token *hsm.Token) {
	for _, uri := range []string{"pkcs11:token=nobody", token.Info().URI() + ";slot-id=4294967294", "pkcs11:serial=" + strings.Repeat("0", 16)} {
		_, err := d.module.Token(t.Context(), uri, d.pin)
		if !fault.Is(err, fault.HSMTokenNotFound) || !strings.Contains(err.Error(), token.Info().URI()) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	again, err := d.module.Token(t.Context(), token.Info().URI(), d.pin)
	check(t, err)
	check(t, again.Close())
}

func testSigns(t *testing.T, token *hsm.Token, key *hsm.Key) {
	found, err := token.KeyByID(t.Context(), key.ID())
	if err != nil || found.Label() != key.Label() {
		t.Fatalf("found again as %v: %v", found, err)
	}
	check(t, key.Prove(t.Context()))
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		h := hash.New()
		h.Write([]byte("declaration"))
		digest := h.Sum(nil)
		switch public := key.Public().(type) {
		case *rsa.PublicKey:
			if err := rsa.VerifyPKCS1v15(public, hash, digest, sign(t, key, digest, hash)); err != nil {
				t.Errorf("%v PKCS#1 v1.5: %v", hash, err)
			}
			pss := &rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthEqualsHash}
			if err := rsa.VerifyPSS(public, hash, digest, sign(t, key, digest, pss), pss); err != nil {
				t.Errorf("%v PSS: %v", hash, err)
			}
		case *ecdsa.PublicKey:
			if !ecdsa.VerifyASN1(public, digest, sign(t, key, digest, hash)) {
				t.Errorf("%v ECDSA: does not verify", hash)
			}
		}
	}
}

func testRequest(t *testing.T, key *hsm.Key) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "key"}}, key)
	check(t, err)
	request, err := x509.ParseCertificateRequest(der)
	check(t, err)
	check(t, request.CheckSignature())
}

func (d *double) testContents(t *testing.T, token *hsm.Token, keys []*hsm.Key) {
	contents, err := token.Contents(t.Context())
	check(t, err)
	for _, key := range keys {
		i := slices.IndexFunc(contents.Keys, func(k hsm.KeyInfo) bool { return k.ID == fmt.Sprintf("%x", key.ID()) })
		if i < 0 {
			t.Fatalf("the list lacks %s: %+v", key.Label(), contents.Keys)
		}
		if k := contents.Keys[i]; k.Algorithm != hsm.AlgorithmOf(key.Public()) || k.Extractable || !k.Sensitive || !k.Local || k.Problem != "" {
			t.Errorf("%+v", k)
		}
	}
	if len(d.ids) > 0 { // a card: one certificate for each key
		for _, id := range d.ids {
			if !slices.ContainsFunc(contents.Certificates, func(c hsm.CertificateInfo) bool { return c.ID == fmt.Sprintf("%x", id) && c.Subject != "" }) {
				t.Errorf("no certificate %x among %+v", id, contents.Certificates)
			}
		}
		return
	}
	der := selfSigned(t, keys[0], 5)
	check(t, token.PutCertificate(t.Context(), keys[0].Label(), keys[0].ID(), der))
	t.Cleanup(func() { destroy(t, token, pkcs11.CKO_CERTIFICATE, keys[0].Label()) })
	got, err := token.Certificate(t.Context(), keys[0].Label())
	if err != nil || !bytes.Equal(got, der) {
		t.Errorf("the certificate came back otherwise: %v", err)
	}
}

func testMany(t *testing.T, keys []*hsm.Key) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 3 {
				if err := keys[(g+n)%len(keys)].Prove(t.Context()); err != nil {
					t.Errorf("goroutine %d: %v", g, err)
				}
			}
		})
	}
	wg.Wait()
}

func testWaits(t *testing.T, token *hsm.Token, key *hsm.Key) {
	release := token.HoldSessions()
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := key.Prove(ctx); !fault.Is(err, fault.HSMBusy) {
		t.Errorf("got %v", err)
	}
}

// testLoses has the token lose something while keys are used. Each call gives a
// signature or an error that says to come again; then all is as before.
func testLoses(t *testing.T, token *hsm.Token, keys []*hsm.Key, lose func(*testing.T, *hsm.Token)) {
	for range 2 {
		lose(t, token)
		for _, key := range keys {
			err := key.Prove(t.Context())
			if err != nil && fault.CodeOf(err).Class() != fault.RetryLater {
				t.Fatalf("%s: %v", key.Label(), err)
			}
			if err == nil {
				continue
			}
			check(t, token.Wait(t.Context()))
			if err := key.Prove(t.Context()); err != nil {
				t.Fatalf("%s after the loss: %v", key.Label(), err)
			}
		}
	}
}

func testClosed(t *testing.T, key *hsm.Key) {
	if err := key.Prove(t.Context()); !fault.Is(err, fault.HSMUnavailable) {
		t.Errorf("got %v", err)
	}
}

func (d *double) testWrongPIN(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	check(t, os.WriteFile(path, []byte("7654321"), 0o600))
	for range 2 {
		if _, err := d.module.Token(t.Context(), d.uri, hsm.PINFile(path)); !fault.Is(err, fault.PINRefused) || strings.Contains(err.Error(), "7654321") {
			t.Errorf("a wrong PIN: %v", err)
		}
	}
	// Not even the right one is sent until an operator has acted.
	if _, err := d.module.Token(t.Context(), d.uri, d.pin); !fault.Is(err, fault.PINRefused) {
		t.Errorf("the right PIN after a wrong one: %v", err)
	}
	tokens, err := d.module.Tokens()
	check(t, err)
	for _, info := range tokens {
		d.module.Unlatch(info)
	}
	token, err := d.module.Token(t.Context(), d.uri, d.pin)
	check(t, err)
	check(t, token.Close())
}
