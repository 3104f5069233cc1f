package cades

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

// candidatesMax bounds the certificates that are tried for one signer: real
// messages have one, or two of a renewed certificate under one name; each try
// costs a signature check.
const candidatesMax = 8

// reader fills facts from one message. Digests of the content are computed once
// per algorithm, whatever the number of signers.
type reader struct {
	facts        *facts.Facts
	message      *cms.Message
	certificates []*cert.Certificate // those that parse, the message's own first
	digests      map[*algo.Digest][]byte
	parse        func(der []byte) (*cert.Certificate, error)
}

func newReader(src Source, m *cms.Message) *reader {
	r := &reader{
		parse: src.Parse,
		facts: &facts.Facts{
			Version:    facts.Version,
			Document:   facts.Document{Name: src.Name, Format: Format, Bytes: int64(len(src.Data)), SHA256: facts.Digest(src.Data)},
			Signatures: []facts.Signature{}, Certificates: []facts.Certificate{}, Revocations: []facts.Revocation{}, Gaps: []facts.Gap{}, Findings: []facts.Finding{},
		},
	}
	if r.parse == nil {
		r.parse = cert.Parse
	}
	r.adopt(m, facts.FromMessage)
	for _, c := range src.Certificates {
		r.facts.AddCertificate(c.Raw, facts.FromGiven)
		r.certificates = append(r.certificates, c)
	}
	return r
}

// adopt takes over what a message carries: the document's, or a token's.
func (r *reader) adopt(m *cms.Message, origin string) {
	r.message, r.digests, r.certificates = m, map[*algo.Digest][]byte{}, nil
	for _, raw := range m.Certificates {
		r.facts.AddCertificate(raw, origin)
		if c, err := r.parse(raw); err == nil { // an odd one stays raw and is nobody's candidate
			r.certificates = append(r.certificates, c)
		}
	}
	for _, raw := range m.CRLs {
		r.facts.AddRevocation(facts.Revocation{Kind: facts.CRL, Raw: raw}, origin)
	}
	for _, raw := range m.OCSPs {
		r.facts.AddRevocation(facts.Revocation{Kind: facts.OCSP, Raw: raw}, origin)
	}
}

// signature gives the facts of one SignerInfo. content is nil if it is missing.
func (r *reader) signature(index int, s *cms.Signer, content []byte) facts.Signature {
	f := facts.Signature{
		ID:                 signatureID(s),
		At:                 fmt.Sprintf("/signerInfos/%d", index),
		DigestAlgorithm:    algorithm(s.DigestAlgorithm),
		SignatureAlgorithm: algorithm(s.SignatureAlgorithm),
		Value:              s.Signature,
		SignedBytes:        s.SignedAttributesAsSet(),
		SignedAttributes:   attributes(s.SignedAttributes),
		UnsignedAttributes: attributes(s.UnsignedAttributes),
		Signer:             facts.SignerIdentifier{RawIssuer: s.Identifier.RawIssuer, SubjectKeyID: s.Identifier.SubjectKeyID},
		References:         [][]facts.Reference{},
		Candidates:         []facts.Candidate{},
		Timestamps:         []facts.Timestamp{},
		Defects:            []facts.Finding{},
	}
	if serial := s.Identifier.Serial; serial != nil {
		f.Signer.Serial = serial.Text(16)
	}
	if row, err := s.Algorithm(); err == nil {
		f.SignatureAlgorithm.Name = row.Name // rsaEncryption says no digest, its row does
	}
	covered := r.covered(s, content)
	f.Covers = []facts.Covered{covered}
	r.inspect(&f, s, content)
	references, err := s.CertificateReferences()
	if err != nil {
		defect := facts.FindingOf(err)
		f.ReferenceDefect = &defect
	}
	for _, list := range references {
		f.References = append(f.References, referenceFacts(list))
	}
	r.candidates(&f, s, references, covered.Computed)
	return f
}

func signatureID(s *cms.Signer) string {
	sum := sha256.Sum256(bytes.Join([][]byte{s.SignedAttributesAsSet(), s.Signature}, nil))
	return "S-" + hex.EncodeToString(sum[:16])
}

// distinguish numbers signatures that are the same bytes sent twice.
func (r *reader) distinguish() {
	seen := map[string]int{}
	for i := range r.facts.Signatures {
		s := &r.facts.Signatures[i]
		seen[s.ID]++
		if n := seen[s.ID]; n > 1 {
			s.ID = fmt.Sprintf("%s-%d", s.ID, n)
		}
	}
}

func algorithm(id algo.Identifier) facts.Algorithm {
	return facts.Algorithm{OID: id.OID.String(), Name: id.Name(), Parameters: id.Parameters}
}

func attributes(in []cms.Attribute) []facts.Attribute {
	out := make([]facts.Attribute, len(in))
	for i, a := range in {
		out[i] = facts.Attribute{OID: a.Type.String(), Values: a.Values}
	}
	return out
}

func referenceFacts(list []cms.CertificateReference) []facts.Reference {
	out := make([]facts.Reference, len(list))
	for i, reference := range list {
		out[i] = facts.Reference{Version: reference.Version, Algorithm: algorithm(reference.DigestAlgorithm), Hash: reference.Hash}
	}
	return out
}

// covered digests the content with the signer's algorithm and compares.
func (r *reader) covered(s *cms.Signer, content []byte) facts.Covered {
	c := facts.Covered{Name: "content", Algorithm: s.DigestAlgorithm.Name(), Found: content != nil, Bytes: int64(len(content))}
	if declared, err := s.MessageDigest(); err == nil {
		c.Declared = declared
	}
	if !c.Found {
		return c
	}
	digest, err := s.Digest()
	if err != nil {
		c.Code = fault.CodeOf(err)
		return c
	}
	if r.digests[digest] == nil {
		r.digests[digest] = digest.Sum(content)
	}
	c.Computed = r.digests[digest]
	c.Intact = !s.HasSignedAttributes() || bytes.Equal(c.Declared, c.Computed)
	return c
}

// inspect finds what breaks RFC 5652 §5.3 and §11: VerifyContent's refusals but
// for the digest, which is a matter of its own, a claimed time that is none, and
// attributes that were made the content.
func (r *reader) inspect(f *facts.Signature, s *cms.Signer, content []byte) {
	if err := s.CheckSubstitution(content); err != nil {
		f.Defects = append(f.Defects, facts.FindingOf(err))
	}
	declared, _ := s.MessageDigest()
	if err := r.message.VerifyContent(s, declared); err != nil {
		f.Defects = append(f.Defects, facts.FindingOf(err))
	}
	claimed, err := s.SigningTime()
	switch {
	case err != nil:
		f.Defects = append(f.Defects, facts.FindingOf(err))
	case !claimed.IsZero():
		f.ClaimedTime = &claimed
	}
}

// candidates tries the certificates that the first of every protected reference
// names, and then those that the signer identifier names: so that certificates
// added by whoever passed the message on do not crowd out the signer's.
func (r *reader) candidates(f *facts.Signature, s *cms.Signer, references [][]cms.CertificateReference, contentDigest []byte) {
	var first, second []facts.Candidate
	byID := map[string]*cert.Certificate{}
	for _, c := range r.certificates {
		candidate := facts.Candidate{Certificate: facts.Digest(c.Raw), Named: s.Identifier.Names(c)}
		if byID[candidate.Certificate] != nil {
			continue
		}
		byID[candidate.Certificate] = c
		candidate.Referenced, candidate.IssuerSerialDiffer = referenced(c, references)
		switch {
		case candidate.Referenced:
			first = append(first, candidate)
		case candidate.Named:
			second = append(second, candidate)
		}
	}
	all := append(first, second...)
	for _, candidate := range all[:min(len(all), candidatesMax)] {
		form, err := r.verify(s, byID[candidate.Certificate], contentDigest)
		candidate.Verified, candidate.Form, candidate.Code = err == nil, string(form), fault.CodeOf(err)
		f.Candidates = append(f.Candidates, candidate)
	}
}

// verify checks the signature value with a certificate's key.
func (r *reader) verify(s *cms.Signer, c *cert.Certificate, contentDigest []byte) (cms.Form, error) {
	if !s.HasSignedAttributes() && contentDigest == nil {
		if _, err := s.Algorithm(); err != nil {
			return "", err
		}
		return "", fault.New(fault.ContentMissing, "", "the value is over the content, which is missing")
	}
	return s.VerifySignature(c.PublicKey, contentDigest)
}

// referenced reports whether the first reference of every attribute has the
// digest of the certificate, and whether one of them names another issuer and
// serial number beside it.
func referenced(c *cert.Certificate, lists [][]cms.CertificateReference) (matches, issuerSerialDiffer bool) {
	for _, list := range lists {
		if ok, err := list[0].MatchesDigest(c); err != nil || !ok {
			return false, false
		}
		issuerSerialDiffer = issuerSerialDiffer || !list[0].MatchesIssuerSerial(c)
	}
	return len(lists) > 0, issuerSerialDiffer
}
