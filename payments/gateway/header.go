package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// messageElement is the root of what is signed: a header and one document.
const messageElement = "Message"

// Header binds a signed document to the envelope that carries it, to its
// receiver and to its time. An envelope is sealed by whoever carries it, the
// document by whoever states it: without the header a document could be taken
// out of one envelope and sent again in another, to anybody, at any time.
type Header struct {
	ID        string // of the envelope: its messageId
	InReplyTo string // in an answer: the messageId of the request; else empty
	To        string // the account that the message is for
	At        time.Time
}

// SealMessage signs a document with its header.
func SealMessage(h Header, document string, k xmldsig.Key) (shep.Data, error) {
	w := open(messageElement)
	w.field("ID", h.ID)
	if h.InReplyTo != "" {
		w.field("InReplyTo", h.InReplyTo)
	}
	w.field("To", h.To)
	w.field("At", h.At.UTC().Format(timeLayout))
	w.start("Document")
	w.WriteString(document)
	w.end("Document")
	return shep.SealPayload(w.close(messageElement), k)
}

// OpenMessage verifies what SealMessage signed and returns the document, from
// the signed octets. The header must say what want says, and its time must be
// that of want, give or take the window of a ШЭП message. Anything else is
// fault.CallbackUnauthentic.
func OpenMessage(ctx context.Context, data shep.Data, peer shep.Peer, want Header) (*xmldsig.Element, error) {
	payload, err := shep.OpenPayload(ctx, data, peer, want.At)
	if err != nil {
		return nil, err
	}
	r := read(payload.Root, messageElement)
	h := Header{ID: r.text("ID"), To: r.text("To"), At: r.time("At")}
	if len(r.all("InReplyTo")) > 0 {
		h.InReplyTo = r.text("InReplyTo")
	}
	documents := r.all("Document")
	if len(documents) != 1 || len(documents[0].Elements()) != 1 {
		r.fail("Document", "want one document")
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	if err := h.fits(want); err != nil {
		return nil, err
	}
	return documents[0].Elements()[0], nil
}

func (h Header) fits(want Header) error {
	at := "/" + messageElement
	switch {
	case h.ID != want.ID:
		return fault.New(fault.CallbackUnauthentic, at+"/ID", "the document was signed for another envelope")
	case h.InReplyTo != want.InReplyTo:
		return fault.New(fault.CallbackUnauthentic, at+"/InReplyTo", "the document answers another message")
	case h.To != want.To:
		return fault.New(fault.CallbackUnauthentic, at+"/To", "the document is for another receiver")
	}
	if age := want.At.Sub(h.At).Abs(); age > shep.DefaultWindow {
		return fault.New(fault.CallbackUnauthentic, at+"/At", "signed %s away from now, limit %s", age.Round(time.Second), shep.DefaultWindow)
	}
	return nil
}
