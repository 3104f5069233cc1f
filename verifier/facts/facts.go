package facts

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Version of the serialised model. A reader refuses any other.
const Version = 1

// Facts are what was found in one document and gathered around it.
type Facts struct {
	Version      int           `json:"version"`
	Document     Document      `json:"document"`
	Signatures   []Signature   `json:"signatures"`
	Certificates []Certificate `json:"certificates"`
	Revocations  []Revocation  `json:"revocations"`
	Gaps         []Gap         `json:"gaps"`
}

// Document is the file that was read.
type Document struct {
	Name   string `json:"name"`
	Format string `json:"format"` // "CAdES"
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal, of the file as given
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

// Signature is one signature with its cryptographic outcomes.
type Signature struct {
	ID string `json:"id"` // "S-" and a digest of the value: the same in every run
	At string `json:"at"` // where in the document

	DigestAlgorithm    Algorithm `json:"digest_algorithm"`
	SignatureAlgorithm Algorithm `json:"signature_algorithm"`
	Value              []byte    `json:"value"`

	// Covers lists everything the signature protects, and whether it is there
	// and intact.
	Covers []Covered `json:"covers"`

	// SignedBytes are what the value is over: the signed attributes as a SET
	// OF. Empty if it is over the content itself.
	SignedBytes        []byte      `json:"signed_bytes,omitempty"`
	SignedAttributes   []Attribute `json:"signed_attributes"`
	UnsignedAttributes []Attribute `json:"unsigned_attributes"`

	Signer     SignerIdentifier `json:"signer"`
	References [][]Reference    `json:"references"` // one list per signing-certificate attribute
	Candidates []Candidate      `json:"candidates"`

	ClaimedTime *time.Time  `json:"claimed_time,omitempty"`
	Timestamps  []Timestamp `json:"timestamps"`

	// Defects break the format's own rules.
	Defects []Finding `json:"defects"`
	// ReferenceDefect says why a signing-certificate attribute cannot be used.
	ReferenceDefect *Finding `json:"reference_defect,omitempty"`
}

// Covered is one thing that a signature protects.
type Covered struct {
	Name      string     `json:"name"` // "content"
	Algorithm string     `json:"algorithm"`
	Bytes     int64      `json:"bytes"`
	Declared  []byte     `json:"declared,omitempty"` // the digest inside the signature; empty if the value is over the content itself
	Computed  []byte     `json:"computed,omitempty"` // empty if it could not be
	Found     bool       `json:"found"`              // the bytes are there
	Intact    bool       `json:"intact"`             // the digests are equal, or there is none to compare
	Code      fault.Code `json:"code,omitempty"`     // why no digest could be computed
}

// Attribute is one attribute with raw values.
type Attribute struct {
	OID    string   `json:"oid"`
	Values [][]byte `json:"values"`
}

// SignerIdentifier is what the format's own, unprotected naming of the signer
// says.
type SignerIdentifier struct {
	RawIssuer    []byte `json:"issuer,omitempty"`
	Serial       string `json:"serial,omitempty"` // hexadecimal
	SubjectKeyID []byte `json:"subject_key_id,omitempty"`
}

// Reference is one protected reference to a certificate.
type Reference struct {
	Version   int       `json:"version"`
	Algorithm Algorithm `json:"algorithm"`
	Hash      []byte    `json:"hash"`
}

// Candidate is a certificate that could be the signer's, with the outcome of
// the signature value under its key.
type Candidate struct {
	Certificate string `json:"certificate"` // its ID

	Named              bool `json:"named"`                // the format's signer identifier names it
	Referenced         bool `json:"referenced"`           // every protected reference's digest is its digest
	IssuerSerialDiffer bool `json:"issuer_serial_differ"` // a protected reference has its digest and another issuer or serial number

	Verified bool       `json:"verified"`
	Form     string     `json:"form,omitempty"` // over which bytes the value holds
	Code     fault.Code `json:"code,omitempty"` // why it does not
}

// TimestampKind says what a token is over.
type TimestampKind string

// SignatureTimestamp is over the signature value.
const SignatureTimestamp TimestampKind = "signature"

// Timestamp is one RFC 3161 token.
type Timestamp struct {
	ID   string        `json:"id"` // "T-" and a digest of the token
	Kind TimestampKind `json:"kind"`
	Raw  []byte        `json:"raw"`

	Time            *time.Time `json:"time,omitempty"` // genTime; absent if the token is unreadable
	Policy          string     `json:"policy,omitempty"`
	ImprintName     string     `json:"imprint_algorithm,omitempty"`
	ImprintDeclared []byte     `json:"imprint_declared,omitempty"`
	ImprintComputed []byte     `json:"imprint_computed,omitempty"`
	ImprintIntact   bool       `json:"imprint_intact"`

	// AuthorityDiffers says that the token names another authority than the one
	// that signed it.
	AuthorityDiffers bool `json:"authority_differs,omitempty"`

	// Token is the token's own signature.
	Token *Signature `json:"token,omitempty"`
	// Defects make the token unusable.
	Defects []Finding `json:"defects"`
}

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

// Revocation is one OCSP answer or CRL.
type Revocation struct {
	ID      string         `json:"id"` // SHA-256 of Raw, hexadecimal
	Kind    RevocationKind `json:"kind"`
	Origin  string         `json:"origin"` // "message", "given" or "fetched"
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

// Origins of objects.
const (
	FromMessage   = "message"
	FromTimestamp = "timestamp"
	FromGiven     = "given"
	FromFetched   = "fetched"
)

// Digest is the identity of a raw object.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// AddCertificate keeps a certificate once, and every place it came from.
func (f *Facts) AddCertificate(raw []byte, origin string) string {
	id := Digest(raw)
	for i := range f.Certificates {
		c := &f.Certificates[i]
		if c.ID != id {
			continue
		}
		for _, known := range c.Origins {
			if known == origin {
				return id
			}
		}
		c.Origins = append(c.Origins, origin)
		return id
	}
	f.Certificates = append(f.Certificates, Certificate{ID: id, Origins: []string{origin}, Raw: raw})
	return id
}

// Certificate gives the raw certificate of an ID, nil if there is none.
func (f *Facts) Certificate(id string) []byte {
	for _, c := range f.Certificates {
		if c.ID == id {
			return c.Raw
		}
	}
	return nil
}

// AddRevocation keeps an answer once; its first origin stays.
func (f *Facts) AddRevocation(r Revocation) {
	r.ID = Digest(r.Raw)
	for _, known := range f.Revocations {
		if known.ID == r.ID {
			return
		}
	}
	f.Revocations = append(f.Revocations, r)
}
