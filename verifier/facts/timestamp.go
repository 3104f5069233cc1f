package facts

import (
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// TimestampKind says what a token is over.
type TimestampKind string

// The kinds, by the attribute that carries the token.
const (
	ContentTimestamp    TimestampKind = "content"              // content-time-stamp, signed: the content (EN 319 122-1 §5.2.8)
	SignatureTimestamp  TimestampKind = "signature"            // signature-time-stamp: the signature value (§5.3)
	CAdESCTimestamp     TimestampKind = "cades_c"              // CAdES-C-time-stamp: the value, its time-stamps and the complete references (§A.1.5.2)
	ReferencesTimestamp TimestampKind = "references"           // time-stamped-certs-crls-references: the complete references (§A.1.5.1)
	ArchiveTimestampV1  TimestampKind = "archive_v1"           // RFC 3126, long deprecated: read, its imprint is not computed
	ArchiveTimestampV2  TimestampKind = "archive_v2"           // archive-time-stamp-v2 (TS 101 733 §6.4.1)
	ArchiveTimestampV3  TimestampKind = "archive"              // archive-time-stamp-v3 (EN 319 122-1 §5.5.3)
	LongTermValidation  TimestampKind = "long_term_validation" // TS 101 733 v1.8.3 §6.4.4: read, its imprint is not computed
)

// IsArchive reports whether a token of the kind is an archive time-stamp: one
// that protects the signature together with its validation data.
func (k TimestampKind) IsArchive() bool {
	switch k {
	case ArchiveTimestampV1, ArchiveTimestampV2, ArchiveTimestampV3, LongTermValidation:
		return true
	}
	return false
}

// Timestamp is one RFC 3161 token.
type Timestamp struct {
	ID   string        `json:"id"` // "T-" and a digest of the token
	At   string        `json:"at"` // where in the document
	Kind TimestampKind `json:"kind"`
	Raw  []byte        `json:"raw"`

	Time            *time.Time `json:"time,omitempty"` // genTime; absent if the token is unreadable
	Policy          string     `json:"policy,omitempty"`
	ImprintName     string     `json:"imprint_algorithm,omitempty"`
	ImprintDeclared []byte     `json:"imprint_declared,omitempty"`
	ImprintComputed []byte     `json:"imprint_computed,omitempty"` // empty if it could not be: ImprintCode says why
	ImprintCode     fault.Code `json:"imprint_code,omitempty"`
	ImprintIntact   bool       `json:"imprint_intact"`

	// Covers are the objects that the imprint is over, directly or by the
	// digests of an index: those whose existence the token proves if it holds.
	// Empty if the imprint is not intact.
	Covers []Object `json:"covers"`
	// HashIndex is what an archive-time-stamp-v3 lists.
	HashIndex *HashIndex `json:"hash_index,omitempty"`

	// AuthorityDiffers says that the token names another authority than the one
	// that signed it.
	AuthorityDiffers bool `json:"authority_differs,omitempty"`

	// Token is the token's own signature.
	Token *Signature `json:"token,omitempty"`
	// Defects make the token unusable.
	Defects []Finding `json:"defects"`
	// Findings are what else was noticed.
	Findings []Finding `json:"findings,omitempty"`
}

// HashIndex is the outcome of an ats-hash-index (EN 319 122-1 §5.5.2): which of
// the digests it lists are those of something here. A digest of nothing here
// means that something was taken out or changed after the time-stamp, and the
// attribute is invalid; a part that no digest lists came later and is not
// covered.
type HashIndex struct {
	Version   int    `json:"version"` // 3 by EN 319 122-1, 1 by TS 101 733
	Algorithm string `json:"algorithm"`

	Certificates       IndexPart `json:"certificates"`
	Revocations        IndexPart `json:"revocations"`
	UnsignedAttributes IndexPart `json:"unsigned_attributes"`
}

// IndexPart counts one of the three lists of an index.
type IndexPart struct {
	Listed  int `json:"listed"`  // digests in the index
	Unknown int `json:"unknown"` // of those, digests of nothing here
	Later   int `json:"later"`   // parts here that the index does not list
}

// Complete reports whether everything that the index lists is here.
func (h HashIndex) Complete() bool {
	return h.Certificates.Unknown == 0 && h.Revocations.Unknown == 0 && h.UnsignedAttributes.Unknown == 0
}
