package access

import (
	"log/slog"
	"slices"

	"github.com/senim-kz/senim/internal/kz"
)

// Role is what a caller is to the single window.
type Role string

// The roles.
const (
	SingleWindow       Role = "single_window"       // the single window's own systems
	Ministry           Role = "ministry"            // a ministry's system
	Trader             Role = "trader"              // a declarant, or the declarant's system
	TreasuryOperator   Role = "treasury_operator"   // brings statements in and reconciles
	TreasuryController Role = "treasury_controller" // reconciles; brings no statement in
	PaymentGateway     Role = "payment_gateway"     // a gateway's system, which tells of payments
	Support            Role = "support"             // the support desk
	Auditor            Role = "auditor"             // reads, changes nothing
)

// Roles lists every role.
func Roles() []Role {
	return []Role{SingleWindow, Ministry, Trader, TreasuryOperator, TreasuryController, PaymentGateway, Support, Auditor}
}

// Scope is a right that a client is granted, and that a token may be narrowed
// to (RFC 6749 §3.3).
type Scope string

// The scopes.
const (
	SignaturesRead       Scope = "signatures.read"
	SignaturesWrite      Scope = "signatures.write"
	TransactionsRead     Scope = "transactions.read"
	TransactionsWrite    Scope = "transactions.write"
	DocumentsWrite       Scope = "documents.write"
	ChargesRead          Scope = "charges.read"
	ChargesWrite         Scope = "charges.write"
	OrdersRead           Scope = "orders.read"
	OrdersWrite          Scope = "orders.write"
	MandatesRead         Scope = "mandates.read"
	MandatesWrite        Scope = "mandates.write"
	RefundsRead          Scope = "refunds.read"
	RefundsWrite         Scope = "refunds.write"
	RefundsApprove       Scope = "refunds.approve"
	PaymentsWrite        Scope = "payments.write"
	StatementsWrite      Scope = "statements.write"
	ReconciliationsRead  Scope = "reconciliations.read"
	ReconciliationsWrite Scope = "reconciliations.write"
	// ReconciliationsApprove is the second person's: days and resolutions.
	ReconciliationsApprove Scope = "reconciliations.approve"
	ReportsRead            Scope = "reports.read"
	WebhooksRead           Scope = "webhooks.read"
	WebhooksWrite          Scope = "webhooks.write"
	MetricsRead            Scope = "metrics.read"
)

// Kind tells a system from a person.
type Kind string

// The kinds of caller.
const (
	System Kind = "system"
	Person Kind = "person"
)

// Caller is who makes a request, as proved by its credentials.
type Caller struct {
	// ID is stable over sessions and key changes: the client's identifier,
	// or "person:" and a random UUID. It carries no personal data.
	ID     string
	Kind   Kind
	Role   Role
	Scopes []Scope
	// BIN and IIN are whom the caller acts for: those of the certificate a
	// person signed in with, or those a client was registered for.
	BIN kz.BIN
	IIN kz.IIN
}

// Has reports whether the caller holds the scope.
func (c Caller) Has(s Scope) bool { return slices.Contains(c.Scopes, s) }

// LogValue keeps personal data out of logs.
func (c Caller) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", c.ID), slog.String("role", string(c.Role)))
}
