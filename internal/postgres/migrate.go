package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/senim-kz/senim/internal/fault"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationLock is the key of the advisory lock under which one process at a
// time migrates: "senim" in ASCII.
const migrationLock = 0x73656e696d

// Migrate brings the schema up to date: the project's own migrations, then
// River's. It may run in several processes at once, and while the previous
// version still serves; it never goes back. The caller then calls
// EnsurePartitions.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	own, err := unhurried(ctx, pool, 3) // the lock, goose, River
	if err != nil {
		return err
	}
	defer own.Close()

	lock, err := own.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", Classify(err))
	}
	defer lock.Release() // own.Close ends the session, and the lock with it
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("wait for another process's migration: %w", Classify(err))
	}
	if err := migrateOurs(ctx, own); err != nil {
		return err
	}
	return migrateRiver(ctx, own)
}

// unhurried is a pool like the given one without the limits on time: a
// migration or a backup of a large table is slow, and may wait for locks.
func unhurried(ctx context.Context, pool *pgxpool.Pool, conns int32) (*pgxpool.Pool, error) {
	config := pool.Config()
	config.MaxConns, config.MinConns, config.MinIdleConns = conns, 0, 0
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		config.ConnConfig.RuntimeParams[name] = "0"
	}
	own, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make a pool without time limits: %w", Classify(err))
	}
	return own, nil
}

func migrateOurs(ctx context.Context, pool *pgxpool.Pool) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return fault.Wrap(err, fault.MigrationFailed, "", "open the embedded migrations")
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithDisableGlobalRegistry(true),
		goose.WithAllowOutofOrder(true), // each room has its own range of numbers and grows within it
		goose.WithSlog(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return fault.Wrap(err, fault.MigrationFailed, "", "read the embedded migrations")
	}
	if _, err := provider.Up(ctx); err != nil {
		return migrationError(err, "apply the migrations")
	}
	return nil
}

func migrateRiver(ctx context.Context, pool *pgxpool.Pool) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fault.Wrap(err, fault.MigrationFailed, "", "read River's migrations")
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return migrationError(err, "apply River's migrations")
	}
	return nil
}

// migrationError keeps the code of a database that is away or busy: that is
// worth another try, a broken migration is not.
func migrationError(err error, act string) error {
	if classified := Classify(err); fault.Of(classified) != nil {
		return fmt.Errorf("%s: %w", act, classified)
	}
	return fault.Wrap(err, fault.MigrationFailed, "", "%s", act)
}
