package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// boringDefault is the time at which BoringSSL judges where a row sets none.
var boringDefault = time.Date(2021, 10, 5, 12, 0, 0, 0, time.UTC)

// runBoringSSLChains runs chains whose last certificate is trusted in some way.
func runBoringSSLChains(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "path")
	rows, err := table(filepath.Join(folder, "boringssl_chains.tsv"))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		want := invalid
		if row["expected_valid"] == "yes" {
			want = valid
		}
		err := judgeBoringSSLChain(filepath.Join(folder, "boringssl-chains", row["chain"]), row)
		out = append(out, outcome{row["id"], want, verdict(err), detail(err)})
	}
	return out, nil
}

func judgeBoringSSLChain(file string, row map[string]string) error {
	chain, err := readCertificates(file)
	if err != nil {
		return err
	}
	r := path.Request{Leaf: chain[0], At: boringDefault}
	if row["utc_time"] != "DEFAULT" {
		if r.At, err = time.Parse("060102150405Z", row["utc_time"]); err != nil {
			return err
		}
	}
	purpose := strings.TrimSuffix(strings.TrimSuffix(row["key_purpose"], "_LEAF"), "_STRICT")
	r.StrictPurpose = strings.Contains(row["key_purpose"], "_STRICT")
	switch purpose {
	case "SERVER_AUTH":
		r.Purpose = mustOID("1.3.6.1.5.5.7.3.1")
	case "CLIENT_AUTH":
		r.Purpose = cert.OIDUsageClientAuth
	case "C2PA_TIMESTAMPING":
		r.Purpose = cert.OIDUsageTimeStamping
	case "MLS_CLIENT_AUTH":
		r.Purpose, r.StrictPurpose = mustOID("1.3.6.1.4.1.54392.5.1849"), true
	}
	last := chain[len(chain)-1]
	single := len(chain) == 1
	switch row["last_cert_trust"] {
	case "TRUSTED_ANCHOR", "TRUSTED_ANCHOR_WITH_EXPIRATION", "TRUSTED_ANCHOR_WITH_REQUIRE_BASIC_CONSTRAINTS":
		r.BareAnchors = true
		if single { // an anchor is trusted to issue, not for itself
			last = nil
		}
	case "TRUSTED_ANCHOR_WITH_CONSTRAINTS":
		r.AnchorPolicies = true
	case "TRUSTED_LEAF":
		if !single {
			last = nil
		}
	case "TRUSTED_LEAF_REQUIRE_SELF_SIGNED":
		if !single || !last.SelfIssued() || last.VerifySignedBy(last) != nil {
			last = nil
		}
	case "DISTRUSTED":
		last = nil
	}
	if last != nil {
		if r.Anchors, err = trust.New(last); err != nil {
			return err
		}
	}
	r.Intermediates = chain[1:]
	var policy *trust.CryptoPolicy
	if row["digest_policy"] == "STRONG" {
		if policy, err = trust.CryptoPolicyByName("sha2"); err != nil {
			return err
		}
	}
	r.Accept = func(p *path.Path) error { return policy.CheckPath(p.Certificates, r.At) }
	for _, s := range strings.FieldsFunc(row["initial_policy_set"], func(c rune) bool { return c == ',' || c == ' ' }) {
		oid, err := parseOID(s)
		if err != nil {
			return err
		}
		r.Policies.Initial = append(r.Policies.Initial, oid)
	}
	r.Policies.Explicit = strings.EqualFold(row["initial_explicit_policy"], "true") || row["initial_explicit_policy"] == "1" || row["initial_explicit_policy"] == "yes"
	_, err = path.Build(r)
	return err
}

// boringFile reads the blocks of one of BoringSSL's files by label.
func boringFile(file string) (map[string][]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte)
	for _, b := range blocks(data) {
		out[b.Type] = b.Bytes
	}
	return out, nil
}

// boringSubject is the certificate asked about.
func boringSubject(b map[string][]byte) (revocation.Subject, error) {
	leaf, err := cert.Parse(b["CERTIFICATE"])
	if err != nil {
		return revocation.Subject{}, err
	}
	issuer, err := cert.Parse(b["CA CERTIFICATE"])
	return revocation.Subject{Certificate: leaf, Issuer: issuer}, err
}

const week = 7 * 24 * time.Hour

// statusWord is BoringSSL's word for what was found out.
func statusWord(e *revocation.Evidence, err error) string {
	if err != nil {
		return "UNKNOWN"
	}
	return map[revocation.Status]string{revocation.Good: "GOOD", revocation.Revoked: "REVOKED", revocation.Unknown: "UNKNOWN"}[e.Status]
}

func runBoringSSLOCSP(o options) ([]outcome, error) {
	return runBoringSSLStatus(o.data, "ocsp", "boringssl_ocsp.tsv", "expected_cert_status", "OCSP RESPONSE", revocation.OCSP)
}

func runBoringSSLCRL(o options) ([]outcome, error) {
	return runBoringSSLStatus(o.data, "crl", "boringssl_crl.tsv", "expected", "CRL", revocation.CRL)
}

func runBoringSSLStatus(data, folder, list, column, label string, kind revocation.Kind) ([]outcome, error) {
	folder = filepath.Join(data, "validation", folder)
	rows, err := table(filepath.Join(folder, list))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		b, err := boringFile(filepath.Join(folder, "boringssl", row["file"]))
		if err != nil {
			return nil, err
		}
		s, err := boringSubject(b)
		if err != nil {
			out = append(out, outcome{row["id"], row[column], "UNKNOWN", detail(err)})
			continue
		}
		at, err := time.Parse(time.RFC3339, row["verify_time"])
		if err != nil {
			return nil, err
		}
		info := revocation.Information{Kind: kind, Raw: b[label], Source: revocation.Given}
		rules := revocation.Rules{At: at, MaxAge: week}
		e, err := revocation.Check(info, s, rules)
		if raw, ok := b["CA CERTIFICATE 2"]; ok && kind == revocation.CRL {
			e, err = checkRollover(raw, info, s, rules)
		}
		out = append(out, outcome{row["id"], row[column], statusWord(e, err), detail(err)})
	}
	return out, nil
}
