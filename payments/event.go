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
	EventCreated    = "order.created"
	EventPresented  = "order.presented"
	EventExpired    = "order.expired"
	EventCancelled  = "order.cancelled"
	EventReceived   = "payment.received"  // the gateway told of a payment
	EventPosted     = "payment.posted"    // it stands in the ledger
	EventException  = "payment.exception" // it does not fit the order and is not posted
	EventReconciled = reconcile.EventReconciled
)

// Created is the data of order.created.
type Created struct {
	Order     uuid.UUID     `json:"order_id"`
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
	c := Created{Order: o.ID, Payer: o.Payer, Amount: o.Total, ExpiresAt: o.ExpiresAt}
	for _, l := range o.Lines {
		c.Lines = append(c.Lines, CreatedLine{l.Identifier, l.Kind, l.BudgetCode, l.Amount})
	}
	return c
}

// Presented is the data of order.presented.
type Presented struct {
	Order      uuid.UUID `json:"order_id"`
	Reference  string    `json:"reference"` // the gateway's
	PaymentURL string    `json:"payment_url"`
}

// Ended is the data of order.expired and order.cancelled.
type Ended struct {
	Order uuid.UUID `json:"order_id"`
}

// Payment is the data of payment.received, payment.posted and
// payment.exception.
type Payment struct {
	Order     uuid.UUID  `json:"order_id"`
	Gateway   string     `json:"gateway"`
	Reference string     `json:"reference"` // the gateway's, of the payment
	Amount    money.Tiyn `json:"amount_tiyn"`
	BankBIC   string     `json:"bank_bic"`
	PaidAt    time.Time  `json:"paid_at"`
	Reason    fault.Code `json:"reason,omitempty"` // of an exception
}
