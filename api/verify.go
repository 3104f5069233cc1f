package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
)

// Verifier validates signed documents. cmd/senim wires it: the anchors and the
// network are the service's.
type Verifier interface {
	Verify(ctx context.Context, r VerifyRequest) (*verifier.Report, error)
}

// VerifyRequest is one document to validate. The readers are read once.
type VerifyRequest struct {
	Name     string
	Document io.Reader
	Content  io.Reader // of a detached signature; nil if none was sent
	Policy   verifier.Policy
	At       time.Time // zero is now
}

const (
	// headMax is what is held of a document to find out whether content follows
	// it: a detached signature of level LTA has some MiB.
	headMax = 8 << 20
	// documentsMax bounds the documents of one request.
	documentsMax = 100
	// fileNameMax bounds the name that a part gives.
	fileNameMax = 255
)

// VerifyDocuments validates each document as it comes in.
func (h handlers) VerifyDocuments(ctx context.Context, r VerifyDocumentsRequestObject) (VerifyDocumentsResponseObject, error) {
	ctx, c := enter(ctx)
	answer := &verdicts{call: c}
	var err error
	if answer.mediaType, err = negotiate(c.request.Header.Values("Accept"), jsonType, textType, xmlType); err != nil {
		return nil, err
	}
	request := VerifyRequest{}
	if request.Policy, err = policyOf(r.Params.Policy); err != nil {
		return nil, err
	}
	if r.Params.At != nil {
		request.At = *r.Params.At
	}
	u := &upload{parts: r.Body}
	for {
		if request.Name, request.Document, request.Content, err = u.document(); errors.Is(err, io.EOF) {
			break
		}
		var report *verifier.Report
		if err == nil {
			report, err = h.rooms.Verifier.Verify(ctx, request)
		}
		switch {
		case c.stream.err != nil: // whatever was made of it
			return nil, c.stream.err
		case ctx.Err() != nil:
			return nil, fault.Wrap(ctx.Err(), fault.Cancelled, "", "validate a document")
		case err != nil && u.broken:
			return nil, err
		}
		answer.results = append(answer.results, verifyResult{request.Name, report, err})
	}
	return answer.orProblem()
}

// policyOf finds a built-in policy. Policies of files are for who runs the
// command: a caller must not name the server's files.
func policyOf(name *string) (verifier.Policy, error) {
	if name == nil {
		return verifier.PolicyByName(verifier.DefaultPolicy)
	}
	if !slices.Contains(verifier.PolicyNames(), *name) {
		return verifier.Policy{}, fault.New(fault.PolicyUnknown, "/query/policy", "one of %s", strings.Join(verifier.PolicyNames(), ", "))
	}
	return verifier.PolicyByName(*name)
}

// upload reads the parts of a request in their order.
type upload struct {
	parts     *multipart.Reader
	ahead     *multipart.Part // read, and not yet used
	documents int
	broken    bool // what follows cannot be read
}

// document gives the next document and, if it follows, its content; io.EOF if
// there is none.
func (u *upload) document() (name string, document, content io.Reader, err error) {
	defer func() { u.broken = err != nil }()
	part, err := u.next()
	switch {
	case errors.Is(err, io.EOF) && u.documents == 0:
		return "", nil, nil, fault.New(fault.InputEmpty, "/document", "no part of that name")
	case err != nil:
		return "", nil, nil, err
	case part.FormName() != "document":
		return "", nil, nil, fault.New(fault.BodyInvalid, "/"+strconv.Itoa(u.documents), "want a part named document, and after one of at most %d bytes one named content", headMax)
	case u.documents == documentsMax:
		return "", nil, nil, fault.New(fault.InputTooBig, "/document", "more than %d documents", documentsMax)
	}
	u.documents++
	if name = part.FileName(); name == "" {
		name = "document-" + strconv.Itoa(u.documents)
	}
	name = strings.ToValidUTF8(name[:min(len(name), fileNameMax)], "")
	head, err := io.ReadAll(io.LimitReader(part, headMax+1))
	if err != nil {
		return name, nil, nil, malformedParts(err)
	}
	if len(head) > headMax {
		return name, io.MultiReader(bytes.NewReader(head), part), nil, nil
	}
	if u.ahead, err = u.next(); err != nil && !errors.Is(err, io.EOF) {
		return name, nil, nil, err
	}
	if u.ahead != nil && u.ahead.FormName() == "content" {
		content, u.ahead = u.ahead, nil
	}
	return name, bytes.NewReader(head), content, nil
}

func (u *upload) next() (*multipart.Part, error) {
	if part := u.ahead; part != nil {
		u.ahead = nil
		return part, nil
	}
	part, err := u.parts.NextRawPart()
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, malformedParts(err)
	}
	if encoding := part.Header.Get("Content-Transfer-Encoding"); encoding != "" && !strings.EqualFold(encoding, "binary") {
		return nil, fault.New(fault.BodyInvalid, "", "a part is taken as it is only (RFC 7578 §4.7)")
	}
	return part, nil
}

func malformedParts(err error) error {
	return fault.Wrap(err, fault.BodyInvalid, "", "read the parts")
}

// verifyResult is what became of one document: a report or an error.
type verifyResult struct {
	file   string
	report *verifier.Report
	err    error
}

const (
	textType = "text/plain"
	xmlType  = "application/xml"
)

// verdicts is the answer to VerifyDocuments.
type verdicts struct {
	call      *call
	mediaType string
	results   []verifyResult
}

// orProblem gives the answer, or the error that stands for it: the only
// document cannot be read, or the format has no place for several.
func (v *verdicts) orProblem() (VerifyDocumentsResponseObject, error) {
	switch {
	case len(v.results) == 1 && v.results[0].err != nil:
		return nil, v.results[0].err
	case len(v.results) > 1 && v.mediaType == xmlType:
		return nil, fault.New(fault.NotAcceptable, "/headers/Accept", "a validation report of TS 119 102-2 is about one document")
	}
	return v, nil
}

// VisitVerifyDocumentsResponse writes the answer.
func (v *verdicts) VisitVerifyDocumentsResponse(w http.ResponseWriter) error {
	defer v.call.stream.answering()()
	var b bytes.Buffer
	if err := v.render(&b); err != nil {
		return err
	}
	contentType := v.mediaType
	if contentType != jsonType {
		contentType += "; charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Language", string(v.call.language))
	w.Header().Set("Vary", "Accept, Accept-Language")
	_, err := b.WriteTo(w)
	return err
}

func (v *verdicts) render(w *bytes.Buffer) error {
	if v.mediaType == textType {
		return v.renderText(w)
	}
	if len(v.results) > 1 {
		return v.renderResults(w)
	}
	report := v.results[0].report.In(v.call.language)
	if v.mediaType == xmlType {
		return report.WriteXML(w)
	}
	return report.WriteJSON(w)
}

func (v *verdicts) renderText(w *bytes.Buffer) error {
	for i, r := range v.results {
		if i > 0 {
			w.WriteString("\n\n")
		}
		if r.err != nil {
			code := codeOf(r.err)
			w.WriteString(strconv.Quote(r.file) + ": " + code.Message(v.call.language) + " [" + string(code) + "]\n")
			continue
		}
		if err := r.report.WriteText(w, v.call.language); err != nil {
			return err
		}
	}
	return nil
}

// renderResults lists what became of several documents.
func (v *verdicts) renderResults(w *bytes.Buffer) error {
	type result struct {
		File    string           `json:"file"`
		Report  *verifier.Report `json:"report,omitempty"`
		Problem *Problem         `json:"problem,omitempty"`
	}
	out := struct {
		Indication verifier.Indication `json:"indication"`
		Results    []result            `json:"results"`
	}{Indication: v.worst()}
	for _, r := range v.results {
		entry := result{File: r.file}
		if r.err == nil {
			entry.Report = r.report.In(v.call.language)
		} else {
			problem := problemOf(v.call, codeOf(r.err), r.err)
			entry.Problem = &problem
		}
		out.Results = append(out.Results, entry)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// worst is the verdict on all: a document without report is undecided.
func (v *verdicts) worst() verifier.Indication {
	worst := verifier.TotalPassed
	for _, r := range v.results {
		switch {
		case r.err == nil && r.report.Indication == verifier.TotalFailed:
			return verifier.TotalFailed
		case r.err != nil || r.report.Indication != verifier.TotalPassed:
			worst = verifier.Indeterminate
		}
	}
	return worst
}
