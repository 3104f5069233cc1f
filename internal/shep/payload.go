package shep

import (
	"context"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// SealPayload signs a business document with an enveloped signature (inclusive
// canonicalisation, X509Data) and returns the text to put into Data.
func SealPayload(document string, k xmldsig.Key) (Data, error) {
	d, err := xmldsig.Parse([]byte(document), xmldsig.Limits{Bytes: MessageMaxBytes})
	if err != nil {
		return Data{}, fmt.Errorf("sign a payload: %w", err)
	}
	if err := xmldsig.Sign(d, xmldsig.Enveloped(), k, d.Root, nil); err != nil {
		return Data{}, fmt.Errorf("sign a payload: %w", err)
	}
	text, err := xmldsig.Method{Comments: true}.Canonical(d)
	if err != nil {
		return Data{}, fmt.Errorf("sign a payload: %w", err)
	}
	return Data{Text: string(text)}, nil
}

// Payload is a business document whose own signature was verified.
type Payload struct {
	Root   *xmldsig.Element  // the document without its signature, from the signed octets
	Signer *cert.Certificate // who stated it
	Raw    []byte            // as it came, signature included
}

// OpenPayload verifies the enveloped signature of a payload that travelled as
// text: a direct child of the root, over the whole document, by the peer that
// may state such a thing.
func OpenPayload(ctx context.Context, data Data, peer Peer, at time.Time) (*Payload, error) {
	if data.Object != nil {
		return nil, fault.New(fault.NotAvailable, "data", "a payload that is an object carries no signature")
	}
	d, err := xmldsig.Parse([]byte(data.Text), xmldsig.Limits{Bytes: MessageMaxBytes})
	if err != nil {
		return nil, fmt.Errorf("read a payload: %w", err)
	}
	verified, err := xmldsig.Verify(d, xmldsig.Policy{Parent: d.Root})
	if err != nil {
		return nil, fmt.Errorf("verify a payload: %w", err)
	}
	if err := peer.check(ctx, verified, at); err != nil {
		return nil, fmt.Errorf("identify the signer of a payload: %w", err)
	}
	return &Payload{Root: verified.Element, Signer: verified.Certificate, Raw: []byte(data.Text)}, nil
}
