package trust

import (
	"bytes"
	"slices"
	"sync"

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

	members map[*cert.Certificate]bool
	named   map[string][]*cert.Certificate // by subject, anchors first
	keys    map[string]string              // of subjects by their bytes, to spare folding names that are known
	trusted map[string]Anchor              // by their bytes
	checked sync.Map                       // [2]*cert.Certificate, issuer and issued, to outcome
}

// outcome of a signature check; nil is one, too.
type outcome struct{ err error }

// CheckIssued checks the signature of c with the key of issuer. Where both are
// the store's own, once: their signatures do not change, and every path leads
// through them. Others are not remembered, so what is depends on no message.
func (s *Store) CheckIssued(issuer, c *cert.Certificate) error {
	if s == nil || !s.members[issuer] || !s.members[c] {
		return c.VerifySignedBy(issuer)
	}
	key := [2]*cert.Certificate{issuer, c}
	if known, ok := s.checked.Load(key); ok {
		return known.(outcome).err
	}
	err := c.VerifySignedBy(issuer)
	s.checked.Store(key, outcome{err})
	return err
}

// New makes a store of certificates that an operator trusts. One that another
// of them issued becomes an intermediate, which helps to build paths and is
// itself validated like any other; all others are anchors.
func New(certs ...*cert.Certificate) (*Store, error) {
	s := &Store{
		members: make(map[*cert.Certificate]bool),
		named:   make(map[string][]*cert.Certificate),
		keys:    make(map[string]string),
		trusted: make(map[string]Anchor),
	}
	certs = withoutDuplicates(certs)
	for _, c := range certs {
		s.members[c] = true
	}
	anchors, intermediates := split(certs)
	s.intermediates = intermediates
	for _, c := range anchors {
		s.anchors = append(s.anchors, Anchor{Certificate: c, Profile: ProfileOf(c)})
	}
	for _, a := range s.anchors {
		if first := s.anchors[0].Profile; a.Profile != first {
			return nil, fault.New(fault.AnchorProfilesMixed, "", "%s beside %s", a.Profile, first)
		}
		s.trusted[string(a.Certificate.Raw)] = a
	}
	for _, c := range slices.Concat(anchors, intermediates) {
		key := c.Subject.Key()
		s.keys[string(c.RawSubject)] = key
		s.named[key] = append(s.named[key], c)
	}
	return s, nil
}

// split separates the certificates that a path inside the set leads to from
// those where paths end. CAs that certify each other in a circle with nothing
// above them lead nowhere: they, and what is below them, all are ends.
func split(certs []*cert.Certificate) (ends, below []*cert.Certificate) {
	bySubject := make(map[string][]*cert.Certificate)
	for _, c := range certs {
		bySubject[string(c.RawSubject)] = append(bySubject[string(c.RawSubject)], c)
	}
	issuers := make(map[*cert.Certificate][]*cert.Certificate)
	reached := make(map[*cert.Certificate]bool)
	for _, c := range certs {
		for _, candidate := range bySubject[string(c.RawIssuer)] {
			if !c.SelfIssued() && issued(candidate, c) {
				issuers[c] = append(issuers[c], candidate)
			}
		}
		reached[c] = len(issuers[c]) == 0
	}
	for again := true; again; {
		again = false
		for _, c := range certs {
			if !reached[c] && slices.ContainsFunc(issuers[c], func(i *cert.Certificate) bool { return reached[i] }) {
				reached[c], again = true, true
			}
		}
	}
	for _, c := range certs {
		if reached[c] && len(issuers[c]) > 0 {
			below = append(below, c)
		} else {
			ends = append(ends, c)
		}
	}
	return ends, below
}

// issued reports whether issuer issued c, by name, key identifier and
// signature; a signature of an algorithm that we lack counts, because the
// path through it will be refused anyway.
func issued(issuer, c *cert.Certificate) bool {
	if len(issuer.SubjectKeyID) > 0 && len(c.AuthorityKeyID) > 0 && !bytes.Equal(issuer.SubjectKeyID, c.AuthorityKeyID) {
		return false
	}
	err := c.VerifySignedBy(issuer)
	return err == nil || fault.Is(err, fault.AlgorithmUnsupported)
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

// Named lists the store's certificates with a subject, anchors first. The name
// is given with its bytes.
func (s *Store) Named(raw []byte, subject cert.Name) []*cert.Certificate {
	if s == nil {
		return nil
	}
	key, known := s.keys[string(raw)]
	if !known {
		key = subject.Key()
	}
	return s.named[key]
}

// Anchor finds the anchor that is this very certificate.
func (s *Store) Anchor(c *cert.Certificate) (Anchor, bool) {
	if s == nil {
		return Anchor{}, false
	}
	a, ok := s.trusted[string(c.Raw)]
	return a, ok
}
