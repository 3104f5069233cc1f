package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/statement"
)

var (
	sayImporting = text{"Үзінді көшірме оқылуда", "Читаю выписку", "Reading the statement"}
	sayImported  = text{
		"%s: жаңа жолдар %d, бұрын келген %d, оқылмаған %d",
		"%s: новых строк %d, пришедших раньше %d, нечитаемых %d",
		"%s: %d new lines, %d that came before, %d that cannot be read",
	}
	sayKnown = text{
		"%s: бұл файл бұрын жүктелген, ештеңе өзгерген жоқ",
		"%s: этот файл уже загружен, ничего не изменилось",
		"%s: the same file came before, nothing changed",
	}
	sayReading = text{
		"%d жол, %s, секундына %.0f жол",
		"строк %d, %s, %.0f строк в секунду",
		"%d lines, %s, %.0f lines/s",
	}
	sayStoring = text{
		"%d жол оқылды, жаңалары сақталуда",
		"прочитано строк %d, сохраняю новые",
		"%d lines read, storing the new ones",
	}
	sayMatching      = text{"Салыстырылуда", "Сверяю", "Reconciling"}
	sayReconciledDay = text{
		"%s: жолдар %d, сәйкес келгені %d (%s), назар аударуды қажет ететіні %d",
		"%s: строк %d, совпало %d (%s), требуют внимания %d",
		"%s: %d lines, %d matched (%s), %d need a person",
	}
	sayVerifying   = text{"Бас кітап тексерілуде", "Проверяю книгу", "Verifying the ledger"}
	sayLedgerTotal = text{
		"жазбалар %d, өткізулер %d, дебет %s, кредит %s",
		"записей %d, проводок %d, дебет %s, кредит %s",
		"%d entries, %d postings, debits %s, credits %s",
	}
	sayLedgerWhole = text{"Бас кітап бүтін.", "Книга цела.", "The ledger is whole."}
)

// treasury is the operator's hand in payments: the database of a place, and
// what its configuration says of the treasury.
type treasury struct{ payments.Treasury }

// openTreasury opens the place's database. The caller closes the pool.
func (p *program) openTreasury(ctx context.Context, w *place) (*treasury, error) {
	c := &config.Config{} // of senim up: all defaults
	var dsn string
	var err error
	if w.config == "" {
		dsn, err = w.dsn(p.environ)
	} else if c, err = config.Load(w.config, p.environ); err == nil {
		dsn, err = readDSN(c)
	}
	if err != nil {
		return nil, err
	}
	calendar, err := readCalendar(c.Payments.CalendarFile)
	if err != nil {
		return nil, err
	}
	pool, err := postgres.OpenUnhurried(ctx, dsn)
	if err != nil {
		return nil, err
	}
	jobs, err := insertOnly(pool, p.now)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &treasury{payments.Treasury{Pool: pool, Jobs: jobs, Now: p.now, IIK: c.Payments.BeneficiaryIIK, Calendar: calendar}}, nil
}

// insertOnly is the job queue for a command that works no jobs: the service
// that runs on the same database does.
func insertOnly(pool *pgxpool.Pool, now func() time.Time) (*outbox.Jobs, error) {
	workers := river.NewWorkers()
	if err := payments.AddAnnouncer(workers, pool, now); err != nil {
		return nil, err
	}
	return outbox.NewJobs(pool, workers, outbox.JobsConfig{Now: now})
}

// audit records that the operator did something, and how it ended. The act has
// its own transaction; should this one fail, doing it again changes nothing.
func (t *treasury) audit(ctx context.Context, action, object, outcome string) error {
	return postgres.InTx(ctx, t.Pool, func(tx pgx.Tx) error {
		return outbox.Audit(ctx, tx, outbox.AuditRecord{Actor: actor(), Action: action, Object: object, Outcome: outcome, At: t.Now()})
	})
}

// badInput gives an error that is the fault of the user's file its exit code.
func badInput(err error) error {
	if f := fault.Of(err); f != nil && slices.Contains([]fault.Class{fault.BadInput, fault.TooLarge, fault.Refused}, f.Code.Class()) {
		return &exitError{exitBadInput, err}
	}
	return err
}

func (p *program) statementCommand() *cobra.Command {
	c := &cobra.Command{Use: "statement", Short: "The treasury's statements", Args: cobra.NoArgs}
	c.AddCommand(p.statementImport())
	return c
}

func (p *program) statementImport() *cobra.Command {
	var where place
	var asJSON bool
	var mapping string
	c := &cobra.Command{
		Use:   "import FILE…",
		Short: "Store statement files of the treasury's account",
		Long: `Stores the treasury's statement files, one after the other, each whole or not at
all. The format is told by the content: camt.053, 052 and 054 of ISO 20022, MT940,
MT942 and MT950 of SWIFT, MT100 and MT102 as Kazakhstan's banks exchange them, the
revenue service's receipts in JSON, and CSV with a --mapping of its columns. A line
that cannot be read is kept and listed; a file or a line that came before changes
nothing, so that any file may be imported again. Where a statement does not continue
the one before, by its opening balance or its number, the gap is listed; it goes when
what is missing is imported. A FILE may be a pipe.

Exit 0 all files are stored, whatever lines they hold; 1 the work failed; 64
wrong usage; 65 a FILE is no statement of the treasury's account. The files
before it are stored then, those after it are not.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			options, err := statementOptions(mapping)
			if err != nil {
				return err
			}
			t, err := p.openTreasury(c.Context(), &where)
			if err != nil {
				return err
			}
			defer t.Pool.Close()
			all := []importedFile{}
			for _, file := range files {
				var done *importedFile
				if done, err = p.importStatement(c.Context(), t, file, options); err != nil {
					break
				}
				all = append(all, *done)
				if !asJSON {
					p.showImport(done)
				}
			}
			if asJSON {
				err = errors.Join(err, p.printJSON(struct {
					Statements []importedFile `json:"statements"` // those that are stored
				}{all}))
			}
			return err
		},
	}
	where.flags(c)
	c.Flags().StringVar(&mapping, "mapping", "", "YAML file that says what the columns of CSV FILEs are")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// statementOptions reads the mapping of CSV files, if one is named.
func statementOptions(path string) (o statement.Options, err error) {
	if path == "" {
		return o, nil
	}
	raw, err := readCapped(path, statement.MappingBytesMax)
	if err == nil {
		o.Mapping, err = statement.ParseMapping(raw)
	}
	if err != nil {
		return o, badInput(fmt.Errorf("%s: %w", path, err))
	}
	return o, nil
}

// importedFile is one file as --json gives it.
type importedFile struct {
	File   string                   `json:"file"`
	Import *dossier.StatementImport `json:"import"`
}

func (p *program) importStatement(ctx context.Context, t *treasury, path string, options statement.Options) (*importedFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, badInput(fault.Wrap(err, fault.Unreadable, path, "open the statement"))
	}
	defer file.Close()
	// A pipe may have nothing for long: whoever stops the program does not wait.
	defer context.AfterFunc(ctx, func() { _ = file.Close() })()
	info, err := file.Stat()
	if err != nil {
		return nil, badInput(fault.Wrap(err, fault.Unreadable, path, "open the statement"))
	}
	var shown *importedFile
	err = p.working(sayImporting, func(report func(string)) error {
		progress := &importProgress{program: p, report: report, began: p.now()}
		options.Progress = progress.lines
		source := &measured{ctx: ctx, source: file, total: info.Size(), report: progress.bytes}
		done, err := t.ImportStatement(ctx, filepath.Base(path), source, options)
		if err != nil {
			return err
		}
		shown = &importedFile{path, dossier.ImportOf(done)}
		return t.audit(ctx, "import statement", done.ID.String(), "done")
	})
	if err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", path, err))
	}
	return shown, nil
}

// importProgress tells how far an import is. Its parts are told by the reading
// and, when that has ended, by the storing goroutine.
type importProgress struct {
	program *program
	report  func(string)
	began   time.Time
	amount  string
}

func (i *importProgress) bytes(amount string) { i.amount = amount }

func (i *importProgress) lines(step statement.Step, n int) {
	if step == statement.Storing {
		i.report(fmt.Sprintf(sayStoring.in(i.program.language), n))
		return
	}
	rate := float64(n) / max(i.program.now().Sub(i.began).Seconds(), time.Millisecond.Seconds())
	i.report(fmt.Sprintf(sayReading.in(i.program.language), n, i.amount, rate))
}

func (p *program) showImport(file *importedFile) {
	done := file.Import
	if done.Known {
		fmt.Fprintf(p.stdout, sayKnown.in(p.language)+"\n", file.File)
	} else {
		fmt.Fprintf(p.stdout, sayImported.in(p.language)+"\n", file.File, done.Lines, done.Duplicates, done.Bad)
		for _, r := range done.Rejected {
			fmt.Fprintf(p.stdout, "  %s\t%s\t%s\n", r.Place, r.Code, fault.Code(r.Code).Message(p.language))
		}
	}
	for _, g := range done.Gaps {
		fmt.Fprintf(p.stdout, "  %q\t%s\t%s\t%s\t%s\n", g.Statement, g.Day, g.Code, g.Code.Message(p.language), g.Detail)
	}
}

func (p *program) reconcileCommand() *cobra.Command {
	var where place
	var date string
	var asJSON bool
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Match the treasury's statements with what was paid",
		Long: `Matches the lines of every open day (Asia/Almaty) with the lines of orders that
were paid, and settles the difference to the run before in the ledger. Every
other line, and every payment that the statements lack, is listed with its
reason. It may run any number of times: the same statements and payments give
the same result, in whatever order they came.

Without --day all open days that have lines are shown; with it that day, of a
closed one what was kept when it was closed.

Exit 0 it is done, whatever exceptions there are; 1 it is not; 64 wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			day, err := p.dayOf(date)
			if err != nil {
				return err
			}
			t, err := p.openTreasury(c.Context(), &where)
			if err != nil {
				return err
			}
			defer t.Pool.Close()
			days := []*dossier.Reconciliation{}
			err = p.working(sayMatching, func(func(string)) error {
				days, err = t.reconcile(c.Context(), day)
				return err
			})
			switch {
			case err != nil:
				return err
			case asJSON && date != "":
				return p.printJSON(days[0])
			case asJSON:
				return p.printJSON(struct {
					Days []*dossier.Reconciliation `json:"days"`
				}{days})
			}
			for _, done := range days {
				p.showReconciliation(done)
			}
			return nil
		},
	}
	where.flags(c)
	c.Flags().StringVar(&date, "day", "", "business day to show, 2006-01-02 (every open one if empty)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// dayOf reads --day; the zero day is none.
func (p *program) dayOf(date string) (kz.Day, error) {
	if date == "" {
		return kz.Day{}, nil
	}
	day, err := kz.ParseDay(date)
	if err != nil {
		return kz.Day{}, &exitError{exitUsage, fmt.Errorf("--day: %w", err)}
	}
	return day, nil
}

// reconcile runs once and returns the results of one day or, of the zero day,
// of all that are open.
func (t *treasury) reconcile(ctx context.Context, day kz.Day) ([]*dossier.Reconciliation, error) {
	days := []*dossier.Reconciliation{}
	if !day.IsZero() {
		result, err := t.Reconcile(ctx, day)
		if err != nil {
			return nil, err
		}
		return append(days, dossier.ReconciliationOf(result)), t.audit(ctx, "reconcile", day.String(), "done")
	}
	results, err := t.ReconcileOpen(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		days = append(days, dossier.ReconciliationOf(r))
	}
	return days, t.audit(ctx, "reconcile", "open days", "done")
}

func (p *program) showReconciliation(r *dossier.Reconciliation) {
	fmt.Fprintf(p.stdout, sayReconciledDay.in(p.language)+"\n", r.Day, r.Lines, r.Matched, r.Total.Display(), r.ExceptionCount)
	for _, e := range r.Exceptions {
		fmt.Fprintf(p.stdout, "  %s\t%s\t%s\t%s\t%s\n", e.Place, e.Identifier, e.Amount.Display(), e.Code, fault.Code(e.Code).Message(p.language))
	}
}

func (p *program) ledgerCommand() *cobra.Command {
	c := &cobra.Command{Use: "ledger", Short: "The double-entry book of payments", Args: cobra.NoArgs}
	c.AddCommand(p.ledgerVerify(), p.ledgerBalances())
	return c
}

func (p *program) ledgerVerify() *cobra.Command {
	var where place
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check that nothing in the ledger was lost, added or changed",
		Long: `Reads the whole database as it stands at one moment and checks that every entry
balances and is as it was posted, that nothing is missing or too much, and that
accounts, orders and refunds are what the gateways' facts, the statements and
the persons' decisions make them. Each violated law is a line: the place, the
reason, what stands there and what should.

Exit 0 the book is whole; 1 it is not, or could not be read; 64 wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := p.openTreasury(c.Context(), &where)
			if err != nil {
				return err
			}
			defer t.Pool.Close()
			var found *ledger.Verification
			err = p.working(sayVerifying, func(func(string)) error {
				found, err = t.VerifyLedger(c.Context())
				return err
			})
			if found == nil {
				return err
			}
			outcome := "whole"
			if err != nil {
				outcome = string(fault.CodeOf(err))
			}
			err = errors.Join(err, t.audit(c.Context(), "verify ledger", "", outcome))
			if asJSON {
				return errors.Join(err, p.printJSON(struct {
					Whole bool `json:"whole"`
					*ledger.Verification
				}{len(found.Findings) == 0, found}))
			}
			p.showLedger(found)
			return err
		},
	}
	where.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) showLedger(v *ledger.Verification) {
	fmt.Fprintf(p.stdout, sayLedgerTotal.in(p.language)+"\n", v.Entries, v.Postings, v.Debits.Display(), v.Credits.Display())
	for _, f := range v.Findings {
		fmt.Fprintf(p.stdout, "  %s\t%s", f.Key, f.Reason)
		if f.Compared != nil {
			fmt.Fprintf(p.stdout, "\t%s\t%s", f.Has.Display(), f.Should.Display())
		}
		fmt.Fprintln(p.stdout)
	}
	if len(v.Findings) == 0 {
		fmt.Fprintln(p.stdout, sayLedgerWhole.in(p.language))
	}
}
