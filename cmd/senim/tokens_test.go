package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// racks are scripted modules with a token each, and the configuration that names
// them.
type racks struct {
	modules []*hsmtest.Scripted
	slots   []*hsmtest.ScriptedSlot
	config  config.Config
	options hsm.Options
	log     bytes.Buffer // of who has stopped
}

// racksMade gives each scripted module a path of its own.
var racksMade atomic.Int64

func newRacks(t *testing.T, size int) *racks {
	t.Helper()
	pin := filepath.Join(t.TempDir(), "pin")
	check(t, os.WriteFile(pin, []byte(hsmtest.ScriptedPIN), 0o600))
	r := &racks{}
	byPath := make(map[string]*hsmtest.Scripted)
	for i := range size {
		module := hsmtest.NewScripted()
		slot := module.AddSlot(fmt.Sprint("rack-", i))
		path := fmt.Sprint("/racks/", racksMade.Add(1))
		byPath[path] = module
		r.modules, r.slots = append(r.modules, module), append(r.slots, slot)
		if i == 0 {
			r.config.Token = config.Token{Module: path, URI: "pkcs11:token=rack-0", PINFile: pin}
			continue
		}
		r.config.Token.Members = append(r.config.Token.Members, config.TokenMember{Module: path, URI: "pkcs11:token=" + slot.Label})
	}
	r.config.SetDefaults()
	r.options = hsm.Options{
		Now: time.Now, Log: slog.New(slog.NewTextHandler(&r.log, nil)), PollEvery: 10 * time.Millisecond,
		Load: func(path string) (hsm.Cryptoki, error) { return byPath[path], nil },
	}
	return r
}

func (r *racks) addKey(t *testing.T, rack int, label string, private crypto.Signer) {
	t.Helper()
	r.modules[rack].AddKey(r.slots[rack], label, private)
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

// The configuration's numbers reach the module: without them a GOST key in it is
// not known, with others it does not sign.
func TestTokensSignGOSTByConfiguredNumbers(t *testing.T) {
	curve, err := gost.CurveByName("KZ 2015-512-A")
	check(t, err)
	private, err := gost.GenerateKey(rand.Reader, gost.KZ2015x512, curve)
	check(t, err)
	row := config.GOSTMechanism{Key: gost.KZ2015x512.Name, KeyType: hsmtest.ScriptedGOSTKeyType, Sign: hsmtest.ScriptedGOSTSign}
	with := func(change func(*config.GOSTMechanism)) []config.GOSTMechanism {
		changed := row
		change(&changed)
		return []config.GOSTMechanism{changed}
	}
	sign := func(t *testing.T, numbers []config.GOSTMechanism) error {
		r := newRacks(t, 1)
		r.addKey(t, 0, "seal", private)
		r.config.Token.GOST = numbers
		opened, err := openTokens(t.Context(), &r.config, r.options)
		check(t, err)
		defer func() { check(t, opened.close()) }()
		key, err := opened.key(t.Context(), "seal")
		if err != nil {
			return err
		}
		digest := make([]byte, curve.Size())
		signature, err := key.Sign(nil, digest, gost.SignatureKZ2015x512)
		if err != nil {
			return err
		}
		return gost.SignatureKZ2015x512.Verify(private.Public().(*gost.PublicKey), digest, signature)
	}
	check(t, sign(t, []config.GOSTMechanism{row}))
	for name, c := range map[string]struct {
		numbers []config.GOSTMechanism
		code    fault.Code
	}{
		"none":              {nil, fault.HSMKeyUnsupported},
		"another type":      {with(func(g *config.GOSTMechanism) { g.KeyType++ }), fault.HSMKeyUnsupported},
		"another size":      {with(func(g *config.GOSTMechanism) { g.Key = gost.KZ2015x256.Name }), fault.HSMKeyUnsupported},
		"another country":   {with(func(g *config.GOSTMechanism) { g.Key = gost.RU2012x512.Name }), fault.BadArgument},
		"another mechanism": {with(func(g *config.GOSTMechanism) { g.Sign++ }), fault.HSMRefused},
		"another attribute": {with(func(g *config.GOSTMechanism) { g.Parameters = pkcs11.CKA_LABEL }), fault.HSMKeyUnsupported},
		"another layout":    {with(func(g *config.GOSTMechanism) { g.Layout = config.GOSTLayoutKZ }), fault.SignatureInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if err := sign(t, c.numbers); !fault.Is(err, c.code) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Every name of the configuration is one that the program knows, and prints.
func TestGOSTKeysOfTheConfigurationAreKnown(t *testing.T) {
	for _, name := range config.GOSTKeys() {
		if a := gostKeys[name]; a == nil || a.Name != name {
			t.Errorf("%s is %v", name, a)
		}
	}
	if len(gostKeys) != len(config.GOSTKeys()) {
		t.Errorf("the program knows %d kinds, the configuration %d", len(gostKeys), len(config.GOSTKeys()))
	}
}

// A token that is away at the start joins when it comes, at its place in the order.
func TestTokenJoinsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRacks(t, 3)
		private := ecKey(t)
		for rack := range r.modules {
			r.addKey(t, rack, "seal", private)
		}
		r.modules[0].Pull(r.slots[0])
		opened, err := openTokens(t.Context(), &r.config, r.options)
		check(t, err)
		key, err := opened.key(t.Context(), "seal")
		check(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { opened.run(ctx) })
		sign := func() {
			t.Helper()
			digest := sha256.Sum256([]byte("receipt"))
			signature, err := key.Sign(nil, digest[:], crypto.SHA256)
			if err != nil || !ecdsa.VerifyASN1(&private.PublicKey, digest[:], signature) {
				t.Fatalf("got %v", err)
			}
		}
		time.Sleep(time.Hour)
		sign()
		if n := r.modules[0].Calls("C_SignInit"); n != 0 || len(opened.present()) != 2 {
			t.Errorf("the token that is away signed %d times", n)
		}
		r.modules[0].PutBack(r.slots[0], 7)
		time.Sleep(time.Second)
		before := r.modules[0].Calls("C_SignInit")
		sign()
		if n := r.modules[0].Calls("C_SignInit") - before; n != 1 {
			t.Errorf("the first token was asked %d times, want once", n)
		}
		if all := opened.present(); len(all) != 3 || all[0].Info().Label != "rack-0" {
			t.Errorf("%d tokens", len(all))
		}
		stop()
		running.Wait()
		check(t, opened.close())
		if !strings.Contains(r.log.String(), `msg="token has joined" uri="pkcs11:token=rack-0"`) {
			t.Errorf("the log: %s", r.log.String())
		}
	})
}

// What is wrong with a token that comes later stays its own trouble, and is tried
// once.
func TestTokenThatMustNotJoin(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*racks)
		code   fault.Code
	}{
		"a wrong PIN": {func(r *racks) {
			r.modules[1].Change(func([]*hsmtest.ScriptedSlot) { r.slots[1].PIN = "another" })
		}, fault.PINRefused},
		"another key": {func(r *racks) { r.addKey(t, 1, "seal", ecKey(t)) }, fault.HSMKeyUnsafe},
		"no key":      {func(*racks) {}, fault.HSMKeyMissing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRacks(t, 2)
				r.addKey(t, 0, "seal", ecKey(t))
				row.change(r)
				r.modules[1].Pull(r.slots[1])
				opened, err := openTokens(t.Context(), &r.config, r.options)
				check(t, err)
				key, err := opened.key(t.Context(), "seal")
				check(t, err)
				ctx, stop := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { opened.run(ctx) })
				r.modules[1].PutBack(r.slots[1], 7)
				time.Sleep(time.Hour)
				if n := r.modules[1].Calls("C_Login"); n != 1 {
					t.Errorf("the PIN was sent %d times", n)
				}
				digest := sha256.Sum256([]byte("receipt"))
				_, err = key.Sign(nil, digest[:], crypto.SHA256)
				check(t, err)
				check(t, opened.ready())
				stop()
				running.Wait()
				check(t, opened.close())
				if !strings.Contains(r.log.String(), "left out until the next start") || !strings.Contains(r.log.String(), string(row.code)) {
					t.Errorf("the log: %s", r.log.String())
				}
			})
		})
	}
}

// certify puts a self-signed certificate beside a key.
func certify(t *testing.T, token *hsm.Token, label string, private *ecdsa.PrivateKey, ends time.Time) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	check(t, err)
	check(t, token.PutCertificate(t.Context(), label, []byte(label), der))
}

// The certificates that the service uses must be good for a while; what else is in the
// token does not matter, and neither does a new one that the service has not read.
func TestCertificatesInUseExpire(t *testing.T) {
	const day = 24 * time.Hour
	r, private := newRacks(t, 1), ecKey(t)
	r.addKey(t, 0, "seal", private)
	now := time.Now()
	made, err := openTokens(t.Context(), &r.config, r.options)
	check(t, err)
	t.Cleanup(func() { check(t, made.close()) })
	token := made.present()[0].Token
	certify(t, token, "seal", private, now.Add(30*day))
	certify(t, token, "replaced", private, now.Add(-day))
	_, err = made.certificate(t.Context(), "seal")
	check(t, err)
	expires := func(margin time.Duration, want fault.Code) {
		t.Helper()
		if err := made.checkCertificates(t.Context(), margin); fault.CodeOf(err) != want {
			t.Errorf("a margin of %s: %v", margin, err)
		}
	}
	expires(7*day, "")
	expires(60*day, fault.HSMCertificateExpiring)
	certify(t, token, "seal", private, now.Add(90*day))
	expires(60*day, fault.HSMCertificateExpiring) // the service has the old one
	_, err = made.certificate(t.Context(), "seal")
	check(t, err)
	expires(60*day, "")
	certify(t, token, "seal", private, now.Add(30*day))
	expires(60*day, fault.HSMCertificateExpiring) // and would read this at its next start
}

// A certificate is its key's whatever the tool that stored it called it, and an
// interrupted replacement, which leaves two, keeps no service from starting.
func TestCertificateIsFoundByItsKey(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	r, private := newRacks(t, 1), ecKey(t)
	r.addKey(t, 0, "seal", private)
	made, err := openTokens(t.Context(), &r.config, r.options)
	check(t, err)
	t.Cleanup(func() { check(t, made.close()) })
	token := made.present()[0].Token
	certify(t, token, "seal", ecKey(t), now.Add(90*day)) // of a key that was there before
	_, err = made.certificate(t.Context(), "seal")
	if fault.CodeOf(err) != fault.HSMKeyMissing {
		t.Errorf("another key's certificate: %v", err)
	}
	certify(t, token, "from the authority", private, now.Add(10*day))
	certify(t, token, "from the authority, 2", private, now.Add(50*day))
	c, err := made.certificate(t.Context(), "seal")
	if err != nil || c.NotAfter.Before(now.Add(40*day)) {
		t.Fatalf("not the one that is good longest: %v", err)
	}
	for margin, want := range map[time.Duration]fault.Code{20 * day: "", 60 * day: fault.HSMCertificateExpiring} {
		if err := made.checkCertificates(t.Context(), margin); fault.CodeOf(err) != want {
			t.Errorf("a margin of %s: %v", margin, err)
		}
	}
}

// A time-stamping key that is given up before its certificate ends needs no new one.
func TestCertificateOfAKeyThatIsGivenUp(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	for name, row := range map[string]struct {
		until time.Time
		seal  string // a label that signs something else too
		want  fault.Code
	}{
		"for good":                {want: fault.HSMCertificateExpiring},
		"given up already":        {until: now.Add(-day)},
		"given up before":         {until: now.Add(10 * day)},
		"given up after":          {until: now.Add(40 * day), want: fault.HSMCertificateExpiring},
		"given up, and is a seal": {until: now.Add(-day), seal: "tsa", want: fault.HSMCertificateExpiring},
	} {
		r, private := newRacks(t, 1), ecKey(t)
		r.addKey(t, 0, "tsa", private)
		r.config.TSA.Policies = []config.TSAPolicy{{Keys: []config.TSAKey{{Label: "tsa", Until: row.until}}}}
		r.config.Signature.Seals = []config.Seal{{Label: row.seal}}
		made, err := openTokens(t.Context(), &r.config, r.options)
		check(t, err)
		certify(t, made.present()[0].Token, "tsa", private, now.Add(30*day))
		_, err = made.certificate(t.Context(), "tsa")
		check(t, err)
		if err := made.checkCertificates(t.Context(), 60*day); fault.CodeOf(err) != row.want {
			t.Errorf("%s: %v", name, err)
		}
		check(t, made.close())
	}
}
