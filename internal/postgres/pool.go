package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits of a pool; what the DSN says itself goes before them.
const (
	poolConnsMax       = 16 // per process; PostgreSQL's own default is 100 for all
	connectTimeout     = 5 * time.Second
	connLifetime       = time.Hour // so that a failover or a new password is noticed
	connLifetimeJitter = 5 * time.Minute
	connIdleTime       = 15 * time.Minute
	healthCheckPeriod  = 30 * time.Second
	unhurriedConns     = 4 // one operator

	// MinimumMajor is the oldest PostgreSQL the schema is tested with.
	MinimumMajor = 15
)

// sessionDefaults bound what one statement, lock or forgotten transaction can
// hold up. Migrations and backups lift them for their own connections.
var sessionDefaults = map[string]string{
	"application_name":                    "senim",
	"timezone":                            "UTC",
	"statement_timeout":                   "30s",
	"lock_timeout":                        "10s",
	"idle_in_transaction_session_timeout": "60s",
}

// Querier reads and writes either on its own or inside a transaction:
// *pgxpool.Pool, *pgxpool.Conn and pgx.Tx are queriers.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Open makes a pool for the database at dsn (a postgres:// URL or libpq's
// keywords) and proves that it answers and is new enough. Its errors never
// show the password.
func Open(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	config, err := poolConfig(dsn)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make the database pool: %w", Classify(err))
	}
	if err := checkServer(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// OpenUnhurried is Open without the limits on time, for the command of an
// operator that reads whole tables and may wait. Its context bounds it.
func OpenUnhurried(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	pool, err := Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	return unhurried(ctx, pool, unhurriedConns)
}

func poolConfig(dsn string) (*pgxpool.Config, error) {
	if strings.TrimSpace(dsn) == "" {
		return nil, fault.New(fault.DatabaseAddress, "", "no database address is given")
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// pgx masks the password in the message of its own parse error.
		return nil, fault.Wrap(err, fault.DatabaseAddress, "", "read the database address")
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = poolConnsMax
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	config.MaxConnLifetime = connLifetime
	config.MaxConnLifetimeJitter = connLifetimeJitter
	config.MaxConnIdleTime = connIdleTime
	config.HealthCheckPeriod = healthCheckPeriod
	for name, value := range sessionDefaults {
		if _, said := config.ConnConfig.RuntimeParams[name]; !said {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	config.AfterConnect = prepareTypes
	return config, nil
}

// prepareTypes makes a scanned timestamptz the same value on every machine: the
// zone of the process must not show in a report or a receipt.
func prepareTypes(_ context.Context, conn *pgx.Conn) error {
	sendUUIDs(conn)
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name:  "timestamptz",
		OID:   pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

func checkServer(ctx context.Context, pool *pgxpool.Pool) error {
	var text string
	if err := pool.QueryRow(ctx, "SHOW server_version_num").Scan(&text); err != nil {
		return fmt.Errorf("ask the database for its version: %w", Classify(err))
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return fault.Wrap(err, fault.DatabaseVersion, "", "server_version_num is %q", text)
	}
	if major := number / 10000; major < MinimumMajor {
		return fault.New(fault.DatabaseVersion, "", "the server is PostgreSQL %d; %d or newer is needed", major, MinimumMajor)
	}
	return nil
}
