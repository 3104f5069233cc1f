package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// dssTime is when the set was taken from its source, whose tests judge at the
// time when they run.
var dssTime = time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)

func runDSSCrypto(o options) ([]outcome, error)     { return runDSS(o, (*dssCase).crypto) }
func runDSSIndication(o options) ([]outcome, error) { return runDSS(o, (*dssCase).indication) }
func runDSSSecurity(o options) ([]outcome, error)   { return runDSS(o, (*dssCase).security) }

// dssCase is one row and what became of it.
type dssCase struct {
	row    map[string]string
	facts  *facts.Facts
	report *verifier.Report
	err    error // of reading; facts and report are nil then
}

// runDSS judges every row and keeps what score makes of it.
func runDSS(o options, score func(*dssCase) (outcome, bool)) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "dss")
	rows, err := table(filepath.Join(folder, "manifest_cades.tsv"))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		if row["use"] == "exclude" {
			continue
		}
		c, err := judgeDSS(filepath.Join(folder, "files"), row)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row["id"], err)
		}
		if result, scored := score(c); scored {
			out = append(out, result)
		}
	}
	return out, nil
}

// judgeDSS reads and judges one document as its row says.
func judgeDSS(files string, row map[string]string) (*dssCase, error) {
	in, err := dssInput(files, row)
	if err != nil {
		return nil, err
	}
	policy, err := verifier.PolicyByName("etsi-basic")
	if err != nil {
		return nil, err
	}
	c := &dssCase{row: row}
	if c.facts, c.err = verifier.Collect(context.Background(), in); c.err == nil {
		c.report = verifier.Judge(c.facts, policy, in.Anchors, dssTimeOf(row["trust"]))
	}
	return c, nil
}

// dssTimeOf is the row's own time if it states one (validation-time=2020-01-31).
func dssTimeOf(trust string) time.Time {
	for word := range strings.SplitSeq(trust, ",") {
		text, stated := strings.CutPrefix(word, "validation-time=")
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, text); stated && err == nil {
				return at
			}
		}
	}
	return dssTime
}

// dssInput is the document with what its row gives beside it. Certificates that
// are not trusted are only known.
func dssInput(files string, row map[string]string) (verifier.Input, error) {
	in := verifier.Input{Name: filepath.Base(row["file"])}
	var err error
	if in.Data, err = os.ReadFile(filepath.Join(files, row["file"])); err != nil {
		return in, err
	}
	if err := dssContent(&in, files, row["detached"]); err != nil {
		return in, err
	}
	if in.Certificates, err = dssCertificates(files, row["trust_certs"]); err != nil {
		return in, err
	}
	var anchors []*cert.Certificate
	if strings.Contains(row["trust"], "custom-trust") {
		anchors = in.Certificates
	}
	in.Anchors, err = trust.New(anchors...)
	return in, err
}

// dssContent gives the detached content, or a digest of it
// ("digest:SHA256:base64"), if the row has one that is there.
func dssContent(in *verifier.Input, files, detached string) (err error) {
	name, _, _ := strings.Cut(detached, "|")
	if text, isDigest := strings.CutPrefix(name, "digest:"); isDigest {
		name, value, _ := strings.Cut(text, ":")
		digest, err := algo.DigestByName(digestNamed(name))
		if err != nil {
			return nil // of an algorithm that is not here: nothing is known of the content
		}
		sum, err := base64.StdEncoding.DecodeString(value)
		in.ContentDigests = map[*algo.Digest][]byte{digest: sum}
		return err
	}
	if name == "" || strings.HasPrefix(name, "UNRESOLVED") || name == "detached" {
		return nil
	}
	in.Content, err = os.ReadFile(filepath.Join(files, name))
	return err
}

// digestNamed is our name for one of DSS's: SHA256, SHA3-512, SHA3_512.
func digestNamed(name string) string {
	if name = strings.ReplaceAll(name, "_", "-"); strings.Contains(name, "-") {
		return name
	}
	return strings.Replace(name, "SHA", "SHA-", 1)
}

// dssCertificates reads what can be read: some are of curves that are not here.
func dssCertificates(files, list string) ([]*cert.Certificate, error) {
	var out []*cert.Certificate
	for name := range strings.SplitSeq(list, "|") {
		if name == "" {
			continue
		}
		found, err := readCertificates(filepath.Join(files, name))
		if err != nil && fault.Of(err) == nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// crypto scores the cryptographic verdict.
func (c *dssCase) crypto() (outcome, bool) {
	want, got := c.row["crypto_expected"], c.word()
	switch want {
	case "", "UNSPEC":
		return outcome{}, false
	case "VALID":
		want = valid
	case "INVALID": // and the set does not say why
		if got != valid {
			got = want
		}
	}
	return c.outcome(want, got), true
}

// indication scores the final verdict where the set knows one.
func (c *dssCase) indication() (outcome, bool) {
	want := c.row["indication"]
	if want == "" || c.row["indication_conf"] == "none" {
		return outcome{}, false
	}
	want = strings.TrimSuffix(strings.ReplaceAll(want, "_", "-")+"/"+c.row["subindication"], "/")
	got := "unreadable"
	if c.report != nil {
		got = strings.TrimSuffix(string(c.report.Indication)+"/"+string(c.report.SubIndication), "/")
	}
	return c.outcome(want, got), true
}

// security scores the rows that a naive check lets pass.
func (c *dssCase) security() (outcome, bool) {
	if c.row["use"] != "score-security" {
		return outcome{}, false
	}
	got := invalid
	if c.report != nil && (c.report.Indication == verifier.TotalPassed || c.word() == valid) {
		got = valid
	}
	return c.outcome(invalid, got), true
}

// word is what cryptography alone says, in the set's words: of several
// signatures that do not agree, MIXED.
func (c *dssCase) word() string {
	switch {
	case fault.Is(c.err, fault.NoSignature):
		return "NO_SIGNATURE"
	case c.err != nil:
		return "PARSE_ERROR"
	}
	word := ""
	for _, s := range c.facts.Signatures {
		next := cryptographicWord(s)
		if word != "" && word != next {
			return "MIXED"
		}
		word = next
	}
	return word
}

func cryptographicWord(s facts.Signature) string {
	for _, covered := range s.Covers {
		switch {
		case !covered.Found:
			return "SIGNED_DATA_NOT_FOUND"
		case !covered.Intact:
			return "HASH_FAILURE"
		}
	}
	if len(s.Candidates) == 0 {
		return "NO_SIGNING_CERT"
	}
	for _, candidate := range s.Candidates {
		if candidate.Verified && (candidate.Referenced || len(s.References) == 0) {
			return valid
		}
	}
	return "SIG_CRYPTO_FAILURE"
}

// outcome puts what came out beside what the set says, with our reason: the
// first error of reading or of the report.
func (c *dssCase) outcome(want, got string) outcome {
	o := saying(c.row["id"], want, got, c.err, want)
	if c.report == nil {
		return o
	}
	var details []string
	for _, s := range c.report.Signatures {
		for _, m := range s.Errors {
			if o.reason == "" {
				o.reason = m.Code
			}
			details = append(details, strings.TrimSpace(string(m.Code)+" "+m.Detail))
		}
	}
	o.detail = strings.Join(details, "; ")
	return o
}
