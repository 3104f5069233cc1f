package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
)

// statuses says what a class of refusal is in HTTP.
var statuses = map[fault.Class]int{
	fault.BadInput:        http.StatusBadRequest,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.WrongType:       http.StatusUnsupportedMediaType,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Refused:         http.StatusUnprocessableEntity,
	fault.Limited:         http.StatusTooManyRequests,
	fault.RetryLater:      http.StatusServiceUnavailable,
	fault.Fatal:           http.StatusInternalServerError,
}

// ownStatuses are codes that HTTP has a status of their own for.
var ownStatuses = map[fault.Code]int{
	fault.MethodNotAllowed: http.StatusMethodNotAllowed,
	fault.NotAcceptable:    http.StatusNotAcceptable,
}

func statusOf(code fault.Code) int {
	if s, ok := ownStatuses[code]; ok {
		return s
	}
	return statuses[code.Class()]
}

// oauthErrors are the codes of RFC 6749 §5.2 that the token endpoint adds, by
// our code; whatever else is wrong with a request is invalid_request.
var oauthErrors = map[fault.Code]string{
	fault.AssertionInvalid:  "invalid_client",
	fault.AssertionReplayed: "invalid_client",
	fault.ClientDisabled:    "invalid_client",
	fault.GrantUnsupported:  "unsupported_grant_type",
	fault.ScopeInvalid:      "invalid_scope",
}

const (
	problemType = "application/problem+json"
	// retryLater is what a caller is told to wait when a peer or the
	// database is away: long enough not to add to the trouble.
	retryLater = 5 * time.Second
)

// waitError is a refusal with the time after which to come again.
type waitError struct {
	error
	wait time.Duration
}

func (w waitError) Unwrap() error { return w.error }

// fail ends a request with the problem document of an error (RFC 9457).
func (s *Server) fail(g *gin.Context, err error) {
	c := callOf(g)
	c.failure = err
	code := codeOf(err)
	g.Abort()
	if g.Writer.Written() {
		return // too late: the answer is under way, the log has the error
	}
	_ = writeProblem(g.Writer, c, code, err) // gin counts
}

// writeProblem gives the length of what it wrote.
func writeProblem(w http.ResponseWriter, c *call, code fault.Code, err error) int {
	setProblemHeaders(w.Header(), c, code, err)
	body, err := json.Marshal(problemOf(c, code, err))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return 0
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(statusOf(code))
	_, _ = w.Write(body) // who went away reads nothing
	return len(body)
}

// codeOf adds to fault.CodeOf what only shows here: the caller went away, or
// its time was up.
func codeOf(err error) fault.Code {
	if fault.Of(err) == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return fault.Cancelled
	}
	return fault.CodeOf(err)
}

func problemOf(c *call, code fault.Code, err error) Problem {
	p := Problem{
		Type:     "urn:senim:reason:" + string(code),
		Title:    code.Message(c.language),
		Status:   statusOf(code),
		Code:     string(code),
		Instance: "urn:senim:request:" + c.id,
	}
	// Our own failures are for the log; the caller gets the identifier under
	// which it stands there.
	if e := fault.Of(err); e != nil && code.Class() != fault.Fatal {
		p.Detail, p.Pointer = optional(e.Detail), optional(e.At)
	}
	if c.operation != nil && c.operation.id == "issueToken" && p.Status < http.StatusInternalServerError && code.Class() != fault.Limited {
		oauth := "invalid_request"
		if known, ok := oauthErrors[code]; ok {
			oauth = known
		}
		p.Error = &oauth
	}
	return p
}

func setProblemHeaders(h http.Header, c *call, code fault.Code, err error) {
	h.Set("Content-Language", string(c.language))
	h.Set("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-store")
	switch code.Class() {
	case fault.Unauthenticated:
		h.Set("WWW-Authenticate", challengeOf(code, c))
	case fault.Denied:
		if code == fault.ScopeDenied {
			h.Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=\"senim\", error=\"insufficient_scope\", scope=%q", c.operation.rule.Scope))
		}
	case fault.Limited, fault.RetryLater:
		wait := retryLater
		var w waitError
		if errors.As(err, &w) {
			wait = w.wait
		}
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	}
}

// challengeOf says how to authenticate (RFC 9110 §11.6.1). For a token it is RFC
// 6750 §3: no error code for a request without credentials.
func challengeOf(code fault.Code, c *call) string {
	switch {
	case c.operation != nil && c.operation.rule.Door == access.SignedMessage:
		return `SignedMessage realm="senim"` // by the signature inside; no header can do it
	case code == fault.CredentialsMissing || c.bearer == "":
		return `Bearer realm="senim"`
	}
	return `Bearer realm="senim", error="invalid_token"`
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
