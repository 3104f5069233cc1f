package shep

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

const declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// SealRequest writes and signs a request.
func SealRequest(r Request, k xmldsig.Key) ([]byte, error) { return seal(r.write, r.Data, k) }

// SealResponse writes and signs a response.
func SealResponse(r Response, k xmldsig.Key) ([]byte, error) { return seal(r.write, r.Data, k) }

// seal puts a message into the Body and signs the Body: one Signature in the
// wsse:Security that stands first in the Header, one Reference to the Body.
func seal(write func(*writer), data Data, k xmldsig.Key) ([]byte, error) {
	var w writer
	w.WriteString(`<soap:Envelope xmlns:soap="` + soapSpace + `"><soap:Header><wsse:Security xmlns:wsse="` + xmldsig.WSSESpace +
		`" soap:mustUnderstand="1"></wsse:Security></soap:Header><soap:Body xmlns:wsu="` + xmldsig.WSUSpace +
		`" wsu:Id="id-` + uuid.NewString() + `">`)
	write(&w)
	w.WriteString(`</soap:Body></soap:Envelope>`)
	if w.err != nil {
		return nil, fmt.Errorf("seal a ШЭП message: %w", w.err)
	}
	d, err := xmldsig.Parse([]byte(w.String()), xmldsig.Limits{})
	if err != nil {
		return nil, fmt.Errorf("seal a ШЭП message: %w", err)
	}
	header, body := d.Root.Child(soapSpace, "Header"), d.Root.Child(soapSpace, "Body")
	if data.Object != nil {
		wrapper := body.Elements()[0].Elements()[0].Elements() // request or response, then its info and data
		wrapper[len(wrapper)-1].Append(data.Object)
	}
	if err := xmldsig.Sign(d, xmldsig.WSSecurity(), k, header.Child(xmldsig.WSSESpace, "Security"), body); err != nil {
		return nil, fmt.Errorf("seal a ШЭП message: %w", err)
	}
	text, err := xmldsig.Method{Comments: true}.Canonical(d)
	if err != nil {
		return nil, fmt.Errorf("seal a ШЭП message: %w", err)
	}
	return append([]byte(declaration), text...), nil
}

// MessageMaxBytes is the default size limit of one envelope.
const MessageMaxBytes = 4 << 20

// DefaultWindow is how far a message's own date may lie from our clock: the
// gateway answers within 30 s, and clocks of state systems are not exact.
const DefaultWindow = 5 * time.Minute

// Opener opens envelopes of one peer.
type Opener struct {
	Peer Peer
	Now  func() time.Time
	// Window bounds the age of a message, and how far it may be ahead of us. Zero
	// means DefaultWindow. Within it a replay can only be told by the message id.
	Window time.Duration
	// MaxBytes of one envelope. Zero means MessageMaxBytes.
	MaxBytes int
}

// Envelope is an opened message: its signature covers the Body that Request or
// Response was read from, and Signer is the peer that Opener expects.
type Envelope struct {
	Request  *Request // either this
	Response *Response
	Signer   *cert.Certificate
	Raw      []byte
}

// Open verifies and reads an envelope. A SOAP fault, which is never signed,
// comes back as an error that holds a *SOAPFault.
func (o Opener) Open(ctx context.Context, raw []byte) (*Envelope, error) {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = MessageMaxBytes
	}
	d, err := xmldsig.Parse(raw, xmldsig.Limits{Bytes: limit})
	if err != nil {
		return nil, fmt.Errorf("open a ШЭП message: %w", err)
	}
	header, body, err := parts(d.Root)
	if err != nil {
		return nil, err
	}
	if soapFault := body.Child(soapSpace, "Fault"); soapFault != nil {
		return nil, fault.Wrap(readFault(soapFault), fault.ShepFault, "Body/Fault", "the gateway refused")
	}
	security, err := securityOf(header)
	if err != nil {
		return nil, err
	}
	verified, err := xmldsig.Verify(d, xmldsig.Policy{Parent: security, Target: body, KeyInfo: xmldsig.SecurityToken})
	if err != nil {
		return nil, fmt.Errorf("verify the WS-Security signature: %w", err)
	}
	if err := o.Peer.check(ctx, verified, o.Now()); err != nil {
		return nil, fmt.Errorf("identify the sender of a ШЭП message: %w", err)
	}
	return o.read(verified, raw)
}

// read takes the message from the verified Body and holds its date against the
// window.
func (o Opener) read(verified *xmldsig.Verified, raw []byte) (*Envelope, error) {
	e := &Envelope{Signer: verified.Certificate, Raw: raw}
	content := verified.Element.Elements()
	if len(content) != 1 {
		return nil, fault.New(fault.ShepMessage, "Body", "%d elements, want one", len(content))
	}
	var r reader
	var at time.Time
	switch {
	case content[0].Is(typesSpace, "SendMessage"):
		e.Request = r.request(content[0])
		at = e.Request.Date
	case content[0].Is(typesSpace, "SendMessageResponse"):
		e.Response = r.response(content[0])
		at = e.Response.Date
	default:
		return nil, fault.New(fault.ShepMessage, "Body", "not a message of the synchronous channel")
	}
	if r.err != nil {
		return nil, r.err
	}
	window := o.Window
	if window <= 0 {
		window = DefaultWindow
	}
	if age := o.Now().Sub(at); age > window || age < -window {
		return nil, fault.New(fault.ShepStale, "messageDate", "%s away from now, limit %s", age.Round(time.Second), window)
	}
	return e, nil
}

// parts finds Header and Body by their place in the Envelope (SOAP 1.1 §4).
func parts(envelope *xmldsig.Element) (header, body *xmldsig.Element, err error) {
	if !envelope.Is(soapSpace, "Envelope") {
		return nil, nil, fault.New(fault.ShepMessage, "", "not a SOAP 1.1 envelope")
	}
	children := envelope.Elements()
	if len(children) > 0 && children[0].Is(soapSpace, "Header") {
		header, children = children[0], children[1:]
	}
	if len(children) != 1 || !children[0].Is(soapSpace, "Body") {
		return nil, nil, fault.New(fault.ShepMessage, "Envelope", "want an optional Header and one Body")
	}
	return header, children[0], nil
}

// securityOf returns the wsse:Security block, which must come first and be
// mandatory. Another mandatory block is refused: not to understand it and to
// go on is what mustUnderstand forbids (SOAP 1.1 §4.2.3).
func securityOf(header *xmldsig.Element) (*xmldsig.Element, error) {
	blocks := header.Elements()
	if len(header.All(xmldsig.WSSESpace, "Security")) == 0 {
		return nil, fault.New(fault.XMLSignatureMissing, "Header", "no wsse:Security")
	}
	for i, block := range blocks {
		must, _ := block.Attr(soapSpace, "mustUnderstand")
		if security := block.Is(xmldsig.WSSESpace, "Security"); security != (i == 0) || (must == "1") != security {
			return nil, fault.New(fault.ShepMessage, "Header", "want one mandatory wsse:Security first, and no other mandatory block")
		}
	}
	return blocks[0], nil
}
