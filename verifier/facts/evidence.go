package facts

import (
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Certificate is one certificate, once, whoever sent it.
type Certificate struct {
	ID      string   `json:"id"` // SHA-256 of Raw, hexadecimal
	Origins []string `json:"origins"`
	Raw     []byte   `json:"raw"`
}

// RevocationKind is the protocol of revocation information.
type RevocationKind string

// The kinds.
const (
	OCSP RevocationKind = "ocsp"
	CRL  RevocationKind = "crl"
)

// Revocation is one OCSP answer or CRL, once, whoever sent it.
type Revocation struct {
	ID      string         `json:"id"` // SHA-256 of Raw, hexadecimal
	Kind    RevocationKind `json:"kind"`
	Origins []string       `json:"origins"`
	Source  string         `json:"source,omitempty"`
	Fetched *time.Time     `json:"fetched,omitempty"`
	Nonce   []byte         `json:"nonce,omitempty"` // what our request asked the answer to repeat
	Raw     []byte         `json:"raw"`
}

// Gap is information that was looked for and not got.
type Gap struct {
	Certificate string     `json:"certificate"` // the ID of the certificate it is about
	Kind        string     `json:"kind"`        // "ocsp", "crl" or "issuer"
	Source      string     `json:"source,omitempty"`
	Code        fault.Code `json:"code"`
}

// Origins of objects: where each was found.
const (
	FromMessage    = "message"             // SignedData.certificates and SignedData.crls
	FromAttribute  = "attribute"           // certificate-values and revocation-values of a signature
	FromTimestamp  = "timestamp"           // the SignedData of a token
	FromTokenValue = "timestamp_attribute" // certificate-values and revocation-values of a token
	FromGiven      = "given"               // beside the document
	FromFetched    = "fetched"             // asked for over the network
)

// Certificate gives the raw certificate of an ID, nil if there is none.
func (f *Facts) Certificate(id string) []byte {
	for i := range f.Certificates {
		if f.Certificates[i].ID == id {
			return f.Certificates[i].Raw
		}
	}
	return nil
}

// AddCertificate keeps a certificate once, and every place it came from.
func (f *Facts) AddCertificate(raw []byte, origin string) string {
	return f.AddIdentified(Digest(raw), raw, origin)
}

// AddIdentified is AddCertificate where the ID, the digest of the bytes, is known.
func (f *Facts) AddIdentified(id string, raw []byte, origin string) string {
	for i := range f.Certificates {
		if c := &f.Certificates[i]; c.ID == id {
			c.Origins = with(c.Origins, origin)
			return id
		}
	}
	f.Certificates = append(f.Certificates, Certificate{ID: id, Origins: only(origin), Raw: raw})
	return id
}

// AddRevocation keeps an answer or list once, and every place it came from; what
// else is known of it stays as it was first. An ID that is given is the digest of
// the bytes.
func (f *Facts) AddRevocation(r Revocation, origin string) string {
	if r.ID == "" {
		r.ID = Digest(r.Raw)
	}
	for i := range f.Revocations {
		if known := &f.Revocations[i]; known.ID == r.ID {
			known.Origins = with(known.Origins, origin)
			return r.ID
		}
	}
	r.Origins = only(origin)
	f.Revocations = append(f.Revocations, r)
	return r.ID
}

// firsts are the lists of one origin, which nearly every object has. Their capacity
// is their length, so that appending to one makes another.
var firsts = [][]string{{FromMessage}, {FromAttribute}, {FromTimestamp}, {FromTokenValue}, {FromGiven}, {FromFetched}}

func only(origin string) []string {
	for _, list := range firsts {
		if list[0] == origin {
			return list
		}
	}
	return []string{origin}
}

func with(origins []string, origin string) []string {
	if slices.Contains(origins, origin) {
		return origins
	}
	return append(origins, origin)
}

// From reports whether the object was found at an origin.
func (c Certificate) From(origin string) bool { return slices.Contains(c.Origins, origin) }

// From reports whether the object was found at an origin.
func (r Revocation) From(origin string) bool { return slices.Contains(r.Origins, origin) }
