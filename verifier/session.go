package verifier

import (
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier/facts"
)

// memoryMax bounds what a Session remembers, in bytes of the raw objects. When
// it is reached all is forgotten: what is remembered saves work and decides
// nothing.
const memoryMax = 64 << 20

// Session validates documents that have much in common, such as those of one
// service: it parses no certificate, checks no signature of a certificate and
// verifies no revocation information twice. What it remembers depends on bytes
// and keys alone, never on a time, a policy or an anchor, so that its verdicts
// are those of Collect and Judge. It is for one goroutine. The zero Session is
// ready.
type Session struct {
	certificates map[string]parsed // by bytes
	descriptions map[*cert.Certificate]*description
	checks       path.Checks
	paths        map[pathKey]foundPath
	answers      map[answerKey]answered
	suites       map[suiteUse]held
	digests      map[string]string
	held         int // bytes
}

type parsed struct {
	certificate *cert.Certificate
	id          string
	err         error
}

// answerKey is all that the verification of a piece of revocation information
// depends on, but for the bytes, of which the ID is a digest.
type answerKey struct {
	id, nonce      string
	kind           facts.RevocationKind
	issued, issuer *cert.Certificate
}

type answered struct {
	answer *answer
	err    error
	code   fault.Code // of err
}

// remember makes room for an object.
func (s *Session) remember(bytes int) {
	if s.held += bytes; s.held > memoryMax {
		*s = Session{held: bytes}
	}
}

func (s *Session) parse(raw []byte) (*cert.Certificate, error) {
	p := s.parsed(raw)
	return p.certificate, p.err
}

// identify gives the ID of a certificate.
func (s *Session) identify(raw []byte) string { return s.parsed(raw).id }

func (s *Session) parsed(raw []byte) parsed {
	p, known := s.certificates[string(raw)]
	if known {
		return p
	}
	p.certificate, p.err = cert.Parse(raw)
	p.id = facts.Digest(raw)
	s.remember(2 * len(raw))
	if s.certificates == nil {
		s.certificates = map[string]parsed{}
	}
	s.certificates[string(raw)] = p
	return p
}

// digestedMax bounds the objects whose digests are remembered, in bytes: finding
// a large one again costs as much as digesting it.
const digestedMax = 16 << 10

// digest is the ID of a raw object that is given with one document after the
// other.
func (s *Session) digest(raw []byte) string {
	if len(raw) > digestedMax {
		return facts.Digest(raw)
	}
	id, known := s.digests[string(raw)]
	if !known {
		id = facts.Digest(raw)
		s.remember(len(raw) + 2*len(id))
		if s.digests == nil {
			s.digests = map[string]string{}
		}
		s.digests[string(raw)] = id
	}
	return id
}

// described gives what reports say of a certificate.
func (s *Session) described(c *cert.Certificate) *description {
	d, known := s.descriptions[c]
	if !known {
		d = describe(c)
		s.remember(1 << 10)
		if s.descriptions == nil {
			s.descriptions = map[*cert.Certificate]*description{}
		}
		s.descriptions[c] = d
	}
	return d
}

// pathKey and the pool are what a search depends on besides the time.
type pathKey struct {
	leaf    *cert.Certificate
	anchors *trust.Store
}

// foundPath is the outcome of a search, which holds as long as no certificate
// that it could meet becomes or ceases to be valid.
type foundPath struct {
	pool        []*cert.Certificate
	from, until time.Time // from included, until not
	path        *path.Path
	err         error
}

// build finds the path of a leaf at a time (path.Build).
func (s *Session) build(leaf *cert.Certificate, pool []*cert.Certificate, anchors *trust.Store, at time.Time) (*path.Path, error) {
	key := pathKey{leaf, anchors}
	if known, ok := s.paths[key]; ok && !at.Before(known.from) && at.Before(known.until) && slices.Equal(known.pool, pool) {
		return known.path, known.err
	}
	f := foundPath{pool: slices.Clone(pool), until: distantFuture}
	for _, c := range pool {
		f.bound(c, at)
	}
	for _, a := range anchors.Anchors() {
		f.bound(a.Certificate, at)
	}
	if anchors != nil {
		for _, c := range anchors.Intermediates() {
			f.bound(c, at)
		}
	}
	f.bound(leaf, at)
	request := s.request(leaf, pool, anchors)
	request.At = at
	f.path, f.err = path.Build(request)
	s.remember(512 + 16*len(pool))
	if s.paths == nil {
		s.paths = map[pathKey]foundPath{}
	}
	s.paths[key] = f
	return f.path, f.err
}

// bound narrows the time around at to where the certificate's validity is the
// same.
func (f *foundPath) bound(c *cert.Certificate, at time.Time) {
	end := c.NotAfter.Add(1) // the last moment is included
	for _, edge := range [...]time.Time{c.NotBefore, end} {
		if edge.After(at) && edge.Before(f.until) {
			f.until = edge
		}
		if !edge.After(at) && edge.After(f.from) {
			f.from = edge
		}
	}
}

// request asks for paths and shares what is known of signatures.
func (s *Session) request(leaf *cert.Certificate, pool []*cert.Certificate, anchors *trust.Store) path.Request {
	if s.checks == nil {
		s.checks = path.Checks{}
	}
	return path.Request{Leaf: leaf, Intermediates: pool, Anchors: anchors, Checks: s.checks}
}

// everAfter are rules that no date breaks: whether revocation information is
// genuine and about the certificate does not depend on when it is used, whether
// it counts at a time is for the process to say.
var everAfter = revocation.Rules{At: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Now: distantFuture, Skew: clockSkew}

// answer verifies one piece of revocation information about a certificate.
func (s *Session) answer(r *facts.Revocation, issued, issuer *cert.Certificate) answered {
	key := answerKey{id: r.ID, nonce: string(r.Nonce), kind: r.Kind, issued: issued, issuer: issuer}
	if known, ok := s.answers[key]; ok {
		return known
	}
	var a answered
	evidence, err := revocation.Check(information(*r), revocation.Subject{Certificate: issued, Issuer: issuer}, everAfter)
	if err != nil {
		a.err, a.code = err, fault.CodeOf(err)
	} else {
		a.answer = newAnswer(evidence, r.ID, issued)
	}
	s.remember(256 + len(key.nonce))
	if s.answers == nil {
		s.answers = map[answerKey]answered{}
	}
	s.answers[key] = a
	return a
}
