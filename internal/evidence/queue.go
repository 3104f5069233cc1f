package evidence

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/postgres"
)

// Kept is an object with the transaction it is evidence in.
type Kept struct {
	Object
	Transaction uuid.UUID // uuid.Nil: of none that is known; then only the object is kept
	What        string    // the kind of the entry, as in Entry
	At          time.Time
}

// QueueAll keeps objects as PutAll does, and for each that belongs to a
// transaction an entry as Append does, by two statements in a batch that the
// caller sends; it fills in the digests. Either all are in order and queued, or
// none is. The objects are small: the caller answers for the batch's size.
func QueueAll(batch *pgx.Batch, kept []Kept) error {
	if len(kept) == 0 {
		return nil
	}
	var (
		raws, digests     [][]byte
		kinds, whats      []string
		ids, transactions []uuid.UUID
		ats               []time.Time
		named             [][]byte
		seen              = make(map[Digest]bool, len(kept))
	)
	for i := range kept {
		k := &kept[i]
		if err := k.check(); err != nil {
			return err
		}
		k.Digest = DigestOf(k.Raw)
		if !seen[k.Digest] {
			seen[k.Digest] = true
			digests, kinds, raws = append(digests, k.Digest[:]), append(kinds, k.Kind), append(raws, k.Raw)
		}
		if k.Transaction == uuid.Nil {
			continue
		}
		if err := checkEntry(Entry{Transaction: k.Transaction, Kind: k.What, At: k.At, Objects: []Digest{k.Digest}}); err != nil {
			return err
		}
		ids, transactions, whats = append(ids, postgres.NewID(k.At)), append(transactions, k.Transaction), append(whats, k.What)
		ats, named = append(ats, k.At), append(named, k.Digest[:])
	}
	batch.Queue(putStatement, digests, kinds, raws)
	if len(ids) > 0 {
		// The objects stand in the statement before.
		batch.Queue(`
			INSERT INTO evidence_entries (id, transaction_id, kind, at, objects)
			SELECT id, transaction_id, kind, at, ARRAY[digest]
			  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[]) AS e (id, transaction_id, kind, at, digest)`,
			ids, transactions, whats, ats, named)
	}
	return nil
}
