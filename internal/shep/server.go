package shep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Server answers requests of the synchronous channel: the other side of
// Client. Serve decides; everything else is checked before it is called.
type Server struct {
	Key    xmldsig.Key
	Opener Opener
	// Serve gives status and data of the answer; ids and date are filled in.
	// Replay is its to detect, by the request's MessageID.
	Serve func(ctx context.Context, e *Envelope) (Response, error)
}

// Answer opens a request, serves it and seals the response. The envelope comes
// back too, once it was opened, for whoever keeps the message.
func (s *Server) Answer(ctx context.Context, raw []byte) (reply []byte, e *Envelope, err error) {
	if e, err = s.Opener.Open(ctx, raw); err != nil {
		return nil, nil, err
	}
	if e.Request == nil {
		return nil, nil, fault.New(fault.ShepMessage, "Body", "a response where a request must be")
	}
	response, err := s.Serve(ctx, e)
	if err != nil {
		return nil, e, fmt.Errorf("serve %.80q: %w", e.Request.ServiceID, err)
	}
	reply, err = s.Seal(response, e.Request)
	return reply, e, err
}

// Seal signs the response to a request: a new id, our clock, and the request's
// id as correlation unless the response has its own.
func (s *Server) Seal(response Response, to *Request) ([]byte, error) {
	response.Date = s.Opener.Now()
	if response.MessageID == "" {
		response.MessageID = uuid.NewString()
	}
	if response.CorrelationID == "" {
		response.CorrelationID = to.MessageID
	}
	return SealResponse(response, s.Key)
}

// ServeHTTP speaks SOAP over HTTP. Whatever is refused is a fault under 500
// with the reason's code and nothing of its detail.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := s.Opener.ReadBody(w, r)
	var reply []byte
	if err == nil {
		reply, _, err = s.Answer(r.Context(), raw)
	}
	if err != nil {
		s.Opener.Refuse(w, err)
		return
	}
	WriteXML(w, http.StatusOK, reply)
}

// ReadBody takes the body of a SOAP request, bounded.
func (o Opener) ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || err != nil || media != "text/xml" {
		return nil, fault.New(fault.ShepMessage, "", "want a POST of text/xml")
	}
	limit := int64(MessageMaxBytes)
	if o.MaxBytes > 0 {
		limit = int64(o.MaxBytes)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return nil, fault.New(fault.InputTooBig, "", "more than %d bytes", limit)
	case err != nil:
		return nil, fault.Wrap(err, fault.Unreadable, "", "read the request")
	}
	return raw, nil
}

// Refuse answers with a fault: a request that is wrong is not valid, a failure
// of ours is the service being unavailable.
func (o Opener) Refuse(w http.ResponseWriter, err error) {
	code := fault.CodeOf(err)
	info := ErrorInfo{Code: string(StatusInvalidRequest), Message: string(code), Date: o.Now()}
	if class := code.Class(); class == fault.Fatal || class == fault.RetryLater {
		info.Code = string(StatusUnavailable)
	}
	WriteXML(w, http.StatusInternalServerError, WriteFault(info))
}

// WriteXML writes a SOAP message with its headers.
func WriteXML(w http.ResponseWriter, status int, message []byte) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(message) // the peer that left gets no answer; nobody else is owed one
}
