package hsm_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os/exec"
	"testing"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// Who goes away while the key is busy is not kept.
func TestRequestHonoursTheContext(t *testing.T) {
	s := newScript(t)
	release := s.token.HoldSessions()
	defer release()
	subject, err := asn1.Marshal(pkix.Name{CommonName: "seal"}.ToRDNSequence())
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.key.CertificateRequest(ctx, subject); !fault.Is(err, fault.Cancelled) {
		t.Errorf("got %v", err)
	}
}

// A request for a GOST key says what was asked, is signed with the key, and is taken
// by gost-engine where it knows the algorithm.
func TestRequestOfAGOSTKey(t *testing.T) {
	engine := exec.Command("openssl", "engine", "gost").Run() == nil
	subject, err := asn1.Marshal(pkix.Name{CommonName: "seal", Country: []string{"KZ"}}.ToRDNSequence())
	check(t, err)
	for _, row := range []struct {
		algorithm *gost.KeyAlgorithm
		curve     string
		engine    bool
	}{{gost.KZ2015x256, "KZ 2015-256-A", false}, {gost.KZ2015x512, "KZ 2015-512-A", false}, {gost.RU2012x256, "tc26-256-A", true}, {gost.RU2012x512, "tc26-512-A", true}} {
		t.Run(row.algorithm.Name, func(t *testing.T) {
			numbers := hsm.GOSTMechanism{Key: row.algorithm, KeyType: hsmtest.ScriptedGOSTKeyType, Sign: hsmtest.ScriptedGOSTSign}
			s := newScript(t, func(o *hsm.Options) { o.GOST = []hsm.GOSTMechanism{numbers} })
			curve, err := gost.CurveByName(row.curve)
			check(t, err)
			private, err := gost.GenerateKey(rand.Reader, row.algorithm, curve)
			check(t, err)
			s.AddKey(s.slot, "gost", private)
			key, err := s.token.Key(t.Context(), "gost")
			check(t, err)
			der, err := key.CertificateRequest(t.Context(), subject)
			check(t, err)

			var request struct {
				Info struct {
					Raw        asn1.RawContent
					Version    int
					Subject    asn1.RawValue
					PublicKey  asn1.RawValue
					Attributes asn1.RawValue `asn1:"tag:0"`
				}
				Algorithm struct{ OID asn1.ObjectIdentifier }
				Signature asn1.BitString
			}
			rest, err := asn1.Unmarshal(der, &request)
			check(t, err)
			if len(rest) > 0 || request.Info.Version != 0 || !bytes.Equal(request.Info.Subject.FullBytes, subject) || len(request.Info.Attributes.Bytes) > 0 {
				t.Errorf("%+v", request)
			}
			public, err := gost.ParsePublicKey(request.Info.PublicKey.FullBytes)
			check(t, err)
			if !public.Equal(private.Public()) {
				t.Error("another public key")
			}
			algorithm, err := gost.AlgorithmByOID(request.Algorithm.OID)
			check(t, err)
			digest := algorithm.Digest.New()
			digest.Write(request.Info.Raw)
			check(t, algorithm.Verify(public, digest.Sum(nil), request.Signature.RightAlign()))
			if _, err := key.CertificateRequest(t.Context(), []byte("CN=seal")); !fault.Is(err, fault.BadArgument) {
				t.Errorf("a subject that is no Name: %v", err)
			}
			if !row.engine {
				return
			}
			if !engine {
				t.Skip("the rest needs gost-engine")
			}
			c := exec.Command("openssl", "req", "-engine", "gost", "-verify", "-noout")
			c.Stdin = bytes.NewReader(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
			if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("verify OK")) {
				t.Errorf("openssl: %v\n%s", err, out)
			}
		})
	}
}
