package cades_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/signer/cades"
)

// token makes a time-stamp over data.
func token(t *testing.T, over []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(over)
	info, err := asn1.Marshal(struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint struct {
			Algorithm pkix.AlgorithmIdentifier
			Hash      []byte
		}
		Serial *big.Int
		Time   time.Time `asn1:"generalized"`
	}{1, asn1.ObjectIdentifier{1, 2, 3}, struct {
		Algorithm pkix.AlgorithmIdentifier
		Hash      []byte
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}}, sum[:]}, big.NewInt(3), now})
	must(err)
	who := identities()["ECDSA"]
	der, err := cms.Sign(cms.Template{Content: info, ContentType: cms.OIDTSTInfo, Certificate: who.cert.Raw}, who.key)
	must(err)
	return der
}

func TestAddSignatureTimestamp(t *testing.T) {
	message := sign(t, "RSA", cades.Options{SigningTime: now})
	value, err := cades.SignatureValue(message, 0)
	must(err)
	stamp := token(t, value)
	stamped, err := cades.AddSignatureTimestamp(message, 0, stamp)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cms.Parse(stamped)
	must(err)
	found := m.Signers[0].Unsigned(cms.OIDSignatureTimestamp)
	if len(found) != 1 || len(found[0].Values) != 1 || !bytes.Equal(found[0].Values[0], stamp) {
		t.Errorf("%d time-stamps", len(found))
	}
	if _, err := m.Verify(m.Signers[0], identities()["RSA"].cert.PublicKey, m.Content); err != nil {
		t.Errorf("the signature no longer holds: %v", err)
	}
	dir := t.TempDir()
	must(os.WriteFile(filepath.Join(dir, "stamped"), stamped, 0o600))
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	if out, err := exec.Command("openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", filepath.Join(dir, "stamped")).CombinedOutput(); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

func TestAddSignatureTimestampRefuses(t *testing.T) {
	message := sign(t, "RSA", cades.Options{})
	value, err := cades.SignatureValue(message, 0)
	must(err)
	for name, tt := range map[string]struct {
		signer int
		token  []byte
		code   fault.Code
	}{
		"over something else": {0, token(t, []byte("x")), fault.TimestampImprintMismatch},
		"not a token":         {0, message, fault.TimestampUnreadable},
		"no such signer":      {1, token(t, value), fault.BadArgument},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cades.AddSignatureTimestamp(message, tt.signer, tt.token); !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
}
