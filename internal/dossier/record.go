package dossier

import (
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// State of a transaction, derived from what its record holds.
type State string

// The states, in the order a transaction passes through them.
const (
	StateOpen          State = "open"           // no accepted document yet
	StateSigned        State = "signed"         // a document is accepted
	StateOrdered       State = "ordered"        // a payment order exists
	StatePartiallyPaid State = "partially_paid" // a part of it is posted in the ledger
	StatePaid          State = "paid"           // all of it is
	StateOverpaid      State = "overpaid"       // and the rest stands on the payer's advance
	StateReconciled    State = "reconciled"     // and the treasury's statements show it all
	StateRefunding     State = "refunding"      // some of it is on its way back
	StateRefunded      State = "refunded"       // all of it went back
)

// Transaction is the whole record of one trade transaction, as
// GET /v1/transactions/{id} shows it.
type Transaction struct {
	ID           uuid.UUID  `json:"id"`
	Reference    string     `json:"reference"`
	DeclarantBIN kz.BIN     `json:"declarant_bin"`
	OpenedBy     string     `json:"opened_by"`
	OpenedAt     time.Time  `json:"opened_at"`
	State        State      `json:"state"`
	Documents    []Document `json:"documents"`
	Orders       []Order    `json:"orders"`
	Totals       Totals     `json:"totals"`
	Events       []Event    `json:"events"`
}

// Totals of the transaction in tiyn (1/100 KZT).
type Totals struct {
	Owed       money.Tiyn `json:"owed_tiyn"`
	Paid       money.Tiyn `json:"paid_tiyn"`       // on the lines
	Reconciled money.Tiyn `json:"reconciled_tiyn"` // of that, shown by the treasury's statements
	Tolerated  money.Tiyn `json:"tolerated_tiyn"`  // owed and let go
	Credited   money.Tiyn `json:"credited_tiyn"`   // paid beyond the debt, on the payer's advance
	Refunded   money.Tiyn `json:"refunded_tiyn"`   // of all that, paid back
}

// Document is one accepted signed document: what was signed, by whom, on what
// ground, when, and the evidence kept for it.
type Document struct {
	ID          uuid.UUID    `json:"id"`
	AcceptedAt  time.Time    `json:"accepted_at"`
	Kind        string       `json:"kind"`        // "single_document" (ДЕВИ)
	Reference   string       `json:"reference"`   // the declaration's own number
	DigestName  string       `json:"digest_name"` // "SHA-256"
	Digest      string       `json:"digest"`      // of the signed content, hex
	Size        int          `json:"size_bytes"`
	Verdict     Verdict      `json:"verdict"`
	Signer      Signer       `json:"signer"`
	Authority   Authority    `json:"authority"`
	Timestamp   Timestamp    `json:"timestamp"`
	Evidence    []EvidenceID `json:"evidence"`
	Receipt     string       `json:"receipt"` // compact JWS, verifiable with /.well-known/jwks.json
	SubmittedBy string       `json:"submitted_by"`
}

// Verdict of the verifier, in the words of EN 319 102-1.
type Verdict struct {
	Indication        string    `json:"indication"`
	SubIndication     string    `json:"sub_indication"`
	Level             string    `json:"level"`
	Policy            string    `json:"policy"`
	ClaimedTime       time.Time `json:"claimed_time"`
	BestSignatureTime time.Time `json:"best_signature_time"`
	Warnings          []Reason  `json:"warnings"`
}

// Reason is a stable code with its message in English.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Signer as the certificate names it.
type Signer struct {
	Name              string   `json:"name"`
	IIN               kz.IIN   `json:"iin,omitempty"`
	BIN               kz.BIN   `json:"bin,omitempty"`
	Roles             []string `json:"roles"`
	Serial            string   `json:"serial"`
	CertificateSHA256 string   `json:"certificate_sha256"`
	Issuer            string   `json:"issuer"`
}

// Authority is the ground on which the signer may act for the organisation,
// as the state register answered at AskedAt.
type Authority struct {
	Ground       string    `json:"ground"`
	Organisation string    `json:"organisation"`
	BIN          kz.BIN    `json:"bin"`
	Source       string    `json:"source"`
	AskedAt      time.Time `json:"asked_at"`
}

// Timestamp over the signature value (RFC 3161).
type Timestamp struct {
	Time      time.Time `json:"time"`
	Authority string    `json:"authority"`
	Serial    string    `json:"serial"`
	Policy    string    `json:"policy"`
}

// EvidenceID names one kept object by its SHA-256.
type EvidenceID struct {
	Kind   string `json:"kind"`
	SHA256 string `json:"sha256"`
}

// Order is a payment order of the transaction with its lines.
type Order struct {
	ID           uuid.UUID   `json:"id"`
	Transaction  uuid.UUID   `json:"transaction_id"`
	State        string      `json:"state"`
	CreatedAt    time.Time   `json:"created_at"`
	ExpiresAt    time.Time   `json:"expires_at"`
	DeclarantBIN kz.BIN      `json:"declarant_bin"` // whose debt it is
	PayerBIN     kz.BIN      `json:"payer_bin"`     // the declarant or its broker
	Total        money.Tiyn  `json:"total_tiyn"`
	Owed         money.Tiyn  `json:"owed_tiyn"` // still to be paid
	Paid         money.Tiyn  `json:"paid_tiyn"` // on the lines
	Tolerated    money.Tiyn  `json:"tolerated_tiyn"`
	Credited     money.Tiyn  `json:"credited_tiyn"`  // to the payer's advance
	Refunding    money.Tiyn  `json:"refunding_tiyn"` // on its way back
	Refunded     money.Tiyn  `json:"refunded_tiyn"`
	Gateway      string      `json:"gateway,omitempty"`
	PaymentURL   string      `json:"payment_url,omitempty"`
	Lines        []OrderLine `json:"lines"`
}

// OrderLine is one charge to pay, by budget code (КБК).
type OrderLine struct {
	Identifier  string     `json:"identifier"` // unique payment identifier, found again in the statement
	Kind        string     `json:"kind"`       // EAEU payment kind: 1010 fee, 2010 duty, 5060 VAT
	Name        string     `json:"name"`
	BudgetCode  string     `json:"budget_code"`  // КБК
	PurposeCode string     `json:"purpose_code"` // КНП
	Beneficiary Requisites `json:"beneficiary"`
	Amount      money.Tiyn `json:"amount_tiyn"`
	Paid        money.Tiyn `json:"paid_tiyn"`
	Reconciled  money.Tiyn `json:"reconciled_tiyn"` // of that, shown by the treasury's statements
	Refunded    money.Tiyn `json:"refunded_tiyn"`
	State       string     `json:"state"` // owed, partially_paid, paid, reconciled, refunded
}

// Requisites say where a line is paid to.
type Requisites struct {
	RevenueOffice string `json:"revenue_office"` // УГД
	BIN           kz.BIN `json:"bin"`
	Name          string `json:"name"`
	BIC           string `json:"bic"` // БИК
	IIK           string `json:"iik"` // ИИК
	KBe           string `json:"kbe"` // КБе
}

// Event is one entry of the transaction's timeline.
type Event struct {
	Type string    `json:"type"`
	At   time.Time `json:"at"`
	Data any       `json:"data,omitempty"`
}
