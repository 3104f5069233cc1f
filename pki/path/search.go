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
	lengthMax     = 10   // certificates in a path
	pathsMax      = 16   // complete paths
	signaturesMax = 256  // signature checks
	stepsMax      = 4096 // certificates tried; CAs that all certify each other make a path of every order
)

// Prospective lists the paths from the leaf to anchors, whatever their
// validity, best first. Issuers are found by name (equal bytes) and key
// identifier; candidates whose key did not make the signature are dropped,
// unless they are all there is: then the path shows what is wrong. If no
// anchor is reached, the one path is the longest chain found.
//
// Who collects evidence learns from it which certificates need revocation
// information.
func Prospective(leaf *cert.Certificate, intermediates []*cert.Certificate, anchors *trust.Store) []*Path {
	s := &search{
		anchors: anchors,
		issuers: make(map[string][]*cert.Certificate),
		checked: make(map[[2]*cert.Certificate]error),
	}
	for _, a := range anchors.Anchors() {
		s.offer(a.Certificate)
	}
	for _, list := range [][]*cert.Certificate{anchors.Intermediates(), intermediates} {
		for _, c := range list {
			s.offer(c)
		}
	}
	s.extend([]*cert.Certificate{leaf})
	if len(s.found) == 0 {
		return []*Path{{Certificates: s.longest}}
	}
	return s.found
}

// search walks from the leaf upwards, depth first.
type search struct {
	anchors *trust.Store
	issuers map[string][]*cert.Certificate // by subject, anchors first
	checked map[[2]*cert.Certificate]error // outcome of issuer and issued

	steps   int
	found   []*Path
	longest []*cert.Certificate
}

// offer adds a possible issuer, once.
func (s *search) offer(c *cert.Certificate) {
	subject := string(c.RawSubject)
	if !slices.ContainsFunc(s.issuers[subject], c.Equal) {
		s.issuers[subject] = append(s.issuers[subject], c)
	}
}

func (s *search) extend(chain []*cert.Certificate) {
	if len(chain) > len(s.longest) {
		s.longest = slices.Clone(chain)
	}
	top := chain[len(chain)-1]
	if a, ok := s.anchors.Anchor(top); ok {
		s.found = append(s.found, &Path{Certificates: slices.Clone(chain), Anchor: &a})
		return
	}
	if len(chain) == lengthMax {
		return
	}
	for _, issuer := range s.candidates(chain) {
		if len(s.found) == pathsMax || s.steps == stepsMax {
			return
		}
		s.steps++
		s.extend(append(chain, issuer))
	}
}

// candidates lists who may have issued the top of the chain, best first.
func (s *search) candidates(chain []*cert.Certificate) []*cert.Certificate {
	top := chain[len(chain)-1]
	named := slices.Clone(s.issuers[string(top.RawIssuer)])
	slices.SortStableFunc(named, func(a, b *cert.Certificate) int {
		return cmp.Compare(keyMatch(b, top), keyMatch(a, top))
	})
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

// holds reports whether the chain already has the certificate, or another one
// for the same name and key, so that cross-certificates cannot run in circles.
func holds(chain []*cert.Certificate, c *cert.Certificate) bool {
	return slices.ContainsFunc(chain, func(other *cert.Certificate) bool {
		return bytes.Equal(other.RawSubject, c.RawSubject) && bytes.Equal(other.RawSPKI, c.RawSPKI)
	})
}

// check verifies one signature once, within the limit of the search.
func (s *search) check(issuer, c *cert.Certificate) error {
	pair := [2]*cert.Certificate{issuer, c}
	err, done := s.checked[pair]
	if done {
		return err
	}
	if len(s.checked) == signaturesMax {
		return fault.New(fault.InputTooBig, "", "more than %d signatures to check", signaturesMax)
	}
	err = c.VerifySignedBy(issuer)
	s.checked[pair] = err
	return err
}
