package shep

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// reader takes the fields of a verified Body and remembers the first that is
// missing, doubled or out of bounds.
type reader struct{ err error }

func (r *reader) fail(at, format string, args ...any) {
	if r.err == nil {
		r.err = fault.New(fault.ShepMessage, at, format, args...)
	}
}

// child returns the one child of this unqualified name.
func (r *reader) child(e *xmldsig.Element, name string) *xmldsig.Element {
	c := e.Child("", name)
	if c == nil {
		r.fail(name, "%d elements, want one", len(e.All("", name)))
	}
	return c
}

func (r *reader) text(e *xmldsig.Element, name string, max int) string {
	c := r.child(e, name)
	if len(c.Elements()) > 0 {
		r.fail(name, "an element where text must be")
	}
	value := strings.TrimSpace(c.Text())
	if utf8.RuneCountInString(value) > max {
		r.fail(name, "longer than %d characters", max)
	}
	return value
}

func (r *reader) required(e *xmldsig.Element, name string) string {
	value := r.text(e, name, fieldMax)
	if value == "" {
		r.fail(name, "it is empty")
	}
	return value
}

func (r *reader) optional(e *xmldsig.Element, name string) string {
	if len(e.All("", name)) == 0 {
		return ""
	}
	return r.text(e, name, fieldMax)
}

// time reads an xs:dateTime. One without a zone would be a guess of hours.
func (r *reader) time(e *xmldsig.Element, name string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.required(e, name))
	if err != nil {
		r.fail(name, "not a date and time with a zone")
	}
	return at
}

// data reads the optional child called data, in whatever namespace: the schema
// says unqualified, NCANode's callers write it qualified.
func (r *reader) data(parent *xmldsig.Element) Data {
	children := parent.Elements()
	if len(children) == 0 {
		return Data{}
	}
	if len(children) > 1 || children[0].Local != "data" {
		r.fail("data", "want at most one data element")
		return Data{}
	}
	if len(children[0].Elements()) > 0 {
		return Data{Object: children[0]}
	}
	return Data{Text: children[0].Text()}
}

func (r *reader) request(e *xmldsig.Element) *Request {
	message := r.child(e, "request")
	info := r.child(message, "requestInfo")
	sender := r.child(info, "sender")
	out := &Request{
		MessageID:     r.required(info, "messageId"),
		CorrelationID: r.optional(info, "correlationId"),
		ServiceID:     r.required(info, "serviceId"),
		Date:          r.time(info, "messageDate"),
		RouteID:       r.optional(info, "routeId"),
		Sender:        Sender{ID: r.required(sender, "senderId"), Password: Password(r.optional(sender, "password"))},
		SessionID:     r.optional(info, "sessionId"),
		Data:          r.data(r.child(message, "requestData")),
	}
	properties := info.All("", "properties")
	if len(properties) > propertiesMax {
		r.fail("properties", "more than %d", propertiesMax)
		return out
	}
	for _, p := range properties {
		out.Properties = append(out.Properties, Property{r.text(p, "key", propertyKeyMax), r.text(p, "value", propertyValueMax)})
	}
	return out
}

func (r *reader) response(e *xmldsig.Element) *Response {
	message := r.child(e, "response")
	info := r.child(message, "responseInfo")
	status := r.child(info, "status")
	return &Response{
		MessageID:     r.required(info, "messageId"),
		CorrelationID: r.optional(info, "correlationId"),
		Date:          r.time(info, "responseDate"),
		Status:        Status{Code: StatusCode(r.required(status, "code")), Message: r.text(status, "message", fieldMax)},
		SessionID:     r.optional(info, "sessionId"),
		Data:          r.data(r.child(message, "responseData")),
	}
}
