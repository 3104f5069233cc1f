package statement

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

const (
	// batchLines is how many lines go to the database at once; two batches are
	// on their way.
	batchLines = 1000
	// badListed bounds the bad lines in an Import; the rest is in the table.
	badListed = 100
	// partsMax bounds the statements of one file.
	partsMax = 1_000_000
	// nameRunesMax bounds the name of a file.
	nameRunesMax = 255
	// importLock is the key of the advisory lock that lets one import run at a
	// time: two that shared lines would wait for each other.
	importLock = 0x73656e696d5f7374
)

// Import is what became of a file.
type Import struct {
	ID          uuid.UUID
	Name        string
	SHA256      [sha256.Size]byte
	ImportedAt  time.Time
	Format      Format
	MessageID   string
	StatementID string // of the first statement
	Statements  int    // in the file, those of other accounts not counted
	Account     string
	Opening     money.Tiyn // of the first statement, 0 where the format has no balances
	Closing     money.Tiyn // of the last
	Lines       int        // new lines
	Duplicates  int        // lines that another file had brought before
	Bad         int        // lines that could not be read, or are of another account
	BadLines    []BadLine  // the first hundred of them
	Known       bool       // the same file had been imported before: nothing was changed
	Days        []kz.Day   // booking days of the new lines, ascending
	Gaps        []Gap      // where its statements do not continue those that are known
}

// errKnown ends the transaction of a file that is known already.
var errKnown = errors.New("the file is known")

// Beginner starts a transaction: *pgxpool.Pool and *pgxpool.Conn are.
type Beginner interface {
	postgres.Querier
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Source is a file to import.
type Source struct {
	Name    string
	Reader  io.Reader // read by another goroutine than the caller's
	Account string    // that the statements must be of
	Options Options   // how it is read
	At      time.Time // of the import
}

// Read imports a file in one transaction: all of it or, on an error, nothing.
// The same file again returns the first import and changes nothing.
//
// Reading and storing go on at the same time; memory does not grow with the
// file. It does not run again when the database undoes it, because the reader
// has been read by then: the caller gets fault.DatabaseBusy and sends the file
// again.
func Read(ctx context.Context, db Beginner, from Source) (*Import, error) {
	if from.Name == "" || !utf8.ValidString(from.Name) || utf8.RuneCountInString(from.Name) > nameRunesMax {
		return nil, fault.New(fault.BadArgument, "/name", "a statement needs a name of 1 to %d characters", nameRunesMax)
	}
	at := from.At.UTC().Truncate(time.Microsecond)
	i := &importer{from: from, result: &Import{ID: postgres.NewID(at), Name: from.Name, ImportedAt: at, Account: from.Account}}
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		i.tx = tx
		return i.run(ctx)
	})
	if errors.Is(err, errKnown) {
		return Get(ctx, db, i.result.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("import a statement: %w", postgres.Classify(err))
	}
	return i.result, nil
}

// importer is the state of one import.
type importer struct {
	tx     pgx.Tx
	from   Source
	result *Import
}

func (i *importer) run(ctx context.Context) error {
	if _, err := i.tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(importLock)); err != nil {
		return fmt.Errorf("wait for another import: %w", postgres.Classify(err))
	}
	parsed, err := i.load(ctx)
	if err != nil {
		return err
	}
	if i.from.Options.Progress != nil {
		i.from.Options.Progress(Storing, parsed.position())
	}
	for _, step := range []func(context.Context, *parsing) error{i.once, i.lines, i.file, i.parts, i.badLines, i.found} {
		if err := step(ctx, parsed); err != nil {
			return err
		}
	}
	return nil
}

// load reads the file into a temporary table. The parser runs in a goroutine of
// its own, which load waits for.
func (i *importer) load(ctx context.Context) (*parsing, error) {
	_, err := i.tx.Exec(ctx, "CREATE TEMPORARY TABLE statement_input ("+inputColumns+") ON COMMIT DROP")
	if err != nil {
		return nil, fmt.Errorf("prepare an import: %w", postgres.Classify(err))
	}
	ctx, stop := context.WithCancel(ctx)
	p := &parsing{ctx: ctx, from: i.from, at: i.result.ImportedAt, digest: sha256.New(), batches: make(chan []row, 1)}
	done := make(chan error, 1)
	go func() {
		defer close(p.batches)
		done <- p.parse()
	}()
	_, copyErr := i.tx.Conn().PgConn().CopyFrom(ctx, newCopyReader(p.batches, i.from.Account, i.result.ID), "COPY statement_input FROM STDIN (FORMAT binary)")
	stop()
	for range p.batches { // the parser must not wait for a reader that is gone
	}
	parseErr := <-done
	switch {
	case copyErr != nil && (parseErr == nil || errors.Is(parseErr, context.Canceled)):
		return nil, fmt.Errorf("store statement lines: %w", postgres.Classify(copyErr))
	case parseErr != nil:
		return nil, parseErr
	}
	p.digest.Sum(i.result.SHA256[:0])
	return p, nil
}

// once ends the import of a file that is known. Another import waits for this
// one's lock, so it stays so.
func (i *importer) once(ctx context.Context, _ *parsing) error {
	var known bool
	if err := i.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM statement_file WHERE sha256 = $1)`, i.result.SHA256[:]).Scan(&known); err != nil {
		return fmt.Errorf("look the file up: %w", postgres.Classify(err))
	}
	if known {
		return errKnown
	}
	return nil
}

// lines claims the keys of the lines and stores those that no file has brought
// before. The second of two lines that are the same has a key of its own: it
// is known from another file only if that has two as well. In the order of the
// keys their index is written one page after the other.
func (i *importer) lines(ctx context.Context, p *parsing) error {
	tag, err := i.tx.Exec(ctx, `
		WITH fresh AS (
			INSERT INTO statement_line_once (line_key, line_id, recorded_at)
			SELECT CASE WHEN twin = 1 THEN key ELSE sha256(key || int8send(twin)) END, id, $1
			  FROM (SELECT key, id, row_number() OVER (PARTITION BY key ORDER BY position) AS twin
			          FROM statement_input WHERE code = '') AS numbered
			ON CONFLICT DO NOTHING RETURNING line_id)
		INSERT INTO statement_line (id, recorded_at, file_id, position, place, reference, booked, reversal, booking_day, value_day,
			amount, identifier, budget_code, purpose_code, payer, end_to_end, declaration, purpose, returned, return_reason, revenue_office, office_bin)
		SELECT id, $1, $2, position, place, reference, booked, reversal, booking_day, value_day,
			amount, identifier, budget_code, purpose_code, payer, end_to_end, declaration, purpose, returned, return_reason, revenue_office, office_bin
		  FROM statement_input JOIN fresh ON line_id = id`, i.result.ImportedAt, i.result.ID)
	if err != nil {
		return fmt.Errorf("store statement lines: %w", postgres.Classify(err))
	}
	i.result.Lines = int(tag.RowsAffected())
	i.result.Duplicates = p.lines - i.result.Lines
	return nil
}

// file writes the row that makes the import known.
func (i *importer) file(ctx context.Context, p *parsing) error {
	r := i.result
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	r.Format, r.MessageID, r.StatementID, r.Statements, r.Bad = first.format, first.message, first.id, len(p.parts), p.bad
	if first.opening != nil && last.closing != nil {
		r.Opening, r.Closing = *first.opening, *last.closing
	}
	_, err := i.tx.Exec(ctx, `
		INSERT INTO statement_file (sha256, id, recorded_at, name, format, message_id, statement_id, account, opening, closing, lines, duplicates, bad)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		r.SHA256[:], r.ID, r.ImportedAt, r.Name, string(r.Format), r.MessageID, r.StatementID, r.Account,
		int64(r.Opening), int64(r.Closing), r.Lines, r.Duplicates, r.Bad)
	if err != nil {
		return fmt.Errorf("store the statement: %w", postgres.Classify(err))
	}
	return nil
}

func (i *importer) parts(ctx context.Context, p *parsing) error {
	_, err := i.tx.CopyFrom(ctx, pgx.Identifier{"statement_part"},
		[]string{"file_id", "position", "recorded_at", "statement_id", "number", "page", "last_page", "opening", "opening_day", "closing", "closing_day", "credits", "debits", "entries", "bad"},
		pgx.CopyFromSlice(len(p.parts), func(n int) ([]any, error) {
			part := p.parts[n]
			return []any{i.result.ID, int32(n), i.result.ImportedAt, part.id, part.number, part.page, part.lastPage,
				part.opening, part.openingDay, part.closing, part.closingDay, part.credits, part.debits, int32(part.entries), int32(part.bad)}, nil
		}))
	if err != nil {
		return fmt.Errorf("store the statements of the file: %w", postgres.Classify(err))
	}
	return nil
}

func (i *importer) badLines(ctx context.Context, p *parsing) error {
	if p.bad == 0 {
		return nil
	}
	_, err := i.tx.Exec(ctx, `
		INSERT INTO statement_bad_line (file_id, recorded_at, position, place, booking_day, code, detail)
		SELECT $2, $1, position, place, coalesce(booking_day, $3), code, detail FROM statement_input WHERE code <> ''`,
		i.result.ImportedAt, i.result.ID, p.lastDay(i.result.ImportedAt))
	if err != nil {
		return fmt.Errorf("store bad statement lines: %w", postgres.Classify(err))
	}
	i.result.BadLines, err = badLinesOf(ctx, i.tx, i.result)
	return err
}

func (i *importer) found(ctx context.Context, _ *parsing) (err error) {
	if i.result.Days, err = daysOf(ctx, i.tx, i.result); err != nil {
		return err
	}
	i.result.Gaps, err = gapsOf(ctx, i.tx, i.result.Account, &i.result.ID)
	return err
}

// Get returns the import of the file with this digest. Its bad lines are the
// first hundred, its days those of the lines it brought, its gaps those that
// are there now.
func Get(ctx context.Context, q postgres.Querier, digest [sha256.Size]byte) (*Import, error) {
	r := &Import{SHA256: digest, Known: true}
	err := q.QueryRow(ctx, `
		SELECT id, recorded_at, name, format, message_id, statement_id, account, opening, closing, lines, duplicates, bad,
		       (SELECT count(*) FROM statement_part p WHERE p.file_id = f.id)
		  FROM statement_file f WHERE sha256 = $1`, digest[:]).
		Scan(&r.ID, &r.ImportedAt, &r.Name, &r.Format, &r.MessageID, &r.StatementID, &r.Account, &r.Opening, &r.Closing, &r.Lines, &r.Duplicates, &r.Bad, &r.Statements)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.StatementUnknown, "", "no file with the digest %x was imported", digest)
	}
	if err != nil {
		return nil, fmt.Errorf("read an import: %w", postgres.Classify(err))
	}
	if r.Days, err = daysOf(ctx, q, r); err != nil {
		return nil, err
	}
	if r.Gaps, err = gapsOf(ctx, q, r.Account, &r.ID); err != nil {
		return nil, err
	}
	r.BadLines, err = badLinesOf(ctx, q, r)
	return r, err
}

func daysOf(ctx context.Context, q postgres.Querier, r *Import) ([]kz.Day, error) {
	rows, err := q.Query(ctx, `SELECT DISTINCT booking_day FROM statement_line WHERE file_id = $1 AND recorded_at = $2 ORDER BY 1`, r.ID, r.ImportedAt)
	if err != nil {
		return nil, fmt.Errorf("read an import's days: %w", postgres.Classify(err))
	}
	days, err := pgx.CollectRows(rows, pgx.RowTo[kz.Day])
	if err != nil {
		return nil, fmt.Errorf("read an import's days: %w", postgres.Classify(err))
	}
	return days, nil
}

func badLinesOf(ctx context.Context, q postgres.Querier, r *Import) ([]BadLine, error) {
	rows, err := q.Query(ctx, `SELECT position, place, booking_day, code, detail FROM statement_bad_line
		WHERE file_id = $1 AND recorded_at = $2 ORDER BY position LIMIT $3`, r.ID, r.ImportedAt, badListed)
	if err != nil {
		return nil, fmt.Errorf("read an import's bad lines: %w", postgres.Classify(err))
	}
	bad, err := pgx.CollectRows(rows, pgx.RowToStructByPos[BadLine])
	if err != nil {
		return nil, fmt.Errorf("read an import's bad lines: %w", postgres.Classify(err))
	}
	return bad, nil
}
