package told

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
)

// Limits of a charge.
const (
	referenceMax = 64  // characters
	textBytesMax = 512 // of the act and of the note
)

// Charge is what a body says that a transaction owes.
type Charge struct {
	Transaction uuid.UUID
	Reference   string // the teller's own, for ever: the same reference is the same charge
	Body        charge.RevenueOffice
	Kind        charge.Kind
	BudgetCode  charge.BudgetCode
	PurposeCode charge.PurposeCode
	Amount      money.Tiyn
	Act         string // the ground: what sets the charge
	Note        string // for the payer, in the teller's words
}

// check refuses what no bill could have.
func (c *Charge) check() error {
	switch {
	case c.Transaction == uuid.Nil:
		return fault.New(fault.BadArgument, "/transaction", "a charge belongs to a transaction")
	case !isReference(c.Reference):
		return fault.New(fault.BadArgument, "/reference", "a reference has 1 to %d printable characters", referenceMax)
	case c.Kind.Name() == "" || c.Kind == charge.Advance:
		return fault.New(fault.PaymentKindUnknown, "/kind", "%.8q is no kind of charge", string(c.Kind))
	case !isNumber(string(c.BudgetCode), 6):
		return fault.New(fault.OrderInvalid, "/budget_code", "a budget code has six digits")
	case !isNumber(string(c.PurposeCode), 3):
		return fault.New(fault.OrderInvalid, "/purpose_code", "a purpose code has three digits")
	case c.Amount <= 0:
		return fault.New(fault.AmountInvalid, "/amount_tiyn", "a charge is more than nothing")
	case c.Act == "":
		return fault.New(fault.BadArgument, "/act", "a charge rests on an act")
	}
	return errors.Join(checkText(c.Act, "/act"), checkText(c.Note, "/note"))
}

func isReference(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= referenceMax
}

func isNumber(s string, digits int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == digits
}

// checkText refuses what the database cannot keep.
func checkText(text, at string) error {
	switch {
	case len(text) > textBytesMax:
		return fault.New(fault.InputTooBig, at, "a text of more than %d bytes", textBytesMax)
	case strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text):
		return fault.New(fault.BadArgument, at, "a text holds what is no character")
	}
	return nil
}

// content is the digest of all that is told.
func (c *Charge) content() [sha256.Size]byte {
	told := make([]byte, 0, 512)
	told = append(told, c.Transaction[:]...)
	told = binary.BigEndian.AppendUint64(told, uint64(c.Amount))
	for _, s := range [...]string{string(c.Body), string(c.Kind), string(c.BudgetCode), string(c.PurposeCode), c.Act, c.Note} {
		told = binary.BigEndian.AppendUint64(told, uint64(len(s)))
		told = append(told, s...)
	}
	return sha256.Sum256(told)
}

// Of returns what was told of a transaction, in the order of telling.
func Of(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]charge.Charge, error) {
	rows, err := q.Query(ctx, `
		SELECT body, kind, budget_code, purpose_code, amount, act, note, reference
		  FROM charge_told WHERE transaction_id = $1 ORDER BY recorded_at, id`, transaction)
	if err != nil {
		return nil, fmt.Errorf("read the charges told: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (charge.Charge, error) {
		c := charge.Charge{Rounding: money.HalfUpTiyn, Ground: &charge.Ground{}}
		err := row.Scan(&c.RevenueOffice, &c.Kind, &c.BudgetCode, &c.PurposeCode, &c.Amount, &c.Ground.Act, &c.Ground.Note, &c.Path)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the charges told: %w", postgres.Classify(err))
	}
	return all, nil
}

// Close returns what was told of a transaction and keeps others from telling
// more until the caller's transaction ends: who draws up the order calls it
// and claims the order in the same transaction.
func Close(ctx context.Context, tx pgx.Tx, transaction uuid.UUID) ([]charge.Charge, error) {
	if _, err := tx.Exec(ctx, lockAlone, transaction); err != nil {
		return nil, fmt.Errorf("wait for charges being told: %w", postgres.Classify(err))
	}
	return Of(ctx, tx, transaction)
}
