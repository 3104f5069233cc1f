package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/jws"
)

// A lost HSM is 503 with Retry-After, never the client's fault, from the token's
// return value to the wire; and when it is back, so is the service.
func TestLostHSM(t *testing.T) {
	module := hsmtest.NewScripted()
	slot := module.AddSlot("service")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	module.AddKey(slot, "receipt", private)
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte(hsmtest.ScriptedPIN), 0o600); err != nil {
		t.Fatal(err)
	}
	token, err := module.Open(t).Token(t.Context(), "pkcs11:token=service", hsm.PINFile(pin))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	key, err := token.Key(t.Context(), "receipt")
	if err != nil {
		t.Fatal(err)
	}
	receipts, err := jws.NewKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signs := func(context.Context) error {
		_, err := receipts.Sign("receipt", []byte("{}"))
		return err
	}
	h := newHouse(t, func(_ *Config, d *Dependencies, _ *access.Config) { d.Checks["token"] = signs })
	window := h.client("window", access.SingleWindow)
	lost := func(t *testing.T) {
		t.Helper()
		h.rooms.err = signs(t.Context())
		defer func() { h.rooms.err = nil }()
		a := h.do(good(t, "createOrder", window))
		a.want(http.StatusServiceUnavailable, fault.HSMUnavailable)
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		h.do(good(t, "getReadiness", "")).want(http.StatusServiceUnavailable, "")
	}
	back := func(t *testing.T) {
		t.Helper()
		if err := token.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.do(good(t, "getReadiness", "")).want(http.StatusOK, "")
	}
	back(t)
	for _, value := range []uint{pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_GENERAL_ERROR} {
		t.Run(strings.TrimPrefix(pkcs11.Error(value).Error(), "pkcs11: "), func(t *testing.T) {
			module.Pull(slot)
			module.Script("C_SignInit", value, value)
			lost(t)
			module.PutBack(slot, slot.ID+1)
			back(t)
		})
	}
}
