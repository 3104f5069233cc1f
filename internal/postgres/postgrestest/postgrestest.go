package postgrestest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// FixedMonth is a month whose partitions exist in every test database besides
// those around the real time, so that a test's injected clock may stand there.
// A test with another clock calls postgres.EnsurePartitions itself.
var FixedMonth = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

const (
	templateName = "senim_template"
	startTimeout = 5 * time.Minute      // all packages' test binaries may start a cluster at once, some slowed by the race detector
	connectWait  = "connect_timeout=60" // production gives up after five seconds
)

// Pool opens a pool on a fresh migrated database, which goes with the test.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// DSN makes a fresh migrated database and gives its address.
func DSN(t testing.TB) string {
	t.Helper()
	return create(t, " TEMPLATE "+templateName+" STRATEGY FILE_COPY") // the quicker one where nothing is synced
}

// EmptyDSN makes a database in which nothing is, not even the schema.
func EmptyDSN(t testing.TB) string {
	t.Helper()
	return create(t, " TEMPLATE template0")
}

var (
	started  = sync.OnceValues(start)
	sequence atomic.Int64
)

func create(t testing.TB, suffix string) string {
	t.Helper()
	cluster, err := started()
	if fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	if err != nil {
		t.Fatalf("start the tests' PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", sequence.Add(1))
	if err := execute(t.Context(), cluster.DSN(), "CREATE DATABASE "+name+suffix); err != nil {
		t.Fatalf("make a test database: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now. Others' pools may still be
		// closing, hence FORCE.
		if err := execute(context.Background(), cluster.DSN(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return cluster.DatabaseDSN(name) + "&" + connectWait
}

// start starts the cluster and makes the template.
func start() (*postgres.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	dir, err := makeFolder()
	if err != nil {
		return nil, fmt.Errorf("make a folder for the cluster: %w", err)
	}
	cluster, err := postgres.StartCluster(ctx, postgres.ClusterConfig{Dir: dir, Unsafe: true, Throwaway: true})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	// A test that tampers with append-only tables, to see it found, has to get
	// past the triggers.
	if err := execute(ctx, cluster.AdminDSN(), "GRANT SET ON PARAMETER session_replication_role TO senim"); err != nil {
		return nil, fmt.Errorf("let tests tamper: %w", err)
	}
	if err := makeTemplate(ctx, cluster); err != nil {
		return nil, fmt.Errorf("make the template: %w", err)
	}
	return cluster, nil
}

func makeTemplate(ctx context.Context, cluster *postgres.Cluster) error {
	if err := execute(ctx, cluster.DSN(), "CREATE DATABASE "+templateName); err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, cluster.DatabaseDSN(templateName))
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.Migrate(ctx, pool); err != nil {
		return err
	}
	for _, month := range []time.Time{time.Now(), FixedMonth} {
		if err := postgres.EnsurePartitions(ctx, pool, month); err != nil {
			return err
		}
	}
	return nil
}

func execute(ctx context.Context, dsn, sql string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}
