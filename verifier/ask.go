package verifier

import (
	"context"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/verifier/facts"
)

// isAnswered reports whether something given is about the certificate and still
// good: then nobody need be asked.
func (g *gatherer) isAnswered(issued, issuer *cert.Certificate) bool {
	subject := revocation.Subject{Certificate: issued, Issuer: issuer}
	rules := revocation.Rules{At: g.in.Now(), Skew: clockSkew}
	for _, r := range g.given {
		if e, err := revocation.Check(information(r), subject, rules); err == nil && e.Status != revocation.Unknown {
			return true
		}
	}
	return false
}

// source is one address that a certificate names.
type source struct {
	kind facts.RevocationKind
	url  string
}

// sourcesOf lists whom to ask about a certificate, OCSP before CRLs: an answer
// is fresher and smaller. CA certificates often name a CRL only.
func sourcesOf(c *cert.Certificate) []source {
	var sources []source
	for _, url := range c.OCSPServers {
		sources = append(sources, source{facts.OCSP, url})
	}
	for _, url := range c.CRLURLs {
		sources = append(sources, source{facts.CRL, url})
	}
	return sources[:min(len(sources), sourcesMax)]
}

// ask gets an answer that is of use now; what it is worth for the time judged is
// judged later. A peer that answers wrongly is a gap, as one that is down.
func (g *gatherer) ask(ctx context.Context, from source, issued, issuer *cert.Certificate) (*facts.Revocation, error) {
	answer, err := g.fetch(ctx, from, issued, issuer)
	if err == nil {
		err = g.isOfUse(answer, issued, issuer)
	}
	if err != nil {
		return nil, err
	}
	raw, err := answer.Bytes()
	if err != nil {
		return nil, err
	}
	at := answer.Fetched.UTC()
	return &facts.Revocation{Kind: from.kind, Source: from.url, Fetched: &at, Nonce: answer.Nonce, Raw: raw}, nil
}

// isOfUse refuses what cannot be read, what is signed wrongly or by who may not,
// and what has run out already. A CRL may need others to tell anything, or a signer
// who is not known here; and of a certificate that has expired nothing need be said
// any more: those are for the judge.
func (g *gatherer) isOfUse(answer revocation.Information, issued, issuer *cert.Certificate) error {
	if err := answer.Readable(); err != nil || g.in.Now().After(issued.NotAfter) {
		return err
	}
	rules := revocation.Rules{At: g.in.Now(), Skew: clockSkew}
	_, err := revocation.Check(answer, revocation.Subject{Certificate: issued, Issuer: issuer}, rules)
	switch {
	case answer.Kind == revocation.OCSP, fault.Is(err, fault.SignatureInvalid), fault.Is(err, fault.RevocationStale), fault.Is(err, fault.RevocationFromFuture):
		return err
	}
	return nil
}

func (g *gatherer) fetch(ctx context.Context, from source, issued, issuer *cert.Certificate) (revocation.Information, error) {
	if from.kind == facts.CRL {
		return g.in.Revocation.Download(ctx, from.url, issuer)
	}
	rules := revocation.Rules{At: g.in.Now(), Skew: clockSkew}
	return g.in.Revocation.Ask(ctx, from.url, revocation.Subject{Certificate: issued, Issuer: issuer}, rules)
}

// addDeltas gets what changed since a CRL that was taken in the place of an OCSP
// answer, from where the certificate says (RFC 5280 §4.2.1.15). What cannot be
// had is left out: the list stands without it.
func (g *gatherer) addDeltas(ctx context.Context, issued, issuer *cert.Certificate) {
	for _, p := range issued.FreshestCRL {
		for _, name := range p.Full {
			if name.Kind != cert.URIName {
				continue
			}
			if delta, err := g.ask(ctx, source{facts.CRL, string(name.Value)}, issued, issuer); err == nil {
				g.facts.AddRevocation(*delta, facts.FromFetched)
				return
			}
		}
	}
}
