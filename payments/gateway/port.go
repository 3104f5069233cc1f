package gateway

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// Port is a payment gateway as package payments sees it.
type Port interface {
	// Name tells gateways apart in the ledger, "pshep". It never changes.
	Name() string
	// Register makes the bill payable. Registering the same order again gives
	// the same registration; a gateway must see to that.
	Register(ctx context.Context, b Bill) (*Registration, error)
	// Open authenticates a message of the gateway and reads the fact in it. A
	// message that is not proven to be the gateway's is refused with
	// fault.CallbackUnauthentic, whatever is wrong with it.
	Open(ctx context.Context, raw []byte) (*Callback, error)
	// Reply writes the answer to an opened message.
	Reply(c *Callback, r Receipt) ([]byte, error)
}

// Bill is what the gateway is told of an order.
type Bill struct {
	Order     uuid.UUID
	Payer     kz.BIN
	Amount    money.Tiyn
	ExpiresAt time.Time // the gateway takes no payment after this
	Lines     []order.Line
}

// BillOf draws up the bill of an order.
func BillOf(o *order.Order) Bill {
	return Bill{Order: o.ID, Payer: o.Payer, Amount: o.Total, ExpiresAt: o.ExpiresAt, Lines: o.Lines}
}

// Registration is the gateway's answer to a bill.
type Registration struct {
	Reference  string // the gateway's own, of the bill
	PaymentURL string // where the payer pays
	// Sent and Received are the messages byte for byte, for the evidence.
	Sent, Received []byte
}

// Fact is what the gateway tells of one payment.
type Fact struct {
	Reference string // the gateway's own: the same payment has the same, for ever
	Order     uuid.UUID
	Payer     kz.BIN
	BankBIC   string
	Amount    money.Tiyn
	PaidAt    time.Time
}

// Receipt is what the gateway is answered: the fact is kept, send it no more.
type Receipt struct {
	Reference  string
	ReceivedAt time.Time
}

// Callback is an authenticated message with its fact.
type Callback struct {
	Fact Fact
	Raw  []byte
	// Message is the adapter's own: what a reply must refer to.
	Message any
}
