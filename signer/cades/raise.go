package cades

import (
	"bytes"
	"context"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
)

// clockSkew is how far the clocks of others may be off ours.
const clockSkew = 5 * time.Minute

// stampAll gives a signature time-stamp to every signature that has none which
// holds (EN 319 122-1 §5.3).
func (x *extending) stampAll(ctx context.Context) error {
	for _, r := range x.signatures {
		if len(r.stamps) > 0 || len(r.archives) > 0 {
			continue
		}
		if err := x.checkBeforeStamp(ctx, r); err != nil {
			return err
		}
		view, err := x.m.view()
		if err != nil {
			return err
		}
		value := view.Signers[r.index].Signature
		digest := x.Stamper.Digest()
		token, err := x.Stamper.StampDigest(ctx, digest, digest.Sum(value))
		if err != nil {
			return err
		}
		one, err := checkStamp(token.Raw, value, x.candidates)
		if err != nil {
			return fault.Wrap(err, fault.PeerAnswer, "", "the token is not over the signature")
		}
		if err := x.m.signers[r.index].add(cms.OIDSignatureTimestamp, token.Raw); err != nil {
			return err
		}
		r.stamps = append(r.stamps, one)
		x.added.SignatureTimestamps++
	}
	return nil
}

// checkBeforeStamp makes sure that a stamp of now is worth having: the
// certificate is valid, and is not known to be revoked. For LT the status must be
// known, before an authority is troubled; for T a source that is down is no
// obstacle.
func (x *extending) checkBeforeStamp(ctx context.Context, r *raised) error {
	_, _, err := x.unrevoked(ctx, r.certificate, nil, x.now, x.carried())
	if fault.Is(err, fault.RevocationUnknown) && x.to == T {
		err = nil
	}
	if err != nil {
		return fault.Wrap(err, fault.CodeOf(err), at(r.index, ""), "validate the signer's certificate")
	}
	return nil
}

// pathOf finds the path of a stamp's authority at the stamp's time.
func (x *extending) pathOf(s *stamp) (*path.Path, error) {
	return path.Build(path.Request{
		Leaf: s.signer, Intermediates: append(s.token.Certificates(), x.candidates...), Anchors: x.Anchors, At: s.at,
	})
}

// unrevoked finds a path to an anchor on which nothing was revoked at a time,
// with what proves it. others are certificates that came with the leaf, given is
// information that need not be fetched.
func (x *extending) unrevoked(ctx context.Context, leaf *cert.Certificate, others []*cert.Certificate, when time.Time, given []revocation.Information) (*path.Path, []*revocation.Result, error) {
	r := path.Request{Leaf: leaf, Intermediates: slices.Concat(others, x.candidates), Anchors: x.Anchors, At: when}
	checker := x.Revocation
	if checker.Store != nil {
		fetched := path.FetchIssuers(ctx, checker.Store.Fetcher(), r)
		x.candidates = append(x.candidates, fetched...)
		r.Intermediates = append(r.Intermediates, fetched...)
	}
	checker.Given = slices.Concat(checker.Given, given)
	p, results, err := path.BuildUnrevoked(ctx, r, checker, revocation.Rules{At: when, Now: later(x.now, when), Skew: clockSkew})
	if err != nil && ctx.Err() != nil {
		err = fault.Wrap(ctx.Err(), fault.Cancelled, "", "look for revocation information")
	}
	return p, results, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// carried is the revocation information in the message.
func (x *extending) carried() []revocation.Information {
	var found []revocation.Information
	for _, raw := range x.m.revocation {
		if cbasn1.Tag(raw[0]) == cbasn1.SEQUENCE {
			found = append(found, revocation.Information{Kind: revocation.CRL, Raw: raw, Source: revocation.Given})
		} else if answer, ok := readOCSP(raw); ok {
			found = append(found, revocation.Information{Kind: revocation.OCSP, Raw: answer, Source: revocation.Given})
		}
	}
	return found
}

// gatherAll puts into the message what validating it will take: for every
// signature the signer's path, and that of each authority whose stamp it has.
//
// What is known of the signer must be from after the signature is proven to have
// existed. What is known of an authority must be as new as the next proof that its
// stamp existed, the archive time-stamp to come: once its certificate has expired,
// that is all that says it was good until then (EN 319 102-1 §5.6.2.2, validation
// time sliding). Stamps that an earlier archive time-stamp covers have what they
// need.
func (x *extending) gatherAll(ctx context.Context) error {
	g := &gathering{extending: x, seen: make(map[string]bool)}
	for _, r := range x.signatures {
		best := x.now
		if len(r.stamps) > 0 {
			best = r.stamps[0].at
		}
		if err := g.path(ctx, r.certificate, nil, best, best, 0); err != nil {
			return fault.Wrap(err, fault.CodeOf(err), at(r.index, ""), "gather what validates the signer's certificate")
		}
		all := slices.Concat(r.contents, r.stamps, r.archives)
		for i, s := range all {
			since := s.at
			switch covered := len(r.archives) > 0 && i < len(all)-1; {
			case covered:
				since = time.Time{}
			case x.to == LTA:
				since = x.now
			}
			if err := g.path(ctx, s.signer, s.token.Certificates(), s.at, since, 0); err != nil {
				return fault.Wrap(err, fault.CodeOf(err), at(r.index, ""), "gather what validates a time-stamp")
			}
		}
	}
	return nil
}

// gathering adds certificates and revocation information to a message.
type gathering struct {
	*extending
	seen map[string]bool // certificates whose paths are done, with their times
}

// signersMax bounds who signed information about who signed information.
const signersMax = 4

// path adds a path at a time, the information about each certificate on it that
// was still good at since, and the same for who signed that information.
func (g *gathering) path(ctx context.Context, leaf *cert.Certificate, others []*cert.Certificate, when, since time.Time, depth int) error {
	key := string(leaf.Raw) + when.UTC().String() + since.UTC().String()
	if g.seen[key] {
		return nil
	}
	g.seen[key] = true
	p, results, err := g.unrevoked(ctx, leaf, others, when, g.carried())
	if (err != nil || !areSince(results, since)) && !g.now.After(leaf.NotAfter) {
		p, results, err = g.unrevoked(ctx, leaf, others, when, nil)
	}
	if err != nil {
		return err
	}
	for _, c := range p.Certificates {
		g.added.Certificates += g.m.addCertificates(c.Raw)
	}
	for _, result := range results {
		if err := g.evidence(ctx, p, result.Evidence, depth); err != nil {
			return err
		}
	}
	return nil
}

// areSince reports whether all information was made at a time or later, or was
// good until then by its own dates. A CRL of CAs is older than most that is
// signed below them.
func areSince(results []*revocation.Result, since time.Time) bool {
	return !slices.ContainsFunc(results, func(r *revocation.Result) bool {
		return r.Evidence.ThisUpdate.Before(since) && r.Evidence.NextUpdate.Before(since)
	})
}

// evidence adds what is known of one certificate of a path.
func (g *gathering) evidence(ctx context.Context, p *path.Path, e *revocation.Evidence, depth int) error {
	for _, info := range append([]revocation.Information{e.Information}, e.With...) {
		if err := g.information(info); err != nil {
			return err
		}
	}
	if e.Signer == nil || slices.ContainsFunc(p.Certificates, e.Signer.Equal) {
		return nil
	}
	return g.signer(ctx, p, e, depth)
}

// information adds a CRL or an OCSP answer, once.
func (g *gathering) information(info revocation.Information) error {
	if info.Kind == revocation.CRL {
		raw, err := info.Bytes() // a long one may lie in a file
		if err != nil {
			return err
		}
		g.added.CRLs += addOnce(&g.m.revocation, raw)
		return nil
	}
	raw, err := writeOCSP(info.Raw)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "write an OCSP answer")
	}
	if !slices.ContainsFunc(g.m.revocation, func(known []byte) bool { // in either form of it
		answer, ok := readOCSP(known)
		return ok && bytes.Equal(answer, info.Raw)
	}) {
		g.added.OCSPs += addOnce(&g.m.revocation, raw)
	}
	return nil
}

// signer adds the path of who signed information about a path. A responder that says it
// needs no check, or that names no source of one, is checked for its path alone
// (RFC 6960 §4.2.2.2.1).
func (g *gathering) signer(ctx context.Context, about *path.Path, e *revocation.Evidence, depth int) error {
	if depth == signersMax {
		return fault.New(fault.RevocationUnknown, "", "more than %d signers of information about each other", signersMax)
	}
	c := e.Signer
	if e.Kind == revocation.OCSP && (e.SignerNoCheck || len(c.OCSPServers)+len(c.CRLPoints) == 0) {
		p, err := path.Build(path.Request{Leaf: c, Intermediates: slices.Concat(about.Certificates, g.candidates), Anchors: g.Anchors, At: e.ProducedAt})
		if err != nil {
			return fault.Wrap(err, fault.CodeOf(err), "", "validate the responder's certificate")
		}
		for _, c := range p.Certificates {
			g.added.Certificates += g.m.addCertificates(c.Raw)
		}
		return nil
	}
	when := e.ThisUpdate
	if e.Kind == revocation.OCSP {
		when = e.ProducedAt
	}
	if err := g.path(ctx, c, about.Certificates, when, when, depth+1); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "", "validate who signed revocation information")
	}
	return nil
}

// archiveAll puts an archive time-stamp on every signature (EN 319 122-1 §5.5.3),
// after everything that it is to cover is there.
func (x *extending) archiveAll(ctx context.Context) error {
	for _, r := range x.signatures {
		view, err := x.m.view()
		if err != nil {
			return err
		}
		digest := x.Stamper.Digest()
		s := view.Signers[r.index]
		index, err := ades.NewHashIndex(digest, view, s)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "", "write the hash index")
		}
		input := ades.ArchiveInputV3(view, s, x.sums[digest], index)
		token, err := x.Stamper.StampDigest(ctx, digest, digest.Sum(input))
		if err != nil {
			return err
		}
		if err := token.CheckImprint(input); err != nil {
			return fault.Wrap(err, fault.PeerAnswer, "", "the token is not over the archive's imprint")
		}
		carrying, err := cms.AddUnsignedAttribute(token.Raw, 0, index.Attribute())
		if err != nil {
			return fault.Wrap(err, fault.CodeOf(err), "", "put the hash index into the token")
		}
		if err := x.m.signers[r.index].add(cms.OIDArchiveTimestampV3, carrying); err != nil {
			return err
		}
		x.added.ArchiveTimestamps++
	}
	return nil
}

// oidOCSPInfo is id-ri-ocsp-response (RFC 5940 §2.1).
var oidOCSPInfo = []byte{0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x10, 0x02}

var tagOtherRevocation = cbasn1.Tag(1).ContextSpecific().Constructed()

// writeOCSP wraps an OCSP answer as OtherRevocationInfoFormat.
func writeOCSP(answer []byte) ([]byte, error) {
	return marshal(func(b *cryptobyte.Builder) {
		b.AddASN1(tagOtherRevocation, func(b *cryptobyte.Builder) {
			b.AddBytes(oidOCSPInfo)
			b.AddBytes(answer)
		})
	})
}

// readOCSP unwraps one.
func readOCSP(raw []byte) ([]byte, bool) {
	s := cryptobyte.String(raw)
	var other, kind, answer cryptobyte.String
	var tag cbasn1.Tag
	ok := s.ReadASN1(&other, tagOtherRevocation) && other.ReadASN1Element(&kind, cbasn1.OBJECT_IDENTIFIER) &&
		bytes.Equal(kind, oidOCSPInfo) && other.ReadAnyASN1Element(&answer, &tag) && other.Empty()
	return answer, ok
}
