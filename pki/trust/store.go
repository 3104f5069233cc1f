package trust

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"sync"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Anchor is a certificate whose name and key are trusted as given.
type Anchor struct {
	Certificate *cert.Certificate
	Profile     Profile
	Authority   string // the name of the operator's entry about it; "" if there is none
	Terms       *Terms // what it is trusted for; nil: anything
}

// Alone is a store of this anchor alone, on its terms but for any purpose: such
// as for who signs its CRLs.
func (a Anchor) Alone() *Store {
	if a.Terms != nil {
		terms := *a.Terms
		terms.Purposes = nil
		a.Terms = &terms
	}
	return newStore([]Anchor{a}, nil)
}

// Store is a set of anchors of one profile, with the issuing certificates that
// came beside them. It does not change once made and may be shared. The zero
// Store has no anchor: no path ends in it.
type Store struct {
	anchors       []Anchor
	intermediates []*cert.Certificate
	vocabulary    cert.Vocabulary

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
func New(certs ...*cert.Certificate) (*Store, error) { return NewOnTerms(certs, nil) }

// NewOnTerms is New with what the operator says about some of the certificates.
// One that has terms is an anchor, whoever issued it.
func NewOnTerms(certs []*cert.Certificate, authorities []Authority) (*Store, error) {
	certs = withoutDuplicates(certs)
	var anchors []Anchor
	ends, intermediates := split(certs, func(c *cert.Certificate) bool {
		a := about(authorities, c)
		return a != nil && a.terms != nil
	})
	for _, c := range ends {
		entry := about(authorities, c)
		profile, err := entry.profile(c)
		if err != nil {
			return nil, err
		}
		anchor := Anchor{Certificate: c, Profile: profile}
		if entry != nil {
			anchor.Authority, anchor.Terms = entry.Name, entry.terms
		}
		anchors = append(anchors, anchor)
		if first := anchors[0].Profile; profile != first {
			return nil, fault.New(fault.AnchorProfilesMixed, "", "%s beside %s", profile, first)
		}
	}
	s := newStore(anchors, intermediates)
	for _, a := range authorities {
		s.vocabulary.Add(cert.Vocabulary{Roles: a.Roles, Policies: a.Policies})
	}
	return s, nil
}

func newStore(anchors []Anchor, intermediates []*cert.Certificate) *Store {
	s := &Store{
		anchors: anchors, intermediates: intermediates,
		members: make(map[*cert.Certificate]bool),
		named:   make(map[string][]*cert.Certificate),
		keys:    make(map[string]string),
		trusted: make(map[string]Anchor),
	}
	add := func(c *cert.Certificate) {
		key := c.Subject.Key()
		s.members[c] = true
		s.keys[string(c.RawSubject)] = key
		s.named[key] = append(s.named[key], c)
	}
	for _, a := range anchors {
		s.trusted[string(a.Certificate.Raw)] = a
		add(a.Certificate)
	}
	for _, c := range intermediates {
		add(c)
	}
	return s
}

// Holder reads a certificate's holder with the names of roles that the store's
// authorities bring along.
func (s *Store) Holder(c *cert.Certificate) cert.Holder {
	if s == nil {
		return c.Holder()
	}
	return c.HolderBy(s.vocabulary)
}

// PolicyName names a certificate policy; "" if neither the program nor an
// authority of the store does.
func (s *Store) PolicyName(oid asn1.ObjectIdentifier) string {
	if s == nil {
		return cert.PolicyName(oid)
	}
	return s.vocabulary.PolicyName(oid)
}

// split separates the certificates that a path inside the set leads to from
// those where paths end. CAs that certify each other in a circle with nothing
// above them lead nowhere: they, and what is below them, all are ends, and so is
// what isEnd says.
func split(certs []*cert.Certificate, isEnd func(*cert.Certificate) bool) (ends, below []*cert.Certificate) {
	bySubject := make(map[string][]*cert.Certificate)
	for _, c := range certs {
		bySubject[string(c.RawSubject)] = append(bySubject[string(c.RawSubject)], c)
	}
	issuers := make(map[*cert.Certificate][]*cert.Certificate)
	reached := make(map[*cert.Certificate]bool)
	for _, c := range certs {
		for _, candidate := range bySubject[string(c.RawIssuer)] {
			if !c.SelfIssued() && !isEnd(c) && issued(candidate, c) {
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
