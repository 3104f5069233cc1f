package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
)

// authenticateTimeout bounds the look-up of a caller.
const authenticateTimeout = 10 * time.Second

// guard lets a request pass by the rule of its operation: who calls, whether
// they may, and whether it is too often. It reads nothing of the body.
func (s *Server) guard(g *gin.Context) {
	c := callOf(g)
	if c.operation == nil {
		return // no such route: the last handler says so
	}
	if err := s.admit(g, c); err != nil {
		s.fail(g, err)
	}
}

func (s *Server) admit(g *gin.Context, c *call) error {
	address := remoteAddress(g.Request)
	if c.operation.rule.Door != access.Callers {
		return s.limitAddress(c.operation.rule.Door, address)
	}
	caller, err := s.authenticate(g.Request, c)
	if err != nil {
		// Guessing is counted like any stranger's request, and once there
		// is too much of it the answer no longer tells right from wrong.
		if limited := s.limitAddress(access.Callers, address); limited != nil {
			return limited
		}
		return err
	}
	c.caller = caller
	if wait, ok := s.rooms.Access.AllowCaller(caller); !ok {
		return waitError{fault.New(fault.RateLimited, "", "of this caller"), wait}
	}
	return c.operation.rule.Admit(caller)
}

func (s *Server) limitAddress(door access.Door, address netip.Addr) error {
	if wait, ok := s.rooms.Access.AllowAddress(door, address); !ok {
		return waitError{fault.New(fault.RateLimited, "", "from this address"), wait}
	}
	return nil
}

func (s *Server) authenticate(r *http.Request, c *call) (access.Caller, error) {
	proof := access.Proof{}
	switch values := r.Header.Values("Authorization"); {
	case len(values) > 1:
		return access.Caller{}, fault.New(fault.TokenInvalid, "/headers/Authorization", "there more than once")
	case len(values) == 1:
		scheme, token, _ := strings.Cut(values[0], " ")
		if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
			return access.Caller{}, fault.New(fault.CredentialsMissing, "/headers/Authorization", "want Bearer and a token")
		}
		proof.Bearer, c.bearer = token, token
	}
	if t := r.TLS; t != nil && len(t.PeerCertificates) > 0 {
		proof.Certificate = t.PeerCertificates[0]
	}
	ctx, cancel := context.WithTimeout(r.Context(), authenticateTimeout)
	defer cancel()
	return s.rooms.Access.Authenticate(ctx, proof)
}

// remoteAddress is the peer of the connection. No header is believed about it.
func remoteAddress(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr()
}
