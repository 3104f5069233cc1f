package hsm_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
)

// Some tools write labels in another encoding than UTF-8; metrics take no other.
func TestMetricsOfLabelsThatAreNotText(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics, err := hsm.NewMetrics(registry)
	check(t, err)
	scripted := hsmtest.NewScripted()
	slot := scripted.AddSlot("\xea\xeb\xfe\xf7")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	scripted.AddKey(slot, "\xef\xe5\xf7\xe0\xf2\xfc", private)
	module := scripted.Open(t, func(o *hsm.Options) { o.Metrics = metrics })
	token, err := module.Token(t.Context(), "pkcs11:serial="+slot.Serial, hsm.PINFile(pinFile(t, hsmtest.ScriptedPIN)))
	check(t, err)
	defer func() { check(t, token.Close()) }()
	key, err := token.Key(t.Context(), "\xef\xe5\xf7\xe0\xf2\xfc")
	check(t, err)
	group, err := hsm.NewGroup(hsm.GroupOptions{Name: "receipts", Now: time.Now, Metrics: metrics}, key)
	check(t, err)
	digest := sha256.Sum256(nil)
	if _, err := group.Sign(nil, digest[:], crypto.SHA256); err != nil {
		t.Error(err)
	}
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
}
