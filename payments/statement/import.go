package statement

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
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
	// batchLines is how many lines go to the database at once.
	batchLines = 1000
	// badListed bounds the bad lines in an Import; the rest is in the table.
	badListed = 100
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
	MessageID   string
	StatementID string
	Account     string
	Opening     money.Tiyn
	Closing     money.Tiyn
	Lines       int       // new lines
	Duplicates  int       // lines that another file had brought before
	Bad         int       // lines that could not be read
	BadLines    []BadLine // the first hundred of them
	Known       bool      // the same file had been imported before: nothing was changed
	Days        []kz.Day  // booking days of the new lines, in the order they came
}

// errKnown ends the transaction of a file that is known already.
var errKnown = errors.New("the file is known")

// Beginner starts a transaction: *pgxpool.Pool and *pgxpool.Conn are.
type Beginner interface {
	postgres.Querier
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Read imports a file in one transaction: all of it or, on an error, nothing.
// The same file again returns the first import and changes nothing. account is
// the one the statement must be of.
//
// It does not run again when the database undoes it, because the reader has
// been read by then: the caller gets fault.DatabaseBusy and sends the file
// again.
func Read(ctx context.Context, db Beginner, name string, r io.Reader, account string, now time.Time) (*Import, error) {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > nameRunesMax {
		return nil, fault.New(fault.BadArgument, "/name", "a statement needs a name of 1 to %d characters", nameRunesMax)
	}
	at := now.UTC().Truncate(time.Microsecond)
	i := &importer{
		ctx: ctx, account: account, digest: sha256.New(), days: make(map[kz.Day]bool),
		result: &Import{ID: postgres.NewID(at), Name: name, ImportedAt: at, Account: account},
	}
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		i.tx = tx
		return i.run(r)
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
	ctx     context.Context
	tx      pgx.Tx
	account string
	digest  hash.Hash
	pending []Line
	bad     []BadLine
	days    map[kz.Day]bool
	result  *Import
	summary *Summary
}

func (i *importer) run(r io.Reader) (err error) {
	if _, err := i.tx.Exec(i.ctx, `SELECT pg_advisory_xact_lock($1)`, int64(importLock)); err != nil {
		return fmt.Errorf("wait for another import: %w", postgres.Classify(err))
	}
	i.summary, err = Parse(io.TeeReader(r, i.digest), Sink{Line: i.line, Bad: i.badLine})
	if err != nil {
		return err
	}
	if err := i.summary.Check(i.account); err != nil {
		return err
	}
	i.digest.Sum(i.result.SHA256[:0])
	if err := i.flush(); err != nil {
		return err
	}
	if err := i.flushBad(); err != nil {
		return err
	}
	return i.file()
}

func (i *importer) line(l Line) error {
	i.pending = append(i.pending, l)
	if len(i.pending) < batchLines {
		return nil
	}
	return i.flush()
}

func (i *importer) badLine(b BadLine) error {
	i.result.Bad++
	i.bad = append(i.bad, b)
	if len(i.result.BadLines) < badListed {
		i.result.BadLines = append(i.result.BadLines, b)
	}
	if len(i.bad) < batchLines {
		return nil
	}
	return i.flushBad()
}

// columns are lines turned on their side, as unnest takes them.
type columns struct {
	ids                                 []uuid.UUID
	keys                                [][]byte
	positions                           []int32
	booked                              []bool
	bookingDays, valueDays              []kz.Day
	amounts                             []int64
	places, references, identifiers     []string
	budgets, purposes, payers, endToEnd []string
	texts                               []string
}

func (i *importer) columns() columns {
	var c columns
	for _, l := range i.pending {
		key := l.key(i.account)
		c.ids = append(c.ids, postgres.NewID(i.result.ImportedAt))
		c.keys = append(c.keys, key[:])
		c.positions = append(c.positions, int32(l.Position))
		c.booked = append(c.booked, l.Booked)
		c.bookingDays = append(c.bookingDays, l.BookingDay)
		c.valueDays = append(c.valueDays, l.ValueDay)
		c.amounts = append(c.amounts, int64(l.Amount))
		c.places = append(c.places, l.Place)
		c.references = append(c.references, l.Reference)
		c.identifiers = append(c.identifiers, l.Identifier)
		c.budgets = append(c.budgets, l.BudgetCode)
		c.purposes = append(c.purposes, l.PurposeCode)
		c.payers = append(c.payers, l.Payer)
		c.endToEnd = append(c.endToEnd, l.EndToEnd)
		c.texts = append(c.texts, l.Purpose)
	}
	return c
}

// flush stores the pending lines that no file has brought before. The key
// decides, in one statement with the line itself.
func (i *importer) flush() error {
	if len(i.pending) == 0 {
		return nil
	}
	c := i.columns()
	rows, err := i.tx.Query(i.ctx, `
		WITH input AS (
			SELECT * FROM unnest($3::uuid[], $4::bytea[], $5::int[], $6::text[], $7::text[], $8::bool[], $9::date[], $10::date[],
				$11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[])
			  AS l (id, key, position, place, reference, booked, booking_day, value_day,
				amount, identifier, budget_code, purpose_code, payer, end_to_end, purpose)),
		fresh AS (
			INSERT INTO statement_line_once (line_key, line_id, recorded_at)
			SELECT key, id, $1 FROM input ON CONFLICT DO NOTHING RETURNING line_id)
		INSERT INTO statement_line (id, recorded_at, file_id, position, place, reference, booked, booking_day, value_day,
			amount, identifier, budget_code, purpose_code, payer, end_to_end, purpose)
		SELECT id, $1, $2, position, place, reference, booked, booking_day, value_day,
			amount, identifier, budget_code, purpose_code, payer, end_to_end, purpose
		  FROM input WHERE id IN (SELECT line_id FROM fresh) ORDER BY position
		RETURNING booking_day`,
		i.result.ImportedAt, i.result.ID, c.ids, c.keys, c.positions, c.places, c.references, c.booked, c.bookingDays, c.valueDays,
		c.amounts, c.identifiers, c.budgets, c.purposes, c.payers, c.endToEnd, c.texts)
	if err != nil {
		return fmt.Errorf("store statement lines: %w", postgres.Classify(err))
	}
	days, err := pgx.CollectRows(rows, pgx.RowTo[kz.Day])
	if err != nil {
		return fmt.Errorf("store statement lines: %w", postgres.Classify(err))
	}
	for _, day := range days {
		if !i.days[day] {
			i.days[day] = true
			i.result.Days = append(i.result.Days, day)
		}
	}
	i.result.Lines += len(days)
	i.result.Duplicates += len(i.pending) - len(days)
	i.pending = i.pending[:0]
	return nil
}

func (i *importer) flushBad() error {
	var batch pgx.Batch
	for _, b := range i.bad {
		batch.Queue(`INSERT INTO statement_bad_line (file_id, recorded_at, position, place, booking_day, code, detail)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			i.result.ID, i.result.ImportedAt, b.Position, b.Place, b.Day, string(b.Code), b.Detail)
	}
	i.bad = i.bad[:0]
	if batch.Len() == 0 {
		return nil
	}
	if err := i.tx.SendBatch(i.ctx, &batch).Close(); err != nil {
		return fmt.Errorf("store bad statement lines: %w", postgres.Classify(err))
	}
	return nil
}

// file writes the row that makes the import known.
func (i *importer) file() error {
	s, r := i.summary, i.result
	r.MessageID, r.StatementID, r.Opening, r.Closing = s.MessageID, s.StatementID, s.Opening.Amount, s.Closing.Amount
	tag, err := i.tx.Exec(i.ctx, `
		INSERT INTO statement_file (sha256, id, recorded_at, name, message_id, statement_id, account, opening, closing, lines, duplicates, bad)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (sha256) DO NOTHING`,
		r.SHA256[:], r.ID, r.ImportedAt, r.Name, r.MessageID, r.StatementID, r.Account,
		int64(r.Opening), int64(r.Closing), r.Lines, r.Duplicates, r.Bad)
	if err != nil {
		return fmt.Errorf("store the statement: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() == 0 {
		return errKnown
	}
	return nil
}

// Get returns the import of the file with this digest. Its bad lines are the
// first hundred, its days those of the lines it brought.
func Get(ctx context.Context, q postgres.Querier, digest [sha256.Size]byte) (*Import, error) {
	r := &Import{SHA256: digest, Known: true}
	err := q.QueryRow(ctx, `
		SELECT id, recorded_at, name, message_id, statement_id, account, opening, closing, lines, duplicates, bad
		  FROM statement_file WHERE sha256 = $1`, digest[:]).
		Scan(&r.ID, &r.ImportedAt, &r.Name, &r.MessageID, &r.StatementID, &r.Account, &r.Opening, &r.Closing, &r.Lines, &r.Duplicates, &r.Bad)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.StatementUnknown, "", "no file with the digest %x was imported", digest)
	}
	if err != nil {
		return nil, fmt.Errorf("read an import: %w", postgres.Classify(err))
	}
	rows, err := q.Query(ctx, `SELECT DISTINCT booking_day FROM statement_line WHERE file_id = $1 AND recorded_at = $2 ORDER BY 1`, r.ID, r.ImportedAt)
	if err == nil {
		r.Days, err = pgx.CollectRows(rows, pgx.RowTo[kz.Day])
	}
	if err != nil {
		return nil, fmt.Errorf("read an import's days: %w", postgres.Classify(err))
	}
	rows, err = q.Query(ctx, `SELECT position, place, booking_day, code, detail FROM statement_bad_line
		WHERE file_id = $1 AND recorded_at = $2 ORDER BY position LIMIT $3`, r.ID, r.ImportedAt, badListed)
	if err == nil {
		r.BadLines, err = pgx.CollectRows(rows, pgx.RowToStructByPos[BadLine])
	}
	if err != nil {
		return nil, fmt.Errorf("read an import's bad lines: %w", postgres.Classify(err))
	}
	return r, nil
}
