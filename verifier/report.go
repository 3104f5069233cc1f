package verifier

import (
	"encoding/json"
	"io"

	"github.com/senim-kz/senim/internal/fault"
)

// Indication is the verdict of a validation or of one building block
// (EN 319 102-1 §5.1.3).
type Indication string

// Indications of signatures, and of blocks and time-stamps.
const (
	TotalPassed   Indication = "TOTAL-PASSED"
	TotalFailed   Indication = "TOTAL-FAILED"
	Indeterminate Indication = "INDETERMINATE"
	Passed        Indication = "PASSED"
	Failed        Indication = "FAILED"
)

// SubIndication is the standard's reason for an indication, verbatim.
type SubIndication string

// The sub-indications of EN 319 102-1 §5.1.3, table 5 and 6: first the six of
// TOTAL-FAILED, then those of INDETERMINATE.
const (
	FormatFailure    SubIndication = "FORMAT_FAILURE"
	HashFailure      SubIndication = "HASH_FAILURE"
	SigCryptoFailure SubIndication = "SIG_CRYPTO_FAILURE"
	RevokedFailure   SubIndication = "REVOKED"
	Expired          SubIndication = "EXPIRED"
	NotYetValid      SubIndication = "NOT_YET_VALID"

	SigConstraintsFailure    SubIndication = "SIG_CONSTRAINTS_FAILURE"
	ChainConstraintsFailure  SubIndication = "CHAIN_CONSTRAINTS_FAILURE"
	CertificateChainFailure  SubIndication = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
	CryptoConstraintsFailure SubIndication = "CRYPTO_CONSTRAINTS_FAILURE"
	PolicyProcessingError    SubIndication = "POLICY_PROCESSING_ERROR"
	PolicyNotAvailable       SubIndication = "SIGNATURE_POLICY_NOT_AVAILABLE"
	TimestampOrderFailure    SubIndication = "TIMESTAMP_ORDER_FAILURE"
	NoSigningCertificate     SubIndication = "NO_SIGNING_CERTIFICATE_FOUND"
	NoCertificateChain       SubIndication = "NO_CERTIFICATE_CHAIN_FOUND"
	NoCertificateChainNoPOE  SubIndication = "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
	RevokedNoPOE             SubIndication = "REVOKED_NO_POE"
	RevokedCANoPOE           SubIndication = "REVOKED_CA_NO_POE"
	OutOfBoundsNotRevoked    SubIndication = "OUT_OF_BOUNDS_NOT_REVOKED"
	OutOfBoundsNoPOE         SubIndication = "OUT_OF_BOUNDS_NO_POE"
	RevocationOutOfBounds    SubIndication = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
	CryptoConstraintsNoPOE   SubIndication = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
	NoPOE                    SubIndication = "NO_POE"
	TryLater                 SubIndication = "TRY_LATER"
	SignedDataNotFound       SubIndication = "SIGNED_DATA_NOT_FOUND"
)

// Report is the verdict on one document. It marshals as the object that
// `senim verify --json` prints; its keys are a public interface. The same
// facts, policy, anchors and time give the same report, byte for byte.
type Report struct {
	File           string            `json:"file"`
	Format         string            `json:"format"`
	Indication     Indication        `json:"indication"`
	SubIndication  SubIndication     `json:"sub_indication"`
	Policy         string            `json:"policy"`
	ValidationTime string            `json:"validation_time"`
	SHA256         string            `json:"sha256"` // of the file
	Bytes          int64             `json:"bytes"`  // of the file
	Signatures     []SignatureReport `json:"signatures"`

	// Objects are the raw objects that the verdict rests on, each once: what the
	// evidence of the signatures names.
	Objects []ObjectReport `json:"objects"`
}

// SignatureReport is the verdict on one signature.
type SignatureReport struct {
	ID            string        `json:"id"`
	At            string        `json:"at"` // where in the document
	Indication    Indication    `json:"indication"`
	SubIndication SubIndication `json:"sub_indication"`
	Level         string        `json:"level"` // "CMS", "B", "T", "LT" or "LTA"

	Signer     SignerReport    `json:"signer"`
	Algorithms Algorithms      `json:"algorithms"`
	Covers     []CoveredReport `json:"covers"`

	ClaimedTime       string `json:"claimed_time"`        // "" if none is claimed
	BestSignatureTime string `json:"best_signature_time"` // the earliest proven one; else the validation time

	Timestamps []TimestampReport `json:"timestamps"`
	Path       []string          `json:"path"`     // subjects, leaf first; empty if none was found
	Chain      []string          `json:"chain"`    // the same certificates by their IDs
	Evidence   []string          `json:"evidence"` // SHA-256 of each raw object that the verdict rests on
	Errors     []Message         `json:"errors"`
	Warnings   []Message         `json:"warnings"`

	Constraints []Constraint `json:"constraints"`

	// CounterSignatures are over this signature's value. Their verdicts are
	// their own.
	CounterSignatures []SignatureReport `json:"counter_signatures,omitempty"`

	// ToBeSigned is the digest that the signature value is over, and Value the
	// value: what tells this signature from every other.
	ToBeSigned Digested `json:"to_be_signed"`
	Value      []byte   `json:"value"`
}

// SignerReport is what the signing certificate says. It is empty if there is
// none. The IIN is whole here: mask it with kz.IIN wherever it is not the
// asker's own business.
type SignerReport struct {
	Subject      string   `json:"subject"`
	CommonName   string   `json:"common_name"`
	IIN          string   `json:"iin"`
	BIN          string   `json:"bin"`
	Roles        []string `json:"roles"`
	Serial       string   `json:"serial"`
	Issuer       string   `json:"issuer"`
	Organization string   `json:"organization"`
	IssuerName   string   `json:"issuer_name"` // its common name
	NotBefore    string   `json:"not_before"`
	NotAfter     string   `json:"not_after"`
	Certificate  string   `json:"certificate"` // SHA-256, hexadecimal: its ID in the facts
}

// Algorithms are named as the table of algorithms names them.
type Algorithms struct {
	Digest    string `json:"digest"`
	Signature string `json:"signature"`
}

// CoveredReport is one thing that a signature covers.
type CoveredReport struct {
	Name   string   `json:"name"` // "content"; "signature" for a counter-signature
	Bytes  int64    `json:"bytes"`
	Digest Digested `json:"digest"` // as computed; without a value if it could not be
	Found  bool     `json:"found"`
	Intact bool     `json:"intact"`
}

// Digested is a digest with the name of its algorithm.
type Digested struct {
	Algorithm string `json:"algorithm"`
	Value     []byte `json:"value"`
}

// TimestampReport is the verdict on one time-stamp token.
type TimestampReport struct {
	ID            string        `json:"id"`
	Kind          string        `json:"kind"`
	Time          string        `json:"time"`
	Indication    Indication    `json:"indication"`
	SubIndication SubIndication `json:"sub_indication"`
	Authority     string        `json:"authority"`      // subject of the TSA's certificate
	AuthorityName string        `json:"authority_name"` // its common name
	Token         string        `json:"token"`          // SHA-256 of the token, hexadecimal
	Policy        string        `json:"policy"`         // object identifier of the authority's policy
	Covers        []string      `json:"covers"`         // what the imprint is over, by kind and ID
	Constraints   []Constraint  `json:"constraints"`
}

// ObjectReport is one raw object that the verdict rests on.
type ObjectReport struct {
	ID      string   `json:"id"`   // SHA-256, hexadecimal
	Kind    string   `json:"kind"` // "certificate", "ocsp", "crl" or "timestamp"
	Bytes   int      `json:"bytes"`
	Origins []string `json:"origins"`          // where it was found
	Source  string   `json:"source,omitempty"` // the address that it was fetched from
	Fetched string   `json:"fetched,omitempty"`
}

// Message is one reason, for people and, by its code, for programs.
type Message struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
	At      string     `json:"at,omitempty"`
	Detail  string     `json:"detail,omitempty"`
}

// Status of a constraint.
type Status string

// The statuses.
const (
	StatusPassed        Status = "PASSED"
	StatusFailed        Status = "FAILED"
	StatusIndeterminate Status = "INDETERMINATE"
	StatusWarning       Status = "WARNING"
	StatusInformation   Status = "INFORMATION" // does not hold, and the policy only wants to know
	StatusNotRun        Status = "NOT_RUN"     // an earlier block decided
)

// Constraint is one named rule with its outcome; the building blocks hold the
// rules that they are made of.
type Constraint struct {
	Name          string        `json:"name"`
	Status        Status        `json:"status"`
	SubIndication SubIndication `json:"sub_indication,omitempty"`
	Detail        string        `json:"detail,omitempty"`
	Constraints   []Constraint  `json:"constraints,omitempty"`
}

// In gives the report with its messages in a language.
func (r *Report) In(l fault.Language) *Report {
	out := *r
	out.Signatures = signaturesIn(r.Signatures, l)
	return &out
}

func signaturesIn(in []SignatureReport, l fault.Language) []SignatureReport {
	if in == nil {
		return nil
	}
	out := make([]SignatureReport, len(in))
	for i, s := range in {
		s.Errors, s.Warnings = messagesIn(s.Errors, l), messagesIn(s.Warnings, l)
		s.CounterSignatures = signaturesIn(s.CounterSignatures, l)
		out[i] = s
	}
	return out
}

func messagesIn(in []Message, l fault.Language) []Message {
	out := make([]Message, len(in))
	for i, m := range in {
		m.Message = m.Code.Message(l)
		out[i] = m
	}
	return out
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
