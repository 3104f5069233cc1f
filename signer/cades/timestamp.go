package cades

import (
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
)

// AddSignatureTimestamp makes a level T signature of a message: it adds a
// time-stamp token over a signer's signature value as an unsigned attribute
// (EN 319 122-1 §5.3). A token over anything else is refused with
// timestamp_imprint_mismatch. Its own signature is not verified: whoever got it
// did. Nothing that is there changes a byte.
func AddSignatureTimestamp(message []byte, signer int, token []byte) ([]byte, error) {
	value, err := SignatureValue(message, signer)
	if err != nil {
		return nil, err
	}
	parsed, err := tsp.ParseToken(token)
	if err != nil {
		return nil, err
	}
	if err := parsed.CheckImprint(value); err != nil {
		return nil, err
	}
	return cms.AddUnsignedAttribute(message, signer, cms.Attribute{Type: cms.OIDSignatureTimestamp, Values: [][]byte{token}})
}
