package postgres

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
)

// Manifest says what a dump holds, as counted in the dump's own snapshot. It
// is kept beside the dump; RestoreDatabase holds the restored database against
// it.
type Manifest struct {
	Bytes  int64      `json:"bytes"`
	SHA256 string     `json:"sha256"` // of the dump, lower-case hexadecimal
	Server int        `json:"server"` // PostgreSQL's major version
	Tables []TableSum `json:"tables"` // by name
}

// TableSum is what one table holds: how many rows, and a sum over them that
// does not depend on their order.
type TableSum struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	Sum  string `json:"sum"`
}

// DumpDatabase writes the database at dsn (a postgres:// URL) to w in
// pg_dump's custom format, which pg_restore reads without us too. The database
// stays in use: the dump and its manifest are of one snapshot. progress gets a
// line per step and may be nil.
//
// It is made for the private cluster; production is backed up by PostgreSQL's
// own tools, with point-in-time recovery.
func DumpDatabase(ctx context.Context, dsn string, w io.Writer, progress func(line string)) (*Manifest, error) {
	tool, err := openBackupTool(ctx, dsn, fault.BackupFailed, progress)
	if err != nil {
		return nil, err
	}
	defer tool.close()
	manifest := &Manifest{Server: tool.programs.major}
	err = pgx.BeginTxFunc(ctx, tool.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var snapshot string
		if err := tx.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
			return fmt.Errorf("take a snapshot: %w", err)
		}
		sum := &countingHash{hash: sha256.New()}
		if err := tool.run(ctx, "pg_dump", nil, io.MultiWriter(w, sum),
			"--format=custom", "--no-owner", "--no-privileges", "--verbose", "--snapshot="+snapshot); err != nil {
			return err
		}
		manifest.Bytes, manifest.SHA256 = sum.bytes, sum.text()
		manifest.Tables, err = sumTables(ctx, tx, tool.progress)
		return err
	})
	if err != nil {
		return nil, backupError(err, fault.BackupFailed, "dump the database")
	}
	return manifest, nil
}

// RestoreDatabase fills the empty database at dsn from a dump and checks every
// table against the manifest. The dump is read twice: first to check its own
// digest, so that a damaged dump changes nothing. All of it is one transaction:
// a failed restore leaves the database empty; one that restores something else
// than the manifest says is an error, and the database must not be used.
func RestoreDatabase(ctx context.Context, dsn string, r io.ReadSeeker, manifest *Manifest, progress func(line string)) error {
	if manifest == nil {
		return fault.New(fault.BadArgument, "manifest", "a restore needs the manifest of its dump")
	}
	tool, err := openBackupTool(ctx, dsn, fault.RestoreFailed, progress)
	if err != nil {
		return err
	}
	defer tool.close()
	if err := checkDump(r, manifest); err != nil {
		return err
	}
	present, err := sumTables(ctx, tool.pool, func(string) {})
	if err != nil {
		return backupError(err, fault.RestoreFailed, "look at the database to restore into")
	}
	if len(present) > 0 {
		return fault.New(fault.RestoreNotEmpty, present[0].Name, "the database has %d tables", len(present))
	}
	if err := tool.run(ctx, "pg_restore", r, nil, "--no-owner", "--no-privileges", "--verbose", "--exit-on-error", "--single-transaction"); err != nil {
		return backupError(err, fault.RestoreFailed, "restore the database")
	}
	restored, err := sumTables(ctx, tool.pool, tool.progress)
	if err != nil {
		return backupError(err, fault.RestoreFailed, "check what was restored")
	}
	return compareTables(manifest.Tables, restored)
}

func checkDump(r io.ReadSeeker, manifest *Manifest) error {
	sum := &countingHash{hash: sha256.New()}
	if _, err := io.Copy(sum, r); err != nil {
		return fault.Wrap(err, fault.BackupCorrupt, "", "read the backup")
	}
	if sum.bytes != manifest.Bytes || sum.text() != manifest.SHA256 {
		return fault.New(fault.BackupCorrupt, "", "the backup has %d bytes with the digest %s; its manifest says %d and %s",
			sum.bytes, sum.text(), manifest.Bytes, manifest.SHA256)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return fault.Wrap(err, fault.BackupCorrupt, "", "read the backup again")
	}
	return nil
}

func compareTables(want, got []TableSum) error {
	index := make(map[string]TableSum, len(got))
	for _, table := range got {
		index[table.Name] = table
	}
	for _, table := range want {
		if index[table.Name] != table {
			return fault.New(fault.RestoreFailed, table.Name, "restored are %d rows, the manifest says %d, or their contents differ",
				index[table.Name].Rows, table.Rows)
		}
	}
	if len(got) != len(want) {
		return fault.New(fault.RestoreFailed, "", "%d tables are restored, the manifest says %d", len(got), len(want))
	}
	return nil
}

// sumTables counts and sums every table of the current schema that holds rows
// itself: partitions, not their parents.
func sumTables(ctx context.Context, q Querier, progress func(string)) ([]TableSum, error) {
	rows, err := q.Query(ctx, `
		SELECT relname FROM pg_class
		 WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	tables := make([]TableSum, len(names))
	for i, name := range names {
		progress("counting " + name)
		tables[i].Name = name
		err := q.QueryRow(ctx, `
			SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text
			  FROM `+pgx.Identifier{name}.Sanitize()+` AS t`).Scan(&tables[i].Rows, &tables[i].Sum)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", name, err)
		}
	}
	return tables, nil
}

// backupTool runs pg_dump and pg_restore of the server's version on one database.
type backupTool struct {
	pool     *pgxpool.Pool
	programs programs
	address  string // for the command line: without the password
	password string // for the environment
	failed   fault.Code
	progress func(string)
}

func openBackupTool(ctx context.Context, dsn string, failed fault.Code, progress func(string)) (*backupTool, error) {
	if progress == nil {
		progress = func(string) {}
	}
	tool := &backupTool{failed: failed, progress: progress}
	var err error
	if tool.address, tool.password, err = partDSN(dsn); err != nil {
		return nil, err
	}
	pool, err := Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	var major int
	if err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000").Scan(&major); err != nil {
		return nil, fmt.Errorf("ask the database for its version: %w", Classify(err))
	}
	if tool.programs, err = findPrograms(ctx, major, debianPrograms); err != nil {
		return nil, err
	}
	if tool.pool, err = unhurried(ctx, pool, 1); err != nil {
		return nil, err
	}
	return tool, nil
}

func (b *backupTool) close() { b.pool.Close() }

// partDSN parts the address from the password, which must not show in the list
// of processes, and from the settings that only pgx knows.
func partDSN(dsn string) (address, password string, err error) {
	parsed, err := url.Parse(dsn)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		// The parse error would quote the password.
		return "", "", fault.New(fault.DatabaseAddress, "", "a backup needs the address as a postgres:// URL")
	}
	password, _ = parsed.User.Password()
	parsed.User = url.User(parsed.User.Username())
	query := parsed.Query()
	if inQuery := query.Get("password"); inQuery != "" {
		password = inQuery
	}
	for name := range query {
		if name == "password" || strings.HasPrefix(name, "pool_") || sessionDefaults[name] != "" && name != "application_name" {
			query.Del(name)
		}
	}
	parsed.RawQuery = query.Encode()
	return parsed.String(), password, nil
}

// run runs one of PostgreSQL's programs on the database; what it says on
// stderr is progress, and its last line the reason of a failure.
func (b *backupTool) run(ctx context.Context, program string, in io.Reader, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, b.programs.path(program), append(args, "--dbname="+b.address)...)
	cmd.Env = []string{"PATH=" + b.programs.folder + ":/usr/bin:/bin", "LC_ALL=C", "HOME=" + os.Getenv("HOME")}
	if b.password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+b.password)
	}
	cmd.Stdin, cmd.Stdout = in, out
	cmd.WaitDelay = 5 * time.Second // a pipe that somebody else holds open must not hold us
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fault.Wrap(err, b.failed, "", "prepare %s", program)
	}
	if err := cmd.Start(); err != nil {
		return fault.Wrap(err, b.failed, "", "start %s", program)
	}
	var last string
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		last = lines.Text()
		b.progress(last)
	}
	_, _ = io.Copy(io.Discard, stderr) // a line beyond the scanner's limit must not block the program
	if err := cmd.Wait(); err != nil {
		return fault.Wrap(err, b.failed, "", "%s failed: %s", program, lastOf(last))
	}
	return nil
}

// backupError gives an unclassified error of the whole act its code.
func backupError(err error, code fault.Code, act string) error {
	if classified := Classify(err); fault.Of(classified) != nil {
		return fmt.Errorf("%s: %w", act, classified)
	}
	return fault.Wrap(err, code, "", "%s", act)
}

type countingHash struct {
	hash  hash.Hash
	bytes int64
}

func (c *countingHash) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return c.hash.Write(p)
}

func (c *countingHash) text() string { return hex.EncodeToString(c.hash.Sum(nil)) }
