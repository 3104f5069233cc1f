package trust

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

func fingerprint(c *cert.Certificate) string {
	f := c.Fingerprint()
	return hex.EncodeToString(f[:])
}

func TestAuthorities(t *testing.T) {
	root := issue(t, nil, "Bank root", "A bank").cert
	folder := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("bank.cer", string(root.Raw))
	put(AuthoritiesFile, `{"authorities": [{
		"name": "BANK", "certificates": ["`+fingerprint(root)+`"], "profile": "production",
		"roles": {"1.2.398.3.99.1": "TELLER"}, "policies": {"1.2.398.3.99.2": "BANK_SIGNATURE"},
		"terms": {"purposes": ["sign"], "until": "2030-01-01T00:00:00Z", "max_path_length": 0, "policies": ["1.2.398.3.99.2"],
			"explicit_policy": true, "permitted_names": ["email:bank.kz"], "excluded_names": ["ip:10.0.0.0/8"]}
	}]}`)
	s, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Anchors()[0]
	if s.Profile() != Production || a.Authority != "BANK" || a.Terms == nil {
		t.Fatalf("%+v", a)
	}
	terms := a.Terms
	if len(terms.Purposes) != 1 || terms.Until.Year() != 2030 || terms.MaxPathLength != 0 || !terms.ExplicitPolicy ||
		len(terms.Names.Permitted) != 1 || len(terms.Names.Excluded[0].Base.Value) != 8 {
		t.Errorf("%+v", terms)
	}
	if s.PolicyName(terms.Policies[0]) != "BANK_SIGNATURE" || s.PolicyName([]int{2, 5, 29, 32, 0}) != "ANY_POLICY" {
		t.Error("names of policies")
	}
	if alone := a.Alone(); len(alone.Anchors()) != 1 || len(alone.Anchors()[0].Terms.Purposes) != 0 || alone.Anchors()[0].Terms.MaxPathLength != 0 {
		t.Errorf("alone: %+v", alone.Anchors())
	}
}

func TestAuthoritiesRefused(t *testing.T) {
	print := strings.Repeat("ab", 32)
	for _, text := range []string{
		``, `[]`, `{"authorities": [{"name": "x", "unknown": 1}]}`, `{"authorities": []} {}`, `{"authorities": [{}]}`,
		`{"authorities": [{"name": "x", "certificates": ["AB"]}]}`,
		`{"authorities": [{"name": "x", "certificates": ["` + print + `", "` + print + `"]}]}`,
		`{"authorities": [{"name": "x", "profile": "sandbox"}]}`,
		`{"authorities": [{"name": "x", "roles": {"one": "A"}}]}`,
		`{"authorities": [{"name": "x", "roles": {"1.2.398.3.3.4.1.2.1": "NOT_CEO"}}]}`,
		`{"authorities": [{"name": "x", "roles": {"1.2.398.3.3.4.1.2.6.95": "MINE"}}]}`,
		`{"authorities": [{"name": "x", "policies": {"1.2.3": ""}}]}`,
		`{"authorities": [{"name": "x", "terms": {"purposes": ["all"]}}]}`,
		`{"authorities": [{"name": "x", "terms": {"policies": ["01.2"]}}]}`,
		`{"authorities": [{"name": "x", "terms": {"max_path_length": -1}}]}`,
		`{"authorities": [{"name": "x", "terms": {"from": "2030-01-01T00:00:00Z", "until": "2029-01-01T00:00:00Z"}}]}`,
		`{"authorities": [{"name": "x", "terms": {"permitted_names": ["dns:"]}}]}`,
		`{"authorities": [{"name": "x", "terms": {"permitted_names": ["dn:CN=x"]}}]}`,
		`{"authorities": [{"name": "x", "terms": {"permitted_names": ["ip:10.0.0.0/99"]}}]}`,
	} {
		if _, err := ParseAuthorities([]byte(text)); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What the operator says cannot make a sandbox, or NUC RK's tests, production.
func TestVouchedProfiles(t *testing.T) {
	sandbox := issue(t, nil, "Root", SandboxOrganization).cert
	bank := issue(t, nil, "Bank", "").cert
	other := issue(t, nil, "Other", "").cert
	vouch := func(p Profile, certs ...*cert.Certificate) []Authority {
		a := Authority{Name: "x", Profile: p}
		for _, c := range certs {
			a.Certificates = append(a.Certificates, fingerprint(c))
		}
		return []Authority{a}
	}
	if _, err := NewOnTerms([]*cert.Certificate{sandbox}, vouch(Production, sandbox)); !fault.Is(err, fault.AnchorProfilesMixed) {
		t.Errorf("sandbox: %v", err)
	}
	if _, err := NewOnTerms([]*cert.Certificate{bank, other}, vouch(Production, bank)); !fault.Is(err, fault.AnchorProfilesMixed) {
		t.Errorf("beside a test: %v", err)
	}
	if s, err := NewOnTerms([]*cert.Certificate{bank, other}, vouch(Production, bank, other)); err != nil || s.Profile() != Production {
		t.Errorf("both: %v", err)
	}
	nuc, err := LoadCertificates("../../../shared/data/nuc-rk/ncanode-go/certs/nca_gost2022_test.cer")
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	if _, err := NewOnTerms(nuc, vouch(Production, nuc[0])); !fault.Is(err, fault.AnchorProfilesMixed) {
		t.Errorf("NUC RK's test CA: %v", err)
	}
	real, err := LoadCertificates(filepath.Join(prodCA, "nca_rsa_2022.cer"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewOnTerms(real, vouch(Test, real[0])); !fault.Is(err, fault.AnchorProfilesMixed) {
		t.Errorf("NUC RK's production CA as a test: %v", err)
	}
}

// A CA with terms of its own is an anchor though another of the set issued it.
func TestTermsMakeAnAnchor(t *testing.T) {
	root := issue(t, nil, "root", "")
	ca := issue(t, root, "ca", "").cert
	list, err := ParseAuthorities([]byte(`{"authorities": [{"name": "x", "certificates": ["` + fingerprint(ca) + `"], "terms": {"purposes": ["timestamp"]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewOnTerms([]*cert.Certificate{root.cert, ca}, list)
	if err != nil || len(s.Anchors()) != 2 {
		t.Fatalf("%d anchors, %v", len(s.Anchors()), err)
	}
}

func TestTermsCheck(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	ca := issue(t, nil, "ca", "").cert
	for _, tt := range []struct {
		terms   Terms
		purpose Purpose
		ok      bool
	}{
		{Terms{}, "", true},
		{Terms{Purposes: []Purpose{ForSigning}}, ForSigning, true},
		{Terms{Purposes: []Purpose{ForSigning}}, ForTimestamps, false},
		{Terms{Purposes: []Purpose{ForCAs}}, "", true}, // the leaf is a CA
		{Terms{Purposes: []Purpose{ForSigning}}, "", false},
		{Terms{From: now}, "", true},
		{Terms{From: now.Add(1)}, "", false},
		{Terms{Until: now}, "", true},
		{Terms{Until: now.Add(-1)}, "", false},
	} {
		if err := tt.terms.Check(ca, tt.purpose, now); (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.AnchorRestricted) {
			t.Errorf("%+v for %q: %v", tt.terms, tt.purpose, err)
		}
	}
}

// Terms are kept with the certificate, and stay until others are given.
func TestImportOnTerms(t *testing.T) {
	folder := Folder{t.TempDir()}
	root := issue(t, nil, "root", "").cert
	in := func(how Import) {
		t.Helper()
		how.Force = true
		if _, err := folder.Import([]*cert.Certificate{root}, how); err != nil {
			t.Fatal(err)
		}
	}
	anchor := func() Anchor {
		t.Helper()
		s, err := Load(folder.Path)
		if err != nil || len(s.Anchors()) != 1 {
			t.Fatalf("%v", err)
		}
		return s.Anchors()[0]
	}
	in(Import{Name: "BANK", Terms: TermsText{Purposes: []string{"sign"}}})
	in(Import{})
	if a := anchor(); a.Authority != "BANK" || a.Terms.Purposes[0] != ForSigning {
		t.Errorf("%+v", a)
	}
	in(Import{Terms: TermsText{Purposes: []string{"timestamp"}}})
	if a := anchor(); a.Terms.Purposes[0] != ForTimestamps || !strings.HasPrefix(a.Authority, forcedPrefix) {
		t.Errorf("%+v", a)
	}
	if _, err := folder.Import([]*cert.Certificate{root}, Import{Force: true, Terms: TermsText{Purposes: []string{"x"}}}); !fault.Is(err, fault.BadArgument) {
		t.Errorf("an unknown purpose: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder.Path, AuthoritiesFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(folder.Path); !fault.Is(err, fault.BadArgument) {
		t.Errorf("a broken file: %v", err)
	}
}

func FuzzParseAuthorities(f *testing.F) {
	f.Add([]byte(`{"authorities": [{"name": "x", "certificates": [], "terms": {"permitted_names": ["ip:10.0.0.0/8"], "max_path_length": 1}}]}`))
	f.Add([]byte(`{"authorities": [{"name": "x", "roles": {"1.2.3": "A"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if list, err := ParseAuthorities(data); err == nil && len(list) > authoritiesMax {
			t.Error("too many")
		}
	})
}
