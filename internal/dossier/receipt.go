package dossier

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
)

// ReceiptType is the "typ" of a receipt.
const ReceiptType = "senim-receipt+jwt"

// receipt is the payload of the JWS that the submitter gets: what was
// accepted, on what grounds, and the digests of the evidence that proves it.
// It names the signer by certificate and organisation, never by IIN, so that
// it can be shown to anybody.
type receipt struct {
	Issuer      string         `json:"iss"`
	ID          uuid.UUID      `json:"jti"`
	IssuedAt    int64          `json:"iat"` // seconds, RFC 7519 NumericDate
	Transaction uuid.UUID      `json:"transaction"`
	Document    uuid.UUID      `json:"document"`
	Reference   string         `json:"reference"`
	Digest      receiptDigest  `json:"digest"`
	Verdict     receiptVerdict `json:"verdict"`
	Signer      receiptSigner  `json:"signer"`
	Timestamp   Timestamp      `json:"timestamp"`
	Evidence    []EvidenceID   `json:"evidence"`
}

type receiptDigest struct {
	Name  string `json:"name"`
	Value string `json:"value"` // hex
}

type receiptVerdict struct {
	Indication string `json:"indication"`
	Level      string `json:"level"`
	Policy     string `json:"policy"`
}

type receiptSigner struct {
	BIN               string `json:"bin"`
	Ground            string `json:"ground"`
	CertificateSHA256 string `json:"certificate_sha256"`
}

// signReceipt signs the receipt of a document with the key in the HSM. It is
// the last step before the record is written: a receipt exists only for what
// was accepted.
func (s *Service) signReceipt(transaction uuid.UUID, d *Document) (string, error) {
	payload, err := json.Marshal(receipt{
		Issuer: s.issuer, ID: d.ID, IssuedAt: d.AcceptedAt.Unix(), Transaction: transaction, Document: d.ID, Reference: d.Reference,
		Digest:    receiptDigest{Name: d.DigestName, Value: d.Digest},
		Verdict:   receiptVerdict{Indication: d.Verdict.Indication, Level: d.Verdict.Level, Policy: d.Verdict.Policy},
		Signer:    receiptSigner{BIN: string(d.Signer.BIN), Ground: d.Authority.Ground, CertificateSHA256: d.Signer.CertificateSHA256},
		Timestamp: d.Timestamp, Evidence: d.Evidence,
	})
	if err != nil {
		return "", fmt.Errorf("encode receipt: %w", err)
	}
	compact, err := s.receipts.Sign(ReceiptType, payload)
	if err != nil {
		return "", fault.Wrap(err, fault.ReceiptKeyUnavailable, "", "sign receipt")
	}
	return compact, nil
}
