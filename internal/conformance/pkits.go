package main

import (
	"context"
	"encoding/asn1"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// runPKITS runs NIST's Public Key Interoperability Test Suite, 1.0.1: paths,
// CRLs and the policies of every valid path.
func runPKITS(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "pkits")
	raw, err := index(folder, "pkits.json")
	if err != nil {
		return nil, err
	}
	var suite struct{ Tests []pkitsTest }
	if err := json.Unmarshal(raw, &suite); err != nil {
		return nil, err
	}
	var out []outcome
	for _, tt := range suite.Tests {
		p, err := tt.judge(folder)
		result := judged(tt.ID, tt.expectation(), err)
		if err == nil && len(tt.Policies) > 0 {
			result.got = valid + " " + dotted(p.Policies)
		}
		out = append(out, result)
	}
	return out, nil
}

type pkitsTest struct {
	ID, EE      string
	TrustAnchor string `json:"trust_anchor"`
	Path, CRLs  []string
	Settings    struct {
		Initial        []string `json:"initial_policy_set"`
		Explicit       bool     `json:"initial_explicit_policy"`
		InhibitMapping bool     `json:"initial_policy_mapping_inhibit"`
		InhibitAny     bool     `json:"initial_inhibit_any_policy"`
	}
	Valid    bool     `json:"expected_valid"`
	Policies []string `json:"expected_user_constrained_policy_set"`
}

func (tt pkitsTest) expectation() string {
	switch {
	case !tt.Valid:
		return invalid
	case len(tt.Policies) == 0:
		return valid
	}
	return valid + " " + strings.Join(tt.Policies, " ")
}

func (tt pkitsTest) judge(folder string) (*path.Path, error) {
	file := func(kind, name string) string { return filepath.Join(folder, kind, name) }
	at := time.Date(2011, 4, 15, 0, 0, 0, 0, time.UTC)
	anchors, err := trust.Load(file("certs", tt.TrustAnchor))
	if err != nil {
		return nil, err
	}
	r := path.Request{Anchors: anchors, At: at, Policies: path.PolicyDemand{
		Explicit: tt.Settings.Explicit, InhibitMapping: tt.Settings.InhibitMapping, InhibitAny: tt.Settings.InhibitAny,
	}}
	for _, s := range tt.Settings.Initial {
		oid, err := cert.ParseOID(s)
		if err != nil {
			return nil, err
		}
		r.Policies.Initial = append(r.Policies.Initial, oid)
	}
	for _, name := range slices.Concat([]string{tt.EE}, tt.Path) {
		certs, err := readCertificates(file("certs", name))
		if err != nil {
			return nil, err
		}
		r.Intermediates = append(r.Intermediates, certs...)
	}
	r.Leaf = r.Intermediates[0]
	var checker revocation.Checker
	for _, name := range tt.CRLs {
		der, err := os.ReadFile(file("crls", name))
		if err != nil {
			return nil, err
		}
		checker.Given = append(checker.Given, revocation.Information{Kind: revocation.CRL, Raw: der, Source: revocation.Given})
	}
	p, _, err := path.BuildUnrevoked(context.Background(), r, checker, revocation.Rules{At: at})
	return p, err
}

func dotted(oids []asn1.ObjectIdentifier) string {
	var out []string
	for _, oid := range oids {
		out = append(out, oid.String())
	}
	return strings.Join(out, " ")
}
