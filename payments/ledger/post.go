package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// SQLSTATEs of the ledger's own triggers.
const (
	stateUnbalanced = "SN020" // ledger_check_postings and ledger_check_entries
	stateClosed     = "SN021" // ledger_check_period
)

// EntriesMax bounds what PostAll takes at once.
const EntriesMax = 1000

// Post posts an entry in the caller's transaction. It returns false if the
// same entry stands under its key already, and fault.LedgerConflict if another
// does. Of two transactions that post one key at once the second waits for the
// first.
func Post(ctx context.Context, tx pgx.Tx, e Entry) (posted bool, err error) {
	n, err := PostAll(ctx, tx, []Entry{e})
	return n == 1, err
}

// PostAll posts up to EntriesMax entries as Post does each, in a fixed number
// of statements, and returns how many were not there before. One that is
// refused refuses all.
func PostAll(ctx context.Context, tx pgx.Tx, entries []Entry) (posted int, err error) {
	if len(entries) > EntriesMax {
		return 0, fault.New(fault.LedgerEntryBad, "", "%d entries at once; at most %d", len(entries), EntriesMax)
	}
	rows := make([]row, len(entries))
	for i, e := range entries {
		if rows[i], err = newRow(e); err != nil {
			return 0, err
		}
	}
	fresh, err := claim(ctx, tx, rows)
	if err != nil || len(fresh) == 0 {
		return 0, err
	}
	return len(fresh), insert(ctx, tx, fresh)
}

// row is an entry on its way into the tables.
type row struct {
	Entry
	id      uuid.UUID
	at      time.Time
	content [sha256.Size]byte
	debits  money.Tiyn
}

func newRow(e Entry) (row, error) {
	if err := e.check(); err != nil {
		return row{}, err
	}
	debits, err := e.Debits()
	at := e.At.UTC().Truncate(time.Microsecond) // what the database keeps
	return row{Entry: e, id: postgres.NewID(at), at: at, content: e.content(), debits: debits}, err
}

// claim takes the natural keys for these entries and returns those that nobody
// had, having checked that under the others the same entry stands. The keys
// are taken in their order, so that two batches do not wait for each other.
func claim(ctx context.Context, tx pgx.Tx, rows []row) (fresh []row, err error) {
	keys, ids, ats := make([]string, len(rows)), make([]uuid.UUID, len(rows)), make([]time.Time, len(rows))
	contents, debits := make([][]byte, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		keys[i], ids[i], ats[i], contents[i], debits[i] = r.Key, r.id, r.at, r.content[:], int64(r.debits)
	}
	result, err := tx.Query(ctx, `
		INSERT INTO ledger_key (natural_key, entry_id, recorded_at, content, debits)
		SELECT * FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::bytea[], $5::bigint[]) AS i (natural_key) ORDER BY natural_key
		ON CONFLICT (natural_key) DO NOTHING RETURNING entry_id`, keys, ids, ats, contents, debits)
	if err != nil {
		return nil, fmt.Errorf("claim ledger keys: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(result, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("claim ledger keys: %w", postgres.Classify(err))
	}
	if len(all) < len(rows) {
		if err := sameContents(ctx, tx, keys, contents); err != nil {
			return nil, err
		}
	}
	claimed := make(map[uuid.UUID]bool, len(all))
	for _, id := range all {
		claimed[id] = true
	}
	for _, r := range rows {
		if claimed[r.id] {
			fresh = append(fresh, r)
		}
	}
	return fresh, nil
}

// sameContents refuses a key under which another entry stands.
func sameContents(ctx context.Context, tx pgx.Tx, keys []string, contents [][]byte) error {
	var key string
	err := tx.QueryRow(ctx, `
		SELECT k.natural_key
		  FROM unnest($1::text[], $2::bytea[]) AS i (natural_key, content)
		  JOIN ledger_key k ON k.natural_key = i.natural_key
		 WHERE k.content <> i.content ORDER BY 1 LIMIT 1`, keys, contents).Scan(&key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("compare ledger keys: %w", postgres.Classify(err))
	}
	return fault.New(fault.LedgerConflict, "/key", "another entry stands under %s", key)
}

// insert writes entries whose keys are claimed.
func insert(ctx context.Context, tx pgx.Tx, rows []row) error {
	if _, err := tx.Exec(ctx, "WITH "+insertStatement, columns(rows)...); err != nil {
		return fmt.Errorf("post to the ledger: %w", postgres.Classify(err))
	}
	return nil
}

// QueueNew posts entries whose keys nobody has, by one statement in a batch that
// the caller sends. A key that somebody has after all fails the caller's
// transaction (Taken). Either all entries are in order and queued, or none is.
func QueueNew(batch *pgx.Batch, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if len(entries) > EntriesMax {
		return fault.New(fault.LedgerEntryBad, "", "%d entries at once; at most %d", len(entries), EntriesMax)
	}
	rows := make([]row, len(entries))
	contents, debits := make([][]byte, len(entries)), make([]int64, len(entries))
	for i, e := range entries {
		var err error
		if rows[i], err = newRow(e); err != nil {
			return err
		}
		contents[i], debits[i] = rows[i].content[:], int64(rows[i].debits)
	}
	batch.Queue(`
		WITH key AS (
			INSERT INTO ledger_key (natural_key, entry_id, recorded_at, content, debits)
			SELECT * FROM unnest($3::text[], $1::uuid[], $2::timestamptz[], $13::bytea[], $14::bigint[]) AS k (natural_key) ORDER BY natural_key),
		`+insertStatement, append(columns(rows), contents, debits)...)
	return nil
}

// Taken reports whether a transaction failed because a key of QueueNew stands
// in the book.
func Taken(err error) bool { return postgres.UniqueViolation(err, "ledger_key_pkey") }

// insertStatement is one statement: the database takes an entry with all its
// postings or not at all.
const insertStatement = `entry AS (
		INSERT INTO ledger_entry (id, recorded_at, natural_key, kind, day, transaction_id, postings)
		SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::date[], $6::uuid[], $7::int[]))
	INSERT INTO ledger_posting (entry_id, recorded_at, position, account, amount)
	SELECT * FROM unnest($8::uuid[], $9::timestamptz[], $10::int[], $11::text[], $12::bigint[])`

// columns are the parameters of insertStatement.
func columns(rows []row) []any {
	ids, ats, transactions := make([]uuid.UUID, len(rows)), make([]time.Time, len(rows)), make([]uuid.UUID, len(rows))
	keys, kinds := make([]string, len(rows)), make([]string, len(rows))
	days, counts := make([]kz.Day, len(rows)), make([]int32, len(rows))
	var entryOf []uuid.UUID
	var atOf []time.Time
	var positions []int32
	var accounts []string
	var amounts []int64
	for i, r := range rows {
		ids[i], ats[i], transactions[i], keys[i], kinds[i], days[i], counts[i] = r.id, r.at, r.Transaction, r.Key, string(r.Kind), r.Day, int32(len(r.Postings))
		for j, p := range r.Postings {
			entryOf, atOf, positions = append(entryOf, r.id), append(atOf, r.at), append(positions, int32(j))
			accounts, amounts = append(accounts, string(p.Account)), append(amounts, int64(p.Amount))
		}
	}
	return []any{ids, ats, keys, kinds, days, transactions, counts, entryOf, atOf, positions, accounts, amounts}
}

// Refusal gives the database's own refusals, of an unbalanced entry and of an
// entry in a closed period, their codes; it returns any other error as it is.
func Refusal(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case stateUnbalanced:
		return fault.Wrap(err, fault.LedgerUnbalanced, "", "the database refused the entry")
	case stateClosed:
		return fault.Wrap(err, fault.LedgerPeriodClosed, "/day", "the database refused the entry")
	}
	return err
}
