package postgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// Two processes start at once on an empty database.
func TestMigrateTwiceAtOnce(t *testing.T) {
	dsn := postgrestest.EmptyDSN(t)
	var group errgroup.Group
	for range 2 {
		group.Go(func() error {
			pool, err := postgres.Open(t.Context(), dsn)
			if err != nil {
				return err
			}
			defer pool.Close()
			if err := postgres.Migrate(t.Context(), pool); err != nil {
				return err
			}
			return postgres.EnsurePartitions(t.Context(), pool, postgrestest.FixedMonth)
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateSaysWhatIsWrong(t *testing.T) {
	pool, err := postgres.Open(t.Context(), postgrestest.EmptyDSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	// Somebody else's table stands where the first migrations make theirs.
	if _, err := pool.Exec(t.Context(), "CREATE TABLE evidence_digests ()"); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), pool); !fault.Is(err, fault.MigrationFailed) {
		t.Errorf("Migrate = %v, want %s", err, fault.MigrationFailed)
	}
}

// Each file stands in a room's range, and none goes back.
func TestMigrationFiles(t *testing.T) {
	files, err := filepath.Glob("migrations/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	form := regexp.MustCompile(`^(\d{5})_[a-z0-9_]+\.sql$`)
	for _, file := range files {
		match := form.FindStringSubmatch(filepath.Base(file))
		if match == nil {
			t.Errorf("%s is not NNNNN_name.sql", file)
			continue
		}
		if number, err := strconv.Atoi(match[1]); err != nil || number < 1 || number >= 100 {
			t.Errorf("%s is in no room's range; see doc.go", file)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "+goose Down") || !strings.Contains(string(text), "+goose Up") {
			t.Errorf("%s: migrations have an Up and no Down", file)
		}
	}
}

func partitionsOf(t *testing.T, pool *pgxpool.Pool, parent string) string {
	t.Helper()
	var names string
	err := pool.QueryRow(t.Context(), `
		SELECT coalesce(string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass::text), '')
		  FROM pg_inherits WHERE inhparent = $1::text::regclass`, parent).Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestEnsurePartitions(t *testing.T) {
	pool := postgrestest.Pool(t)
	_, err := pool.Exec(t.Context(), `
		CREATE TABLE notes (recorded_at timestamptz NOT NULL, id int, PRIMARY KEY (id, recorded_at)) PARTITION BY RANGE (recorded_at);
		CREATE TABLE stamps (serial bytea PRIMARY KEY) PARTITION BY RANGE (serial);
		CREATE TABLE shelves (recorded_at timestamptz NOT NULL, shelf int) PARTITION BY LIST (shelf);
		SELECT senim_append_only('notes')`)
	if err != nil {
		t.Fatal(err)
	}
	// In Almaty it is February already; partitions are months in UTC.
	now := time.Date(2030, time.January, 31, 23, 0, 0, 0, time.UTC).In(time.FixedZone("Asia/Almaty", 5*3600))
	for range 2 {
		if err := postgres.EnsurePartitions(t.Context(), pool, now); err != nil {
			t.Fatal(err)
		}
	}
	const want = "notes_202912 notes_203001 notes_203002 notes_203003 notes_203004"
	if got := partitionsOf(t, pool, "notes"); got != want {
		t.Errorf("partitions: %s, want %s", got, want)
	}
	if got := partitionsOf(t, pool, "stamps"); got != strings.ReplaceAll(want, "notes", "stamps") {
		t.Errorf("partitions by serial numbers: %s", got)
	}
	// December of 2029 is the month 359 since 2000-01, April of 2030 the month 363.
	for serial, holds := range map[string]bool{
		`0b37ffffffffffffffffffffffffffffffffffff`: false, `0b38000000000000000000000000000000000000`: true,
		`0b5fffffffffffffffffffffffffffffffffffff`: true, `0b60000000000000000000000000000000000000`: false,
	} {
		if _, err := pool.Exec(t.Context(), "INSERT INTO stamps VALUES (decode($1, 'hex'))", serial); (err == nil) != holds {
			t.Errorf("serial number %s: %v", serial, err)
		}
	}
	if got := partitionsOf(t, pool, "shelves"); got != "" {
		t.Errorf("a table that is not partitioned by time got %s", got)
	}
	for _, at := range []string{"2029-12-01 00:00:00+00", "2030-02-01 04:59:59+05", "2030-02-01 05:00:00+05", "2030-04-30 23:59:59.999999+00"} {
		if _, err := pool.Exec(t.Context(), "INSERT INTO notes VALUES ($1::text::timestamptz, 1)", at); err != nil {
			t.Errorf("insert at %s: %v", at, err)
		}
	}
	for _, sql := range []string{"DELETE FROM notes_203001", "UPDATE notes SET id = 2", "TRUNCATE notes_203002"} {
		if _, err := pool.Exec(t.Context(), sql); !fault.Is(postgres.Classify(err), fault.RecordImmutable) {
			t.Errorf("%s: %v, want %s", sql, err, fault.RecordImmutable)
		}
	}
}

func TestMonthPartitionsRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	for _, sql := range []string{
		"SELECT senim_month_partitions('events', '2026-01-01', 0)",
		"SELECT senim_month_partitions('events', '2026-01-01', 121)",
		"SELECT senim_month_partitions('event_heads', '2026-01-01', 1)",
	} {
		if _, err := pool.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s is done", sql)
		}
	}
}
