package path

import (
	"context"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// BuildUnrevoked finds a path that is valid and on which nothing is revoked:
// the status of every certificate below the anchor is known and good. The
// results are those of the path returned, leaf first; they end early where a
// revocation above decides.
//
// CRLs may be signed by others than the issuers on the path, as far as their
// own paths end at the same anchor and are unrevoked in turn (RFC 5280 §6.3.3
// f): the certificates of the request and the checker's candidates are tried.
func BuildUnrevoked(ctx context.Context, r Request, checker revocation.Checker, rules revocation.Rules) (*Path, []*revocation.Result, error) {
	u := &unrevoked{request: r, checker: checker, rules: rules}
	if len(checker.Signers.Candidates) > 0 {
		u.request.Intermediates = slices.Concat(r.Intermediates, checker.Signers.Candidates)
	}
	type found struct {
		path    *Path
		results []*revocation.Result
	}
	var all []found
	r.Accept = func(p *Path) error {
		if accept := u.request.Accept; accept != nil {
			if err := accept(p); err != nil {
				return err
			}
		}
		results, err := u.check(ctx, p)
		all = append(all, found{p, results})
		return err
	}
	p, err := Build(r)
	for _, f := range all {
		if f.path == p {
			return p, f.results, err
		}
	}
	return p, nil, err
}

// unrevoked is one such search.
type unrevoked struct {
	request Request
	checker revocation.Checker
	rules   revocation.Rules
	signers map[signer]error // outcomes; errUnderWay while it is being found out; nil while there are none
	depth   int
}

// signer is a CRL signer judged under an anchor.
type signer struct{ certificate, anchor *cert.Certificate }

// signerDepthMax bounds signers of CRLs about signers of CRLs.
const signerDepthMax = 4

var errUnderWay = fault.New(fault.CRLSignerNotTrusted, "", "the CRL would vouch for its own signer")

// check looks the certificates up from the anchor down: below a revoked CA
// nothing else matters. What is only unknown is reported last.
func (u *unrevoked) check(ctx context.Context, p *Path) ([]*revocation.Result, error) {
	anchor := p.Anchor
	results := make([]*revocation.Result, len(p.Certificates)-1)
	var unknown error
	for i := len(results) - 1; i >= 0; i-- {
		s := revocation.Subject{Certificate: p.Certificates[i], Issuer: p.Certificates[i+1]}
		checker := u.checkerUnder(anchor, false)
		results[i] = checker.Check(ctx, s, u.rules)
		err := results[i].Verdict(u.rules)
		if fault.Is(err, fault.RevocationUnknown) && u.signers[signer{s.Certificate, anchor.Certificate}] == errUnderWay {
			// An indirect CRL may be all there is about its own signer.
			checker = u.checkerUnder(anchor, true)
			results[i] = checker.Check(ctx, s, u.rules)
			err = results[i].Verdict(u.rules)
		}
		switch {
		case err == nil:
		case fault.Is(err, fault.CertificateRevoked):
			return results, fault.Wrap(err, fault.CertificateRevoked, place(i), "check revocation")
		case unknown == nil:
			unknown = fault.Wrap(err, fault.CodeOf(err), place(i), "check revocation")
		}
	}
	return results, unknown
}

// checkerUnder is the checker for paths to an anchor; ownSigner lets a CRL
// speak for the very certificate that it is signed with.
func (u *unrevoked) checkerUnder(anchor *trust.Anchor, ownSigner bool) *revocation.Checker {
	checker := u.checker
	checker.Signers = revocation.Signers{
		Candidates: u.request.Intermediates,
		Trust: func(ctx context.Context, c *cert.Certificate, s revocation.Subject) error {
			if ownSigner && c.Equal(s.Certificate) {
				return nil
			}
			return u.trust(ctx, c, anchor)
		},
	}
	return &checker
}

// trust validates the path of a CRL signer to the anchor.
func (u *unrevoked) trust(ctx context.Context, c *cert.Certificate, anchor *trust.Anchor) error {
	key := signer{c, anchor.Certificate}
	if err, known := u.signers[key]; known {
		return err
	}
	if u.depth == signerDepthMax {
		return fault.New(fault.CRLSignerNotTrusted, "", "more than %d signers of CRLs about each other", signerDepthMax)
	}
	u.depth++
	if u.signers == nil {
		u.signers = make(map[signer]error)
	}
	u.signers[key] = errUnderWay
	r := Request{Leaf: c, Intermediates: u.request.Intermediates, Anchors: anchor.Alone(), At: u.request.At, BareAnchors: u.request.BareAnchors}
	r.Accept = func(p *Path) error {
		_, err := u.check(ctx, p)
		return err
	}
	_, err := Build(r)
	u.depth--
	u.signers[key] = err
	return err
}
