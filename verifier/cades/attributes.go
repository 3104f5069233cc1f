package cades

import (
	"encoding/asn1"
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

const (
	// counterSignaturesMax bounds the counter-signatures of one document.
	counterSignaturesMax = 64
	// nestingMax bounds counter-signatures of counter-signatures.
	nestingMax = 3
	// objectsMax bounds the certificates and revocation values that the attributes
	// of one document carry, the same one again counted again: a path and its
	// evidence for every signer and time-stamp need some hundreds.
	objectsMax = 4096
)

// carried is what the attributes of one signer were read into, so that archive
// time-stamps can say what they cover.
type carried struct {
	signer *cms.Signer
	facts  *facts.Signature
	// values are the objects that each value of each unsigned attribute became, by
	// position. A time-stamp comes with the certificates and revocation values that
	// are inside it.
	values [][][]facts.Object
	// tokens are the time-stamps among the unsigned attributes.
	tokens []*token
	depth  int
}

// single are the unsigned attributes of which there may be one, with one value
// (EN 319 122-1 §A.1).
var single = []asn1.ObjectIdentifier{cms.OIDCertificateValues, cms.OIDRevocationValues, cms.OIDCertificateRefs, cms.OIDRevocationRefs}

// signedOnly are attributes that stand for nothing among the unsigned ones:
// RFC 5652 §11.1–3 and the ESS and CAdES attributes of the signer's own.
var signedOnly = []asn1.ObjectIdentifier{
	cms.OIDContentType, cms.OIDMessageDigest, cms.OIDSigningTime, cms.OIDSigningCertificate, cms.OIDSigningCertificateV2,
	cms.OIDSignaturePolicy, cms.OIDContentTimestamp,
}

// attributes reads what the attributes of a signer carry: first what says what it
// is, then the time-stamps, whose imprints are over the others.
func (r *reader) attributes(f *facts.Signature, s *cms.Signer, depth int) {
	c := &carried{signer: s, facts: f, values: make([][][]facts.Object, len(s.UnsignedAttributes)), depth: depth}
	r.signedAttributes(c)
	if len(s.UnsignedAttributes) == 0 {
		return
	}
	counts := map[string]int{}
	for i, a := range s.UnsignedAttributes {
		c.values[i] = make([][]facts.Object, len(a.Values))
		counts[f.UnsignedAttributes[i].OID] += len(a.Values)
		for v, value := range a.Values {
			objects, err := r.value(c, a.Type, value, attributeAt(f.At, i))
			if err != nil {
				f.Findings = append(f.Findings, found(err, attributeAt(f.At, i)))
			}
			c.values[i][v] = objects
		}
	}
	r.timestamps(c)
	for i := range c.values {
		r.hold(&f.UnsignedAttributes[i], c.values[i])
	}
	for _, oid := range single {
		if n := counts[oid.String()]; n > 1 {
			f.Findings = append(f.Findings, facts.Finding{Code: fault.AttributeDuplicate, At: f.At + "/unsignedAttrs/" + oid.String(), Detail: fmt.Sprintf("%d values", n)})
		}
	}
	for _, oid := range signedOnly {
		if counts[oid.String()] > 0 {
			f.Findings = append(f.Findings, facts.Finding{Code: fault.AttributeNotSigned, At: f.At + "/unsignedAttrs/" + oid.String()})
		}
	}
}

func attributeAt(at string, index int) string { return fmt.Sprintf("%s/unsignedAttrs/%d", at, index) }

// found is a finding at a place, whatever place the error names.
func found(err error, at string) facts.Finding {
	f := facts.FindingOf(err)
	f.At = at
	return f
}

// hold names the objects that an attribute became instead of repeating its
// values. All of the values must have become something.
func (r *reader) hold(a *facts.Attribute, values [][]facts.Object) {
	var all []facts.Object
	for _, objects := range values {
		if len(objects) == 0 {
			return
		}
		all = append(all, objects...)
	}
	a.Values, a.Objects = nil, all
}

// signedAttributes reads the content time-stamps and the policy, and finds
// attributes that are there twice although they state one thing.
func (r *reader) signedAttributes(c *carried) {
	for i, a := range c.signer.SignedAttributes {
		switch {
		case a.Type.Equal(cms.OIDContentTimestamp):
			r.contentTimestamps(c, a, fmt.Sprintf("%s/signedAttrs/%d", c.facts.At, i))
			continue // a signer may ask several authorities
		case a.Type.Equal(cms.OIDSignaturePolicy) && len(a.Values) == 1:
			r.policy(c.facts, a.Values[0])
		}
		for _, earlier := range c.signer.SignedAttributes[:i] {
			if a.Type.Equal(earlier.Type) {
				c.facts.Findings = append(c.facts.Findings, facts.Finding{
					Code: fault.AttributeDuplicate, At: fmt.Sprintf("%s/signedAttrs/%d", c.facts.At, i), Detail: a.Type.String(),
				})
				break
			}
		}
	}
}

// value reads one value of an unsigned attribute into objects.
func (r *reader) value(c *carried, oid asn1.ObjectIdentifier, value []byte, at string) ([]facts.Object, error) {
	switch {
	case oid.Equal(cms.OIDCertificateValues):
		objects, err := r.certificateValues(value, facts.FromAttribute)
		c.facts.CertificateValues = append(c.facts.CertificateValues, ids(objects)...)
		return objects, err
	case oid.Equal(cms.OIDRevocationValues):
		objects, err := r.revocationValues(value, facts.FromAttribute)
		c.facts.RevocationValues = append(c.facts.RevocationValues, ids(objects)...)
		return objects, err
	case oid.Equal(cms.OIDCertificateRefs), oid.Equal(cms.OIDRevocationRefs):
		return nil, nil // read with the time-stamps, once all that they may name is known
	case oid.Equal(cms.OIDCounterSignature):
		return r.counterSignature(c, value, at)
	}
	return nil, nil
}

func ids(objects []facts.Object) []string {
	out := make([]string, len(objects))
	for i, o := range objects {
		out[i] = o.ID
	}
	return out
}

// certificateValues takes over certificates that an attribute carries.
func (r *reader) certificateValues(value []byte, origin string) ([]facts.Object, error) {
	list, err := ades.ReadCertificateValues(value)
	if err == nil {
		err = r.seen.carry(len(list))
	}
	if err != nil {
		return nil, err
	}
	var objects []facts.Object
	for _, raw := range list {
		id := r.facts.AddCertificate(raw, origin)
		if c, err := r.parse(raw); err == nil {
			r.certificates = append(r.certificates, candidate{c, id})
		}
		objects = append(objects, facts.Object{Kind: facts.CertificateObject, ID: id})
	}
	return objects, nil
}

// revocationValues takes over CRLs and OCSP answers that an attribute carries.
func (r *reader) revocationValues(value []byte, origin string) ([]facts.Object, error) {
	values, err := ades.ReadRevocationValues(value)
	if err == nil {
		err = r.seen.carry(len(values.CRLs) + len(values.OCSPs))
	}
	if err != nil {
		return nil, err
	}
	var objects []facts.Object
	add := func(kind facts.RevocationKind, list [][]byte) {
		for _, raw := range list {
			id := r.facts.AddRevocation(facts.Revocation{Kind: kind, Raw: raw}, origin)
			objects = append(objects, facts.Object{Kind: facts.RevocationObject, ID: id})
		}
	}
	add(facts.CRL, values.CRLs)
	add(facts.OCSP, values.OCSPs)
	return objects, nil
}

// counterSignature reads a signature over the value of this one (RFC 5652 §11.4).
// It has no content type, since its content is no content.
func (r *reader) counterSignature(c *carried, value []byte, at string) ([]facts.Object, error) {
	r.seen.counterSignatures++
	if c.depth == nestingMax || r.seen.counterSignatures > counterSignaturesMax {
		return nil, fault.New(fault.CMSLimit, at, "counter-signatures: more than %d, or more than %d in each other", counterSignaturesMax, nestingMax)
	}
	s, err := cms.ParseSigner(value, at, cms.DefaultLimits)
	if err != nil {
		return nil, err
	}
	inner := *r
	inner.content = cms.ContentOf(c.signer.Signature)
	f := inner.signature(s, at, "signature")
	inner.inspectCounter(&f, s)
	inner.attributes(&f, s, c.depth+1)
	r.certificates, r.err = inner.certificates, inner.err
	c.facts.CounterSignatures = append(c.facts.CounterSignatures, f)
	return []facts.Object{{Kind: facts.SignatureObject, ID: f.ID}}, nil
}

// inspectCounter is inspect for a counter-signature: the digest of what it signs
// must be among its attributes, if it has any, and a content type should not be.
func (r *reader) inspectCounter(f *facts.Signature, s *cms.Signer) {
	declared, err := s.MessageDigest()
	if err == nil && s.HasSignedAttributes() && declared == nil {
		err = fault.New(fault.AttributeMissing, "/signedAttrs/messageDigest", "absent")
	}
	if err != nil {
		f.Defects = append(f.Defects, found(err, f.At))
	}
	if kind, err := s.ContentType(); kind != nil || err != nil {
		f.Findings = append(f.Findings, facts.Finding{Code: fault.ContentTypeMismatch, At: f.At, Detail: "a counter-signature has no content type"})
	}
	r.claimedTime(f, s)
}

// completeReferences reads what the complete references name, and which of it is
// here.
func (r *reader) completeReferences(c *carried) {
	here := byDigest{facts: r.facts, known: map[digestKey]string{}, done: map[digestKey]bool{}}
	add := func(kind facts.ObjectKind, references []ades.Reference) {
		for _, reference := range references {
			c.facts.CompleteReferences = append(c.facts.CompleteReferences, facts.CompleteReference{
				Kind: kind, Algorithm: reference.Algorithm.Name(), Hash: reference.Hash, Object: here.find(kind, reference),
			})
		}
	}
	for i, a := range c.signer.UnsignedAttributes {
		for _, value := range a.Values {
			var err error
			switch {
			case a.Type.Equal(cms.OIDCertificateRefs):
				var references []ades.Reference
				references, err = ades.ReadCertificateReferences(value)
				add(facts.CertificateObject, references)
			case a.Type.Equal(cms.OIDRevocationRefs):
				var crls, ocsps []ades.Reference
				crls, ocsps, err = ades.ReadRevocationReferences(value)
				add(facts.RevocationObject, crls)
				add(facts.RevocationObject, ocsps)
			}
			if err != nil {
				c.facts.Findings = append(c.facts.Findings, found(err, attributeAt(c.facts.At, i)))
			}
		}
	}
}

// byDigest finds objects by their digests. Each object is digested once by each
// algorithm, however many references there are.
type byDigest struct {
	facts *facts.Facts
	known map[digestKey]string
	done  map[digestKey]bool // kinds and algorithms, without a hash
}

type digestKey struct {
	kind facts.ObjectKind
	by   *algo.Digest
	hash string
}

// find gives the ID of what a reference is to; "" if that is not here, or if the
// algorithm is not known.
func (b byDigest) find(kind facts.ObjectKind, reference ades.Reference) string {
	digest, err := algo.DigestByIdentifier(reference.Algorithm)
	if err != nil {
		return ""
	}
	if all := (digestKey{kind: kind, by: digest}); !b.done[all] {
		b.done[all] = true
		b.digest(kind, digest)
	}
	return b.known[digestKey{kind, digest, string(reference.Hash)}]
}

func (b byDigest) digest(kind facts.ObjectKind, digest *algo.Digest) {
	if kind == facts.CertificateObject {
		for _, c := range b.facts.Certificates {
			b.known[digestKey{kind, digest, string(digest.Sum(c.Raw))}] = c.ID
		}
		return
	}
	for _, v := range b.facts.Revocations {
		b.known[digestKey{kind, digest, string(digest.Sum(v.Raw))}] = v.ID
		if v.Kind != facts.OCSP {
			continue
		}
		if basic, err := ades.BasicOCSPResponse(v.Raw); err == nil { // which the references are to
			b.known[digestKey{kind, digest, string(digest.Sum(basic))}] = v.ID
		}
	}
}
