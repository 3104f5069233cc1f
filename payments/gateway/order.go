package gateway

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// What only some gateways can do; package payments refuses with
// fault.NotAvailable what the order's gateway cannot.

// Capturer takes money that is held.
type Capturer interface {
	Capture(ctx context.Context, c CaptureOrder) (*Answer, error)
}

// CaptureOrder asks for held money, or a part of it: what is left is let go.
type CaptureOrder struct {
	Order         uuid.UUID
	Authorisation string // the reference of the authorised fact
	Amount        money.Tiyn
}

// QRIssuer makes a code that the payer scans. The same ID again gives the same
// code.
type QRIssuer interface {
	IssueQR(ctx context.Context, r QRRequest) (*QR, error)
}

// QRRequest asks for a code.
type QRRequest struct {
	ID        uuid.UUID
	Order     uuid.UUID
	Amount    money.Tiyn
	ExpiresAt time.Time // the gateway takes no scan after this
}

// QR is a code.
type QR struct {
	Payload string // to be drawn
	Exchange
}

// Debtor takes money from the account of a payer who has given a mandate. One
// debit is carried out per ID; its facts have the ID as their Original.
type Debtor interface {
	Debit(ctx context.Context, d DebitOrder) (*Answer, error)
}

// DebitOrder asks that money be taken.
type DebitOrder struct {
	ID      uuid.UUID
	Order   uuid.UUID
	Mandate uuid.UUID
	Payer   kz.BIN
	Account string // the payer's IIK
	Amount  money.Tiyn
}
