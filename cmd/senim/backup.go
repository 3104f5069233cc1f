package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/backup"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// keptFolders are the parts of an installation that a backup keeps as files.
// The database is kept as a dump; lock, log and addresses are of one run.
var keptFolders = []string{privateName, anchorsName}

// unfinishedSuffix is of the backup in the making. The name is taken by
// whoever makes it, so that two cannot write one backup.
const unfinishedSuffix = ".part"

var (
	sayDumping   = text{"Дерекқор сақталуда", "Сохраняю базу данных", "Dumping the database"}
	sayPacking   = text{"Сақтық көшірме жазылуда", "Записываю резервную копию", "Writing the backup"}
	sayBackedUp  = text{"Сақтық көшірме дайын: %s", "Резервная копия готова: %s", "The backup is ready: %s"}
	sayBackupSum = text{
		"%d байт, %d кесте, %d жол, %d файл, SHA-256 %s",
		"%d байт, таблиц %d, строк %d, файлов %d, SHA-256 %s",
		"%d bytes, %d tables, %d rows, %d files, SHA-256 %s",
	}
	sayBackupSecret = text{
		"Ішінде кілттер мен жеке деректер бар: жабық жерде сақтаңыз.",
		"Внутри ключи и персональные данные: храните её закрыто.",
		"It holds keys and personal data: keep it where nobody else can read it.",
	}
)

func (p *program) backupCommand() *cobra.Command {
	var data, out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "backup",
		Short: "Keep the data of a `senim up` in one file, while it runs or not",
		Long: `Keeps an installation of ` + "`senim up`" + ` in one file: the database as of one moment,
the private folder (tokens with the keys in them, PINs, clients' keys, the
sandbox) and the trust anchors. It works while senim runs, and starts the
database for itself otherwise. The file is a tar archive, mode 0600; what was
there before is never overwritten. It needs the space of the dump twice.

The files are read after the database. What the stand-ins were told in between
is in them and not in the database; stop senim first if that matters.

A production service is backed up by PostgreSQL's tools and the HSM's own:
docs/operation.md.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			done, err := p.backup(c.Context(), data, out)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(done)
			}
			fmt.Fprintf(p.stdout, sayBackedUp.in(p.language)+"\n", done.File)
			fmt.Fprintf(p.stdout, sayBackupSum.in(p.language)+"\n", done.Bytes, done.Tables, done.Rows, done.Files, done.SHA256)
			fmt.Fprintln(p.stdout, sayBackupSecret.in(p.language))
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", "senim-data", "folder of the installation")
	c.Flags().StringVar(&out, "out", "", "file to write")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	mustRequire(c, "out")
	return c
}

// mustRequire marks flags that the command has defined.
func mustRequire(c *cobra.Command, flags ...string) {
	for _, flag := range flags {
		if err := c.MarkFlagRequired(flag); err != nil {
			panic(err) // the flag is not defined: a mistake in this file
		}
	}
}

// backedUp says what a backup holds.
type backedUp struct {
	File      string    `json:"file"`
	CreatedAt time.Time `json:"created_at"`
	Running   bool      `json:"running"` // senim ran meanwhile
	Bytes     int64     `json:"bytes"`
	SHA256    string    `json:"sha256"` // of the file
	Tables    int       `json:"tables"`
	Rows      int64     `json:"rows"`
	Files     int       `json:"files"`
}

func (p *program) backup(ctx context.Context, data, out string) (done *backedUp, err error) {
	out, err = backupName(data, out)
	if err != nil {
		return nil, err
	}
	found, err := openInstallation(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.close()) }()
	done = &backedUp{File: out, Running: found.running}
	err = writeBeside(out, func(file *os.File) error { return p.writeBackup(ctx, found, file, done) })
	if err != nil {
		return nil, err
	}
	return done, nil
}

// backupName refuses a backup inside of what it is a backup of: it would go
// with it.
func backupName(data, out string) (string, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return "", fault.Wrap(err, fault.BadArgument, "--out", "not a file's name")
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(out))
	if err != nil {
		return "", fault.Wrap(err, fault.BadArgument, "--out", "the folder of the backup")
	}
	data, err = filepath.EvalSymlinks(data)
	if err != nil {
		return "", fault.Wrap(err, fault.InstallationAbsent, "--data", "look for the installation")
	}
	if data, err = filepath.Abs(data); err != nil {
		return "", fault.Wrap(err, fault.BadArgument, "--data", "not a folder's name")
	}
	if folder == data || strings.HasPrefix(folder, data+string(filepath.Separator)) {
		return "", fault.New(fault.BadArgument, "--out", "%s is inside of the installation", out)
	}
	return filepath.Join(folder, filepath.Base(out)), nil
}

// writeBackup dumps the database, then collects the files, then writes both to
// the file.
func (p *program) writeBackup(ctx context.Context, from *installation, file *os.File, done *backedUp) error {
	dump, err := os.CreateTemp(filepath.Dir(file.Name()), "."+filepath.Base(file.Name())+".*") // mode 0600
	if err != nil {
		return fault.Wrap(err, fault.BackupFailed, file.Name(), "make room for the dump")
	}
	defer dump.Close()
	// It has no name from here on, so that nothing is left of it however we end.
	if err := os.Remove(dump.Name()); err != nil {
		return fault.Wrap(err, fault.BackupFailed, dump.Name(), "unname the dump")
	}
	done.CreatedAt = p.now().UTC()
	var database *postgres.Manifest
	err = p.working(sayDumping, func(report func(string)) error {
		database, err = postgres.DumpDatabase(ctx, from.dsn, dump, report)
		return err
	})
	if err != nil {
		return err
	}
	contents, err := backup.Collect(from.dir, keptFolders...)
	if err != nil {
		return err
	}
	if _, err := dump.Seek(0, io.SeekStart); err != nil {
		return fault.Wrap(err, fault.BackupFailed, file.Name(), "read the dump")
	}
	return p.working(sayPacking, func(report func(string)) error {
		sum := sha256.New()
		source := &measured{ctx: ctx, source: dump, total: database.Bytes, report: report}
		manifest, err := backup.Write(io.MultiWriter(file, sum), done.CreatedAt, database, source, contents)
		if err != nil {
			return err
		}
		done.SHA256, done.Tables, done.Files = hex.EncodeToString(sum.Sum(nil)), len(database.Tables), len(manifest.Files)
		for _, table := range database.Tables {
			done.Rows += table.Rows
		}
		if done.Bytes, err = file.Seek(0, io.SeekCurrent); err != nil {
			return fault.Wrap(err, fault.BackupFailed, file.Name(), "measure the backup")
		}
		return nil
	})
}

// writeBeside lets a new file be written under another name, and gives it its
// name when it is whole and on the disk. A name that is taken stays as it is.
func writeBeside(path string, write func(*os.File) error) error {
	unfinished := path + unfinishedSuffix
	file, err := os.OpenFile(unfinished, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.BackupExists, unfinished, "another backup is being written, or one was killed: then remove the file")
	}
	if err != nil {
		return fault.Wrap(err, fault.BackupFailed, unfinished, "make the file")
	}
	err = mustNotExist(path)
	if err == nil {
		err = write(file)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(unfinished, path)
	}
	if err != nil {
		return backupFailed(errors.Join(err, os.Remove(unfinished)), path)
	}
	return backupFailed(syncFolder(filepath.Dir(path)), path)
}

func mustNotExist(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return fault.New(fault.BackupExists, path, "give another name, or remove it")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

func backupFailed(err error, path string) error {
	if err == nil || fault.Of(err) != nil {
		return err
	}
	return fault.Wrap(err, fault.BackupFailed, path, "write the backup")
}

// syncFolder makes names in the folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the folder %s: %w", path, err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("flush the folder %s: %w", path, err)
	}
	return nil
}

// installation is a folder of `senim up` whose database answers.
type installation struct {
	dir     string
	dsn     string
	running bool // senim runs; its database is used
	closers []func() error
}

// openInstallation finds out by the folder's lock whether senim runs there.
// If not, it starts the database, and keeps senim away until close.
func openInstallation(ctx context.Context, data string) (*installation, error) {
	dir, err := filepath.Abs(data)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "--data", "not a folder's name")
	}
	// Without O_CREATE: a folder without a lock was never started.
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fault.Wrap(err, fault.InstallationAbsent, dir, "open the installation's lock")
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return runningInstallation(dir, lock.Close())
	}
	found := &installation{dir: dir, closers: []func() error{lock.Close}}
	cluster := filepath.Join(dir, clusterName)
	// StartCluster would make an empty one.
	if _, err := os.Stat(cluster); err != nil {
		return nil, errors.Join(fault.Wrap(err, fault.InstallationAbsent, cluster, "look for the database"), found.close())
	}
	started, err := postgres.StartCluster(ctx, postgres.ClusterConfig{Dir: cluster})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the database: %w", err), found.close())
	}
	found.dsn = started.DSN()
	found.closers = append(found.closers, func() error { return started.Stop(context.WithoutCancel(ctx)) })
	return found, nil
}

func runningInstallation(dir string, err error) (*installation, error) {
	if err != nil {
		return nil, fmt.Errorf("close the installation's lock: %w", err)
	}
	known, err := readURLs(dir)
	if err != nil {
		return nil, fault.Wrap(err, fault.InUse, dir, "senim starts or stops there, or another command works on it; try again")
	}
	if known.Database == "" {
		return nil, fault.New(fault.InUse, dir, "only the sandbox runs there; stop it first")
	}
	return &installation{dir: dir, dsn: known.Database, running: true}, nil
}

func (i *installation) close() error {
	var errs []error
	for n := len(i.closers) - 1; n >= 0; n-- {
		errs = append(errs, i.closers[n]())
	}
	return errors.Join(errs...)
}
