package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"time"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/signer/cades"
)

// Sealer makes and raises signatures with the service's own keys and peers.
// cmd/senim wires it.
type Sealer interface {
	// Sign signs the document, or adds a signature to one that is signed.
	Sign(ctx context.Context, caller access.Caller, r SignRequest) (*cades.Message, error)
	// Extend raises every signature of the document.
	Extend(ctx context.Context, caller access.Caller, r SignRequest) (*cades.Message, error)
}

// SignRequest is one document to sign or to extend.
type SignRequest struct {
	Document cades.Source
	Content  cades.Source // of a detached signature; nil if none was sent
	Key      string       // the configured name of the key; empty is the first
	Detached bool
	Level    cades.Level
}

const (
	cmsType   = "application/cms"
	mixedType = "multipart/mixed"
)

// SignDocuments signs each document as it comes in.
func (h handlers) SignDocuments(ctx context.Context, r SignDocumentsRequestObject) (SignDocumentsResponseObject, error) {
	request := SignRequest{Detached: r.Params.Detached != nil && *r.Params.Detached}
	if r.Params.Key != nil {
		request.Key = *r.Params.Key
	}
	if r.Params.Level != nil {
		var err error
		if request.Level, err = cades.ParseLevel(string(*r.Params.Level)); err != nil {
			return nil, err
		}
	}
	return h.each(ctx, r.Body, request, h.rooms.Sealer.Sign)
}

// ExtendDocuments raises the signatures of each document as it comes in.
func (h handlers) ExtendDocuments(ctx context.Context, r ExtendDocumentsRequestObject) (ExtendDocumentsResponseObject, error) {
	level, err := cades.ParseLevel(string(r.Params.Level))
	if err != nil {
		return nil, err
	}
	return h.each(ctx, r.Body, SignRequest{Level: level}, h.rooms.Sealer.Extend)
}

// each reads the documents of a request and does with each what is asked. They
// are kept in files until the answer is written, because a document is read
// twice: to be digested and to be written into its signature.
func (h handlers) each(ctx context.Context, body *multipart.Reader, request SignRequest, do func(context.Context, access.Caller, SignRequest) (*cades.Message, error)) (*signatures, error) {
	ctx, c := enter(ctx)
	answer := &signatures{ctx: ctx, call: c}
	u := &upload{parts: body}
	for {
		name, document, content, err := u.document()
		if errors.Is(err, io.EOF) {
			break
		}
		var m *cades.Message
		if err == nil {
			m, err = answer.one(ctx, request, document, content, do)
		}
		switch {
		case c.stream.err != nil: // whatever was made of it
			return nil, errors.Join(c.stream.err, answer.close())
		case ctx.Err() != nil:
			return nil, errors.Join(fault.Wrap(ctx.Err(), fault.Cancelled, "", "sign a document"), answer.close())
		case err != nil && u.broken:
			return nil, errors.Join(err, answer.close())
		}
		answer.results = append(answer.results, signResult{name, m, err})
	}
	if len(answer.results) == 1 && answer.results[0].err != nil {
		return nil, errors.Join(answer.results[0].err, answer.close())
	}
	return answer, nil
}

// signResult is what became of one document.
type signResult struct {
	file    string
	message *cades.Message
	err     error
}

// signatures is the answer to SignDocuments and ExtendDocuments: the one message,
// or a part for each of several.
type signatures struct {
	ctx     context.Context
	call    *call
	results []signResult
	spools  []*os.File
}

// one keeps a document and does what is asked with it.
func (s *signatures) one(ctx context.Context, request SignRequest, document, content io.Reader, do func(context.Context, access.Caller, SignRequest) (*cades.Message, error)) (*cades.Message, error) {
	var err error
	if request.Document, err = s.keep(document); err != nil {
		return nil, err
	}
	if content != nil {
		if request.Content, err = s.keep(content); err != nil {
			return nil, err
		}
	}
	return do(ctx, s.call.caller, request)
}

// keep puts what comes in into a file that has no name: it goes with its
// process, however that ends.
func (s *signatures) keep(r io.Reader) (cades.Source, error) {
	file, err := os.CreateTemp("", "senim-upload-")
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "keep a document")
	}
	s.spools = append(s.spools, file)
	if err := os.Remove(file.Name()); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "keep a document")
	}
	n, err := io.Copy(file, r)
	switch {
	case fault.Of(err) != nil:
		return nil, err
	case err != nil:
		return nil, fault.Wrap(err, fault.BodyTruncated, "", "keep a document")
	}
	return io.NewSectionReader(file, 0, n), nil
}

func (s *signatures) close() error {
	var errs []error
	for _, file := range s.spools {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// VisitSignDocumentsResponse writes the answer.
func (s *signatures) VisitSignDocumentsResponse(w http.ResponseWriter) error { return s.write(w) }

// VisitExtendDocumentsResponse writes the answer.
func (s *signatures) VisitExtendDocumentsResponse(w http.ResponseWriter) error { return s.write(w) }

func (s *signatures) write(w http.ResponseWriter) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	// An answer is as long as what was sent, and may take as long.
	slow := time.AfterFunc(streamTimeout, func() { _ = s.call.stream.connection.SetWriteDeadline(longAgo) })
	defer slow.Stop()
	if len(s.results) == 1 {
		w.Header().Set("Content-Type", cmsType)
		return s.results[0].message.Write(s.ctx, w)
	}
	parts := multipart.NewWriter(w)
	w.Header().Set("Content-Type", mime.FormatMediaType(mixedType, map[string]string{"boundary": parts.Boundary()}))
	for _, r := range s.results {
		if err := s.writePart(parts, r); err != nil {
			return err
		}
	}
	return parts.Close()
}

// writePart writes what became of one of several documents.
func (s *signatures) writePart(parts *multipart.Writer, r signResult) error {
	header := textproto.MIMEHeader{
		"Content-Type":        {cmsType},
		"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": r.file})},
	}
	if r.err != nil {
		header.Set("Content-Type", problemType)
	}
	part, err := parts.CreatePart(header)
	if err != nil {
		return err
	}
	if r.err == nil {
		return r.message.Write(s.ctx, part)
	}
	return json.NewEncoder(part).Encode(problemOf(s.call, codeOf(r.err), r.err))
}
