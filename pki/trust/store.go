package trust

import (
	"bytes"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Anchor is a certificate whose name and key are trusted as given.
type Anchor struct {
	Certificate *cert.Certificate
	Profile     Profile
}

// Store is a set of anchors of one profile, with the issuing certificates that
// came beside them. It does not change once made and may be shared. The zero
// Store has no anchor: no path ends in it.
type Store struct {
	anchors       []Anchor
	intermediates []*cert.Certificate
}

// New makes a store of certificates that an operator trusts. One whose issuer
// is among them becomes an intermediate, which helps to build paths and is
// itself validated like any other; all others are anchors.
func New(certs ...*cert.Certificate) (*Store, error) {
	s := &Store{}
	for _, c := range withoutDuplicates(certs) {
		if hasIssuer(c, certs) {
			s.intermediates = append(s.intermediates, c)
			continue
		}
		s.anchors = append(s.anchors, Anchor{Certificate: c, Profile: ProfileOf(c)})
	}
	for _, a := range s.anchors {
		if first := s.anchors[0].Profile; a.Profile != first {
			return nil, fault.New(fault.AnchorProfilesMixed, "", "%s beside %s", a.Profile, first)
		}
	}
	return s, nil
}

// issued reports whether issuer could have issued c: names chain, and key
// identifiers, where both are given, match.
func issued(issuer, c *cert.Certificate) bool {
	if !bytes.Equal(issuer.RawSubject, c.RawIssuer) {
		return false
	}
	return len(issuer.SubjectKeyID) == 0 || len(c.AuthorityKeyID) == 0 || bytes.Equal(issuer.SubjectKeyID, c.AuthorityKeyID)
}

func hasIssuer(c *cert.Certificate, among []*cert.Certificate) bool {
	return !c.SelfIssued() && slices.ContainsFunc(among, func(other *cert.Certificate) bool {
		return !other.Equal(c) && issued(other, c)
	})
}

func withoutDuplicates(certs []*cert.Certificate) []*cert.Certificate {
	var out []*cert.Certificate
	for _, c := range certs {
		if !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	return out
}

// Anchors lists the anchors. A nil Store has none.
func (s *Store) Anchors() []Anchor {
	if s == nil {
		return nil
	}
	return s.anchors
}

// Intermediates lists the issuing certificates that are not anchors.
func (s *Store) Intermediates() []*cert.Certificate {
	if s == nil {
		return nil
	}
	return s.intermediates
}

// Profile of the anchors; "" if there is none.
func (s *Store) Profile() Profile {
	if s == nil || len(s.anchors) == 0 {
		return ""
	}
	return s.anchors[0].Profile
}

// Anchor finds the anchor that is this very certificate.
func (s *Store) Anchor(c *cert.Certificate) (Anchor, bool) {
	for _, a := range s.Anchors() {
		if a.Certificate.Equal(c) {
			return a, true
		}
	}
	return Anchor{}, false
}
