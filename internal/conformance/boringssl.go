package main

import (
	"encoding/asn1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
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
		out = append(out, judged(row["id"], want, err, boringErrors(row["errors"])...))
	}
	return out, nil
}

// boringErrors are what the set says against a chain, without its warnings.
func boringErrors(column string) (list []string) {
	for part := range strings.SplitSeq(column, ";") {
		if what, isError := strings.CutPrefix(strings.TrimSpace(part), "ERROR:"); isError {
			list = append(list, what)
		}
	}
	return list
}

// boringPurpose is a KeyPurpose of BoringSSL: what the leaf and the CAs below the
// anchor list where they list any, or anyExtendedKeyUsage.
type boringPurpose struct {
	leaf, ca         asn1.ObjectIdentifier
	listed, caListed bool // each must list its own, and nothing stands for it
}

var (
	oidServerAuth = mustOID("1.3.6.1.5.5.7.3.1")
	oidMLSClient  = mustOID("2.23.146.2.1.3")
)

var boringPurposes = map[string]boringPurpose{
	"ANY_EKU":           {},
	"SERVER_AUTH":       {leaf: oidServerAuth, ca: oidServerAuth},
	"CLIENT_AUTH":       {leaf: cert.OIDUsageClientAuth, ca: cert.OIDUsageClientAuth},
	"MLS_CLIENT_AUTH":   {leaf: oidMLSClient, ca: oidMLSClient, listed: true, caListed: true},
	"C2PA_TIMESTAMPING": {leaf: cert.OIDUsageTimeStamping, ca: oidMLSClient, listed: true, caListed: true},
	"C2PA_MANIFEST":     {leaf: cert.OIDUsageEmailProtection, ca: oidMLSClient, listed: true, caListed: true},
}

// boringPolicies are what BoringSSL's delegate takes for its tests: keys from
// 1024 bits, NIST's curves, and digests by the policy's name.
var boringPolicies = map[string]*trust.CryptoPolicy{
	"":       {Name: "weak", Digests: named("SHA-1", "SHA-256", "SHA-384", "SHA-512"), Keys: keys(1024, 256)},
	"STRONG": {Name: "strong", Digests: named("SHA-256", "SHA-384", "SHA-512"), Keys: keys(1024, 256)},
}

func judgeBoringSSLChain(file string, row map[string]string) error {
	chain, err := readCertificates(file)
	if err != nil {
		return err
	}
	r := path.Request{Leaf: chain[0], Intermediates: chain[1:], At: boringDefault}
	if row["utc_time"] != "DEFAULT" {
		if r.At, err = time.Parse("060102150405Z", row["utc_time"]); err != nil {
			return err
		}
	}
	name, strictLeaf := strings.CutSuffix(row["key_purpose"], "_STRICT_LEAF")
	name, strict := strings.CutSuffix(name, "_STRICT")
	purpose, known := boringPurposes[name]
	policy := boringPolicies[row["digest_policy"]]
	if !known || policy == nil {
		return fmt.Errorf("%s: purpose %q, policy %q: not known here", row["id"], row["key_purpose"], row["digest_policy"])
	}
	if purpose.leaf.Equal(purpose.ca) {
		r.Purpose = purpose.leaf
	}
	r.StrictPurpose = strict
	purpose.listed = purpose.listed || strict || strictLeaf
	purpose.caListed = purpose.caListed || strict && name == "CLIENT_AUTH" // of CAs, not asked for servers
	anchor, err := boringAnchor(&r, chain, row["last_cert_trust"])
	if err != nil {
		return err
	}
	r.Accept = func(p *path.Path) error {
		if anchor.expires && !p.Anchor.Certificate.Covers(r.At) {
			return fault.New(fault.CertificateExpired, "", "the anchor")
		}
		if err := purpose.check(p, anchor.constrained); err != nil {
			return err
		}
		if strict || strictLeaf {
			if err := onlyForServers(p.Certificates[0]); err != nil {
				return err
			}
		}
		return policy.CheckPath(p.Certificates, r.At)
	}
	for _, s := range strings.FieldsFunc(row["initial_policy_set"], func(c rune) bool { return c == ',' || c == ' ' }) {
		oid, err := cert.ParseOID(s)
		if err != nil {
			return err
		}
		r.Policies.Initial = append(r.Policies.Initial, oid)
	}
	r.Policies.Explicit = slices.Contains([]string{"true", "1", "yes"}, strings.ToLower(row["initial_explicit_policy"]))
	_, err = path.Build(r)
	return err
}

// check holds a path against what must be listed.
func (b boringPurpose) check(p *path.Path, anchorToo bool) error {
	for i, c := range p.Certificates {
		wanted, must := b.ca, b.caListed
		if i == 0 {
			wanted, must = b.leaf, b.listed
		}
		if i > 0 && i == len(p.Certificates)-1 {
			must = must && anchorToo && len(c.ExtKeyUsage) > 0
		}
		if must && !c.HasExtKeyUsage(wanted) {
			return fault.New(fault.PurposeForbidden, "", "certificate %d does not list %s", i, wanted)
		}
	}
	return nil
}

// notForServers may not stand beside a server's purpose, nor a client's, by the
// CA/Browser Forum's requirements (§7.1.2.7.10), which is what STRICT says.
var notForServers = []asn1.ObjectIdentifier{
	mustOID("2.5.29.37.0"), mustOID("1.3.6.1.5.5.7.3.3"), cert.OIDUsageTimeStamping, cert.OIDUsageOCSPSigning,
}

// onlyForServers is what the same requirements say of a subscriber's
// certificate.
func onlyForServers(c *cert.Certificate) error {
	if c.IsCA {
		return fault.New(fault.PurposeForbidden, "", "a CA for a server")
	}
	for _, oid := range notForServers {
		if c.HasExtKeyUsage(oid) {
			return fault.New(fault.PurposeForbidden, "", "also for %s", oid)
		}
	}
	return nil
}

// boringTrust is what BoringSSL's kind of trust says besides.
type boringTrust struct{ expires, constrained bool }

// boringAnchor makes the last certificate an anchor as the kind of trust has it,
// such as TRUSTED_ANCHOR_WITH_EXPIRATION_AND_CONSTRAINTS.
func boringAnchor(r *path.Request, chain []*cert.Certificate, kind string) (t boringTrust, err error) {
	last, single := chain[len(chain)-1], len(chain) == 1
	base, with, _ := strings.Cut(kind, "_WITH_")
	t.expires = strings.Contains(with, "EXPIRATION")
	t.constrained = strings.Contains(strings.ReplaceAll(with, "REQUIRE_BASIC_CONSTRAINTS", ""), "CONSTRAINTS")
	r.BareAnchors, r.AnchorPolicies = !t.constrained, t.constrained
	selfSigned := last.SelfIssued() && last.VerifySignedBy(last) == nil
	trusted := false
	switch base {
	case "TRUSTED_ANCHOR": // trusted to issue, not for itself
		trusted = !single
	case "TRUSTED_LEAF":
		trusted = single
	case "TRUSTED_LEAF_REQUIRE_SELF_SIGNED":
		trusted = single && selfSigned
	case "TRUSTED_ANCHOR_OR_LEAF":
		trusted = true
	case "TRUSTED_ANCHOR_OR_LEAF_REQUIRE_SELF_SIGNED":
		trusted = !single || selfSigned
	case "DISTRUSTED", "UNSPECIFIED":
	default:
		return t, fmt.Errorf("trust %q is not known here", kind)
	}
	if trusted {
		r.Anchors, err = trust.New(last)
	}
	return t, err
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
			out = append(out, saying(row["id"], row[column], "UNKNOWN", err))
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
		out = append(out, saying(row["id"], row[column], statusWord(e, err), err))
	}
	return out, nil
}
