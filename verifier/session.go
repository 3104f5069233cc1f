package verifier

import (
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
)

// Session validates documents that have much in common, such as one before and
// after a time-stamp was added: it parses no certificate and checks no signature
// of a certificate twice. Its verdicts are those of Collect and Judge. It keeps
// all that it met, so it is for one piece of work, and for one goroutine. The
// zero Session is ready.
type Session struct {
	certificates map[string]parsed // by bytes
	checks       path.Checks
}

type parsed struct {
	certificate *cert.Certificate
	err         error
}

func (s *Session) parse(raw []byte) (*cert.Certificate, error) {
	p, known := s.certificates[string(raw)]
	if !known {
		p.certificate, p.err = cert.Parse(raw)
		if s.certificates == nil {
			s.certificates = map[string]parsed{}
		}
		s.certificates[string(raw)] = p
	}
	return p.certificate, p.err
}

// request asks for paths and shares what is known of signatures.
func (s *Session) request(leaf *cert.Certificate, pool []*cert.Certificate, anchors *trust.Store) path.Request {
	if s.checks == nil {
		s.checks = path.Checks{}
	}
	return path.Request{Leaf: leaf, Intermediates: pool, Anchors: anchors, Checks: s.checks}
}
