package gateway

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// FactKind is what a fact says has happened.
type FactKind string

// The kinds of facts.
const (
	Pending    FactKind = "pending"    // the payer has begun; nothing has moved
	Authorised FactKind = "authorised" // the money is held at the bank, which is not money received
	Captured   FactKind = "captured"   // the payment is executed: money
	Failed     FactKind = "failed"     // an attempt to pay, or a hold, has ended without money
	Reversed   FactKind = "reversed"   // captured money was taken back; Original is its payment
	Refunded   FactKind = "refunded"   // a refund of ours was executed; Original is the refund's id
	// RefundFailed: a refund of ours will not be executed; Original is its id.
	RefundFailed FactKind = "refund_failed"
)

// Kinds are all kinds of facts.
func Kinds() []FactKind {
	return []FactKind{Pending, Authorised, Captured, Failed, Reversed, Refunded, RefundFailed}
}

// Known reports whether the kind is one of Kinds.
func (k FactKind) Known() bool { return slices.Contains(Kinds(), k) }

// Refers reports whether a fact of the kind must say what it refers to.
func (k FactKind) Refers() bool { return k == Reversed || k == Refunded || k == RefundFailed }

// Fact is one thing that a gateway tells has happened.
type Fact struct {
	Kind FactKind
	// Reference is the gateway's own, of this fact and not of the payment: no
	// two facts of a gateway share one, whatever their kinds, and the same fact
	// told again has the same, for ever.
	Reference string
	// Original is what the fact refers to: the reference of the captured fact
	// that is reversed, or the id of our refund. Where a hold was captured or
	// has failed, it is the reference of the authorised fact. Else empty.
	Original string
	Order    uuid.UUID
	Payer    kz.BIN // empty where the gateway does not tell, as of a card
	BankBIC  string
	Amount   money.Tiyn // positive in every kind
	PaidAt   time.Time  // when it happened at the bank
}
