package sandbox_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
)

// The project's own revocation check, over HTTP, against every status and every
// fault of OCSP and CRL.
func TestRevocationIsFoundOut(t *testing.T) {
	s := start(t, t.TempDir())
	c := client(t, s)
	good, revoked := certified(t, s, sandbox.Head), certified(t, s, sandbox.Dismissed)
	// The other sandbox has the same CA keys and names: only the serial is foreign.
	stranger := certified(t, start(t, t.TempDir()), sandbox.Employee)
	held := certified(t, s, sandbox.Employee)
	if err := s.NCA().Hold(held.SerialHex()); err != nil {
		t.Fatal(err)
	}
	issuer, err := cert.Parse(s.NCA().Issuing())
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		leaf      *cert.Certificate
		ocsp, crl nca.Fault
		code      fault.Code
	}{
		"good":         {good, nca.None, nca.None, ""},
		"revoked":      {revoked, nca.None, nca.None, fault.CertificateRevoked},
		"held":         {held, nca.None, nca.None, fault.CertificateRevoked},
		"never issued": {stranger, nca.None, nca.None, fault.RevocationUnknown},
		// Where nobody answers, the CRL does; an answer that is wrong decides.
		"no answer, good by CRL":    {good, nca.Unavailable, nca.None, ""},
		"no answer, revoked by CRL": {revoked, nca.Unavailable, nca.None, fault.CertificateRevoked},
		"no answer and no CRL":      {good, nca.Unavailable, nca.Unavailable, fault.RevocationUnknown},
		"no answer and an old CRL":  {good, nca.Unavailable, nca.Stale, fault.RevocationUnknown},
		"signed badly":              {good, nca.BadSignature, nca.None, fault.RevocationUnknown},
		"of another responder":      {good, nca.WrongResponder, nca.None, fault.RevocationUnknown},
		"a month old":               {good, nca.Stale, nca.None, fault.RevocationUnknown},
		"with another nonce":        {good, nca.WrongNonce, nca.None, fault.RevocationUnknown},
		"about another certificate": {good, nca.WrongCertificate, nca.None, fault.RevocationUnknown},
	} {
		t.Run("OCSP "+name, func(t *testing.T) {
			if err := s.NCA().SetFaults(nca.Faults{OCSP: row.ocsp, CRL: row.crl}); err != nil {
				t.Fatal(err)
			}
			// A new store each: one that holds the CRL would not ask for it.
			online := &revocation.Checker{Store: revocation.NewStore(revocation.StoreConfig{Fetcher: c, Now: time.Now})}
			verdict(t, online, revocation.Subject{Certificate: row.leaf, Issuer: issuer}, row.code)
		})
	}
	for name, row := range map[string]struct {
		leaf *cert.Certificate
		crl  nca.Fault
		code fault.Code
	}{
		"good":         {good, nca.None, ""},
		"revoked":      {revoked, nca.None, fault.CertificateRevoked},
		"held":         {held, nca.None, fault.CertificateRevoked},
		"signed badly": {good, nca.BadSignature, fault.RevocationUnknown},
		"a month old":  {good, nca.Stale, fault.RevocationUnknown},
	} {
		t.Run("CRL "+name, func(t *testing.T) {
			if err := s.NCA().SetFaults(nca.Faults{CRL: row.crl}); err != nil {
				t.Fatal(err)
			}
			raw, err := c.Fetch(t.Context(), row.leaf.CRLURLs[0], "", nil, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			offline := &revocation.Checker{Given: []revocation.Information{{Kind: revocation.CRL, Raw: raw, Source: revocation.Given}}}
			verdict(t, offline, revocation.Subject{Certificate: row.leaf, Issuer: issuer}, row.code)
		})
	}
}

func verdict(t *testing.T, checker *revocation.Checker, subject revocation.Subject, code fault.Code) {
	t.Helper()
	// What is made while the check runs may already bear the next second.
	rules := revocation.Rules{At: time.Now(), Skew: time.Minute}
	result := checker.Check(t.Context(), subject, rules)
	if err := result.Verdict(rules); fault.CodeOf(err) != code {
		t.Errorf("%v; attempts %+v", err, result.Attempts)
	}
}

// certified is the certificate of a person with a new key.
func certified(t *testing.T, s *sandbox.Sandbox, p sandbox.Person) *cert.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := s.IssuePerson(p, csr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Parse(issued.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
