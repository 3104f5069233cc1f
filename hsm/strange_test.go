package hsm_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
)

var (
	p256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	p521 = []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}
)

// generateRaw makes a key as another program would, with attributes of its own.
func generateRaw(t *testing.T, token *hsm.Token, label string, curve []byte, private ...*pkcs11.Attribute) {
	t.Helper()
	generateNamed(t, token, label, label, curve, private...)
}

func generateNamed(t *testing.T, token *hsm.Token, label, id string, curve []byte, private ...*pkcs11.Attribute) {
	t.Helper()
	common := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
	}
	err := token.Raw(t.Context(), func(p hsm.Cryptoki, session pkcs11.SessionHandle) error {
		_, _, err := p.GenerateKeyPair(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
			slices.Concat(common, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)}),
			slices.Concat(common, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true)}, private))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeysThatAreNotOurs(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	generateRaw(t, soft.Token, "twin", p256)
	generateRaw(t, soft.Token, "twin", p256)
	generateRaw(t, soft.Token, "long curve", p521)
	for label, code := range map[string]fault.Code{
		"twin":       fault.HSMKeyAmbiguous,
		"long curve": fault.HSMKeyUnsupported,
	} {
		if _, err := soft.Token.Key(t.Context(), label); !fault.Is(err, code) {
			t.Errorf("%s: %v", label, err)
		}
	}
}

// What is done in one step says which half of it failed.
func TestSignWithNamesWhatFailed(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	generateRaw(t, soft.Token, "seal", p256)
	how := pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)
	err := soft.Token.Raw(t.Context(), func(p hsm.Cryptoki, session pkcs11.SessionHandle) error {
		if err := p.FindObjectsInit(session, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}); err != nil {
			return err
		}
		found, _, err := p.FindObjects(session, 1)
		if err := errors.Join(err, p.FindObjectsFinal(session)); err != nil || len(found) != 1 {
			return fmt.Errorf("%d keys: %w", len(found), err)
		}
		for _, row := range []struct {
			name string
			key  pkcs11.ObjectHandle
			data []byte
			size int
			want string
			rv   uint
		}{
			{"another key", 4711, make([]byte, 32), 64, "C_SignInit: ", pkcs11.CKR_OBJECT_HANDLE_INVALID},
			{"no data", found[0], nil, 64, "", pkcs11.CKR_OK},
			{"a small buffer", found[0], make([]byte, 32), 63, "C_Sign: ", pkcs11.CKR_BUFFER_TOO_SMALL},
			{"the operation goes on", found[0], make([]byte, 32), 64, "C_SignInit: ", pkcs11.CKR_OPERATION_ACTIVE},
		} {
			signature, err := p.SignWith(session, how, row.key, row.data, row.size)
			switch {
			case row.rv != pkcs11.CKR_OK:
				if !errors.Is(err, pkcs11.Error(row.rv)) || !strings.HasPrefix(err.Error(), row.want) {
					t.Errorf("%s: %v", row.name, err)
				}
			case err != nil || len(signature) != 64:
				t.Errorf("%s: %x, %v", row.name, signature, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// SoftHSM wants the login for each signature, as a card does.
func TestKeyThatAsksAlways(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	generateRaw(t, soft.Token, "asks always", p256, pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, true))
	key, err := soft.Token.Key(t.Context(), "asks always")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := key.Prove(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// destroy removes the objects of a class and label, as another program would.
func destroy(t *testing.T, token *hsm.Token, class uint, label string) {
	t.Helper()
	// Also called when the test is over, and its context with it.
	err := token.Raw(context.WithoutCancel(t.Context()), func(p hsm.Cryptoki, session pkcs11.SessionHandle) error {
		template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)}
		if err := p.FindObjectsInit(session, template); err != nil {
			return err
		}
		found, _, err := p.FindObjects(session, 10)
		if err != nil {
			return err
		}
		if err := p.FindObjectsFinal(session); err != nil {
			return err
		}
		for _, handle := range found {
			if err := p.DestroyObject(session, handle); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Cards often hold a certificate and no public key object.
func TestPublicKeyComesFromTheCertificateToo(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	key := generate(t, soft.Token, "card", hsm.P256)
	if err := soft.Token.PutCertificate(t.Context(), "card", key.ID(), selfSigned(t, key, 1)); err != nil {
		t.Fatal(err)
	}
	destroy(t, soft.Token, pkcs11.CKO_PUBLIC_KEY, "card")
	again, err := soft.Token.Key(t.Context(), "card")
	if err != nil || !again.Public().(*ecdsa.PublicKey).Equal(key.Public()) {
		t.Fatalf("%v", err)
	}
	if err := again.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	destroy(t, soft.Token, pkcs11.CKO_CERTIFICATE, "card")
	if _, err := soft.Token.Key(t.Context(), "card"); !fault.Is(err, fault.HSMKeyMissing) {
		t.Errorf("neither public key nor certificate: %v", err)
	}
}

// The key that is found again after its handle went stale must be the same key:
// another card may be in the reader.
func TestAnotherKeyUnderTheSameNameIsNotUsed(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	spec := hsm.KeySpec{Label: "seal", ID: []byte{7}, Algorithm: hsm.P256}
	first, err := soft.Token.Generate(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		destroy(t, soft.Token, class, "seal")
	}
	if err := first.Prove(t.Context()); !fault.Is(err, fault.HSMKeyMissing) {
		t.Errorf("the key is gone: %v", err)
	}
	if _, err := soft.Token.Generate(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := first.Prove(t.Context()); !fault.Is(err, fault.HSMKeyUnsafe) {
		t.Errorf("another key in its place: %v", err)
	}
}
