package api

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/tsp"
)

// stampPath is where RFC 3161's requests are posted.
const stampPath = "/tsa"

// stampAtOnce answers a time-stamp request that is beyond reproach as HTTP, and
// reports whether it was one. It does what the way through the router does, for a
// tenth of the work: thousands come a second, and all are alike. Whatever is odd
// about a request, and every refusal that is not the authority's, is the router's.
func (s *Server) stampAtOnce(w http.ResponseWriter, r *http.Request) bool {
	if !s.isPlainStamp(r) {
		return false
	}
	began := s.now()
	if s.limitAddress(s.stamping.rule.Door, remoteAddress(r)) != nil {
		return false // it has taken nothing, and says so itself
	}
	c := &call{id: requestID(r), language: fault.English, operation: s.stamping, request: r}
	setCommonHeaders(w.Header(), c)

	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	status, size := http.StatusOK, 0
	fail := func(err error) {
		c.failure, c.language = err, languageOf(r)
		code := codeOf(err)
		status = statusOf(code)
		size = writeProblem(w, c, code, err)
	}
	s.catch(c, func() {
		reply, err := s.stamp(c)
		if err != nil {
			fail(err)
			return
		}
		size = len(reply)
		h := w.Header()
		h.Set("Content-Type", tsp.ContentTypeReply)
		h.Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(reply) // who went away has no use for it
	}, fail)
	s.record(c, status, size, s.now().Sub(began))
	return true
}

func (s *Server) isPlainStamp(r *http.Request) bool {
	if r.URL.Path != stampPath || r.Method != http.MethodPost || s.rooms.Stamps == nil || s.stamping == nil {
		return false
	}
	types := r.Header["Content-Type"]
	return len(types) == 1 && types[0] == tsp.ContentTypeQuery && len(r.Header["Content-Encoding"]) == 0 &&
		r.URL.RawQuery == "" && !r.URL.ForceQuery && r.ContentLength >= 0 && r.ContentLength <= s.stamping.bodyMax
}

// stamp reads the body, of which the length is known to be small, and asks the
// authority. Why its answer is a rejection goes into the log.
func (s *Server) stamp(c *call) (reply []byte, err error) {
	c.body = make([]byte, c.request.ContentLength)
	if _, err := io.ReadFull(c.request.Body, c.body); err != nil {
		return nil, bodyUnread(c.request.Context(), s.stamping.bodyMax, err)
	}
	_ = c.request.Body.Close() // else net/http tries to read on; all was read
	ctx, cancel := context.WithTimeout(c.request.Context(), s.requestTimeout)
	defer cancel()
	reply, c.failure = s.rooms.Stamps.Respond(ctx, c.body)
	return reply, nil
}
