package cades

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

// Format is the name of what this package reads.
const Format = "CAdES"

// Source is a document to read.
type Source struct {
	Name string
	Data []byte
	// Content is what a detached signature is over; nil if it was not given.
	// For an attached one it may be given too, and must then be the same.
	Content []byte
	// Certificates may hold signers' certificates that the message lacks.
	Certificates []*cert.Certificate
	// Parse reads the certificates in the message; nil means cert.Parse.
	Parse func(der []byte) (*cert.Certificate, error)
}

// Read gives the facts of a CMS message in DER, BER, PEM or base64. A message
// without signers is refused: nothing that is said about no signature is a
// success.
func Read(src Source) (*facts.Facts, error) {
	binary, err := unarmour(src.Data)
	if err != nil {
		return nil, err
	}
	message, err := cms.Parse(binary)
	if err != nil {
		return nil, err
	}
	if len(message.Signers) == 0 {
		return nil, fault.New(fault.NoSignature, "/signerInfos", "no signer")
	}
	content, err := contentOf(message, src.Content)
	if err != nil {
		return nil, err
	}
	r := newReader(src, message)
	for i, s := range message.Signers {
		f := r.signature(i, s, content)
		r.timestamps(&f, s)
		r.facts.Signatures = append(r.facts.Signatures, f)
	}
	r.distinguish()
	return r.facts, nil
}

// contentOf gives the signed content: the message's own, or the given one.
func contentOf(m *cms.Message, given []byte) ([]byte, error) {
	if m.Detached {
		return given, nil
	}
	if given != nil && !bytes.Equal(given, m.Content) {
		return nil, fault.New(fault.ContentConflict, "/encapContentInfo/eContent", "%d bytes inside, %d given", len(m.Content), len(given))
	}
	if m.Content == nil {
		return []byte{}, nil // attached and empty is not absent
	}
	return m.Content, nil
}

// pemTypes are the labels under which CMS is written (RFC 7468 §8–9, and the
// older ones that OpenSSL still reads).
var pemTypes = map[string]bool{"CMS": true, "PKCS7": true, "PKCS #7 SIGNED DATA": true}

// unarmour takes PEM or bare base64, as NCALayer hands a signature to a page,
// off a message. Anything else is taken for the message itself.
func unarmour(data []byte) ([]byte, error) {
	switch {
	case len(data) == 0:
		return nil, fault.New(fault.InputEmpty, "", "no bytes")
	case len(data) > cms.DefaultLimits.Bytes/3*4+1024:
		return nil, fault.New(fault.InputTooBig, "", "%d bytes", len(data))
	}
	text := bytes.TrimSpace(data)
	if bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		block, rest := pem.Decode(text)
		if block == nil || !pemTypes[block.Type] || len(bytes.TrimSpace(rest)) > 0 {
			return nil, fault.New(fault.CMSMalformed, "", "not one PEM block of a CMS message")
		}
		return block.Bytes, nil
	}
	if bytes.HasPrefix(text, []byte("MI")) { // a SEQUENCE of 256 bytes or more, in base64
		if decoded, err := base64.StdEncoding.DecodeString(string(text)); err == nil { // ignores line ends
			return decoded, nil
		}
	}
	return data, nil
}
