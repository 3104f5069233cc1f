package cades

import (
	"bytes"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
)

// AddSignatureTimestamp makes a level T signature of a message that is held in
// memory: it adds a time-stamp token over a signer's signature value as an
// unsigned attribute (EN 319 122-1 §5.3). A token over anything else is refused
// with timestamp_imprint_mismatch. Its own signature is not verified: whoever got
// it did. An Extender does all of this by itself.
func AddSignatureTimestamp(message []byte, signer int, token []byte) ([]byte, error) {
	m, err := Open(bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	if m.Reframed {
		return nil, fault.New(fault.NotAvailable, "/", "adding to a message in BER without rewriting its frame")
	}
	if err := m.addSignatureTimestamp(signer, token); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := m.WriteTo(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (m *Message) addSignatureTimestamp(signer int, token []byte) error {
	view, err := m.view()
	if err != nil {
		return err
	}
	if signer < 0 || signer >= len(view.Signers) {
		return fault.New(fault.BadArgument, "/signerInfos", "no signature %d of %d", signer, len(view.Signers))
	}
	parsed, err := tsp.ParseToken(token)
	if err != nil {
		return err
	}
	if err := parsed.CheckImprint(view.Signers[signer].Signature); err != nil {
		return err
	}
	return m.signers[signer].add(cms.OIDSignatureTimestamp, token)
}
