package verifier

import (
	"context"
	"io"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier/cades"
	"github.com/senim-kz/senim/verifier/facts"
)

const (
	// questionsMax bounds the certificates asked about for one document: two
	// signers with time-stamps under a path of three need ten.
	questionsMax = 32
	// sourcesMax bounds the addresses asked about one certificate.
	sourcesMax = 6
)

// Input is a document and what is known beside it.
type Input struct {
	Name string // of the file, for the report
	// Data is the document; or Document, which may be of any size, if Data is nil.
	// What can seek and read at an offset, as a file can, is read again where that
	// is needed.
	Data     []byte
	Document io.Reader
	// Content is what a detached signature is over; or ContentFrom, which may be of
	// any size; or ContentDigests, if digests of it are all that is known. All nil
	// if it was not given.
	Content        []byte
	ContentFrom    io.Reader
	ContentDigests map[*algo.Digest][]byte
	// Spool keeps what passes as a stream and may be needed twice; Progress hears
	// how far the reading is, and total is -1 if nobody knows.
	Spool    cms.Spool
	Progress func(done, total int64)

	Certificates []*cert.Certificate // further certificates, trusted for nothing
	CRLs, OCSPs  [][]byte            // further revocation information, in DER

	// Anchors tell which paths are worth asking about. They are not kept.
	Anchors *trust.Store

	// Revocation asks for what is missing, and remembers it for the next document;
	// nil asks nobody.
	Revocation *revocation.Store
	// Fetcher asks where there is no Revocation, and remembers nothing.
	Fetcher revocation.Fetcher
	// Now says when something given is good enough not to ask. It must be set if
	// one of them is.
	Now func() time.Time
}

// Collect reads a document into facts and gathers what judging them needs: the
// certificates and revocation information that came with it or were given, and,
// with a Fetcher, an OCSP answer or CRL about each certificate of a prospective path
// that nothing given is about. What could not be got is a gap, not an error:
// the verdict says what is missing.
//
// The errors are those of the document: unreadable, without signature, or with
// a content that is not the one given.
func Collect(ctx context.Context, in Input) (*facts.Facts, error) {
	return new(Session).Collect(ctx, in)
}

// Collect is the function of that name.
func (s *Session) Collect(ctx context.Context, in Input) (*facts.Facts, error) {
	f, err := cades.Read(ctx, cades.Source{
		Name: in.Name, Data: in.Data, Document: in.Document,
		Content: in.Content, ContentFrom: in.ContentFrom, ContentDigests: in.ContentDigests,
		Spool: in.Spool, Progress: in.Progress, Certificates: in.Certificates, Parse: s.parse, Identify: s.identify,
	})
	if err != nil {
		return nil, err
	}
	if in.Anchors != nil {
		for _, c := range in.Anchors.Intermediates() {
			f.AddIdentified(s.identify(c.Raw), c.Raw, facts.FromGiven)
		}
	}
	for _, raw := range in.OCSPs {
		f.AddRevocation(facts.Revocation{ID: s.digest(raw), Kind: facts.OCSP, Raw: raw}, facts.FromGiven)
	}
	for _, raw := range in.CRLs {
		f.AddRevocation(facts.Revocation{ID: s.digest(raw), Kind: facts.CRL, Raw: raw}, facts.FromGiven)
	}
	if in.Revocation == nil && in.Fetcher != nil {
		in.Revocation = revocation.NewStore(revocation.StoreConfig{Fetcher: in.Fetcher, Now: in.Now})
	}
	if in.Revocation == nil {
		return f, nil
	}
	return f, s.newGatherer(f, in).gather(ctx)
}

// gatherer asks for what the facts lack.
type gatherer struct {
	session *Session
	facts   *facts.Facts
	in      Input
	pool    []*cert.Certificate
	given   []facts.Revocation
	asked   map[string]bool // by certificate
	known   map[string]bool // certificates that something given answers for
}

func (s *Session) newGatherer(f *facts.Facts, in Input) *gatherer {
	g := &gatherer{session: s, facts: f, in: in, asked: map[string]bool{}, known: map[string]bool{}}
	for _, c := range f.Certificates {
		if parsed, err := s.parse(c.Raw); err == nil {
			g.pool = append(g.pool, parsed)
		}
	}
	for _, r := range f.Revocations {
		if r.From(facts.FromGiven) {
			g.given = append(g.given, r)
		}
	}
	return g
}

// gather asks about the paths of every signer, of every counter-signer and of
// every time-stamp.
func (g *gatherer) gather(ctx context.Context) error {
	return g.ofSignatures(ctx, g.facts.Signatures, 0)
}

func (g *gatherer) ofSignatures(ctx context.Context, list []facts.Signature, depth int) error {
	for i := range list {
		s := &list[i]
		if err := g.ofSignature(ctx, s); err != nil {
			return err
		}
		for _, t := range s.Timestamps {
			if t.Token == nil {
				continue
			}
			if err := g.ofSignature(ctx, t.Token); err != nil {
				return err
			}
		}
		if depth == countersMax {
			continue
		}
		if err := g.ofSignatures(ctx, s.CounterSignatures, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// ofSignature asks about the certificate that made the value, if one did:
// nothing else can decide.
func (g *gatherer) ofSignature(ctx context.Context, s *facts.Signature) error {
	candidate := choose(s)
	if candidate == nil {
		return nil
	}
	leaf, err := g.session.parse(g.facts.Certificate(candidate.Certificate))
	if err != nil {
		return nil // no candidate is a certificate that does not parse
	}
	g.fetchIssuers(ctx, leaf)
	for _, p := range g.session.request(leaf, g.pool, g.in.Anchors).Prospective() {
		if p.Anchor == nil {
			continue // no status helps a path that leads nowhere
		}
		for i, issued := range p.Certificates[:len(p.Certificates)-1] {
			if err := g.ofCertificate(ctx, issued, p.Certificates[i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetchIssuers gets the certificates between a leaf and an anchor that are
// missing, from where certificates say that they are.
func (g *gatherer) fetchIssuers(ctx context.Context, leaf *cert.Certificate) {
	request := g.session.request(leaf, g.pool, g.in.Anchors)
	for _, c := range path.FetchIssuers(ctx, g.in.Revocation.Fetcher(), request) {
		g.facts.AddCertificate(c.Raw, facts.FromFetched)
		g.pool = append(g.pool, c)
	}
}

// ofCertificate asks the sources that the certificate names in turn until one
// answers.
// Only the caller's own cancellation is an error.
func (g *gatherer) ofCertificate(ctx context.Context, issued, issuer *cert.Certificate) error {
	id := facts.Digest(issued.Raw)
	if g.asked[id] || g.known[id] || len(g.asked) == questionsMax {
		return nil
	}
	if g.isAnswered(issued, issuer) {
		g.known[id] = true
		return nil
	}
	g.asked[id] = true
	sources := sourcesOf(issued)
	if len(sources) == 0 {
		g.facts.Gaps = append(g.facts.Gaps, facts.Gap{Certificate: id, Kind: string(facts.OCSP), Code: fault.RevocationUnknown})
		return nil
	}
	for _, from := range sources {
		answer, err := g.ask(ctx, from, issued, issuer)
		if ctx.Err() != nil {
			return fault.Wrap(ctx.Err(), fault.Cancelled, "", "gather revocation information")
		}
		if err == nil {
			g.facts.AddRevocation(*answer, facts.FromFetched)
			if from.kind == facts.CRL {
				g.addDeltas(ctx, issued, issuer)
			}
			return nil
		}
		g.facts.Gaps = append(g.facts.Gaps, facts.Gap{Certificate: id, Kind: string(from.kind), Source: from.url, Code: fault.CodeOf(err)})
	}
	return nil
}
