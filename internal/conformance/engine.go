package main

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// enginePolicy is DSS's default policy as far as its constraints exist here;
// what follows a policy's name changes it.
const enginePolicy = `
name: dss-default
signature:
  levels: {level: ignore}
  signing_certificate_reference: warn
  issuer_serial: warn
  signing_time: fail
  signing_time_in_validity: fail
  counter_signatures: ignore
  signature_policy: warn
signer:
  key_usage: {level: warn, all_of: [nonRepudiation]}
revocation:
  freshness: {level: ignore}
  timestamp_ca: warn
timestamps:
  order: warn
  authority_name: warn
  critical_usage: ignore
  signing_certificate_reference: warn
cryptography:
  level: fail
  default:
    digests:
      - {name: SHA-1, until: 2012-08-01}
      - {name: SHA-224, until: 2029-01-01}
      - {name: SHA-256}
      - {name: SHA-384}
      - {name: SHA-512}
      - {name: SHA3-256}
      - {name: SHA3-384}
      - {name: SHA3-512}
    keys:
      - {name: DSA, bits: 1024, until: 2015-12-01}
      - {name: DSA, bits: 1900, until: 2029-01-01}
      - {name: RSA, bits: 786, until: 2010-08-01}
      - {name: RSA, bits: 1024, until: 2019-10-01}
      - {name: RSA, bits: 1900, until: 2029-01-01}
      - {name: RSA, bits: 3000}
      - {name: ECDSA, bits: 160, until: 2012-08-01}
      - {name: ECDSA, bits: 224, until: 2021-10-01}
      - {name: ECDSA, bits: 256}
`

// enginePolicies are the other policies that rows name, by what is in the name,
// as changes of that one.
var enginePolicies = []struct {
	name   string
	change func(*verifier.Policy)
}{
	{"CryptoWarn", func(p *verifier.Policy) { p.Cryptography.Level = verifier.Warn }},
	{"NoCrypto", func(p *verifier.Policy) { p.Cryptography.Level = verifier.Ignore }},
	{"NoRevoc", func(p *verifier.Policy) {
		p.Revocation.Freshness = verifier.Freshness{Level: verifier.Fail, MaxAge: time.Nanosecond}
	}},
	{"TL", func(p *verifier.Policy) { p.Revocation = verifier.RevocationRules{} }},
}

// engineOthers are policies for what is not a signature by EN 319 122-1.
var engineOthers = []string{"QWAC", "Certificate"}

// runEngine judges the facts that DSS recorded.
func runEngine(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "engine")
	rows, err := table(filepath.Join(folder, "engine_cases.tsv"))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		result, err := judgeEngine(folder, row)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row["dss_test"], err)
		}
		out = append(out, result)
	}
	return out, nil
}

func judgeEngine(folder string, row map[string]string) (outcome, error) {
	class, test, _ := strings.Cut(row["dss_test"], "#")
	o := outcome{id: test, theirs: []string{class}, want: strings.ReplaceAll(row["indication"], "_", "-")}
	if row["sub_indication"] != "" {
		o.want += "/" + row["sub_indication"]
	}
	if slices.ContainsFunc(engineOthers, func(name string) bool { return strings.HasPrefix(row["policy"], name) }) {
		o.got, o.reason, o.detail = "not judged", fault.PolicyUnknown, row["policy"]
		return o, nil
	}
	policy, err := verifier.ParsePolicy([]byte(enginePolicy))
	if err != nil {
		return o, err
	}
	for _, p := range enginePolicies {
		if strings.Contains(row["policy"], p.name) {
			p.change(&policy)
		}
	}
	data, err := readDiagnosticData(filepath.Join(folder, row["diagnostic_data"]))
	if err != nil {
		return o, err
	}
	data.fullScope = strings.HasPrefix(row["policy"], "TL")
	archival := strings.HasPrefix(row["validation_level"], "ARCHIVAL_DATA")
	found, anchors, at, err := engineFacts(data, archival)
	if err != nil {
		o.got, o.reason, o.detail = "not judged", fault.FactsUnreadable, err.Error()
		return o, nil
	}
	if row["validation_time"] == "other" { // not said: not before what was known then
		at = data.latest(at)
	}
	report := verifier.Judge(found, policy, anchors, at)
	if len(report.Signatures) == 0 {
		o.got = "no signature"
		return o, nil
	}
	s := report.Signatures[0]
	o.got = string(s.Indication)
	if row["sub_indication"] != "" && s.SubIndication != "" || s.Indication != verifier.TotalPassed && row["indication"] == "TOTAL_PASSED" {
		o.got += "/" + string(s.SubIndication)
	}
	for _, m := range s.Errors {
		if o.reason == "" {
			o.reason = m.Code
		}
		o.detail += string(m.Code) + " " + m.Detail + "; "
	}
	return o, nil
}

func readDiagnosticData(file string) (*diagnosticData, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	const sizeMax = 64 << 20
	text, err := io.ReadAll(io.LimitReader(z, sizeMax))
	if err != nil {
		return nil, err
	}
	data := &diagnosticData{}
	return data, xml.Unmarshal(text, data)
}

// latest is the latest time that the data knows of.
func (d *diagnosticData) latest(at time.Time) time.Time {
	for _, r := range d.Revocations {
		if produced, err := engineTime(r.Produced); err == nil && produced.After(at) {
			at = produced
		}
	}
	return at
}

// engineFacts maps what DSS recorded to facts, anchors and the time.
func engineFacts(data *diagnosticData, archival bool) (*facts.Facts, *trust.Store, time.Time, error) {
	at, err := engineTime(data.Validation)
	if err != nil {
		return nil, nil, at, err
	}
	pki, err := newEnginePKI(data, at)
	if err != nil {
		return nil, nil, at, err
	}
	m := &engineMapper{enginePKI: pki, archival: archival, facts: &facts.Facts{Version: facts.Version, Document: facts.Document{Name: "x", Format: "CAdES"}}}
	if m.revoked, err = pki.revocations(); err != nil {
		return nil, nil, at, err
	}
	anchors, err := m.evidence()
	if err != nil {
		return nil, nil, at, err
	}
	for i := range data.Signatures {
		if s := &data.Signatures[i]; !s.Counter {
			m.facts.Signatures = append(m.facts.Signatures, m.signature(s))
		}
	}
	return m.facts, anchors, at, nil
}

// engineMapper maps tokens and signatures.
type engineMapper struct {
	*enginePKI
	facts    *facts.Facts
	revoked  map[string]facts.Revocation
	archival bool // archive time-stamps are looked at
}

// evidence puts certificates and revocation information into the facts, in DSS's
// order, and gives the anchors.
func (m *engineMapper) evidence() (*trust.Store, error) {
	var anchors []*cert.Certificate
	for i := range m.data.Certificates {
		c := &m.data.Certificates[i]
		m.facts.AddCertificate(m.raw[c.ID], facts.FromMessage)
		if !m.isTrusted(c) {
			continue
		}
		parsed, err := cert.Parse(m.raw[c.ID])
		if err != nil {
			return nil, err
		}
		anchors = append(anchors, parsed)
	}
	for i := range m.data.Revocations {
		if r, ok := m.revoked[m.data.Revocations[i].ID]; ok {
			m.facts.AddRevocation(r, r.Origins[0])
		}
	}
	return trust.New(anchors...)
}

func (m *engineMapper) signature(s *diagSignature) facts.Signature {
	f := m.token(&s.diagToken)
	if at, err := engineTime(s.Claimed); err == nil {
		f.ClaimedTime = &at
	}
	f.Covers = engineCovers(s.Matchers)
	f.Defects = m.defects(s)
	for _, ref := range slices.Concat(s.Timestamps, m.recordTimestamps(s)) {
		for i := range m.data.Timestamps {
			t := &m.data.Timestamps[i]
			if kind, known := engineKinds[t.Type]; t.ID == ref.Timestamp && known && (m.archival || !kind.IsArchive()) {
				f.Timestamps = append(f.Timestamps, m.timestamp(t))
			}
		}
	}
	return f
}

// recordTimestamps are those of intact evidence records over the signature. The
// process takes proofs from them as from archive time-stamps (§5.6.3.4, steps 4
// and 5), as which they stand; reading the records is another matter.
func (m *engineMapper) recordTimestamps(s *diagSignature) (out []diagRef) {
	broken := func(d diagMatcher) bool { return !d.Found || !d.Intact }
	for _, ref := range s.Records {
		for _, r := range m.data.Records {
			if r.ID == ref.ID && !slices.ContainsFunc(r.Matchers, broken) {
				out = append(out, r.Timestamps...)
			}
		}
	}
	return out
}

// token maps what signatures and time-stamps have in common.
func (m *engineMapper) token(t *diagToken) facts.Signature {
	f := facts.Signature{ID: t.ID, At: t.ID, Value: []byte(t.ID), SignedBytes: []byte(t.ID)}
	f.DigestAlgorithm.Name, f.SignatureAlgorithm.Name = t.Signed.Digest, t.Signed.Encryption
	if d := engineDigest(t.Signed.Digest); d != nil {
		f.DigestAlgorithm.Name = d.Name
	}
	c := facts.Candidate{Certificate: m.ids[t.Signer.Certificate], Named: true, Verified: t.Signed.Intact && t.Signed.Valid, Form: "as sent", Code: fault.SignatureInvalid}
	for _, found := range t.Found {
		for _, r := range found.References {
			if r.Origin != "SIGNING_CERTIFICATE" {
				continue
			}
			if len(f.References) == 0 { // DSS's policy only warns of the digest's algorithm
				f.References = [][]facts.Reference{{{Version: 1}}}
			}
			c.Referenced = c.Referenced || r.Digest.Match && found.Certificate == t.Signer.Certificate
		}
	}
	if c.Certificate != "" {
		f.Candidates = []facts.Candidate{c}
	}
	return f
}

// engineCovers maps what a signature covers. Entries of manifests that are not
// there are none of DSS's concern (level WARN).
func engineCovers(list []diagMatcher) []facts.Covered {
	var out []facts.Covered
	for _, d := range list {
		if d.Type == "COUNTER_SIGNATURE" || strings.Contains(d.Type, "ENTRY") && !d.Found {
			continue
		}
		out = append(out, facts.Covered{Name: "content", Algorithm: d.Digest, Found: d.Found, Intact: d.Intact})
	}
	return out
}

// defects are what the reader of a format would have found wrong with it.
func (m *engineMapper) defects(s *diagSignature) []facts.Finding {
	wrong := func(is *bool) bool { return is != nil && !*is }
	defect := ""
	switch {
	case slices.ContainsFunc(s.Matchers, func(d diagMatcher) bool { return d.Duplicated }):
		defect = "an ambiguous reference"
	case s.Duplicated:
		defect = "an ambiguous signature"
	case strings.HasPrefix(m.data.Container.Type, "ASiC") && strings.HasSuffix(m.data.Container.Type, "-E") && len(m.data.Container.Manifests) == 0:
		defect = "a container without manifest"
	case len(s.SignerInfos) > 1 && strings.HasPrefix(s.Format, "P"):
		defect = "more than one signer in a PDF signature"
	case wrong(s.Revision.Dictionary.Consistent), wrong(s.Revision.Dictionary.ByteRange.Valid):
		defect = "a PDF signature that does not cover the file"
	case m.data.fullScope && slices.ContainsFunc(s.Scopes, func(d diagScope) bool { return d.Scope != "FULL" }):
		defect = "a signature over a part"
	case len(s.Revision.PageDifferences) > 0:
		defect = "a PDF with pages added after the signature"
	default:
		return nil
	}
	return []facts.Finding{{Code: fault.CMSMalformed, Detail: defect}}
}

// engineKinds are the kinds of time-stamps.
var engineKinds = map[string]facts.TimestampKind{
	"CONTENT_TIMESTAMP": facts.ContentTimestamp, "ALL_DATA_OBJECTS_TIMESTAMP": facts.ContentTimestamp, "INDIVIDUAL_DATA_OBJECTS_TIMESTAMP": facts.ContentTimestamp,
	"SIGNATURE_TIMESTAMP": facts.SignatureTimestamp, "VALIDATION_DATA_TIMESTAMP": facts.CAdESCTimestamp,
	"VALIDATION_DATA_REFSONLY_TIMESTAMP": facts.ReferencesTimestamp, "VRI_TIMESTAMP": facts.ReferencesTimestamp,
	"ARCHIVE_TIMESTAMP": facts.ArchiveTimestampV3, "DOCUMENT_TIMESTAMP": facts.ArchiveTimestampV3, "CONTAINER_TIMESTAMP": facts.ArchiveTimestampV3,
	"EVIDENCE_RECORD_TIMESTAMP": facts.ArchiveTimestampV3,
}

func (m *engineMapper) timestamp(t *diagTimestamp) facts.Timestamp {
	token := m.token(&t.diagToken)
	token.ID = "token " + t.ID
	token.Covers = []facts.Covered{{Name: "content", Found: true, Intact: true}}
	f := facts.Timestamp{ID: t.ID, Kind: engineKinds[t.Type], Raw: []byte(t.ID), ImprintName: "SHA-256", Token: &token}
	found, intact := len(t.Matchers) > 0, true
	for _, m := range t.Matchers {
		found, intact = found && m.Found, intact && m.Intact
		if d := engineDigest(m.Digest); d != nil && m.Type == "MESSAGE_IMPRINT" {
			f.ImprintName = d.Name
		}
	}
	if found {
		f.ImprintComputed, f.ImprintIntact = []byte{1}, intact
	}
	if at, err := engineTime(t.Time); err == nil {
		f.Time = &at
	}
	for _, o := range t.Covers {
		if object, ok := m.object(o); ok && f.ImprintIntact {
			f.Covers = append(f.Covers, object)
		}
	}
	return f
}

func (m *engineMapper) object(o diagRef) (facts.Object, bool) {
	switch o.Category {
	case "SIGNATURE":
		return facts.Object{Kind: facts.SignatureObject, ID: o.Token}, true
	case "CERTIFICATE":
		id, ok := m.ids[o.Token]
		return facts.Object{Kind: facts.CertificateObject, ID: id}, ok
	case "REVOCATION":
		r, ok := m.revoked[o.Token]
		return facts.Object{Kind: facts.RevocationObject, ID: r.ID}, ok
	case "TIMESTAMP":
		return facts.Object{Kind: facts.TimestampObject, ID: o.Token}, true
	}
	return facts.Object{}, false
}
