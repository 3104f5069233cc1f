package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// stateUnbalanced is the SQLSTATE that ledger_check_entry raises at commit.
const stateUnbalanced = "SN020"

// Post posts an entry in the caller's transaction. It returns false if the
// same entry stands under its key already, and fault.LedgerConflict if another
// does. Of two transactions that post one key at once the second waits for the
// first.
func Post(ctx context.Context, tx pgx.Tx, e Entry) (posted bool, err error) {
	if err := e.check(); err != nil {
		return false, err
	}
	at := e.At.UTC().Truncate(time.Microsecond)
	id := postgres.NewID(at)
	fresh, err := claimKey(ctx, tx, e, id, at)
	if err != nil || !fresh {
		return false, err
	}
	accounts := make([]string, len(e.Postings))
	amounts := make([]int64, len(e.Postings))
	for i, p := range e.Postings {
		accounts[i], amounts[i] = string(p.Account), int64(p.Amount)
	}
	var batch pgx.Batch
	batch.Queue(`INSERT INTO ledger_entry (id, recorded_at, natural_key, kind, day, transaction_id, postings)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		id, at, e.Key, string(e.Kind), e.Day, e.Transaction, len(e.Postings))
	batch.Queue(`INSERT INTO ledger_posting (entry_id, recorded_at, position, account, amount)
		SELECT $1, $2, p.position - 1, p.account, p.amount
		  FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS p (account, amount, position)`,
		id, at, accounts, amounts)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return false, fmt.Errorf("post entry %s: %w", e.Key, postgres.Classify(err))
	}
	return true, nil
}

// claimKey takes the natural key for this entry, or finds out who has it.
func claimKey(ctx context.Context, tx pgx.Tx, e Entry, id uuid.UUID, at time.Time) (fresh bool, err error) {
	content := e.content()
	debits, err := e.Debits()
	if err != nil {
		return false, err
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO ledger_key (natural_key, entry_id, recorded_at, content, debits) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (natural_key) DO NOTHING`, e.Key, id, at, content[:], int64(debits))
	if err != nil {
		return false, fmt.Errorf("claim the key %s: %w", e.Key, postgres.Classify(err))
	}
	if tag.RowsAffected() == 1 {
		return true, nil
	}
	var same bool
	if err := tx.QueryRow(ctx, `SELECT content = $2 FROM ledger_key WHERE natural_key = $1`, e.Key, content[:]).Scan(&same); err != nil {
		return false, fmt.Errorf("read the key %s: %w", e.Key, postgres.Classify(err))
	}
	if !same {
		return false, fault.New(fault.LedgerConflict, "/key", "another entry stands under %s", e.Key)
	}
	return false, nil
}

// Refusal gives the database's own refusal of an unbalanced entry, which comes
// at commit, its code; it returns any other error as it is.
func Refusal(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == stateUnbalanced {
		return fault.Wrap(err, fault.LedgerUnbalanced, "", "the database refused the entry")
	}
	return err
}
