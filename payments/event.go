package payments

import (
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
)

// The events of a transaction's payments, in the order in which they come.
const (
	EventCreated   = "order.created"
	EventPresented = "order.presented"
	EventExpired   = "order.expired"
	EventCancelled = "order.cancelled"

	EventPending    = "payment.pending"    // the payer has begun
	EventAuthorised = "payment.authorised" // the payer's bank holds the money
	EventPosted     = "payment.posted"     // the money is put on the order, and stands in the ledger
	EventFailed     = "payment.failed"     // an attempt to pay came to nothing
	EventReversed   = "payment.reversed"   // a payment was taken back
	EventException  = "payment.exception"  // a person decides; money, if it is any, stands in suspense

	EventReconciled = reconcile.EventReconciled

	EventAdvanceUsed    = "order.advance_used" // the payer's advance was put on it
	EventRefundAsked    = "refund.asked"
	EventRefundApproved = "refund.approved"
	EventRefundRejected = "refund.rejected"
	EventRefunded       = "refund.executed" // the gateway told that it was paid
	EventRefundFailed   = "refund.failed"   // the gateway will not pay it: a person must see to it
)

// Created is the data of order.created.
type Created struct {
	Order     uuid.UUID     `json:"order_id"`
	Declarant kz.BIN        `json:"declarant_bin"`
	Payer     kz.BIN        `json:"payer_bin"`
	Amount    money.Tiyn    `json:"amount_tiyn"`
	ExpiresAt time.Time     `json:"expires_at"`
	Lines     []CreatedLine `json:"lines"`
}

// CreatedLine is one line of the order.
type CreatedLine struct {
	Identifier order.Identifier  `json:"identifier"`
	Kind       charge.Kind       `json:"kind"`
	BudgetCode charge.BudgetCode `json:"budget_code"`
	Amount     money.Tiyn        `json:"amount_tiyn"`
}

func created(o *order.Order) Created {
	c := Created{Order: o.ID, Declarant: o.Declarant, Payer: o.Payer, Amount: o.Total, ExpiresAt: o.ExpiresAt}
	for _, l := range o.Lines {
		c.Lines = append(c.Lines, CreatedLine{l.Identifier, l.Kind, l.BudgetCode, l.Amount})
	}
	return c
}

// Presented is the data of order.presented.
type Presented struct {
	Order      uuid.UUID  `json:"order_id"`
	Number     int        `json:"number"`    // of the order's bills
	Reference  string     `json:"reference"` // the gateway's, of the bill
	PaymentURL string     `json:"payment_url"`
	Owed       money.Tiyn `json:"owed_tiyn"`
	ExpiresAt  time.Time  `json:"expires_at"`
}

// Ended is the data of order.expired and order.cancelled.
type Ended struct {
	Order uuid.UUID `json:"order_id"`
}

// Payment is the data of the events of payments and of refunds' ends.
type Payment struct {
	Order      uuid.UUID   `json:"order_id"`
	Gateway    string      `json:"gateway"`
	Reference  string      `json:"reference"`          // the gateway's, of the fact
	Original   string      `json:"original,omitempty"` // what the fact refers to
	Amount     money.Tiyn  `json:"amount_tiyn"`
	BankBIC    string      `json:"bank_bic,omitempty"`
	PaidAt     time.Time   `json:"paid_at"`
	OrderState order.State `json:"order_state"`
	Reason     fault.Code  `json:"reason,omitempty"` // of an exception
}

// AdvanceUsed is the data of order.advance_used.
type AdvanceUsed struct {
	Order  uuid.UUID   `json:"order_id"`
	Use    uuid.UUID   `json:"use_id"`
	Amount money.Tiyn  `json:"amount_tiyn"`
	State  order.State `json:"state"` // of the order, after it
}

// Refund is the data of the events of a refund.
type Refund struct {
	Order   uuid.UUID         `json:"order_id"`
	Refund  uuid.UUID         `json:"refund_id"`
	State   order.RefundState `json:"state"`
	Gateway string            `json:"gateway"`
	Payment string            `json:"payment"` // the reference of the payment that goes back
	Amount  money.Tiyn        `json:"amount_tiyn"`
	Credit  money.Tiyn        `json:"credit_tiyn"` // of it from the payer's advance
	Due     kz.Day            `json:"due"`
	By      string            `json:"by,omitempty"`     // who asked or decided
	Reason  fault.Code        `json:"reason,omitempty"` // of a failure
}

func refundOf(r *order.Refund, by string) Refund {
	return Refund{
		Order: r.Order, Refund: r.ID, State: r.State, Gateway: r.Gateway, Payment: r.Payment,
		Amount: r.Amount, Credit: r.Credit, Due: r.Due, By: by, Reason: r.Failure,
	}
}
