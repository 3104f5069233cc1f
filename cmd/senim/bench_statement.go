package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// Entries of the statements that are measured. An operation is a statement; the
// rates are of entries, the latencies of statements.
const (
	parsedEntries   = 2_000
	importedEntries = 5_000
	smallEntries    = 20
	// statementShare is the share of a round's operations that statements are:
	// one of them takes as long as that many others.
	statementShare = 16
)

// treasuryDay is a statement of our account.
func (b *bench) treasuryDay(first, entries int) ([]byte, error) {
	if b.config.Small {
		entries = smallEntries
	}
	r, err := sample.TreasuryDay{
		Account: order.TreasuryIIK, Day: kz.DayOf(b.now()), ID: fmt.Sprintf("BENCH-%d", first), Entries: entries, First: first,
	}.Reader()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// byStatement runs a share of n operations, each over one statement. What
// operation returns is measured, and says how many entries the statement had.
func (b *bench) byStatement(ctx context.Context, n int, operation func() (func() (int, error), error)) (each []time.Duration, total time.Duration, err error) {
	for range max(n/statementShare, 1) {
		if err := ctx.Err(); err != nil {
			return nil, 0, fmt.Errorf("stopped: %w", err)
		}
		act, err := operation()
		if err != nil {
			return nil, 0, err
		}
		start := b.now()
		entries, err := act()
		if err != nil {
			return nil, 0, err
		}
		took := b.now().Sub(start)
		total += took
		for range entries {
			each = append(each, took)
		}
	}
	return each, total, nil
}

// parseAgainstStandard reads one statement over and over, by payments/statement
// and by encoding/xml into a structure of the same fields.
func parseAgainstStandard(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
	document, err := b.treasuryDay(1, parsedEntries)
	if err != nil {
		return benchResult{}, err
	}
	side := func(parse func([]byte) (int, error)) benchSide {
		return func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
			return b.byStatement(ctx, n, func() (func() (int, error), error) {
				return func() (int, error) { return parse(document) }, nil
			})
		}
	}
	return b.alternate(ctx, row, side(parseStatement), side(parseByStandard))
}

func parseStatement(document []byte) (entries int, err error) {
	err = statement.Parse(bytes.NewReader(document), statement.Options{}, statement.Sink{
		Entry: func(*statement.Statement, *statement.Entry) error { entries++; return nil },
	})
	return entries, err
}

// standardEntry has what statement.Entry takes from an Ntry of the statement
// that is measured.
type standardEntry struct {
	Reference string         `xml:"NtryRef"`
	Amount    standardAmount `xml:"Amt"`
	Indicator string         `xml:"CdtDbtInd"`
	Reversal  bool           `xml:"RvslInd"`
	Status    string         `xml:"Sts>Cd"`
	Booking   string         `xml:"BookgDt>Dt"`
	Value     string         `xml:"ValDt>Dt"`
	Servicer  string         `xml:"AcctSvcrRef"`
	Domain    string         `xml:"BkTxCd>Domn>Cd"`
	Family    string         `xml:"BkTxCd>Domn>Fmly>Cd"`
	Subfamily string         `xml:"BkTxCd>Domn>Fmly>SubFmlyCd"`
	Details   []struct {
		Servicer  string         `xml:"Refs>AcctSvcrRef"`
		EndToEnd  string         `xml:"Refs>EndToEndId"`
		Amount    standardAmount `xml:"Amt"`
		Indicator string         `xml:"CdtDbtInd"`
		Debtor    string         `xml:"RltdPties>Dbtr>Pty>Nm"`
		IDs       []struct {
			ID     string `xml:"Id"`
			Scheme string `xml:"SchmeNm>Prtry"`
		} `xml:"RltdPties>Dbtr>Pty>Id>OrgId>Othr"`
		Account  string   `xml:"RltdPties>DbtrAcct>Id>IBAN"`
		Agent    string   `xml:"RltdAgts>DbtrAgt>FinInstnId>BICFI"`
		Purpose  string   `xml:"Purp>Prtry"`
		Text     []string `xml:"RmtInf>Ustrd"`
		Document []struct {
			Kind   string `xml:"Tp>CdOrPrtry>Prtry"`
			Number string `xml:"Nb"`
		} `xml:"RmtInf>Strd>RfrdDocInf"`
		Creditor []struct {
			Kind   string `xml:"Tp>CdOrPrtry>Prtry"`
			Number string `xml:"Ref"`
		} `xml:"RmtInf>Strd>CdtrRefInf"`
	} `xml:"NtryDtls>TxDtls"`
}

type standardAmount struct {
	Currency string `xml:"Ccy,attr"`
	Value    string `xml:",chardata"`
}

// parseByStandard reads entry by entry, so that memory does not grow either.
func parseByStandard(document []byte) (entries int, err error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "Ntry" {
			continue
		}
		var entry standardEntry
		if err := d.DecodeElement(&entry, &start); err != nil {
			return entries, err
		}
		entries++
	}
}

// statementBench is a database of its own: statements that were imported make
// the next one slower, which other rows need not feel.
type statementBench struct {
	b     *bench
	pool  *pgxpool.Pool
	next  int // number of the next entry
	lines strings.Builder
}

// importAgainstCopy imports statements whole and, for reference, puts as many
// lines into a table without an index by a bare COPY.
func importAgainstCopy(ctx context.Context, b *bench, row benchRow) (result benchResult, err error) {
	cluster, err := postgres.StartCluster(ctx, postgres.ClusterConfig{Dir: filepath.Join(b.dir, "statements"), Unsafe: b.config.Small})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, cluster.Stop(context.WithoutCancel(ctx))) }()
	s := &statementBench{b: b, next: 1}
	if s.pool, err = postgres.OpenUnhurried(ctx, cluster.DSN()); err != nil {
		return result, err
	}
	defer s.pool.Close()
	if err := postgres.Migrate(ctx, s.pool); err != nil {
		return result, err
	}
	if err := postgres.EnsurePartitions(ctx, s.pool, b.now()); err != nil {
		return result, err
	}
	if err := s.prepare(ctx); err != nil {
		return result, err
	}
	return b.alternate(ctx, row, s.side(s.ours), s.side(s.bare))
}

func (s *statementBench) side(operation func(context.Context) (func() (int, error), error)) benchSide {
	return func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
		return s.b.byStatement(ctx, n, func() (func() (int, error), error) { return operation(ctx) })
	}
}

// ours imports a statement of lines that are new.
func (s *statementBench) ours(ctx context.Context) (func() (int, error), error) {
	document, err := s.b.treasuryDay(s.next, importedEntries)
	if err != nil {
		return nil, err
	}
	return func() (int, error) {
		done, err := statement.Read(ctx, s.pool, statement.Source{
			Name: fmt.Sprintf("%d.xml", s.next), Reader: bytes.NewReader(document), Account: order.TreasuryIIK, At: s.b.now(),
		})
		if err != nil {
			return 0, err
		}
		s.next += done.Lines
		return done.Lines, nil
	}, nil
}

// prepare writes down the lines of a first statement as COPY takes them.
func (s *statementBench) prepare(ctx context.Context) error {
	first, err := s.ours(ctx)
	if err != nil {
		return err
	}
	if _, err := first(); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, "CREATE TABLE bench_statement_line (LIKE statement_line)"); err != nil {
		return fmt.Errorf("make the table of the bare COPY: %w", postgres.Classify(err))
	}
	return s.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		if _, err := c.Conn().PgConn().CopyTo(ctx, &s.lines, "COPY (SELECT * FROM statement_line) TO STDOUT"); err != nil {
			return fmt.Errorf("write the lines down: %w", postgres.Classify(err))
		}
		return nil
	})
}

// bare is one transaction, durable as the import is.
func (s *statementBench) bare(ctx context.Context) (func() (int, error), error) {
	return func() (n int, err error) {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			tag, err := tx.Conn().PgConn().CopyFrom(ctx, strings.NewReader(s.lines.String()), "COPY bench_statement_line FROM STDIN")
			n = int(tag.RowsAffected())
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("copy: %w", postgres.Classify(err))
		}
		return n, nil
	}, nil
}
