package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/backup"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// keptFiles stand in for what senim up keeps as files.
var keptFiles = map[string]string{
	"private/senim.pin":                  "a PIN",
	"private/token/softhsm2.conf":        "directories.tokendir = /elsewhere",
	"private/token/tokens/t/a.object":    "\x00\x01",
	"private/clients/single-window.jwk":  "{}",
	"private/sandbox/register/state.bin": strings.Repeat("state", 1000),
	"anchors/root_rsa.pem":               "PEM",
}

// startInstallation makes an installation with data in it, its database
// running.
func startInstallation(t *testing.T) (dir string, cluster *postgres.Cluster) {
	t.Helper()
	if testing.Short() {
		t.Skip("PostgreSQL's programs do the work, and are not raced")
	}
	dir = filepath.Join(postgrestest.Folder(t), "senim-data")
	for name, text := range keptFiles {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	check(t, os.WriteFile(filepath.Join(dir, lockName), nil, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, logName), []byte("of one run"), 0o600))
	cluster, err := postgres.StartCluster(t.Context(), postgres.ClusterConfig{Dir: filepath.Join(dir, clusterName), Unsafe: true})
	if fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	check(t, err)
	t.Cleanup(func() { _ = cluster.Stop(context.Background()) })
	pool := openPool(t, cluster.DSN())
	check(t, postgres.Migrate(t.Context(), pool))
	ensurePartitions(t, pool)
	fillDatabase(t, pool)
	pool.Close()
	return dir, cluster
}

// filesIn reads what an installation keeps as files, and names what else is in it.
func filesIn(t *testing.T, dir string) (kept map[string]string, others []string) {
	t.Helper()
	kept = make(map[string]string)
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, entry := range entries {
		if name := entry.Name(); name != privateName && name != anchorsName {
			others = append(others, name)
		}
	}
	for _, folder := range keptFolders {
		check(t, filepath.WalkDir(filepath.Join(dir, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			kept[name] = string(data)
			return err
		}))
	}
	return kept, others
}

// left names what is in a folder.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// manifestOf reads what a backup says of itself.
func manifestOf(t *testing.T, path string) *backup.Manifest {
	t.Helper()
	file, err := os.Open(path)
	check(t, err)
	defer file.Close()
	info, err := file.Stat()
	check(t, err)
	archive, err := backup.Open(t.Context(), file, info.Size(), keptFolders...)
	check(t, err)
	return archive.Manifest
}

func TestBackupAndRestore(t *testing.T) {
	dir, cluster := startInstallation(t)
	room := postgrestest.Folder(t)
	o := newOperator()

	// While senim runs.
	lock := holdLock(t, dir)
	writeURLs(t, dir, urls{Database: cluster.DSN()})
	running := filepath.Join(room, "running.tar")
	check(t, o.run(t, o.backupCommand(), "--data", dir, "--out", running, "--json"))
	made := printed[backedUp](t, o)
	if !made.Running || made.Files != len(keptFiles) || made.Rows == 0 || !made.CreatedAt.Equal(noon) {
		t.Errorf("%+v", made)
	}
	info, err := os.Stat(running)
	check(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() != made.Bytes {
		t.Errorf("mode %v, %d bytes", info.Mode(), info.Size())
	}
	check(t, os.Remove(filepath.Join(dir, urlsName)))
	check(t, lock.Close())
	check(t, cluster.Stop(context.Background()))

	// While it does not.
	stopped := filepath.Join(room, "stopped.tar")
	check(t, o.run(t, o.backupCommand(), "--data", dir, "--out", stopped, "--json"))
	if again := printed[backedUp](t, o); again.Running || again.Rows != made.Rows || again.Tables != made.Tables {
		t.Errorf("%+v, while running %+v", again, made)
	}

	target := filepath.Join(room, "restored")
	check(t, o.run(t, o.restoreCommand(), "--data", target, "--json", stopped))
	done := printed[restored](t, o)
	if done.Rows != made.Rows || done.Files != len(keptFiles) || done.Data != target || !done.CreatedAt.Equal(noon) || done.Ledger.Entries != 1 {
		t.Errorf("%+v", done)
	}
	kept, others := filesIn(t, target)
	if diff := cmp.Diff(keptFiles, kept); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(others, []string{lockName, clusterName}) {
		t.Errorf("besides the files there are %v", others)
	}

	// A backup of what was restored says the same of every table and file.
	again := filepath.Join(room, "again.tar")
	check(t, o.run(t, o.backupCommand(), "--data", target, "--out", again))
	want, got := manifestOf(t, running), manifestOf(t, again)
	if diff := cmp.Diff(want.Database.Tables, got.Database.Tables); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.Files, got.Files); diff != "" {
		t.Error(diff)
	}
	if got := left(t, room); !cmp.Equal(got, []string{"again.tar", "restored", "running.tar", "stopped.tar"}) {
		t.Errorf("left are %v", got)
	}
}

// backups are the bytes of two backups that several tests restore: of a whole
// installation, and of the same with a damaged ledger.
var backups struct{ whole, broken []byte }

func makeBackups(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("PostgreSQL's programs do the work, and are not raced")
	}
	if backups.broken != nil {
		return
	}
	dir, cluster := startInstallation(t)
	defer holdLock(t, dir).Close()
	writeURLs(t, dir, urls{Database: cluster.DSN()})
	o := newOperator()
	save := func() []byte {
		file := filepath.Join(t.TempDir(), "backup.tar")
		check(t, o.run(t, o.backupCommand(), "--data", dir, "--out", file))
		data, err := os.ReadFile(file)
		check(t, err)
		return data
	}
	backups.whole = save()
	damageLedger(t, cluster.AdminDSN())
	backups.broken = save()
}

func saved(t *testing.T, data []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "backup.tar")
	check(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestRestoreRefuses(t *testing.T) {
	makeBackups(t)
	data, room, o := backups.whole, postgrestest.Folder(t), newOperator()
	dump := bytes.Index(data, []byte("PGDMP"))
	changed := func(at int) []byte {
		other := bytes.Clone(data)
		other[at] ^= 1
		return other
	}
	for name, row := range map[string]struct {
		file []byte
		want fault.Code
		exit int
	}{
		"nothing":                {nil, fault.BackupForeign, exitBadInput},
		"what is no archive":     {[]byte("PGDMP"), fault.BackupForeign, exitBadInput},
		"a changed manifest":     {changed(600), fault.BackupCorrupt, exitBadInput},
		"a changed dump":         {changed(dump + 4000), fault.BackupCorrupt, exitBadInput},
		"a changed private file": {changed(bytes.Index(data, []byte("a PIN"))), fault.BackupCorrupt, exitBadInput},
		"a cut archive":          {data[:len(data)/2], fault.BackupCorrupt, exitBadInput},
		"an archive and more":    {append(bytes.Clone(data), 0), fault.BackupCorrupt, exitBadInput},
	} {
		t.Run(name, func(t *testing.T) {
			err := o.run(t, o.restoreCommand(), "--data", filepath.Join(room, "new"), saved(t, row.file))
			if !fault.Is(err, row.want) || exitOf(err) != row.exit {
				t.Errorf("restore = %v, exit %d", err, exitOf(err))
			}
			if got := left(t, room); len(got) > 0 {
				t.Errorf("left are %v", got)
			}
		})
	}
	whole, full := saved(t, data), t.TempDir()
	check(t, os.WriteFile(filepath.Join(full, "mine"), nil, 0o600))
	for name, row := range map[string]struct {
		to, file string
		want     fault.Code
	}{
		"no file":                 {filepath.Join(room, "new"), filepath.Join(room, "none.tar"), fault.Unreadable},
		"a folder as the file":    {filepath.Join(room, "new"), full, fault.Unreadable},
		"a file as the folder":    {whole, whole, fault.RestoreOccupied},
		"a folder in no folder":   {filepath.Join(room, "none", "new"), whole, fault.RestoreFailed},
		"a folder with something": {full, whole, fault.RestoreOccupied},
	} {
		if err := o.run(t, o.restoreCommand(), "--data", row.to, row.file); !fault.Is(err, row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
}

// A restore that fails after it has begun to fill the folder leaves nothing.
func TestRestoreThatFailsLeavesNothing(t *testing.T) {
	makeBackups(t)
	room, o, file := postgrestest.Folder(t), newOperator(), saved(t, backups.whole)
	// PostgreSQL may not enter a folder that is closed to others.
	if os.Geteuid() == 0 {
		check(t, os.Chmod(room, 0o700))
		if err := o.run(t, o.restoreCommand(), "--data", filepath.Join(room, "new"), file); !fault.Is(err, fault.ClusterUnreachable) {
			t.Errorf("restore into a closed folder = %v", err)
		}
		check(t, os.Chmod(room, 0o755))
	}
	// Somebody makes the folder meanwhile: the clock is asked after the dump
	// is restored.
	target := filepath.Join(room, "new")
	now := o.now
	o.now = func() time.Time {
		check(t, os.MkdirAll(filepath.Join(target, "mine"), 0o755))
		return now()
	}
	if err := o.run(t, o.restoreCommand(), "--data", target, file); !fault.Is(err, fault.RestoreOccupied) {
		t.Errorf("restore into a folder that fills meanwhile = %v", err)
	}
	if got := append(left(t, room), left(t, target)...); !cmp.Equal(got, []string{"new", "mine"}) {
		t.Errorf("left are %v", got)
	}
}

// A ledger that was broken when it was backed up is restored as it was, and
// said to be broken. The folder is there already, and empty.
func TestRestoreOfABrokenLedger(t *testing.T) {
	makeBackups(t)
	room, o := postgrestest.Folder(t), newOperator()
	check(t, os.Mkdir(filepath.Join(room, "new"), 0o700))
	err := o.run(t, o.restoreCommand(), "--data", filepath.Join(room, "new"), "--json", saved(t, backups.broken))
	if !fault.Is(err, fault.LedgerInconsistent) || exitOf(err) != exitFailed {
		t.Errorf("restore = %v", err)
	}
	if done := printed[restored](t, o); len(done.Ledger.Findings) == 0 {
		t.Errorf("%+v", done)
	}
	if got := left(t, room); !cmp.Equal(got, []string{"new"}) {
		t.Errorf("left are %v", got)
	}
}

func TestBackupRefuses(t *testing.T) {
	dir, room := postgrestest.Folder(t), postgrestest.Folder(t)
	check(t, os.Mkdir(filepath.Join(dir, privateName), 0o700))
	lock := holdLock(t, dir)
	taken, unfinished := filepath.Join(room, "taken.tar"), filepath.Join(room, "unfinished.tar")
	check(t, os.WriteFile(taken, []byte("mine"), 0o600))
	check(t, os.WriteFile(unfinished+unfinishedSuffix, nil, 0o600))
	linked := filepath.Join(room, "linked")
	check(t, os.Symlink(dir, linked))
	o := newOperator()
	refused := func(name, data, out string, want fault.Code) {
		t.Helper()
		if err := o.run(t, o.backupCommand(), "--data", data, "--out", out); !fault.Is(err, want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	fresh := filepath.Join(room, "fresh.tar")
	refused("no installation", filepath.Join(room, "none"), fresh, fault.InstallationAbsent)
	refused("a folder that is none", room, filepath.Join(t.TempDir(), "x.tar"), fault.InstallationAbsent)
	refused("inside of the installation", dir, filepath.Join(dir, "x.tar"), fault.BadArgument)
	refused("inside of it, by a link", linked, filepath.Join(dir, privateName, "x.tar"), fault.BadArgument)
	refused("in no folder", dir, filepath.Join(room, "none", "x.tar"), fault.BadArgument)

	refused("senim starts", dir, fresh, fault.InUse)
	writeURLs(t, dir, urls{TSA: "http://127.0.0.1:1/tsp/"})
	refused("only the sandbox runs", dir, fresh, fault.InUse)
	writeURLs(t, dir, urls{Database: "postgres://senim@/senim?host=" + dir})
	refused("a name that is taken", dir, taken, fault.BackupExists)
	refused("a name that is being taken", dir, unfinished, fault.BackupExists)
	refused("a database that is gone", dir, fresh, fault.DatabaseDown)
	check(t, lock.Close())
	refused("no database", dir, fresh, fault.InstallationAbsent)

	if got := left(t, room); !cmp.Equal(got, []string{"linked", "taken.tar", "unfinished.tar" + unfinishedSuffix}) {
		t.Errorf("left are %v", got)
	}
	if text, err := os.ReadFile(taken); err != nil || string(text) != "mine" {
		t.Errorf("the file that was there is now %q (%v)", text, err)
	}
}
