package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/gin-gonic/gin"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// bodyBudget is the memory that all request bodies under way may take
	// together; a request that does not fit is told to come again. A document
	// takes some ten times its size while it is read, judged and kept.
	bodyBudget = 128 << 20

	// smallBody needs no share of it: what the open routes take at most.
	smallBody = 64 << 10

	idempotencyHeader = "Idempotency-Key"
)

// validation is how bodies are held against their schemas. The value that was
// validated is the one the handler gets.
var validation = &openapi3filter.Options{KeepValidatedValue: true}

// check holds a request against the contract: media type, parameters, size,
// and the schema where the body has one. It leaves the whole body in the call.
// Whatever is not in the contract is refused, not ignored.
func (s *Server) check(g *gin.Context) {
	c := callOf(g)
	if c.operation == nil {
		return
	}
	release, err := s.checkRequest(g, c)
	defer release()
	if err != nil {
		s.fail(g, err)
		return
	}
	// The body is here: from now on the time is ours, not the caller's. One that
	// is read as it comes takes as long as it comes.
	timeout := s.requestTimeout
	if c.stream != nil {
		timeout = streamTimeout
	}
	ctx, cancel := context.WithTimeout(g.Request.Context(), timeout)
	defer cancel()
	g.Request = g.Request.WithContext(ctx)
	if c.stream != nil {
		c.stream.ctx = ctx
	}
	g.Next()
}

func (s *Server) checkRequest(g *gin.Context, c *call) (release func(), err error) {
	release = func() {}
	if err := checkMediaType(g.Request, c.operation); err != nil {
		return release, err
	}
	if err := checkQuery(g.Request, c.operation); err != nil {
		return release, err
	}
	input := &openapi3filter.RequestValidationInput{
		Request: g.Request, PathParams: pathParameters(g), Route: c.operation.route, Options: validation,
	}
	if err := checkParameters(g.Request.Context(), input); err != nil {
		return release, err
	}
	if c.operation.body == nil {
		if g.Request.ContentLength != 0 {
			return release, fault.New(fault.BodyInvalid, "", "this operation takes no body")
		}
		return release, nil
	}
	if c.operation.streamed() {
		return s.stream(g, c)
	}
	if release, err = s.reserve(g.Request, c.operation); err != nil {
		return release, err
	}
	if c.body, err = readBody(g, c.operation.bodyMax); err != nil {
		return release, err
	}
	g.Request.Body = io.NopCloser(bytes.NewReader(c.body))
	if c.operation.validated() {
		return release, checkSchema(g.Request.Context(), input, c)
	}
	return release, nil
}

func pathParameters(g *gin.Context) map[string]string {
	m := make(map[string]string, len(g.Params))
	for _, p := range g.Params {
		m[p.Key] = p.Value
	}
	return m
}

func checkMediaType(r *http.Request, o *operation) error {
	if o.body == nil {
		return nil
	}
	given, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || o.body.Content[given] == nil || len(r.Header.Values("Content-Type")) > 1 {
		return fault.New(fault.MediaTypeUnsupported, "/headers/Content-Type", "want %s", strings.Join(slices.Sorted(maps.Keys(o.body.Content)), " or "))
	}
	if r.Header.Get("Content-Encoding") != "" {
		// A compressed body could unpack to any size.
		return fault.New(fault.MediaTypeUnsupported, "/headers/Content-Encoding", "a body is taken as it is only")
	}
	return nil
}

func checkQuery(r *http.Request, o *operation) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.ParameterInvalid, "/query", "cannot be read")
	}
	for name, values := range query {
		if !o.query[name] {
			return fault.New(fault.ParameterInvalid, "/query", "this operation has no such parameter")
		}
		if len(values) > 1 {
			return fault.New(fault.ParameterInvalid, "/query/"+name, "there more than once")
		}
	}
	return nil
}

// checkParameters validates one by one. openapi3filter.ValidateRequest would
// first read the whole body into memory for its security hooks, whatever its
// size.
func checkParameters(ctx context.Context, input *openapi3filter.RequestValidationInput) error {
	for _, p := range input.Route.Operation.Parameters {
		if err := openapi3filter.ValidateParameter(ctx, input, p.Value); err != nil {
			return parameterFault(p.Value, err)
		}
	}
	return nil
}

// reserve takes the body's share of the memory, the largest it may become
// unless its length is told.
func (s *Server) reserve(r *http.Request, o *operation) (release func(), err error) {
	if r.ContentLength > o.bodyMax {
		return func() {}, tooLarge(o.bodyMax)
	}
	size := o.bodyMax
	if r.ContentLength >= 0 {
		size = r.ContentLength
	}
	if size <= smallBody {
		return func() {}, nil
	}
	if !s.bodies.TryAcquire(size) {
		return func() {}, fault.New(fault.Overloaded, "", "too many large requests at once")
	}
	return func() { s.bodies.Release(size) }, nil
}

func readBody(g *gin.Context, most int64) ([]byte, error) {
	var b bytes.Buffer
	if n := g.Request.ContentLength; n > 0 {
		b.Grow(int(n) + bytes.MinRead) // or ReadFrom doubles it when it is full
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(g.Writer, g.Request.Body, most)); err != nil {
		return nil, bodyUnread(g.Request.Context(), most, err)
	}
	if b.Len() == 0 && callOf(g).operation.body.Required {
		return nil, fault.New(fault.InputEmpty, "", "the request has no body")
	}
	return b.Bytes(), nil
}

// bodyUnread says why a body was not read to its end.
func bodyUnread(ctx context.Context, most int64, err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(most)
	case errors.Is(err, io.ErrUnexpectedEOF): // first: the same end of the connection ends the context
		return fault.Wrap(err, fault.BodyTruncated, "", "read request body")
	case ctx.Err() != nil:
		return fault.Wrap(err, fault.Cancelled, "", "read request body")
	}
	return fault.Wrap(err, fault.BodyTruncated, "", "read request body")
}

func tooLarge(most int64) error {
	return fault.New(fault.InputTooBig, "", "at most %d bytes are taken", most)
}

// checkSchema validates a JSON or form body.
func checkSchema(ctx context.Context, input *openapi3filter.RequestValidationInput, c *call) error {
	if c.operation.body.Content[formType] != nil {
		form, err := url.ParseQuery(string(c.body))
		if err != nil {
			return fault.New(fault.BodyInvalid, "", "not a form")
		}
		for name, values := range form { // RFC 6749 §3.2
			if len(values) > 1 && c.operation.body.Content[formType].Schema.Value.Properties[name] != nil {
				return fault.New(fault.BodyInvalid, "/"+name, "there more than once")
			}
		}
	}
	if c.operation.decodes {
		return nil
	}
	if c.operation.body.Content[jsonType] != nil {
		if err := checkJSON(c.body); err != nil {
			return err
		}
	}
	if err := openapi3filter.ValidateRequestBody(ctx, input, c.operation.body); err != nil {
		return bodyFault(err)
	}
	return nil
}

// parameterFault classes what kin-openapi says of a parameter. Its text is not
// passed on: it quotes the value.
func parameterFault(p *openapi3.Parameter, err error) error {
	at := map[string]string{
		openapi3.ParameterInHeader: "/headers/", openapi3.ParameterInQuery: "/query/", openapi3.ParameterInPath: "/path/",
	}[p.In] + p.Name
	missing := errors.Is(err, openapi3filter.ErrInvalidRequired)
	switch {
	case p.Name == idempotencyHeader && missing:
		return fault.New(fault.IdempotencyKeyMissing, at, "every request that moves money or evidence carries one")
	case p.Name == idempotencyHeader:
		return fault.New(fault.IdempotencyKeyInvalid, at, "want 1 to 128 printable ASCII characters")
	case missing:
		return fault.New(fault.ParameterInvalid, at, "missing")
	}
	return fault.New(fault.ParameterInvalid, at, "does not match the description")
}

// bodyFault classes what kin-openapi says of a body, with a JSON pointer to
// the offending member and without its value.
func bodyFault(err error) error {
	var schema *openapi3.SchemaError
	if !errors.As(err, &schema) {
		return fault.New(fault.BodyInvalid, "", "cannot be read as its media type")
	}
	var at strings.Builder
	for _, member := range schema.JSONPointer() {
		at.WriteString("/" + member)
	}
	if name := unknownMember(schema); name != "" {
		return fault.New(fault.BodyInvalid, at.String()+"/"+name, "there is no such member")
	}
	return fault.New(fault.BodyInvalid, at.String(), "breaks the schema's rule %q", schema.SchemaField)
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// unknownMember finds the first member that the schema does not know, if that
// is the error and the name can be shown.
func unknownMember(e *openapi3.SchemaError) string {
	object, isObject := e.Value.(map[string]any)
	if e.SchemaField != "properties" || !isObject || e.Schema == nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if e.Schema.Properties[name] == nil && plainName.MatchString(name) {
			return name
		}
	}
	return ""
}
