package facts

import (
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Signature is one signature with its cryptographic outcomes: one of the
// document's, a counter-signature, or the one of a time-stamp token.
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

	ClaimedTime *time.Time `json:"claimed_time,omitempty"`
	// Policy is the signature policy that the signer names.
	Policy *SignaturePolicy `json:"policy,omitempty"`

	// Timestamps are the tokens of this signature in the order of the
	// attributes that carry them; the tokens over the content are among them.
	Timestamps []Timestamp `json:"timestamps"`
	// CounterSignatures are over the value of this signature.
	CounterSignatures []Signature `json:"counter_signatures,omitempty"`

	// CertificateValues and RevocationValues are the IDs of what the attributes
	// of those names hold.
	CertificateValues []string `json:"certificate_values,omitempty"`
	RevocationValues  []string `json:"revocation_values,omitempty"`
	// CompleteReferences are those of complete-certificate-references and
	// complete-revocation-references (EN 319 122-1 annex A).
	CompleteReferences []CompleteReference `json:"complete_references,omitempty"`

	// Defects break the format's own rules.
	Defects []Finding `json:"defects"`
	// Findings are what else was noticed: an unsigned attribute that cannot be
	// read, a duplicate that should be alone. The signature stands without it.
	Findings []Finding `json:"findings,omitempty"`
	// ReferenceDefect says why a signing-certificate attribute cannot be used.
	ReferenceDefect *Finding `json:"reference_defect,omitempty"`
}

// Covered is one thing that a signature protects.
type Covered struct {
	Name      string     `json:"name"` // "content", or "signature" for a counter-signature
	Algorithm string     `json:"algorithm"`
	Bytes     int64      `json:"bytes"`
	Declared  []byte     `json:"declared,omitempty"` // the digest inside the signature; empty if the value is over the content itself
	Computed  []byte     `json:"computed,omitempty"` // empty if it could not be
	Found     bool       `json:"found"`              // the bytes, or a digest of them, are there
	Intact    bool       `json:"intact"`             // the digests are equal, or there is none to compare
	Code      fault.Code `json:"code,omitempty"`     // why no digest could be computed
}

// Attribute is one attribute with raw values. Where other facts hold what the
// values say, the values are not repeated.
type Attribute struct {
	OID    string   `json:"oid"`
	Values [][]byte `json:"values,omitempty"`
	// Objects are the facts that were made of the values.
	Objects []Object `json:"objects,omitempty"`
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

// SignaturePolicy is a signature-policy-identifier (EN 319 122-1 §5.2.9).
type SignaturePolicy struct {
	Implied   bool      `json:"implied,omitempty"`
	OID       string    `json:"oid,omitempty"`
	Algorithm Algorithm `json:"algorithm,omitzero"`
	Hash      []byte    `json:"hash,omitempty"`
	URI       string    `json:"uri,omitempty"` // where the signer says that it can be got
	Defect    *Finding  `json:"defect,omitempty"`
}

// CompleteReference is a reference by digest to a certificate, CRL or OCSP
// answer that the validation rested on.
type CompleteReference struct {
	Kind      ObjectKind `json:"kind"`
	Algorithm string     `json:"algorithm"`
	Hash      []byte     `json:"hash,omitempty"`
	Object    string     `json:"object,omitempty"` // the ID of what it names; empty if that is not here
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
