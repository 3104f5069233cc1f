package path

import (
	"encoding/asn1"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// pkitsTest is one row of NIST's suite as it lies in ../shared/data.
type pkitsTest struct {
	ID, Section, Title string
	TrustAnchor        string `json:"trust_anchor"`
	EE                 string
	Path, CRLs         []string
	Settings           struct {
		Initial        []string `json:"initial_policy_set"`
		Explicit       bool     `json:"initial_explicit_policy"`
		InhibitMapping bool     `json:"initial_policy_mapping_inhibit"`
		InhibitAny     bool     `json:"initial_inhibit_any_policy"`
	}
	Valid    bool     `json:"expected_valid"`
	Policies []string `json:"expected_user_constrained_policy_set"`
}

var pkitsTime = time.Date(2011, 4, 15, 0, 0, 0, 0, time.UTC)

func pkits(t *testing.T) (folder string, tests []pkitsTest) {
	folder = filepath.Join(shared, "validation", "pkits")
	raw, err := os.ReadFile(filepath.Join(folder, "pkits.json"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	var suite struct{ Tests []pkitsTest }
	if err := json.Unmarshal(raw, &suite); err != nil {
		t.Fatal(err)
	}
	return folder, suite.Tests
}

func oids(t testing.TB, dotted ...string) []asn1.ObjectIdentifier {
	t.Helper()
	var out []asn1.ObjectIdentifier
	for _, s := range dotted {
		var oid asn1.ObjectIdentifier
		for part := range strings.SplitSeq(s, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				t.Fatal(err)
			}
			oid = append(oid, n)
		}
		out = append(out, oid)
	}
	return out
}

// request is the test's, without revocation.
func (tt pkitsTest) request(t *testing.T, folder string) Request {
	t.Helper()
	read := func(name string) *cert.Certificate {
		data, err := os.ReadFile(filepath.Join(folder, "certs", name))
		if err != nil {
			t.Fatal(err)
		}
		c, err := cert.Parse(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return c
	}
	anchors, err := trust.New(read(tt.TrustAnchor))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Leaf: read(tt.EE), Anchors: anchors, At: pkitsTime, Policies: PolicyDemand{
		Initial: oids(t, tt.Settings.Initial...), Explicit: tt.Settings.Explicit,
		InhibitMapping: tt.Settings.InhibitMapping, InhibitAny: tt.Settings.InhibitAny,
	}}
	for _, name := range tt.Path {
		r.Intermediates = append(r.Intermediates, read(name))
	}
	return r
}

// TestPKITSPaths holds the sections that need no CRL against NIST's verdicts,
// and the policies of every valid path against the set expected.
func TestPKITSPaths(t *testing.T) {
	folder, tests := pkits(t)
	onCRLs := []string{"4.4", "4.14", "4.15"}
	// A CA whose key may not sign CRLs, and revoked ones.
	exceptions := []string{"4.7.4", "4.7.5", "4.5.2", "4.5.5", "4.5.7"}
	for _, tt := range tests {
		p, err := Build(tt.request(t, folder))
		if err == nil && tt.Valid {
			var got []string
			for _, oid := range p.Policies {
				got = append(got, oid.String())
			}
			if len(tt.Policies) > 0 && !slices.Equal(got, tt.Policies) {
				t.Errorf("%s %s: policies %v, want %v", tt.ID, tt.Title, got, tt.Policies)
			}
		}
		if (err == nil) != tt.Valid && (tt.Valid || !slices.Contains(onCRLs, tt.Section) && !slices.Contains(exceptions, tt.ID)) {
			t.Errorf("%s %s: valid %v, got %v", tt.ID, tt.Title, tt.Valid, err)
		}
	}
}

// TestPKITS is NIST's suite as it is meant: with the CRLs given.
func TestPKITS(t *testing.T) {
	folder, tests := pkits(t)
	for _, tt := range tests {
		var checker revocation.Checker
		for _, name := range tt.CRLs {
			raw, err := os.ReadFile(filepath.Join(folder, "crls", name))
			if err != nil {
				t.Fatal(err)
			}
			checker.Given = append(checker.Given, revocation.Information{Kind: revocation.CRL, Raw: raw, Source: revocation.Given})
		}
		_, _, err := BuildUnrevoked(t.Context(), tt.request(t, folder), checker, revocation.Rules{At: pkitsTime})
		if (err == nil) != tt.Valid {
			t.Errorf("%s %s: valid %v, got %v", tt.ID, tt.Title, tt.Valid, err)
		}
	}
}
