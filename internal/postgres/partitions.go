package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Partitions kept around now: last month's, because clocks differ and a
// transaction may end after midnight, this month's, and the months ahead, so
// that the daily upkeep may fail for a quarter before anything is refused.
const (
	partitionMonthsBehind = 1
	partitionMonthsAhead  = 3
)

// EnsurePartitions makes the missing monthly partitions of every table that is
// partitioned by recorded_at, or by serial numbers that begin with their month. It
// runs after Migrate and once a day; it is harmless to run at any time and from
// several processes.
func EnsurePartitions(ctx context.Context, pool *pgxpool.Pool, now time.Time) error {
	tables, err := partitionedTables(ctx, pool)
	if err != nil {
		return err
	}
	year, month, _ := now.UTC().Date()
	first := time.Date(year, month-partitionMonthsBehind, 1, 0, 0, 0, 0, time.UTC)
	months := partitionMonthsBehind + 1 + partitionMonthsAhead
	for _, table := range tables {
		// One transaction each, so that no lock is held longer than its table needs.
		err := InTx(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT senim_month_partitions($1::text::regclass, $2, $3)", table, first, months)
			return err
		})
		if err != nil {
			return fmt.Errorf("make the partitions of %s: %w", table, err)
		}
	}
	return nil
}

// Partition is the name of a table's partition of a month, as EnsurePartitions makes
// it (senim_month_partitions). A thirteenth month is the next year's first.
func Partition(table string, year int, month time.Month) string {
	return table + time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Format("_200601")
}

func partitionedTables(ctx context.Context, q Querier) ([]string, error) {
	rows, err := q.Query(ctx, `
		SELECT c.oid::regclass::text
		  FROM pg_partitioned_table p
		  JOIN pg_class c ON c.oid = p.partrelid
		  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
		 WHERE p.partstrat = 'r' AND p.partnatts = 1 AND a.attname IN ('recorded_at', 'serial')
		   AND c.relnamespace = current_schema()::regnamespace
		 ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("list the partitioned tables: %w", Classify(err))
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the partitioned tables: %w", Classify(err))
	}
	return tables, nil
}
