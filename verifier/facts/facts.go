package facts

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/senim-kz/senim/internal/fault"
)

// Version of the serialised model. A reader refuses any other.
const Version = 2

// Facts are what was found in one document and gathered around it.
type Facts struct {
	Version      int           `json:"version"`
	Document     Document      `json:"document"`
	Signatures   []Signature   `json:"signatures"`
	Certificates []Certificate `json:"certificates"`
	Revocations  []Revocation  `json:"revocations"`
	Gaps         []Gap         `json:"gaps"`
	// Findings are about the document as a whole.
	Findings []Finding `json:"findings"`
}

// Document is the file that was read.
type Document struct {
	Name   string `json:"name"`
	Format string `json:"format"` // "CAdES"
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal, of the file as given

	// Encoding is how the message came: "DER" or "BER".
	Encoding string `json:"encoding,omitempty"`
	// Attached says that the content is inside the document.
	Attached bool `json:"attached,omitempty"`
	// ContentType is the object identifier of the content's type, as the
	// document says it outside every signature.
	ContentType string `json:"content_type,omitempty"`
}

// Algorithm is an AlgorithmIdentifier as it was sent, with the name under which
// the table of algorithms knows it.
type Algorithm struct {
	OID        string `json:"oid"`
	Name       string `json:"name"`
	Parameters []byte `json:"parameters,omitempty"`
}

// Finding is something that a reader noticed. Whether it matters is for a
// policy to say.
type Finding struct {
	Code   fault.Code `json:"code"`
	At     string     `json:"at,omitempty"`
	Detail string     `json:"detail,omitempty"`
}

// FindingOf keeps what a classified error says.
func FindingOf(err error) Finding {
	e := fault.Of(err)
	if e == nil {
		return Finding{Code: fault.Internal, Detail: "unclassified"}
	}
	return Finding{Code: e.Code, At: e.At, Detail: e.Detail}
}

// ObjectKind is a kind of thing whose existence at a time can be proven.
type ObjectKind string

// The kinds.
const (
	ContentObject     ObjectKind = "content"     // the signed content; its ID is ContentID
	SignatureObject   ObjectKind = "signature"   // Signature.ID: the value with what it is over
	CertificateObject ObjectKind = "certificate" // Certificate.ID
	RevocationObject  ObjectKind = "revocation"  // Revocation.ID
	TimestampObject   ObjectKind = "timestamp"   // Timestamp.ID
)

// ContentID is the ID of the signed content: a document has one.
const ContentID = "content"

// Object names one thing in these facts.
type Object struct {
	Kind ObjectKind `json:"kind"`
	ID   string     `json:"id"`
}

// Digest is the identity of a raw object.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}
