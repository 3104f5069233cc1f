package payments

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// Limits of a fact.
const (
	gatewayBytesMax   = 64
	referenceBytesMax = 64 // the table checks the same

	// factAmountMax is ten trillion tenge, some two fifths of the republic's
	// yearly budget: what is more is a mistake, and a sum of as many facts as
	// will ever be fits in 64 bits.
	factAmountMax = money.Tiyn(1_000_000_000_000_000)

	// clockAhead is how far ahead of ours the clock of a gateway may be, or ours
	// behind: a fact of later is refused.
	clockAhead = 2 * time.Hour
)

// paidAtMin is before any fact.
var paidAtMin = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// Told is a fact and how it came. Whoever hands it in has authenticated who
// told it.
type Told struct {
	Gateway string // whose fact it is; it tells references apart
	Fact    gateway.Fact
	By      string // who told, for the audit: "gateway:pshep", a client's id
	// Messages carried the fact, byte for byte, the first by itself; they are
	// kept as evidence.
	Messages []evidence.Object
	// Key is that of the request, and Caller whose it is; nil where the
	// reference alone tells a repeated fact.
	Key    *idempotency.Key
	Caller string
}

// FactState says what became of a fact.
type FactState string

// The states of a fact.
const (
	FactReceived  FactState = "received"  // by an earlier version, and not judged yet
	FactPosted    FactState = "posted"    // it stands in the ledger
	FactNoted     FactState = "noted"     // it moves no money
	FactException FactState = "exception" // a person decides; its money stands in suspense
)

// Outcome is what became of a fact that was told.
type Outcome struct {
	Gateway    string           `json:"gateway"`
	Reference  string           `json:"reference"`
	Kind       gateway.FactKind `json:"kind"`
	Order      uuid.UUID        `json:"order_id"`
	Amount     money.Tiyn       `json:"amount_tiyn"`
	State      FactState        `json:"state"`
	Reason     fault.Code       `json:"reason,omitempty"`      // of an exception
	OrderState order.State      `json:"order_state,omitempty"` // none of an order that is not ours
	ReceivedAt time.Time        `json:"received_at"`
}

// check refuses what is told without a fact's own fault.
func (t *Told) check(now time.Time) error {
	switch {
	case t.Gateway == "" || len(t.Gateway) > gatewayBytesMax || t.By == "":
		return fault.New(fault.BadArgument, "/gateway", "a gateway has a name of at most %d bytes, and somebody told", gatewayBytesMax)
	case len(t.Messages) == 0:
		return fault.New(fault.BadArgument, "/messages", "a fact comes in a message")
	}
	return CheckFact(&t.Fact, now)
}

// CheckFact refuses a fact that no gateway may tell, and that can be neither
// posted nor kept.
func CheckFact(f *gateway.Fact, now time.Time) error {
	for _, rule := range [...]struct {
		at    string
		holds bool
		what  string
	}{
		{"/kind", f.Kind.Known(), "no kind of fact"},
		{"/reference", isReference(f.Reference), "want 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first"},
		{"/original", f.Original == "" || isReference(f.Original), "want the form of a reference"},
		{"/original", f.Original != "" || !f.Kind.Refers(), "a fact of this kind says what it refers to"},
		{"/original", f.Original != f.Reference, "a fact does not refer to itself"},
		{"/order_id", f.Order != uuid.Nil, "missing"},
		{"/payer_bin", f.Payer == "" || len(f.Payer) == 12 && only(string(f.Payer), digits), "want 12 digits"},
		{"/bank_bic", f.BankBIC == "" || isBIC(f.BankBIC), "want 8 or 11 characters (ISO 9362)"},
		{"/amount_tiyn", f.Amount > 0 && f.Amount <= factAmountMax, "want a positive amount, at most ten trillion tenge"},
		{"/paid_at", !f.PaidAt.Before(paidAtMin) && !f.PaidAt.After(now.Add(clockAhead)), "before the year 2000, or in the future"},
	} {
		if !rule.holds {
			return fault.New(fault.FactInvalid, rule.at, "%s", rule.what)
		}
	}
	return nil
}

const (
	digits  = "0123456789"
	capital = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters = capital + "abcdefghijklmnopqrstuvwxyz"
)

func only(s, alphabet string) bool { return strings.Trim(s, alphabet) == "" }

func isReference(s string) bool {
	return s != "" && len(s) <= referenceBytesMax && only(s[:1], letters+digits) && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune(letters+digits+"._-", r)
	})
}

func isBIC(s string) bool {
	return (len(s) == 8 || len(s) == 11) && only(s[:6], capital) && only(s[6:], capital+digits)
}

// DigestOf is the digest of what makes two facts the same: all of it, and
// nothing of the message that carried it. It is what a request's
// Idempotency-Key is bound to.
func DigestOf(f *gateway.Fact) [sha256.Size]byte {
	b := make([]byte, 0, 256)
	for _, s := range []string{string(f.Kind), f.Reference, f.Original, string(f.Payer), f.BankBIC} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = append(b, f.Order[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(f.Amount))
	b = binary.BigEndian.AppendUint64(b, uint64(f.PaidAt.UnixMicro()))
	return sha256.Sum256(b)
}
