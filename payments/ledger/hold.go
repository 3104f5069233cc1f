package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// Hold keeps money of an account for one purpose, until it is used, released,
// or its time is over. The account is one of credits, such as a payer's
// advance.
type Hold struct {
	Key     string // natural key: the same key is the same hold for ever
	Account Account
	Amount  money.Tiyn
	At      time.Time
	Until   time.Time // not included
}

// Outcome of a hold.
type Outcome string

// The outcomes.
const (
	Used     Outcome = "used"     // the entry that spends it is posted in the same transaction
	Released Outcome = "released" // it is available again
)

// PlaceHold holds money in the caller's transaction, which from here to its
// end keeps others from holding money of the account. Who spends money that
// must be there places a hold and ends it as Used beside the entry, so that
// two at once never spend the same. It returns false if the same hold stands
// under the key. Errors: ledger_funds_short, ledger_key_conflict.
func PlaceHold(ctx context.Context, tx pgx.Tx, h Hold) (placed bool, err error) {
	if h.Key == "" || len(h.Key) > keyBytesMax || h.Account == "" || h.Amount <= 0 || !h.Until.After(h.At) {
		return false, fault.New(fault.LedgerEntryBad, "", "a hold needs a key, an account, an amount and a time")
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('ledger_hold:' || $1, 0))`, string(h.Account)); err != nil {
		return false, fmt.Errorf("wait for the account's holds: %w", postgres.Classify(err))
	}
	available, err := Available(ctx, tx, h.Account, h.At)
	if err != nil {
		return false, err
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO ledger_hold (natural_key, recorded_at, account, amount, until) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (natural_key) DO NOTHING`, h.Key, h.At, string(h.Account), int64(h.Amount), h.Until)
	if err != nil {
		return false, fmt.Errorf("hold money: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() == 0 {
		return false, h.sameAsStored(ctx, tx)
	}
	if h.Amount > available {
		return false, fault.New(fault.LedgerFundsShort, "/amount", "%s of %s are available", available, h.Amount)
	}
	return true, nil
}

func (h Hold) sameAsStored(ctx context.Context, tx pgx.Tx) error {
	var same bool
	err := tx.QueryRow(ctx, `SELECT account = $2 AND amount = $3 FROM ledger_hold WHERE natural_key = $1`,
		h.Key, string(h.Account), int64(h.Amount)).Scan(&same)
	switch {
	case err != nil:
		return fmt.Errorf("read the hold: %w", postgres.Classify(err))
	case !same:
		return fault.New(fault.LedgerConflict, "/key", "another hold stands under %s", h.Key)
	}
	return nil
}

// EndHold ends a hold, once: the same outcome again changes nothing. Errors:
// ledger_hold_unknown, ledger_key_conflict if it ended otherwise.
func EndHold(ctx context.Context, tx pgx.Tx, key string, outcome Outcome, at time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO ledger_hold_end (natural_key, recorded_at, outcome) VALUES ($1, $2, $3)
		ON CONFLICT (natural_key) DO NOTHING`, key, at, string(outcome))
	if postgres.ForeignKeyViolation(err, "") {
		return fault.Wrap(err, fault.LedgerHoldUnknown, "/key", "there is no hold %s", key)
	}
	if err != nil {
		return fmt.Errorf("end a hold: %w", postgres.Classify(err))
	}
	var ended Outcome
	if err := tx.QueryRow(ctx, `SELECT outcome FROM ledger_hold_end WHERE natural_key = $1`, key).Scan(&ended); err != nil {
		return fmt.Errorf("read the end of a hold: %w", postgres.Classify(err))
	}
	if ended != outcome {
		return fault.New(fault.LedgerConflict, "/key", "the hold %s was %s", key, ended)
	}
	return nil
}

// Available is what an account of credits has and no hold keeps at the time;
// never less than zero.
func Available(ctx context.Context, q postgres.Querier, account Account, at time.Time) (money.Tiyn, error) {
	var available money.Tiyn
	err := q.QueryRow(ctx, `
		SELECT greatest(0, -coalesce((SELECT sum(amount) FROM ledger_posting WHERE account = $1), 0)
		       - coalesce((SELECT sum(h.amount) FROM ledger_hold h
		                    WHERE h.account = $1 AND h.until > $2
		                      AND NOT EXISTS (SELECT FROM ledger_hold_end e WHERE e.natural_key = h.natural_key)), 0))::bigint`,
		string(account), at).Scan(&available)
	if err != nil {
		return 0, fmt.Errorf("read what is available: %w", postgres.Classify(err))
	}
	return available, nil
}
