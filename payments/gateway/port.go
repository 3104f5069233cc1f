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
//
// A call that fails with fault.GatewayRefused was refused for good; one that
// fails otherwise may have been carried out, its answer lost: it is repeated,
// and the same request again gives the same result. The messages of a call
// that failed are given by ExchangeOf.
type Port interface {
	// Name tells gateways apart in the ledger, "pshep". It never changes.
	Name() string
	// Register makes the bill payable. Registering the same bill again gives
	// the same registration; a gateway must see to that. A bill with a higher
	// number takes the place of the order's bill before it.
	Register(ctx context.Context, b Bill) (*Registration, error)
	// Status tells what has happened to an order's bill so far.
	Status(ctx context.Context, order uuid.UUID) (*Answer, error)
	// Refund orders that captured money goes back. The gateway carries out one
	// refund per ID, and tells of it by a fact, at once or later.
	Refund(ctx context.Context, r RefundOrder) (*Answer, error)
	// Cancel withdraws the bill of an order: it can no longer be paid, and
	// money that is held for it is let go. A bill that is paid is refused.
	Cancel(ctx context.Context, order uuid.UUID) (*Answer, error)
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
	Number    int // which of the order's bills it is, from 1: an order is presented again after it expired, or for the rest
	Payer     kz.BIN
	Amount    money.Tiyn // of the order
	Owed      money.Tiyn // of that, not yet paid: what the payer is asked for
	ExpiresAt time.Time  // the gateway takes no payment after this
	Lines     []order.Line
}

// BillOf draws up the next bill of an order.
func BillOf(o *order.Order) Bill {
	return Bill{Order: o.ID, Number: o.Presentations + 1, Payer: o.Payer, Amount: o.Total, Owed: o.Owed(), ExpiresAt: o.ExpiresAt, Lines: o.Lines}
}

// Registration is the gateway's answer to a bill.
type Registration struct {
	Reference  string // the gateway's own, of the bill
	PaymentURL string // where the payer pays
	Exchange
}

// RefundOrder asks that money of a captured payment goes back to its payer.
type RefundOrder struct {
	ID      uuid.UUID // ours: asked twice, it is carried out once
	Order   uuid.UUID
	Payment string // the reference of the captured fact
	Amount  money.Tiyn
}

// Answer is what a gateway answered to a request, with the facts that it told
// of in it: each is known by its reference, however often it is told.
type Answer struct {
	Facts []Fact
	Exchange
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
	// Asked is what the adapter asked the gateway before it believed the
	// message, where the message alone proves nothing; kept beside Raw.
	Asked Exchange
	// Message is the adapter's own: what a reply must refer to.
	Message any
}
