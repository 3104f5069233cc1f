package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/config"
)

// twin is one of two tokens with the same keys.
type twin struct {
	uri, pinFile string
}

// twins makes two tokens and imports the service's keys and certificates into
// both.
func (w *world) twins(t *testing.T) (made [2]*twin) {
	t.Helper()
	ec := func() crypto.Signer {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(t, err)
		return key
	}
	labels := w.service.config.Token.Keys
	gateway, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, gateway)
	check(t, err)
	issued, err := w.around.sandbox.IssueSingleWindow(csr)
	check(t, err)
	keys := []struct {
		label       string
		private     crypto.Signer
		certificate []byte
	}{{labels.Receipt, ec(), nil}, {labels.Access, ec(), nil}, {labels.Gateway, gateway, issued.Certificate}, {sealLabel, gateway, issued.Certificate}}
	for i := range made {
		name := "twin-" + string(rune('a'+i))
		token, err := w.around.openToken(t.Context(), name)
		check(t, err)
		for n, k := range keys {
			key, err := token.Import(t.Context(), k.label, []byte{byte(n + 1)}, k.private)
			check(t, err)
			if k.certificate != nil {
				check(t, key.PutCertificate(t.Context(), k.certificate))
			}
		}
		check(t, token.Close())
		made[i] = &twin{uri: "pkcs11:token=" + name, pinFile: w.around.private(name + "." + pinName)}
	}
	return made
}

// twoTokens runs a node whose keys are in two tokens. The files of one are taken
// away, and the node signs on and is ready; they come back, and so does the token.
// Without both it is not, and says so to who wants a
// signature.
func (w *world) twoTokens(t *testing.T) {
	twins := w.twins(t)
	var skew atomic.Int64 // of the node's clock
	demo, running := w.node(t, func(c *config.Config) {
		c.TSA = config.TSA{}
		c.Token.URI, c.Token.PINFile = twins[0].uri, twins[0].pinFile
		c.Token.Members = []config.TokenMember{{Module: c.Token.Module, URI: twins[1].uri, PINFile: twins[1].pinFile}}
	}, func() time.Time { return time.Now().Add(time.Duration(skew.Load())) })
	node := &world{demo: demo, service: running}
	sign := func() error {
		var signed []byte
		return node.upload(t, "/v1/sign?detached=true", []byte("declaration"), nil, &signed)
	}
	readiness := func() (int, string) {
		r := node.do(t, call{method: http.MethodGet, path: "/readyz"})
		return r.status, answered[api.Readiness](t, r, r.status).Checks["token"]
	}
	working := func() string {
		families, err := running.metrics.Gather()
		check(t, err)
		var values []string
		for _, family := range families {
			for _, m := range family.GetMetric() {
				if family.GetName() == "senim_hsm_group_member_working" && m.GetLabel()[0].GetValue() == sealLabel {
					values = append(values, fmt.Sprint(m.GetLabel()[1].GetValue(), "=", m.GetGauge().GetValue()))
				}
			}
		}
		return strings.Join(values, " ")
	}
	check(t, sign())
	if got := working(); got != "twin-a=1 twin-b=1" {
		t.Errorf("both: %s", got)
	}

	first := running.tokens.all[0]
	home, away := hsmtest.SoftHSMFolder(t, w.around.private(tokenName), first.Info()), w.around.path("away")
	check(t, os.Rename(home, away))
	for range 5 {
		check(t, sign())
	}
	if got := working(); got != "twin-a=0 twin-b=1" {
		t.Errorf("without the first: %s", got)
	}
	if status, token := readiness(); status != http.StatusOK || token != "ok" {
		t.Errorf("ready without the first: %d %s", status, token)
	}

	// SoftHSM shows the token again when the module is restarted, which comes after
	// half a minute.
	check(t, os.Rename(away, home))
	skew.Store(int64(31 * time.Second))
	check(t, first.Wait(t.Context()))
	for range 5 {
		check(t, sign())
	}
	if got := working(); got != "twin-a=1 twin-b=1" {
		t.Errorf("with the first again: %s", got)
	}

	check(t, first.Close())
	check(t, running.tokens.all[1].Close())
	var p *problem
	for range 4 {
		if err := sign(); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable {
			t.Errorf("without any: %v", err)
		}
	}
	if status, token := readiness(); status != http.StatusServiceUnavailable || token != "hsm_unavailable" {
		t.Errorf("ready without any: %d %s", status, token)
	}
}

// oneOfTwoTokensAtStart: what is away is left out; what is there twice is refused.
func (w *world) oneOfTwoTokensAtStart(t *testing.T) {
	quiet := hsm.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	c := *w.service.config
	c.Token.Members = []config.TokenMember{{Module: c.Token.Module, URI: "pkcs11:token=nowhere", PINFile: c.Token.PINFile}}
	opened, err := openTokens(t.Context(), &c, quiet)
	check(t, err)
	if key, err := opened.key(t.Context(), c.Token.Keys.Receipt); err != nil || len(opened.all) != 1 {
		t.Errorf("%d tokens, %v", len(opened.all), err)
	} else if _, group := key.(*hsm.Group); !group {
		t.Errorf("a key that another token is to join is a %T", key)
	}
	check(t, opened.close())

	c.Token.Members[0].URI = "pkcs11:token=senim;model=SoftHSM%20v2"
	if _, err := openTokens(t.Context(), &c, quiet); err == nil || !strings.Contains(err.Error(), "token.members") {
		t.Errorf("one token twice: %v", err)
	}
	c.Token.URI, c.Token.Members[0].URI = "pkcs11:token=nobody", "pkcs11:token=nowhere"
	if _, err := openTokens(t.Context(), &c, quiet); err == nil || !strings.Contains(err.Error(), "token 2 of 2") {
		t.Errorf("no token: %v", err)
	}
}
