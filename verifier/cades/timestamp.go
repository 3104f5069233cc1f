package cades

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/verifier/facts"
)

// timestampsMax bounds the tokens that are read in one document. A signature has
// one, or one of each authority that was thought worth asking, and an archive
// time-stamp for every few years.
const timestampsMax = 64

// rereadsMax bounds how often content that is not held is read again, once for each
// archive-time-stamp-v2: the form is obsolete, and one reading may be gigabytes.
const rereadsMax = 4

// kinds are the unsigned attributes whose values are tokens.
var kinds = []struct {
	oid  asn1.ObjectIdentifier
	kind facts.TimestampKind
}{
	{cms.OIDSignatureTimestamp, facts.SignatureTimestamp},
	{cms.OIDCAdESCTimestamp, facts.CAdESCTimestamp},
	{cms.OIDReferencesTimestamp, facts.ReferencesTimestamp},
	{cms.OIDArchiveTimestampV1, facts.ArchiveTimestampV1},
	{cms.OIDArchiveTimestampV2, facts.ArchiveTimestampV2},
	{cms.OIDArchiveTimestampV3, facts.ArchiveTimestampV3},
	{cms.OIDLongTermValidation, facts.LongTermValidation},
}

// token is a time-stamp on its way into the facts.
type token struct {
	at     ades.AttributeValue
	parsed *tsp.Token // nil if it is unreadable
	facts  facts.Timestamp
	// inside are the certificates and revocation values that the token carries.
	inside []facts.Object
}

// contentTimestamps reads the tokens of one content-time-stamp attribute
// (EN 319 122-1 §5.2.8).
func (r *reader) contentTimestamps(c *carried, a cms.Attribute, at string) {
	for _, raw := range a.Values {
		t := r.token(c, raw, facts.ContentTimestamp, at)
		if t == nil {
			return
		}
		if digest := t.digest(); digest != nil {
			if r.content == nil {
				t.facts.ImprintCode = fault.ContentMissing
			} else if sum, err := r.content.Digest(r.ctx, digest); err != nil {
				t.facts.ImprintCode = r.give(err)
			} else {
				t.compare(sum)
			}
		}
		if t.facts.ImprintIntact {
			t.facts.Covers = []facts.Object{{Kind: facts.ContentObject, ID: facts.ContentID}}
		}
		c.facts.Timestamps = append(c.facts.Timestamps, t.facts)
	}
}

// timestamps reads every token among the unsigned attributes of a signer, and
// then what each is over.
func (r *reader) timestamps(c *carried) {
	for i, a := range c.signer.UnsignedAttributes {
		for _, k := range kinds {
			if !a.Type.Equal(k.oid) {
				continue
			}
			for v, raw := range a.Values {
				t := r.token(c, raw, k.kind, attributeAt(c.facts.At, i))
				if t == nil {
					break
				}
				t.at = ades.AttributeValue{Attribute: i, Value: v}
				c.tokens = append(c.tokens, t)
				c.values[i][v] = append([]facts.Object{{Kind: facts.TimestampObject, ID: t.facts.ID}}, t.inside...)
			}
		}
	}
	r.completeReferences(c)
	for _, t := range c.tokens {
		if digest := t.digest(); digest != nil {
			r.imprint(c, t, digest)
		}
		c.facts.Timestamps = append(c.facts.Timestamps, t.facts)
	}
}

// token reads one token without what it is over. Its own signature is read as any
// other; the document's certificates may complete its path, and the token's
// complete the document's. It gives nil if there are too many.
func (r *reader) token(c *carried, raw []byte, kind facts.TimestampKind, at string) *token {
	r.seen.timestamps++
	if r.seen.timestamps > timestampsMax {
		c.facts.Findings = append(c.facts.Findings, facts.Finding{Code: fault.CMSLimit, At: at, Detail: fmt.Sprintf("more than %d time-stamps", timestampsMax)})
		return nil
	}
	sum := sha256.Sum256(raw)
	t := &token{facts: facts.Timestamp{
		ID: r.distinct("T-" + hex.EncodeToString(sum[:16])), At: at, Kind: kind, Raw: raw,
		Covers: []facts.Object{}, Defects: []facts.Finding{},
	}}
	parsed, err := tsp.ParseToken(raw)
	if err != nil {
		t.facts.Defects = append(t.facts.Defects, facts.FindingOf(err))
		return t
	}
	t.parsed = parsed
	time := parsed.Time.UTC()
	t.facts.Time, t.facts.Policy = &time, parsed.Policy.String()
	t.facts.ImprintName, t.facts.ImprintDeclared = parsed.ImprintAlgorithm.Name(), parsed.Imprint

	inner := &reader{ctx: r.ctx, facts: r.facts, parse: r.parse, identify: r.identify, seen: r.seen, content: cms.ContentOf(parsed.Message.Content)}
	inner.adopt(parsed.Message, facts.FromTimestamp)
	own := len(inner.certificates)
	inner.certificates = append(inner.certificates, r.certificates...)
	signature := inner.signature(parsed.Signer, at, "content")
	inner.inspect(&signature, parsed.Signer)
	inside := inner.tokenValues(&signature, parsed.Signer)
	t.facts.Token = &signature
	t.facts.AuthorityDiffers = parsed.Authority != nil && !inner.isVerifiedBy(signature.Candidates, parsed.Authority)
	t.inside = append(inner.carried(), inside...)
	r.certificates = append(r.certificates, inner.certificates[:own]...)
	if inner.err != nil {
		r.err = inner.err
	}
	return t
}

// carried are the objects that a message carries outside its signers.
func (r *reader) carried() []facts.Object {
	out := make([]facts.Object, 0, len(r.certificateIDs)+len(r.revocationIDs))
	for _, id := range r.certificateIDs {
		out = append(out, facts.Object{Kind: facts.CertificateObject, ID: id})
	}
	for _, id := range r.revocationIDs {
		out = append(out, facts.Object{Kind: facts.RevocationObject, ID: id})
	}
	return out
}

// tokenValues takes over what was added to a token for its own validation.
func (r *reader) tokenValues(f *facts.Signature, s *cms.Signer) []facts.Object {
	var inside []facts.Object
	for i, a := range s.UnsignedAttributes {
		for _, value := range a.Values {
			var objects []facts.Object
			var err error
			switch {
			case a.Type.Equal(cms.OIDCertificateValues):
				objects, err = r.certificateValues(value, facts.FromTokenValue)
				f.CertificateValues = append(f.CertificateValues, ids(objects)...)
			case a.Type.Equal(cms.OIDRevocationValues):
				objects, err = r.revocationValues(value, facts.FromTokenValue)
				f.RevocationValues = append(f.RevocationValues, ids(objects)...)
			}
			if err != nil {
				f.Findings = append(f.Findings, found(err, attributeAt(f.At, i)))
			}
			inside = append(inside, objects...)
		}
	}
	return inside
}

// isVerifiedBy reports whether a certificate of that subject made the value.
func (r *reader) isVerifiedBy(candidates []facts.Candidate, subject []byte) bool {
	for _, fact := range candidates {
		for _, c := range r.certificates {
			if fact.Verified && c.id == fact.Certificate && bytes.Equal(c.RawSubject, subject) {
				return true
			}
		}
	}
	return false
}

// digest is the imprint's algorithm; nil if there is none to compute.
func (t *token) digest() *algo.Digest {
	if t.parsed == nil {
		return nil
	}
	d, err := algo.DigestByIdentifier(t.parsed.ImprintAlgorithm)
	if err != nil {
		t.facts.ImprintCode = fault.CodeOf(err)
		return nil
	}
	return d
}

func (t *token) compare(sum []byte) {
	t.facts.ImprintComputed = sum
	t.facts.ImprintIntact = bytes.Equal(sum, t.parsed.Imprint)
}

// imprint computes what a token should be over, and says what it covers if it is.
func (r *reader) imprint(c *carried, t *token, digest *algo.Digest) {
	var covers []facts.Object
	switch t.facts.Kind {
	case facts.SignatureTimestamp:
		t.compare(digest.Sum(c.signer.Signature))
		covers = signed(c)
	case facts.CAdESCTimestamp:
		t.oneOf(digest, ades.CAdESCInputs(c.signer))
		covers = append(append(signed(c), c.objectsOf(cms.OIDSignatureTimestamp)...), c.referenced()...)
	case facts.ReferencesTimestamp:
		t.oneOf(digest, ades.ReferencesInputs(c.signer))
		covers = c.referenced()
	case facts.ArchiveTimestampV3:
		covers = r.archiveV3(c, t, digest)
	case facts.ArchiveTimestampV2:
		covers = r.archiveV2(c, t, digest)
	default:
		t.facts.ImprintCode = fault.LongTermNotJudged // of an obsolete kind
	}
	if t.facts.ImprintIntact && len(t.facts.Defects) == 0 {
		t.facts.Covers = unique(covers)
	}
}

// oneOf compares with each input that an imprint may be over.
func (t *token) oneOf(digest *algo.Digest, inputs [][]byte) {
	for _, input := range slices.Backward(inputs) { // the standard's own stays if none fits
		if t.compare(digest.Sum(input)); t.facts.ImprintIntact {
			return
		}
	}
}

// signed is what a signature stands for: its value, and through its attributes
// the content and the certificate that they refer to.
func signed(c *carried) []facts.Object {
	out := []facts.Object{{Kind: facts.SignatureObject, ID: c.facts.ID}}
	if c.depth == 0 {
		out = append(out, facts.Object{Kind: facts.ContentObject, ID: facts.ContentID})
	}
	for _, candidate := range c.facts.Candidates {
		if candidate.Referenced {
			out = append(out, facts.Object{Kind: facts.CertificateObject, ID: candidate.Certificate})
		}
	}
	return out
}

// objectsOf are what the unsigned attributes of a type became.
func (c *carried) objectsOf(oid asn1.ObjectIdentifier) []facts.Object {
	var out []facts.Object
	for i, a := range c.signer.UnsignedAttributes {
		if a.Type.Equal(oid) {
			out = append(out, slices.Concat(c.values[i]...)...)
		}
	}
	return out
}

// referenced are what the complete references name and is here.
func (c *carried) referenced() []facts.Object {
	var out []facts.Object
	for _, reference := range c.facts.CompleteReferences {
		if reference.Object != "" {
			out = append(out, facts.Object{Kind: reference.Kind, ID: reference.Object})
		}
	}
	return out
}

// unique drops what is there twice and keeps the order.
func unique(objects []facts.Object) []facts.Object {
	out := make([]facts.Object, 0, len(objects))
	known := make(map[facts.Object]bool, len(objects))
	for _, o := range objects {
		if !known[o] {
			known[o] = true
			out = append(out, o)
		}
	}
	return out
}

// archiveV3 computes the imprint of an archive-time-stamp-v3 (EN 319 122-1
// §5.5.3) and what its index lists.
func (r *reader) archiveV3(c *carried, t *token, digest *algo.Digest) []facts.Object {
	index, err := ades.ReadHashIndex(t.parsed.Signer)
	if err != nil {
		t.facts.Defects = append(t.facts.Defects, found(err, t.facts.At))
		t.facts.ImprintCode = fault.CodeOf(err)
		return nil
	}
	match := index.Match(r.message, c.signer, t.at)
	t.facts.HashIndex = &facts.HashIndex{
		Version: index.Version, Algorithm: index.Digest.Name,
		Certificates:       facts.IndexPart{Listed: len(index.Certificates), Unknown: match.UnknownCertificates, Later: match.LaterCertificates},
		Revocations:        facts.IndexPart{Listed: len(index.Revocations), Unknown: match.UnknownRevocations, Later: match.LaterRevocations},
		UnsignedAttributes: facts.IndexPart{Listed: len(index.UnsignedAttributes), Unknown: match.UnknownAttributes, Later: match.LaterAttributes},
	}
	if r.content == nil {
		t.facts.ImprintCode = fault.ContentMissing
		return nil
	}
	sum, err := r.content.Digest(r.ctx, digest)
	if err != nil {
		t.facts.ImprintCode = r.give(err)
		return nil
	}
	t.compare(digest.Sum(ades.ArchiveInputV3(r.message, c.signer, sum, index)))
	if !match.Complete() {
		return nil // §5.5.2: a digest of nothing makes the attribute invalid
	}
	covers := signed(c)
	for _, raw := range match.Certificates {
		covers = append(covers, facts.Object{Kind: facts.CertificateObject, ID: facts.Digest(raw)})
	}
	for _, raw := range match.Revocations {
		covers = append(covers, facts.Object{Kind: facts.RevocationObject, ID: facts.Digest(cms.RevocationValue(raw))})
	}
	for _, at := range match.Values {
		covers = append(covers, c.values[at.Attribute][at.Value]...)
	}
	return covers
}

// archiveV2 computes the imprint of an archive-time-stamp-v2 (TS 101 733 §6.4.1),
// which is over all that was there when it was made: all but the archive
// time-stamps that are not older.
func (r *reader) archiveV2(c *carried, t *token, digest *algo.Digest) []facts.Object {
	later := func(i int) bool {
		return slices.ContainsFunc(c.tokens, func(other *token) bool {
			return other.at.Attribute == i && other.facts.Kind.IsArchive() &&
				(other == t || other.parsed == nil || !other.parsed.Time.Before(t.parsed.Time))
		})
	}
	position := -1
	before, after := ades.ArchiveInputV2(r.message, c.signer, func(cms.Attribute) bool {
		position++
		return later(position)
	})
	h := digest.New()
	h.Write(before)
	if !r.message.Holds() {
		if r.content == nil {
			t.facts.ImprintCode = fault.ContentMissing
			return nil
		}
		if _, held := r.content.Bytes(); !held {
			if r.seen.rereads++; r.seen.rereads > rereadsMax {
				t.facts.ImprintCode = fault.CMSLimit
				return nil
			}
		}
		if err := r.content.WriteTo(r.ctx, h); err != nil {
			t.facts.ImprintCode = r.give(err)
			return nil
		}
	}
	h.Write(after)
	t.compare(h.Sum(nil))
	covers := append(signed(c), r.carried()...)
	for i := range c.signer.UnsignedAttributes {
		if !later(i) {
			covers = append(covers, slices.Concat(c.values[i]...)...)
		}
	}
	return covers
}
