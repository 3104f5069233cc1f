package evidence

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// ObjectsMax is how many objects one entry may name.
const ObjectsMax = 256

// Entry says that objects are evidence in a transaction.
type Entry struct {
	Transaction uuid.UUID
	Kind        string    // what happened: "document.verified", "signer.identified"
	Objects     []Digest  // in the caller's order; each must have been Put
	At          time.Time // the caller's time; kept to the microsecond, in UTC
}

// Append adds an entry in the caller's transaction. An entry cannot name an
// object that is not kept.
func Append(ctx context.Context, tx pgx.Tx, entry Entry) error {
	if err := checkEntry(entry); err != nil {
		return err
	}
	digests := make([][]byte, len(entry.Objects))
	for i := range entry.Objects {
		digests[i] = entry.Objects[i][:]
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO evidence_entries (id, transaction_id, kind, at, objects)
		SELECT $1, $2, $3, $4, $5::bytea[]
		 WHERE NOT EXISTS (SELECT FROM unnest($5::bytea[]) AS named (digest)
		                    WHERE NOT EXISTS (SELECT FROM evidence_digests d WHERE d.digest = named.digest))`,
		postgres.NewID(entry.At), entry.Transaction, entry.Kind, entry.At, digests)
	if err != nil {
		return fmt.Errorf("append the evidence %s: %w", entry.Kind, postgres.Classify(err))
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.EvidenceUnknown, "objects", "the evidence %s names an object that is not kept", entry.Kind)
	}
	return nil
}

func checkEntry(entry Entry) error {
	if err := checkKind(entry.Kind); err != nil {
		return err
	}
	switch {
	case entry.Transaction == uuid.Nil:
		return fault.New(fault.BadArgument, "transaction", "the evidence %s belongs to no transaction", entry.Kind)
	case entry.At.IsZero():
		return fault.New(fault.BadArgument, "at", "the evidence %s has no time", entry.Kind)
	case len(entry.Objects) == 0, len(entry.Objects) > ObjectsMax:
		return fault.New(fault.BadArgument, "objects", "the evidence %s names %d objects, not 1 to %d", entry.Kind, len(entry.Objects), ObjectsMax)
	}
	return nil
}

// EntriesOf returns a transaction's entries by their time.
func EntriesOf(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]Entry, error) {
	rows, err := q.Query(ctx, `
		SELECT kind, at, objects FROM evidence_entries
		 WHERE transaction_id = $1 ORDER BY at, id`, transaction)
	if err != nil {
		return nil, fmt.Errorf("read a transaction's evidence: %w", postgres.Classify(err))
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Entry, error) {
		entry := Entry{Transaction: transaction}
		var digests [][]byte
		if err := row.Scan(&entry.Kind, &entry.At, &digests); err != nil {
			return Entry{}, err
		}
		for _, digest := range digests {
			if len(digest) != len(Digest{}) {
				return Entry{}, fault.New(fault.EvidenceCorrupt, "objects", "an entry names a digest of %d bytes", len(digest))
			}
			entry.Objects = append(entry.Objects, Digest(digest))
		}
		return entry, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read a transaction's evidence: %w", postgres.Classify(err))
	}
	return entries, nil
}
