package verifier

import (
	"context"
	"crypto/rand"

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
		if _, err := revocation.Check(information(r), subject, rules); err == nil {
			return true
		}
	}
	return false
}

// ask gets an answer that can be read; whether it is to be believed is judged
// later.
func (g *gatherer) ask(ctx context.Context, url string, issued, issuer *cert.Certificate) (*facts.Revocation, error) {
	answer, err := revocation.Ask(ctx, g.in.Fetcher, rand.Reader, url, revocation.Subject{Certificate: issued, Issuer: issuer})
	if err != nil {
		return nil, err
	}
	if _, err := revocation.ParseResponse(answer.Raw); err != nil {
		return nil, err
	}
	at := g.in.Now().UTC()
	return &facts.Revocation{
		Kind: facts.OCSP, Origin: facts.FromFetched, Source: url, Fetched: &at, Nonce: answer.Nonce, Raw: answer.Raw,
	}, nil
}
