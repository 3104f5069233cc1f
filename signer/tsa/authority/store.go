package authority

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/pki/cert"
)

// Store keeps the records of issued tokens, and the certificates that verify
// them, for ever: both tables are append-only.
type Store struct{ pool *pgxpool.Pool }

// NewStore returns the store in a migrated database.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool} }

// insertRecords is one statement, and so one transaction: when it returns, all
// of them are on the disk, or none is there.
const insertRecords = `
	INSERT INTO tsa_records (serial, gen_time, policy, digest, imprint, certificate, token)
	SELECT unnest($1::bytea[]), unnest($2::timestamptz[]), unnest($3::text[]), unnest($4::text[]), unnest($5::bytea[]),
		unnest($6::bytea[]), unnest($7::bytea[])`

// An imprint is of a digest that a policy accepts: from 128 bits to 512.
const (
	imprintMin = 16
	imprintMax = 64
)

// insertName is the statement's name on a connection, once it is prepared there.
const insertName = "tsa_records"

// Write makes records durable, all or none. It is the one statement of the service
// that runs hundreds of times a second, so its arrays are encoded here and not by
// pgx, which asks each value for its type.
func (s *Store) Write(ctx context.Context, records []Record) error {
	for i := range records {
		if err := records[i].check(); err != nil {
			return err
		}
	}
	err := s.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		if _, err := c.Conn().Prepare(ctx, insertName, insertRecords); err != nil { // asks once
			return err
		}
		columns := encodeRecords(records)
		reader := c.Conn().PgConn().ExecPrepared(ctx, insertName, columns[:], binaryFormat, nil)
		yield() // a database on this machine may start at once
		return reader.Read().Err
	})
	if err != nil {
		return fmt.Errorf("record the issued tokens: %w", postgres.Classify(err))
	}
	return nil
}

// check holds a record to what the table leaves open: a constraint that compares
// the columns of each row took the database a third of what it writes a record in.
func (r *Record) check() error {
	switch {
	case monthIn(r.Serial) != monthsOf(r.Time):
		return fault.New(fault.Internal, "", "the serial number of a record is of another month than its time")
	case r.Policy == "", r.Digest == "", len(r.Imprint) < imprintMin || len(r.Imprint) > imprintMax:
		return fault.New(fault.Internal, "", "a record lacks its policy or its imprint")
	}
	return nil
}

// Check makes sure that the database takes records now and in a month, and that a
// commit is on the disk when it says so: somebody may have switched that off for the
// server, the database or our role. Its refusals: database_unavailable on a standby,
// config_unsafe, and tsa_month_missing if the upkeep has failed for months.
func (s *Store) Check(ctx context.Context, now time.Time) error {
	year, month, _ := now.UTC().Date()
	months := []string{postgres.Partition("tsa_records", year, month), postgres.Partition("tsa_records", year, month+1)}
	var readOnly, fsync, commit string
	var found int
	err := s.pool.QueryRow(ctx, `
		SELECT current_setting('transaction_read_only'), current_setting('fsync'), current_setting('synchronous_commit'),
			(SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			  WHERE i.inhparent = 'tsa_records'::regclass AND c.relname = ANY ($1))`, months).Scan(&readOnly, &fsync, &commit, &found)
	switch {
	case err != nil:
		return fmt.Errorf("ask the database how it keeps records: %w", postgres.Classify(err))
	case readOnly == "on":
		return fault.New(fault.DatabaseDown, "", "the database is read-only")
	case found < len(months):
		return fault.New(fault.TSAMonthMissing, "", "%d of %s are there", found, strings.Join(months, ", "))
	case fsync == "off", commit == "off":
		return fault.New(fault.ConfigUnsafe, "database", "a commit is not durable: fsync is %s, synchronous_commit is %s", fsync, commit)
	}
	return nil
}

// Remember keeps certificates, before the first token is signed by their keys.
// Those that are known stay as they are.
func (s *Store) Remember(ctx context.Context, now time.Time, certificates []*cert.Certificate) error {
	for _, c := range certificates {
		fingerprint := c.Fingerprint()
		_, err := s.pool.Exec(ctx, `
			INSERT INTO tsa_certificates (fingerprint, der, first_used) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			fingerprint[:], c.Raw, now)
		if err != nil {
			return fmt.Errorf("keep the authority's certificate: %w", postgres.Classify(err))
		}
	}
	return nil
}

// Certificates are all that were ever remembered, in DER, the oldest first.
func (s *Store) Certificates(ctx context.Context) ([][]byte, error) {
	rows, err := s.pool.Query(ctx, `SELECT der FROM tsa_certificates ORDER BY first_used, fingerprint`)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificates: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificates: %w", postgres.Classify(err))
	}
	return all, nil
}
