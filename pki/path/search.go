package path

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// Limits of one search. NUC RK's chains have three certificates; the limits
// leave room for cross-certification and stop a message full of look-alikes.
const (
	lengthMax     = 32   // certificates in a path
	pathsListed   = 16   // complete paths that Prospective gives
	pathsTried    = 256  // complete paths that Build validates
	signaturesMax = 512  // signature checks
	stepsMax      = 4096 // certificates tried; CAs that all certify each other make a path of every order
)

// Prospective lists the paths from the leaf to anchors, whatever their
// validity, best first. Issuers are found by name and key identifier;
// candidates whose key did not make the signature are dropped, unless they are
// all there is: then the path shows what is wrong. If no anchor is reached, the
// one path is the longest chain found.
//
// Who collects evidence learns from it which certificates need revocation
// information.
func Prospective(leaf *cert.Certificate, intermediates []*cert.Certificate, anchors *trust.Store) []*Path {
	return Request{Leaf: leaf, Intermediates: intermediates, Anchors: anchors}.Prospective()
}

// Prospective lists the paths that the request's certificates make.
func (r Request) Prospective() []*Path {
	var found []*Path
	_, longest := r.search(func(p *Path) bool {
		found = append(found, p)
		return len(found) == pathsListed
	})
	if len(found) == 0 {
		return []*Path{{Certificates: longest}}
	}
	return found
}

// search visits the paths from the leaf to anchors, best first, until visit
// says stop. cut is the limit that it ran into, if any.
func (r Request) search(visit func(*Path) (stop bool)) (cut error, longest []*cert.Certificate) {
	s := &search{request: r, visit: visit, checks: r.Checks}
	if s.checks == nil {
		s.checks = make(Checks)
	}
	if len(r.Intermediates) > 0 {
		s.issuers, s.offered = make(map[string][]*cert.Certificate), make(map[string]bool)
	}
	for _, c := range r.Intermediates {
		s.offer(c)
	}
	s.extend(append(make([]*cert.Certificate, 0, 4), r.Leaf))
	return s.cut, s.longest
}

// search walks from the leaf upwards, depth first.
type search struct {
	request Request
	visit   func(*Path) bool
	issuers map[string][]*cert.Certificate // of the request, by subject
	offered map[string]bool                // of the request, by bytes
	checks  Checks

	checked int // signatures, by this search
	steps   int
	done    bool
	cut     error
	longest []*cert.Certificate
}

// offer adds a possible issuer, once.
func (s *search) offer(c *cert.Certificate) {
	if !s.offered[string(c.Raw)] {
		s.offered[string(c.Raw)] = true
		if !slices.ContainsFunc(s.request.Anchors.Named(c.RawSubject, c.Subject), c.Equal) {
			s.issuers[c.Subject.Key()] = append(s.issuers[c.Subject.Key()], c)
		}
	}
}

// named lists those who bear the name of c's issuer, those of the store first.
// Once no signature may be checked any more, only those can help.
func (s *search) named(c *cert.Certificate) []*cert.Certificate {
	own := s.request.Anchors.Named(c.RawIssuer, c.Issuer)
	if len(s.issuers) == 0 || s.checked == signaturesMax {
		return own
	}
	return slices.Concat(own, s.issuers[c.Issuer.Key()])
}

func (s *search) extend(chain []*cert.Certificate) {
	if len(chain) > len(s.longest) {
		s.longest = slices.Clone(chain)
	}
	top := chain[len(chain)-1]
	if a, ok := s.request.Anchors.Anchor(top); ok {
		s.done = s.visit(&Path{Certificates: withInheritedKeys(chain), Anchor: &a, checks: s.checks})
		return
	}
	if len(chain) == lengthMax {
		s.cut = fault.New(fault.PathTooLong, place(len(chain)-1), "no anchor within %d certificates", lengthMax)
		return
	}
	for _, issuer := range s.candidates(chain) {
		if s.steps == stepsMax {
			s.cut = fault.New(fault.PathSearchLimit, place(0), "more than %d certificates to try", stepsMax)
			s.done = true
		}
		if s.done {
			return
		}
		s.steps++
		s.extend(append(chain, issuer))
	}
}

// withInheritedKeys copies the chain and completes keys that lack their
// parameters, from the anchor down (RFC 5280 §6.1.4 f).
func withInheritedKeys(chain []*cert.Certificate) []*cert.Certificate {
	chain = slices.Clone(chain)
	for i := len(chain) - 2; i >= 0; i-- {
		chain[i] = chain[i].Inheriting(chain[i+1])
	}
	return chain
}

// candidates lists who may have issued the top of the chain, best first.
func (s *search) candidates(chain []*cert.Certificate) []*cert.Certificate {
	top := chain[len(chain)-1]
	named := s.named(top)
	if len(named) > 1 {
		named = s.ranked(named, top)
	}
	var verified, unknown, failed []*cert.Certificate
	for _, c := range named {
		if holds(chain, c) {
			continue
		}
		switch err := s.check(c, top); {
		case err == nil:
			verified = append(verified, c)
		case fault.Is(err, fault.AlgorithmUnsupported):
			unknown = append(unknown, c)
		default:
			failed = append(failed, c)
		}
	}
	if usable := append(verified, unknown...); len(usable) > 0 {
		return usable
	}
	return failed[:min(len(failed), 1)]
}

// ranked sorts possible issuers of a certificate, best first.
func (s *search) ranked(issuers []*cert.Certificate, c *cert.Certificate) []*cert.Certificate {
	issuers = slices.Clone(issuers)
	slices.SortStableFunc(issuers, func(a, b *cert.Certificate) int {
		return cmp.Or(cmp.Compare(keyMatch(b, c), keyMatch(a, c)), cmp.Compare(s.promise(b), s.promise(a)))
	})
	return issuers
}

// keyMatch ranks an issuer: its key identifier is the one named, there is
// nothing to compare, or it is another. The last is still tried: RFC 5280
// §4.2.1.1 makes the identifier an aid, not a condition.
func keyMatch(issuer, c *cert.Certificate) int {
	switch {
	case len(c.AuthorityKeyID) == 0 || len(issuer.SubjectKeyID) == 0:
		return 1
	case bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID):
		return 2
	}
	return 0
}

// promise ranks what may follow by what is plain without the rest of the path:
// an anchor ends it, and a CA that is not valid at the time leads nowhere.
func (s *search) promise(c *cert.Certificate) int {
	if _, ok := s.request.Anchors.Anchor(c); ok {
		return 2
	}
	if c.IsCA && c.Covers(s.request.At) {
		return 1
	}
	return 0
}

// holds reports whether the chain already has the certificate, or another one
// for the same name and key, so that cross-certificates cannot run in circles.
func holds(chain []*cert.Certificate, c *cert.Certificate) bool {
	return slices.ContainsFunc(chain, func(other *cert.Certificate) bool {
		return bytes.Equal(other.RawSPKI, c.RawSPKI) && other.Subject.Equal(c.Subject)
	})
}

// check verifies one signature once, within the limit of the search.
func (s *search) check(issuer, c *cert.Certificate) error {
	pair := [2]*cert.Certificate{issuer, c}
	err, done := s.checks[pair]
	if done {
		return err
	}
	if s.checked == signaturesMax {
		s.cut = fault.New(fault.PathSearchLimit, place(0), "more than %d signatures to check", signaturesMax)
		return s.cut
	}
	s.checked++
	err = s.request.Anchors.CheckIssued(issuer, c)
	s.checks[pair] = err
	return err
}
