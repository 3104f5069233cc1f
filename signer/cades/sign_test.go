package cades_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/signer/cades"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// verifyAll checks every signature of a message and its counter-signatures with
// the certificates inside.
func verifyAll(t testing.TB, der []byte) *cms.Message {
	t.Helper()
	m, err := cms.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range m.Signers {
		c := certificateOf(t, m, s)
		if _, err := m.Verify(s, c.PublicKey, []byte(text)); err != nil {
			t.Fatalf("signature %d: %v", i, err)
		}
	}
	return m
}

func certificateOf(t testing.TB, m *cms.Message, s *cms.Signer) *cert.Certificate {
	t.Helper()
	for _, raw := range m.Certificates {
		if c, err := cert.Parse(raw); err == nil && s.Identifier.Names(c) {
			return c
		}
	}
	t.Fatal("the signer's certificate is not in the message")
	return nil
}

func TestSignMakesBaselineB(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	for name, tt := range map[string]struct {
		key       string
		options   cades.Options
		algorithm string
	}{
		"RSA":            {"RSA", cades.Options{}, "SHA-256 with RSA"},
		"RSA-PSS":        {"RSA", cades.Options{PSS: true, Digest: algo.SHA384}, "SHA-384 with RSA-PSS"},
		"ECDSA":          {"ECDSA", cades.Options{Digest: algo.SHA512}, "SHA-512 with ECDSA"},
		"Ed25519":        {"Ed25519", cades.Options{}, "Ed25519"},
		"detached":       {"RSA", cades.Options{Detached: true}, "SHA-256 with RSA"},
		"content-stamp":  {"ECDSA", cades.Options{ContentStamper: w.extender(t, "tsa").Stamper}, "SHA-256 with ECDSA"},
		"commits itself": {"ECDSA", cades.Options{Commitment: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, 5}}, "SHA-256 with ECDSA"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.options.SigningTime = start
			der := encode(t, sign(t, w.person(tt.key), tt.options))
			m := verifyAll(t, der)
			s := m.Signers[0]
			if a, err := s.Algorithm(); err != nil || a.Name != tt.algorithm || m.Detached != tt.options.Detached || m.BER {
				t.Errorf("%v, %v, detached %v, BER %v", a, err, m.Detached, m.BER)
			}
			// EN 319 122-1 §6.3, the mandatory signed attributes of level B.
			kind, _ := s.ContentType()
			digest, _ := s.MessageDigest()
			at, _ := s.SigningTime()
			references, err := s.CertificateReferences()
			if err != nil || !kind.Equal(cms.OIDData) || digest == nil || !at.Equal(start) || len(references) != 1 || references[0][0].Version != 2 {
				t.Errorf("%v %x %v %v %v", kind, digest, at, references, err)
			}
			c := certificateOf(t, m, s)
			if same, err := references[0][0].MatchesDigest(c); err != nil || !same || !references[0][0].MatchesIssuerSerial(c) {
				t.Errorf("the reference names another certificate: %v", err)
			}
			for oid, want := range map[string]bool{
				cms.OIDContentTimestamp.String(): tt.options.ContentStamper != nil, cades.OIDCommitmentType.String(): tt.options.Commitment != nil,
			} {
				has := false
				for _, a := range s.SignedAttributes {
					has = has || a.Type.String() == oid
				}
				if has != want {
					t.Errorf("attribute %s: %v", oid, has)
				}
			}
		})
	}
}

// rubbish is a key whose token answers with something.
type rubbish struct {
	crypto.Signer
	err error
}

func (r rubbish) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 256), r.err
}

func TestSignRefuses(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	who, other := w.person("RSA"), w.person("ECDSA")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	live := context.Background()
	for name, tt := range map[string]struct {
		ctx     context.Context
		who     cades.Identity
		options cades.Options
		code    fault.Code
	}{
		"cancelled":          {cancelled, who, cades.Options{}, fault.Cancelled},
		"no certificate":     {live, cades.Identity{Key: who.Key}, cades.Options{}, fault.BadArgument},
		"no key":             {live, cades.Identity{Certificate: who.Certificate}, cades.Options{}, fault.BadArgument},
		"another's key":      {live, cades.Identity{Key: other.Key, Certificate: who.Certificate}, cades.Options{}, fault.KeyCertificateMismatch},
		"PSS with ECDSA":     {live, other, cades.Options{PSS: true}, fault.AlgorithmKeyMismatch},
		"RSA over Streebog":  {live, who, cades.Options{Digest: algo.Streebog256}, fault.AlgorithmUnsupported},
		"a key that fails":   {live, cades.Identity{Key: rubbish{who.Key, errors.New("removed")}, Certificate: who.Certificate}, cades.Options{}, fault.SigningFailed},
		"a key that guesses": {live, cades.Identity{Key: rubbish{who.Key, nil}, Certificate: who.Certificate}, cades.Options{}, fault.SigningFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cades.Sign(tt.ctx, document(), tt.who, tt.options); !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
}

func TestSignRefusesNothing(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	if _, err := cades.Sign(context.Background(), zeros(0), w.person("ECDSA"), cades.Options{}); !fault.Is(err, fault.InputEmpty) {
		t.Errorf("%v", err)
	}
}

func TestAddSigner(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	for _, detached := range []bool{false, true} {
		first := encode(t, sign(t, w.person("RSA"), cades.Options{Detached: detached, SigningTime: start}))
		m := reopen(t, first)
		var content cades.Source
		if detached {
			if err := m.AddSigner(context.Background(), nil, w.person("ECDSA"), cades.Options{}); !fault.Is(err, fault.ContentMissing) {
				t.Errorf("without the content: %v", err)
			}
			content = document()
		} else if err := m.AddSigner(context.Background(), strings.NewReader("another"), w.person("ECDSA"), cades.Options{}); !fault.Is(err, fault.ContentConflict) {
			t.Errorf("with another content: %v", err)
		}
		for _, key := range []string{"ECDSA", "Ed25519", "RSA"} {
			if err := m.AddSigner(context.Background(), content, w.person(key), cades.Options{SigningTime: start, Digest: algo.SHA384}); err != nil {
				t.Fatal(err)
			}
		}
		got := verifyAll(t, encode(t, m))
		if len(got.Signers) != 4 || len(got.Certificates) != 4 || len(got.DigestAlgorithms) != 3 {
			t.Errorf("%d signers, %d certificates, %d digests", len(got.Signers), len(got.Certificates), len(got.DigestAlgorithms))
		}
		was, err := cms.Parse(first)
		must(err)
		if !bytes.Equal(got.Signers[0].Raw, was.Signers[0].Raw) || !bytes.Equal(got.Certificates[0], was.Certificates[0]) {
			t.Error("what was there has changed")
		}
	}
}

func TestCounterSign(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	m := reopen(t, encode(t, sign(t, w.person("RSA"), cades.Options{SigningTime: start})))
	for _, key := range []string{"ECDSA", "Ed25519"} {
		if err := m.CounterSign(context.Background(), 0, w.person(key), cades.Options{SigningTime: start}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.CounterSign(context.Background(), 1, w.person("RSA"), cades.Options{}); !fault.Is(err, fault.BadArgument) {
		t.Errorf("of a signature that is not there: %v", err)
	}
	got := verifyAll(t, encode(t, m))
	counters := got.Signers[0].Unsigned(cms.OIDCounterSignature)
	if len(counters) != 2 {
		t.Fatalf("%d counter-signatures", len(counters))
	}
	for _, a := range counters {
		s, err := cms.ParseSigner(a.Values[0], "", cms.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Digest()
		must(err)
		digest, _ := s.MessageDigest()
		kind, _ := s.ContentType()
		if _, err := s.VerifySignature(certificateOf(t, got, s).PublicKey, nil); err != nil || kind != nil || !bytes.Equal(digest, d.Sum(got.Signers[0].Signature)) {
			t.Errorf("%v, content type %v", err, kind)
		}
	}
}

// TestContentIsNotHeld signs and writes many times its buffers.
func TestContentIsNotHeld(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	const size = 128 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := cades.Sign(context.Background(), zeros(size), w.person("ECDSA"), cades.Options{SigningTime: start})
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.WriteTo(io.Discard)
	if err != nil || n < size || n > size+4096 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("%d bytes were allocated", after.TotalAlloc-before.TotalAlloc)
	}
}

// zeros is a source of so many zero bytes.
type zeros int64

func (z zeros) Size() int64 { return int64(z) }
func (z zeros) ReadAt(p []byte, at int64) (int, error) {
	n := min(int64(len(p)), int64(z)-at)
	clear(p[:max(n, 0)])
	if n < int64(len(p)) {
		return int(max(n, 0)), io.EOF
	}
	return int(n), nil
}
