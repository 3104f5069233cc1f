package cades

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

// candidatesMax bounds the certificates that are tried for one signer: real
// messages have one, or two of a renewed certificate under one name; each try
// costs a signature check.
const candidatesMax = 8

// reader fills facts from one message: the document, or a token in it.
type reader struct {
	ctx      context.Context
	facts    *facts.Facts
	message  *cms.Message
	content  *cms.Content // nil if it is missing
	parse    func(der []byte) (*cert.Certificate, error)
	identify func(der []byte) string

	certificates []candidate // those that parse, the message's own first
	// objects are what the elements of certificates and crls became.
	certificateIDs, revocationIDs []string
	seen                          *seen
	err                           error // why reading cannot go on: it was cancelled, or the input failed
}

// candidate is a certificate with its ID.
type candidate struct {
	*cert.Certificate
	id string
}

// seen counts what must have an ID of its own in a document.
type seen struct {
	ids                           map[string]int
	timestamps, counterSignatures int
	rereads                       int // of content that is not held
	objects                       int // in attributes
}

// carry counts objects of an attribute.
func (s *seen) carry(n int) error {
	if s.objects += n; s.objects > objectsMax {
		return fault.New(fault.CMSLimit, "", "more than %d certificates and revocation values in attributes", objectsMax)
	}
	return nil
}

func newReader(ctx context.Context, src Source, m *cms.Message, input cms.Input, content *cms.Content) *reader {
	r := &reader{
		ctx: ctx, parse: src.Parse, identify: src.Identify, content: content, seen: &seen{ids: map[string]int{}},
		facts: &facts.Facts{
			Version:  facts.Version,
			Document: facts.Document{Name: src.Name, Format: Format, Bytes: input.Bytes, SHA256: hexadecimal(input.SHA256[:])},

			Signatures: make([]facts.Signature, 0, len(m.Signers)), Certificates: make([]facts.Certificate, 0, len(m.Certificates)+len(src.Certificates)),
			Revocations: []facts.Revocation{}, Gaps: []facts.Gap{}, Findings: []facts.Finding{},
		},
	}
	if r.parse == nil {
		r.parse = cert.Parse
	}
	if r.identify == nil {
		r.identify = facts.Digest
	}
	n := len(m.Certificates) + len(src.Certificates)
	r.certificates, r.certificateIDs = make([]candidate, 0, n), make([]string, 0, n)
	r.adopt(m, facts.FromMessage)
	for _, c := range src.Certificates {
		r.certificates = append(r.certificates, candidate{c, r.facts.AddCertificate(c.Raw, facts.FromGiven)})
	}
	return r
}

// adopt takes over what a message carries: the document's, or a token's.
func (r *reader) adopt(m *cms.Message, origin string) {
	r.message = m
	for _, raw := range m.Certificates {
		r.addCertificate(raw, origin)
	}
	for _, raw := range m.CRLs {
		r.revocationIDs = append(r.revocationIDs, r.facts.AddRevocation(facts.Revocation{Kind: facts.CRL, Raw: raw}, origin))
	}
	for _, raw := range m.OCSPs {
		r.revocationIDs = append(r.revocationIDs, r.facts.AddRevocation(facts.Revocation{Kind: facts.OCSP, Raw: raw}, origin))
	}
}

// addCertificate keeps a certificate; an odd one stays raw and is nobody's
// candidate.
func (r *reader) addCertificate(raw []byte, origin string) string {
	id := r.facts.AddIdentified(r.identify(raw), raw, origin)
	r.certificateIDs = append(r.certificateIDs, id)
	if c, err := r.parse(raw); err == nil {
		r.certificates = append(r.certificates, candidate{c, id})
	}
	return id
}

// describeMessage says what is to be known of the message as a whole.
func (r *reader) describeMessage() {
	d := &r.facts.Document
	d.Encoding, d.Attached, d.ContentType = "DER", !r.message.Detached, r.message.ContentType.String()
	if r.message.BER {
		d.Encoding = "BER"
	}
}

func signerAt(index int) string { return "/signerInfos/" + strconv.Itoa(index) }

// signer gives the facts of one SignerInfo with all that it carries.
func (r *reader) signer(s *cms.Signer, at string) facts.Signature {
	f := r.signature(s, at, "content")
	r.inspect(&f, s)
	r.attributes(&f, s, 0)
	return f
}

// signature gives what cryptography says about one SignerInfo. what is the name
// of the content.
func (r *reader) signature(s *cms.Signer, at, what string) facts.Signature {
	f := facts.Signature{
		ID: r.distinct(signatureID(s)), At: at,
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
	f.Covers = []facts.Covered{r.covered(s, what)}
	references, err := s.CertificateReferences()
	if err != nil {
		defect := facts.FindingOf(err)
		f.ReferenceDefect = &defect
	}
	for _, list := range references {
		f.References = append(f.References, referenceFacts(list))
	}
	r.candidates(&f, s, references)
	return f
}

// hexadecimal is hex.EncodeToString with one allocation, for 32 bytes at most.
func hexadecimal(b []byte) string {
	var text [2 * sha256.Size]byte
	return string(text[:hex.Encode(text[:], b)])
}

func signatureID(s *cms.Signer) string {
	h := sha256.New()
	h.Write(s.SignedAttributesAsSet())
	h.Write(s.Signature)
	var sum [sha256.Size]byte
	return "S-" + hexadecimal(h.Sum(sum[:0])[:sha256.Size/2])
}

// distinct numbers what is the same bytes sent twice.
func (r *reader) distinct(id string) string {
	r.seen.ids[id]++
	if n := r.seen.ids[id]; n > 1 {
		return fmt.Sprintf("%s-%d", id, n)
	}
	return id
}

func algorithm(id algo.Identifier) facts.Algorithm {
	dotted := id.Dotted()
	return facts.Algorithm{OID: dotted, Name: algo.NameOf(dotted), Parameters: id.Parameters}
}

func attributes(in []cms.Attribute) []facts.Attribute {
	out := make([]facts.Attribute, len(in))
	for i, a := range in {
		out[i] = facts.Attribute{OID: cms.DottedOID(a.Type), Values: a.Values}
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
func (r *reader) covered(s *cms.Signer, what string) facts.Covered {
	c := facts.Covered{Name: what, Algorithm: s.DigestAlgorithm.Name(), Found: r.content != nil}
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
	sum, err := r.content.Digest(r.ctx, digest)
	c.Bytes = max(0, r.content.Size())
	switch {
	case fault.Is(err, fault.ContentNotKept) && r.content.Size() < 0:
		c.Found = false // a digest was given, by another algorithm
	case err != nil:
		c.Code = r.give(err)
	default:
		c.Computed = sum
		c.Intact = !s.HasSignedAttributes() || bytes.Equal(c.Declared, sum)
	}
	return c
}

// give keeps an error that ends the reading and gives the code of any.
func (r *reader) give(err error) fault.Code {
	if fault.Is(err, fault.Cancelled) || fault.Is(err, fault.Unreadable) {
		r.err = err
	}
	return fault.CodeOf(err)
}

// inspect finds what breaks RFC 5652 §5.3 and §11: VerifyContent's refusals but
// for the digest, which is a matter of its own, a claimed time that is none, and
// attributes that were made the content.
func (r *reader) inspect(f *facts.Signature, s *cms.Signer) {
	if r.content != nil {
		if err := s.CheckSubstitution(r.content.Beginning()); err != nil {
			f.Defects = append(f.Defects, facts.FindingOf(err))
		}
	}
	declared, _ := s.MessageDigest()
	if err := r.message.VerifyContent(s, declared); err != nil {
		f.Defects = append(f.Defects, facts.FindingOf(err))
	}
	r.claimedTime(f, s)
}

func (r *reader) claimedTime(f *facts.Signature, s *cms.Signer) {
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
func (r *reader) candidates(f *facts.Signature, s *cms.Signer, references [][]cms.CertificateReference) {
	type named struct {
		candidate
		fact facts.Candidate
	}
	var first, second []named
	for _, c := range r.certificates {
		fact := facts.Candidate{Certificate: c.id, Named: s.Identifier.Names(c.Certificate)}
		fact.Referenced, fact.IssuerSerialDiffer = referenced(c, references)
		known := func(n named) bool { return n.id == c.id }
		switch {
		case !fact.Referenced && !fact.Named, slices.ContainsFunc(first, known), slices.ContainsFunc(second, known):
		case fact.Referenced:
			first = append(first, named{c, fact})
		default:
			second = append(second, named{c, fact})
		}
	}
	all := append(first, second...)
	for _, n := range all[:min(len(all), candidatesMax)] {
		form, err := s.VerifyOver(r.ctx, n.PublicKey, r.content)
		n.fact.Verified, n.fact.Form = err == nil, string(form)
		if err != nil {
			n.fact.Code = r.give(err)
		}
		f.Candidates = append(f.Candidates, n.fact)
	}
}

// referenced reports whether the first reference of every attribute has the
// digest of the certificate, and whether one of them names another issuer and
// serial number beside it.
func referenced(c candidate, lists [][]cms.CertificateReference) (matches, issuerSerialDiffer bool) {
	for _, list := range lists {
		if !c.has(list[0]) {
			return false, false
		}
		issuerSerialDiffer = issuerSerialDiffer || !list[0].MatchesIssuerSerial(c.Certificate)
	}
	return len(lists) > 0, issuerSerialDiffer
}

// has reports whether a reference's digest is the certificate's. Its ID is one
// already, by the algorithm that nearly all references use.
func (c candidate) has(r cms.CertificateReference) bool {
	if d, err := algo.DigestByIdentifier(r.DigestAlgorithm); err == nil && d == algo.SHA256 && len(r.Hash) == sha256.Size {
		var text [2 * sha256.Size]byte
		hex.Encode(text[:], r.Hash)
		return string(text[:]) == c.id
	}
	ok, err := r.MatchesDigest(c.Certificate)
	return ok && err == nil
}

// policy reads the signature policy that the signer names.
func (r *reader) policy(f *facts.Signature, value []byte) {
	p, err := ades.ReadSignaturePolicy(value)
	f.Policy = &facts.SignaturePolicy{Implied: p.Implied, Hash: p.Hash, URI: p.URI}
	if p.ID != nil {
		f.Policy.OID = p.ID.String()
	}
	if p.Algorithm.OID != nil {
		f.Policy.Algorithm = algorithm(p.Algorithm)
	}
	if err != nil {
		defect := facts.FindingOf(err)
		f.Policy.Defect = &defect
	}
}

func signedValues(s *cms.Signer, oid asn1.ObjectIdentifier) [][]byte {
	return valuesOf(s.SignedAttributes, oid)
}

func unsignedValues(s *cms.Signer, oid asn1.ObjectIdentifier) [][]byte {
	return valuesOf(s.UnsignedAttributes, oid)
}

func valuesOf(attributes []cms.Attribute, oid asn1.ObjectIdentifier) [][]byte {
	var out [][]byte
	for _, a := range attributes {
		if a.Type.Equal(oid) {
			out = append(out, a.Values...)
		}
	}
	return out
}
