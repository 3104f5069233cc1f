package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// Limits of one entry.
const (
	postingsMax = 256 // an order has at most 64 lines
	keyBytesMax = 200 // the table checks the same
)

// Kind of an entry.
type Kind string

// The kinds.
const (
	Payment         Kind = "payment"          // the gateway told of a payment, applied to the order's lines
	Settlement      Kind = "settlement"       // the treasury's statement showed the money
	Reversal        Kind = "reversal"         // the gateway took a payment back
	Suspended       Kind = "suspense"         // money came that fits nothing
	SuspenseRelease Kind = "suspense_release" // a person said what it was for
	AdvanceUse      Kind = "advance_use"      // a payer's advance applied to an order's lines
	Refund          Kind = "refund"           // ordered to be paid back
	RefundPaid      Kind = "refund_paid"      // the gateway told that it was paid back
	RefundFailed    Kind = "refund_failed"    // the gateway refused to pay back
	Fee             Kind = "fee"              // kept by the gateway
	Correction      Kind = "correction"       // of another entry, by two persons
)

// Posting is one side of an entry.
type Posting struct {
	Account Account
	Amount  money.Tiyn // a debit is positive, a credit negative; never zero
}

// Entry is what is posted at once.
type Entry struct {
	Key         string // natural key: the same key is the same entry for ever
	Kind        Kind
	Day         kz.Day // the business day it belongs to
	Transaction uuid.UUID
	At          time.Time
	Postings    []Posting
}

// Debits adds up what the entry debits.
func (e Entry) Debits() (money.Tiyn, error) {
	var total money.Tiyn
	for _, p := range e.Postings {
		if p.Amount <= 0 {
			continue
		}
		var err error
		if total, err = total.Add(p.Amount); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// check refuses an entry that the database would refuse at commit, with a
// message that says which rule it breaks.
func (e Entry) check() error {
	switch {
	case e.Key == "" || len(e.Key) > keyBytesMax:
		return fault.New(fault.LedgerEntryBad, "/key", "a natural key has 1 to %d bytes", keyBytesMax)
	case e.Kind == "" || e.Day.IsZero() || e.At.IsZero() || e.Transaction == uuid.Nil:
		return fault.New(fault.LedgerEntryBad, "", "entry %s lacks its kind, day, time or transaction", e.Key)
	case len(e.Postings) < 2 || len(e.Postings) > postingsMax:
		return fault.New(fault.LedgerEntryBad, "/postings", "entry %s has %d postings, not 2 to %d", e.Key, len(e.Postings), postingsMax)
	}
	var debits, credits money.Tiyn
	for i, p := range e.Postings {
		if p.Account == "" || p.Amount == 0 {
			return fault.New(fault.LedgerEntryBad, "/postings", "posting %d of %s has no account or no amount", i, e.Key)
		}
		side := &debits
		if p.Amount < 0 {
			side = &credits
		}
		var err error
		if *side, err = side.Add(p.Amount); err != nil {
			return fault.Wrap(err, fault.AmountOverflow, "/postings", "add up entry %s", e.Key)
		}
	}
	if balance, err := debits.Add(credits); err != nil || balance != 0 {
		return fault.New(fault.LedgerUnbalanced, "/postings", "entry %s debits %s and credits %s", e.Key, debits, credits)
	}
	return nil
}

// content is the digest of what makes two entries the same: the time of
// posting is left out, a replay has another.
func (e Entry) content() [sha256.Size]byte {
	postings := slices.Clone(e.Postings)
	slices.SortStableFunc(postings, func(a, b Posting) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Amount, b.Amount))
	})
	h := sha256.New()
	write := func(s string) { // with its length, so that no two entries run together
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	write(string(e.Kind))
	write(e.Day.String())
	write(e.Transaction.String())
	for _, p := range postings {
		write(string(p.Account))
		write(p.Amount.String())
	}
	return [sha256.Size]byte(h.Sum(nil))
}
