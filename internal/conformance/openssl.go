package main

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// opensslNow is a time at which OpenSSL's test certificates are meant to be
// judged: their suite uses the clock, and they last a century.
var opensslNow = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// opensslTrusted is a trusted certificate with OpenSSL's settings beside it.
type opensslTrusted struct {
	*cert.Certificate
	trust, reject []asn1.ObjectIdentifier
}

// runOpenSSLVerify runs the table of test/recipes/25-test_verify.t.
func runOpenSSLVerify(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "path")
	rows, err := table(filepath.Join(folder, "openssl_verify.tsv"))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		want := invalid
		if row["expected_valid"] == "yes" {
			want = valid
		}
		err := judgeOpenSSL(filepath.Join(folder, "openssl-certs"), row)
		out = append(out, judged(row["id"], want, err, row["title"]))
	}
	return out, nil
}

// levels are OpenSSL's security levels as far as they are about keys of
// certificates and digests in their signatures.
var levels = map[string]*trust.CryptoPolicy{
	"1": {Name: "level 1", Digests: named("SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"), Keys: keys(1024, 160)},
	"2": {Name: "level 2", Digests: named("SHA-224", "SHA-256", "SHA-384", "SHA-512"), Keys: keys(2048, 224)},
	"3": {Name: "level 3", Digests: named("SHA-256", "SHA-384", "SHA-512"), Keys: keys(3072, 256)},
}

func named(names ...string) []trust.DigestRule {
	var out []trust.DigestRule
	for _, n := range names {
		out = append(out, trust.DigestRule{Name: n})
	}
	return out
}

func keys(rsa, ec int) []trust.KeyRule {
	return []trust.KeyRule{{Name: "RSA", Bits: rsa}, {Name: "DSA", Bits: rsa}, {Name: "ECDSA", Bits: ec}, {Name: "Ed25519"}}
}

// opensslPurposes are the names of -purpose.
var opensslPurposes = map[string]asn1.ObjectIdentifier{
	"": nil, "any": nil,
	"sslserver": oidServerAuth, "sslclient": cert.OIDUsageClientAuth, "smimesign": cert.OIDUsageEmailProtection,
	"codesign": mustOID("1.3.6.1.5.5.7.3.3"), "timestampsign": cert.OIDUsageTimeStamping,
}

// opensslTerms are what the options of a row say.
type opensslTerms struct {
	at              time.Time
	partial, strict bool
	level           string
	depth           int // -1: no limit
	policies        path.PolicyDemand
}

func parseOpenSSLTerms(options string) (t opensslTerms, err error) {
	t = opensslTerms{at: opensslNow, level: "1", depth: -1}
	list := strings.Fields(options)
	t.partial, t.strict = slices.Contains(list, "-partial_chain"), slices.Contains(list, "-x509_strict")
	t.policies = path.PolicyDemand{
		Explicit: slices.Contains(list, "-explicit_policy"), InhibitAny: slices.Contains(list, "-inhibit_any"), InhibitMapping: slices.Contains(list, "-inhibit_map"),
	}
	for i, o := range list[:max(len(list)-1, 0)] {
		switch o {
		case "-auth_level":
			t.level = list[i+1]
		case "-verify_depth":
			t.depth, err = strconv.Atoi(list[i+1])
		case "-attime":
			var seconds int64
			seconds, err = strconv.ParseInt(list[i+1], 10, 64)
			t.at = time.Unix(seconds, 0)
		case "-policy":
			var oid asn1.ObjectIdentifier
			oid, err = cert.ParseOID(list[i+1])
			t.policies.Initial = append(t.policies.Initial, oid)
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// judgeOpenSSL judges a row by path.Build, with OpenSSL's trust settings for
// anchors. Where there are several chains, path.Build looks for one that is
// valid; OpenSSL judges the first that it finds.
func judgeOpenSSL(folder string, row map[string]string) error {
	leaf, err := readTrusted(filepath.Join(folder, row["cert"]))
	if err != nil {
		return err
	}
	terms, err := parseOpenSSLTerms(row["options"])
	if err != nil {
		return err
	}
	purpose, known := opensslPurposes[row["purpose"]]
	if !known {
		return fmt.Errorf("%s: purpose %q is not known here", row["id"], row["purpose"])
	}
	trusted, err := readAllTrusted(folder, row["trusted"])
	if err != nil {
		return err
	}
	untrusted, err := readAllTrusted(folder, row["untrusted"])
	if err != nil {
		return err
	}
	r := path.Request{Leaf: leaf[0].Certificate, At: terms.at, Purpose: purpose, Strict: terms.strict, Policies: terms.policies}
	var anchors, distrusted []*cert.Certificate
	for _, t := range trusted {
		switch t.standing(purpose) {
		case yes:
			r.BareAnchors = true // the setting is about this purpose, whatever the certificate's own say
			anchors = append(anchors, t.Certificate)
		case no:
			distrusted = append(distrusted, t.Certificate)
		case unsaid:
			if terms.partial || t.SelfIssued() {
				anchors = append(anchors, t.Certificate)
			} else {
				r.Intermediates = append(r.Intermediates, t.Certificate)
			}
		}
	}
	for _, t := range untrusted {
		r.Intermediates = append(r.Intermediates, t.Certificate)
	}
	if r.Anchors, err = trust.New(anchors...); err != nil {
		return err
	}
	r.Accept = func(p *path.Path) error { return terms.accept(p, distrusted) }
	_, err = path.Build(r)
	return err
}

// accept is what OpenSSL demands of a chain besides.
func (t opensslTerms) accept(p *path.Path, distrusted []*cert.Certificate) error {
	if n := len(p.Certificates) - 2; t.depth >= 0 && n > t.depth {
		return fault.New(fault.PathTooLong, "", "%d intermediates", n)
	}
	for _, c := range p.Certificates {
		if slices.ContainsFunc(distrusted, func(d *cert.Certificate) bool {
			return d.Subject.Equal(c.Subject) && bytes.Equal(d.RawSPKI, c.RawSPKI)
		}) {
			return fault.New(fault.PurposeForbidden, "", "%s is distrusted", c.Subject)
		}
		if !c.Covers(t.at) { // anchors are held to their dates, too
			return fault.New(fault.CertificateExpired, "", "%s", c.Subject)
		}
	}
	if top := p.Certificates[len(p.Certificates)-1]; len(p.Certificates) > 1 && top.Version == 3 && !top.IsCA {
		return fault.New(fault.NotACA, "", "%s", top.Subject)
	}
	return levels[t.level].CheckPath(p.Certificates, t.at)
}

// standing is what OpenSSL's settings say of a certificate for a purpose.
type standing int

const (
	unsaid standing = iota
	yes
	no
)

func (t opensslTrusted) standing(purpose asn1.ObjectIdentifier) standing {
	has := func(list []asn1.ObjectIdentifier) bool {
		return slices.ContainsFunc(list, func(oid asn1.ObjectIdentifier) bool {
			return oid.Equal(purpose) || oid.Equal(asn1.ObjectIdentifier{2, 5, 29, 37, 0})
		})
	}
	switch {
	case has(t.reject), len(t.trust) > 0 && !has(t.trust):
		return no
	case len(t.trust) > 0:
		return yes
	}
	return unsaid
}

// readAllTrusted reads the files of a list.
func readAllTrusted(folder, names string) (all []opensslTrusted, err error) {
	for _, name := range strings.FieldsFunc(names, func(c rune) bool { return c == ',' }) {
		list, err := readTrusted(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// readTrusted reads PEM certificates, and OpenSSL's with trust settings after
// them (X509_CERT_AUX).
func readTrusted(file string) ([]opensslTrusted, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []opensslTrusted
	for _, b := range blocks(data) {
		t, err := parseTrusted(b)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func parseTrusted(b *pem.Block) (t opensslTrusted, err error) {
	s := cryptobyte.String(b.Bytes)
	var der, aux, trusted, rejected cryptobyte.String
	if !s.ReadASN1Element(&der, cbasn1.SEQUENCE) {
		return t, fault.New(fault.CertificateUnreadable, "", "not a SEQUENCE")
	}
	if t.Certificate, err = cert.Parse(der); err != nil || s.Empty() || !s.ReadASN1(&aux, cbasn1.SEQUENCE) {
		return t, err
	}
	if aux.PeekASN1Tag(cbasn1.SEQUENCE) && aux.ReadASN1(&trusted, cbasn1.SEQUENCE) {
		t.trust = readOIDs(trusted)
	}
	var present bool
	if aux.ReadOptionalASN1(&rejected, &present, cbasn1.Tag(0).ContextSpecific().Constructed()) && present {
		t.reject = readOIDs(rejected)
	}
	return t, nil
}

func readOIDs(s cryptobyte.String) (out []asn1.ObjectIdentifier) {
	for !s.Empty() {
		var oid asn1.ObjectIdentifier
		if !s.ReadASN1ObjectIdentifier(&oid) {
			return out
		}
		out = append(out, oid)
	}
	return out
}

func mustOID(s string) asn1.ObjectIdentifier {
	oid, err := cert.ParseOID(s)
	if err != nil {
		panic(err) // a constant of this package
	}
	return oid
}

// runOpenSSLOCSP runs the answers of test/recipes/80-test_ocsp.t. The
// certificates asked about are not in the set: the one that the answer speaks
// of stands in, so that all but that is tested. The answers had run out at the
// suite's time, which is for the certificates; they are held against the time
// when they were made.
func runOpenSSLOCSP(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "ocsp")
	rows, err := table(filepath.Join(folder, "openssl_ocsp.tsv"))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		want := invalid
		if row["expected_valid"] == "yes" {
			want = valid
		}
		raw, err := os.ReadFile(filepath.Join(folder, "openssl", row["response"]))
		if err != nil {
			return nil, err
		}
		if list := blocks(raw); len(list) > 0 {
			raw = list[0].Bytes
		}
		trusted, err := readCertificates(filepath.Join(folder, "openssl", row["trusted"]))
		if err != nil {
			return nil, err
		}
		others := trusted
		if row["other_certs"] != "" {
			if others, err = readCertificates(filepath.Join(folder, "openssl", row["other_certs"])); err != nil {
				return nil, err
			}
		}
		at, err := time.Parse(time.RFC3339, row["at_time"])
		if err != nil {
			return nil, err
		}
		err = judgeOpenSSLAnswer(raw, trusted, others, at)
		out = append(out, judged(row["id"], want, err, row["group"]))
	}
	return out, nil
}

// judgeOpenSSLAnswer takes each certificate for the issuer that the answer is
// about, and finds its path to one that is trusted.
func judgeOpenSSLAnswer(raw []byte, trusted, others []*cert.Certificate, at time.Time) error {
	r, err := revocation.ParseResponse(raw)
	if err != nil {
		return err
	}
	serials := r.Serials()
	if len(serials) == 0 {
		return fault.New(fault.OCSPOtherCertificate, "", "no answer")
	}
	anchors, err := trust.New(trusted...)
	if err != nil {
		return err
	}
	var reason error
	for _, issuer := range slices.Concat(trusted, others) {
		s := revocation.Subject{
			Certificate: &cert.Certificate{Serial: serials[0], RawIssuer: issuer.RawSubject, Issuer: issuer.Subject},
			Issuer:      issuer,
		}
		_, err := revocation.Check(revocation.Information{Kind: revocation.OCSP, Raw: raw}, s, revocation.Rules{At: r.ProducedAt})
		if err == nil {
			_, err = path.Build(path.Request{Leaf: issuer, Intermediates: others, Anchors: anchors, At: at})
		}
		if err == nil {
			return nil
		}
		if reason == nil || fault.Is(reason, fault.OCSPOtherCertificate) {
			reason = err
		}
	}
	return reason
}

// checkRollover gives a CRL together with the issuer's other certificate, which
// the issuer on the path vouches for or that is the issuer's name anew.
func checkRollover(raw []byte, info revocation.Information, s revocation.Subject, rules revocation.Rules) (*revocation.Evidence, error) {
	other, err := cert.Parse(raw)
	if err != nil {
		return nil, err
	}
	e, failed := revocation.CheckCRLs(context.Background(), []revocation.Information{info}, s, revocation.Signers{
		Candidates: []*cert.Certificate{other},
		Trust:      func(context.Context, *cert.Certificate, revocation.Subject) error { return nil },
	}, rules)
	if e == nil {
		return nil, failed[0].Err
	}
	return e, nil
}
