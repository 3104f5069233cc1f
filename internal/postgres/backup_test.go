package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// filledDSN makes a database with rows in a partitioned, append-only table.
func filledDSN(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("pg_dump and pg_restore do the work, and are not raced")
	}
	dsn := postgrestest.DSN(t)
	pool, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = pool.Exec(t.Context(), `
		INSERT INTO audit_records (id, at, actor, action, object, purpose, outcome)
		SELECT gen_random_uuid(), now(), 'әкім-' || i, 'test', E'a\tb\\', '', 'allowed' FROM generate_series(1, 500) i`)
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

func dump(t *testing.T, dsn string) ([]byte, *postgres.Manifest) {
	t.Helper()
	var out bytes.Buffer
	var lines int
	manifest, err := postgres.DumpDatabase(t.Context(), dsn, &out, func(string) { lines++ })
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(out.Bytes(), []byte("PGDMP")) {
		t.Error("the dump is not in pg_dump's custom format")
	}
	if lines == 0 {
		t.Error("the dump reports no progress")
	}
	return out.Bytes(), manifest
}

func TestBackupAndRestore(t *testing.T) {
	file, manifest := dump(t, filledDSN(t))
	target := postgrestest.EmptyDSN(t)
	if err := postgres.RestoreDatabase(t.Context(), target, bytes.NewReader(file), manifest, nil); err != nil {
		t.Fatal(err)
	}
	// A dump of what was restored says the same of every table.
	_, again := dump(t, target)
	if diff := cmp.Diff(manifest.Tables, again.Tables); diff != "" {
		t.Error(diff)
	}
	pool, err := postgres.Open(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var rows int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_records WHERE actor LIKE 'әкім-%' AND object = E'a\tb\\'`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if rows != 500 {
		t.Errorf("%d rows are restored, want 500", rows)
	}
	// It goes on as the original would: migrated, and still append-only.
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Error(err)
	}
	for _, sql := range []string{"DELETE FROM audit_records", "TRUNCATE audit_records"} {
		if _, err := pool.Exec(t.Context(), sql); !fault.Is(postgres.Classify(err), fault.RecordImmutable) {
			t.Errorf("%s: %v, want %s", sql, err, fault.RecordImmutable)
		}
	}
	if err := postgres.RestoreDatabase(t.Context(), target, bytes.NewReader(file), manifest, nil); !fault.Is(err, fault.RestoreNotEmpty) {
		t.Errorf("RestoreDatabase into a full database = %v, want %s", err, fault.RestoreNotEmpty)
	}
}

func TestRestoreRefuses(t *testing.T) {
	file, manifest := dump(t, filledDSN(t))
	changed := bytes.Clone(file)
	changed[len(changed)/2] ^= 1
	miscounted := *manifest
	miscounted.Tables = append([]postgres.TableSum{{Name: "aa_missing", Rows: 1, Sum: "1"}}, manifest.Tables...)
	noDump := []byte("not a dump")
	for name, row := range map[string]struct {
		file     []byte
		manifest postgres.Manifest
		want     fault.Code
	}{
		"a changed byte":       {changed, *manifest, fault.BackupCorrupt},
		"a lost end":           {file[:len(file)-1], *manifest, fault.BackupCorrupt},
		"a table too few":      {file, miscounted, fault.RestoreFailed},
		"what is no dump":      {noDump, postgres.Manifest{Bytes: int64(len(noDump)), SHA256: sha256Hex(noDump)}, fault.RestoreFailed},
		"nothing and no sum":   {nil, postgres.Manifest{}, fault.BackupCorrupt},
		"nothing, well summed": {nil, postgres.Manifest{SHA256: sha256Hex(nil)}, fault.RestoreFailed},
	} {
		t.Run(name, func(t *testing.T) {
			err := postgres.RestoreDatabase(t.Context(), postgrestest.EmptyDSN(t), bytes.NewReader(row.file), &row.manifest, nil)
			if !fault.Is(err, row.want) {
				t.Errorf("RestoreDatabase = %v, want %s", err, row.want)
			}
		})
	}
}

func TestBackupFails(t *testing.T) {
	dsn := postgrestest.DSN(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("needs /dev/full: %v", err)
	}
	defer full.Close()
	if _, err := postgres.DumpDatabase(t.Context(), dsn, full, nil); !fault.Is(err, fault.BackupFailed) {
		t.Errorf("a dump to a full disk = %v, want %s", err, fault.BackupFailed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := postgres.DumpDatabase(ctx, dsn, &bytes.Buffer{}, nil); !fault.Is(err, fault.Cancelled) {
		t.Errorf("a cancelled dump = %v, want %s", err, fault.Cancelled)
	}
	_, err = postgres.DumpDatabase(t.Context(), "host=x password=hunter2", &bytes.Buffer{}, nil)
	if !fault.Is(err, fault.DatabaseAddress) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a dump by keywords = %v, want %s without the password", err, fault.DatabaseAddress)
	}
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
