package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/backup"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/ledger"
)

var (
	sayChecking  = text{"Сақтық көшірме тексерілуде", "Проверяю резервную копию", "Checking the backup"}
	sayRestoring = text{"Дерекқор қалпына келтірілуде", "Восстанавливаю базу данных", "Restoring the database"}
	sayRestored  = text{
		"%s уақытындағы күйге келтірілді: %s",
		"Восстановлено состояние на %s: %s",
		"Restored as of %s: %s",
	}
	sayGoOn = text{"Жалғастыру: senim up --data %s", "Дальше: senim up --data %s", "Go on with: senim up --data %s"}
)

func (p *program) restoreCommand() *cobra.Command {
	var data string
	var asJSON bool
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make an installation of `senim up` from a backup",
		Long: `Makes an installation of ` + "`senim up`" + ` from a file of ` + "`senim backup`" + `, in a folder that is
not there or is empty. The whole backup is checked before anything is written;
the installation is made beside the folder and gets its name when it is whole,
so that a restore that fails leaves nothing. Every table is counted and summed
again, the schema is brought up to date, and the ledger is verified.

Exit 0 restored; 1 not restored, or restored with a ledger that was broken
already when the backup was made; 64 wrong usage; 65 FILE is no whole backup.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			done, err := p.restore(c.Context(), data, args[0])
			if done == nil {
				return err
			}
			if asJSON {
				return errors.Join(err, p.printJSON(done))
			}
			fmt.Fprintf(p.stdout, sayRestored.in(p.language)+"\n", done.CreatedAt.Format(time.RFC3339), done.Data)
			fmt.Fprintf(p.stdout, sayGoOn.in(p.language)+"\n", done.Data)
			return err
		},
	}
	c.Flags().StringVar(&data, "data", "", "folder to make")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	mustRequire(c, "data")
	return c
}

// restored says what a restore has made.
type restored struct {
	Data      string               `json:"data"`
	CreatedAt time.Time            `json:"created_at"` // of the backup
	Tables    int                  `json:"tables"`
	Rows      int64                `json:"rows"`
	Files     int                  `json:"files"`
	Ledger    *ledger.Verification `json:"ledger"`
}

// restore returns what it has made; beside it, the error of a ledger that is
// restored as broken as it was.
func (p *program) restore(ctx context.Context, data, path string) (*restored, error) {
	dir, err := filepath.Abs(data)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "--data", "not a folder's name")
	}
	if err := mustBeVacant(dir); err != nil {
		return nil, err
	}
	archive, closeFile, err := p.openBackup(ctx, path)
	if err != nil {
		return nil, badInput(err)
	}
	defer closeFile()
	done := &restored{Data: dir, CreatedAt: archive.Manifest.CreatedAt, Tables: len(archive.Manifest.Database.Tables), Files: len(archive.Manifest.Files)}
	for _, table := range archive.Manifest.Database.Tables {
		done.Rows += table.Rows
	}
	err = makeBeside(dir, func(unborn string) (err error) {
		done.Ledger, err = p.fill(ctx, unborn, archive)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(done.Ledger.Findings) > 0 {
		return done, fault.New(fault.LedgerInconsistent, done.Ledger.Findings[0].Key, "the ledger is restored as it was backed up: %s, and %d more findings",
			done.Ledger.Findings[0].Reason, len(done.Ledger.Findings)-1)
	}
	return done, nil
}

// mustBeVacant accepts a folder that is not there, or is empty.
func mustBeVacant(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fault.Wrap(err, fault.RestoreOccupied, dir, "look at the folder to restore into")
	case len(entries) > 0:
		return fault.New(fault.RestoreOccupied, dir, "%s is in it, and %d more", entries[0].Name(), len(entries)-1)
	}
	return nil
}

// openBackup reads the whole file. The caller closes it.
func (p *program) openBackup(ctx context.Context, path string) (*backup.Archive, func() error, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Unreadable, path, "open the backup")
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.New(fault.Unreadable, path, "a backup is a file")
	}
	var archive *backup.Archive
	if err == nil {
		err = p.working(sayChecking, func(func(string)) error {
			archive, err = backup.Open(ctx, file, info.Size(), keptFolders...)
			return err
		})
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
	}
	return archive, file.Close, nil
}

// makeBeside lets a folder be filled under another name, and gives it its name
// when it is whole. If that fails, nothing is left.
func makeBeside(dir string, fill func(unborn string) error) error {
	unborn, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".restore-*")
	if err != nil {
		return fault.Wrap(err, fault.RestoreFailed, dir, "make the folder")
	}
	// As senim up makes it: whom PostgreSQL runs as must be able to enter.
	if err = os.Chmod(unborn, 0o755); err == nil {
		err = fill(unborn)
	}
	if err == nil {
		err = errors.Join(syncFolder(unborn), mustBeVacant(dir))
	}
	if err == nil {
		// The system's own rename, which replaces an empty folder and nothing
		// else; os.Rename replaces none.
		err = syscall.Rename(unborn, dir)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(dir))
	}
	if err == nil {
		return nil
	}
	err = errors.Join(err, os.RemoveAll(unborn))
	if fault.Of(err) == nil {
		return fault.Wrap(err, fault.RestoreFailed, dir, "make the folder")
	}
	return err
}

// fill makes an installation of what is in the archive. A ledger that is not
// whole is no reason to keep back the rest: it is in the verification.
func (p *program) fill(ctx context.Context, dir string, archive *backup.Archive) (verified *ledger.Verification, err error) {
	if err := archive.Unpack(dir); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o600); err != nil {
		return nil, fault.Wrap(err, fault.RestoreFailed, dir, "make the installation's lock")
	}
	cluster, err := postgres.StartCluster(ctx, postgres.ClusterConfig{Dir: filepath.Join(dir, clusterName)})
	if err != nil {
		return nil, fmt.Errorf("start the database: %w", err)
	}
	defer func() { err = errors.Join(err, cluster.Stop(context.WithoutCancel(ctx))) }()
	err = p.working(sayRestoring, func(report func(string)) error {
		err := postgres.RestoreDatabase(ctx, cluster.DSN(), archive.Dump(), &archive.Manifest.Database, report)
		if err != nil {
			return err
		}
		report(sayMigrating.in(p.language))
		verified, err = p.bringUpToDate(ctx, cluster.DSN())
		return err
	})
	return verified, err
}

// bringUpToDate does what a start of the service does, and verifies the ledger.
func (p *program) bringUpToDate(ctx context.Context, dsn string) (*ledger.Verification, error) {
	pool, err := postgres.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	if err := postgres.Migrate(ctx, pool); err != nil {
		return nil, err
	}
	if err := postgres.EnsurePartitions(ctx, pool, p.now()); err != nil {
		return nil, err
	}
	verified, err := payments.Treasury{Pool: pool, Now: p.now}.VerifyLedger(ctx)
	if fault.Is(err, fault.LedgerInconsistent) {
		return verified, nil
	}
	return verified, err
}
