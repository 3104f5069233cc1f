package verifier

import (
	"slices"
	"strings"

	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier/facts"
)

// complete adds to a judged report what the facts say without judgement: what
// each signature is and covers, what each token covers, and which raw objects
// the evidence names. The signatures and tokens of a report stand in the order
// of the facts. ids are those of the certificates that were met: an anchor need
// not be among the facts.
func (r *Report) complete(f *facts.Facts, ids map[*cert.Certificate]string) {
	r.Bytes = f.Document.Bytes
	used := usedObjects{}
	completeSignatures(r.Signatures, f.Signatures, used)
	r.Objects = []ObjectReport{}
	met := make([]known, 0, len(ids))
	for c, id := range ids {
		met = append(met, known{id, c.Raw})
	}
	for _, o := range used.find(f, met) {
		r.Objects = append(r.Objects, o.ObjectReport)
	}
}

func completeSignatures(reports []SignatureReport, list []facts.Signature, used usedObjects) {
	for i := range min(len(reports), len(list)) {
		r, s := &reports[i], &list[i]
		r.At, r.Value, r.ToBeSigned = s.At, s.Value, toBeSigned(s)
		r.Covers = make([]CoveredReport, len(s.Covers))
		for j, c := range s.Covers {
			r.Covers[j] = CoveredReport{Name: c.Name, Bytes: c.Bytes, Digest: Digested{c.Algorithm, c.Computed}, Found: c.Found, Intact: c.Intact}
		}
		for j := range min(len(r.Timestamps), len(s.Timestamps)) {
			r.Timestamps[j].complete(&s.Timestamps[j])
		}
		for _, id := range r.Evidence {
			used[id] = true
		}
		completeSignatures(r.CounterSignatures, s.CounterSignatures, used)
	}
}

func (r *TimestampReport) complete(t *facts.Timestamp) {
	r.Token, r.Policy, r.Covers = facts.Digest(t.Raw), t.Policy, make([]string, len(t.Covers))
	for i, object := range t.Covers {
		r.Covers[i] = string(object.Kind) + " " + object.ID
	}
}

// toBeSigned is the digest of what the signature value is over: the signed
// attributes, or the content itself.
func toBeSigned(s *facts.Signature) Digested {
	d := Digested{Algorithm: s.DigestAlgorithm.Name}
	if len(s.SignedBytes) == 0 {
		if len(s.Covers) > 0 {
			d.Value = s.Covers[0].Computed
		}
	} else if digest, err := algo.DigestByName(d.Algorithm); err == nil {
		d.Value = digest.Sum(s.SignedBytes)
	}
	return d
}

// Object is a raw object that a verdict rests on.
type Object struct {
	ObjectReport
	Raw []byte
}

// Evidence gives the raw objects that a report names, in its order, from the
// facts and the anchors that it was made of.
func (r *Report) Evidence(f *facts.Facts, anchors *trust.Store) []Object {
	used := usedObjects{}
	for _, o := range r.Objects {
		used[o.ID] = true
	}
	var met []known
	for _, a := range anchors.Anchors() {
		met = append(met, known{facts.Digest(a.Certificate.Raw), a.Certificate.Raw})
	}
	return used.find(f, met)
}

// usedObjects are the IDs of objects that a verdict rests on.
type usedObjects map[string]bool

// known is a certificate that need not be among the facts.
type known struct {
	id  string
	raw []byte
}

// fromAnchors is the origin of what is in no facts, because they hold no trust.
const fromAnchors = "anchors"

// find lists the objects: certificates, then revocation information, both in
// the order of the facts, with anchors between them, then tokens in the order of
// their IDs.
func (u usedObjects) find(f *facts.Facts, met []known) []Object {
	out := make([]Object, 0, len(u))
	for _, c := range f.Certificates {
		if u[c.ID] {
			out = append(out, Object{ObjectReport{ID: c.ID, Kind: "certificate", Bytes: len(c.Raw), Origins: c.Origins}, c.Raw})
		}
	}
	slices.SortFunc(met, func(a, b known) int { return strings.Compare(a.id, b.id) })
	for _, c := range met {
		if u[c.id] && !slices.ContainsFunc(out, func(o Object) bool { return o.ID == c.id }) {
			out = append(out, Object{ObjectReport{ID: c.id, Kind: "certificate", Bytes: len(c.raw), Origins: []string{fromAnchors}}, c.raw})
		}
	}
	for _, v := range f.Revocations {
		if u[v.ID] {
			out = append(out, Object{ObjectReport{
				ID: v.ID, Kind: string(v.Kind), Bytes: len(v.Raw), Origins: v.Origins, Source: v.Source, Fetched: formatOptional(v.Fetched),
			}, v.Raw})
		}
	}
	tokens := u.tokens(f.Signatures, nil)
	slices.SortFunc(tokens, func(a, b Object) int { return strings.Compare(a.ID, b.ID) })
	return append(out, slices.CompactFunc(tokens, func(a, b Object) bool { return a.ID == b.ID })...)
}

// tokens finds tokens, those inside a token's own signature too.
func (u usedObjects) tokens(list []facts.Signature, out []Object) []Object {
	for i := range list {
		for _, t := range list[i].Timestamps {
			if id := facts.Digest(t.Raw); u[id] {
				out = append(out, Object{ObjectReport{ID: id, Kind: "timestamp", Bytes: len(t.Raw), Origins: []string{facts.FromMessage}}, t.Raw})
			}
			if t.Token != nil {
				out = u.tokens([]facts.Signature{*t.Token}, out)
			}
		}
		out = u.tokens(list[i].CounterSignatures, out)
	}
	return out
}
