package cades

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/tsp"
)

// Extender raises signatures to a higher level. It is safe for concurrent use if
// its parts are.
type Extender struct {
	Stamper Stamper
	Anchors *trust.Store
	// Certificates may complete paths; trusted for nothing.
	Certificates []*cert.Certificate
	// Revocation finds the status of certificates: its Store is used,
	// what it is Given besides what the message holds, and its OCSPURL.
	Revocation revocation.Checker
	Now        func() time.Time
}

// Extension says what was added.
type Extension struct {
	SignatureTimestamps int `json:"signature_timestamps"`
	ArchiveTimestamps   int `json:"archive_timestamps"`
	Certificates        int `json:"certificates"`
	CRLs                int `json:"crls"`
	OCSPs               int `json:"ocsps"`
}

// nothing reports whether nothing was added.
func (e Extension) nothing() bool { return e == Extension{} }

// Extend raises the signatures named, by position, or all of them, to a level:
//
//   - T: a signature time-stamp, unless one holds already. The signer's path must
//     be valid now and nothing on it known to be revoked, because the stamp must
//     come before (EN 319 122-1 §6.3, signature-time-stamp).
//   - LT: besides, the certificates and the revocation information of every path:
//     the signer's at the time of the oldest stamp, each authority's at the time
//     of its own, and those of who signed the information.
//   - LTA: besides, an archive time-stamp over all of it. On a signature that has
//     one, this is its renewal: what the last one needs to be validated is added
//     before the new one covers it.
//
// document is what a detached message is over. The message changes only if all
// succeeds; else it is as it was, and the error says what cannot be had:
// certificate_revoked, revocation_unknown around the reason (a peer's that is
// down; revocation_stale if the certificate expired before proof was kept),
// chain_not_found, the authority's refusal, or why a signature does not hold.
// level_reached: nothing is lacking.
func (e *Extender) Extend(ctx context.Context, m *Message, document Source, to Level, signers ...int) (Extension, error) {
	x := &extending{Extender: e, m: m.clone(), to: to, now: e.Now()}
	if to == B {
		return Extension{}, fault.New(fault.BadArgument, "", "a signature is extended to T, LT or LTA")
	}
	if err := x.start(ctx, document, signers); err != nil {
		return Extension{}, err
	}
	for _, step := range []struct {
		level Level
		do    func(context.Context) error
	}{{T, x.stampAll}, {LT, x.gatherAll}, {LTA, x.archiveAll}} {
		if step.level > to {
			break
		}
		if err := step.do(ctx); err != nil {
			return Extension{}, err
		}
	}
	if x.added.nothing() {
		return Extension{}, fault.New(fault.LevelReached, "", "nothing is lacking for %s", to)
	}
	// The result must be readable within the limits of those who read it.
	if _, err := x.m.view(); err != nil {
		return Extension{}, err
	}
	*m = *x.m
	return x.added, nil
}

func (m *Message) clone() *Message {
	c := *m
	c.certificates, c.revocation = slices.Clone(m.certificates), slices.Clone(m.revocation)
	c.digestAlgorithms = slices.Clone(m.digestAlgorithms)
	c.signers = make([]*signerInfo, len(m.signers))
	for i, s := range m.signers {
		c.signers[i] = &signerInfo{head: s.head, unsigned: slices.Clone(s.unsigned)}
	}
	return &c
}

// extending is one extension under way.
type extending struct {
	*Extender
	m     *Message
	to    Level
	now   time.Time
	added Extension

	sums       map[*algo.Digest][]byte // of the content
	candidates []*cert.Certificate
	signatures []*raised
}

// raised is one signature that is raised.
type raised struct {
	index       int
	certificate *cert.Certificate
	stamps      []*stamp // over the signature, those that hold; the oldest first
	contents    []*stamp // over the content
	archives    []*stamp
}

// at points at a part of a signature.
func at(index int, part string) string { return fmt.Sprintf("/signerInfos/%d%s", index, part) }

// start reads the message and makes sure that every signature to be raised, and
// every archive time-stamp on it, holds.
func (x *extending) start(ctx context.Context, document Source, signers []int) error {
	view, err := x.m.view()
	if err != nil {
		return err
	}
	if len(view.Signers) == 0 {
		return fault.New(fault.NoSignature, "/signerInfos", "empty")
	}
	for i := range view.Signers {
		if len(signers) == 0 || slices.Contains(signers, i) {
			x.signatures = append(x.signatures, &raised{index: i})
		}
	}
	for _, i := range signers {
		if i < 0 || i >= len(view.Signers) {
			return fault.New(fault.BadArgument, "/signerInfos", "no signature %d of %d", i, len(view.Signers))
		}
	}
	if x.to > T {
		if err := checkOpenEnded(view); err != nil {
			return err
		}
	}
	x.collectCandidates(view)
	if err := x.digest(ctx, view, document); err != nil {
		return err
	}
	for _, r := range x.signatures {
		if err := x.check(view, r); err != nil {
			return fault.Wrap(err, fault.CodeOf(err), at(r.index, ""), "check the signature before it is extended")
		}
	}
	return nil
}

// collectCandidates gathers the certificates that anybody on the way may need.
func (x *extending) collectCandidates(view *cms.Message) {
	x.candidates = slices.Clone(x.Certificates)
	x.candidates = append(x.candidates, x.Anchors.Intermediates()...)
	for _, a := range x.Anchors.Anchors() {
		x.candidates = append(x.candidates, a.Certificate)
	}
	for _, raw := range view.Certificates {
		if c, err := cert.Parse(raw); err == nil { // one that nobody needs may be odd
			x.candidates = append(x.candidates, c)
		}
	}
}

// digest reads the content once, for all signatures and archive time-stamps.
func (x *extending) digest(ctx context.Context, view *cms.Message, document Source) error {
	content, err := x.m.signedContent(ctx, document)
	if err != nil {
		return err
	}
	var wanted []*algo.Digest
	if x.to == LTA {
		wanted = append(wanted, x.Stamper.Digest())
	}
	for _, r := range x.signatures {
		s := view.Signers[r.index]
		d, err := s.Digest()
		if err != nil {
			return fault.Wrap(err, fault.CodeOf(err), at(r.index, "/digestAlgorithm"), "read the digest algorithm")
		}
		wanted = append(wanted, d)
		for _, raw := range slices.Concat(values(s, cms.OIDArchiveTimestampV3), contentStamps(s)) {
			if token, err := tsp.ParseToken(raw); err == nil {
				if d, err := algo.DigestByIdentifier(token.ImprintAlgorithm); err == nil {
					wanted = append(wanted, d)
				}
			}
		}
	}
	x.sums, err = content.digestsOf(ctx, wanted...)
	return err
}

// contentStamps are the content-time-stamps, which are signed attributes.
func contentStamps(s *cms.Signer) [][]byte {
	var found [][]byte
	for _, a := range s.SignedAttributes {
		if a.Type.Equal(cms.OIDContentTimestamp) {
			found = append(found, a.Values...)
		}
	}
	return found
}

// check verifies a signature and what time-stamps it has. One over the value
// that does not hold is no obstacle, it counts for nothing; an archive
// time-stamp that does not hold is: renewing it would hide that.
func (x *extending) check(view *cms.Message, r *raised) error {
	s := view.Signers[r.index]
	var err error
	if r.certificate, err = checkSigner(view, s, x.sums, x.candidates); err != nil {
		return err
	}
	for _, raw := range values(s, cms.OIDSignatureTimestamp) {
		if one, err := checkStamp(raw, s.Signature, x.candidates); err == nil && x.hasPath(one) {
			r.stamps = append(r.stamps, one)
		}
	}
	slices.SortStableFunc(r.stamps, func(a, b *stamp) int { return a.at.Compare(b.at) })
	for _, raw := range contentStamps(s) {
		one, err := x.checkContentStamp(raw)
		if err != nil {
			return fault.Wrap(err, fault.CodeOf(err), at(r.index, "/signedAttrs/content-time-stamp"), "check a time-stamp of the content")
		}
		r.contents = append(r.contents, one)
	}
	return x.checkArchives(view, r)
}

// hasPath reports whether a stamp's authority leads to an anchor.
func (x *extending) hasPath(s *stamp) bool {
	_, err := x.pathOf(s)
	return err == nil
}

func (x *extending) checkContentStamp(raw []byte) (*stamp, error) {
	token, err := tsp.ParseToken(raw)
	if err != nil {
		return nil, err
	}
	digest, err := algo.DigestByIdentifier(token.ImprintAlgorithm)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(token.Imprint, x.sums[digest]) {
		return nil, fault.New(fault.TimestampImprintMismatch, "", "%s", digest.Name)
	}
	return verifiedStamp(token, x.candidates)
}

// checkArchives verifies every archive time-stamp of version 3 (EN 319 122-1
// §5.5): what its index lists is all there, and its imprint is of what it says.
func (x *extending) checkArchives(view *cms.Message, r *raised) error {
	s := view.Signers[r.index]
	for a, attribute := range s.UnsignedAttributes {
		if !attribute.Type.Equal(cms.OIDArchiveTimestampV3) {
			continue
		}
		for v, raw := range attribute.Values {
			one, err := x.checkArchive(view, s, raw, ades.AttributeValue{Attribute: a, Value: v})
			if err != nil {
				return fault.Wrap(err, fault.CodeOf(err), at(r.index, fmt.Sprintf("/unsignedAttrs/%d", a)), "check an archive time-stamp")
			}
			r.archives = append(r.archives, one)
		}
	}
	return nil
}

func (x *extending) checkArchive(view *cms.Message, s *cms.Signer, raw []byte, own ades.AttributeValue) (*stamp, error) {
	token, err := tsp.ParseToken(raw)
	if err != nil {
		return nil, err
	}
	index, err := ades.ReadHashIndex(token.Signer)
	if err != nil {
		return nil, err
	}
	if match := index.Match(view, s, own); !match.Complete() {
		return nil, fault.New(fault.TimestampInvalid, "", "%d certificates, %d revocation values and %d attributes that it covers are missing",
			match.UnknownCertificates, match.UnknownRevocations, match.UnknownAttributes)
	}
	digest, err := algo.DigestByIdentifier(token.ImprintAlgorithm)
	if err != nil {
		return nil, err
	}
	if err := token.CheckImprint(ades.ArchiveInputV3(view, s, x.sums[digest], index)); err != nil {
		return nil, err
	}
	one, err := verifiedStamp(token, x.candidates)
	if err != nil {
		return nil, err
	}
	_, err = x.pathOf(one)
	return one, err
}
