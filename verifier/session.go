package verifier

import (
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
	checks       path.Checks
	answers      map[answerKey]answered
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
}

// remember makes room for an object.
func (s *Session) remember(bytes int) {
	if s.held += bytes; s.held > memoryMax {
		s.certificates, s.checks, s.answers, s.held = nil, nil, nil, bytes
	}
}

func (s *Session) parse(raw []byte) (*cert.Certificate, error) {
	p := s.parsed(raw)
	return p.certificate, p.err
}

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
func (s *Session) answer(r *facts.Revocation, issued, issuer *cert.Certificate) (*answer, error) {
	key := answerKey{id: r.ID, nonce: string(r.Nonce), kind: r.Kind, issued: issued, issuer: issuer}
	if known, ok := s.answers[key]; ok {
		return known.answer, known.err
	}
	var a answered
	evidence, err := revocation.Check(information(*r), revocation.Subject{Certificate: issued, Issuer: issuer}, everAfter)
	if err != nil {
		a.err = err
	} else {
		a.answer = newAnswer(evidence, r.ID)
	}
	s.remember(256 + len(key.nonce))
	if s.answers == nil {
		s.answers = map[answerKey]answered{}
	}
	if fault.CodeOf(a.err) != fault.Cancelled {
		s.answers[key] = a
	}
	return a.answer, a.err
}
