package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/senim-kz/senim/internal/fault"
)

// multipartType is the media type of bodies that are read by their handler, as
// they come, and never held.
const multipartType = "multipart/form-data"

const (
	// streamTimeout bounds the whole of a request whose body is read as it
	// comes: 4 GiB at about 20 Mbit/s.
	streamTimeout = 30 * time.Minute
	// streamPause bounds how long the caller may send nothing.
	streamPause = 30 * time.Second
	// streamMemory is what a request of this kind may hold at once.
	streamMemory = headMax + 8<<20
)

// streamed reports whether the handler reads the body itself.
func (o *operation) streamed() bool { return o.body != nil && o.body.Content[multipartType] != nil }

// stream lets a handler read the body as it comes: at most so many bytes, as
// long as some keep coming. It takes the share of the memory that the handler
// needs meanwhile.
func (s *Server) stream(g *gin.Context, c *call) (release func(), err error) {
	o := c.operation
	if g.Request.ContentLength > o.bodyMax {
		return func() {}, tooLarge(o.bodyMax)
	}
	size := int64(streamMemory)
	if n := g.Request.ContentLength; n >= 0 && n < size {
		size = n
	}
	if !s.bodies.TryAcquire(size) {
		return func() {}, fault.New(fault.Overloaded, "", "too many large requests at once")
	}
	c.stream = newBodyStream(g, o.bodyMax)
	g.Request.Body = c.stream
	return func() { s.bodies.Release(size) }, nil
}

// bodyStream is a body that is read as it comes. It remembers why reading
// failed: whoever parses what it gives has other words for it.
type bodyStream struct {
	ctx        context.Context
	body       io.ReadCloser
	max        int64
	connection *http.ResponseController
	err        error
}

// newBodyStream takes over the connection's deadlines, which the server set for
// a request of ordinary size. Where a connection has none, nothing is to lift.
func newBodyStream(g *gin.Context, most int64) *bodyStream {
	b := &bodyStream{
		ctx: g.Request.Context(), body: http.MaxBytesReader(g.Writer, g.Request.Body, most), max: most,
		connection: http.NewResponseController(g.Writer),
	}
	_ = b.connection.SetReadDeadline(time.Time{})
	_ = b.connection.SetWriteDeadline(time.Time{})
	return b
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

func (b *bodyStream) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if err := b.ctx.Err(); err != nil {
		b.err = fault.Wrap(err, fault.Cancelled, "", "read request body")
		return 0, b.err
	}
	silence := time.AfterFunc(streamPause, func() { _ = b.connection.SetReadDeadline(longAgo) })
	defer silence.Stop()
	n, err := b.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = b.classify(err)
		err = b.err
	}
	return n, err
}

func (b *bodyStream) classify(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(b.max)
	case !errors.Is(err, io.ErrUnexpectedEOF) && b.ctx.Err() != nil:
		return fault.Wrap(err, fault.Cancelled, "", "read request body")
	}
	return fault.Wrap(err, fault.BodyTruncated, "", "read request body")
}

func (b *bodyStream) Close() error { return b.body.Close() }

// answering bounds how long the caller may take to read the answer; the
// function it returns ends that.
func (b *bodyStream) answering() (done func() bool) {
	return time.AfterFunc(bodyReadTimeout, func() { _ = b.connection.SetWriteDeadline(longAgo) }).Stop
}
