package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// limboTest is a case of C2SP/x509-limbo.
type limboTest struct {
	ID            string
	Kind          string `json:"validation_kind"`
	Features      []string
	Trusted       []string `json:"trusted_certs"`
	Untrusted     []string `json:"untrusted_intermediates"`
	Leaf          string   `json:"peer_certificate"`
	Time          string   `json:"validation_time"`
	KeyUsage      []string `json:"key_usage"`
	ExtKeyUsage   []string `json:"extended_key_usage"`
	Expected      string   `json:"expected_result"`
	Peer          *peer    `json:"expected_peer_name"`
	MaxChainDepth *int     `json:"max_chain_depth"`
	CRLs          []string
}

type peer struct{ Kind, Value string }

func runLimbo(o options) ([]outcome, error) {
	raw, err := index(o.data, "validation", "path", "limbo.json")
	if err != nil {
		return nil, err
	}
	var suite struct{ Testcases []limboTest }
	if err := json.Unmarshal(raw, &suite); err != nil {
		return nil, err
	}
	var out []outcome
	for _, tt := range suite.Testcases {
		want := invalid
		if tt.Expected == "SUCCESS" {
			want = valid
		}
		err := tt.judge()
		out = append(out, judged(tt.ID, want, err, tt.pedantries()...))
	}
	return out, nil
}

// pedantries are the set's words for rules that few hold anybody to; its other
// features say what a case is about.
func (tt limboTest) pedantries() []string {
	return slices.DeleteFunc(slices.Clone(tt.Features), func(f string) bool { return !strings.HasPrefix(f, "pedantic-") })
}

var limboUsages = map[string]cert.KeyUsage{
	"digitalSignature": cert.KeyUsageDigitalSignature, "contentCommitment": cert.KeyUsageNonRepudiation,
	"keyEncipherment": cert.KeyUsageKeyEncipherment, "keyCertSign": cert.KeyUsageCertSign, "cRLSign": cert.KeyUsageCRLSign,
}

// limboNow stands in where a case sets no time: the sets are made to be valid
// for decades.
var limboNow = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

func (tt limboTest) judge() error {
	trusted, err := parseAll(tt.Trusted)
	if err != nil {
		return err
	}
	r := path.Request{At: limboNow, Strict: !strings.HasPrefix(tt.ID, "online::")}
	if r.Anchors, err = trust.New(trusted...); err != nil {
		return err
	}
	untrusted, _ := parseAll(tt.Untrusted) // one that cannot be read helps no path
	r.Intermediates = untrusted
	leaf, err := parseAll([]string{tt.Leaf})
	if err != nil {
		return err
	}
	r.Leaf = leaf[0]
	if tt.Time != "" {
		if r.At, err = time.Parse(time.RFC3339, tt.Time); err != nil {
			return err
		}
	}
	r.Purpose = mustOID("1.3.6.1.5.5.7.3.1")
	if tt.Kind == "CLIENT" {
		r.Purpose = cert.OIDUsageClientAuth
	}
	for _, name := range tt.KeyUsage {
		r.Usage |= limboUsages[name]
	}
	if tt.Peer != nil && tt.Kind == "SERVER" {
		r.Host = tt.Peer.Value
	}
	// What the CA/Browser Forum demands besides, as far as there are options
	// for it.
	web := strings.HasPrefix(tt.ID, "webpki::")
	r.StrictPurpose = web
	r.Accept = func(p *path.Path) error {
		if n := intermediates(p); tt.MaxChainDepth != nil && n > *tt.MaxChainDepth {
			return fault.New(fault.PathTooLong, "", "%d intermediates", n)
		}
		if !web {
			return nil
		}
		if p.Certificates[0].IsCA {
			return fault.New(fault.PurposeForbidden, "", "a CA for a server")
		}
		policy, err := trust.CryptoPolicyByName("sha2")
		if err != nil {
			return err
		}
		return policy.CheckPath(p.Certificates, r.At)
	}
	if len(tt.CRLs) == 0 {
		_, err = path.Build(r)
		return err
	}
	var checker revocation.Checker
	for _, text := range tt.CRLs {
		for _, b := range blocks([]byte(text)) {
			checker.Given = append(checker.Given, revocation.Information{Kind: revocation.CRL, Raw: b.Bytes, Source: revocation.Given})
		}
	}
	_, _, err = path.BuildUnrevoked(context.Background(), r, checker, revocation.Rules{At: r.At, Strict: true})
	return err
}

// intermediates counts as path lengths do, without those that are self-issued.
func intermediates(p *path.Path) int {
	n := 0
	for _, c := range p.Certificates[:len(p.Certificates)-1][min(1, len(p.Certificates)-1):] {
		if !c.SelfIssued() {
			n++
		}
	}
	return n
}

// parseAll reads what can be read; err is for the first that cannot.
func parseAll(list []string) (certs []*cert.Certificate, err error) {
	for _, text := range list {
		for _, b := range blocks([]byte(text)) {
			c, parseErr := cert.Parse(b.Bytes)
			if parseErr != nil {
				err = parseErr
				continue
			}
			certs = append(certs, c)
		}
	}
	return certs, err
}
