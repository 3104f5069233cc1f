package shep

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Namespaces of the channel. Only the wrapper elements are qualified: the
// gateway's schemas have no elementFormDefault.
const (
	soapSpace  = "http://schemas.xmlsoap.org/soap/envelope/"
	typesSpace = "http://bip.bee.kz/SyncChannel/v10/Types"
	xsiSpace   = "http://www.w3.org/2001/XMLSchema-instance"
	xsSpace    = "http://www.w3.org/2001/XMLSchema"
)

// Lengths that the gateway's schema sets, in characters.
const (
	statusMessageMax = 250
	propertyKeyMax   = 30
	propertyValueMax = 500

	propertiesMax = 64   // ours: no service known takes more than a few
	fieldMax      = 1000 // ours: of any other single field
)

// Request is the request of SendMessage.
type Request struct {
	MessageID     string
	CorrelationID string // optional
	ServiceID     string
	Date          time.Time
	RouteID       string // optional
	Sender        Sender
	Properties    []Property
	SessionID     string // set by the gateway; read, never written
	Data          Data
}

// Sender is the account of the calling system at the gateway.
type Sender struct {
	ID       string
	Password Password
}

// Password does not print.
type Password string

// String hides the password.
func (Password) String() string { return "***" }

// GoString hides the password under %#v too.
func (Password) GoString() string { return "***" }

// Property is a key and value beside the message.
type Property struct{ Key, Value string }

// Response is the response of SendMessage.
type Response struct {
	MessageID     string
	CorrelationID string // the MessageID of the request
	Date          time.Time
	Status        Status
	SessionID     string // with or without braces, as the gateway sent it
	Data          Data
}

// Data is what a message carries: either Text, an xs:string that usually holds
// a signed payload, or Object, the data element itself with its own type. The
// zero Data is absent.
type Data struct {
	Text   string
	Object *xmldsig.Element
}

// Empty reports whether there is nothing in it. An empty answer says nothing
// about the thing asked for.
func (d Data) Empty() bool {
	return strings.TrimSpace(d.Text) == "" && (d.Object == nil || len(d.Object.Elements()) == 0)
}

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// writer collects the text of a message; values are escaped, and a value that
// breaks the schema's bounds is remembered as the error.
type writer struct {
	strings.Builder
	err error
}

func (w *writer) field(name, value string, max int) {
	if n := utf8.RuneCountInString(value); n > max && w.err == nil {
		w.err = fault.New(fault.BadArgument, name, "%d characters, limit %d", n, max)
	}
	fmt.Fprintf(w, "<%s>%s</%s>", name, xmldsig.EscapeText(value), name)
}

func (w *writer) required(name, value string) {
	if value == "" && w.err == nil {
		w.err = fault.New(fault.BadArgument, name, "it is required")
	}
	w.field(name, value, fieldMax)
}

func (w *writer) optional(name, value string) {
	if value != "" {
		w.field(name, value, fieldMax)
	}
}

func (w *writer) data(d Data) {
	if d.Text != "" {
		fmt.Fprintf(w, `<data xmlns:xs="%s" xmlns:xsi="%s" xsi:type="xs:string">%s</data>`, xsSpace, xsiSpace, xmldsig.EscapeText(d.Text))
	}
}

func (r *Request) write(w *writer) {
	w.WriteString(`<typ:SendMessage xmlns:typ="` + typesSpace + `"><request><requestInfo>`)
	w.required("messageId", r.MessageID)
	w.optional("correlationId", r.CorrelationID)
	w.required("serviceId", r.ServiceID)
	w.field("messageDate", r.Date.Format(timeLayout), fieldMax)
	w.optional("routeId", r.RouteID)
	w.WriteString("<sender>")
	w.required("senderId", r.Sender.ID)
	w.optional("password", string(r.Sender.Password))
	w.WriteString("</sender>")
	for _, p := range r.Properties {
		w.WriteString("<properties>")
		w.field("key", p.Key, propertyKeyMax)
		w.field("value", p.Value, propertyValueMax)
		w.WriteString("</properties>")
	}
	w.WriteString("</requestInfo><requestData>")
	w.data(r.Data)
	w.WriteString("</requestData></request></typ:SendMessage>")
}

func (r *Response) write(w *writer) {
	w.WriteString(`<typ:SendMessageResponse xmlns:typ="` + typesSpace + `"><response><responseInfo>`)
	w.required("messageId", r.MessageID)
	w.optional("correlationId", r.CorrelationID)
	w.field("responseDate", r.Date.Format(timeLayout), fieldMax)
	w.WriteString("<status>")
	w.required("code", string(r.Status.Code))
	w.field("message", r.Status.Message, statusMessageMax)
	w.WriteString("</status>")
	w.optional("sessionId", r.SessionID)
	w.WriteString("</responseInfo><responseData>")
	w.data(r.Data)
	w.WriteString("</responseData></response></typ:SendMessageResponse>")
}
