package cades

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/verifier/facts"
)

// timestampsMax bounds the tokens that are read for one signer. A signature has
// one, or one of each authority that was thought worth asking.
const timestampsMax = 16

// timestamps gives the facts of the signature time-stamps of a signer
// (EN 319 122-1 §5.3): every value of every such attribute is a token.
func (r *reader) timestamps(f *facts.Signature, s *cms.Signer) {
	for _, a := range s.Unsigned(cms.OIDSignatureTimestamp) {
		for _, raw := range a.Values {
			if len(f.Timestamps) == timestampsMax {
				f.Defects = append(f.Defects, facts.Finding{Code: fault.CMSLimit, At: f.At, Detail: fmt.Sprintf("more than %d time-stamps", timestampsMax)})
				return
			}
			f.Timestamps = append(f.Timestamps, r.timestamp(raw, s.Signature))
		}
	}
}

// timestamp gives the facts of one token over a signature value. Its own
// signature is read as any other; the document's certificates may complete its
// path, and the token's complete the document's.
func (r *reader) timestamp(raw, over []byte) facts.Timestamp {
	sum := sha256.Sum256(raw)
	f := facts.Timestamp{ID: "T-" + hex.EncodeToString(sum[:16]), Kind: facts.SignatureTimestamp, Raw: raw, Covers: []facts.Object{}, Defects: []facts.Finding{}}
	token, err := tsp.ParseToken(raw)
	if err != nil {
		f.Defects = append(f.Defects, facts.FindingOf(err))
		return f
	}
	at := token.Time.UTC()
	f.Time, f.Policy = &at, token.Policy.String()
	f.ImprintName, f.ImprintDeclared = token.ImprintAlgorithm.Name(), token.Imprint
	if digest, err := algo.DigestByIdentifier(token.ImprintAlgorithm); err == nil {
		f.ImprintComputed = digest.Sum(over)
		f.ImprintIntact = bytes.Equal(f.ImprintComputed, f.ImprintDeclared)
	}
	inner := &reader{facts: r.facts, parse: r.parse}
	inner.adopt(token.Message, facts.FromTimestamp)
	inner.certificates = append(inner.certificates, r.certificates...)
	signature := inner.signature(0, token.Signer, token.Message.Content)
	f.Token = &signature
	f.AuthorityDiffers = token.Authority != nil && !inner.isVerifiedBy(signature.Candidates, token.Authority)
	return f
}

// isVerifiedBy reports whether a certificate of that subject made the value.
func (r *reader) isVerifiedBy(candidates []facts.Candidate, subject []byte) bool {
	for _, c := range candidates {
		holder, err := r.parse(r.facts.Certificate(c.Certificate))
		if c.Verified && err == nil && bytes.Equal(holder.RawSubject, subject) {
			return true
		}
	}
	return false
}
